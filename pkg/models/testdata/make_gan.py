#!/usr/bin/env python3
"""Writes gan.json: names, shapes, outputs and gradients of the GAN networks, written down again in PyTorch.

Run with any PyTorch from 1.13 on: python3 make_gan.py > gan.json
The DCGAN pair is that of PyTorch's examples, the ResNet pair that of Mimicry's WGAN-GP. Weights and inputs are a formula
that the Go test repeats, so only results are stored. The networks are also those of bench/reference.
"""
import json
import math
import torch
import torch.nn.functional as F
from torch import nn

from formula import numbers, results

LATENT, WIDTH, BATCH = 6, 2, 2


def norm(name, c):
    return {"none": [], "batch": [nn.BatchNorm2d(c)], "layer": [nn.GroupNorm(1, c)]}[name]


class DCG(nn.Module):
    def __init__(self, r, latent=LATENT, width=WIDTH):
        super().__init__()
        w = width * r // 8
        l = [nn.ConvTranspose2d(latent, w, 4, 1, 0, bias=False), nn.BatchNorm2d(w), nn.ReLU(True)]
        for _ in range(int(math.log2(r)) - 3):
            l += [nn.ConvTranspose2d(w, w // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(w // 2), nn.ReLU(True)]
            w //= 2
        self.main = nn.Sequential(*l, nn.ConvTranspose2d(w, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z):
        return self.main(z[:, :, None, None])


class DCD(nn.Module):
    def __init__(self, r, n, width=WIDTH):
        super().__init__()
        w, bias = width, n != "batch"
        l = [nn.Conv2d(3, w, 4, 2, 1, bias=bias), nn.LeakyReLU(0.2)]
        for _ in range(int(math.log2(r)) - 3):
            l += [nn.Conv2d(w, 2 * w, 4, 2, 1, bias=bias), *norm(n, 2 * w), nn.LeakyReLU(0.2)]
            w *= 2
        self.main = nn.Sequential(*l, nn.Conv2d(w, 1, 4, bias=bias))

    def forward(self, x):
        return self.main(x).flatten()


class GBlock(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(i, o, 3, 1, 1), nn.Conv2d(o, o, 3, 1, 1)
        self.b1, self.b2 = nn.BatchNorm2d(i), nn.BatchNorm2d(o)
        self.c_sc = nn.Conv2d(i, o, 1)

    def forward(self, x):
        up = lambda t: F.interpolate(t, scale_factor=2, mode="bilinear", align_corners=False)
        return self.c2(F.relu(self.b2(self.c1(up(F.relu(self.b1(x))))))) + self.c_sc(up(x))


class DBlock(nn.Module):
    def __init__(self, i, o, down, first, n):
        super().__init__()
        h = o if first else i
        self.c1, self.c2, self.down, self.first = nn.Conv2d(i, h, 3, 1, 1), nn.Conv2d(h, o, 3, 1, 1), down, first
        if n != "none" and not first:
            self.norm1, self.norm2 = norm(n, i)[0], norm(n, h)[0]
        if i != o or down:
            self.c_sc = nn.Conv2d(i, o, 1)

    def forward(self, x):
        h = x
        if not self.first:
            h = F.relu(self.norm1(h) if hasattr(self, "norm1") else h)
        h = self.c1(h)
        h = self.c2(F.relu(self.norm2(h) if hasattr(self, "norm2") else h))
        s = self.c_sc(x) if hasattr(self, "c_sc") else x
        return F.avg_pool2d(h, 2) + F.avg_pool2d(s, 2) if self.down else h + s


# Multiples of the width after the first layer and after each block of the generator, as Mimicry has them.
WIDTHS = {32: [1, 1, 1, 1], 64: [16, 8, 4, 2, 1], 128: [16, 16, 8, 4, 2, 1]}
# The critic's blocks: multiple of the width, and whether the block halves the size.
CRITIC = {
    32: [(1, True), (1, True), (1, False), (1, False)],
    64: [(1, True), (2, True), (4, True), (8, True), (16, True)],
    128: [(1, True), (2, True), (4, True), (8, True), (16, True), (16, False)],
}


class ResG(nn.Module):
    def __init__(self, r):
        super().__init__()
        w = [WIDTH * k for k in WIDTHS[r]]
        self.l1 = nn.Linear(LATENT, 16 * w[0])
        self.blocks = []
        for i in range(1, len(w)):
            self.blocks.append(GBlock(w[i - 1], w[i]))
            self.add_module("block%d" % (i + 1), self.blocks[-1])
        self.bn, self.conv = "b%d" % (len(w) + 1), "c%d" % (len(w) + 1)
        self.add_module(self.bn, nn.BatchNorm2d(w[-1]))
        self.add_module(self.conv, nn.Conv2d(w[-1], 3, 3, 1, 1))

    def forward(self, z):
        h = self.l1(z).view(len(z), -1, 4, 4)
        for b in self.blocks:
            h = b(h)
        return torch.tanh(getattr(self, self.conv)(F.relu(getattr(self, self.bn)(h))))


class ResD(nn.Module):
    def __init__(self, r, n):
        super().__init__()
        i, self.blocks = 3, []
        for k, (w, down) in enumerate(CRITIC[r]):
            self.blocks.append(DBlock(i, w * WIDTH, down, k == 0, n))
            self.add_module("block%d" % (k + 1), self.blocks[-1])
            i = w * WIDTH
        self.last = "l%d" % (len(self.blocks) + 1)
        self.add_module(self.last, nn.Linear(i, 1))

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return getattr(self, self.last)(F.relu(x).mean((2, 3))).flatten()


def main():
    out = []
    for arch, G, D in (("dcgan", DCG, DCD), ("resnet", ResG, ResD)):
        for r in (32, 64, 128):
            z = torch.from_numpy(numbers(50, BATCH * LATENT)).float().reshape(BATCH, LATENT)
            x = torch.from_numpy(numbers(51, BATCH * 3 * r * r)).float().reshape(BATCH, 3, r, r)
            for n in ("none", "batch", "layer") if r == 32 else ("none",):
                for train in (True, False) if n == "batch" else (True,):
                    out.append(json.dumps({
                        "arch": arch, "resolution": r, "norm": n, "train": train,
                        "generator": results(G(r), z.clone(), train), "critic": results(D(r, n), x.clone(), train),
                    }))
    print("[" + ",\n".join(out) + "]")


if __name__ == "__main__":
    main()
