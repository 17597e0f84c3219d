/// The tester, tested: an operation that is wrong in one of the ways in which derivatives go wrong must fail.

#include <ebb/autograd/gradcheck.hpp>
#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/core/error.hpp>

#include <doctest/doctest.h>

using namespace ebb;

namespace {

enum class Fault {
    none,
    sign,                 // dx = -dy 3 x^2
    factor,               // off by 0.1%
    overwrite,            // dx = ... where it must be +=
    sign_of_raw,          // the two ways of going back differ
    one_element,          // one element of many is wrong
    forgotten,            // no gradient at all
    not_a_number,         // NaN
    constant_derivative,  // right, but recorded as if it did not depend on x
};

/// y = x^3, with a fault.
class Cube final : public Operation<double> {
  public:
    explicit Cube(Fault fault) : fault_(fault) {}
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"cube", "y = x^3", "dx = 3 dy x^2"};
        return info;
    }
    void vjp(Vjp<double>& pass) const override {
        if (fault_ == Fault::forgotten) return;
        Variable<double> x = pass.input(0);
        if (fault_ == Fault::constant_derivative) x = x.detach();
        Variable<double> dx = pass.dy() * 3 * x * x;
        if (fault_ == Fault::sign) dx = -dx;
        if (fault_ == Fault::factor) dx = dx * 1.001;
        if (fault_ == Fault::not_a_number) dx = dx * log(tape_constant(pass, -1));
        if (fault_ == Fault::one_element) dx = concat(std::vector{slice(dx, 0, 0, 1), slice(dx, 0, 1, 3) * 1.01}, 0);
        pass.accumulate(0, dx);
    }
    void backward(Backward<double>& pass) const override {
        if (fault_ == Fault::forgotten) return;
        if (fault_ != Fault::overwrite && fault_ != Fault::sign_of_raw) return Operation<double>::backward(pass);
        const GradientTarget<double> dx = pass.target(0);
        const double* const x = pass.input(0).value;
        for (std::size_t k = 0; k < pass.input(0).shape.size(); ++k) {
            const double share = pass.dy()[k] * 3 * x[k] * x[k];
            if (fault_ == Fault::overwrite || dx.assign)
                dx.data[k] = fault_ == Fault::sign_of_raw ? -share : share;
            else
                dx.data[k] += fault_ == Fault::sign_of_raw ? -share : share;
        }
    }

  private:
    static Variable<double> tape_constant(Vjp<double>& pass, double value) { return pass.tape().scalar(value); }
    Fault fault_;
};

CheckedFunction cube(const Cube& operation, bool twice = false) {
    return [&operation, twice](const std::vector<Variable<double>>& in) {
        Tape<double>& tape = in[0].tape();
        const auto one = [&] {
            const auto recorded = tape.record(operation, {in[0]}, in[0].shape());
            const double* const x = in[0].node().value;
            for (std::size_t k = 0; k < in[0].size(); ++k) recorded.value[k] = x[k] * x[k] * x[k];
            return tape.at(recorded.index);
        };
        return twice ? one() + one() : one();
    };
}

/// y[i, j] = a[i, j] b[j], whose gradient of b is not summed.
class ScaleWithoutSum final : public Operation<double> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"scale", "y[i, j] = a[i, j] b[j]", "db[j] = sum_i dy[i, j] a[i, j]"};
        return info;
    }
    void vjp(Vjp<double>& pass) const override {
        pass.accumulate(0, pass.dy() * pass.input(1));
        pass.accumulate(1, pass.dy() * pass.input(0));  // [2, 3], but b is [3]
    }
};

void check_contains(const std::string& message, const std::string& part) {
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

const std::vector<Array<double>> inputs{Array<double>{0.5, -1.25, 2}};

}  // namespace

TEST_CASE("gradcheck passes a right derivative") {
    const Cube right(Fault::none);
    CHECK(gradcheck(cube(right), inputs));
    CHECK(gradcheck(cube(right, true), inputs));
    CHECK(gradgradcheck(cube(right), inputs));
    CHECK(gradcheck(cube(right), inputs).max_error < 1e-8);
}

