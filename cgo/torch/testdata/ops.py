"""Writes ops.json: what PyTorch computes for the calls that fixture_test.go makes by the same names.

    /usr/bin/python3 ops.py > ops.json

Made with PyTorch 1.13. Inputs are wave(n, seed) = sin(0.37 i + seed) in float32, so only results are stored.
"""
import json
import math
import sys

import torch
import torch.nn.functional as F


def wave(seed, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(0.37 * i + seed) for i in range(n)], dtype=torch.float64).float().reshape(shape)


def grad(f, *xs):
    xs = [x.clone().requires_grad_() for x in xs]
    return list(torch.autograd.grad((f(*xs) * wave(9, *f(*xs).shape)).sum(), xs))


x = wave(0, 2, 4, 3, 4)
w = wave(1, 3, 4, 3, 3)
wg = wave(1, 4, 2, 3, 3)
wt = wave(2, 4, 3, 3, 3)
b = wave(3, 3)
c4 = wave(4, 4)
d4 = wave(5, 4)
mean, var = wave(6, 4), wave(7, 4).abs() + 0.5
small = wave(8, 1, 2, 5, 7)
t = wave(10, 2, 4, 3, 4)

cases = {
    "conv2d": [F.conv2d(x, w, b)],
    "conv2d stride padding": [F.conv2d(x, w, b, stride=2, padding=1)],
    "conv2d dilation": [F.conv2d(x, w, None, dilation=2, padding=2)],
    "conv2d groups": [F.conv2d(x, wg, c4, groups=2)],
    "conv2d grad": grad(lambda x, w: F.conv2d(x, w, stride=2, padding=1), x, w),
    "conv transpose": [F.conv_transpose2d(x, wt, b)],
    "conv transpose stride": [F.conv_transpose2d(x, wt, None, stride=2, padding=1, output_padding=1)],
    "conv transpose dilation": [F.conv_transpose2d(x, wt, None, dilation=2)],
    "linear": [F.linear(x, wave(1, 3, 4), b)],
    "layer norm": [F.layer_norm(x, (3, 4), wave(1, 3, 4), wave(2, 3, 4), 1e-3)],
    "group norm": [F.group_norm(x, 2, c4, d4, 1e-3)],
    "avg pool": [F.avg_pool2d(x, 2)],
    "max pool": [F.max_pool2d(x, 2)],
    "nearest": [F.interpolate(small, (10, 14))],
    "bilinear up": [F.interpolate(small, (8, 9), mode="bilinear", align_corners=False)],
    "bilinear down": [F.interpolate(small, (2, 3), mode="bilinear", align_corners=False)],
    "antialias down": [F.interpolate(small, (2, 3), mode="bilinear", align_corners=False, antialias=True)],
    "antialias up": [F.interpolate(small, (7, 8), mode="bilinear", align_corners=False, antialias=True)],
    "antialias grad": grad(lambda s: F.interpolate(s, (2, 3), mode="bilinear", align_corners=False, antialias=True), small),
    "reflection pad": [F.pad(small, (2, 1, 3, 0), mode="reflect")],
    "mse": [F.mse_loss(x, t)],
    "l1": [F.l1_loss(x, t)],
    "smooth l1": [F.smooth_l1_loss(x, t, beta=0.4)],
    "bce": [F.binary_cross_entropy_with_logits(x * 30, t.abs())],
    "gelu": [F.gelu(t)],
    "softmax": [F.softmax(x, 1)],
    "log softmax": [F.log_softmax(x, -1)],
}
rm, rv = mean.clone(), var.clone()
cases["batch norm train"] = [F.batch_norm(x, rm, rv, c4, d4, True, 0.2, 1e-3), rm, rv]
cases["batch norm eval"] = [F.batch_norm(x, mean, var, c4, d4, False, 0.2, 1e-3)]

out = {
    k: [{"shape": list(r.shape), "data": [float(f"{v:.7g}") for v in r.flatten().tolist()]} for r in v]
    for k, v in cases.items()
}
json.dump(out, sys.stdout, separators=(",", ":"))
print()
