#pragma once
/// The errors that Ebb throws. Every message names the call, the operand, what it is and what was expected.

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

/// A file that is missing, unreadable, truncated or not what it claims to be.
class FileError : public Error {
  public:
    using Error::Error;
};

}  // namespace ebb
