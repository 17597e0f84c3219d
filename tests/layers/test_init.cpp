// Each initialiser against the property that its paper promises, measured on what it made.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/init.hpp>
#include <ebb/layers/linear.hpp>
#include <ebb/layers/recurrent_cells.hpp>
#include <ebb/layers/recurrent_layers.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

/// Relative to the number itself: doctest adds 1 to what it multiplies with epsilon.
doctest::Approx near(double value) {
    return doctest::Approx(value).scale(0);
}

/// xtensor cannot tell a matrix of one row from other things in braces.
template <class T>
Array<T> matrix(std::initializer_list<std::initializer_list<T>> rows) {
    Array<T> result = Array<T>::from_shape({rows.size(), rows.begin()->size()});
    T* element = result.data();
    for (const auto& row : rows) element = std::copy(row.begin(), row.end(), element);
    return result;
}

Array<double> zeros(const Shape& shape) {
    Array<double> result = Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    result.fill(0);
    return result;
}

struct Moments {
    double mean = 0;
    double variance = 0;
    double kurtosis = 0;  // 3 for normal numbers, 1.8 for uniform ones
    double low = 0;
    double high = 0;
};

template <class T>
Moments moments(const Array<T>& a) {
    Moments m{0, 0, 0, a.data()[0], a.data()[0]};
    const auto n = static_cast<double>(a.size());
    for (const T v : a) {
        m.mean += v / n;
        m.low = std::min(m.low, static_cast<double>(v));
        m.high = std::max(m.high, static_cast<double>(v));
    }
    for (const T v : a) m.variance += (v - m.mean) * (v - m.mean) / n;
    for (const T v : a) m.kurtosis += std::pow(v - m.mean, 4) / (n * m.variance * m.variance);
    return m;
}

/// The rows' products with each other, minus the identity times `square`.
double distance_from_orthonormal_rows(const Array<double>& w, double square) {
    double worst = 0;
    for (std::size_t i = 0; i < w.shape(0); ++i)
        for (std::size_t j = 0; j < w.shape(0); ++j) {
            double product = 0;
            for (std::size_t k = 0; k < w.shape(1); ++k) product += w(i, k) * w(j, k);
            worst = std::max(worst, std::abs(product - (i == j ? square : 0)));
        }
    return worst;
}

Array<double> transposed(const Array<double>& w) {
    Array<double> result = Array<double>::from_shape({w.shape(1), w.shape(0)});
    for (std::size_t i = 0; i < w.shape(0); ++i)
        for (std::size_t j = 0; j < w.shape(1); ++j) result(j, i) = w(i, j);
    return result;
}

Array<double> block(const Array<double>& w, std::size_t first, std::size_t count) {
    Array<double> result = Array<double>::from_shape({count, w.shape(1)});
    std::copy_n(w.data() + first * w.shape(1), result.size(), result.data());
    return result;
}

/// rho(A) = lim |A^k|^(1/k), by squaring A again and again: k = 2^40.
double radius_by_powers(Array<double> a) {
    const std::size_t n = a.shape(0);
    double log_norm = 0;
    for (int power = 0; power <= 40; ++power) {
        double norm = 0;
        for (const double v : a) norm += v * v;
        norm = std::sqrt(norm);
        log_norm += std::log(norm) / std::pow(2.0, power);
        for (double& v : a) v /= norm;
        Array<double> square = Array<double>::from_shape({n, n});
        square.fill(0);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < n; ++k)
                for (std::size_t j = 0; j < n; ++j) square(i, j) += a(i, k) * a(k, j);
        a = square;
    }
    return std::exp(log_norm);
}

/// ||A||_2^2 = rho(A'A), by powers of A'A.
double norm_by_powers(const Array<double>& a) {
    Array<double> product = Array<double>::from_shape({a.shape(1), a.shape(1)});
    product.fill(0);
    for (std::size_t i = 0; i < a.shape(1); ++i)
        for (std::size_t j = 0; j < a.shape(1); ++j)
            for (std::size_t k = 0; k < a.shape(0); ++k) product(i, j) += a(k, i) * a(k, j);
    return std::sqrt(radius_by_powers(product));
}

}  // namespace

