/// Random programs: 5 to 50 operations of the catalogue, each fed with what earlier ones gave, against differences.

#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/tape.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include "support/random_cases.hpp"
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;
using namespace ebb::test;

namespace {

/// One operation of a program. Its input k is variable number `operands[k]`, of which `elements[k]` are picked, moved
/// by a constant to where the operation has neither kink nor pole: y = f(v[elements] + shift) * scale. At the point
/// where the program was made, the inputs are exactly those of the case.
struct Step {
    OperationCase of;
    std::vector<std::size_t> operands;
    std::vector<Indices> elements;
    std::vector<Array<double>> shifts;
    double scale = 1;
};

struct Program {
    std::vector<Array<double>> leaves;
    std::vector<Step> steps;
    std::vector<std::size_t> results;  // what no step takes
};

Variable<double> picked(const Variable<double>& v, const Indices& elements, const Array<double>& like) {
    return reshape(index_select(reshape(v, Shape{v.size()}), elements), Shape::of(like.shape()));
}

Variable<double> run(const Step& step, const Variables<double>& known) {
    Variables<double> inputs;
    for (std::size_t k = 0; k < step.operands.size(); ++k) {
        const Variable<double>& v = known[step.operands[k]];
        inputs.push_back(picked(v, step.elements[k], step.shifts[k]) + v.tape().constant(step.shifts[k]));
    }
    return step.of.in_double(inputs) * step.scale;
}

/// The sum of all results, each element with a weight of its own.
Variable<double> run(const Program& program, const Variables<double>& leaves) {
    Variables<double> known = leaves;
    for (const Step& step : program.steps) known.push_back(run(step, known));
    Variable<double> loss = leaves[0].tape().zeros({});
    for (const std::size_t k : program.results) loss = loss + sum(known[k] * (1 + 0.1 * cumsum(known[k] * 0 + 1, 0)));
    return loss;
}

double largest(const Array<double>& x) {
    double result = 0;
    for (const double v : x) result = std::max(result, std::abs(v));
    return result;
}

Program program_of(const std::vector<RandomCase>& cases, std::uint64_t seed, std::map<std::string, std::size_t>& used) {
    Draw draw(seed);
    Program program;
    Tape<double> tape;
    Variables<double> known;
    for (std::size_t k = 0; k < 3; ++k) {
        program.leaves.push_back(draw.array(Shape{2 + draw.below(5)}));
        known.push_back(tape.constant(program.leaves.back()));
    }
    std::vector<bool> taken(known.size(), false);
    for (std::size_t left = 5 + draw.below(46); left > 0;) {
        const RandomCase& random_case = cases[draw.below(cases.size())];
        Step step{random_case.draw(draw), {}, {}, {}};
        for (const Array<double>& wanted : step.of.inputs) {
            // Recent ones more often, so that programs are deep.
            const std::size_t back = std::min(draw.below(known.size()), draw.below(known.size()));
            const std::size_t operand = known.size() - 1 - back;
            step.operands.push_back(operand);
            step.elements.push_back(draw.indices(Shape{wanted.size()}, known[operand].size()));
            const Array<double> now = picked(known[operand], step.elements.back(), wanted).value();
            step.shifts.push_back(wanted - now);
        }
        step.scale = 1;
        const double size = largest(run(step, known).value());
        if (known.back().size() == 0 || !(size > 0)) continue;  // a slice of nothing, a loss that ignores all
        step.scale = 1 / std::max(1.0, size);
        const Variable<double> y = run(step, known);
        known.push_back(reshape(y, Shape{y.size()}));
        for (const std::size_t operand : step.operands) taken[operand] = true;
        taken.push_back(false);
        ++used[random_case.operation];
        step.of.in_double = [f = step.of.in_double](const Variables<double>& in) {
            const Variable<double> y_of_step = f(in);
            return reshape(y_of_step, Shape{y_of_step.size()});
        };
        program.steps.push_back(step);
        --left;
    }
    for (std::size_t k = 0; k < known.size(); ++k)
        if (!taken[k]) program.results.push_back(k);
    return program;
}

struct Verdict {
    bool seen = true;  ///< false: the gradient is too small or too large for a difference
    std::string failure;
};

/// Along random directions d: (L(x + h d) - L(x - h d)) / 2h, with the error of order h^2 taken out, against <dL/dx,
/// d>.
Verdict check(const Program& program, std::uint64_t seed) {
    Tape<double> tape;
    std::vector<Array<double>> gradient;
    double norm = 0;
    {
        Variables<double> leaves;
        for (const auto& leaf : program.leaves) leaves.push_back(tape.variable(leaf));
        const Variable<double> loss = run(program, leaves);
        if (!loss.requires_grad()) return {false, {}};
        const Variable<double> roots[] = {loss};
        const Variable<double> seeds[] = {tape.ones({})};
        std::vector<Array<double>> on_variables;
        for (const Variable<double>& g : tape.vjp(roots, seeds, leaves)) {
            on_variables.push_back(program.leaves[on_variables.size()]);
            on_variables.back().fill(0);
            if (g.defined()) on_variables.back() = g.value();
        }
        tape.backward(loss);
        for (std::size_t k = 0; k < leaves.size(); ++k) {
            gradient.push_back(program.leaves[k]);
            gradient.back().fill(0);
            if (leaves[k].has_grad()) gradient.back() = leaves[k].grad();
            for (std::size_t e = 0; e < gradient[k].size(); ++e) {
                const double raw = gradient[k].data()[e];
                norm += raw * raw;
                const double recorded = on_variables[k].data()[e];
                if (!(std::abs(raw - recorded) <= 1e-9 * std::max(1.0, std::abs(raw))))
                    return {true, fmt::format("leaf {}, element {}: {} over raw memory, {} on variables", k, e, raw,
                                              recorded)};
            }
        }
    }
    norm = std::sqrt(norm);
    if (!(norm > 1e-6 && norm < 1e3)) return {false, {}};

    RandomArrays random(seed);
    for (int direction = 0; direction < 3; ++direction) {
        std::vector<Array<double>> d;
        double expected = 0, length = 0;
        for (std::size_t k = 0; k < program.leaves.size(); ++k) {
            d.push_back(random.array(Shape::of(program.leaves[k].shape()), Domain::nonzero));
            for (std::size_t e = 0; e < d[k].size(); ++e) {
                expected += gradient[k].data()[e] * d[k].data()[e];
                length += d[k].data()[e] * d[k].data()[e];
            }
        }
        const auto loss_at = [&](double h) {
            tape.clear();
            Variables<double> leaves;
            for (std::size_t k = 0; k < program.leaves.size(); ++k)
                leaves.push_back(tape.constant(Array<double>(program.leaves[k] + h * d[k])));
            return run(program, leaves).item();
        };
        const double h = 1e-5 / std::max(1.0, norm);
        const double near = (loss_at(h) - loss_at(-h)) / (2 * h), far = (loss_at(2 * h) - loss_at(-2 * h)) / (4 * h);
        const double difference = (4 * near - far) / 3;
        if (!(std::abs(difference - expected) <= 1e-6 * norm * std::sqrt(length)))
            return {true, fmt::format("direction {}: <dL/dx, d> is {}, differences give {}", direction, expected,
                                      difference)};
    }
    return {};
}

/// y = 2 x, whose derivative is off by 1%.
class Wrong final : public Operation<double> {
  public:
    const OperationInfo& info() const noexcept override {
        static constexpr OperationInfo info{"wrong", "y = 2 x", "dx = 2.02 dy"};
        return info;
    }
    void vjp(Vjp<double>& pass) const override { pass.accumulate(0, pass.dy() * 2.02); }
};

}  // namespace

