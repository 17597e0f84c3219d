#pragma once
/// The next row of a series of numbers.

#include "gradient_flow/task.hpp"

namespace lab {

/// One step ahead: at each step the columns of a row go in, and those of the next row are to come out. The first nine
/// tenths are trained on, the rest is held out. Each column is shifted and scaled to mean 0 and variance 1 of the
/// training part, so that a loss of 1 is that of predicting the mean.
class SeriesTask final : public Task {
  public:
    /// Throws ebb::ValueError where either part has no T + 1 rows, and for a column that never changes in the training
    /// part.
    SeriesTask(const SeriesFile& series, std::size_t T);

    Ports ports() const override { return {.numbers = columns_, .outputs = columns_, .classes = false}; }
    std::size_t steps() const override { return T_; }
    std::size_t targets() const override { return T_; }
    std::size_t answers() const override { return 0; }
    /// Of the last value again, on the held-out part.
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;
    Batch training_sample(std::size_t most) const override { return spread(0, training_rows_, most); }
    Batch test_sample(std::size_t most) const override { return spread(training_rows_, rows_, most); }

  private:
    Batch spread(std::size_t begin, std::size_t end, std::size_t most) const;
    void put(std::size_t start, std::size_t b, Batch& into) const;

    std::vector<std::string> names_;
    std::vector<double> values_;  // [rows, columns], standardised
    std::size_t columns_, rows_, training_rows_, T_;
};

}  // namespace lab
