/// Every operation of the catalogue against PyTorch's: values and gradients, also at kinks and ties.

#include <ebb/autograd/operations.hpp>
#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/autograd/tape.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "support/golden.hpp"
#include <doctest/doctest.h>

using namespace ebb;

namespace {

using Variables = std::vector<Variable<double>>;
using Function = std::function<Variable<double>(const Variables&, const GoldenCase&)>;

std::vector<std::ptrdiff_t> list(const GoldenCase& golden, const std::string& name) {
    const auto& numbers = golden.integers(name);
    return {numbers.begin(), numbers.end()};
}
Axes axes(const GoldenCase& golden) {
    return Axes(list(golden, "axes"));
}
Shape shape(const GoldenCase& golden) {
    const auto extents = list(golden, "shape");
    return {extents.begin(), extents.end()};
}
bool keepdims(const GoldenCase& golden) {
    return golden.integers("keepdims")() != 0;
}
std::ptrdiff_t axis(const GoldenCase& golden) {
    return golden.integers("axis")();
}
double correction(const GoldenCase& golden) {
    return golden.has("correction") ? static_cast<double>(golden.integers("correction")()) : 1.0;
}

template <class F>
Function over_axes(F f) {
    return [f](const Variables& in, const GoldenCase& g) { return f(in[0], axes(g), keepdims(g)); };
}
template <class F>
Function along_axis(F f) {
    return [f](const Variables& in, const GoldenCase& g) { return f(in, axis(g)); };
}

template <class F>
Function with_indices(F f) {
    return [f](const Variables& in, const GoldenCase& g) {
        const auto [values, indices] = f(in[0], axis(g), keepdims(g));
        CHECK(indices == g.integers("indices"));
        return values;
    };
}

/// How the operations that are not elementwise are called with what a case holds.
const std::map<std::string, Function>& functions() {
    static const std::map<std::string, Function> all = {
        {"sum", over_axes([](const auto& x, const Axes& a, bool k) { return sum(x, a, k); })},
        {"mean", over_axes([](const auto& x, const Axes& a, bool k) { return mean(x, a, k); })},
        {"max", over_axes([](const auto& x, const Axes& a, bool k) { return max(x, a, k); })},
        {"min", over_axes([](const auto& x, const Axes& a, bool k) { return min(x, a, k); })},
        {"prod", over_axes([](const auto& x, const Axes& a, bool k) { return prod(x, a, k); })},
        {"logsumexp", over_axes([](const auto& x, const Axes& a, bool k) { return logsumexp(x, a, k); })},
        {"var",
         [](const Variables& in, const GoldenCase& g) { return var(in[0], axes(g), keepdims(g), correction(g)); }},
        {"stddev",
         [](const Variables& in, const GoldenCase& g) { return stddev(in[0], axes(g), keepdims(g), correction(g)); }},
        {"norm", [](const Variables& in, const GoldenCase& g) { return norm(in[0], g["p"](), axes(g), keepdims(g)); }},
        {"cumsum", along_axis([](const Variables& in, std::ptrdiff_t a) { return cumsum(in[0], a); })},
        {"softmax", along_axis([](const Variables& in, std::ptrdiff_t a) { return softmax(in[0], a); })},
        {"log_softmax", along_axis([](const Variables& in, std::ptrdiff_t a) { return log_softmax(in[0], a); })},
        {"squeeze", along_axis([](const Variables& in, std::ptrdiff_t a) { return squeeze(in[0], a); })},
        {"unsqueeze", along_axis([](const Variables& in, std::ptrdiff_t a) { return unsqueeze(in[0], a); })},
        {"concat", along_axis([](const Variables& in, std::ptrdiff_t a) { return concat(in, a); })},
        {"stack", along_axis([](const Variables& in, std::ptrdiff_t a) { return stack(in, a); })},
        {"matmul", [](const Variables& in, const GoldenCase&) { return matmul(in[0], in[1]); }},
        {"linear", [](const Variables& in, const GoldenCase&) { return linear(in[0], in[1], in[2]); }},
        {"einsum",
         [](const Variables& in, const GoldenCase& g) {
             std::string equation;
             for (const auto letter : g.integers("equation")) equation += static_cast<char>(letter);
             return in.size() == 1 ? einsum(equation, in[0]) : einsum(equation, in[0], in[1]);
         }},
        {"reshape", [](const Variables& in, const GoldenCase& g) { return reshape(in[0], shape(g)); }},
        {"broadcast_to", [](const Variables& in, const GoldenCase& g) { return broadcast_to(in[0], shape(g)); }},
        {"transpose",
         [](const Variables& in, const GoldenCase& g) {
             const auto two = list(g, "axes");
             return transpose(in[0], two[0], two[1]);
         }},
        {"permute", [](const Variables& in, const GoldenCase& g) { return permute(in[0], axes(g)); }},
        {"flip", [](const Variables& in, const GoldenCase& g) { return flip(in[0], axes(g)); }},
        {"slice",
         [](const Variables& in, const GoldenCase& g) {
             const auto r = list(g, "range");
             return slice(in[0], r[0], r[1], r[2]);
         }},
        {"select",
         [](const Variables& in, const GoldenCase& g) {
             const auto r = list(g, "range");
             return select(in[0], r[0], r[1]);
         }},
        {"pad",
         [](const Variables& in, const GoldenCase& g) {
             const auto r = list(g, "range");
             return pad(in[0], r[0], r[1], r[2]);
         }},
        {"index_select",
         [](const Variables& in, const GoldenCase& g) { return index_select(in[0], axis(g), g.integers("indices")); }},
        {"index_add",
         [](const Variables& in, const GoldenCase& g) {
             return index_add(in[0], axis(g), g.integers("indices"), in[1]);
         }},
        {"gather",
         [](const Variables& in, const GoldenCase& g) { return gather(in[0], axis(g), g.integers("indices")); }},
        {"max_with_indices",
         with_indices([](const auto& x, std::ptrdiff_t a, bool k) { return max_with_indices(x, a, k); })},
        {"min_with_indices",
         with_indices([](const auto& x, std::ptrdiff_t a, bool k) { return min_with_indices(x, a, k); })},
        {"scatter_add",
         [](const Variables& in, const GoldenCase& g) {
             return scatter_add(in[0], axis(g), g.integers("indices"), in[1]);
         }},
    };
    return all;
}

/// By its place in the list of formulas: a new elementwise operation needs no line here.
Function function_of(const std::string& name) {
    const std::vector<CatalogueEntry> elementwise = elementwise_catalogue();
    for (std::size_t formula = 0; formula < elementwise.size(); ++formula)
        if (elementwise[formula].info.name == name)
            return [formula](const Variables& in, const GoldenCase&) {
                if (in.size() == 1) return detail::elementwise<double>(formula, {in[0]});
                if (in.size() == 2) return detail::elementwise<double>(formula, {in[0], in[1]});
                return detail::elementwise<double>(formula, {in[0], in[1], in[2]});
            };
    const auto found = functions().find(name);
    REQUIRE_MESSAGE(found != functions().end(), "how is it called? ", name);
    return found->second;
}

/// Those compared in other files.
const std::map<std::string, std::string> elsewhere = {
    {"mse_loss", "losses"}, {"l1_loss", "losses"},       {"huber_loss", "losses"},
    {"nll_loss", "losses"}, {"cross_entropy", "losses"},
};
/// Random in PyTorch as here: there are no numbers to compare.
const std::set<std::string> random_numbers = {"dropout"};

}  // namespace

