"""The networks that the GPU benchmarks share, at the sizes that tigas-train has by default, with random weights.

They are those of pkg/models/testdata and bench/reference with the operators that are quicker on a GPU, wherever the result
is the same: 1x1 convolutions on the smaller side of a resize, factors in weights and not in feature maps, features that are
scaled in place of each image's own weights. The ones in testdata make their filters on the CPU in each call, besides.
Feature maps keep their type: a float32 bias or noise would turn those of bfloat16 autocast into float32 again.
"""
import math
import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
for folder in ("../reference", "../../pkg/models/testdata"):
    sys.path.insert(1, os.path.join(here, folder))

import make_gan
import make_style
from tigas_net import TIGAS

# ResNet pair of WGAN-GP.


class GBlock(make_gan.GBlock):
    def forward(self, x):
        up = lambda t: F.interpolate(t, scale_factor=2, mode="bilinear", align_corners=False)
        return self.c2(F.relu(self.b2(self.c1(up(F.relu(self.b1(x))))))) + up(self.c_sc(x))


class DBlock(make_gan.DBlock):
    """Without norms, as a gradient penalty wants it."""

    def forward(self, x):
        h = self.c2(F.relu(self.c1(x if self.first else F.relu(x))))
        if not self.down:
            return h + (self.c_sc(x) if hasattr(self, "c_sc") else x)
        return F.avg_pool2d(h, 2) + self.c_sc(F.avg_pool2d(x, 2))


def quick(net):
    """Changes the operators of a network of testdata in place."""
    for m in net.modules():
        for c in (GBlock, DBlock, SConv, RGB, Synthesis, Down, Final):
            if type(m) is c.__base__:
                m.__class__ = c
    return net


def resnet(r, divisor=1):
    """Generator and critic as Mimicry writes them, and the length of a latent vector."""
    width = lambda at32: max(1, (at32 if r == 32 else 64) // divisor)
    make_gan.LATENT = max(4, 128 // divisor)
    make_gan.WIDTH = width(256)
    g = make_gan.ResG(r)
    make_gan.WIDTH = width(128)
    return g, make_gan.ResD(r, "none"), make_gan.LATENT


# StyleGAN2.


class Resampling:
    """How the filter [1 3 3 1] is applied: an operator for each channel ("groups"), channels as images ("images"), or sums of
    shifted images ("shifts"). own: with a derivative of our own, which is a filter again and never asks for the derivative
    of the kernel; PyTorch's second derivative of a convolution works group by group."""
    how, own = "groups", True


compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)
kernels = {}


def kernel(x, count):
    """[count, 1, 4, 4], of sum 1; made once, because a copy to the device waits for it."""
    key = x.device, x.dtype
    if key not in kernels:
        k = torch.tensor([1.0, 3, 3, 1])
        kernels[key] = (k[:, None] * k / 64)[None, None].to(*key)
    return kernels[key].expand(count, 1, 4, 4)


def shifted(x, dim, pad, stride):
    """[1 3 3 1] / 8 along one dimension."""
    p = [pad, pad, 0, 0] if dim == 3 else [0, 0, pad, pad]
    x = F.pad(x, p)
    n = x.shape[dim] - 3
    at = lambda k: x[:, :, :, k:k + n:stride] if dim == 3 else x[:, :, k:k + n:stride]
    return ((at(0) + at(3)) + 3 * (at(1) + at(2))) * 0.125


def doubled(x, dim):
    """Twice as long, zeros between, filtered with [1 3 3 1] / 8: each phase has two of the four factors."""
    n = x.shape[dim]
    y = F.pad(x, [1, 1, 0, 0] if dim == 3 else [0, 0, 1, 1])
    before, here, after = (y.narrow(dim, k, n) for k in range(3))
    return torch.stack([before + 3 * here, 3 * here + after], dim + 1).flatten(dim, dim + 1) * 0.125


def resample(x, pad, stride, transposed, how):
    n, c, h, w = x.shape
    if how == "shifts":
        if transposed:
            return doubled(doubled(x, 2), 3)
        return shifted(shifted(x, 2, pad, stride), 3, pad, stride)
    f = F.conv_transpose2d if transposed else F.conv2d
    if how == "groups":
        return f(x, kernel(x, c), padding=pad, stride=stride, groups=c)
    y = f(x.reshape(n * c, 1, h, w), kernel(x, 1), padding=pad, stride=stride)
    return y.reshape(n, c, *y.shape[2:])


class Resample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, pad, stride, transposed, how):
        ctx.how = pad, stride, transposed, how
        return resample(x, pad, stride, transposed, how)

    @staticmethod
    def backward(ctx, g):
        pad, stride, transposed, how = ctx.how
        if stride == 1:  # the kernel is symmetric
            pad = 3 - pad
        else:
            transposed = not transposed
        return Resample.apply(g, pad, stride, transposed, how), None, None, None, None


