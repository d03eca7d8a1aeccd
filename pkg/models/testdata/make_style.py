#!/usr/bin/env python3
"""Writes style.json: names, shapes, outputs and gradients of StyleGAN2's networks, written down again in PyTorch.

Run with any PyTorch from 1.13 on: python3 make_style.py > style.json
The formulation is the paper's and not the Go package's: weights modulated per image and a convolution with a group per
image; images with zeros between their pixels, filtered, then convolved; gains after the activation. Weights and inputs are
a formula that the Go test repeats, so only results are stored, in float64. The networks are also those of bench/reference.
"""
import collections
import json
import math
import torch
import torch.nn.functional as F
from torch import nn

from formula import numbers

# The size of a pair: lengths of z and w, layers of the mapping, channels, images that share a standard deviation.
Size = collections.namedtuple("Size", "latent style layers base max group")
TESTED = Size(6, 5, 3, 64, 6, 2)


def tensor(j, *shape):
    return torch.from_numpy(numbers(j, math.prod(shape))).to(torch.get_default_dtype()).reshape(shape)


def fill(m):
    """Weights of about deviation 1, those of the mapping of 100; nothing is left at 0."""
    with torch.no_grad():
        for j, (name, t) in enumerate(m.state_dict().items()):
            v = numbers(j, t.numel()) * (100 if "fc" in name and "mapping" in name else 1)
            if name.endswith("affine.bias"):
                v = 1 + 0.3 * v
            elif name.endswith("bias"):
                v = 0.2 * v
            else:
                v = 1.7 * v
            t.copy_(torch.from_numpy(v).reshape(t.shape))


def act(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def filtered(x):
    """x filtered with [1 3 3 1], normalised: what is all inside."""
    k = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype)
    k = (k[:, None] * k / 64).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, k, groups=x.shape[1])


def spread(x, before, after):
    """Twice the size: x filtered with zeros between its pixels, and so many rows more around."""
    n, c, h, w = x.shape
    z = torch.zeros(n, c, h, 2, w, 2, dtype=x.dtype)
    z[:, :, :, 0, :, 0] = x
    return filtered(F.pad(z.reshape(n, c, 2 * h, 2 * w), [2 + before, 1 + after] * 2)) * 4


class FC(nn.Module):
    def __init__(self, i, o, mul=1.0):
        super().__init__()
        self.weight, self.bias, self.mul = nn.Parameter(torch.zeros(o, i)), nn.Parameter(torch.zeros(o)), mul

    def forward(self, x):
        return x @ (self.weight * (self.mul / math.sqrt(self.weight.shape[1]))).t() + self.bias * self.mul


def grouped(x, weight, style, demodulate):
    n, i, h, w = x.shape
    weight = weight[None] * style[:, None, :, None, None]
    if demodulate:
        weight = weight / torch.sqrt(weight.pow(2).sum((2, 3, 4), keepdim=True) + 1e-8)
    y = F.conv2d(x.reshape(1, n * i, h, w), weight.reshape(-1, *weight.shape[2:]), groups=n)
    return y.reshape(n, -1, *y.shape[2:])


class SConv(nn.Module):
    def __init__(self, i, o, r, up, size):
        super().__init__()
        self.weight, self.noise_strength = nn.Parameter(torch.zeros(o, i, 3, 3)), nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(o))
        self.register_buffer("noise_const", torch.zeros(r, r))
        self.affine, self.up = FC(size.style, i), up

    def forward(self, x, w, draw=None):
        style = self.affine(w)
        if self.up:  # the convolution's kernel lies the other way round
            y = grouped(spread(x, 1, 1), self.weight.flip(2, 3), style, True)
        else:
            y = grouped(F.pad(x, [1] * 4), self.weight, style, True)
        noise = draw(len(y), 1, *y.shape[2:]) if draw else self.noise_const
        return act(y + noise * self.noise_strength + self.bias[:, None, None])


class RGB(nn.Module):
    def __init__(self, i, size):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(3, i, 1, 1)), nn.Parameter(torch.zeros(3))
        self.affine = FC(size.style, i)

    def forward(self, x, w):
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        return grouped(x, self.weight, style, False) + self.bias[:, None, None]


