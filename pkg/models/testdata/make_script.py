# Makes the networks in script/ with PyTorch 1.13 or later, as people write and save them: python3 make_script.py
import os
from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn

torch.manual_seed(1)
R, L = 16, 5
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "script")


def save(name, net, script=True):
    m = torch.jit.script(net) if script else net
    m.save(os.path.join(here, name + ".pt"))


class Linear(nn.Module):
    """Latents [N, L], and a head that nobody uses."""

    def __init__(self, channels=3, last: str = "tanh"):
        super().__init__()
        self.fc = nn.Linear(L, channels * R * R)
        self.unused = nn.Linear(2, 2)
        self.channels, self.last = channels, last

    def forward(self, z: Tensor) -> Tensor:
        y = self.fc(z).view(-1, self.channels, 16, 16)
        return torch.sigmoid(y) if self.last == "sigmoid" else torch.tanh(y)


def dcgan():
    """Latents [N, L, 1, 1], as in PyTorch's example."""
    return nn.Sequential(
        nn.ConvTranspose2d(L, 8, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(True),
        nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh())


def critic(norm=True, sigmoid=False, patches=False):
    layers = [nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1)]
    layers += [nn.BatchNorm2d(8)] if norm else []
    layers += [nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1) if patches else nn.Conv2d(8, 1, 4)]
    return nn.Sequential(*(layers + ([nn.Sigmoid()] if sigmoid else [])))


class VAE(nn.Module):
    """A list of means and logarithms, as PyTorch-VAE has it."""

    def __init__(self, export=True):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2 * L))
        self.dec = nn.Sequential(nn.Linear(L, 64), nn.ReLU(), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 3, 4, 4), nn.Sigmoid())

    @torch.jit.export
    def encode(self, x: Tensor) -> List[Tensor]:
        h = self.enc(x)
        return [h[:, :5], h[:, 5:]]

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.dec(z)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        m = self.encode(x)
        z = m[0] + torch.exp(0.5 * m[1]) * torch.randn_like(m[1])
        return self.decode(z), m[0], m[1]


class OnlyForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.vae = VAE()

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        return self.vae(x)


class Denoiser(nn.Module):
    def __init__(self, steps=1000):
        super().__init__()
        self.time = nn.Embedding(steps, 4)
        self.a, self.b = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 3, 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor) -> Dict[str, Tensor]:
        return {"sample": self.b(torch.relu(self.a(x) + self.time(t)[:, :, None, None]))}


class FloatDenoiser(nn.Module):
    """Of timesteps only as float32."""

    def __init__(self):
        super().__init__()
        self.time = nn.Linear(1, 4)
        self.a, self.b = nn.Conv2d(3, 4, 3, 1, 1), nn.Conv2d(4, 3, 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x) + self.time(t[:, None])[:, :, None, None]))


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Linear()

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(z).detach()


class Replaced(nn.Module):
    """A buffer that forward puts another tensor in place of."""

    def __init__(self):
        super().__init__()
        self.inner = Linear()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        self.count = self.count + 1
        return self.inner(z)


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(L, L), nn.Linear(L, L), Linear()
        self.b.weight = self.a.weight

    def forward(self, z: Tensor) -> Tensor:
        return self.out(self.b(self.a(z)))


class Odd(nn.Module):
    """A generator with something wrong, by name."""

    def __init__(self, what: str):
        super().__init__()
        self.inner, self.what, self.count = Linear(), what, 0
        self.register_buffer("mean", torch.zeros(L))
        self.register_buffer("mask", torch.full((2, 2), -float("inf")) if what == "infinite" else torch.zeros(2, 2))
        if what == "complex":
            self.register_buffer("waves", torch.zeros(2, dtype=torch.complex64))

    def forward(self, z: Tensor) -> Tensor:
        if self.what == "inplace":
            z.mul_(0.5)
        if self.what == "counter":
            self.count += 1
        if self.what == "graph":
            self.mean.add_((z * self.inner.unused.weight.sum()).mean(0))
        y = self.inner(z)
        if self.what == "double":
            return y.double()
        if self.what == "fixed":
            return y.view(2, 3, 16, 16)
        return y


class Blind(nn.Module):
    """A critic that does not look."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.w.expand(x.size(0))


class Groups(nn.Module):
    """A critic that compares groups of four, as StyleGAN2's."""

    def __init__(self):
        super().__init__()
        self.inner = critic(norm=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x).view(4, -1)
        return (y - y.mean(0, keepdim=True)).reshape(-1)


for what in ["inplace", "counter", "graph", "double", "fixed", "infinite", "complex"]:
    save("odd_" + what, Odd(what))
save("tied", Tied())
save("critic_blind", Blind())
save("critic_groups", Groups())
save("critic_classes", nn.Sequential(nn.Flatten(), nn.Linear(3 * R * R, 2)))
save("linear", Linear())
save("sigmoid", Linear(last="sigmoid"))
save("gray", Linear(channels=1))
save("dcgan", dcgan())
save("traced", torch.jit.trace(dcgan(), torch.randn(2, L, 1, 1)), script=False)
save("half", dcgan().half())
average = dcgan()
for p in average.parameters():
    p.requires_grad_(False)
save("average", average)
partly = dcgan()
partly[0].weight.requires_grad_(False)
save("partly", partly)
save("frozen", torch.jit.freeze(torch.jit.script(dcgan().eval())), script=False)
save("detached", Detached())
save("replaced", Replaced())
save("critic", critic())
save("critic_plain", critic(norm=False))
save("critic_sigmoid", critic(norm=False, sigmoid=True))
save("critic_patches", critic(patches=True))
save("vae", VAE())
save("only_forward", OnlyForward())
save("encoder", nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2 * L)))
save("decoder", nn.Sequential(nn.ConvTranspose2d(L, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 4, 4)))
save("denoiser", Denoiser())
save("denoiser_short", Denoiser(100))
save("denoiser_float", FloatDenoiser())
