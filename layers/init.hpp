#pragma once
/// How weights begin: the recipes of the literature, each with its equation and source.
///
///     init::orthogonal(cell.weight_hh);                                                   // a parameter, or an array
///     init::per_gate(lstm.weight_hh, 4, [](auto block) { init::orthogonal(block); });     // each gate's [H, H] block
///     init::set_spectral_radius(rnn.weight_hh, 0.5);
///     init::forget_gate_bias(lstm, 1);
///
/// All compute in double and round once, so that a float model and a double one begin alike. Numbers come from the
/// thread's default generator (`manual_seed`) unless another is given. Whatever throws leaves the weight as it was.
///
/// Layout: a weight is [fan_out, fan_in], y = W x. A recurrent weight_hh is a stack of G such blocks, [G H, H]: as a
/// whole it is not square, and the recipes for square matrices are meant for its blocks.

#include <ebb/autograd/parameter.hpp>
#include <ebb/core/array.hpp>
#include <ebb/core/random.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/layers/recurrent_base.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ebb::init {

/// What an initialiser fills: a parameter, an array of floats or doubles, or some rows of one (`gate`).
class Weight {
  public:
    // Implicit, so that every initialiser is one function for all of them.
    Weight(const Parameter<float>& parameter);   // NOLINT(google-explicit-constructor)
    Weight(const Parameter<double>& parameter);  // NOLINT(google-explicit-constructor)
    Weight(Array<float>& array);                 // NOLINT(google-explicit-constructor)
    Weight(Array<double>& array);                // NOLINT(google-explicit-constructor)

    const Shape& shape() const noexcept { return shape_; }
    const std::string& name() const noexcept { return name_; }
    Array<double> values() const;
    /// Throws ValueError, naming `call`, and changes nothing unless all are finite in the weight's precision.
    void set(const char* call, const Array<double>& values) const;
    /// Rows `first`, ..., `first + count - 1`, under another name.
    Weight rows(std::size_t first, std::size_t count, std::string name) const;

  private:
    struct Target;
    std::shared_ptr<const Target> target_;
    Shape shape_;
    std::string name_;
    std::size_t offset_ = 0;  // of the first element
};

// ---- plain laws ----------------------------------------------------------------------------------------------------

/// Every element `value`. Throws ValueError unless it is finite.
void constant(const Weight& weight, double value);
void zeros(const Weight& weight);
void ones(const Weight& weight);
/// w ~ U(low, high). Throws ValueError unless low <= high, both finite.
void uniform(const Weight& weight, double low, double high, Generator& generator = default_generator());
/// w ~ N(mean, standard_deviation^2). Throws ValueError unless both are finite and the deviation is not negative.
void normal(const Weight& weight, double mean, double standard_deviation, Generator& generator = default_generator());

// ---- laws that keep the variance of what flows through -------------------------------------------------------------

/// What to multiply the deviation by where a nonlinearity follows. It makes up for the variance that relu takes away
/// (He et al. 2015); for tanh it is PyTorch's `calculate_gain`.
inline constexpr double gain_linear = 1;
inline constexpr double gain_sigmoid = 1;
inline constexpr double gain_tanh = 5.0 / 3;
inline constexpr double gain_relu = 1.4142135623730951;  // sqrt(2)

/// Which variance the law of He et al. keeps.
enum class Fan {
    in,   ///< that of the values on the way forward: n = fan_in
    out,  ///< that of the gradients on the way back: n = fan_out
};

/// Var w = gain^2 2 / (fan_in + fan_out), between what values and gradients need (Glorot, Bengio 2010, eq. 16):
/// w ~ U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)). Axes after the second count to both fans.
/// This and the next three throw ShapeError for a weight of less than two axes or without an element, ValueError unless
/// the gain is finite and positive.
void xavier_uniform(const Weight& weight, double gain = gain_linear, Generator& generator = default_generator());
/// The same variance, normally distributed.
void xavier_normal(const Weight& weight, double gain = gain_linear, Generator& generator = default_generator());
/// Var w = gain^2 / n (He, Zhang, Ren, Sun 2015, eq. 10 and 14): w ~ U(-a, a), a = gain sqrt(3 / n).
void kaiming_uniform(const Weight& weight, double gain = gain_relu, Fan fan = Fan::in,
                     Generator& generator = default_generator());
/// The same variance, normally distributed.
void kaiming_normal(const Weight& weight, double gain = gain_relu, Fan fan = Fan::in,
                    Generator& generator = default_generator());

// ---- matrices with a given spectrum --------------------------------------------------------------------------------

/// W = gain Q, Q evenly distributed among the orthogonal matrices: every singular value is `gain`, so that a linear
/// network neither shrinks nor enlarges what flows through it, at any depth (Saxe, McClelland, Ganguli 2013). Q is the
/// factor of a normally distributed matrix, with the signs that make it evenly distributed (Mezzadri 2007). Of a matrix
/// that is not square, the columns or the rows are orthonormal, whichever are fewer; further axes count to the second.
/// Throws ShapeError for a weight of less than two axes or without an element, ValueError unless the gain is finite.
void orthogonal(const Weight& weight, double gain = 1, Generator& generator = default_generator());

