#pragma once
/// What is added to a loss, times a factor, to keep a recurrent network in order.
///
///     loss = loss + 2.0 * activation_penalty(output) + 1.0 * temporal_activation_penalty(output);

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/source_line.hpp>
#include <ebb/autograd/variable.hpp>

#include <string_view>
#include <vector>

namespace ebb {

/// AR: the mean of h^2, which keeps activations small (Merity, McCann, Socher 2017, eq. 1, as the mean of squares that
/// their code takes). h of any shape; of a layer with dropout, its output after it.
template <class T>
Variable<T> activation_penalty(const Variable<T>& h, SourceLine at = source_line());

/// TAR: the mean of (h_{t+1} - h_t)^2, which keeps a state slow (Merity, McCann, Socher 2017, eq. 2). h [T, ..], time
/// first. Throws ShapeError for an h without two time steps.
template <class T>
Variable<T> temporal_activation_penalty(const Variable<T>& h, SourceLine at = source_line());

/// sum over the gates of ||W_g' W_g - I||^2, the Frobenius norm, W_g the [H, H] blocks of a recurrent weight [G H, H]
/// (Vorontsov et al. 2017, sect. 2.2): 0 where each is orthogonal. Throws ShapeError for what is no matrix or no stack
/// of square blocks.
template <class T>
Variable<T> orthogonality_penalty(const Variable<T>& weight, SourceLine at = source_line());
template <class T>
Variable<T> orthogonality_penalty(const Parameter<T>& weight, SourceLine at = source_line()) {
    return orthogonality_penalty(Variable<T>(weight), at);
}

/// sum over the gates of sigma_1(W_g)^2, the largest singular value, with dsigma_1 / dW = u v' (Yoshida, Miyato 2017).
/// What a step can stretch a gradient by at most is sigma_1 (Pascanu et al. 2013, sect. 2.1). The singular vectors are
/// constants: of this penalty there is no second derivative. Where the largest value is a multiple one the gradient is
/// that of one of its vectors. Throws as orthogonality_penalty.
template <class T>
Variable<T> spectral_norm_penalty(const Variable<T>& weight, SourceLine at = source_line());
template <class T>
Variable<T> spectral_norm_penalty(const Parameter<T>& weight, SourceLine at = source_line()) {
    return spectral_norm_penalty(Variable<T>(weight), at);
}

/// Omega, which asks that the gradient keeps its norm on its way back through time (Pascanu, Mikolov, Bengio 2013,
/// eq. 9), for the states h_0, ..., h_T of one cell, as its loop has made them, [B, H] each:
///
///     Omega = sum_t mean_b (||delta_{t+1} J_{t+1}|| / ||delta_{t+1}|| - 1)^2,   J_{t+1} = dh_{t+1} / dh_t
///
/// with delta_t = dL/dh_t of the sequence b, a constant, as in their eq. 10; unlike there the derivative is the whole
/// one besides, and not only the part by W_hh. Steps into which no gradient comes, delta_{t+1} = 0, do not count.
///
/// The states may be any one part of what a cell carries: with an LSTM's c_0, ..., c_T in the place of h, J_{t+1} is
/// dc_{t+1}/dc_t along the cell state alone, diag(f_{t+1}). The other parts of the state are held: of c_t, what flows
/// through h_t does not count. In a cell of one's own, that is known of states which `probe` or a layer has named.
/// Throws ValueError for less than two states, ShapeError where they are not [B, H] each, and as `grad` where the loss
/// does not depend on them.
template <class T>
Variable<T> vanishing_gradient_penalty(const Variable<T>& loss, const std::vector<Variable<T>>& states,
                                       SourceLine at = source_line());
/// The same of the states of a layer or a cell as `inspect` knows them, from the first step's on: "rnn.h", "lstm.c".
/// Throws ValueError where the tape does not have those of one sequence.
template <class T>
Variable<T> vanishing_gradient_penalty(const Variable<T>& loss, std::string_view state, SourceLine at = source_line());

}  // namespace ebb
