#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/core/error.hpp>

#include <cmath>
#include <limits>
#include <map>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

namespace {

/// Shapes that broadcast to `shape`: axes of extent 1, and leading axes gone, at random.
Shape part_of(const Shape& shape, RandomArrays& random) {
    Shape part;
    const std::size_t gone = random.coin() ? random.below(shape.rank() + 1) : 0;
    for (std::size_t axis = gone; axis < shape.rank(); ++axis) part.push_back(random.below(3) == 0 ? 1 : shape[axis]);
    return part;
}

OperationCase case_of(std::size_t formula, const CatalogueEntry& entry, std::string label,
                      const std::vector<Shape>& shapes, RandomArrays& random) {
    const auto f = [formula, arity = entry.arity](const auto& in) {
        using V = std::decay_t<decltype(in[0])>;
        using T = typename V::value_type;
        if (arity == 1) return detail::elementwise<T>(formula, {in[0]});
        if (arity == 2) return detail::elementwise<T>(formula, {in[0], in[1]});
        return detail::elementwise<T>(formula, {in[0], in[1], in[2]});
    };
    std::vector<Array<double>> inputs = random.arrays(shapes, entry.info.domain);
    // A single negative number is where relu shows nothing.
    for (Array<double>& input : inputs)
        if (input.size() == 1) input.data()[0] = std::abs(input.data()[0]);
    return operation_case(std::string(entry.info.name), std::move(label), std::move(inputs), f);
}

/// Shapes that meet every loop: contiguous, broadcast along rows, along columns, along both, and in the middle; lengths
/// around the width of a register.
const std::vector<std::vector<Shape>> shapes_of_two = {
    {{}, {}},
    {{1}, {1}},
    {{17}, {17}},
    {{3, 5}, {}},
    {{}, {4}},
    {{3, 1}, {1, 9}},
    {{9}, {2, 9}},
    {{2, 9}, {2, 1}},
    {{2, 3, 4}, {3, 1}},
    {{2, 1, 3}, {4, 1}},
    {{2, 1, 2, 1, 3}, {3, 1, 2, 1}},
    {{1, 1, 1}, {1}},
};

}  // namespace

std::vector<OperationCase> ebb::test::elementwise_cases() {
    RandomArrays random(11);
    std::vector<OperationCase> cases;
    const std::vector<CatalogueEntry> catalogue = elementwise_catalogue();
    for (std::size_t formula = 0; formula < catalogue.size(); ++formula) {
        const CatalogueEntry& entry = catalogue[formula];
        if (!entry.differentiable) continue;
        const auto add = [&](const char* label, const std::vector<Shape>& shapes) {
            cases.push_back(case_of(formula, entry, label, shapes, random));
        };
        switch (entry.arity) {
            case 1:
                for (const Shape& shape : {Shape{}, Shape{1}, Shape{19}, Shape{3, 5}, Shape{2, 3, 4}, Shape{2, 1, 3, 2},
                                           Shape{1, 2, 2, 1, 3}})
                    add("", {shape});
                break;
            case 2:
                for (const auto& shapes : shapes_of_two) add("", shapes);
                break;
            default:
                add("", {{}, {}, {}});
                add("", {{3, 5}, {3, 5}, {3, 5}});
                add("", {{9}, {}, {}});
                add("", {{2, 1, 9}, {3, 1}, {1}});
                add("", {{}, {2, 9}, {9}});
                add("", {{2, 1}, {}, {1, 9}});
                add("", {{2, 1}, {2, 3}, {3}});
        }
        for (int k = 0; k < 4; ++k) {
            const Shape shape = random.shape(random.below(6), 4);
            std::vector<Shape> shapes{shape};
            while (shapes.size() < entry.arity) shapes.push_back(part_of(shape, random));
            std::swap(shapes[0], shapes[random.below(shapes.size())]);
            add("random", shapes);
        }
    }
    return cases;
}

TEST_CASE("elementwise operations: every one, at many shapes") {
    for (const OperationCase& c : elementwise_cases()) check_case(c);
}

