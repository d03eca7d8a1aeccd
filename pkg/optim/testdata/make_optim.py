#!/usr/bin/env python3
"""Writes optim.json: parameters and state after 1, 10 and 100 steps of PyTorch's optimisers.

Run with any PyTorch from 1.13 on: python3 make_optim.py > optim.json
The gradients are a formula that the Go test repeats. The second parameter has none in every third step, and the learning
rate is divided by ten for the last half.
"""
import json
import math
import torch

SHAPES = [[2, 3], [4], []]
SAVE = (1, 10, 100)


def numbers(i, n, t):
    """Element k of gradient i at step t; the initial values are those of step 0."""
    return [math.sin(0.37 * t * (k + 1) + 1.3 * i + 0.7 * k) * (0.1 + 0.05 * (t % 7)) + 0.3 * (i - 1) for k in range(n)]


def tensor(i, t):
    n = math.prod(SHAPES[i])
    return torch.tensor(numbers(i, n, t), dtype=torch.float64).reshape(SHAPES[i]).float()


def dump(t):
    return {"shape": list(t.shape), "data": [float("%.9g" % v) for v in t.detach().double().flatten().tolist()]}


def state(opt):
    out = {}
    for i, slots in opt.state_dict()["state"].items():
        for name, v in slots.items():
            if v is not None:
                out["%d.%s" % (i, name)] = dump(torch.as_tensor(float(v)) if not torch.is_tensor(v) else v)
    return out


def run(name, cls, **options):
    params = [torch.nn.Parameter(tensor(i, 0)) for i in range(len(SHAPES))]
    opt = cls(params, foreach=False, **options)
    saved = []
    for t in range(1, 101):
        for i, p in enumerate(params):
            p.grad = None if i == 1 and t % 3 == 0 else tensor(i, t)
        if t == 51:
            for g in opt.param_groups:
                g["lr"] /= 10
        opt.step()
        if t in SAVE:
            saved.append({"step": t, "params": [dump(p) for p in params], "state": state(opt)})
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}
    return json.dumps({"name": name, "class": cls.__name__, "options": options, "saved": saved})


def clip(max_norm):
    params = [torch.nn.Parameter(tensor(i, 0)) for i in range(len(SHAPES))]
    for i, p in enumerate(params):
        p.grad = tensor(i, 5)
    norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
    return json.dumps({"max": max_norm, "norm": norm.item(), "grads": [dump(p.grad) for p in params]})


o = torch.optim
runs = [
    run("adam", o.Adam, lr=1e-2),
    run("adam_wgan", o.Adam, lr=1e-2, betas=(0.0, 0.9)),
    run("adam_decay_eps", o.Adam, lr=1e-2, betas=(0.5, 0.99), eps=1e-3, weight_decay=0.1),
    run("adam_amsgrad", o.Adam, lr=1e-2, amsgrad=True),
    run("adamw", o.AdamW, lr=1e-2, weight_decay=0.1),
    run("adamw_amsgrad", o.AdamW, lr=1e-2, weight_decay=0.01, amsgrad=True),
    run("rmsprop", o.RMSprop, lr=1e-3),
    run("rmsprop_alpha", o.RMSprop, lr=1e-3, alpha=0.9, eps=1e-4, weight_decay=0.1),
    run("rmsprop_momentum", o.RMSprop, lr=1e-3, momentum=0.8),
    run("rmsprop_centered", o.RMSprop, lr=1e-3, centered=True),
    run("rmsprop_all", o.RMSprop, lr=1e-3, centered=True, momentum=0.5, weight_decay=0.01),
    run("sgd", o.SGD, lr=1e-2),
    run("sgd_decay", o.SGD, lr=1e-2, weight_decay=0.1),
    run("sgd_momentum", o.SGD, lr=1e-2, momentum=0.9),
    run("sgd_dampening", o.SGD, lr=1e-2, momentum=0.9, dampening=0.3),
    run("sgd_nesterov", o.SGD, lr=1e-2, momentum=0.9, nesterov=True, weight_decay=0.01),
]
print('{"runs": [\n' + ",\n".join(runs) + '],\n"clips": [\n' + ",\n".join(clip(m) for m in (0.5, 1.0, 100.0)) + "]}")
