#pragma once

#include <ebb/autograd/operations/catalogue.hpp>

#include <vector>

namespace ebb {

/// Every operation of this folder that a tape records: the fused steps of the cells, and the normalisation.
std::vector<CatalogueEntry> layer_catalogue();

// The same by family.
std::vector<CatalogueEntry> normalization_catalogue();
std::vector<CatalogueEntry> recurrent_catalogue();

}  // namespace ebb
