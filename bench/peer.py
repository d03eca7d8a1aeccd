"""The Python side of `make bench`: the steps of `tigas-train gan` in PyTorch, on the same libtorch.

usage: peer.py recipe|tuned DETECTOR RESOLUTION BATCH STEPS THREADS

recipe  the habits of the original text: the detector is only put into eval mode, and the generator's backward fills the
        critic's gradients, which the next zero_grad throws away
tuned   the detector's parameters are frozen, and gradients are taken for one network at a time
Prints JSON: seconds to the first step since the process began, and the median seconds of a step.
"""
import json
import math
import os
import sys
import time

t_start = time.time() - float(open("/proc/uptime").read().split()[0]) + int(open("/proc/self/stat").read().split()[21]) / os.sysconf("SC_CLK_TCK")
mode, path, res, batch, steps, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])

import torch
import torch.nn as nn

torch.set_num_threads(threads)
torch.manual_seed(0)
LATENT, WIDTH = 64, 16


def generator():
    w = WIDTH * res // 8
    l = [nn.ConvTranspose2d(LATENT, w, 4, bias=False), nn.BatchNorm2d(w), nn.ReLU()]
    size = 8
    while size < res:
        l += [nn.ConvTranspose2d(w, w // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(w // 2), nn.ReLU()]
        w, size = w // 2, size * 2
    return nn.Sequential(*l, nn.ConvTranspose2d(w, 3, 4, 2, 1, bias=False), nn.Tanh())


def critic():
    w, size = WIDTH, res // 2
    l = [nn.Conv2d(3, w, 4, 2, 1), nn.LeakyReLU(0.2)]
    while size > 4:
        l += [nn.Conv2d(w, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2)]
        w, size = 2 * w, size // 2
    return nn.Sequential(*l, nn.Conv2d(w, 1, 4))


G, D = generator(), critic()
tigas = torch.jit.load(path).eval()
for p in tigas.parameters():
    p.requires_grad_(mode == "recipe")
opt_g = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.0, 0.9))
opt_d = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.0, 0.9))
data = [torch.rand(batch, 3, res, res) * 2 - 1 for _ in range(16)]


def step(i):
    for k in range(5):
        real = data[(5 * i + k) % len(data)]
        opt_d.zero_grad()
        with torch.no_grad():
            fake = G(torch.randn(batch, LATENT, 1, 1))
        loss = D(fake).mean() - D(real).mean()
        e = torch.rand(batch, 1, 1, 1)
        x = torch.lerp(fake, real, e).requires_grad_(True)
        g, = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        loss = loss + 10 * ((g.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
        loss.backward()
        opt_d.step()
    opt_g.zero_grad()
    if mode == "tuned":
        for p in D.parameters():
            p.requires_grad_(False)
    fake = G(torch.randn(batch, LATENT, 1, 1))
    adversarial = -D(fake).mean()
    term = 1 - tigas((fake + 1) / 2).mean()
    (adversarial + 0.1 * term).backward()
    opt_g.step()
    if mode == "tuned":
        for p in D.parameters():
            p.requires_grad_(True)
    return adversarial.item(), term.item()


times, first = [], None
for i in range(steps):
    t = time.perf_counter()
    values = step(i)
    assert all(map(math.isfinite, values))
    times.append(time.perf_counter() - t)
    if first is None:
        first = time.time() - t_start
print(json.dumps({"first": first, "step": sorted(times[1:])[len(times[1:]) // 2]}))
