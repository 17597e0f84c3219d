/// Nothing in the catalogue is left untested: its operations are found here, and checked.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/operations/transposed.hpp>
#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <set>

#include "support/random_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

enum class Fault {
    none,
    factor,               // da is off by 0.1%
    overwrite,            // da = ... where it must be +=
    not_summed,           // db is not summed over what was broadcast: only its first share
    order,                // a transposed a is read as it lies in memory
    constant_derivative,  // right, but recorded as if it did not depend on b
};

/// y = a b for a of any shape and b that broadcasts along its first axes, with a fault.
class Product final : public Operation<double> {
  public:
    explicit Product(Fault fault) : fault_(fault) {}
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"product", "y = a b", "da = dy b, db = dy a"};
        return info;
    }
    bool takes_transposed() const noexcept override { return fault_ == Fault::order; }
    void vjp(Vjp<double>& pass) const override {
        const Variable<double> a = pass.input(0), b = pass.input(1), dy = pass.dy();
        const double factor = fault_ == Fault::factor ? 1.001 : 1;
        pass.accumulate(0, dy * (fault_ == Fault::constant_derivative ? b.detach() : b) * factor);
        pass.accumulate(1, sum_to(dy * a, b.shape()));
    }
    void backward(Backward<double>& pass) const override {
        if (fault_ != Fault::overwrite && fault_ != Fault::not_summed) return Operation<double>::backward(pass);
        const Node<double>&a = pass.input(0), &b = pass.input(1);
        const std::size_t n = b.shape.size();
        if (pass.wants(0)) {
            const GradientTarget<double> da = pass.target(0);
            for (std::size_t k = 0; k < a.shape.size(); ++k) {
                const double share = pass.dy()[k] * b.value[k % n];
                da.data[k] = da.assign || fault_ == Fault::overwrite ? share : da.data[k] + share;
            }
        }
        if (pass.wants(1)) {
            double* const db = pass.target_zeroed(1);
            const std::size_t count = fault_ == Fault::not_summed ? std::min(n, a.shape.size()) : a.shape.size();
            for (std::size_t k = 0; k < count; ++k) db[k % n] += pass.dy()[k] * a.value[k];
        }
    }
    Variable<double> operator()(const Variable<double>& a, const Variable<double>& b) const {
        Tape<double>& tape = a.tape();
        const auto recorded = tape.record(*this, {a, b}, a.shape());
        const double* in_order = nullptr;
        if (fault_ == Fault::order && a.node().transposed)
            in_order = tape.contiguous(tape.node(static_cast<const Transposed*>(a.node().saved)->source));
        else
            in_order = tape.contiguous(a);
        const double* const of_b = tape.contiguous(b);
        for (std::size_t k = 0; k < a.size(); ++k) recorded.value[k] = in_order[k] * of_b[k % b.size()];
        return tape.at(recorded.index);
    }

  private:
    Fault fault_;
};

/// What checking 200 random cases of it finds.
Tally check_product(Fault fault) {
    const Product product(fault);
    return check_random_cases({"product",
                               [&product](Draw& draw) {
                                   const Shape a = draw.shape();
                                   Shape b = a;
                                   for (std::size_t gone = draw.below(a.rank() + 1); gone > 0; --gone) b = b.erased(0);
                                   OperationCase c;
                                   c.operation = "product";
                                   c.inputs = draw.arrays({a, b});
                                   c.in_double = [&product](const Variables<double>& in) {
                                       return product(in[0], in[1]);
                                   };
                                   return c;
                               }},
                              200, false);
}

}  // namespace

TEST_CASE("the tester, tested: what is right passes, and each way to be wrong is found many times over") {
    CHECK(check_product(Fault::none).failures == std::vector<std::string>{});
    for (const Fault fault :
         {Fault::factor, Fault::overwrite, Fault::not_summed, Fault::order, Fault::constant_derivative}) {
        CAPTURE(static_cast<int>(fault));
        const Tally tally = check_product(fault);
        CHECK(tally.checked == 200);
        CHECK(tally.failures.size() >= 10);
    }
}

TEST_CASE("every differentiable operation has random cases") {
    const std::vector<RandomCase> cases = random_cases();
    CHECK(without_random_case(operation_catalogue(), cases) == std::vector<std::string>{});

    // And one without would be seen.
    std::vector<CatalogueEntry> more = operation_catalogue();
    more.push_back({{"new_operation", "", ""}});
    CHECK(without_random_case(more, cases) == std::vector<std::string>{"new_operation"});
}

TEST_CASE("every operation, at hundreds of random shapes, broadcasts and places in memory") {
    std::set<std::string> names;
    const std::vector<RandomCase> cases = random_cases();
    for (const RandomCase& c : cases) {
        names.insert(c.operation);
        CAPTURE(c.operation);
        const auto same_name = [&](const RandomCase& other) { return other.operation == c.operation; };
        const auto shared = static_cast<std::size_t>(std::count_if(cases.begin(), cases.end(), same_name));
        const std::size_t count = 200 / shared + 1;
        const Tally tally = check_random_cases(c, count, false);
        CHECK(tally.checked == count);
        // A single negative number under relu, a slice of nothing: seldom.
        CHECK(tally.vacuous <= count / 4);
        for (const std::string& failure : tally.failures) FAIL_CHECK(failure);
        const Tally of_empty = check_random_cases(c, 20, true);
        for (const std::string& failure : of_empty.failures) FAIL_CHECK(failure);
    }
    CHECK(names.size() >= 60);
}

TEST_CASE("every operation in every other way: in float, wanted alone, over raw memory and on variables") {
    for (const RandomCase& c : random_cases()) {
        for (std::uint64_t seed = 1000, checked = 0; checked < 5; ++seed) {
            Draw draw(seed);
            OperationCase drawn = c.draw(draw);
            if (!shows_something(drawn)) continue;
            check_case(drawn);
            ++checked;
        }
    }
}

TEST_CASE("the catalogue says what it lists") {
    std::set<std::string_view> names;
    for (const CatalogueEntry& entry : operation_catalogue()) {
        CAPTURE(entry.info.name);
        CHECK(names.insert(entry.info.name).second);
        CHECK(!entry.info.equation.empty());
        CHECK(!entry.info.derivative.empty());
    }
    CHECK(names.size() >= 60);
}