TEST_CASE("every operation is PyTorch's: values and gradients") {
    const GoldenFile file("operations");
    std::size_t compared = 0;
    for (const CatalogueEntry& entry : operation_catalogue()) {
        const std::string name(entry.info.name);
        CAPTURE(name);
        if (const auto other = elsewhere.find(name); other != elsewhere.end()) {
            CHECK_NOTHROW(GoldenFile(other->second).cases(name + "/"));
            continue;
        }
        if (random_numbers.count(name) == 1) continue;
        const Function f = function_of(name);
        for (const GoldenCase& golden : file.cases(name + "/")) {
            Tape<double> tape;
            Variables in;
            for (const std::string key : {"a", "b", "c"})
                if (golden.has(key))
                    in.push_back(golden.has("d" + key) ? tape.variable(golden[key]) : tape.constant(golden[key]));
            const Variable<double> y = f(in, golden);
            check_value(golden, "y", y.value());
            ++compared;
            if (!golden.has("dy")) {
                CHECK(!entry.differentiable);
                continue;
            }
            tape.backward(y, golden["dy"]);
            const std::string keys = "abc";
            for (std::size_t k = 0; k < in.size(); ++k)
                if (in[k].requires_grad()) check_gradient(golden, keys.substr(k, 1), in[k].grad());
        }
    }
    CHECK(compared >= 250);
}
