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

    for reduction in REDUCTIONS:
        cross_entropy(topic, f"smoothed_{reduction}", 4, 3, reduction, weighted=True, ignore_index=2, smoothing=0.2)
        difference_loss(topic, "l1_loss", F.l1_loss, reduction)
        difference_loss(topic, "huber_loss", F.huber_loss, reduction, delta=0.7)
        nll_loss(topic, reduction)
        binary_cross_entropy(topic, f"plain_{reduction}", reduction)
        binary_cross_entropy(topic, f"weighted_{reduction}", reduction, weighted=True)
    difference_loss(topic, "l1_loss", F.l1_loss, "mean", name="ties", equal=True)
    difference_loss(topic, "huber_loss", F.huber_loss, "mean", name="ties", equal=True, delta=0.7)


def cross_entropy(topic, name, examples, classes, reduction, weighted=False, ignore_index=None, scale=1.0,
                  smoothing=None):
    case = topic.case(f"cross_entropy/{name}")
    logits = case.variable("logits", examples, classes, scale=scale)
    options = {"reduction": reduction}
    target = case.random.randint(classes, size=examples)
    if ignore_index is not None:
        options["ignore_index"] = int(case.constant("ignore_index", ignore_index))
        target[1::3] = ignore_index
    if weighted:
        options["weight"] = case.constant("weight", case.random.uniform(0.1, 2.0, size=classes))
    if smoothing is not None:
        options["label_smoothing"] = float(case.constant("label_smoothing", smoothing))
    case.outputs(loss=F.cross_entropy(logits, case.constant("target", target), **options))


def mse_loss(topic, name, shape, reduction):
    case = topic.case(f"mse_loss/{name}")
    case.outputs(loss=F.mse_loss(case.variable("input", *shape), case.variable("target", *shape), reduction=reduction))


def difference_loss(topic, kind, function, reduction, name="3_4", equal=False, **options):
    case = topic.case(f"{kind}/{name}_{reduction}")
    a = case.variable("input", 3, 4)
    b = case.variable("target", 3, 4, values=a.detach().numpy() if equal else None)
    for option, value in options.items():
        case.constant(option, value)
    case.outputs(loss=function(a, b, reduction=reduction, **options))


def nll_loss(topic, reduction):
    case = topic.case(f"nll_loss/weighted_{reduction}")
    x = case.variable("logits", 5, 4)
    target = case.random.randint(4, size=5)
    target[1] = -100
    weight = case.constant("weight", case.random.uniform(0.1, 2.0, size=4))
    case.outputs(loss=F.nll_loss(x, case.constant("target", target), weight, reduction=reduction))


def binary_cross_entropy(topic, name, reduction, weighted=False):
    case = topic.case(f"binary_cross_entropy_with_logits/{name}")
    x = case.variable("logits", 3, 4, scale=3.0)
    target = case.constant("target", case.random.uniform(size=(3, 4)))
    options = {}
    if weighted:
        options["weight"] = case.constant("weight", case.random.uniform(0.1, 2.0, size=(3, 1)))
        options["pos_weight"] = case.constant("pos_weight", case.random.uniform(0.5, 3.0, size=4))
    case.outputs(loss=F.binary_cross_entropy_with_logits(x, target, reduction=reduction, **options))
