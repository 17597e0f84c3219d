#pragma once

#include <ebb/autograd/tape.hpp>
#include <ebb/core/array.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect {

struct LossToStateOptions {
    /// Keep the gradients themselves, K T B H numbers.
    bool keep_gradients = false;
};

/// Which loss reaches which step: ||dL_k/dh_t||, a triangle where loss k is computed from h_k.
struct LossToState {
    std::string state;  ///< "lstm.h"
    /// K: the time step of the last state, in the order of computing, that has a gradient of the loss: its own step,
    /// also where a layer hands out all its states as one array. Where none has, the newest step that went into the
    /// loss; -1 for none.
    std::vector<std::int32_t> loss_step;
    std::vector<std::int32_t> time_step;  ///< T, of the states
    std::vector<double> norm;             ///< [K, T], row-major: the Frobenius norm over [B, H]; 0 where nothing flows
    std::vector<Array<double>> gradient;  ///< with `keep_gradients`: K arrays [T, B H]

    double operator()(std::size_t loss, std::size_t step) const { return norm[loss * time_step.size() + step]; }
};

/// dL_k/dh_t for each loss and each step of `state`. Over k these sum to dL/dh_t of L = sum_k L_k, as vectors: their
/// norms show what cancels in it. `losses` are variables of one element on this tape. Run it before or after
/// `backward`; it changes no gradient. Throws ValueError for no losses or a name that the tape does not have,
/// ShapeError for a loss of several elements, TapeError for one of another tape.
template <class T>
LossToState loss_to_state(Tape<T>& tape, const std::vector<Variable<T>>& losses, std::string_view state,
                          const LossToStateOptions& options = {});

}  // namespace ebb::inspect
