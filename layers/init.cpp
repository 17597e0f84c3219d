#include <ebb/core/decompositions.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/init.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

namespace ebb::init {
namespace {

Array<double> array_of(const Shape& shape) {
    return Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
}

std::string described(const Weight& weight) {
    return fmt::format("{} is {}", weight.name(), to_string(weight.shape()));
}

void check_finite(const char* call, const char* name, double value) {
    if (!std::isfinite(value))
        fail<ValueError>(fmt::format("{}: the {} is {}: expected a finite number", call, name, value));
}

void check_positive(const char* call, const char* name, double value) {
    if (!std::isfinite(value) || value <= 0)
        fail<ValueError>(fmt::format("{}: the {} is {}: expected a finite number above 0", call, name, value));
}

void check_matrix(const char* call, const Weight& weight) {
    if (weight.shape().rank() != 2 || weight.shape().size() == 0)
        fail<ShapeError>(
            fmt::format("{}: {}: expected a matrix of at least one row and one column", call, described(weight)));
}

/// [rows, all other axes together].
Shape matrix_shape(const char* call, const Weight& weight) {
    const Shape& shape = weight.shape();
    if (shape.rank() < 2 || shape.size() == 0)
        fail<ShapeError>(
            fmt::format("{}: {}: expected at least two axes, and at least one element", call, described(weight)));
    return {shape[0], shape.size() / shape[0]};
}

struct Fans {
    double in;
    double out;
};

Fans fans(const char* call, const Weight& weight) {
    const Shape shape = matrix_shape(call, weight);
    // A kernel's positions, [out, in, positions..], all feed the same unit.
    const std::size_t positions = shape[1] / weight.shape()[1];
    return {static_cast<double>(shape[1]), static_cast<double>(shape[0] * positions)};
}

void fill_uniformly(const char* call, const Weight& weight, double low, double high, Generator& generator) {
    Array<double> values = array_of(weight.shape());
    fill_uniform(values.data(), values.size(), low, high, generator);
    weight.set(call, values);
}

void fill_normally(const char* call, const Weight& weight, double mean, double standard_deviation,
                   Generator& generator) {
    Array<double> values = array_of(weight.shape());
    fill_normal(values.data(), values.size(), mean, standard_deviation, generator);
    weight.set(call, values);
}

void check_deviation(const char* call, double standard_deviation) {
    if (!std::isfinite(standard_deviation) || standard_deviation < 0)
        fail<ValueError>(fmt::format("{}: the standard deviation is {}: expected a finite number, not negative", call,
                                     standard_deviation));
}

void scale(const char* call, const Weight& weight, Array<double> values, double factor) {
    for (double& w : values) w *= factor;
    weight.set(call, values);
}

Array<double> square_values(const char* call, const Weight& weight) {
    const Shape& shape = weight.shape();
    if (shape.rank() != 2 || shape[0] != shape[1] || shape.size() == 0)
        fail<ShapeError>(
            fmt::format("{}: {}: expected a square matrix; for the blocks of a stack of gates see per_gate", call,
                        described(weight)));
    return weight.values();
}

}  // namespace

// ---- Weight --------------------------------------------------------------------------------------------------------

struct Weight::Target {
    std::variant<Parameter<float>, Parameter<double>, Array<float>*, Array<double>*> weight;
};

Weight::Weight(const Parameter<float>& parameter)
    : target_(new Target{parameter}), shape_(parameter.shape()), name_(parameter.name()) {}
Weight::Weight(const Parameter<double>& parameter)
    : target_(new Target{parameter}), shape_(parameter.shape()), name_(parameter.name()) {}
Weight::Weight(Array<float>& array)
    : target_(new Target{&array}), shape_(Shape::of(array.shape())), name_("the array") {}
Weight::Weight(Array<double>& array)
    : target_(new Target{&array}), shape_(Shape::of(array.shape())), name_("the array") {}

Array<double> Weight::values() const {
    Array<double> result = array_of(shape_);
    const auto copy = [&](const auto& array) { std::copy_n(array.data() + offset_, result.size(), result.data()); };
    std::visit(
        [&](const auto& target) {
            if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(target)>>)
                copy(*target);
            else
                copy(target.value());
        },
        target_->weight);
    return result;
}

