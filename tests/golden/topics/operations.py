"""Every operation of docs/operations.md: values and gradients.

Inputs are a, b, c, in the order of the arguments; a constant among them has no gradient. The output is y.
Elementwise operations come by themselves: they are read from the page, and PyTorch's function is the one of that name.
"""

import pathlib
import re

import numpy as np
import torch
import torch.nn.functional as F

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "operations.md"

# Where PyTorch's function has another name or another form.
ELEMENTWISE = {
    "clamp": lambda x, low, high: torch.clamp(*torch.broadcast_tensors(x, low, high)),
    "where": lambda c, a, b: torch.where(c != 0, a, b),
    "leaky_relu": lambda x, slope: F.leaky_relu(x, float(slope)),
    "elu": lambda x, alpha: F.elu(x, float(alpha)),
    "huber": lambda x, delta: F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=float(delta)),
    "binary_cross_entropy_with_logits": lambda x, t: F.binary_cross_entropy_with_logits(
        *torch.broadcast_tensors(x, t), reduction="none"),
}
# These take a number, and PyTorch gives it no gradient.
WITH_NUMBER = {"leaky_relu": 0.1, "elu": 1.3, "huber": 0.8}
NO_GRADIENT = {"eq", "ne", "lt", "le"}


def make(topic):
    elementwise(topic)
    reductions(topic)
    products(topic)
    shapes(topic)
    indexing(topic)


# ---- elementwise


def listed():
    """(name, number of arrays, domain) of each row in the page's table of elementwise operations."""
    text = PAGE.read_text()
    section = text[text.index("## Elementwise"):]
    section = section[: section.index("\n## ")]
    for row in section.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)]
        if len(cells) > 5 and cells[1].startswith("`"):
            yield cells[1].strip("`"), int(cells[4]), cells[5]


def function(name):
    found = ELEMENTWISE.get(name) or getattr(torch, name, None) or getattr(F, name, None)
    if found is None:
        raise ValueError(f"PyTorch has no {name}: say in ELEMENTWISE what it is")
    return found


def numbers(case, shape, domain):
    normal = case.random.standard_normal(shape)
    if domain.startswith("x > 0"):
        return 0.2 + np.abs(normal)
    if domain.startswith("away from 0"):
        return normal + 0.2 * np.sign(normal)
    return normal


SHAPES = {
    "0d": ((), (), ()),
    "2d": ((3, 5), (3, 5), (3, 5)),
    "broadcast": ((2, 1, 3), (4, 1), (3,)),
    "5d": ((2, 1, 2, 1, 3), (3, 1, 2, 1), (2, 1, 1, 1, 1)),
}
# Kinks and ties: whose share is whose there is a convention, and ours is PyTorch's.
TIES = ([-1.0, 0.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 1.0, 1.0, 2.0])


def elementwise(topic):
    for name, arity, domain in listed():
        for label, shapes in SHAPES.items():
            case = topic.case(f"{name}/{label}")
            elementwise_case(case, name, [numbers(case, shape, domain) for shape in shapes[:arity]])
        if "x > 0" not in domain and name != "div":
            elementwise_case(topic.case(f"{name}/ties"), name, [np.array(x) for x in TIES[:arity]])


def elementwise_case(case, name, arrays):
    inputs = []
    for key, array in zip("abc", arrays):
        if key == "b" and name in WITH_NUMBER:
            inputs.append(case.constant(key, np.array(WITH_NUMBER[name])))
        elif name in NO_GRADIENT or (name == "where" and key == "a"):
            inputs.append(case.constant(key, array))
        else:
            inputs.append(case.variable(key, values=array))
    y = function(name)(*inputs)
    if name in NO_GRADIENT:
        case.constant("y", y.double().numpy())
    else:
        case.outputs(y=y)


# ---- over axes


