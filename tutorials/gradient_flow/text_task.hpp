#pragma once
/// The next character of a text.

#include "gradient_flow/task.hpp"

namespace lab {

/// Sequences of T characters that begin at `starts`, each with what follows its characters. Throws ebb::IndexError
/// where one runs over the end of the text.
Batch take_sequences(const Corpus& corpus, const std::vector<std::size_t>& starts, std::size_t T);

/// Sequences spread evenly over one part of the text, in order: `most` of them, or as many as fit side by side.
Batch spread_sequences(const Corpus& corpus, bool held_out, std::size_t T, std::size_t most);

/// Character by character; the corpus must outlive the task.
class TextTask final : public Task {
  public:
    /// Throws ebb::ValueError where either part of the text is shorter than a sequence.
    TextTask(const Corpus& corpus, std::size_t T);

    Ports ports() const override { return symbol_ports(corpus_->alphabet.size()); }
    std::size_t steps() const override { return T_; }
    std::size_t targets() const override { return T_; }
    std::size_t answers() const override { return T_; }
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;
    Batch training_sample(std::size_t most) const override { return spread_sequences(*corpus_, false, T_, most); }
    Batch test_sample(std::size_t most) const override { return spread_sequences(*corpus_, true, T_, most); }

  private:
    const Corpus* corpus_;
    std::size_t T_;
};

}  // namespace lab