TEST_CASE("uniform and normal numbers have their moments, and the same seed gives them again") {
    manual_seed(1);
    Array<double> u = zeros({200, 100}), n = zeros({200, 100});
    init::uniform(u, -1, 3);
    init::normal(n, 5, 2);
    // Bounds of five standard errors of each moment, 20,000 numbers.
    const Moments of_u = moments(u), of_n = moments(n);
    CHECK(of_u.low >= -1);
    CHECK(of_u.low < -0.99);
    CHECK(of_u.high < 3);
    CHECK(of_u.high > 2.99);
    CHECK(of_u.mean == near(1).epsilon(0.041));
    CHECK(of_u.variance == near(16.0 / 12).epsilon(0.032));
    CHECK(of_n.mean == near(5).epsilon(0.0142));
    CHECK(of_n.variance == near(4).epsilon(0.05));
    CHECK(of_n.kurtosis == near(3).epsilon(0.06));
    manual_seed(1);
    Array<double> again = zeros({200, 100});
    init::uniform(again, -1, 3);
    CHECK(again == u);
}

TEST_CASE("a float weight is the double one, rounded") {
    const auto made = [](auto one, auto initialiser) {
        Parameter<decltype(one)> weight("weight", Array<decltype(one)>(zeros({12, 12})));
        manual_seed(4);
        initialiser(weight);
        return Array<double>(weight.value());
    };
    const auto compare = [&](const char* name, auto initialiser) {
        CAPTURE(name);
        const Array<double> in_float = made(0.f, initialiser), in_double = made(0., initialiser);
        for (std::size_t k = 0; k < in_float.size(); ++k)
            CHECK(in_float.data()[k] == static_cast<double>(static_cast<float>(in_double.data()[k])));
    };
    compare("normal", [](const init::Weight& w) { init::normal(w, 0, 1); });
    compare("xavier_uniform", [](const init::Weight& w) { init::xavier_uniform(w); });
    compare("orthogonal", [](const init::Weight& w) { init::orthogonal(w); });
    compare("per_gate", [](const init::Weight& w) {
        init::per_gate(w, 1, [](const init::Weight& b) { init::kaiming_normal(b); });
    });
}

TEST_CASE("constants, identity") {
    Parameter<float> w("w", Array<float>(zeros({2, 3})));
    init::ones(w);
    CHECK(w.value() == matrix<float>({{1, 1, 1}, {1, 1, 1}}));
    init::constant(w, -2.5);
    CHECK(w.value() == matrix<float>({{-2.5, -2.5, -2.5}, {-2.5, -2.5, -2.5}}));
    init::identity(w, 0.5);
    CHECK(w.value() == matrix<float>({{0.5, 0, 0}, {0, 0.5, 0}}));
    init::zeros(w);
    CHECK(w.value() == matrix<float>({{0, 0, 0}, {0, 0, 0}}));
}

TEST_CASE("IRNN: with the identity and no input, a relu network keeps its state") {
    RNNCell<double> cell({.input_size = 2, .hidden_size = 3, .nonlinearity = Nonlinearity::relu});
    init::identity(cell.weight_hh);
    init::zeros(cell.bias_ih);
    init::zeros(cell.bias_hh);
    Tape<double> tape;
    const Array<double> begin = matrix<double>({{0.5, 0, 2}});
    auto h = tape.constant(begin);
    for (int t = 0; t < 50; ++t) h = cell(tape.zeros({1, 2}), h);
    CHECK(Array<double>(h.value()) == begin);
}

