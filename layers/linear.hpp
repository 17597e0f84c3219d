#pragma once

#include <ebb/autograd/variable.hpp>
#include <ebb/layers/module.hpp>

#include <string>

namespace ebb {

struct LinearOptions {
    std::size_t in_features;
    std::size_t out_features;
    bool bias = true;
    std::string name = {};
};

/// y = x W' + b (torch.nn.Linear): x [.., in_features] -> y [.., out_features].
/// W and b are drawn from U(-1/sqrt(in), 1/sqrt(in)). Throws ValueError for a size of 0, ShapeError for an x that does
/// not fit.
template <class T>
class Linear : public Module<T> {
  public:
    using Options = LinearOptions;
    explicit Linear(const Options& options);
    Variable<T> operator()(const Variable<T>& x) const;

    Parameter<T> weight;  ///< [out_features, in_features]
    Parameter<T> bias;    ///< [out_features]; undefined without bias
};

extern template class Linear<float>;
extern template class Linear<double>;

}  // namespace ebb
