"""One step of each recurrent cell. B, I, H: batch, input size, hidden size."""

import torch

SIZES = [(1, 1, 1), (1, 3, 4), (2, 1, 3), (3, 5, 1), (4, 3, 7)]
WITHOUT_BIAS = [(1, 3, 4), (4, 3, 7)]


def make(topic):
    for batch, inputs, hidden in SIZES:
        for bias in (True, False) if (batch, inputs, hidden) in WITHOUT_BIAS else (True,):
            name = f"b{batch}_i{inputs}_h{hidden}" + ("" if bias else "_no_bias")

            def rnn(nonlinearity):
                return torch.nn.RNNCell(inputs, hidden, bias=bias, nonlinearity=nonlinearity)

            step(topic, f"rnn_tanh/{name}", rnn("tanh"), batch)
            step(topic, f"rnn_relu/{name}", rnn("relu"), batch)
            step(topic, f"gru/{name}", torch.nn.GRUCell(inputs, hidden, bias=bias), batch)
            step(topic, f"lstm/{name}", torch.nn.LSTMCell(inputs, hidden, bias=bias), batch)


def step(topic, name, cell, batch):
    """x, h0 (c0) and the weights go in, h1 (c1) come out."""
    case = topic.case(name)
    case.parameters(cell)
    x = case.variable("x", batch, cell.input_size)
    h0 = case.variable("h0", batch, cell.hidden_size)
    if isinstance(cell, torch.nn.LSTMCell):
        c0 = case.variable("c0", batch, cell.hidden_size)
        h1, c1 = cell(x, (h0, c0))
        case.outputs(h1=h1, c1=c1)
    else:
        case.outputs(h1=cell(x, h0))