TEST_CASE("Xavier: the variance is gain^2 2 / (fan_in + fan_out), in both laws") {
    manual_seed(2);
    for (const bool uniformly : {true, false}) {
        CAPTURE(uniformly);
        Array<double> w = zeros({100, 300});
        if (uniformly)
            init::xavier_uniform(w, 3);
        else
            init::xavier_normal(w, 3);
        const Moments m = moments(w);
        // Five standard errors of 30,000 numbers.
        CHECK(m.variance == near(9 * 2.0 / 400).epsilon(uniformly ? 0.026 : 0.041));
        CHECK(m.kurtosis == near(uniformly ? 1.8 : 3).epsilon(0.06));
        CHECK(std::abs(m.mean) < 5 * std::sqrt(m.variance / 30000));
        if (uniformly) CHECK(m.high <= 3 * std::sqrt(6.0 / 400));
    }
}

TEST_CASE("further axes count to both fans") {
    manual_seed(3);
    Array<double> w = zeros({40, 20, 5, 5});  // fan_in 500, fan_out 1000
    init::xavier_normal(w);
    CHECK(moments(w).variance == near(2.0 / 1500).epsilon(0.05));
    init::kaiming_normal(w, 1, init::Fan::in);
    CHECK(moments(w).variance == near(1.0 / 500).epsilon(0.05));
    init::kaiming_uniform(w, 1, init::Fan::out);
    CHECK(moments(w).variance == near(1.0 / 1000).epsilon(0.05));
}

TEST_CASE("He: through 30 relu layers the second moment stays; with a gain of 1 it halves in each") {
    const auto last_over_first = [](double gain) {
        manual_seed(5);
        Tape<double> tape;
        Array<double> w = zeros({128, 128});
        auto x = tape.constant(randn<double>({16, 128}));
        const double first = mean(square(x)).item();
        for (int layer = 0; layer < 30; ++layer) {
            init::kaiming_normal(w, gain);
            x = relu(linear(x, tape.constant(w), Variable<double>()));
        }
        // relu leaves half of the second moment.
        return 2 * mean(square(x)).item() / first;
    };
    const double kept = last_over_first(init::gain_relu);
    CHECK(kept > 0.2);
    CHECK(kept < 5);
    const double lost = last_over_first(1);
    CHECK(lost * std::pow(2.0, 30) > 0.2);
    CHECK(lost * std::pow(2.0, 30) < 5);
}

TEST_CASE("orthogonal: W'W or WW' is gain^2 I, whichever fits; wide, tall, square, of three axes") {
    manual_seed(6);
    for (const Shape& shape : {Shape{1, 1}, Shape{64, 64}, Shape{80, 20}, Shape{20, 80}}) {
        CAPTURE(to_string(shape));
        Array<double> w = zeros(shape);
        init::orthogonal(w);
        CHECK(distance_from_orthonormal_rows(shape[0] <= shape[1] ? w : transposed(w), 1) < 1e-12);
        init::orthogonal(w, 1.5);
        CHECK(distance_from_orthonormal_rows(shape[0] <= shape[1] ? w : transposed(w), 2.25) < 1e-12);
    }
    Array<double> w = zeros({6, 2, 5});
    init::orthogonal(w);
    CHECK(distance_from_orthonormal_rows(w.reshape({6, 10}), 1) < 1e-12);
    w = zeros({48, 48});
    init::orthogonal(w);
    CHECK(init::spectral_norm(w) == near(1).epsilon(1e-12));
    CHECK(init::spectral_radius(w) == near(1).epsilon(1e-12));
}

TEST_CASE("orthogonal matrices are evenly distributed: of either sign, and E tr(Q)^2 = 1") {
    manual_seed(7);
    const int draws = 2000;
    double positive = 0, square_of_trace = 0, turns = 0;
    for (int i = 0; i < draws; ++i) {
        Array<double> q = zeros({2, 2});
        init::orthogonal(q);
        positive += q(0, 0) > 0;
        square_of_trace += (q(0, 0) + q(1, 1)) * (q(0, 0) + q(1, 1));
        turns += q(0, 0) * q(1, 1) - q(0, 1) * q(1, 0) > 0;  // and not reflections
    }
    CHECK(positive / draws == near(0.5).epsilon(0.1));
    CHECK(turns / draws == near(0.5).epsilon(0.1));
    CHECK(square_of_trace / draws == near(1).epsilon(0.15));
}

