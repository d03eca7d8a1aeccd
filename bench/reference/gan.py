#!/usr/bin/env python3
"""WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028, algorithm 1) with the TIGAS term, in PyTorch.

    python3 gan.py > ../../pkg/trainers/testdata/trajectory_gan.json

Draws from noise, five times for the critic: latents [N, L], mixing factors [N, 1, 1, 1]; then for the generator: latents.
"""
import copy

import torch

from common import Log, Tigas, average, formula, freeze, generators, grad_norm, half_life, prepared, rand, randn, record
from formula import fill
from make_gan import DCD, DCG


class WGANGP:
    def __init__(self, tigas, r=32, latent=16, width=3, batch=2, lr=1e-4, critics=5, ema_kimg=0.01, tuned=True, seed=0):
        self.tigas, self.latent, self.batch, self.critics, self.kimg = tigas, latent, batch, critics, ema_kimg
        self.G, self.D = prepared(DCG(r, latent, width), fill), prepared(DCD(r, "none", width), fill)
        self.ema = copy.deepcopy(self.G).eval()
        self.opt_g = torch.optim.Adam(self.G.parameters(), lr=lr, betas=(0, 0.9))
        self.opt_d = torch.optim.Adam(self.D.parameters(), lr=lr, betas=(0, 0.9))
        self.noise, _ = generators(seed)
        self.tuned = tuned  # no gradients of the critic in the generator's step

    def penalty(self, real, fake):
        e = rand(self.noise, len(real), 1, 1, 1)
        x = (e * real + (1 - e) * fake).requires_grad_(True)
        g, = torch.autograd.grad(self.D(x).sum(), x, create_graph=True)
        return 10 * ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()

    def step(self, i, real):
        log = Log()
        for _ in range(self.critics):
            x = real()
            with torch.no_grad():
                fake = self.G(randn(self.noise, len(x), self.latent))
            scores_real, scores_fake = self.D(x).mean(), self.D(fake).mean()
            loss, gp = scores_fake - scores_real, self.penalty(x, fake)
            self.opt_d.zero_grad(set_to_none=True)
            (loss + gp).backward()
            log(D=loss, gp=gp, scores_real=scores_real, scores_fake=scores_fake, D_grad_norm=grad_norm(self.D.parameters()))
            self.opt_d.step()

        freeze(self.D, self.tuned)
        fake = self.G(randn(self.noise, self.batch, self.latent))
        loss = -self.D(fake).mean()
        total = loss + self.tigas(log, i, fake)
        self.opt_g.zero_grad(set_to_none=True)
        total.backward()
        log(G=loss, total=total, G_grad_norm=grad_norm(self.G.parameters()))
        self.opt_g.step()
        freeze(self.D, False)
        shown = self.batch * self.critics
        average(self.ema, self.G, half_life(shown, self.kimg, i * shown))
        return log.means()

    def networks(self):
        return self.G, self.D

    @torch.no_grad()
    def sample(self):
        return self.ema(formula(60, 4, self.latent))


if __name__ == "__main__":
    record(9, {"wgan-gp": (lambda: WGANGP(Tigas(start=5, length=20), seed=9), 2, 32, 50)})
