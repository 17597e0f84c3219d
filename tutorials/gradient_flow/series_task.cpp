#include "gradient_flow/series_task.hpp"

#include <ebb/core/error.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lab {

SeriesTask::SeriesTask(const SeriesFile& series, std::size_t T)
    : names_(series.names),
      values_(series.values),
      columns_(series.columns()),
      rows_(series.rows()),
      training_rows_(rows_ - rows_ / 10),
      T_(T) {
    if (rows_ - training_rows_ <= T)
        ebb::fail<ebb::ValueError>(fmt::format(
            "gradient_flow: {} has {} rows, of which the last tenth ({}) is held out: expected more than {} "
            "held out, the sequence length: take a longer series or a smaller --length",
            series.path, rows_, rows_ - training_rows_, T));
    const auto count = static_cast<double>(training_rows_);
    for (std::size_t k = 0; k < columns_; ++k) {
        double mean = 0, variance = 0, low = values_[k], high = values_[k];
        for (std::size_t r = 0; r < training_rows_; ++r) {
            const double value = values_[r * columns_ + k];
            mean += value / count;
            low = std::min(low, value);
            high = std::max(high, value);
        }
        if (low == high)
            ebb::fail<ebb::ValueError>(
                fmt::format("gradient_flow: {}, {}: all of its first nine tenths is {}: expected a column that changes",
                            series.path, names_[k], low));
        for (std::size_t r = 0; r < training_rows_; ++r)
            variance += std::pow(values_[r * columns_ + k] - mean, 2) / count;
        for (std::size_t r = 0; r < rows_; ++r) {
            double& value = values_[r * columns_ + k];
            value = (value - mean) / std::sqrt(variance);
        }
    }
}

Baseline SeriesTask::baseline() const {
    double sum = 0;
    for (std::size_t r = training_rows_; r + 1 < rows_; ++r)
        for (std::size_t k = 0; k < columns_; ++k)
            sum += std::pow(values_[(r + 1) * columns_ + k] - values_[r * columns_ + k], 2);
    return {sum / static_cast<double>((rows_ - training_rows_ - 1) * columns_), "the last value again"};
}

std::string SeriesTask::definition() const {
    return fmt::format(
        "The next row of a series, at each of {} steps: {} rows of {}, of which the last tenth is not trained on. "
        "Columns are scaled to mean 0 and variance 1, so that predicting the mean costs about 1.",
        T_, rows_, fmt::join(names_, ", "));
}

void SeriesTask::put(std::size_t start, std::size_t b, Batch& into) const {
    for (std::size_t t = 0; t < T_; ++t)
        for (std::size_t k = 0; k < columns_; ++k) {
            into.numbers(t, b, k) = values_[(start + t) * columns_ + k];
            into.values(t, b, k) = values_[(start + t + 1) * columns_ + k];
        }
}

void SeriesTask::draw(ebb::Generator& generator, Batch& batch) const {
    for (std::size_t b = 0; b < batch.numbers.shape(1); ++b) put(generator.integer(training_rows_ - T_), b, batch);
}

Batch SeriesTask::spread(std::size_t begin, std::size_t end, std::size_t most) const {
    const std::size_t last = end - begin - T_ - 1, count = std::min((end - begin - 1) / T_, most);
    Batch batch = empty_batch(ports(), T_, T_, count);
    for (std::size_t b = 0; b < count; ++b) put(begin + (count > 1 ? b * last / (count - 1) : 0), b, batch);
    return batch;
}

}  // namespace lab
