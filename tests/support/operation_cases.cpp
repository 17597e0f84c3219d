#include "support/operation_cases.hpp"

#include <ebb/autograd/operations/catalogue.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace ebb::test {
namespace {

/// The operations that record nodes of their name, and the functions that are made of them.
const std::set<std::string_view>& names_in_catalogue(bool derived) {
    static const auto names = [] {
        std::array<std::set<std::string_view>, 2> result;
        for (const CatalogueEntry& entry : operation_catalogue())
            result[!entry.made_of.empty()].insert(entry.info.name);
        return result;
    }();
    return names[derived];
}

/// Numbers that are neither 0 nor equal, the same in float and double.
template <class T>
Array<T> cotangent(const Shape& shape) {
    Array<T> result = Array<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    for (std::size_t k = 0; k < result.size(); ++k)
        result.data()[k] = (k % 3 == 1 ? T(-1) : T(1)) * (T(1) + T(k % 7) / T(8));
    return result;
}

template <class T>
Array<T> transposed(const Array<T>& x) {
    std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
    const std::size_t rank = shape.size(), m = shape[rank - 2], n = shape[rank - 1];
    std::swap(shape[rank - 2], shape[rank - 1]);
    Array<T> result = Array<T>::from_shape(shape);
    const std::size_t outer = m * n == 0 ? 0 : x.size() / (m * n);
    for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) result.data()[o * m * n + j * m + i] = x.data()[o * m * n + i * n + j];
    return result;
}

/// x behind one number along its first axis, so that x begins at an odd place in memory.
Array<double> shifted(const Array<double>& x) {
    std::vector<std::size_t> shape{x.size() + 1};
    Array<double> result = Array<double>::from_shape(shape);
    result.data()[0] = 0.5;
    std::copy_n(x.data(), x.size(), result.data() + 1);
    return result;
}

double largest(const std::vector<Array<double>>& arrays) {
    double result = 0;
    for (const auto& array : arrays)
        for (const double v : array) result = std::max(result, std::abs(v));
    return result;
}

void check_equal(const std::vector<Array<double>>& given, const std::vector<Array<double>>& expected, double factor,
                 double tolerance, const std::string& what) {
    REQUIRE(given.size() == expected.size());
    const double scale = std::max(1.0, factor * largest(expected));
    for (std::size_t i = 0; i < given.size(); ++i) {
        REQUIRE(given[i].size() == expected[i].size());
        for (std::size_t k = 0; k < given[i].size(); ++k) {
            const double a = given[i].data()[k], b = factor * expected[i].data()[k];
            // One check for each array, not for each number: there are hundreds of thousands.
            if (!(std::abs(a - b) <= tolerance * scale))
                FAIL_CHECK(fmt::format("{}: input {}, element {}: {} against {}", what, i, k, a, b));
        }
    }
    CHECK(true);
}

std::vector<Array<double>> to_double(const std::vector<Array<float>>& arrays) {
    std::vector<Array<double>> result;
    for (const auto& array : arrays) {
        result.push_back(Array<double>::from_shape(array.shape()));
        std::copy_n(array.data(), array.size(), result.back().data());
    }
    return result;
}

}  // namespace

std::string shapes_of(const std::vector<Array<double>>& inputs) {
    std::string result;
    for (const auto& input : inputs) result += (result.empty() ? "" : " ") + to_string(Shape::of(input.shape()));
    return result;
}

template <class T>
std::vector<Array<T>> raw_gradients(const std::function<Variable<T>(const Variables<T>&)>& f,
                                    const std::vector<Array<T>>& inputs, const std::vector<bool>& wanted) {
    Tape<T> tape;
    Variables<T> xs;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        xs.push_back(wanted[i] ? tape.variable(inputs[i]) : tape.constant(inputs[i]));
    const Variable<T> y = f(xs);
    if (y.requires_grad()) tape.backward(y, cotangent<T>(y.shape()));
    std::vector<Array<T>> result;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        result.push_back(wanted[i] ? inputs[i] : Array<T>::from_shape(std::vector<std::size_t>{0}));
        result.back().fill(T(0));
        if (xs[i].has_grad()) result.back() = xs[i].grad();
    }
    return result;
}

template std::vector<Array<float>> raw_gradients(const std::function<Variable<float>(const Variables<float>&)>&,
                                                 const std::vector<Array<float>>&, const std::vector<bool>&);
template std::vector<Array<double>> raw_gradients(const std::function<Variable<double>(const Variables<double>&)>&,
                                                  const std::vector<Array<double>>&, const std::vector<bool>&);

bool shows_something(const OperationCase& c) {
    const auto gradients = raw_gradients<double>(c.in_double, c.inputs, std::vector<bool>(c.inputs.size(), true));
    return largest(gradients) > 0;
}

