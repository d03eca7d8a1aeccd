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
    def __init__(self):
        super().__init__()
        self.time = nn.Embedding(1000, 4)
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
save("denoiser_float", FloatDenoiser())
