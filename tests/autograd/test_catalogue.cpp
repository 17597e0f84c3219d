/// Nothing in the catalogue is left untested.

#include <ebb/autograd/operations/catalogue.hpp>

#include <algorithm>
#include <set>

#include "support/operation_cases.hpp"
#include <doctest/doctest.h>

using namespace ebb;
using namespace ebb::test;

namespace {

std::vector<std::string> without_case(const std::vector<CatalogueEntry>& catalogue,
                                      const std::vector<OperationCase>& cases) {
    std::vector<std::string> result;
    for (const CatalogueEntry& entry : catalogue) {
        const auto has_name = [&](const OperationCase& c) { return c.operation == entry.info.name; };
        if (entry.differentiable && std::none_of(cases.begin(), cases.end(), has_name))
            result.emplace_back(entry.info.name);
    }
    return result;
}

}  // namespace

TEST_CASE("every differentiable operation has a case") {
    std::vector<OperationCase> cases;
    for (const auto& family : {elementwise_cases(), indexing_cases(), linear_algebra_cases(), loss_cases(),
                               reduction_cases(), shape_cases(), softmax_cases()})
        cases.insert(cases.end(), family.begin(), family.end());
    CHECK(without_case(operation_catalogue(), cases) == std::vector<std::string>{});

    // And one without would be seen.
    std::vector<CatalogueEntry> more = operation_catalogue();
    more.push_back({{"new_operation", "", ""}});
    CHECK(without_case(more, cases) == std::vector<std::string>{"new_operation"});
}

TEST_CASE("the catalogue says what it lists") {
    std::set<std::string_view> names;
    for (const CatalogueEntry& entry : operation_catalogue()) {
        CAPTURE(entry.info.name);
        CHECK(names.insert(entry.info.name).second);
        CHECK(!entry.info.equation.empty());
        CHECK(!entry.info.derivative.empty());
    }
    CHECK(names.size() >= 50);
}
