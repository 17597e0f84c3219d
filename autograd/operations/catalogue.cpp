#include <ebb/autograd/operations/catalogue.hpp>

namespace ebb {

std::vector<CatalogueEntry> operation_catalogue() {
    std::vector<CatalogueEntry> all;
    for (const auto& family : {elementwise_catalogue(), indexing_catalogue(), linear_algebra_catalogue(),
                               loss_catalogue(), reduction_catalogue(), shape_catalogue(), softmax_catalogue()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace ebb
