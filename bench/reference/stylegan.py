#!/usr/bin/env python3
"""StyleGAN2 (Karras et al. 2019, arXiv 1912.04958) with the TIGAS term, in PyTorch: non-saturating losses, lazy R1 and
path-length regularisation each with an update of its own, style mixing, and DiffAugment (Zhao et al. 2020, arXiv
2006.10738) by its authors' formulas.

    python3 stylegan.py > ../../pkg/trainers/testdata/trajectory_stylegan.json

Draws from noise, in the order of the updates:

    styles         latents [N, L]; the second latents [N, L] of mixing; in float64 [1] where to change over and [1] whether
    images         for each convolution of the synthesis [N, 1, R, R]
    generator      styles, images, augmentation
    path length    styles and images for half a batch; then noise of the images' shape
    discriminator  styles, images; augmentation of the real images, then of the generated ones
    R1             augmentation of the real images
    augmentation   color: brightness, saturation, contrast, each [N, 1, 1, 1]; translation: integers [N, 1] by which to move
                   along height, along width; cutout: integers [N, 1] for the middle, height and width
"""
import copy
import math

import torch
import torch.nn.functional as F

from common import Log, Tigas, average, formula, freeze, generators, grad_norm, half_life, prepared, rand, randn, record
from make_style import D, G, Size, fill

SMALL = Size(latent=16, style=16, layers=2, base=32, max=4, group=2)


def lazy_adam(params, lr, beta2, every):
    """Adam that makes every + 1 updates where it made every (appendix B); every 0: none besides."""
    c = every / (every + 1) if every else 1
    return torch.optim.Adam(params, lr=lr * c, betas=(0, beta2 ** c), eps=1e-8)


