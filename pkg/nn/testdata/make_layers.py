#!/usr/bin/env python3
"""Writes layers.json: PyTorch's state dict, output, buffers and gradients of every layer of package nn.

Run with any PyTorch from 1.13 on: python3 make_layers.py > layers.json
The loss is sum(output * cotangent) with a random cotangent, so that every element of the output matters.
"""
import json
import torch
from torch import nn


def dump(t):
    return {"shape": list(t.shape), "data": [float("%.9g" % v) for v in t.detach().double().flatten().tolist()]}


def randomise(m):
    """Replaces initial values, many of which are 0 or 1, by ones that tell mistakes apart."""
    with torch.no_grad():
        for name, t in m.state_dict().items():
            if name.endswith("running_var"):
                t.uniform_(0.5, 2)
            elif t.is_floating_point():
                t.uniform_(-1, 1)


class Block(nn.Module):
    """A module whose own parameter is registered after a part."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.register_buffer("offset", torch.zeros(2, 1, 1))
        self.scale = nn.Parameter(torch.ones(1))
        self.bn = nn.BatchNorm2d(2)

    def forward(self, x):
        return x + self.scale * torch.relu(self.bn(self.conv1(x))) + self.offset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(Block(), nn.ReLU(), Block())
        self.blocks = nn.ModuleList([nn.Conv2d(2, 3, 1), nn.GroupNorm(3, 3)])
        self.fc = nn.Linear(3 * 4 * 4, 2)

    def forward(self, x):
        x = self.layer1(x)
        for b in self.blocks:
            x = b(x)
        return self.fc(torch.flatten(x, 1))


def case(name, m, *shape, train=True):
    randomise(m)
    m.train(train)
    before = {k: dump(v) for k, v in m.state_dict().items()}
    x = torch.randn(*shape, requires_grad=True)
    y = m(x)
    cot = torch.randn_like(y)
    params = list(m.parameters())
    grads = torch.autograd.grad((y * cot).sum(), [x] + params)
    return {
        "name": name, "train": train, "keys": list(before), "state": before, "params": [n for n, _ in m.named_parameters()],
        "x": dump(x), "y": dump(y), "cotangent": dump(cot), "dx": dump(grads[0]), "dparams": [dump(g) for g in grads[1:]],
        "buffers": {k: dump(v) for k, v in m.named_buffers()},
    }


def initial(name, make):
    torch.manual_seed(7)
    return {"name": name, "state": {k: dump(v) for k, v in make().state_dict().items()}}


def initialiser(name, f):
    torch.manual_seed(7)
    w = torch.empty(3, 2, 2, 2)
    f(w)
    return {"name": name, "state": {"weight": dump(w)}}


torch.manual_seed(1)
cases = [
    case("linear", nn.Linear(3, 2), 4, 3),
    case("linear_nobias", nn.Linear(3, 2, bias=False), 2, 2, 3),
    case("conv", nn.Conv2d(2, 3, 3, stride=2, padding=1), 2, 2, 5, 4),
    case("conv_grouped", nn.Conv2d(4, 2, 2, dilation=2, groups=2, bias=False), 1, 4, 4, 4),
    case("conv_transpose", nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1), 2, 2, 3, 2),
    case("conv_transpose_output", nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1, groups=2), 1, 2, 2, 3),
    case("batchnorm", nn.BatchNorm2d(3), 2, 3, 2, 2),
    case("batchnorm_eval", nn.BatchNorm2d(3), 2, 3, 2, 2, train=False),
    case("layernorm", nn.LayerNorm([3, 2]), 2, 3, 2),
    case("groupnorm", nn.GroupNorm(2, 4), 2, 4, 3, 1),
    case("relu", nn.ReLU(), 3, 4),
    case("leaky_relu", nn.LeakyReLU(0.2), 3, 4),
    case("tanh", nn.Tanh(), 3, 4),
    case("sigmoid", nn.Sigmoid(), 3, 4),
    case("silu", nn.SiLU(), 3, 4),
    case("gelu", nn.GELU(), 3, 4),
    case("upsample", nn.Upsample(scale_factor=2), 1, 2, 2, 3),
    case("avgpool", nn.AvgPool2d(2), 1, 2, 5, 4),
    case("flatten", nn.Flatten(), 2, 3, 2),
    case("dropout_eval", nn.Dropout(0.5), 3, 4, train=False),
    case("sequential", nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)), 3, 1, 4, 4),
    case("net", Net(), 2, 2, 4, 4),
]
initials = [
    initial("linear", lambda: nn.Linear(5, 3)),
    initial("conv", lambda: nn.Conv2d(2, 3, 3)),
    initial("conv_transpose", lambda: nn.ConvTranspose2d(2, 3, 3)),
    initialiser("xavier_uniform", lambda w: nn.init.xavier_uniform_(w, 1.5)),
    initialiser("xavier_normal", lambda w: nn.init.xavier_normal_(w, 1.5)),
    initialiser("kaiming_uniform", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
    initialiser("kaiming_normal", lambda w: nn.init.kaiming_normal_(w, a=0.2)),
    initialiser("orthogonal", lambda w: nn.init.orthogonal_(w, 1.5)),
]
for k, l in (("cases", cases), ("initials", initials)):
    print(('{"' if k == "cases" else ',"') + k + '": [')
    print(",\n".join(json.dumps(c) for c in l))
    print("]")
print("}")