def reductions(topic):
    over_axes = {
        "sum": lambda x, axes, keep: torch.sum(x, axes, keep),
        "mean": lambda x, axes, keep: torch.mean(x, axes, keep),
        "var": lambda x, axes, keep: torch.var(x, axes, unbiased=True, keepdim=keep),
        "stddev": lambda x, axes, keep: torch.std(x, axes, unbiased=True, keepdim=keep),
        "max": lambda x, axes, keep: torch.amax(x, axes, keep),
        "min": lambda x, axes, keep: torch.amin(x, axes, keep),
        "logsumexp": lambda x, axes, keep: torch.logsumexp(x, axes, keep),
    }
    for name, f in over_axes.items():
        for label, shape, axes, keep in (
            ("1d", (5,), (0,), False),
            ("3d_axis", (2, 4, 3), (1,), False),
            ("3d_axes_kept", (2, 4, 3), (0, 2), True),
            ("5d", (2, 1, 3, 2, 2), (-1, 0, 2), False),
        ):
            case = topic.case(f"{name}/{label}")
            a = case.variable("a", *shape)
            case.constant("axes", np.array(axes))
            case.constant("keepdims", int(keep))
            case.outputs(y=f(a, axes, keep))
    for name in ("max", "min"):
        case = topic.case(f"{name}/ties")
        a = case.variable("a", values=[[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, -1.0, -1.0]])
        case.constant("axes", np.array([1]))
        case.constant("keepdims", 0)
        case.outputs(y=over_axes[name](a, (1,), False))
    for label, correction, keep in (("population", 0, True), ("two", 2, False)):
        for name, f in (("var", torch.var), ("stddev", torch.std)):
            case = topic.case(f"{name}/correction_{label}")
            a = case.variable("a", 3, 4)
            case.constant("axes", np.array([1]))
            case.constant("keepdims", int(keep))
            case.constant("correction", correction)
            case.outputs(y=f(a, dim=(1,), correction=correction, keepdim=keep))
    case = topic.case("stddev/of_equal_numbers")
    a = case.variable("a", values=[[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    case.constant("axes", np.array([1]))
    case.constant("keepdims", 0)
    case.outputs(y=torch.std(a, (1,)))

    for label, shape, axis, keep in (("1d", (5,), 0, False), ("3d", (2, 4, 3), 1, True), ("last", (2, 3), -1, False)):
        case = topic.case(f"prod/{label}")
        a = case.variable("a", *shape)
        case.constant("axes", np.array([axis]))
        case.constant("keepdims", int(keep))
        case.outputs(y=torch.prod(a, axis, keep))
    case = topic.case("prod/zeros")
    a = case.variable("a", values=[[1.5, 0.0, 2.0, -1.0, 3.0], [0.0, 2.0, 0.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    case.constant("axes", np.array([1]))
    case.constant("keepdims", 0)
    case.outputs(y=torch.prod(a, 1))

    for power, p in (("1", 1.0), ("2", 2.0), ("3", 3.0), ("inf", float("inf"))):
        for label, values in (("2d", None), ("zeros", [[0.0, 0.0, 0.0], [0.0, 2.0, -2.0], [1.0, 0.0, 1.0]])):
            case = topic.case(f"norm/p{power}_{label}")
            a = case.variable("a", 4, 3, values=values)
            case.constant("p", p)
            case.constant("axes", np.array([1]))
            case.constant("keepdims", 1)
            case.outputs(y=torch.linalg.vector_norm(a, p, (1,), True))
        case = topic.case(f"norm/p{power}_axes")
        a = case.variable("a", 2, 3, 2)
        case.constant("p", p)
        case.constant("axes", np.array([0, 2]))
        case.constant("keepdims", 0)
        case.outputs(y=torch.linalg.vector_norm(a, p, (0, 2), False))

    for name, f in (("cumsum", torch.cumsum), ("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        for axis in (0, 1, -1):
            case = topic.case(f"{name}/axis_{axis}")
            a = case.variable("a", 2, 4, 3)
            case.constant("axis", axis)
            case.outputs(y=f(a, axis))


# ---- products


def products(topic):
    for a, b in (
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((3,), (2, 3, 4)),
        ((2, 4, 3), (3,)),
        ((2, 4, 3), (2, 3, 5)),
        ((2, 1, 2, 3), (4, 3, 2)),
        ((2, 3, 1, 2), (1, 3, 2, 4)),
        ((2, 1, 2, 2, 3), (3, 1, 3, 2)),
    ):
        case = topic.case(f"matmul/{name_of(a)}_by_{name_of(b)}")
        case.outputs(y=torch.matmul(case.variable("a", *a), case.variable("b", *b)))
    for x in ((3,), (4, 3), (2, 1, 2, 3)):
        case = topic.case(f"linear/{name_of(x)}")
        case.outputs(y=F.linear(case.variable("a", *x), case.variable("b", 5, 3), case.variable("c", 5)))
    for label, equation, shapes in (
        ("product", "ij,jk->ik", ((2, 3), (3, 4))),
        ("batch", "bij,bjk->bik", ((2, 2, 3), (2, 3, 4))),
        ("outer", "i,j->ij", ((3,), (4,))),
        ("inner", "i,i->", ((5,), (5,))),
        ("columns", "ij,kj->ki", ((2, 3), (4, 3))),
        ("hadamard", "ij,ij->ij", ((2, 3), (2, 3))),
        ("summed_alone", "ijk,kl->jl", ((2, 3, 4), (4, 2))),
        ("two_inner", "abcd,cdef->abef", ((2, 1, 2, 3), (2, 3, 2, 2))),
        ("implicit", "ik,kj", ((2, 3), (3, 4))),
        ("diagonal", "iij,jk->ik", ((3, 3, 2), (2, 2))),
        ("by_a_scalar", "ij,->ji", ((2, 3), ())),
        ("attention", "bqhd,bkhd->bhqk", ((2, 3, 2, 2), (2, 4, 2, 2))),
        ("broadcast", "ij,ij->ij", ((1, 3), (2, 3))),
        ("trace", "ii->", ((4, 4),)),
        ("turned", "ijk->kij", ((2, 3, 4),)),
        ("sum", "ijk->j", ((2, 3, 4),)),
        ("ellipsis", "...ij,...jk->...ik", ((2, 3, 2, 4), (3, 4, 2))),
        ("ellipsis_broadcast", "i...,i...->...", ((2, 1, 3), (2, 4, 3))),
        ("ellipsis_implicit", "...j,jk", ((2, 3, 4), (4, 2))),
        ("ellipsis_summed", "...i->i", ((2, 2, 3),)),
    ):
        case = topic.case(f"einsum/{label}")
        inputs = [case.variable(key, *shape) for key, shape in zip("ab", shapes)]
        case.constant("equation", np.array([ord(letter) for letter in equation]))
        case.outputs(y=torch.einsum(equation, *inputs))


# ---- shapes and places


def name_of(shape):
    return "x".join(str(extent) for extent in shape) or "scalar"


def shapes(topic):
    case = topic.case("reshape/2x3x4")
    case.constant("shape", np.array([4, 6]))
    case.outputs(y=case.variable("a", 2, 3, 4).reshape(4, 6))
    case = topic.case("squeeze/2x1x3")
    case.constant("axis", -2)
    case.outputs(y=case.variable("a", 2, 1, 3).squeeze(-2))
    case = topic.case("unsqueeze/2x3")
    case.constant("axis", 1)
    case.outputs(y=case.variable("a", 2, 3).unsqueeze(1))
    case = topic.case("transpose/2x3x4")
    case.constant("axes", np.array([0, -1]))
    case.outputs(y=case.variable("a", 2, 3, 4).transpose(0, -1))
    for order in ((2, 0, 1), (1, 2, 0), (0, 1, 2), (2, 1, 0)):
        case = topic.case(f"permute/{name_of(order)}")
        case.constant("axes", np.array(order))
        case.outputs(y=case.variable("a", 2, 3, 4).permute(order))
    case = topic.case("permute/5d")
    case.constant("axes", np.array([3, 0, 4, 2, 1]))
    case.outputs(y=case.variable("a", 2, 1, 3, 2, 2).permute(3, 0, 4, 2, 1))
    for axes in ((0,), (-1,), (0, 2), (2, 1, 0)):
        case = topic.case(f"flip/{name_of(axes)}")
        case.constant("axes", np.array(axes))
        case.outputs(y=case.variable("a", 2, 3, 4).flip(axes))
    case = topic.case("broadcast_to/3x1")
    case.constant("shape", np.array([2, 3, 5]))
    case.outputs(y=case.variable("a", 3, 1).expand(2, 3, 5))
    case = topic.case("slice/4x5")
    case.constant("range", np.array([1, 2, 4]))
    case.outputs(y=case.variable("a", 4, 5)[:, 2:4])
    case = topic.case("select/4x5x2")
    case.constant("range", np.array([1, -2]))
    case.outputs(y=case.variable("a", 4, 5, 2).select(1, -2))
    case = topic.case("pad/2x3")
    case.constant("range", np.array([1, 2, 1]))
    case.outputs(y=F.pad(case.variable("a", 2, 3), (2, 1)))
    case = topic.case("concat/axis_1")
    case.constant("axis", 1)
    case.outputs(y=torch.cat([case.variable(key, 2, n, 3) for key, n in zip("abc", (1, 3, 2))], 1))
    case = topic.case("stack/axis_-1")
    case.constant("axis", -1)
    case.outputs(y=torch.stack([case.variable(key, 2, 3) for key in "abc"], -1))


def indexing(topic):
    for axis in (0, 1, -1):
        case = topic.case(f"index_select/axis_{axis}")
        case.constant("axis", axis)
        indices = case.constant("indices", np.array([2, 0, 2, 1]))
        case.outputs(y=torch.index_select(case.variable("a", 3, 4, 3), axis, indices))
        case = topic.case(f"index_add/axis_{axis}")
        case.constant("axis", axis)
        indices = case.constant("indices", np.array([2, 0, 2]))
        a, b = case.variable("a", 3, 3, 3), case.variable("b", 3, 3, 3)
        case.outputs(y=torch.index_add(a, axis, indices, b))
    for extremum in (torch.max, torch.min):
        for axis, keepdims in ((0, False), (1, True), (-1, False)):
            case = topic.case(f"{extremum.__name__}_with_indices/axis_{axis}")
            case.constant("axis", axis)
            case.constant("keepdims", int(keepdims))
            found = extremum(case.variable("a", 3, 4, 2), axis, keepdims)
            case.constant("indices", found.indices.numpy())
            case.outputs(y=found.values)
    for label, shape, axis, indices in (
        ("1d", (4,), 0, [3, 0, 0]),
        ("rows", (3, 2), 0, [[2, 0], [2, 2], [0, 1], [1, 1]]),
        ("columns", (3, 4), 1, [[3, 3], [0, 2]]),
        ("3d", (2, 2, 3), -1, [[[2, 0, 0, 1]], [[1, 1, 1, 0]]]),
    ):
        case = topic.case(f"gather/{label}")
        case.constant("axis", axis)
        at = case.constant("indices", np.array(indices))
        case.outputs(y=torch.gather(case.variable("a", *shape), axis, at))
        case = topic.case(f"scatter_add/{label}")
        case.constant("axis", axis)
        at = case.constant("indices", np.array(indices))
        case.outputs(y=torch.scatter_add(case.variable("a", *shape), axis, at, case.variable("b", *at.shape)))
