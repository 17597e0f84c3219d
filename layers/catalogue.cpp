#include <ebb/layers/catalogue.hpp>

namespace ebb {

std::vector<CatalogueEntry> layer_catalogue() {
    std::vector<CatalogueEntry> all = recurrent_catalogue();
    for (const CatalogueEntry& entry : normalization_catalogue()) all.push_back(entry);
    return all;
}

}  // namespace ebb