void Weight::set(const char* call, const Array<double>& values) const {
    const auto write = [&]<class T>(T* data) {
        std::transform(values.data(), values.data() + values.size(), data + offset_,
                       [](double v) { return static_cast<T>(v); });
    };
    const auto check = [&]<class T>(T largest) {
        for (const double v : values)
            if (!(std::abs(v) <= static_cast<double>(largest)))
                fail<ValueError>(
                    fmt::format("{}: {} would hold {}: expected numbers up to {}", call, name_, v, largest));
    };
    std::visit(
        [&](auto target) {
            if constexpr (std::is_pointer_v<decltype(target)>) {
                using T = typename std::remove_pointer_t<decltype(target)>::value_type;
                check(std::numeric_limits<T>::max());
                write(target->data());
            } else {
                using T = typename std::remove_cvref_t<decltype(target.value())>::value_type;
                check(std::numeric_limits<T>::max());
                write(target.mutable_value().data());
            }
        },
        target_->weight);
}

Weight Weight::rows(std::size_t first, std::size_t count, std::string name) const {
    Weight part = *this;
    part.offset_ += first * (shape_.size() / shape_[0]);
    part.shape_[0] = count;
    part.name_ = std::move(name);
    return part;
}

// ---- plain laws ----------------------------------------------------------------------------------------------------

void constant(const Weight& weight, double value) {
    check_finite("constant", "value", value);
    Array<double> values = array_of(weight.shape());
    values.fill(value);
    weight.set("constant", values);
}

void zeros(const Weight& weight) {
    constant(weight, 0);
}

void ones(const Weight& weight) {
    constant(weight, 1);
}

void uniform(const Weight& weight, double low, double high, Generator& generator) {
    if (!std::isfinite(low) || !std::isfinite(high) || low > high)
        fail<ValueError>(
            fmt::format("uniform: low is {}, high is {}: expected finite numbers, low <= high", low, high));
    fill_uniformly("uniform", weight, low, high, generator);
}

void normal(const Weight& weight, double mean, double standard_deviation, Generator& generator) {
    check_finite("normal", "mean", mean);
    check_deviation("normal", standard_deviation);
    fill_normally("normal", weight, mean, standard_deviation, generator);
}

// ---- laws that keep the variance -----------------------------------------------------------------------------------

void xavier_uniform(const Weight& weight, double gain, Generator& generator) {
    const Fans n = fans("xavier_uniform", weight);
    check_positive("xavier_uniform", "gain", gain);
    const double a = gain * std::sqrt(6 / (n.in + n.out));
    fill_uniformly("xavier_uniform", weight, -a, a, generator);
}

void xavier_normal(const Weight& weight, double gain, Generator& generator) {
    const Fans n = fans("xavier_normal", weight);
    check_positive("xavier_normal", "gain", gain);
    fill_normally("xavier_normal", weight, 0, gain * std::sqrt(2 / (n.in + n.out)), generator);
}

void kaiming_uniform(const Weight& weight, double gain, Fan fan, Generator& generator) {
    const Fans n = fans("kaiming_uniform", weight);
    check_positive("kaiming_uniform", "gain", gain);
    const double a = gain * std::sqrt(3 / (fan == Fan::in ? n.in : n.out));
    fill_uniformly("kaiming_uniform", weight, -a, a, generator);
}

void kaiming_normal(const Weight& weight, double gain, Fan fan, Generator& generator) {
    const Fans n = fans("kaiming_normal", weight);
    check_positive("kaiming_normal", "gain", gain);
    fill_normally("kaiming_normal", weight, 0, gain * std::sqrt(1 / (fan == Fan::in ? n.in : n.out)), generator);
}

// ---- matrices with a given spectrum --------------------------------------------------------------------------------