TEST_CASE("a thousand random programs of the catalogue's operations have the gradient that differences find") {
    const std::vector<RandomCase> cases = random_cases();
    std::map<std::string, std::size_t> used;
    std::size_t checked = 0, not_seen = 0;
    for (std::uint64_t seed = 0; checked < 1000; ++seed) {
        REQUIRE(seed < 1200);  // else too many show nothing
        const Program program = program_of(cases, seed, used);
        const Verdict verdict = check(program, seed);
        if (!verdict.seen) {
            ++not_seen;
            continue;
        }
        ++checked;
        if (!verdict.failure.empty()) {
            std::string names;
            for (const Step& step : program.steps)
                names += fmt::format(" {}({})", step.of.operation, shapes_of(step.of.inputs));
            FAIL_CHECK(fmt::format("seed {}: {};{}", seed, verdict.failure, names));
        }
    }
    MESSAGE(checked, " programs checked, ", not_seen, " whose gradient was too small or too large");
    for (const CatalogueEntry& entry : operation_catalogue())
        if (entry.differentiable) CHECK_MESSAGE(used[std::string(entry.info.name)] >= 20, entry.info.name);
}

TEST_CASE("a random program with one wrong derivative in it is found out") {
    static const Wrong wrong;
    std::vector<RandomCase> cases = random_cases();
    for (std::size_t k = 0; k < cases.size(); k += 4)
        cases[k] = {"wrong", [](Draw& draw) {
                        OperationCase c;
                        c.operation = "wrong";
                        c.inputs = {draw.array(draw.shape())};
                        c.in_double = [](const Variables<double>& in) {
                            Tape<double>& tape = in[0].tape();
                            const auto recorded = tape.record(wrong, {in[0]}, in[0].shape());
                            for (std::size_t e = 0; e < in[0].size(); ++e)
                                recorded.value[e] = 2 * in[0].node().value[e];
                            return tape.at(recorded.index);
                        };
                        return c;
                    }};
    std::size_t with_fault = 0, found = 0;
    for (std::uint64_t seed = 0; with_fault < 50; ++seed) {
        REQUIRE(seed < 200);
        std::map<std::string, std::size_t> used;
        const Program program = program_of(cases, seed, used);
        const Verdict verdict = check(program, seed);
        if (!verdict.seen || used["wrong"] == 0) continue;
        ++with_fault;
        found += !verdict.failure.empty();
    }
    MESSAGE(found, " of ", with_fault, " found");
    CHECK(found >= 48);
}
