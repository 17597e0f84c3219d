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
/// W and b are drawn from U(-1/sqrt(in), 1/sqrt(in)).
///
/// Given a weight, the layer has that one and draws none, as a readout that is tied to the embedding of what it
/// predicts (Press, Wolf 2017; Inan et al. 2017), which then has as many numbers for a token as the readout has inputs:
///
///     Embedding<float> embedding({.num_embeddings = V, .embedding_dim = H});
///     Linear<float> readout({.in_features = H, .out_features = V}, embedding.weight);
///
/// Throws ValueError for a size of 0, ShapeError for a tied weight of another shape and for an x that does not fit.
template <class T>
class Linear : public Module<T> {
  public:
    using Options = LinearOptions;
    explicit Linear(const Options& options, const Parameter<T>& tied = {});
    Variable<T> operator()(const Variable<T>& x, SourceLine at = source_line()) const;

    Parameter<T> weight;  ///< [out_features, in_features]
    Parameter<T> bias;    ///< [out_features]; undefined without bias
};

}  // namespace ebb
