"""StyleGAN2's networks with the operators that stylegan2-ada-pytorch uses for training on a CPU: features are scaled instead
of each image's own weights, doubling is a transposed convolution, halving a strided one. pkg/models/testdata/make_style.py
has the paper's formulation, with the same weights and the same results, several times slower."""
import math

import torch
import torch.nn.functional as F

import make_style
from make_style import act, filtered


class SConv(make_style.SConv):
    def forward(self, x, w, draw=None):
        style = self.affine(w)
        scale = ((self.weight[None] * style[:, None, :, None, None]).square().sum((2, 3, 4)) + 1e-8).rsqrt()
        x = x * style[:, :, None, None]
        if self.up:
            x = filtered(F.pad(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), [1] * 4)) * 4
        else:
            x = F.conv2d(x, self.weight, padding=1)
        noise = draw(len(x), 1, *x.shape[2:]) if draw else self.noise_const
        return act(torch.addcmul(noise * self.noise_strength, x, scale[:, :, None, None]) + self.bias[:, None, None])


class RGB(make_style.RGB):
    def forward(self, x, w):
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        return F.conv2d(x * style[:, :, None, None], self.weight) + self.bias[:, None, None]


class Down(make_style.Down):
    def forward(self, x):
        if hasattr(self, "fromrgb"):
            x = act(self.fromrgb(x))
        y = self.skip(filtered(F.pad(x, [1] * 4))[:, :, ::2, ::2])
        x = act(self.conv0(F.pad(x, [1] * 4)))
        weight = self.conv1.weight / math.sqrt(self.conv1.weight[0].numel())
        x = act(F.conv2d(filtered(F.pad(x, [2] * 4)), weight, self.conv1.bias, stride=2))
        return (x + y) / math.sqrt(2)


def quick(net):
    """Changes the operators of a network of make_style in place."""
    for m in net.modules():
        for c in (SConv, RGB, Down):
            if type(m) is c.__base__:
                m.__class__ = c
    return net
