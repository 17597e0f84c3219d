"""Layer normalisation: x, and weight and bias where there are any, go in; y comes out."""

import torch


def make(topic):
    layer_norm(topic, "plain", (4, 5), (5,), affine=False)
    layer_norm(topic, "affine", (3, 2, 7), (7,))
    layer_norm(topic, "two_axes", (4, 3, 2), (3, 2))
    layer_norm(topic, "no_bias", (5, 3), (3,), bias=False)
    layer_norm(topic, "large_eps", (2, 4), (4,), eps=0.5)


def layer_norm(topic, name, shape, normalized_shape, affine=True, bias=True, eps=1e-5):
    case = topic.case(f"layer_norm/{name}")
    x = case.variable("x", *shape)
    weight = case.variable("weight", *normalized_shape) if affine else None
    bias = case.variable("bias", *normalized_shape) if affine and bias else None
    case.outputs(y=torch.nn.functional.layer_norm(x, normalized_shape, weight, bias, eps))
