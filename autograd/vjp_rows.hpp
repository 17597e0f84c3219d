#pragma once
/// Many backward passes over one tape at once: the raw form behind `jacobian`, and behind everything that looks at
/// derivatives between states.
///
/// K seeds for each root go in, K gradients for each target come out, in one sweep over raw memory. A target is any
/// variable of the tape that wants a gradient: a leaf, a parameter, a probe that the sweep passes on its way. With
/// h_0, ..., h_T recorded (shape [1, H] each) and K = H seeds e_1, ..., e_H,
///
///     std::vector<Array<T>> J = vjp_rows({h_T}, {identity_rows(h_T)}, {h_0, h_1, ..., h_{T-1}});
///
/// J[t] is dh_T/dh_t as [H, 1, H], for all t, for the price of one sweep. A batch of B sequences gives B Jacobians at
/// once, since no row of the batch touches another: with seed k = e_k in every row of the batch, J[t] is [H, B, H].
///
/// Over one step, dh_t/dh_{t-1} is `vjp_rows({h_t}, ..., {h_{t-1}})`: the sweep ends at its lowest target, so T such
/// calls are as cheap as one over all steps. An LSTM's state is (h, c): its step Jacobian has both as roots and both as
/// targets, with `hold_targets`, so that each of the four blocks is a partial derivative.

#include <ebb/autograd/tape.hpp>
#include <ebb/autograd/variable.hpp>

#include <vector>

namespace ebb {

struct VjpRowsOptions {
    /// Targets as independent variables: nothing flows through one target into another, so the results are partial
    /// derivatives. Without it they are total ones: of c_t also what flows through h_t.
    bool hold_targets = false;
};

/// The K rows of seeds^T dys/dx for each x of `xs`: [K, shape of x]. `seeds[r]` is [K, shape of ys[r]], with one K >= 1
/// for all. Zeros for a target that no root depends on.
///
/// Reads the tape and leaves it as it was, without hooks, without a `grad()` written, and also after a backward pass
/// that has freed the graph. Operations without a rule for many rows are asked row by row: the same results, slower.
/// Throws ShapeError where seeds do not fit the roots, TapeError for variables of another or a cleared tape, for a
/// target that is a constant, and where a parameter was written after it was recorded.
template <class T>
std::vector<Array<T>> vjp_rows(const std::vector<Variable<T>>& ys, const std::vector<Array<T>>& seeds,
                               const std::vector<Variable<T>>& xs, const VjpRowsOptions& options = {});

/// Seeds for the whole Jacobian of y: [n, shape of y] for the n elements of y, where row k is 1 at element k.
template <class T>
Array<T> identity_rows(const Variable<T>& y);

}  // namespace ebb