void check_case(const OperationCase& c) {
    const std::string name = fmt::format("{} {} {}", c.operation, c.label, shapes_of(c.inputs));
    CAPTURE(name);
    const std::size_t count = c.inputs.size();
    const std::vector<bool> all(count, true);

    {  // The case is of the operation that it says, and the catalogue has every operation that it records.
        Tape<double> tape;
        Variables<double> xs;
        for (const auto& x : c.inputs) xs.push_back(tape.variable(x));
        c.in_double(xs);
        bool found = false;
        for (NodeIndex k = 0; k < tape.size(); ++k) {
            const Operation<double>* const operation = tape.node(k).operation;
            if (!operation) continue;
            const std::string recorded(operation->info().name);
            CHECK_MESSAGE(names_in_catalogue(false).count(recorded) == 1, "not in the catalogue: ", recorded);
            found |= recorded == c.operation;
        }
        if (names_in_catalogue(true).count(c.operation) == 0)
            CHECK_MESSAGE(found, "the case does not record ", c.operation);
    }

    GradCheckOptions options;
    options.allow_zero_gradient = c.flat;
    const GradCheckReport first = gradcheck(c.in_double, c.inputs, options);
    CHECK_MESSAGE(first.passed, name, ": ", first.message);
    const GradCheckReport second = gradgradcheck(c.in_double, c.inputs, options);
    CHECK_MESSAGE(second.passed, name, ", second derivative: ", second.message);

    const std::vector<Array<double>> gradients = raw_gradients<double>(c.in_double, c.inputs, all);

    {  // Inputs that are transposed and not copied out; inputs that begin at an odd place.
        std::vector<Array<double>> inputs;
        std::vector<Shape> shapes;
        for (const auto& x : c.inputs) {
            shapes.push_back(Shape::of(x.shape()));
            inputs.push_back(x.dimension() >= 2 ? transposed(x) : shifted(x));
        }
        const CheckedFunction f = [&](const Variables<double>& in) {
            Variables<double> xs;
            for (std::size_t i = 0; i < in.size(); ++i)
                xs.push_back(shapes[i].rank() >= 2
                                 ? transpose(in[i], -1, -2)
                                 : reshape(slice(in[i], 0, 1, static_cast<std::ptrdiff_t>(in[i].size())), shapes[i]));
            return c.in_double(xs);
        };
        std::vector<Array<double>> given = raw_gradients<double>(f, inputs, all);
        for (std::size_t i = 0; i < count; ++i) {
            if (shapes[i].rank() >= 2) {
                given[i] = transposed(given[i]);
            } else {
                if (given[i].data()[0] != 0) FAIL_CHECK(fmt::format("{}: a gradient beside the input", name));
                Array<double> part = Array<double>::from_shape(c.inputs[i].shape());
                std::copy_n(given[i].data() + 1, part.size(), part.data());
                given[i] = part;
            }
        }
        check_equal(given, gradients, 1, 1e-12, name + ", lying otherwise in memory");
        const GradCheckReport report = gradcheck(f, inputs, options);
        CHECK_MESSAGE(report.passed, name, ", lying otherwise in memory: ", report.message);
    }

    {  // Used twice: the second share is added to the first.
        const CheckedFunction twice = [&](const Variables<double>& in) { return c.in_double(in) + c.in_double(in); };
        check_equal(raw_gradients<double>(twice, c.inputs, all), gradients, 2, 1e-12, name + ", used twice");
    }

    for (std::size_t i = 0; count > 1 && i < count; ++i) {  // Wanted alone.
        std::vector<bool> wanted(count, false);
        wanted[i] = true;
        const auto given = raw_gradients<double>(c.in_double, c.inputs, wanted);
        check_equal({given[i]}, {gradients[i]}, 1, 1e-12, fmt::format("{}, input {} wanted alone", name, i));
    }

    {  // In float.
        std::vector<Array<float>> inputs;
        for (const auto& x : c.inputs) inputs.push_back(to_float(x));
        check_equal(to_double(raw_gradients<float>(c.in_float, inputs, all)), gradients, 1, 2e-5, name + ", in float");
        Tape<float> tape_float;
        Tape<double> tape_double;
        Variables<float> xs_float;
        Variables<double> xs_double;
        for (std::size_t i = 0; i < count; ++i) {
            xs_float.push_back(tape_float.constant(inputs[i]));
            xs_double.push_back(tape_double.constant(c.inputs[i]));
        }
        const Array<float> y_float = c.in_float(xs_float).value();
        const Array<double> y_double = c.in_double(xs_double).value();
        check_equal(to_double({y_float}), {y_double}, 1, 2e-5, name + ", value in float");
    }
}

}  // namespace ebb::test
