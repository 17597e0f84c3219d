"""Layers. T, B, I, H: time steps, batch, input size, hidden size."""

import torch

KINDS = {
    "rnn_tanh": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
}

# Each is made for all kinds. `options` are PyTorch's; `state` says whether the initial state is given or left out.
CONFIGURATIONS = [
    {"sizes": (1, 2, 3, 4), "state": True},
    {"sizes": (1, 1, 2, 1), "state": False},
    {"sizes": (2, 1, 1, 5), "state": True},
    {"sizes": (2, 3, 2, 3), "state": False},
    {"sizes": (7, 3, 4, 2), "state": True},
    {"sizes": (7, 2, 3, 3), "state": False, "options": {"bias": False}},
    {"sizes": (20, 2, 3, 5), "state": True},
    {"sizes": (20, 1, 2, 4), "state": False},
]


def make(topic):
    for kind in KINDS:
        for configuration in CONFIGURATIONS:
            recurrent(topic, kind, **configuration)
    # The unrolled tanh RNN of the tutorial.
    recurrent(topic, "rnn_tanh", sizes=(5, 3, 10, 20), state=True)

    for shape, features in [((1, 1), 1), ((4, 3), 5), ((3,), 2), ((2, 3, 4), 2)]:
        linear(topic, shape, features)
    linear(topic, (4, 3), 5, bias=False)

    embedding(topic, "repeated", 4, 3, [2, 0, 2, 3, 2, 0])
    embedding(topic, "sequence", 5, 2, [[1, 4, 1], [0, 1, 3]])
    embedding(topic, "one", 1, 1, [0])


def recurrent(topic, kind, sizes, state, options=None):
    """x, h0 (c0) where a state is given, and the weights go in; output and h_n (c_n) come out."""
    options = options or {}
    steps, batch, inputs, hidden = sizes
    layer_type, own_options = KINDS[kind]
    layer = layer_type(inputs, hidden, **own_options, **options)
    words = [f"t{steps}_b{batch}_i{inputs}_h{hidden}"]
    words += [("no_" if value is False else "") + option + ("" if isinstance(value, bool) else f"_{value}")
              for option, value in options.items()]
    words += [] if state else ["no_state"]
    case = topic.case(f"{kind}/{'_'.join(words)}")
    case.parameters(layer)
    x = case.variable("x", *((batch, steps) if layer.batch_first else (steps, batch)), inputs)
    states = layer.num_layers * (2 if layer.bidirectional else 1)
    h0 = case.variable("h0", states, batch, layer.proj_size or hidden) if state else None
    if kind == "lstm":
        c0 = case.variable("c0", states, batch, hidden) if state else None
        output, (h_n, c_n) = layer(x, (h0, c0) if state else None)
        case.outputs(output=output, h_n=h_n, c_n=c_n)
    else:
        output, h_n = layer(x, h0)
        case.outputs(output=output, h_n=h_n)


def linear(topic, shape, features, bias=True):
    name = "_".join(map(str, shape)) + f"_to_{features}" + ("" if bias else "_no_bias")
    case = topic.case(f"linear/{name}")
    layer = case.parameters(torch.nn.Linear(shape[-1], features, bias=bias))
    case.outputs(y=layer(case.variable("x", *shape)))


def embedding(topic, name, rows, features, indices):
    case = topic.case(f"embedding/{name}")
    layer = case.parameters(torch.nn.Embedding(rows, features))
    case.outputs(y=layer(case.constant("indices", indices)))
