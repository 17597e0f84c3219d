"""Attention: queries, keys, perhaps values, and the weights of the score go in; context and weights come out.

S, T, B, Q, K, V, A: positions, queries (0 for one without that axis), sequences, and the sizes of a query, a key, a value
and of the hidden layer of an additive score.
"""

import math

import torch


def make(topic):
    for score in ("dot", "scaled_dot", "general", "additive"):
        K = 3 if "dot" in score else 4
        attention(topic, score, "single", S=5, T=0, B=2, Q=3, K=K)
        attention(topic, score, "single_lengths", S=5, T=0, B=3, Q=3, K=K, lengths=[5, 1, 3])
        attention(topic, score, "many_values", S=4, T=2, B=2, Q=3, K=K, V=6)
        attention(topic, score, "many_lengths", S=4, T=3, B=2, Q=3, K=K, lengths=[2, 4])
        attention(topic, score, "causal", S=4, T=4, B=2, Q=3, K=K, V=2, lengths=[4, 2], causal=True)


def attention(topic, score, name, S, T, B, Q, K, V=0, A=5, lengths=None, causal=False):
    case = topic.case(f"{score}/{name}")
    query = case.variable("query", *((T, B, Q) if T else (B, Q)))
    keys = case.variable("keys", S, B, K)
    values = case.variable("values", S, B, V) if V else keys
    many = query if T else query[None]
    if score == "general":
        weight = case.variable("weight", Q, K)
        scores = torch.einsum("tbq,qk,sbk->tbs", many, weight, keys)
    elif score == "additive":
        weight_query = case.variable("weight_query", A, Q)
        weight_key = case.variable("weight_key", A, K)
        weight_score = case.variable("weight_score", A)
        hidden = torch.tanh((many @ weight_query.T)[:, None] + (keys @ weight_key.T)[None])  # [T, S, B, A]
        scores = (hidden @ weight_score).transpose(1, 2)
    else:
        scores = torch.einsum("tbq,sbq->tbs", many, keys) / (math.sqrt(K) if score == "scaled_dot" else 1)
    if lengths:
        case.constant("lengths", lengths)
        scores = scores.masked_fill(torch.arange(S) >= torch.tensor(lengths)[:, None], -math.inf)
    if causal:
        scores = scores.masked_fill((torch.arange(S) > torch.arange(T)[:, None])[:, None], -math.inf)
    weights = torch.softmax(scores, -1)
    context = torch.einsum("tbs,sbv->tbv", weights, values)
    case.outputs(context=context if T else context[0], weights=weights if T else weights[0])
