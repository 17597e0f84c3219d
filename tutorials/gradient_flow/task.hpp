#pragma once
/// What a network is to learn: where its sequences come from, and what knowing little would cost.
///
/// Shapes: T steps in a sequence, B sequences, of whose steps the last K have a target; I numbers or one symbol go in
/// at each step, O numbers or one class are to come out.

#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/random.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradient_flow/options.hpp"
#include "gradient_flow/series_file.hpp"
#include "support/corpus.hpp"

namespace lab {

using tutorial::Corpus;

/// What a network's two ends look like.
struct Ports {
    std::size_t symbols = 0;  ///< so many different symbols go in, or,
    std::size_t numbers = 0;  ///< where that is 0, so many numbers at each step
    std::size_t outputs = 0;  ///< logits of so many classes, or so many numbers
    bool classes = true;      ///< whether a class is to be told (cross entropy) or numbers (mean squared error)
};

/// A network that reads symbols and tells the next one.
inline Ports symbol_ports(std::size_t symbols) {
    return {.symbols = symbols, .outputs = symbols};
}

/// Sequences and their targets; which of the members hold something, the ports say.
struct Batch {
    ebb::Indices symbols = {};        ///< [T, B]
    ebb::Array<double> numbers = {};  ///< [T, B, I]
    ebb::Indices classes = {};        ///< [K, B]
    ebb::Array<double> values = {};   ///< [K, B, O]
};

/// T.
inline std::size_t length_of(const Ports& ports, const Batch& batch) {
    return ports.symbols > 0 ? batch.symbols.shape(0) : batch.numbers.shape(0);
}

Batch empty_batch(const Ports& ports, std::size_t T, std::size_t K, std::size_t B);

/// The loss that something very simple reaches: what a network must fall below before it has learned anything.
struct Baseline {
    double loss;
    std::string of;  ///< "always predicting 1"
};

class Task {
  public:
    virtual ~Task() = default;

    virtual Ports ports() const = 0;
    virtual std::size_t steps() const = 0;    ///< T
    virtual std::size_t targets() const = 0;  ///< K
    /// How many of the last targets an answer is counted right or wrong for; 0 where the targets are numbers.
    virtual std::size_t answers() const = 0;
    virtual Baseline baseline() const = 0;
    /// What is to be learned, and where the task is from, in a few sentences.
    virtual std::string definition() const = 0;

    /// Fills a batch made by `empty_batch` with sequences to train on.
    virtual void draw(ebb::Generator& generator, Batch& batch) const = 0;
    /// At most `most` sequences, the same in every call, of what is trained on and of what is not.
    virtual Batch training_sample(std::size_t most) const = 0;
    virtual Batch test_sample(std::size_t most) const = 0;
};

/// The files that tasks read, each read once.
struct Sources {
    std::optional<Corpus> text;
    std::optional<SeriesFile> series;
};

/// Reads what the options' tasks need. Throws as `read_corpus` and `read_series` do.
Sources read_sources(const Options& options, const std::vector<TaskName>& tasks);

/// The task that the options name; what it needs of `sources` must outlive it. Throws ebb::ValueError, naming the
/// option, where the length is too short for the task.
std::unique_ptr<Task> make_task(const Options& options, const Sources& sources);

}  // namespace lab