TEST_CASE("elementwise operations: one variable in every place") {
    RandomArrays random(12);
    const std::vector<CatalogueEntry> catalogue = elementwise_catalogue();
    for (std::size_t formula = 0; formula < catalogue.size(); ++formula) {
        const CatalogueEntry& entry = catalogue[formula];
        if (!entry.differentiable || entry.arity == 1) continue;
        CAPTURE(entry.info.name);
        const CheckedFunction f = [&](const Variables<double>& in) {
            const auto y = entry.arity == 2 ? detail::elementwise<double>(formula, {in[0], in[0]})
                                            : detail::elementwise<double>(formula, {in[0], in[0], in[0]});
            return y + sum(in[0] * in[0]);  // x / x has no derivative to see
        };
        for (const Shape& shape : {Shape{}, Shape{2, 9}}) {
            const std::vector<Array<double>> inputs{random.array(shape, entry.info.domain)};
            const auto first = gradcheck(f, inputs);
            CHECK_MESSAGE(first.passed, first.message);
            const auto second = gradgradcheck(f, inputs);
            CHECK_MESSAGE(second.passed, second.message);
        }
    }
}

TEST_CASE("elementwise operations: arrays of no elements") {
    const std::vector<CatalogueEntry> catalogue = elementwise_catalogue();
    for (std::size_t formula = 0; formula < catalogue.size(); ++formula) {
        const CatalogueEntry& entry = catalogue[formula];
        CAPTURE(entry.info.name);
        for (const auto& [shape, part] : {std::pair{Shape{0}, Shape{0}}, std::pair{Shape{2, 0, 3}, Shape{3}},
                                          std::pair{Shape{0}, Shape{}}, std::pair{Shape{2, 0}, Shape{2, 1}}}) {
            Tape<double> tape;
            const auto as_array = [](const Shape& s) {
                Array<double> a = Array<double>::from_shape(std::vector<std::size_t>(s.begin(), s.end()));
                a.fill(1);
                return a;
            };
            const auto x = tape.variable(as_array(shape));
            const auto p = tape.variable(as_array(part));
            const auto y = entry.arity == 1   ? detail::elementwise<double>(formula, {x})
                           : entry.arity == 2 ? detail::elementwise<double>(formula, {x, p})
                                              : detail::elementwise<double>(formula, {p, x, p});
            CHECK(y.shape() == shape);
            if (!entry.differentiable) continue;
            tape.backward(sum(y));
            CHECK(Shape::of(x.grad().shape()) == shape);
            if (entry.arity > 1)
                for (const double v : p.grad()) CHECK(v == 0);
        }
    }
}