def filtered(x, pad, stride=1, transposed=False):
    if compiling():  # where sums of shifted images become one kernel, together with what is around
        return resample(x, pad, stride, transposed, "shifts")
    f = Resample.apply if Resampling.own else resample
    return f(x, pad, stride, transposed, Resampling.how)


def double(x):
    """The image's own type is kept also under autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return filtered(x, 1, 2, True) * 4


def act(x):
    """Its factor is in the layer before."""
    return F.leaky_relu(x, 0.2)


GAIN = math.sqrt(2)


class SConv(make_style.SConv):
    def forward(self, x, w, draw=None):
        style = self.affine(w)
        scale = torch.rsqrt(style.square() @ self.weight.square().sum((2, 3)).t() + 1e-8) * GAIN
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            x = filtered(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), 1) * 4
        else:
            x = F.conv2d(x, self.weight, padding=1)
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype) * (self.noise_strength * GAIN).to(x.dtype)
        # What is added is small, and must not decide the layout: the sum of noise and bias alone would be as large as x.
        x = torch.addcmul(noise, x, scale[:, :, None, None].to(x.dtype))
        return act(x + (self.bias * GAIN)[:, None, None].to(x.dtype))


class RGB(make_style.RGB):
    """A matrix for each image, which spares a scaled copy of x."""

    def forward(self, x, w):
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        y = (self.weight.reshape(1, 3, -1) * style[:, None]) @ x.flatten(2)
        return (y + self.bias[:, None]).reshape(len(x), 3, *x.shape[2:])


class Synthesis(make_style.Synthesis):
    def forward(self, ws, draw=None):
        k, img = 0, None
        for s in self.sizes:
            b = getattr(self, "b%d" % s)
            if s == 4:
                x = b.const.expand(len(ws), -1, -1, -1)
            else:
                x = b.conv0(x, ws[:, k])
                k += 1
            x = b.conv1(x, ws[:, k])
            k += 1
            rgb = b.torgb(x, ws[:, k]).to(ws.dtype)  # colours are summed in float32
            img = rgb if img is None else double(img) + rgb
        return img


def conv(m, x, gain, **how):
    bias = None if m.bias is None else m.bias * gain
    return F.conv2d(x, m.weight * (gain / math.sqrt(m.weight[0].numel())), bias, **how)


class Down(make_style.Down):
    def forward(self, x):
        if hasattr(self, "fromrgb"):
            x = act(conv(self.fromrgb, x, GAIN))
        y = conv(self.skip, filtered(x, 1, 2), math.sqrt(0.5))
        x = act(conv(self.conv0, x, GAIN, padding=1))
        return act(conv(self.conv1, filtered(x, 2), 1, stride=2)) + y  # sqrt(2) of the activation, sqrt(1/2) of the block


class Final(make_style.Final):
    def forward(self, x):
        n, g = len(x), self.group
        each = x.float() if x.dtype == torch.bfloat16 else x
        dev = (each.reshape(g, n // g, -1).var(0, unbiased=False) + 1e-8).sqrt().mean(1)
        x = torch.cat([x, dev.repeat(g).reshape(n, 1, 1, 1).expand(n, 1, 4, 4).to(x.dtype)], 1)
        x = act(conv(self.conv, x, GAIN, padding=1)).flatten(1)
        return self.out(act(self.fc(x)) * GAIN).flatten()


def stylegan2(r, batch, divisor=1):
    """Generator and discriminator of StylePreset("auto", r, batch), with the paper's initial values."""
    group = min(4, batch)
    while batch % group:
        group -= 1
    wide = max(8, 512 // divisor)
    size = make_style.Size(wide, wide, 2, (32768 if r >= 512 else 16384) // divisor, wide, group)
    g, d = make_style.G(r, size), make_style.D(r, size)
    with torch.no_grad():
        for net in (g, d):
            for name, t in net.state_dict().items():
                if name.endswith("affine.bias"):
                    t.fill_(1)
                elif not name.endswith(("bias", "noise_strength", "w_avg")):
                    t.normal_(0, 100 if "mapping" in name else 1)
    return quick(g), quick(d)


# The detector.


class Scores(nn.Module):
    """The scores [N, 1] of a detector that is a module of PyTorch or one of TorchScript."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        y = self.net(x)
        return y["score"] if isinstance(y, dict) else y


def published():
    """Upstream's network in fast mode with random weights that keep the size of what goes through."""
    net = TIGAS("fast")
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
    return Scores(net).eval()