TEST_CASE("gradcheck fails a wrong derivative, and says where") {
    const auto message_of = [](Fault fault, bool twice = false) {
        const Cube wrong(fault);
        const GradCheckReport report = gradcheck(cube(wrong, twice), inputs);
        CHECK(!report);
        CHECK(!report.passed);
        return report.message;
    };
    check_contains(message_of(Fault::sign), "failed: the largest relative error is 2.00e+00, at input 0, element");
    check_contains(message_of(Fault::sign), "central differences give");
    check_contains(message_of(Fault::factor), "failed: the largest relative error is 9.99e-04, at input 0, element");
    check_contains(message_of(Fault::one_element),
                   "failed: the largest relative error is 9.90e-03, at input 0, element");
    check_contains(message_of(Fault::forgotten), "failed: the largest relative error is 1.00e+00");
    check_contains(message_of(Fault::sign_of_raw), "input 0, element 0: backward over raw memory gives");
    check_contains(message_of(Fault::not_a_number), "nan");
    check_contains(message_of(Fault::overwrite, true), "input 0, element 0: backward over raw memory gives");
    // Used once it cannot show: a case must use its input twice.
    const Cube overwrite(Fault::overwrite);
    CHECK(gradcheck(cube(overwrite), inputs));
}

TEST_CASE("gradgradcheck fails a derivative that is right but cannot be derived again") {
    const Cube wrong(Fault::constant_derivative);
    CHECK(gradcheck(cube(wrong), inputs));
    const GradCheckReport report = gradgradcheck(cube(wrong), inputs);
    CHECK(!report.passed);
    check_contains(report.message, "failed: the largest relative error is 1.00e+00, at input 0, element");
}

TEST_CASE("gradcheck fails a gradient that is not summed over what was broadcast") {
    static const ScaleWithoutSum operation;
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) {
        Tape<double>& tape = in[0].tape();
        const auto recorded = tape.record(operation, {in[0], in[1]}, in[0].shape());
        for (std::size_t k = 0; k < 6; ++k) recorded.value[k] = in[0].node().value[k] * in[1].node().value[k % 3];
        return tape.at(recorded.index);
    };
    const GradCheckReport report = gradcheck(f, {Array<double>{{1, 2, 3}, {4, 5, 6}}, Array<double>{1, 2, 3}});
    CHECK(!report.passed);
    CHECK(
        report.message ==
        "the derivative over raw memory throws: scale: its vjp gives input 1 a gradient of shape [2, 3], the input is "
        "[3]");
}

TEST_CASE("gradcheck fails where there is nothing to see") {
    const CheckedFunction flat = [](const std::vector<Variable<double>>& in) { return 0 * in[0]; };
    const GradCheckReport report = gradcheck(flat, inputs);
    CHECK(!report.passed);
    CHECK(report.message == "vacuous: the gradient is 0 everywhere, so any derivative would pass");
    GradCheckOptions options;
    options.allow_zero_gradient = true;
    CHECK(gradcheck(flat, inputs, options));
    const CheckedFunction detached = [](const std::vector<Variable<double>>& in) { return in[0].detach() * 2; };
    check_contains(gradcheck(detached, inputs).message, "failed: the largest relative error is 1.00e+00");
}

TEST_CASE("gradcheck: errors") {
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) { return in[0] + in[1]; };
    CHECK_THROWS_WITH_AS(gradcheck(f, {Array<double>{1, 2}, Array<double>{1, 2, 3}}),
                         "add: shapes [2] and [3] do not broadcast: extents 2 and 3 differ and neither is 1",
                         ShapeError);
    CHECK_THROWS_WITH_AS(gradgradcheck(f, {}), "gradgradcheck: no inputs: expected at least one", ValueError);
}

TEST_CASE("gradcheck of a little network") {
    const Array<double> x{{0.1, -0.2, 0.3}, {0.5, 0.4, -0.7}};
    const Array<double> w{{0.3, -0.1, 0.2}, {-0.5, 0.6, 0.1}, {0.2, 0.2, 0.9}, {0.7, -0.3, 0.4}};
    const Array<double> b{0.1, 0.2, -0.3, 0.4};
    const CheckedFunction f = [](const std::vector<Variable<double>>& in) {
        const auto h = tanh(matmul(in[0], transpose(in[1])) + in[2]);
        const auto g = sigmoid(linear(in[0], in[1], in[2]));
        return mean(h * g, 0) / (1 + exp(sum(h, 1, true))) + transpose(slice(transpose(h), 0, 1, 2)) +
               sum(transpose(h));
    };
    const auto first = gradcheck(f, {x, w, b});
    CHECK_MESSAGE(first.passed, first.message);
    const auto second = gradgradcheck(f, {x, w, b});
    CHECK_MESSAGE(second.passed, second.message);
}