TEST_CASE("sparse: so many connections in each row, at all places") {
    manual_seed(8);
    Array<double> w = zeros({300, 40});
    init::sparse(w, 5, 2);
    std::vector<int> in_column(40);
    double square = 0;
    for (std::size_t i = 0; i < 300; ++i) {
        int in_row = 0;
        for (std::size_t j = 0; j < 40; ++j) {
            in_row += w(i, j) != 0;
            in_column[j] += w(i, j) != 0;
            square += w(i, j) * w(i, j);
        }
        CHECK(in_row == 5);
    }
    CHECK(square / 1500 == near(4).epsilon(0.18));
    for (const int count : in_column) {
        CHECK(count > 8);  // 37.5 on average, deviation 5.7
        CHECK(count < 67);
    }
}

TEST_CASE("the spectral radius is what it was set to, by another computation") {
    manual_seed(9);
    for (const double radius : {0.5, 0.99, 1.0, 1.7}) {
        CAPTURE(radius);
        Parameter<double> w("weight_hh", zeros({40, 40}));
        init::normal(w, 0, 0.3);
        const Array<double> before = w.value();
        init::set_spectral_radius(w, radius);
        CHECK(std::abs(radius_by_powers(w.value()) - radius) < 1e-10);
        CHECK(std::abs(init::spectral_radius(w) - radius) < 1e-12);
        // It scales and does nothing else.
        CHECK(w.value()(3, 4) / before(3, 4) == near(w.value()(30, 20) / before(30, 20)).epsilon(1e-14));
    }
    Parameter<float> w("weight_hh", Array<float>(zeros({40, 40})));
    init::normal(w, 0, 0.3);
    init::set_spectral_radius(w, 0.5);
    CHECK(std::abs(radius_by_powers(Array<double>(w.value())) - 0.5) < 1e-6);
}

TEST_CASE("the spectral norm is what it was set to, by another computation") {
    manual_seed(10);
    Parameter<double> w("w", zeros({30, 45}));
    init::normal(w, 0, 1);
    CHECK(init::spectral_norm(w) == near(norm_by_powers(w.value())).epsilon(1e-11));
    init::set_spectral_norm(w, 0.8);
    CHECK(norm_by_powers(w.value()) == near(0.8).epsilon(1e-11));
}

TEST_CASE("the radius bounds a linear network in the long run") {
    manual_seed(11);
    Array<double> w = zeros({20, 20});
    init::normal(w, 0, 1);
    init::set_spectral_radius(w, 0.9);
    Tape<double> tape;
    auto h = tape.constant(randn<double>({1, 20}));
    const auto weight = tape.constant(w);
    double before = 0;
    for (int t = 0; t < 400; ++t) {
        h = linear(h, weight, Variable<double>());
        if (t == 199) before = std::sqrt(sum(square(h)).item());
    }
    const double rate = std::pow(std::sqrt(sum(square(h)).item()) / before, 1.0 / 200);
    CHECK(rate == near(0.9).epsilon(0.01));
}

TEST_CASE("per_gate gives every block its own law, and a gate writes its rows only") {
    manual_seed(12);
    LSTMCell<double> cell({.input_size = 3, .hidden_size = 10});
    init::per_gate(cell.weight_hh, 4, [](const init::Weight& b) { init::orthogonal(b); });
    for (std::size_t g = 0; g < 4; ++g)
        CHECK(distance_from_orthonormal_rows(block(cell.weight_hh.value(), 10 * g, 10), 1) < 1e-12);
    // Four different ones.
    CHECK(cell.weight_hh.value()(0, 0) != cell.weight_hh.value()(10, 0));

    init::per_gate(cell.weight_hh, 4, [](const init::Weight& b) { init::set_spectral_radius(b, 0.7); });
    for (std::size_t g = 0; g < 4; ++g)
        CHECK(radius_by_powers(block(cell.weight_hh.value(), 10 * g, 10)) == near(0.7).epsilon(1e-10));

    const Array<double> before = cell.weight_hh.value();
    init::zeros(init::gate(cell.weight_hh, 4, 2));
    for (std::size_t i = 0; i < 40; ++i)
        for (std::size_t j = 0; j < 10; ++j) CHECK(cell.weight_hh.value()(i, j) == (i / 10 == 2 ? 0 : before(i, j)));
}

