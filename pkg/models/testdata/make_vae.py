#!/usr/bin/env python3
"""Writes vae.json: names, shapes, outputs and gradients of VAEs, and numbers of parameters, written down again in PyTorch.

Run with any PyTorch from 1.13 on: python3 make_vae.py > vae.json
The network is VanillaVAE of PyTorch-VAE (Subramanian 2020), without the tanh at its end; at 64 pixels with width 32 and
latents of 128 it is that network exactly. Weights and inputs are a formula that the Go test repeats, so only results are
stored. The network is also that of bench/reference.
"""
import json
import math
import torch
from torch import nn

from formula import numbers, results

LATENT, WIDTH, BATCH = 6, 2, 2


class VAE(nn.Module):
    def __init__(self, r, latent=LATENT, width=WIDTH):
        super().__init__()
        hidden = [width * min(2 ** i, 16) for i in range(int(math.log2(r)) - 1)]
        after = lambda c: [nn.BatchNorm2d(c), nn.LeakyReLU()]
        down = [nn.Sequential(nn.Conv2d(i, o, 3, stride=2, padding=1), *after(o)) for i, o in zip([3] + hidden, hidden)]
        self.encoder = nn.Sequential(*down)
        self.fc_mu = nn.Linear(hidden[-1] * 4, latent)
        self.fc_var = nn.Linear(hidden[-1] * 4, latent)
        self.decoder_input = nn.Linear(latent, hidden[-1] * 4)
        hidden.reverse()
        up = lambda i, o: nn.Sequential(nn.ConvTranspose2d(i, o, 3, stride=2, padding=1, output_padding=1), *after(o))
        self.decoder = nn.Sequential(*[up(i, o) for i, o in zip(hidden, hidden[1:])])
        self.final_layer = nn.Sequential(*up(hidden[-1], hidden[-1]), nn.Conv2d(hidden[-1], 3, 3, padding=1))

    def encode(self, x):
        h = self.encoder(x).flatten(1)
        return self.fc_mu(h), self.fc_var(h)

    def decode(self, z):
        return self.final_layer(self.decoder(self.decoder_input(z).view(len(z), -1, 2, 2)))

    def forward(self, x):
        """With noise that is a formula."""
        mu, logvar = self.encode(x)
        noise = torch.from_numpy(numbers(52, mu.numel())).to(x.dtype).reshape(mu.shape)
        return self.decode(mu + torch.exp(0.5 * logvar) * noise)


def main():
    cases, sizes = [], []
    for r in (8, 32, 128):
        x = torch.from_numpy(numbers(51, BATCH * 3 * r * r)).float().reshape(BATCH, 3, r, r)
        for train in (True, False):
            cases.append(json.dumps({"resolution": r, "train": train, "vae": results(VAE(r), x.clone(), train)}))
    for r, latent, width in ((64, 128, 32), (32, 64, 32), (16, 7, 5), (256, 128, 32)):
        sizes.append({"resolution": r, "latent": latent, "width": width,
                      "parameters": sum(p.numel() for p in VAE(r, latent, width).parameters())})
    print('{"sizes": %s,\n"cases": [%s]}' % (json.dumps(sizes), ",\n".join(cases)))


if __name__ == "__main__":
    main()
