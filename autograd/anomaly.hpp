#pragma once
/// Looking for the operation that first made a NaN or an infinity.
///
///     detect_anomaly(true);
///     auto loss = -sum(log(p));    // AnomalyError: detect_anomaly: log (node 3) made -inf at flat index 1 of [4]
///
/// While it is on, every operation of this thread checks its result, and every backward pass the gradients that each
/// operation hands on. What is reported is made, not passed on: an infinity out of finite inputs, a NaN out of inputs
/// without NaN. So an attention mask of -inf, which comes in by a constant, is no anomaly, and a NaN in the data is
/// reported where the data enters the tape. An operation that was caught leaves no node behind; a backward pass that
/// was stopped leaves gradients as an operation that throws does (`Tape::backward`).

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
}
/// Whether it is on.
inline bool anomaly_detection() noexcept {
    return detail::anomaly_wanted;
}

}  // namespace ebb