TEST_CASE("elementwise operations: values by the standard library") {
    using F = double (*)(double, double, double);
    const std::map<std::string, F, std::less<>> expected = {
        {"add", [](double a, double b, double) { return a + b; }},
        {"sub", [](double a, double b, double) { return a - b; }},
        {"mul", [](double a, double b, double) { return a * b; }},
        {"div", [](double a, double b, double) { return a / b; }},
        {"pow", [](double a, double b, double) { return std::pow(a, b); }},
        {"neg", [](double a, double, double) { return -a; }},
        {"exp", [](double a, double, double) { return std::exp(a); }},
        {"expm1", [](double a, double, double) { return std::expm1(a); }},
        {"log", [](double a, double, double) { return std::log(a); }},
        {"log1p", [](double a, double, double) { return std::log1p(a); }},
        {"sqrt", [](double a, double, double) { return std::sqrt(a); }},
        {"square", [](double a, double, double) { return a * a; }},
        {"abs", [](double a, double, double) { return std::fabs(a); }},
        {"sin", [](double a, double, double) { return std::sin(a); }},
        {"cos", [](double a, double, double) { return std::cos(a); }},
        {"erf", [](double a, double, double) { return std::erf(a); }},
        {"tanh", [](double a, double, double) { return std::tanh(a); }},
        {"sigmoid", [](double a, double, double) { return 1 / (1 + std::exp(-a)); }},
        {"relu", [](double a, double, double) { return std::fmax(a, 0); }},
        {"leaky_relu", [](double a, double b, double) { return a > 0 ? a : b * a; }},
        {"elu", [](double a, double b, double) { return a > 0 ? a : b * (std::exp(a) - 1); }},
        {"gelu", [](double a, double, double) { return a * 0.5 * std::erfc(-a / std::sqrt(2.0)); }},
        {"softplus", [](double a, double, double) { return std::log(1 + std::exp(a)); }},
        {"maximum", [](double a, double b, double) { return std::fmax(a, b); }},
        {"minimum", [](double a, double b, double) { return std::fmin(a, b); }},
        {"clamp", [](double a, double b, double c) { return std::fmin(std::fmax(a, b), c); }},
        {"where", [](double a, double b, double c) { return a != 0 ? b : c; }},
        {"eq", [](double a, double b, double) { return a == b ? 1.0 : 0.0; }},
        {"ne", [](double a, double b, double) { return a != b ? 1.0 : 0.0; }},
        {"lt", [](double a, double b, double) { return a < b ? 1.0 : 0.0; }},
        {"le", [](double a, double b, double) { return a <= b ? 1.0 : 0.0; }},
        {"huber",
         [](double a, double b, double) { return std::fabs(a) <= b ? 0.5 * a * a : b * (std::fabs(a) - 0.5 * b); }},
        {"binary_cross_entropy_with_logits",
         [](double a, double b, double) { return std::log(1 + std::exp(a)) - a * b; }},
    };
    RandomArrays random(13);
    const std::vector<CatalogueEntry> catalogue = elementwise_catalogue();
    for (std::size_t formula = 0; formula < catalogue.size(); ++formula) {
        const CatalogueEntry& entry = catalogue[formula];
        CAPTURE(entry.info.name);
        const auto found = expected.find(entry.info.name);
        if (found == expected.end()) continue;  // the golden data has every one (test_operations_golden.cpp)
        auto inputs = random.arrays({Shape{37}, Shape{37}, Shape{37}}, entry.info.domain);
        for (std::size_t k = 0; k < 37; k += 5) inputs[1](k) = inputs[0](k);  // ties
        if (entry.info.name == "where") inputs[0](3) = 0;
        Tape<double> tape;
        const auto a = tape.constant(inputs[0]), b = tape.constant(inputs[1]), c = tape.constant(inputs[2]);
        const auto y = entry.arity == 1   ? detail::elementwise<double>(formula, {a})
                       : entry.arity == 2 ? detail::elementwise<double>(formula, {a, b})
                                          : detail::elementwise<double>(formula, {a, b, c});
        const auto value = y.value();
        for (std::size_t k = 0; k < 37; ++k) {
            const double e = found->second(inputs[0](k), inputs[1](k), inputs[2](k));
            CHECK(value(k) == doctest::Approx(e).epsilon(1e-13));
        }
    }
}