def diff_augment(x, policy, g):
    n, _, h, w = x.shape
    integers = lambda low, high: torch.randint(low, high, (n, 1), generator=g)
    if "color" in policy:
        x = x + (rand(g, n, 1, 1, 1) - 0.5)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * (rand(g, n, 1, 1, 1) * 2) + mean
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * (rand(g, n, 1, 1, 1) + 0.5) + mean
    rows, columns = torch.arange(h)[None, :], torch.arange(w)[None, :]
    if "translation" in policy:
        by_h, by_w = int(h * 0.125 + 0.5), int(w * 0.125 + 0.5)
        rows_from = torch.clamp(rows + integers(-by_h, by_h + 1) + 1, 0, h + 1)  # in the padded image
        columns_from = torch.clamp(columns + integers(-by_w, by_w + 1) + 1, 0, w + 1)
        padded = F.pad(x, [1, 1, 1, 1]).permute(0, 2, 3, 1)
        x = padded[torch.arange(n)[:, None, None], rows_from[:, :, None], columns_from[:, None, :]].permute(0, 3, 1, 2)
    if "cutout" in policy:
        size_h, size_w = int(h * 0.5 + 0.5), int(w * 0.5 + 0.5)
        top = integers(0, h + (1 - size_h % 2)) - size_h // 2
        left = integers(0, w + (1 - size_w % 2)) - size_w // 2
        in_rows, in_columns = (rows >= top) & (rows < top + size_h), (columns >= left) & (columns < left + size_w)
        x = x * ~(in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return x


class StyleGAN2:
    def __init__(self, tigas, r=16, size=SMALL, batch=4, lr=0.0025, gamma=10, r1_every=16, pl_weight=2, pl_every=4,
                 mixing=0.9, policy=(), ema_kimg=0.005, tuned=True, seed=0):
        self.tigas, self.batch, self.latent, self.kimg = tigas, batch, size.latent, ema_kimg
        self.mixing, self.policy = mixing, policy
        self.gamma, self.r1_every, self.pl_weight, self.pl_every = gamma, r1_every, pl_weight, pl_every
        self.G, self.D = prepared(G(r, size), fill), prepared(D(r, size), fill)
        self.ema = copy.deepcopy(self.G).eval()
        self.opt_g = lazy_adam(self.G.parameters(), lr, 0.99, pl_every)
        self.opt_d = lazy_adam(self.D.parameters(), lr, 0.99, r1_every)
        self.noise, _ = generators(seed)
        self.path_mean = torch.zeros([])
        self.tuned = tuned  # no gradients of the discriminator in the generator's step

    def styles(self, n, track=False):
        L = self.G.layers
        w = self.G.mapping(randn(self.noise, n, self.latent))
        if track:
            with torch.no_grad():
                self.G.mapping.w_avg.copy_(w.mean(0).lerp(self.G.mapping.w_avg, 0.998))
        other = self.G.mapping(randn(self.noise, n, self.latent))
        cut = 1 + int(torch.rand(1, generator=self.noise, dtype=torch.float64).item() * (L - 1))
        if torch.rand(1, generator=self.noise, dtype=torch.float64).item() >= self.mixing:
            cut = L
        return torch.cat([w[:, None].repeat(1, cut, 1), other[:, None].repeat(1, L - cut, 1)], 1)

    def images(self, ws):
        return self.G.synthesis(ws, lambda *shape: randn(self.noise, *shape))

    def judge(self, images):
        return self.D(diff_augment(images, self.policy, self.noise))

    def update(self, log, name, net, opt, loss):
        opt.zero_grad(set_to_none=True)
        loss.backward()
        log(**{name + "_grad_norm": grad_norm(net.parameters())})
        opt.step()

    def step(self, i, real):
        log = Log()
        freeze(self.D, self.tuned)
        images = self.images(self.styles(self.batch, track=True))
        loss = F.softplus(-self.judge(images)).mean()
        log(G=loss)
        loss = loss + self.tigas(log, i, images)
        total = loss.detach()
        self.update(log, "G", self.G, self.opt_g, loss)
        if i % self.pl_every == 0:
            ws = self.styles(self.batch // 2)
            images = self.images(ws)
            noise = randn(self.noise, *images.shape) / math.sqrt(images.shape[2] * images.shape[3])
            slope, = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
            lengths = slope.square().sum(2).mean(1).sqrt()
            mean = self.path_mean.lerp(lengths.mean(), 0.01)
            self.path_mean = mean.detach()
            path = self.pl_weight * (lengths - mean).square().mean()
            log(path_loss=path, path_length=mean)
            total = total + (path * self.pl_every).detach()
            self.update(log, "G_path", self.G, self.opt_g, path * self.pl_every)
        log(total=total)
        freeze(self.D, False)

        x = real()
        with torch.no_grad():
            fake = self.images(self.styles(len(x)))
        scores_real, scores_fake = self.judge(x), self.judge(fake)
        loss = F.softplus(scores_fake).mean() + F.softplus(-scores_real).mean()
        log(D=loss, scores_real=scores_real.mean(), scores_fake=scores_fake.mean())
        self.update(log, "D", self.D, self.opt_d, loss)
        if i % self.r1_every == 0:
            x = x.detach().requires_grad_(True)
            slope, = torch.autograd.grad(self.judge(x).sum(), x, create_graph=True)
            r1 = self.gamma / 2 * slope.square().sum((1, 2, 3)).mean()
            log(r1=r1)
            self.update(log, "D_r1", self.D, self.opt_d, r1 * self.r1_every)
        average(self.ema, self.G, half_life(self.batch, self.kimg, i * self.batch))
        return log.means()

    def networks(self):
        return self.G.synthesis, self.D

    @torch.no_grad()
    def sample(self):
        ws = self.ema.mapping(formula(60, 4, self.latent))[:, None].repeat(1, self.ema.layers, 1)
        return self.ema.synthesis(ws).clamp(-1, 1)


if __name__ == "__main__":
    term = lambda: Tigas(start=5, length=20)
    record(3, {
        "stylegan2": (lambda: StyleGAN2(term(), seed=3), 4, 16, 50),
        "diffaugment": (lambda: StyleGAN2(term(), policy=("color", "translation", "cutout"), seed=3), 4, 16, 10),
    })
