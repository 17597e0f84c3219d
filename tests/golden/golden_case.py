"""One case of a topic: what goes in, what comes out, and the gradients that flow back."""

import zlib

import numpy as np
import torch


class Topic:
    """The arrays of one file, named CASE/ARRAY."""

    def __init__(self):
        self.arrays = {}
        self._cases = set()

    def case(self, name):
        if name in self._cases:
            raise ValueError(f"there are two cases {name}")
        self._cases.add(name)
        return Case(self, name)

    def add(self, name, array):
        if name in self.arrays:
            raise ValueError(f"there are two arrays {name}")
        # np.array, and not ascontiguousarray: that makes [1] of a scalar's [].
        self.arrays[name] = np.array(array, order="C")


class Case:
    """Draws inputs, takes outputs, and keeps the gradient of each `x` as `dx`.

    For an input `x` that is a variable, `dx` is dL/dx; for an output `y`, `dy` is the random cotangent that flows in,
    so that L is the sum of <dy, y> over all outputs.
    """

    def __init__(self, topic, name):
        self._topic = topic
        self._name = name
        self._variables = {}
        self._flat = []
        # The seed is the name, so that a new case leaves the others as they are; RandomState, since its numbers are
        # the same in every version of numpy.
        self.random = np.random.RandomState(zlib.crc32(name.encode()))

    def _add(self, name, tensor):
        self._topic.add(f"{self._name}/{name}", tensor.detach().numpy())

    def variable(self, name, *shape, scale=1.0, values=None):
        """An input whose gradient is wanted: normal numbers times `scale`, or `values`."""
        if values is None:
            values = scale * self.random.standard_normal(shape)
        tensor = torch.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)
        self._variables[name] = tensor
        self._add(name, tensor)
        return tensor

    def constant(self, name, values):
        """An input without a gradient: numbers or, as int64, indices and options."""
        tensor = torch.tensor(np.asarray(values))
        self._add(name, tensor)
        return tensor

    def parameters(self, module, scale=0.5):
        """Gives a torch module new weights, normal numbers times `scale`, and makes them variables."""
        for name, parameter in module.named_parameters():
            parameter.data = torch.tensor(scale * self.random.standard_normal(tuple(parameter.shape)))
            self._variables[name] = parameter
            self._add(name, parameter)
        return module

    def flat_parameters(self, module, scale=0.5):
        """As `parameters`, kept one after another in one array, `parameters`: for topics of many small cases."""
        for parameter in module.parameters():
            parameter.data = torch.tensor(scale * self.random.standard_normal(tuple(parameter.shape)))
        self._flat = list(module.parameters())
        self._add("parameters", torch.cat([parameter.flatten() for parameter in self._flat]))
        return module

    def outputs(self, **outputs):
        """Ends the case: keeps the outputs, sends a cotangent into each, and keeps the variables' gradients."""
        cotangents = []
        for name, output in outputs.items():
            cotangent = torch.tensor(np.asarray(self.random.standard_normal(tuple(output.shape))))
            cotangents.append(cotangent)
            self._add(name, output)
            self._add("d" + name, cotangent)
        variables = list(self._variables.values()) + self._flat
        gradients = torch.autograd.grad(list(outputs.values()), variables, cotangents)
        for name, gradient in zip(self._variables, gradients):
            self._add("d" + name, gradient)
        if self._flat:
            flat = gradients[len(self._variables) :]
            self._add("dparameters", torch.cat([gradient.flatten() for gradient in flat]))
