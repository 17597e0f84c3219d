#pragma once
/// Tasks that a generator makes, and that need a memory: their sequences never end, and never repeat.

#include "gradient_flow/task.hpp"

namespace lab {

/// What the generated tasks have in common: their samples are drawn from streams of their own, which no training sees.
class GeneratedTask : public Task {
  public:
    std::size_t steps() const final { return steps_; }
    std::size_t targets() const final { return targets_; }
    Batch training_sample(std::size_t most) const final { return sample(most, 1); }
    Batch test_sample(std::size_t most) const final { return sample(most, 2); }

  protected:
    GeneratedTask(std::size_t steps, std::size_t targets) : steps_(steps), targets_(targets) {}

  private:
    Batch sample(std::size_t count, std::uint64_t stream) const;
    std::size_t steps_, targets_;
};

/// The adding problem (Hochreiter, Schmidhuber 1997, experiment 4; in this form Arjovsky, Shah, Bengio 2016,
/// sect. 5.2): at each step a number from U[0, 1) and a mark, which is 1 at one step of each half and else 0. At the
/// end: the sum of the two marked numbers.
class AddingTask final : public GeneratedTask {
  public:
    /// Throws ebb::ValueError for T < 2.
    explicit AddingTask(std::size_t T);
    Ports ports() const override { return {.numbers = 2, .outputs = 1, .classes = false}; }
    std::size_t answers() const override { return 0; }
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;
};

/// Copying memory (Arjovsky, Shah, Bengio 2016, sect. 5.1, after Hochreiter, Schmidhuber 1997): ten of eight symbols,
/// T - 1 blanks, a cue, ten blanks: T + 20 steps. To tell: blanks, and at the last ten steps the ten symbols.
class CopyingTask final : public GeneratedTask {
  public:
    explicit CopyingTask(std::size_t T);
    Ports ports() const override { return {.symbols = symbols + 2, .outputs = symbols + 1}; }
    std::size_t answers() const override { return copied; }
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;

    static constexpr std::size_t copied = 10;  ///< how many symbols are to be copied
    static constexpr std::size_t symbols = 8;  ///< of how many different ones: 0, ..., 7; then
    static constexpr std::int64_t blank = 8;
    static constexpr std::int64_t cue = 9;
};

/// Temporal order (Hochreiter, Schmidhuber 1997, experiment 6a; in this form Pascanu, Mikolov, Bengio 2013, sect. 4):
/// a symbol A or B somewhere in [T/10, 2T/10), another in [4T/10, 5T/10), and at all other steps one of c, d, e, f.
/// At the end: which of AA, AB, BA, BB it was.
class TemporalOrderTask final : public GeneratedTask {
  public:
    /// Throws ebb::ValueError for T < 10.
    explicit TemporalOrderTask(std::size_t T);
    Ports ports() const override { return {.symbols = 6, .outputs = 4}; }
    std::size_t answers() const override { return 1; }
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;
};

/// Delayed echo, the short-term memory task (Jaeger, "Short term memory in echo state networks", 2001, there with
/// numbers): random bits go in, and at each step the bit of `delay` steps before is to be told.
class EchoTask final : public GeneratedTask {
  public:
    /// Throws ebb::ValueError unless delay < T.
    EchoTask(std::size_t T, std::size_t delay);
    Ports ports() const override { return symbol_ports(2); }
    std::size_t answers() const override { return targets(); }
    Baseline baseline() const override;
    std::string definition() const override;
    void draw(ebb::Generator& generator, Batch& batch) const override;
};

}  // namespace lab