TEST_CASE("elementwise functions and operators call the operation of their name") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{0.3, -0.4, 0.7});
    const auto p = tape.variable(Array<double>{0.2, 0.5, 1.5});
    const auto name_of = [&](const Variable<double>& y) { return y.node().operation->info().name; };
    CHECK(name_of(x + p) == "add");
    CHECK(name_of(x - p) == "sub");
    CHECK(name_of(x * p) == "mul");
    CHECK(name_of(x / p) == "div");
    CHECK(name_of(-x) == "neg");
    CHECK(name_of(neg(x)) == "neg");
    CHECK(name_of(pow(p, x)) == "pow");
    CHECK(name_of(pow(p, 2)) == "pow");
    CHECK(name_of(pow(2, p)) == "pow");
    CHECK(name_of(exp(x)) == "exp");
    CHECK(name_of(expm1(x)) == "expm1");
    CHECK(name_of(log(p)) == "log");
    CHECK(name_of(log1p(p)) == "log1p");
    CHECK(name_of(sqrt(p)) == "sqrt");
    CHECK(name_of(square(x)) == "square");
    CHECK(name_of(abs(x)) == "abs");
    CHECK(name_of(sin(x)) == "sin");
    CHECK(name_of(cos(x)) == "cos");
    CHECK(name_of(erf(x)) == "erf");
    CHECK(name_of(tanh(x)) == "tanh");
    CHECK(name_of(sigmoid(x)) == "sigmoid");
    CHECK(name_of(relu(x)) == "relu");
    CHECK(name_of(leaky_relu(x)) == "leaky_relu");
    CHECK(name_of(elu(x)) == "elu");
    CHECK(name_of(gelu(x)) == "gelu");
    CHECK(name_of(softplus(x)) == "softplus");
    CHECK(name_of(huber(x)) == "huber");
    CHECK(name_of(maximum(x, p)) == "maximum");
    CHECK(name_of(minimum(x, 1)) == "minimum");
    CHECK(name_of(clamp(x, -0.1, 0.5)) == "clamp");
    CHECK(name_of(where(x > 0, x, p)) == "where");

    // Which operand is which, and the defaults.
    CHECK((2 - x).value()(0) == doctest::Approx(1.7));
    CHECK((1 / p).value()(1) == doctest::Approx(2));
    CHECK(pow(2, p).value()(1) == doctest::Approx(std::sqrt(2.0)));
    CHECK(pow(p, 2).value()(2) == doctest::Approx(2.25));
    CHECK(leaky_relu(x).value()(1) == doctest::Approx(-0.004));
    CHECK(leaky_relu(x, 0.5).value()(1) == doctest::Approx(-0.2));
    CHECK(elu(x, 2).value()(1) == doctest::Approx(2 * std::expm1(-0.4)));
    CHECK(clamp(x, -0.1, 0.5).value()(1) == -0.1);
    CHECK(clamp(x, -0.1, 0.5).value()(2) == 0.5);
    CHECK(huber(x, 0.5).value()(2) == doctest::Approx(0.5 * (0.7 - 0.25)));
    CHECK(where(x > 0, 1.0, p).value()(1) == 0.5);
    CHECK(where(x > 0, p, -1.0).value()(1) == -1);
    const Array<double> greater = (x > p).value(), at_least = (x >= 0.3).value(), less = (x < p).value(),
                        at_most = (x <= 0.3).value();
    CHECK(greater == Array<double>{1, 0, 0});
    CHECK(at_least == Array<double>{1, 0, 1});
    CHECK(less == Array<double>{0, 1, 1});
    CHECK(at_most == Array<double>{1, 1, 0});
    const Array<double> equal = (x == 0.3).value(), different = (x != 0.3).value();
    CHECK(equal == Array<double>{1, 0, 0});
    CHECK(different == Array<double>{0, 1, 1});
    CHECK(!(x < p).requires_grad());
}

TEST_CASE("operators take parameters in the place of variables") {
    Tape<double> tape;
    const Parameter<double> w("w", Array<double>{2, 3});
    const auto x = tape.variable(Array<double>{5, 7});
    tape.backward(sum(w * x + (1 - w) / x + x * w));
    CHECK(w.grad()(0) == doctest::Approx(2 * 5 - 1.0 / 5));
    CHECK(w.grad()(1) == doctest::Approx(2 * 7 - 1.0 / 7));
    CHECK(x.grad()(0) == doctest::Approx(2 * 2 + 1.0 / 25));
}

TEST_CASE("a += b lets a stand for the sum, and leaves what it stood for alone") {
    Parameter<double> w("w", Array<double>{2, 4});
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{3, 5});
    auto h = x;
    h += x;  // 2 x
    const auto before = h;
    (h *= w) -= 1;  // 2 x w - 1
    h /= before;    // w - 1 / 2 x
    CHECK(h.index() != before.index());
    const Array<double> value = h.value(), kept = before.value(), own = x.value();
    CHECK(value == Array<double>{2 - 1 / 6.0, 4 - 1 / 10.0});
    CHECK(kept == Array<double>{6, 10});
    CHECK(own == Array<double>{3, 5});
    tape.backward(sum(h));
    CHECK(x.grad()(0) == doctest::Approx(1 / 18.0));
    CHECK(w.grad() == Array<double>{1, 1});
}