void orthogonal(const Weight& weight, double gain, Generator& generator) {
    const Shape shape = matrix_shape("orthogonal", weight);
    check_finite("orthogonal", "gain", gain);
    // Drawn tall, so that the orthonormal columns of Q are as many as W has room for; a wide W is its transpose.
    const bool wide = shape[0] < shape[1];
    const std::size_t rows = wide ? shape[1] : shape[0], columns = wide ? shape[0] : shape[1];
    Array<double> drawn = array_of({rows, columns});
    fill_normal(drawn.data(), drawn.size(), 0, 1, generator);
    const Array<double> q = linalg::qr(drawn).q;
    Array<double> values = array_of(weight.shape());
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
            values.data()[wide ? j * rows + i : i * columns + j] = gain * q.data()[i * columns + j];
    weight.set("orthogonal", values);
}

void identity(const Weight& weight, double scale) {
    check_matrix("identity", weight);
    check_finite("identity", "scale", scale);
    Array<double> values = array_of(weight.shape());
    values.fill(0);
    const std::size_t columns = weight.shape()[1];
    for (std::size_t i = 0; i < std::min(weight.shape()[0], columns); ++i) values.data()[i * columns + i] = scale;
    weight.set("identity", values);
}

void sparse(const Weight& weight, std::size_t connections, double standard_deviation, Generator& generator) {
    check_matrix("sparse", weight);
    const std::size_t rows = weight.shape()[0], columns = weight.shape()[1];
    if (connections == 0 || connections > columns)
        fail<ValueError>(
            fmt::format("sparse: connections is {}, {}: expected 1 to {}", connections, described(weight), columns));
    check_deviation("sparse", standard_deviation);
    Array<double> values = array_of(weight.shape());
    values.fill(0);
    for (std::size_t i = 0; i < rows; ++i) {
        const std::vector<std::size_t> order = generator.permutation(columns);
        for (std::size_t k = 0; k < connections; ++k)
            values.data()[i * columns + order[k]] = standard_deviation * generator.normal();
    }
    weight.set("sparse", values);
}

double spectral_radius(const Weight& weight) {
    return linalg::spectral_radius(square_values("spectral_radius", weight));
}
double spectral_radius(const Array<float>& a) {
    return linalg::spectral_radius(a);
}
double spectral_radius(const Array<double>& a) {
    return linalg::spectral_radius(a);
}

double spectral_norm(const Weight& weight) {
    check_matrix("spectral_norm", weight);
    return linalg::spectral_norm(weight.values());
}
double spectral_norm(const Array<float>& a) {
    return linalg::spectral_norm(a);
}
double spectral_norm(const Array<double>& a) {
    return linalg::spectral_norm(a);
}

void set_spectral_radius(const Weight& weight, double radius) {
    Array<double> values = square_values("set_spectral_radius", weight);
    check_positive("set_spectral_radius", "radius", radius);
    const double rho = linalg::spectral_radius(values);
    // What rounding makes of an eigenvalue 0 is of this size.
    const double rounding =
        static_cast<double>(weight.shape()[0]) * std::numeric_limits<double>::epsilon() * linalg::spectral_norm(values);
    if (rho <= rounding)
        fail<ValueError>(fmt::format(
            "set_spectral_radius: every eigenvalue of {} is 0 (it is zero or nilpotent), so that no factor gives it "
            "the radius {}",
            weight.name(), radius));
    scale("set_spectral_radius", weight, std::move(values), radius / rho);
}

void set_spectral_norm(const Weight& weight, double norm) {
    check_matrix("set_spectral_norm", weight);
    check_positive("set_spectral_norm", "norm", norm);
    Array<double> values = weight.values();
    const double sigma = linalg::spectral_norm(values);
    if (sigma == 0)
        fail<ValueError>(
            fmt::format("set_spectral_norm: {} is zero, so that no factor gives it the norm {}", weight.name(), norm));
    scale("set_spectral_norm", weight, std::move(values), norm / sigma);
}

// ---- gates ---------------------------------------------------------------------------------------------------------

