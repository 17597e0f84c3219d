#pragma once

#include <ebb/autograd/variable.hpp>
#include <ebb/core/shape.hpp>
#include <ebb/layers/module.hpp>

#include <string>

namespace ebb {

/// y = (x - mean(x)) / sqrt(var(x) + eps), mean and variance over the last axes, which `normalized_shape` names; the
/// variance is the mean square, without Bessel's correction (Ba, Kiros, Hinton 2016; torch.nn.functional.layer_norm).
/// Then y . weight + bias, where these are defined; they have the shape `normalized_shape`.
///
/// With y before weight and bias, and s = sqrt(var(x) + eps): dx = (dy - mean(dy) - y mean(dy . y)) / s.
/// Throws ShapeError unless x ends in `normalized_shape`, and where weight or bias has another shape; ValueError where
/// `normalized_shape` has no axis or no element, or unless eps is finite and not negative.
template <class T>
Variable<T> layer_norm(const Variable<T>& x, const Shape& normalized_shape, Operand<T> weight = {},
                       Operand<T> bias = {}, double eps = 1e-5, SourceLine at = source_line());

struct LayerNormOptions {
    Shape normalized_shape;  ///< {H}, or the last few axes of what comes in
    double eps = 1e-5;
    bool elementwise_affine = true;  ///< with weight and bias
    bool bias = true;                ///< with bias, where elementwise_affine
    std::string name = {};
};

/// `layer_norm` with a weight that begins as ones and a bias that begins as zeros (torch.nn.LayerNorm).
/// Throws ValueError at construction, ShapeError when called, as `layer_norm` does.
template <class T>
class LayerNorm : public Module<T> {
  public:
    using Options = LayerNormOptions;
    explicit LayerNorm(const Options& options);
    Variable<T> operator()(const Variable<T>& x, SourceLine at = source_line()) const;

    Parameter<T> weight;  ///< normalized_shape; undefined unless elementwise_affine
    Parameter<T> bias;    ///< normalized_shape; undefined without bias

  private:
    Shape normalized_shape_;
    double eps_;
};

}  // namespace ebb
