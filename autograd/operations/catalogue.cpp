#include <ebb/autograd/operations/catalogue.hpp>

namespace ebb {

std::vector<CatalogueEntry> operation_catalogue() {
    std::vector<CatalogueEntry> all;
    for (const auto& family :
         {elementwise_catalogue(), reduction_catalogue(), softmax_catalogue(), linear_algebra_catalogue(),
          einsum_catalogue(), shape_catalogue(), indexing_catalogue(), dropout_catalogue(), loss_catalogue()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

}  // namespace ebb