/// w_ij = scale if i = j, else 0: with relu and zero biases, an RNN that keeps its state until an input changes it
/// (IRNN: Le, Jaitly, Hinton 2015). Throws ShapeError for a weight that is no matrix, ValueError unless the scale is
/// finite.
void identity(const Weight& weight, double scale = 1);

/// Each row has `connections` elements ~ N(0, standard_deviation^2) at random places, and zeros elsewhere (Martens
/// 2010, with 15): units that are not all driven by everything, as in reservoirs. PyTorch's `sparse_` counts zeros in
/// columns instead. Throws ShapeError for a weight that is no matrix, ValueError unless
/// 1 <= connections <= columns and the deviation is finite and not negative.
void sparse(const Weight& weight, std::size_t connections, double standard_deviation = 1,
            Generator& generator = default_generator());

/// rho(W), the modulus of the largest eigenvalue, and ||W||_2, the largest singular value: see core/decompositions.hpp.
double spectral_radius(const Weight& weight);
double spectral_radius(const Array<float>& a);
double spectral_radius(const Array<double>& a);
double spectral_norm(const Weight& weight);
double spectral_norm(const Array<float>& a);
double spectral_norm(const Array<double>& a);

/// W <- W radius / rho(W): the long-run rate of a linear RNN becomes `radius` a step. With f = tanh, gradients vanish
/// for certain where the largest singular value is below 1, and can explode only where it is above 1 (Pascanu, Mikolov,
/// Bengio 2013, sect. 2.1); the radius governs what happens over many steps.
/// Throws ShapeError unless W is square and has an element, ValueError unless the radius is finite and positive, and
/// where every eigenvalue is 0 to rounding, as of a zero or a nilpotent matrix: no factor makes it larger.
void set_spectral_radius(const Weight& weight, double radius);
/// W <- W norm / ||W||_2, for the bound itself: no step can stretch a state or a gradient by more than `norm`.
/// Throws ShapeError unless W is a matrix with an element, ValueError unless the norm is finite and positive, and for
/// zeros.
void set_spectral_norm(const Weight& weight, double norm);

// ---- gates ---------------------------------------------------------------------------------------------------------

/// Rows of one gate in a stacked weight [G H, ..] or bias [G H]: gate(lstm.bias_ih, 4, 1) is b_if. LSTM: i f g o; GRU:
/// r z n. It writes into what it was made of. Throws ShapeError unless the first extent is a multiple of `gates`,
/// IndexError unless index < gates.
Weight gate(const Weight& stacked, std::size_t gates, std::size_t index);

/// `initialiser` for each gate's block on its own; nothing is written unless all succeed. Throws ShapeError as `gate`
/// does.
void per_gate(const Weight& stacked, std::size_t gates, const std::function<void(const Weight& block)>& initialiser);

namespace detail {
template <class T>
void forget_gate_bias(const Module<T>& cell, CellKind kind, double value);
template <class T>
void chrono(const Module<T>& cell, CellKind kind, double longest, Generator& generator);
}  // namespace detail

/// The bias of the gate that keeps: an LSTM's forget gate, f = sigmoid(.. + value), in which 1 or 2 lets it remember
/// from the start (Gers, Schmidhuber, Cummins 2000; Jozefowicz, Zaremba, Sutskever 2015); a GRU's update gate z, since
/// h_t = (1 - z) . n + z . h_{t-1}. As in PyTorch, a cell has two biases, which are added: the value goes into bias_ih,
/// and the same rows of bias_hh become 0.
/// `cell` is an LSTM or a GRU, as a cell or as a layer: then all of its layers, in both directions.
/// Throws ValueError for an RNN, which has no gates, for a cell without biases, and unless the value is finite.
template <class Cell>
void forget_gate_bias(const Cell& cell, double value) {
    detail::forget_gate_bias<typename Cell::value_type>(cell, cell.kind(), value);
}

/// Memories of every length up to `longest`: b_f = log(u), b_i = -b_f, u ~ U(1, longest - 1) (Tallec, Ollivier 2018,
/// sect. 2.2). A forget gate of 1 - 1/T remembers about T steps, and its bias is log(T - 1). In a GRU, 1 - z stands in
/// for the input gate, so that b_z = log(u) does both. Two biases are treated as by `forget_gate_bias`.
/// Throws ValueError as that does, and unless `longest` is finite and above 2.
template <class Cell>
void chrono(const Cell& cell, double longest, Generator& generator = default_generator()) {
    detail::chrono<typename Cell::value_type>(cell, cell.kind(), longest, generator);
}

}  // namespace ebb::init