TEST_CASE("what fails writes nothing, not even the gates before it") {
    Parameter<double> w("weight_hh", matrix<double>({{1, 2}, {3, 4}, {0, 0}, {0, 0}}));
    const Array<double> before = w.value();
    CHECK_THROWS_WITH_AS(
        init::per_gate(w, 2, [](const init::Weight& b) { init::set_spectral_radius(b, 0.5); }),
        "set_spectral_radius: every eigenvalue of weight_hh, gate 1 of 2 is 0 (it is zero or nilpotent), "
        "so that no factor gives it the radius 0.5",
        ValueError);
    CHECK(w.value() == before);
    Parameter<float> small("small", Array<float>({1, 2}));
    CHECK_THROWS_WITH_AS(init::constant(small, 1e300),
                         "constant: small would hold 1e+300: expected numbers up to 3.4028235e+38", ValueError);
    CHECK(small.value() == Array<float>({1, 2}));
}

TEST_CASE("forget_gate_bias is the whole bias of the gate that keeps, and leaves the others") {
    manual_seed(13);
    LSTM<double> lstm({.input_size = 3, .hidden_size = 5});
    const Array<double> ih = lstm.bias_ih.value(), hh = lstm.bias_hh.value();
    init::forget_gate_bias(lstm, 2);
    for (std::size_t k = 0; k < 20; ++k) {
        const bool forget = k / 5 == 1;
        CHECK(lstm.bias_ih.value()(k) == (forget ? 2 : ih(k)));
        CHECK(lstm.bias_hh.value()(k) == (forget ? 0 : hh(k)));
    }
    // The name of a module is no part of what it does.
    lstm.set_name("encoder");
    init::forget_gate_bias(lstm, 1);
    CHECK(lstm.bias_ih.value()(7) == 1);

    // What it is for: with nothing coming in, c_t = sigmoid(1) c_{t-1} in an LSTM, h_t = sigmoid(1) h_{t-1} in a GRU.
    const double kept = 1 / (1 + std::exp(-1));
    Tape<double> tape;
    init::zeros(lstm.weight_hh);
    for (const std::size_t gate : {std::size_t{0}, std::size_t{2}}) {
        init::zeros(init::gate(lstm.bias_ih, 4, gate));
        init::zeros(init::gate(lstm.bias_hh, 4, gate));
    }
    const auto state = lstm(tape.zeros({10, 1, 3}), {tape.zeros({1, 1, 5}), tape.ones({1, 1, 5})}).state;
    CHECK(state.c.value()(0, 0, 0) == near(std::pow(kept, 10)).epsilon(1e-12));
    GRUCell<double> gru({.input_size = 3, .hidden_size = 5});
    init::zeros(gru.weight_hh);
    init::zeros(gru.bias_ih);
    init::zeros(gru.bias_hh);
    init::forget_gate_bias(gru, 1);
    auto h = tape.ones({1, 5});
    for (int t = 0; t < 10; ++t) h = gru(tape.zeros({1, 3}), h);
    CHECK(h.value()(0, 0) == near(std::pow(kept, 10)).epsilon(1e-12));
}

