#pragma once

#include <ebb/autograd/operation_info.hpp>

#include <cstddef>
#include <vector>

namespace ebb {

/// One operation of the engine, as the docs list it and the tests find it.
struct CatalogueEntry {
    OperationInfo info;
    std::size_t arity = 1;  ///< the number of inputs that a gradient can flow into; 0 for any number
    bool differentiable = true;
};

/// Every operation of this folder that a tape records. Functions that are made from them, `mean` for instance, are not
/// listed.
std::vector<CatalogueEntry> operation_catalogue();

// The same by family, in the order of their sources.
std::vector<CatalogueEntry> elementwise_catalogue();  ///< in the order of `formulas::Formulas`
std::vector<CatalogueEntry> indexing_catalogue();
std::vector<CatalogueEntry> linear_algebra_catalogue();
std::vector<CatalogueEntry> loss_catalogue();
std::vector<CatalogueEntry> reduction_catalogue();
std::vector<CatalogueEntry> shape_catalogue();
std::vector<CatalogueEntry> softmax_catalogue();

}  // namespace ebb
