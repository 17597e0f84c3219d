#pragma once

#include <ebb/autograd/operation_info.hpp>

#include <cstddef>
#include <vector>

namespace ebb {

/// One operation of the engine, as the docs list it and the tests find it.
struct CatalogueEntry {
    OperationInfo info;
    std::size_t arity = 1;
    bool differentiable = true;
};

/// Every elementwise operation.
std::vector<CatalogueEntry> elementwise_catalogue();

}  // namespace ebb
