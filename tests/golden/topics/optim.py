"""Two parameters under given gradients: their values after some of the steps. And learning rates by schedule."""

import numpy as np
import torch

STEPS = 10
KEPT = (1, 2, 10)

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_decay": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.03)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "sgd_dampening": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, dampening=0.4, weight_decay=0.01)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.02)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_betas": (torch.optim.Adam, dict(lr=0.02, betas=(0.7, 0.9), eps=1e-3)),
    "adam_decay": (torch.optim.Adam, dict(lr=0.01, weight_decay=0.1)),
    "adam_amsgrad": (torch.optim.Adam, dict(lr=0.03, betas=(0.5, 0.6), amsgrad=True, weight_decay=0.05)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01)),
    "adamw_decay": (torch.optim.AdamW, dict(lr=0.05, betas=(0.8, 0.95), weight_decay=0.5)),
    "adamw_amsgrad": (torch.optim.AdamW, dict(lr=0.03, betas=(0.5, 0.6), amsgrad=True)),
    "adagrad": (torch.optim.Adagrad, dict(lr=0.1)),
    "adagrad_options": (
        torch.optim.Adagrad,
        dict(lr=0.1, lr_decay=0.2, weight_decay=0.03, initial_accumulator_value=0.5, eps=1e-3),
    ),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
    "rmsprop_centered": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, centered=True, eps=1e-4)),
    "rmsprop_momentum": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.8, momentum=0.7, weight_decay=0.05)),
    "rmsprop_all": (
        torch.optim.RMSprop,
        dict(lr=0.01, alpha=0.8, momentum=0.7, weight_decay=0.05, centered=True, eps=1e-3),
    ),
}

SCHEDULES = {
    "step": (torch.optim.lr_scheduler.StepLR, dict(step_size=4, gamma=0.3)),
    "exponential": (torch.optim.lr_scheduler.ExponentialLR, dict(gamma=0.9)),
    "cosine": (torch.optim.lr_scheduler.CosineAnnealingLR, dict(T_max=12, eta_min=0.01)),
    "warmup": (torch.optim.lr_scheduler.LinearLR, dict(start_factor=0.1, total_iters=7)),
}
PLATEAUS = {
    "plateau_min": dict(mode="min", factor=0.5, patience=2, threshold=0.01, cooldown=3, min_lr=0.02),
    "plateau_max": dict(mode="max", factor=0.7, patience=1, threshold=0.1),
}


def make(topic):
    # The same start and the same gradients for all: each is longer than a register and no multiple of it.
    problem = topic.case("problem")
    shapes = {"weight": (3, 7), "bias": (5,)}
    start, gradients = {}, {}
    for name, shape in shapes.items():
        start[name] = problem.constant(name, problem.random.standard_normal(shape))
        # Sizes from 1e-3 to 1, so that amsgrad's maximum and centered's variance matter.
        sizes = 10.0 ** problem.random.uniform(-3, 0, (STEPS, *shape))
        gradients[name] = problem.constant(f"d{name}", sizes * problem.random.standard_normal((STEPS, *shape)))

    for name, (kind, options) in OPTIMIZERS.items():
        case = topic.case(name)
        parameters = {key: torch.nn.Parameter(value.clone()) for key, value in start.items()}
        optimizer = kind(list(parameters.values()), foreach=False, **options)
        for step in range(STEPS):
            for key, parameter in parameters.items():
                parameter.grad = gradients[key][step].clone()
            optimizer.step()
            if step + 1 in KEPT:
                for key, parameter in parameters.items():
                    case.constant(f"{key}_after_{step + 1}", parameter.detach().numpy().copy())

    for name, (kind, options) in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        schedule = kind(optimizer, **options)
        rates = []
        for _ in range(30):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        topic.case(name).constant("rates", np.array(rates))

    for name, options in PLATEAUS.items():
        case = topic.case(name)
        trend = np.arange(1, 41) ** (-1.0 if options["mode"] == "min" else 0.3)
        metrics = case.constant("metrics", 1 + trend * (1 + 0.3 * case.random.standard_normal(40)))
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for metric in metrics:
            schedule.step(float(metric))
            rates.append(optimizer.param_groups[0]["lr"])
        case.constant("rates", np.array(rates))
