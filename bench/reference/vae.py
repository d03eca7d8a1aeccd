#!/usr/bin/env python3
"""A variational autoencoder (Kingma and Welling 2013, arXiv 1312.6114) with the TIGAS term, in PyTorch.

    python3 vae.py > ../../pkg/trainers/testdata/trajectory_vae.json

The loss is the negative evidence lower bound over the number of an image's values; with reduction "mean" it is the mean of
squares, or the binary cross-entropy, plus the mean of the divergences, as many recipes have it.

Draws from noise: what the latents are moved by, [N, L]; where the term scores new images too, in steps that have it:
latents [N / 2, L].
"""
import torch
import torch.nn.functional as F

from common import Log, Tigas, formula, generators, grad_norm, prepared, randn, record
from formula import fill
from make_vae import VAE


class VAELoop:
    def __init__(self, tigas, r=8, latent=8, width=4, lr=1e-3, decay=100, warmup=20, reduction="sum", recon="mse",
                 term_on="both", clip=0, seed=0):
        self.tigas, self.latent, self.warmup, self.clip = tigas, latent, warmup, clip
        self.reduction, self.recon, self.term_on, self.values = reduction, recon, term_on, 3 * r * r
        self.net = prepared(VAE(r, latent, width), fill)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=lr)
        # Half a cosine wave to 0 over decay steps; None: constant.
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, decay) if decay else None
        self.noise, _ = generators(seed)

    def images(self, out):
        """The decoder's values as images in [-1, 1]; for cross-entropy they are logits."""
        return 2 * torch.sigmoid(out) - 1 if self.recon == "bce" else torch.tanh(out)

    def step(self, i, real):
        log = Log()
        x = real()
        n = len(x)
        mu, logvar = self.net.encode(x)
        logvar = logvar.clamp(-30, 20)
        out = self.net.decode(mu + torch.exp(0.5 * logvar) * randn(self.noise, n, self.latent))
        images = self.images(out)
        if self.recon == "bce":
            recon = F.binary_cross_entropy_with_logits(out, (x + 1) / 2, reduction=self.reduction)
        else:
            recon = F.mse_loss(images, x, reduction=self.reduction)
        divergences = -0.5 * (1 + logvar - mu ** 2 - logvar.exp())
        beta = min(1, i / self.warmup) if self.warmup else 1
        if self.reduction == "sum":
            recon, kl = recon / n, divergences.sum() / n
            total = (recon + beta * kl) / self.values
        else:
            kl = divergences.mean()
            total = recon + beta * kl
        log(recon=recon, kl=kl, mse=((images - x) ** 2).mean(), active_units=(mu.var(0, unbiased=False) > 0.01).sum())
        if self.term_on == "both" and self.tigas.weight(i):
            new = self.images(self.net.decode(randn(self.noise, n // 2, self.latent)))
            images = torch.cat([images[:n - n // 2], new])
        total = total + self.tigas(log, i, images)
        self.opt.zero_grad(set_to_none=True)
        total.backward()
        log(total=total, VAE_grad_norm=grad_norm(self.net.parameters()))
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.opt.step()
        if self.schedule:
            self.schedule.step()
        return log.means()

    def networks(self):
        return self.net,

    @torch.no_grad()
    def sample(self):
        return self.images(self.net.eval().decode(formula(60, 4, self.latent)))


if __name__ == "__main__":
    term = lambda: Tigas(start=5, length=20)
    recipe = dict(reduction="mean", recon="bce", term_on="recon", warmup=0, decay=None, clip=2.5)
    record(1, {"elbo": (lambda: VAELoop(term(), seed=1), 4, 8, 50),
               "recipe": (lambda: VAELoop(term(), seed=1, **recipe), 4, 8, 10)})
