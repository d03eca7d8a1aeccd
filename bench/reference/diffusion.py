#!/usr/bin/env python3
"""Denoising diffusion (Ho et al. 2020, arXiv 2006.11239; the cosine schedule of arXiv 2102.09672; min-SNR weights of arXiv
2303.09556) with the TIGAS term, in PyTorch.

    python3 diffusion.py > ../../pkg/trainers/testdata/trajectory_diffusion.json

The term scores the images that the network's output stands for, where enough of them is left in the noise, each with the
weight alpha_bar(t) / N.

Draws from choice: uniform numbers [N], times T and rounded down the timesteps. From noise: the noise [N, 3, R, R].
"""
import copy
import math

import torch

from common import Log, Tigas, average, formula, generators, grad_norm, prepared, rand, randn, record
from formula import fill
from make_unet import UNet, config

SMALL = config(16, [8, 16], 1, [False, True], 8, True, 4, 1e-5, True, 0, False)


def cosine_alpha_bars(steps):
    """The share of the image's variance that is left at each timestep, in float64."""
    left = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = [min(1 - left((t + 1) / steps) / left(t / steps), 0.999) for t in range(steps)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0)


class Diffusion:
    def __init__(self, tigas, net=SMALL, predict="v", steps=1000, gamma=5.0, lr=2e-4, warmup=10, weight_decay=0.01, clip=1.0,
                 ema=0.9999, seed=0):
        self.tigas, self.predict, self.T, self.gamma, self.clip, self.max_decay = tigas, predict, steps, gamma, clip, ema
        self.net = prepared(UNet(net), fill)
        self.ema = copy.deepcopy(self.net).eval()
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=lr, weight_decay=weight_decay)
        rise = lambda i: min(1, i / warmup) if warmup else 1
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.opt, rise)
        self.bars = cosine_alpha_bars(steps)
        # At less signal nobody can judge the image; for eps its gradient grows with the noise's share.
        self.limit = int((self.bars >= (0.5 if predict == "eps" else 0.25)).sum())
        self.noise, self.choice = generators(seed)
        self.size = net["resolution"]

    def levels(self, t):
        bar = self.bars[t].view(-1, 1, 1, 1)
        return bar.sqrt().to(torch.get_default_dtype()), (1 - bar).sqrt().to(torch.get_default_dtype())

    def target(self, x, noise, t):
        signal, sigma = self.levels(t)
        return {"eps": noise, "x0": x, "v": signal * noise - sigma * x}[self.predict]

    def x0(self, out, noisy, t):
        signal, sigma = self.levels(t)
        if self.predict == "eps":
            return (noisy - sigma * out) / signal
        return out if self.predict == "x0" else signal * noisy - sigma * out

    def weights(self, t):
        snr = self.bars[t] / (1 - self.bars[t])
        w = snr.clamp(max=self.gamma)
        return {"eps": w / snr, "x0": w, "v": w / (snr + 1)}[self.predict].to(torch.get_default_dtype())

    def step(self, i, real):
        log = Log()
        x = real()
        n = len(x)
        t = (rand(self.choice, n) * self.T).long()
        noise = randn(self.noise, *x.shape)
        signal, sigma = self.levels(t)
        noisy = signal * x + sigma * noise
        out = self.net(noisy, t)
        each = ((out - self.target(x, noise, t)) ** 2).mean((1, 2, 3))
        loss = (each * self.weights(t)).mean()
        for q in range(4):
            part = each[4 * t // self.T == q]
            if len(part):
                log(**{"mse_q%d" % q: part.mean()})
        total, early = loss, t < self.limit
        if self.tigas.weight(i) and early.any():
            x0 = self.x0(out[early], noisy[early], t[early])
            limited = x0 + (x0.clamp(-1, 1) - x0).detach()  # without cutting the gradient
            total = loss + self.tigas(log, i, limited, self.bars[t[early]].to(x0.dtype) / n)
            log(x0_clipped=(x0.abs() > 1).double().mean())
        self.opt.zero_grad(set_to_none=True)
        total.backward()
        log(mse=loss, total=total, net_grad_norm=grad_norm(self.net.parameters()))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.opt.step()
        self.schedule.step()
        average(self.ema, self.net, min(1 - (1 + i) ** -0.75, self.max_decay))
        return log.means()

    def networks(self):
        return self.net,

    @torch.no_grad()
    def sample(self):
        """DDIM without noise (Song et al. 2020, arXiv 2010.02502) in four steps."""
        x = formula(60, 2, 3, self.size, self.size)
        times = [self.T * k // 4 - 1 for k in (4, 3, 2, 1)]
        for t, after in zip(times, times[1:] + [None]):
            t = torch.full((len(x),), t)
            signal, sigma = self.levels(t)
            x0 = self.x0(self.ema(x, t), x, t).clamp(-1, 1)
            if after is None:
                return x0
            noise = (x - signal * x0) / sigma
            signal, sigma = self.levels(torch.full_like(t, after))
            x = signal * x0 + sigma * noise


if __name__ == "__main__":
    loop = lambda predict: lambda: Diffusion(Tigas(start=2, length=20), predict=predict, seed=1)
    record(1, {"v": (loop("v"), 8, 16, 50), "eps": (loop("eps"), 8, 16, 10), "x0": (loop("x0"), 8, 16, 10)})
