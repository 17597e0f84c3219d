#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ebb {

struct TerminalSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

/// Where progress is shown. The defaults look at the machine; tests give their own stream, size and clock.
struct ProgressOptions {
    std::ostream* stream = nullptr;  ///< nullptr: standard error
    /// Whether the stream is a terminal that can move its cursor. By default so for standard error and standard output
    /// where they are one, unless the environment variable TERM is `dumb` or missing; never for another stream.
    std::optional<bool> terminal = {};
    std::optional<bool> utf8 = {};            ///< by default as the locale's variables say (LC_ALL, LC_CTYPE, LANG)
    std::function<TerminalSize()> size = {};  ///< by default the terminal is asked before each drawing
    std::function<double()> clock = {};       ///< seconds since any moment; by default a steady clock
    double interval = 0.1;                    ///< seconds between two drawings, at least
};

class ProgressBar;

/// A line for each training that runs, at the foot of the terminal, redrawn together:
///
///     tanh   45% [=====>      ]  loss 2.314    |g| 0.512      812 steps/s     0:07 left
///     LSTM   20% [==>         ]  loss 2.671    |g| 0.102      301 steps/s     0:26 left
///
/// A bar that is done leaves a last line above those that still run. Lines never wrap: on a narrow terminal they lose
/// their less important parts. Where the output is no terminal, nothing is written at all.
///
/// Bars may be updated from several threads, each from one. The object is a handle; its bars may outlive it.
class Progress {
  public:
    explicit Progress(ProgressOptions options = {});

    /// A bar for a training of so many steps, shown at once.
    ProgressBar add(std::string name, std::int64_t steps) const;
    /// A line of text above the bars: what is written to the terminal past this object would land between them.
    /// Written also where the output is no terminal.
    void print(std::string_view line) const;

  private:
    friend class ProgressBar;
    class Display;
    std::shared_ptr<Display> display_;
};

/// One training's line. It ends with `finish()`, with the last step, or, as stopped, with its destruction.
class ProgressBar {
  public:
    /// A bar alone, on a display of its own.
    ProgressBar(std::string name, std::int64_t steps, ProgressOptions options = {});
    ~ProgressBar();
    ProgressBar(ProgressBar&& other) noexcept;
    ProgressBar& operator=(ProgressBar&& other) noexcept;

    /// `done` steps are done; `loss` and `gradient_norm` are of the last of them. Cheap: it draws at most ten times a
    /// second, and in between only notes the numbers.
    void update(std::int64_t done, double loss, double gradient_norm);
    /// Leaves the last line. What comes after it is ignored.
    void finish();

  private:
    friend class Progress;
    ProgressBar(std::shared_ptr<Progress::Display> display, std::size_t id) noexcept;

    std::shared_ptr<Progress::Display> display_;
    std::size_t id_ = 0;
};

}  // namespace ebb
