/// docs/operations.md is what the catalogue says. EBB_WRITE_PAGES=1 in the environment writes it anew.

#include <ebb/autograd/operations/catalogue.hpp>
#include <ebb/core/file.hpp>
#include <ebb/layers/catalogue.hpp>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace ebb;

namespace {

const std::string introduction = R"(# Operations

Every operation that a tape records, and every function made of them: this page is written from the catalogue in the
sources, and a test holds it to that.

`x`, `a`, `b`, `c` are arrays of `float` or `double` with 0 to 8 axes; `y` is the result, and `dx` what flows back into
`x` where `dy` flows into `y`. Elementwise operations broadcast as NumPy's; what was broadcast gets the sum. Each
derivative can be derived again. All are in `#include <ebb/ebb.hpp>`; the header named above each table declares them,
with what they throw.

Each operation is compared with central differences at 200 random shapes, places in memory and broadcasts, to the second
derivative, and with PyTorch's values and gradients; [Adding an operation](extending.md) shows how that comes by itself.
*Inputs* says where the derivative exists: there the tests draw their numbers. At the kinks themselves (`relu` at 0, equal
numbers under `max`) the gradient is PyTorch's.
)";

struct Family {
    const char* title;
    const char* header;
    std::vector<CatalogueEntry> entries;
};

std::vector<Family> families() {
    return {{"Elementwise", "ebb/autograd/operations/elementwise.hpp", elementwise_catalogue()},
            {"Over axes", "ebb/autograd/operations/reductions.hpp", reduction_catalogue()},
            {"Softmax", "ebb/autograd/operations/softmax.hpp", softmax_catalogue()},
            {"Products", "ebb/autograd/operations/linear_algebra.hpp", linear_algebra_catalogue()},
            {"Einstein's sum", "ebb/autograd/operations/einsum.hpp", einsum_catalogue()},
            {"Shapes", "ebb/autograd/operations/shape_operations.hpp", shape_catalogue()},
            {"Elements by number", "ebb/autograd/operations/indexing.hpp", indexing_catalogue()},
            {"Dropout", "ebb/autograd/operations/dropout.hpp", dropout_catalogue()},
            {"Losses", "ebb/autograd/operations/losses.hpp", loss_catalogue()},
            {"Steps of recurrent cells", "ebb/layers/recurrent_cells.hpp", recurrent_catalogue()},
            {"Normalisation", "ebb/layers/layer_norm.hpp", normalization_catalogue()}};
}

/// A bar ends a cell of a table.
std::string cell(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

std::string inputs_of(const CatalogueEntry& entry) {
    if (!entry.differentiable) return "no gradient";
    switch (entry.info.domain) {
        case Domain::positive:
            return "x > 0";
        case Domain::nonzero:
            return "away from 0";
        case Domain::distinct:
            return "no two equal";
        case Domain::open_unit:
            return "0 < x < 1";
        default:
            return "any";
    }
}

std::string row_of(const CatalogueEntry& entry) {
    std::string recorded = "itself";
    if (!entry.made_of.empty()) recorded = std::string(entry.made_of);
    return fmt::format("| `{}` | `{}` | `{}` | {} | {} | {} |\n", entry.info.name, cell(entry.info.equation),
                       cell(entry.info.derivative), entry.arity == 0 ? "any" : std::to_string(entry.arity),
                       inputs_of(entry), recorded);
}

std::string page() {
    std::string text = introduction;
    for (const Family& family : families()) {
        text += fmt::format("\n## {}\n\n`{}`\n\n", family.title, family.header);
        text += "| Operation | Value | Gradient | Arrays | Inputs | Records |\n|---|---|---|---|---|---|\n";
        for (const CatalogueEntry& entry : family.entries) text += row_of(entry);
    }
    return text;
}

}  // namespace

TEST_CASE("the page of operations is what the catalogue says") {
    const std::string path = std::string(EBB_GOLDEN_DIR) + "/../../docs/operations.md";
    const std::string expected = page();
    if (const char* const write = std::getenv("EBB_WRITE_PAGES"); write && *write)
        write_file_atomically(path, expected);
    CHECK_MESSAGE(read_text_file(path) == expected, "docs/operations.md is not what the catalogue says: ",
                  "EBB_WRITE_PAGES=1 in the environment of this test writes it");
}

TEST_CASE("no operation is left out of the page") {
    std::set<std::string_view> listed;
    for (const Family& family : families())
        for (const CatalogueEntry& entry : family.entries) CHECK(listed.insert(entry.info.name).second);
    for (const auto& catalogue : {operation_catalogue(), layer_catalogue()})
        for (const CatalogueEntry& entry : catalogue)
            CHECK_MESSAGE(listed.count(entry.info.name) == 1, entry.info.name);
}
