#pragma once
/// The errors that Ebb throws. Every message names the call, the operand, what it is and what was expected.

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ebb {

/// The base of every error that Ebb throws: `catch (const ebb::Error& error)` catches them all.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Shapes that do not fit each other, or an axis that an array does not have.
class ShapeError : public Error {
  public:
    using Error::Error;
};

/// A value outside of what a call accepts: a rate above 1, a hidden size of 0, NaN where numbers are needed.
class ValueError : public Error {
  public:
    using Error::Error;
};

/// An index outside of its axis.
class IndexError : public Error {
  public:
    using Error::Error;
};

/// A tape used out of order: a variable of another or of a cleared tape, a second backward over a freed graph.
class TapeError : public Error {
  public:
    using Error::Error;
};

/// What `detect_anomaly` has found: the operation that first made a NaN or an infinity.
class AnomalyError : public Error {
  public:
    using Error::Error;
};

/// A file that is missing, unreadable, truncated or not what it claims to be.
class FileError : public Error {
  public:
    using Error::Error;
};

class ErrorContext;
namespace detail {
extern constinit thread_local const ErrorContext* innermost_context;
}

/// Says, in every error that `fail` throws while it is in scope, which module was running and at which time step.
/// Holds pointers only, so that a cell can afford one at every step.
class ErrorContext {
  public:
    /// `name` and `type` must outlive the context; a negative `time_step` is left out of the message.
    ErrorContext(const std::string& name, const char* type, std::int64_t time_step = -1) noexcept
        : outer_(detail::innermost_context), name_(name), type_(type), time_step_(time_step) {
        detail::innermost_context = this;
    }
    ~ErrorContext() { detail::innermost_context = outer_; }
    ErrorContext(const ErrorContext&) = delete;
    ErrorContext& operator=(const ErrorContext&) = delete;

  private:
    friend std::string with_error_context(std::string message);
    const ErrorContext* outer_;
    const std::string& name_;
    const char* type_;
    std::int64_t time_step_;
};

/// `message`, and a line "  while running encoder (LSTMCell), time step 0" for each context of this thread.
std::string with_error_context(std::string message);

/// Throws E with `message` and where it happened.
template <class E>
[[noreturn]] void fail(std::string message) {
    throw E(with_error_context(std::move(message)));
}

}  // namespace ebb