namespace {

/// How many rows each of the gates has.
std::size_t gate_rows(const char* call, const Weight& stacked, std::size_t gates) {
    if (gates == 0 || stacked.shape().rank() == 0 || stacked.shape().size() == 0 || stacked.shape()[0] % gates != 0)
        fail<ShapeError>(fmt::format("{}: {}: expected a first extent that is a multiple of {} gates", call,
                                     described(stacked), gates));
    return stacked.shape()[0] / gates;
}

Weight gate_of(const Weight& stacked, std::size_t gates, std::size_t index, std::size_t rows, const std::string& name) {
    return stacked.rows(index * rows, rows, gates == 1 ? name : fmt::format("{}, gate {} of {}", name, index, gates));
}

/// The gate that keeps has this number both in i f g o and in r z n.
constexpr std::size_t keeping_gate = 1;
constexpr std::size_t lstm_input_gate = 0;

/// The biases of a cell or of each layer: (bias_ih, bias_hh).
template <class T>
std::vector<std::pair<Parameter<T>, Parameter<T>>> gate_biases(const char* call, const Module<T>& cell, CellKind kind) {
    if (gate_count(kind) == 1)
        fail<ValueError>(fmt::format("{}: {} is an {}, which has no gates: expected an LSTM or a GRU", call,
                                     cell.display_name(), cell.type()));
    constexpr std::string_view input = "bias_ih";
    const auto named = cell.named_parameters();
    std::vector<std::pair<Parameter<T>, Parameter<T>>> biases;
    for (const auto& [name, bias_ih] : named) {
        if (name.compare(0, input.size(), input) != 0) continue;
        const std::string other = "bias_hh" + name.substr(input.size());
        for (const auto& [other_name, bias_hh] : named)
            if (other_name == other) biases.emplace_back(bias_ih, bias_hh);
    }
    if (biases.empty())
        fail<ValueError>(
            fmt::format("{}: {} was made without biases: expected .bias = true", call, cell.display_name()));
    return biases;
}

}  // namespace

Weight gate(const Weight& stacked, std::size_t gates, std::size_t index) {
    const std::size_t rows = gate_rows("gate", stacked, gates);
    if (index >= gates)
        fail<IndexError>(fmt::format("gate: index is {}, {} has {} gates: expected 0 to {}", index, stacked.name(),
                                     gates, gates - 1));
    return gate_of(stacked, gates, index, rows, stacked.name());
}

void per_gate(const Weight& stacked, std::size_t gates, const std::function<void(const Weight& block)>& initialiser) {
    const std::size_t rows = gate_rows("per_gate", stacked, gates);
    // On a copy: a gate may fail when others are done.
    Array<double> values = stacked.values();
    for (std::size_t index = 0; index < gates; ++index)
        initialiser(gate_of(values, gates, index, rows, stacked.name()));
    stacked.set("per_gate", values);
}

template <class T>
void detail::forget_gate_bias(const Module<T>& cell, CellKind kind, double value) {
    check_finite("forget_gate_bias", "value", value);
    const std::size_t gates = gate_count(kind);
    for (const auto& [bias_ih, bias_hh] : gate_biases("forget_gate_bias", cell, kind)) {
        constant(gate(bias_ih, gates, keeping_gate), value);
        zeros(gate(bias_hh, gates, keeping_gate));
    }
}

template <class T>
void detail::chrono(const Module<T>& cell, CellKind kind, double longest, Generator& generator) {
    if (!std::isfinite(longest) || longest <= 2)
        fail<ValueError>(fmt::format("chrono: longest is {}: expected a finite number of steps above 2", longest));
    const std::size_t gates = gate_count(kind);
    for (const auto& [bias_ih, bias_hh] : gate_biases("chrono", cell, kind)) {
        const Weight keep = gate(bias_ih, gates, keeping_gate);
        Array<double> bias = array_of(keep.shape());
        fill_uniform(bias.data(), bias.size(), 1, longest - 1, generator);
        // b_f = log(u)
        for (double& b : bias) b = std::log(b);
        keep.set("chrono", bias);
        zeros(gate(bias_hh, gates, keeping_gate));
        if (kind != CellKind::lstm) continue;
        // b_i = -b_f
        for (double& b : bias) b = -b;
        gate(bias_ih, gates, lstm_input_gate).set("chrono", bias);
        zeros(gate(bias_hh, gates, lstm_input_gate));
    }
}

#define EBB_INSTANTIATE(T)                                                      \
    template void detail::forget_gate_bias(const Module<T>&, CellKind, double); \
    template void detail::chrono(const Module<T>&, CellKind, double, Generator&);
EBB_INSTANTIATE(float)
EBB_INSTANTIATE(double)
#undef EBB_INSTANTIATE

}  // namespace ebb::init
