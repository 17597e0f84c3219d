"""Losses. N, C: examples, classes."""

import torch.nn.functional as F

REDUCTIONS = ("mean", "sum", "none")


def make(topic):
    for reduction in REDUCTIONS:
        cross_entropy(topic, f"plain_{reduction}", 5, 4, reduction)
        cross_entropy(topic, f"ignore_{reduction}", 6, 3, reduction, ignore_index=1)
        cross_entropy(topic, f"weighted_{reduction}", 5, 4, reduction, weighted=True)
        cross_entropy(topic, f"weighted_ignore_{reduction}", 7, 3, reduction, weighted=True, ignore_index=-100)
    cross_entropy(topic, "one_class_mean", 2, 1, "mean")
    cross_entropy(topic, "one_example_mean", 1, 5, "mean")
    # exp() of these overflows and underflows.
    cross_entropy(topic, "extreme_mean", 5, 4, "mean", scale=1000.0)

    for reduction in REDUCTIONS:
        mse_loss(topic, f"3_4_{reduction}", (3, 4), reduction)
        mse_loss(topic, f"2_3_2_{reduction}", (2, 3, 2), reduction)
    mse_loss(topic, "1_mean", (1,), "mean")


def cross_entropy(topic, name, examples, classes, reduction, weighted=False, ignore_index=None, scale=1.0):
    case = topic.case(f"cross_entropy/{name}")
    logits = case.variable("logits", examples, classes, scale=scale)
    options = {"reduction": reduction}
    target = case.random.randint(classes, size=examples)
    if ignore_index is not None:
        options["ignore_index"] = int(case.constant("ignore_index", ignore_index))
        target[1::3] = ignore_index
    if weighted:
        options["weight"] = case.constant("weight", case.random.uniform(0.1, 2.0, size=classes))
    case.outputs(loss=F.cross_entropy(logits, case.constant("target", target), **options))


def mse_loss(topic, name, shape, reduction):
    case = topic.case(f"mse_loss/{name}")
    case.outputs(loss=F.mse_loss(case.variable("input", *shape), case.variable("target", *shape), reduction=reduction))
