#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/layers/dropout.hpp>
#include <ebb/layers/sequential.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

TEST_CASE_TEMPLATE("what is left is enlarged by 1 / (1 - p), the share that is dropped is p", T, float, double) {
    manual_seed(1);
    for (const double p : {0.1, 0.5, 0.9}) {
        CAPTURE(p);
        Tape<T> tape;
        Dropout<T> dropout({.p = p});
        const std::size_t count = 20000;
        const auto y = dropout(tape.full({count}, 3));
        double dropped = 0, total = 0;
        for (const T v : y.value()) {
            dropped += v == 0;
            total += v;
            if (v != 0) CHECK(v == doctest::Approx(3 / (1 - p)).epsilon(1e-6));
        }
        const double n = static_cast<double>(count), deviation = std::sqrt(p * (1 - p) / n);
        CHECK(std::abs(dropped / n - p) < 5 * deviation);
        CHECK(std::abs(total / n - 3) < 5 * deviation * 3 / (1 - p));
    }
}

TEST_CASE("the gradient goes where the value went") {
    manual_seed(2);
    Tape<double> tape;
    const auto x = tape.variable(Array<double>(rand<double>({50}) + 1));
    const auto y = dropout(x, 0.3);
    tape.backward(sum(y * 2 + y));
    for (std::size_t k = 0; k < 50; ++k)
        CHECK(x.grad()(k) == doctest::Approx(3 * y.value()(k) / x.value()(k)).epsilon(1e-14));
}

TEST_CASE("dropout passes gradcheck to the second order") {
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) {
        Generator generator(5);
        const auto y = dropout(transpose(in[0]), 0.4, generator);
        return sum(y * y * y) + sum(y);
    };
    const std::vector<Array<double>> in{randn<double>({6, 7})};
    const auto first = gradcheck(f, in);
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(f, in);
    CHECK_MESSAGE(second.passed, second.message);
}

TEST_CASE("the same seed drops the same elements, another call others, in both precisions") {
    Tape<double> tape;
    Tape<float> tape_of_floats;
    const Dropout<double> dropout;
    const Dropout<float> dropout_of_floats;
    const auto x = tape.ones({100});
    manual_seed(3);
    const Array<double> first = dropout(x).value(), other = dropout(x).value();
    manual_seed(3);
    const Array<double> again = dropout(x).value();
    manual_seed(3);
    const Array<double> in_float = dropout_of_floats(tape_of_floats.ones({100})).value();
    CHECK(first == again);
    CHECK(first == in_float);
    CHECK(first != other);
}

TEST_CASE("in evaluation mode and with p = 0 nothing happens and nothing is drawn") {
    manual_seed(4);
    const Generator before = default_generator();
    Tape<double> tape;
    const auto x = tape.ones({4});
    Dropout<double> half, none({.p = 0});
    CHECK(none(x).index() == x.index());
    Sequential<double> model(half);
    model.eval();
    CHECK(model(x).index() == x.index());
    CHECK(default_generator() == before);
    model.train();
    CHECK(model(x).index() != x.index());
    CHECK(!(default_generator() == before));
}

TEST_CASE("with p = 1 all is 0, and no gradient is NaN") {
    Tape<double> tape;
    const auto x = tape.variable(Array<double>{1, 2, 3});
    const auto y = dropout(x, 1);
    tape.backward(sum(y));
    CHECK(Array<double>(y.value()) == Array<double>{0, 0, 0});
    CHECK(Array<double>(x.grad()) == Array<double>{0, 0, 0});
}

TEST_CASE("errors of dropout") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(Dropout<float>({.p = 1.5}), "Dropout: p is 1.5: expected 0 to 1", ValueError);
    CHECK_THROWS_WITH_AS(Dropout<float>({.p = nan, .name = "noise"}), "noise: p is nan: expected 0 to 1", ValueError);
    Tape<double> tape;
    CHECK_THROWS_WITH_AS(dropout(tape.ones({2}), -0.1), "dropout: p is -0.1: expected 0 to 1", ValueError);
}
