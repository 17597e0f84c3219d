#pragma once
/// The Jacobians between the states of a recurrent network: how one step, and how many, pass a deviation on. They are
/// rates of the network alone, whatever the loss; their transposes carry its gradient back.

#include <ebb/autograd/tape.hpp>
#include <ebb/core/array.hpp>
#include <ebb/inspect/lyapunov.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebb::inspect {

struct JacobianOptions {
    /// Which sequence of the batch: the row of the states. Each has its own Jacobians, except in a linear network. Of
    /// sequences of different lengths, which are sorted by falling length, those steps count that it has.
    std::size_t sample = 0;
    /// Report on the whole state of the cell, (h, c) of an LSTM, in place of the named part.
    bool joint = false;
    /// Steps that the Lyapunov exponents leave out (LyapunovOptions).
    std::size_t discard = 0;
};

/// J_k = ds_{k+1}/ds_k for the state s [n] of a cell, k = 0, ..., T - 2, in double.
///
/// The state is everything that the cell carries: (h, c) of an LSTM, the named part first. A block of J_k holds the
/// other parts fixed: dc_{k+1}/dc_k is diag(f) exactly. Inputs of the steps are held fixed as well.
struct StateJacobians {
    struct Part {
        std::string name;  ///< "lstm.h"
        std::size_t size;  ///< H: so many rows and columns
    };
    std::vector<Part> parts;              ///< the named one first
    std::vector<std::int32_t> time_step;  ///< T, in the order in which the states were computed
    std::vector<Array<double>> step;      ///< T - 1, each [n, n]: row i is the gradient of s_{k+1}[i]
};

/// The Jacobians of the cell that computes `state`, by reverse mode, n rows a step. Run it when the forward pass is
/// recorded, before or after `backward`; it changes no gradient. Throws ValueError for a name that the tape does not
/// have, or a single step; IndexError for a sample that no step has;
/// ShapeError for a state that is no [B, H]; TapeError where the states were not recorded (under NoGrad, or with
/// weights that are all frozen).
template <class T>
StateJacobians state_jacobians(Tape<T>& tape, std::string_view state, const JacobianOptions& options = {});

/// What one matrix does to lengths.
struct Spectrum {
    std::vector<double> singular_values;  ///< falling; those below 1e-16 of the first are rounding
    double radius = 0;                    ///< rho = max |eigenvalue|

    double norm() const { return singular_values.front(); }  ///< ||J||_2, the most that a length can grow
    double condition() const;                                ///< largest over smallest; infinity where that is 0
};

/// The spectra of J_k and of the products dh_{T-1}/dh_k = J_{T-2} ... J_k.
struct JacobianSpectrum {
    std::string state;                    ///< "lstm.h"; with `joint` "lstm.h, lstm.c"
    std::size_t size = 0;                 ///< H; with `joint` n
    std::vector<std::int32_t> time_step;  ///< T, in the order in which the states were computed
    std::vector<Spectrum> step;           ///< T - 1: step[k] of dh_{k+1}/dh_k
    std::vector<Spectrum> product;        ///< T: product[k] of dh_{T-1}/dh_k; the last is that of the identity
    LyapunovSpectrum lyapunov;            ///< of the whole state, since a part of it is no dynamical system
};

/// Spectra of one state through time. For a part of a larger state (h of an LSTM) `step` holds the others fixed for
/// that one step, and `product` is the block of the whole product: it follows all ways from h_k to h_{T-1}, also those
/// through c, and is what backpropagation through time multiplies with. Throws as `state_jacobians`, and ValueError for
/// a Jacobian with NaN or infinity.
template <class T>
JacobianSpectrum jacobian_spectrum(Tape<T>& tape, std::string_view state, const JacobianOptions& options = {});
/// The same from Jacobians that are there already; `options.sample` does not matter.
JacobianSpectrum jacobian_spectrum(const StateJacobians& jacobians, const JacobianOptions& options = {});

/// The bound of Pascanu, Mikolov, Bengio 2013, sect. 2.1, for h_t = f(W h_{t-1} + ...): ||dh_{T-1}/dh_k|| <=
/// (gamma sigma_max(W))^(T-1-k), with gamma = max |f'|: 1 for tanh and relu, 1/4 for sigmoid. Gives one number for each
/// k = 0, ..., steps - 1, beside JacobianSpectrum::product. Throws ShapeError unless W is a matrix, and ValueError for
/// a gamma that is negative or not finite.
template <class T>
std::vector<double> norm_bound(const Array<T>& w, double gamma, std::size_t steps);

}  // namespace ebb::inspect
