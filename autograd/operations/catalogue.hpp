#pragma once

#include <ebb/autograd/operation_info.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace ebb {

/// One operation of the engine, as the docs list it and the tests find it.
struct CatalogueEntry {
    OperationInfo info;
    std::size_t arity = 1;  ///< the number of inputs that a gradient can flow into; 0 for any number
    bool differentiable = true;
    std::string_view
        made_of{};  ///< of a function that records no node of its own, `mean` for instance: what it records
};

/// A function made of operations.
constexpr CatalogueEntry derived(std::string_view name, std::string_view equation, std::string_view derivative,
                                 std::string_view made_of, std::size_t arity = 1, Domain domain = Domain::real) {
    return {{name, equation, derivative, domain}, arity, true, made_of};
}

/// Every operation of this folder that a tape records, and the functions that are made of them.
std::vector<CatalogueEntry> operation_catalogue();

// The same by family, in the order of their sources.
std::vector<CatalogueEntry> elementwise_catalogue();  ///< in the order of `formulas::Formulas`
std::vector<CatalogueEntry> dropout_catalogue();
std::vector<CatalogueEntry> einsum_catalogue();
std::vector<CatalogueEntry> indexing_catalogue();
std::vector<CatalogueEntry> linear_algebra_catalogue();
std::vector<CatalogueEntry> loss_catalogue();
std::vector<CatalogueEntry> reduction_catalogue();
std::vector<CatalogueEntry> shape_catalogue();
std::vector<CatalogueEntry> softmax_catalogue();

}  // namespace ebb