TEST_CASE("elementwise operations: infinity, NaN and large numbers") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const auto derivatives = [](double x, auto f) {
        Tape<double> tape;
        const auto v = tape.variable(Array<double>(x));
        const auto first = grad(f(v), {v}, {.create_graph = true})[0];
        const double d1 = first.item();
        const double d2 = first.requires_grad() ? grad(first, {v})[0].item() : 0;
        return std::pair{d1, d2};
    };
    // The branch that is not taken overflows.
    CHECK(derivatives(1000, [](auto x) { return elu(x); }) == std::pair{1.0, 0.0});
    CHECK(derivatives(1000, [](auto x) { return softplus(x); }) == std::pair{1.0, 0.0});
    CHECK(derivatives(-1000, [](auto x) { return softplus(x); }) == std::pair{0.0, 0.0});
    CHECK(derivatives(1000, [](auto x) { return sigmoid(x); }) == std::pair{0.0, 0.0});
    CHECK(derivatives(1000, [](auto x) { return where(x > 1, x, exp(where(x > 1, 1, x))); }).first == 1.0);
    CHECK(derivatives(0, [](auto x) { return pow(x, 2); }) == std::pair{0.0, 2.0});
    CHECK(derivatives(0, [](auto x) { return pow(x, 1); }) == std::pair{1.0, 0.0});
    CHECK(derivatives(0, [](auto x) { return relu(x); }).first == 0);
    CHECK(derivatives(0, [](auto x) { return abs(x); }).first == 0);

    Tape<double> tape;
    const auto x = tape.constant(Array<double>{nan, infinity, -infinity});
    const auto one = tape.ones({3});
    for (const auto& y : {relu(x), maximum(x, one), maximum(one, x), minimum(x, one), minimum(one, x), clamp(x, -1, 1),
                          abs(x), elu(x), softplus(x)})
        CHECK(std::isnan(y.value()(0)));
    CHECK((x != x).value()(0) == 1);
    CHECK((x == x).value()(0) == 0);
    CHECK(where(x, one, 2 * one).value()(0) == 1);  // NaN is not 0
    CHECK(clamp(x, -1, 1).value()(1) == 1);
    CHECK(clamp(x, -1, 1).value()(2) == -1);
    CHECK(softplus(x).value()(1) == infinity);
    CHECK(softplus(x).value()(2) == 0);
    CHECK(elu(x).value()(2) == -1);
}

TEST_CASE("where: no gradient flows into the condition, nor through the branch not taken") {
    Tape<double> tape;
    const auto c = tape.variable(Array<double>{1, 0, 2});
    const auto a = tape.variable(Array<double>{1, std::numeric_limits<double>::quiet_NaN(), 3});
    const auto b = tape.variable(Array<double>{10, 20, 30});
    const auto y = where(c, a, b);
    CHECK(y.value()(1) == 20);
    tape.backward(sum(y));
    CHECK(!c.has_grad());
    const Array<double> da = a.grad(), db = b.grad();
    CHECK(da == Array<double>{1, 0, 1});
    CHECK(db == Array<double>{0, 1, 0});
}

TEST_CASE("elementwise operations: shapes that do not fit, and the tape is as before") {
    Tape<double> tape;
    const auto a = tape.variable(xt::xarray<double>::from_shape({2, 3}));
    const auto b = tape.variable(xt::xarray<double>::from_shape({3, 2}));
    const std::size_t size = tape.size();
    CHECK_THROWS_WITH_AS(
        a + b, "add: shapes [2, 3] and [3, 2] do not broadcast: extents 2 and 3 differ and neither is 1", ShapeError);
    CHECK_THROWS_WITH_AS(where(a, b, b),
                         "where: shapes [2, 3] and [3, 2] do not broadcast: extents 2 and 3 differ and neither is 1",
                         ShapeError);
    CHECK_THROWS_AS(where(a, 1.0, b), ShapeError);
    CHECK_THROWS_AS(where(a, b, 1.0), ShapeError);
    CHECK(tape.size() == size);
}
