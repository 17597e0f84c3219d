#pragma once
/// Looking for the operation that first made a NaN or an infinity.
///
///     detect_anomaly(true);
///     auto loss = -sum(log(p));    // AnomalyError: detect_anomaly: log (node 3) made -inf at flat index 1 of [4]
///                                  //   called at train.cpp:12
///
/// While it is on, every operation of this thread checks its result, and every backward pass the gradients that each
/// operation hands on. What is reported is made, not passed on: an infinity out of finite inputs, a NaN out of inputs
/// without NaN. So an attention mask of -inf, which comes in by a constant, is no anomaly, and a NaN in the data is
/// reported where the data enters the tape. An operation that was caught leaves no node behind; a backward pass that
/// was stopped leaves gradients as an operation that throws does (`Tape::backward`).
///
/// A step of a cell or of a layer is named by its time. In a loop of one's own nothing tells where a step begins: there
/// the message names the newest state that went in, as "after time step 4", once `probe` has named the states.
///
/// The line is that of the innermost call outside of Ebb (source_line.hpp): of the operation, the cell or the layer
/// that the program called; in a cell of the program's own, the line in that cell. An operator is where its right side
/// begins. A backward pass names the line of the forward pass, and cannot where that ran before the search was on.
///
/// It also finds what no count of writes can: while it is on, a backward pass compares the arrays that a tape does not
/// own, parameters and what was borrowed, with what they were when they were recorded, and throws TapeError where one
/// was written by a reference that the program had kept.

#include <cstddef>
#include <cstdint>

namespace ebb {

/// Switches the search on or off, for this thread.
void detect_anomaly(bool on) noexcept;

/// Switches it on, or off, while in scope.
class DetectAnomaly {
  public:
    explicit DetectAnomaly(bool on = true) noexcept;
    ~DetectAnomaly();
    DetectAnomaly(const DetectAnomaly&) = delete;
    DetectAnomaly& operator=(const DetectAnomaly&) = delete;

  private:
    bool before_;
};

namespace detail {
extern constinit thread_local bool anomaly_wanted;
/// A number that tells arrays apart: equal for equal elements, different for others but by chance.
template <class T>
std::uint64_t digest(const T* data, std::size_t size) noexcept;
}  // namespace detail
/// Whether it is on.
inline bool anomaly_detection() noexcept {
    return detail::anomaly_wanted;
}

}  // namespace ebb
