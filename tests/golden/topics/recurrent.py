"""Recurrent layers in random configurations: layers, directions, lengths, biases, batch_first, projections.

T, B, I, H, P: time steps, batch, input size, hidden size, projected size.
"""

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

KINDS = {
    "rnn_tanh": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
}
CASES = {"rnn_tanh": 45, "rnn_relu": 30, "lstm": 95, "gru": 60}

# The places of the array `options`.
OPTIONS = ["num_layers", "bidirectional", "bias", "batch_first", "proj_size", "hidden_size"]


def make(topic):
    for kind, count in CASES.items():
        # RandomState, since its numbers are the same in every version of numpy.
        random = np.random.RandomState(len(kind))
        for number in range(count):
            configuration(topic, kind, number, random)


def configuration(topic, kind, number, random):
    """x, h0 (c0) where a state is given, the weights and perhaps lengths go in; output and h_n (c_n) come out."""
    steps, batch, inputs, hidden = random.randint(1, 7), random.randint(1, 5), random.randint(1, 4), random.randint(1, 4)
    layers, bidirectional = random.choice([1, 1, 2, 2, 3]), bool(random.randint(2))
    bias, batch_first = random.rand() < 0.8, bool(random.randint(2))
    projected = random.randint(0, hidden) if kind == "lstm" and random.rand() < 0.5 else 0
    order = random.choice(["none", "sorted", "any", "any"])
    state = random.rand() < 0.7
    lengths = random.randint(1, steps + 1, size=batch)
    if order == "sorted":
        lengths = np.sort(lengths)[::-1].copy()

    layer_type, own_options = KINDS[kind]
    options = dict(num_layers=int(layers), bidirectional=bidirectional, bias=bias, batch_first=batch_first)
    if kind == "lstm":
        options["proj_size"] = int(projected)
    layer = layer_type(inputs, hidden, **own_options, **options)
    words = [f"{number:02d}_t{steps}_b{batch}_i{inputs}_h{hidden}_l{layers}"]
    words += ["both"] * bidirectional + ["batch_first"] * batch_first + ["no_bias"] * (not bias)
    words += [f"p{projected}"] * (projected > 0) + [f"lengths_{order}"] * (order != "none") + ["no_state"] * (not state)
    case = topic.case(f"{kind}/{'_'.join(words)}")
    case.flat_parameters(layer)
    places = {**options, "proj_size": projected, "hidden_size": hidden}
    case.constant("options", np.array([places[name] for name in OPTIONS], dtype=np.int64))
    x = case.variable("x", *((batch, steps) if batch_first else (steps, batch)), inputs)
    cells = int(layers) * (2 if bidirectional else 1)
    h0 = case.variable("h0", cells, batch, int(projected) or hidden) if state else None
    c0 = case.variable("c0", cells, batch, hidden) if state and kind == "lstm" else None
    before = (h0, c0) if state and kind == "lstm" else h0

    if order == "none":
        output, after = layer(x, before)
    else:
        case.constant("lengths", lengths.astype(np.int64))
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=batch_first, enforce_sorted=False)
        output, after = layer(packed, before)
        output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=steps)
    if kind == "lstm":
        case.outputs(output=output, h_n=after[0], c_n=after[1])
    else:
        case.outputs(output=output, h_n=after)
