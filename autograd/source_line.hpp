#pragma once
/// Where in a program an operation was called: what `detect_anomaly` reports.

#include <ebb/autograd/anomaly.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace ebb {

/// A file and a line, as `std::source_location` has them, which clang++ 14 has not.
class SourceLine {
  public:
    static constexpr SourceLine unknown() noexcept { return {Made(), nullptr, 0}; }

    bool known() const noexcept { return file_ != nullptr; }
    const char* file() const noexcept { return file_; }  ///< as the compiler was given it; nullptr if unknown
    std::uint32_t line() const noexcept { return line_; }
    std::string text() const;  ///< "model.cpp:12"
    friend bool operator==(const SourceLine&, const SourceLine&) = default;

  private:
    friend constexpr SourceLine source_line(const char*, std::uint32_t) noexcept;
    struct Made {};  // so that in `sum(x, {0, 1})` the braces can mean axes only
    constexpr SourceLine(Made, const char* file, std::uint32_t line) noexcept : file_(file), line_(line) {}

    const char* file_;
    std::uint32_t line_;
};

/// This line; as the default value of a parameter, that of the call:
///
///     Variable<T> exp(const Variable<T>& x, SourceLine at = source_line());
constexpr SourceLine source_line(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) noexcept {
    return {SourceLine::Made(), file, line};
}

/// In scope wherever something is recorded for a caller: in operations, cells and layers. While anomalies are looked
/// for, what is recorded belongs to the line of the innermost caller outside of Ebb: operations call each other, and
/// layers call a cell that their user wrote. While they are not, it costs a look at a flag.
class CalledFrom {
  public:
    explicit CalledFrom(SourceLine at) noexcept {
        if (anomaly_detection()) [[unlikely]]
            enter(at);
    }
    ~CalledFrom() {
        if (entered_) [[unlikely]]
            leave();
    }
    CalledFrom(const CalledFrom&) = delete;
    CalledFrom& operator=(const CalledFrom&) = delete;

    /// The line that this thread is at.
    static SourceLine now() noexcept;

  private:
    void enter(SourceLine at) noexcept;
    void leave() noexcept;

    bool entered_ = false;
    SourceLine before_ = SourceLine::unknown();
};

}  // namespace ebb