TEST_CASE("chrono: exp(b_f) is evenly distributed on (1, T_max - 1), and b_i = -b_f") {
    manual_seed(14);
    const std::size_t H = 50, cells = 80, count = H * cells;
    const double longest = 784;
    std::vector<double> u;
    for (std::size_t cell = 0; cell < cells; ++cell) {
        LSTMCell<double> lstm({.input_size = 1, .hidden_size = H});
        const Array<double> ih = lstm.bias_ih.value(), hh = lstm.bias_hh.value();
        init::chrono(lstm, longest);
        for (std::size_t k = 0; k < H; ++k) {
            CHECK(lstm.bias_ih.value()(k) == -lstm.bias_ih.value()(H + k));
            CHECK(lstm.bias_ih.value()(2 * H + k) == ih(2 * H + k));
            CHECK(lstm.bias_ih.value()(3 * H + k) == ih(3 * H + k));
            u.push_back((std::exp(lstm.bias_ih.value()(H + k)) - 1) / (longest - 2));
        }
        for (std::size_t k = 0; k < 4 * H; ++k) CHECK(lstm.bias_hh.value()(k) == (k < 2 * H ? 0 : hh(k)));
    }
    // Kolmogorov and Smirnov: the largest distance from the distribution function of U(0, 1); 1.95 / sqrt(n) is
    // exceeded once in a thousand seeds.
    std::sort(u.begin(), u.end());
    CHECK(u.front() >= -1e-12);
    CHECK(u.back() <= 1 + 1e-12);
    double distance = 0;
    for (std::size_t k = 0; k < count; ++k)
        distance = std::max(distance, std::abs(u[k] - (static_cast<double>(k) + 0.5) / static_cast<double>(count)));
    CHECK(distance < 1.95 / std::sqrt(static_cast<double>(count)));

    GRU<float> gru({.input_size = 3, .hidden_size = 6});
    const Array<float> before = gru.bias_ih.value();
    init::chrono(gru, 100);
    for (std::size_t k = 0; k < 18; ++k) {
        if (k / 6 != 1) {
            CHECK(gru.bias_ih.value()(k) == before(k));
            continue;
        }
        CHECK(gru.bias_ih.value()(k) >= 0);
        CHECK(gru.bias_ih.value()(k) <= std::log(99.0));
        CHECK(gru.bias_hh.value()(k) == 0);
    }
}

TEST_CASE("a graph recorded before a weight was initialised anew cannot be gone back through") {
    Tape<double> tape;
    Linear<double> linear({.in_features = 2, .out_features = 2});
    const auto loss = sum(square(linear(tape.ones({1, 2}))));
    init::orthogonal(linear.weight);
    CHECK_THROWS_AS(tape.backward(loss), TapeError);
}