def channels(r, size):
    return min(size.base // r, size.max)


class Block(nn.Module):
    def __init__(self, r, size):
        super().__init__()
        c = channels(r, size)
        if r == 4:
            self.const = nn.Parameter(torch.zeros(c, 4, 4))
        else:
            self.conv0 = SConv(channels(r // 2, size), c, r, True, size)
        self.conv1, self.torgb = SConv(c, c, r, False, size), RGB(c, size)


class Synthesis(nn.Module):
    def __init__(self, r, size):
        super().__init__()
        self.sizes = [2 ** i for i in range(2, int(math.log2(r)) + 1)]
        for s in self.sizes:
            self.add_module("b%d" % s, Block(s, size))

    def forward(self, ws, draw=None):
        """draw(*shape) gives noise for each convolution; without, they have their constants."""
        k, img = 0, None
        for s in self.sizes:
            b = getattr(self, "b%d" % s)
            if s == 4:
                x = b.const.expand(len(ws), -1, -1, -1)
            else:
                x = b.conv0(x, ws[:, k], draw)
                k += 1
            x = b.conv1(x, ws[:, k], draw)
            k += 1
            rgb = b.torgb(x, ws[:, k])
            img = rgb if img is None else spread(img, 0, 0) + rgb
        assert k + 1 == ws.shape[1]
        return img


class Mapping(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(size.style))
        self.layers = size.layers
        for i in range(size.layers):
            self.add_module("fc%d" % i, FC(size.style if i else size.latent, size.style, 0.01))

    def forward(self, z):
        x = z / torch.sqrt(z.pow(2).mean(1, keepdim=True) + 1e-8)
        for i in range(self.layers):
            x = act(getattr(self, "fc%d" % i)(x))
        return x


class G(nn.Module):
    def __init__(self, r, size=TESTED):
        super().__init__()
        self.mapping, self.synthesis, self.layers = Mapping(size), Synthesis(r, size), 2 * int(math.log2(r)) - 2

    def forward(self, z):
        """Truncated by 0.7 in the first three layers."""
        w = self.mapping(z)[:, None].repeat(1, self.layers, 1)
        low = self.mapping.w_avg + 0.7 * (w[:, :3] - self.mapping.w_avg)
        return self.synthesis(torch.cat([low, w[:, 3:]], 1))


class Conv(nn.Module):
    def __init__(self, i, o, k, bias=True):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(o, i, k, k)), nn.Parameter(torch.zeros(o)) if bias else None

    def forward(self, x):
        return F.conv2d(x, self.weight / math.sqrt(self.weight[0].numel()), self.bias)


class Down(nn.Module):
    def __init__(self, r, first, size):
        super().__init__()
        i, o = channels(r, size), channels(r // 2, size)
        if first:
            self.fromrgb = Conv(3, i, 1)
        self.conv0, self.conv1, self.skip = Conv(i, i, 3), Conv(i, o, 3), Conv(i, o, 1, bias=False)

    def forward(self, x):
        if hasattr(self, "fromrgb"):
            x = act(self.fromrgb(x))
        y = self.skip(filtered(F.pad(x, [1, 1, 1, 1]))[:, :, ::2, ::2])
        x = act(self.conv0(F.pad(x, [1] * 4)))
        x = act(self.conv1(filtered(F.pad(x, [2] * 4)))[:, :, ::2, ::2])
        return (x + y) / math.sqrt(2)


class Final(nn.Module):
    def __init__(self, size):
        super().__init__()
        c, self.group = channels(4, size), size.group
        self.conv, self.fc, self.out = Conv(c + 1, c, 3), FC(16 * c, c), FC(c, 1)

    def forward(self, x):
        n, g = len(x), self.group
        dev = torch.zeros(n, dtype=x.dtype)
        for first in range(n // g):
            of = [first + k * (n // g) for k in range(g)]
            dev[of] = torch.sqrt(x[of].var(0, unbiased=False) + 1e-8).mean()
        x = torch.cat([x, dev[:, None, None, None].expand(n, 1, 4, 4)], 1)
        return self.out(act(self.fc(act(self.conv(F.pad(x, [1] * 4))).flatten(1)))).flatten()


class D(nn.Module):
    def __init__(self, r, size=TESTED):
        super().__init__()
        self.sizes = [r >> i for i in range(int(math.log2(r)) - 2)]
        for s in self.sizes:
            self.add_module("b%d" % s, Down(s, s == r, size))
        self.b4 = Final(size)

    def forward(self, x):
        for s in self.sizes:
            x = getattr(self, "b%d" % s)(x)
        return self.b4(x)


def f(v):
    return float("%.13g" % v)


def results(m, x):
    """Output sampled at 12 places, and the norm of the gradient of a weighted sum with respect to everything."""
    fill(m)
    x = x.requires_grad_()
    y = m(x)
    g = torch.autograd.grad((y * tensor(99, *y.shape)).sum(), [x] + list(m.parameters()))
    flat = y.detach().flatten()
    at = sorted({i * (len(flat) - 1) // 11 for i in range(12)})
    return {
        "keys": list(m.state_dict()), "shape": list(y.shape), "at": at, "y": [f(v) for v in flat[at].tolist()],
        "mean_abs": f(flat.abs().mean()), "grad_norms": [f(t.norm()) for t in g],
        # A norm does not see where a number stands: one more number of each gradient.
        "grad_dots": [f((t * tensor(77, *t.shape)).sum()) for t in g],
    }


def main():
    torch.set_default_dtype(torch.float64)
    out = []
    for r in (8, 16, 32):
        out.append(json.dumps({
            "resolution": r, "generator": results(G(r), tensor(50, 3, TESTED.latent)),
            "discriminator": results(D(r), tensor(51, 4, 3, r, r)),
        }))
    print("[" + ",\n".join(out) + "]")


if __name__ == "__main__":
    main()
