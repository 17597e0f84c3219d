#include <ebb/autograd/operations/dropout.hpp>
#include <ebb/core/error.hpp>
#include <ebb/layers/drop_connect.hpp>

#include <fmt/format.h>

namespace ebb {

template <class T>
DropConnect<T>::DropConnect(const Module<T>& module, double p, Generator& generator, SourceLine at) {
    const CalledFrom call(at);
    check_probability("DropConnect", p);
    bool any = false;
    for (const auto& [path, weight] : module.named_parameters()) {
        if (!path.substr(path.rfind('.') + 1).starts_with("weight_hh")) continue;
        any = true;
        if (module.training()) weights_.emplace_back(weight, dropout(Variable<T>(weight), p, generator));
    }
    if (!any)
        fail<ValueError>(
            fmt::format("DropConnect: {} has no parameter whose name begins with weight_hh: expected a recurrent layer "
                        "or the weight itself",
                        module.display_name()));
}

template <class T>
DropConnect<T>::DropConnect(const Parameter<T>& weight, double p, Generator& generator, SourceLine at) {
    const CalledFrom call(at);
    check_probability("DropConnect", p);
    weights_.emplace_back(weight, dropout(Variable<T>(weight), p, generator));
}

template class DropConnect<float>;
template class DropConnect<double>;

}  // namespace ebb