TEST_CASE("errors of initialisers") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    Parameter<double> w("weight_hh", matrix<double>({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
    Parameter<double> b("bias", Array<double>({1, 2, 3}));
    Parameter<double> square("square", matrix<double>({{0, 1}, {0, 0}}));
    const Array<double> before = w.value();
    CHECK_THROWS_WITH_AS(init::constant(w, nan), "constant: the value is nan: expected a finite number", ValueError);
    CHECK_THROWS_WITH_AS(init::uniform(w, 1, 0), "uniform: low is 1, high is 0: expected finite numbers, low <= high",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::normal(w, nan, 1), "normal: the mean is nan: expected a finite number", ValueError);
    CHECK_THROWS_WITH_AS(init::normal(w, 0, -1),
                         "normal: the standard deviation is -1: expected a finite number, not negative", ValueError);
    CHECK_THROWS_WITH_AS(init::xavier_uniform(b),
                         "xavier_uniform: bias is [3]: expected at least two axes, and at least one element",
                         ShapeError);
    CHECK_THROWS_WITH_AS(init::xavier_normal(w, 0), "xavier_normal: the gain is 0: expected a finite number above 0",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::kaiming_uniform(w, nan),
                         "kaiming_uniform: the gain is nan: expected a finite number above 0", ValueError);
    CHECK_THROWS_WITH_AS(init::kaiming_normal(b),
                         "kaiming_normal: bias is [3]: expected at least two axes, and at least one element",
                         ShapeError);
    CHECK_THROWS_WITH_AS(init::orthogonal(b),
                         "orthogonal: bias is [3]: expected at least two axes, and at least one element", ShapeError);
    CHECK_THROWS_WITH_AS(init::orthogonal(w, nan), "orthogonal: the gain is nan: expected a finite number", ValueError);
    CHECK_THROWS_WITH_AS(init::identity(b),
                         "identity: bias is [3]: expected a matrix of at least one row and one column", ShapeError);
    CHECK_THROWS_WITH_AS(init::identity(w, nan), "identity: the scale is nan: expected a finite number", ValueError);
    CHECK_THROWS_WITH_AS(init::sparse(w, 3), "sparse: connections is 3, weight_hh is [4, 2]: expected 1 to 2",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::sparse(w, 1, nan),
                         "sparse: the standard deviation is nan: expected a finite number, not negative", ValueError);
    CHECK_THROWS_WITH_AS(init::spectral_radius(w),
                         "spectral_radius: weight_hh is [4, 2]: expected a square matrix; for the blocks of a stack of "
                         "gates see per_gate",
                         ShapeError);
    CHECK_THROWS_WITH_AS(
        init::set_spectral_radius(w, 1),
        "set_spectral_radius: weight_hh is [4, 2]: expected a square matrix; for the blocks of a stack of "
        "gates see per_gate",
        ShapeError);
    CHECK_THROWS_WITH_AS(init::set_spectral_radius(square, 0),
                         "set_spectral_radius: the radius is 0: expected a finite number above 0", ValueError);
    CHECK_THROWS_WITH_AS(init::set_spectral_radius(square, 1),
                         "set_spectral_radius: every eigenvalue of square is 0 (it is zero or nilpotent), so that no "
                         "factor gives it the radius 1",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::set_spectral_norm(b, 1),
                         "set_spectral_norm: bias is [3]: expected a matrix of at least one row and one column",
                         ShapeError);
    CHECK_THROWS_WITH_AS(init::set_spectral_norm(w, -1),
                         "set_spectral_norm: the norm is -1: expected a finite number above 0", ValueError);
    init::zeros(square);
    CHECK_THROWS_WITH_AS(init::set_spectral_norm(square, 1),
                         "set_spectral_norm: square is zero, so that no factor gives it the norm 1", ValueError);
    CHECK_THROWS_WITH_AS(init::gate(w, 3, 0),
                         "gate: weight_hh is [4, 2]: expected a first extent that is a multiple of 3 gates",
                         ShapeError);
    CHECK_THROWS_WITH_AS(init::gate(w, 4, 4), "gate: index is 4, weight_hh has 4 gates: expected 0 to 3", IndexError);
    CHECK_THROWS_WITH_AS(init::per_gate(b, 2, [](const init::Weight&) {}),
                         "per_gate: bias is [3]: expected a first extent that is a multiple of 2 gates", ShapeError);
    CHECK(w.value() == before);

    RNNCell<double> rnn({.input_size = 1, .hidden_size = 1, .name = "encoder"});
    LSTMCell<double> without({.input_size = 1, .hidden_size = 1, .bias = false});
    LSTMCell<double> lstm({.input_size = 1, .hidden_size = 1});
    CHECK_THROWS_WITH_AS(init::forget_gate_bias(rnn, 1),
                         "forget_gate_bias: encoder is an RNNCell, which has no gates: expected an LSTM or a GRU",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::forget_gate_bias(without, 1),
                         "forget_gate_bias: LSTMCell was made without biases: expected .bias = true", ValueError);
    CHECK_THROWS_WITH_AS(init::forget_gate_bias(lstm, nan),
                         "forget_gate_bias: the value is nan: expected a finite number", ValueError);
    CHECK_THROWS_WITH_AS(init::chrono(without, 10), "chrono: LSTMCell was made without biases: expected .bias = true",
                         ValueError);
    CHECK_THROWS_WITH_AS(init::chrono(lstm, 2), "chrono: longest is 2: expected a finite number of steps above 2",
                         ValueError);
}
