"""Two steps of the cells with layer normalisation, by PyTorch's layer_norm and autograd, after Ba, Kiros, Hinton 2016:
eq. 4 (RNN), 20 to 22 (LSTM), 23 to 25 (GRU, with PyTorch's reset gate, after the product)."""

import torch
from torch.nn.functional import layer_norm, linear, relu

BATCH, INPUTS, HIDDEN = 3, 4, 5
GATES = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
GAINS = {
    "rnn": {"norm": 1},
    "rnn_relu": {"norm": 1},
    "lstm": {"norm_ih": 4, "norm_hh": 4, "norm_c": 1},
    "gru": {"norm_ih": 2, "norm_hh": 2, "norm_in": 1, "norm_hn": 1},
}


def make(topic):
    for kind in GATES:
        two_steps(topic, kind)


def two_steps(topic, kind):
    case = topic.case(kind)
    rows = GATES[kind] * HIDDEN
    p = {
        "weight_ih": case.variable("weight_ih", rows, INPUTS, scale=0.5),
        "weight_hh": case.variable("weight_hh", rows, HIDDEN, scale=0.5),
        "bias_ih": case.variable("bias_ih", rows, scale=0.5),
        "bias_hh": case.variable("bias_hh", rows, scale=0.5),
    }
    for name, blocks in GAINS[kind].items():
        p[name] = case.variable(f"{name}.weight", blocks * HIDDEN)
    if kind == "lstm":
        p["norm_c.bias"] = case.variable("norm_c.bias", HIDDEN)
    x = case.variable("x", 2, BATCH, INPUTS)
    h = case.variable("h0", BATCH, HIDDEN)
    c = case.variable("c0", BATCH, HIDDEN) if kind == "lstm" else None
    for x_t in x:
        h, c = step(kind, p, x_t, h, c)
    case.outputs(h2=h, **({"c2": c} if kind == "lstm" else {}))


def step(kind, p, x, h, c):
    def norm(name, a):
        return layer_norm(a, a.shape[-1:], p[name], p.get(f"{name}.bias"))

    from_x, from_h = linear(x, p["weight_ih"]), linear(h, p["weight_hh"])
    if kind in ("rnn", "rnn_relu"):
        f = relu if kind == "rnn_relu" else torch.tanh
        return f(norm("norm", from_x + from_h) + p["bias_ih"] + p["bias_hh"]), None
    if kind == "lstm":
        a = norm("norm_ih", from_x) + p["bias_ih"] + norm("norm_hh", from_h) + p["bias_hh"]
        i, f, g, o = a.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(norm("norm_c", c)), c
    both, cut = slice(0, 2 * HIDDEN), slice(2 * HIDDEN, None)
    a = (norm("norm_ih", from_x[:, both]) + p["bias_ih"][both] + norm("norm_hh", from_h[:, both]) + p["bias_hh"][both])
    r, z = torch.sigmoid(a).chunk(2, 1)
    x_n = norm("norm_in", from_x[:, cut]) + p["bias_ih"][cut]
    h_n = norm("norm_hn", from_h[:, cut]) + p["bias_hh"][cut]
    return (1 - z) * torch.tanh(x_n + r * h_n) + z * h, None
