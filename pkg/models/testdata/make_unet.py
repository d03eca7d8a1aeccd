#!/usr/bin/env python3
"""Writes unet.json: names, shapes, outputs and gradients of small U-Nets, written down again in PyTorch.

Run with any PyTorch from 1.13 on: python3 make_unet.py > unet.json
The network is that of UNet2DModel in Hugging Face's diffusers. Where diffusers can be imported (0.18 or later), the script
builds that one too and stops unless both have the same names, outputs, gradients and numbers of parameters; the stored file
was made beside diffusers 0.27.2. Weights and inputs are a formula that the Go test repeats, so only results are stored.
The network is also that of bench/reference.
"""
import json
import math
import sys
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from formula import f, fill, numbers

diffusers = None  # imported by main, where there is one
BATCH = 2


def embedding(t, dim, flip, shift):
    """In float64; diffusers has float32, whose error is 1e-7 times the timestep."""
    half = dim // 2
    angle = np.outer(t, np.exp(-math.log(10000) * np.arange(half) / (half - shift)))
    parts = [np.sin(angle), np.cos(angle)]
    return np.concatenate(parts[::-1] if flip else parts, 1)


class Time(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(i, o), nn.Linear(o, o)


class Resnet(nn.Module):
    def __init__(self, i, o, c):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(c["groups"], i, c["eps"]), nn.Conv2d(i, o, 3, 1, 1)
        self.time_emb_proj = nn.Linear(4 * c["channels"][0], o)
        self.norm2, self.dropout = nn.GroupNorm(c["groups"], o, c["eps"]), nn.Dropout(c["dropout"])
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1)
        if i != o:
            self.conv_shortcut = nn.Conv2d(i, o, 1)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x) + h


class Attention(nn.Module):
    def __init__(self, ch, c):
        super().__init__()
        self.group_norm = nn.GroupNorm(c["groups"], ch, c["eps"])
        self.to_q, self.to_k, self.to_v = nn.Linear(ch, ch), nn.Linear(ch, ch), nn.Linear(ch, ch)
        self.to_out = nn.ModuleList([nn.Linear(ch, ch)])
        self.dim = c["head_dim"] or ch

    def forward(self, x):
        h = self.group_norm(x).flatten(2).transpose(1, 2)
        outs = []
        for q, k, v in zip(*(f(h).split(self.dim, 2) for f in (self.to_q, self.to_k, self.to_v))):
            outs.append(torch.softmax(q @ k.transpose(1, 2) / math.sqrt(self.dim), 2) @ v)
        return x + self.to_out[0](torch.cat(outs, 2)).transpose(1, 2).reshape(x.shape)


class Down(nn.Module):
    def __init__(self, ch, far):
        super().__init__()
        self.conv, self.far = nn.Conv2d(ch, ch, 3, 2, 0 if far else 1), far

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.far else x)


class Up(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.conv = nn.Conv2d(ch, ch, 3, 1, 1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Stage(nn.Module):
    def __init__(self, widths, c, attention):
        super().__init__()
        if attention:
            self.attentions = nn.ModuleList(Attention(o, c) for _, o in widths[1 if attention == "mid" else 0:])
        self.resnets = nn.ModuleList(Resnet(i, o, c) for i, o in widths)


class UNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, ch = c, c["channels"]
        self.conv_in, self.time_embedding = nn.Conv2d(3, ch[0], 3, 1, 1), Time(ch[0], 4 * ch[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        w, skips = ch[0], [ch[0]]
        for i, n in enumerate(ch):
            self.down_blocks.append(Stage([(w, n)] + [(n, n)] * (c["blocks"] - 1), c, c["attention"][i]))
            w = n
            skips += [w] * c["blocks"]
            if i < len(ch) - 1:
                self.down_blocks[-1].downsamplers = nn.ModuleList([Down(w, c["far"])])
                skips.append(w)
        mid = Stage([(w, w), (w, w)], c, "mid" if c["mid"] else None)
        for i in reversed(range(len(ch))):
            widths = []
            for _ in range(c["blocks"] + 1):
                widths.append((w + skips.pop(), ch[i]))
                w = ch[i]
            self.up_blocks.append(Stage(widths, c, c["attention"][i]))
            if i > 0:
                self.up_blocks[-1].upsamplers = nn.ModuleList([Up(w)])
        self.mid_block = mid
        self.conv_norm_out, self.conv_out = nn.GroupNorm(c["groups"], ch[0], c["eps"]), nn.Conv2d(ch[0], 3, 3, 1, 1)

    def forward(self, x, t):
        e = torch.from_numpy(embedding(t.numpy(), self.c["channels"][0], self.c["flip"], self.c["shift"])).to(x.dtype)
        emb = self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(e)))
        h = self.conv_in(x)
        skips = [h]
        for stage in self.down_blocks:
            for i, r in enumerate(stage.resnets):
                h = r(h, emb)
                h = stage.attentions[i](h) if hasattr(stage, "attentions") else h
                skips.append(h)
            if hasattr(stage, "downsamplers"):
                h = stage.downsamplers[0](h)
                skips.append(h)
        m = self.mid_block
        h = m.resnets[0](h, emb)
        h = m.resnets[1](m.attentions[0](h) if hasattr(m, "attentions") else h, emb)
        for stage in self.up_blocks:
            for i, r in enumerate(stage.resnets):
                h = r(torch.cat([h, skips.pop()], 1), emb)
                h = stage.attentions[i](h) if hasattr(stage, "attentions") else h
            h = stage.upsamplers[0](h) if hasattr(stage, "upsamplers") else h
        return self.conv_out(F.silu(self.conv_norm_out(h)))


def original(c):
    """The same network from diffusers."""
    return diffusers.UNet2DModel(
        sample_size=c["resolution"], block_out_channels=tuple(c["channels"]), layers_per_block=c["blocks"],
        down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in c["attention"]),
        up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(c["attention"])),
        attention_head_dim=c["head_dim"] or None, add_attention=c["mid"], dropout=c["dropout"],
        norm_num_groups=c["groups"], norm_eps=c["eps"], flip_sin_to_cos=c["flip"], freq_shift=c["shift"],
        downsample_padding=0 if c["far"] else 1)


def results(m, x, t):
    """Output sampled at 12 places, and the norm of the gradient of a weighted sum with respect to everything."""
    fill(m)
    x = x.clone().requires_grad_()
    y = m(x, t)
    y = y if torch.is_tensor(y) else y.sample
    cot = torch.from_numpy(numbers(99, y.numel())).float().reshape(y.shape)
    g = torch.autograd.grad((y * cot).sum(), [x] + list(m.parameters()))
    flat = y.detach().flatten()
    at = sorted({i * (len(flat) - 1) // 11 for i in range(12)})
    return {
        "keys": list(m.state_dict()), "shape": list(y.shape), "at": at, "y": [f(v) for v in flat[at].tolist()],
        "mean_abs": f(flat.abs().double().mean()), "grad_norms": [f(v.double().norm()) for v in g], "last_buffer_sum": 0,
    }


def config(resolution, channels, blocks, attention, head_dim, mid, groups, eps, flip, shift, far, dropout=0.0):
    return {k: v for k, v in locals().items()}


CASES = [
    config(8, [8, 16, 16], 2, [False, True, False], 0, True, 4, 1e-6, False, 1, True),
    config(16, [8, 8, 16], 1, [False, False, True], 4, True, 8, 1e-5, True, 0, False),
    config(4, [8], 3, [False], 0, False, 2, 1e-5, True, 0, False),
    config(8, [4, 8], 1, [True, True], 2, False, 2, 1e-5, True, 1, False),
]
PRESETS = {
    "demo": config(32, [8, 16, 32, 64], 1, [False, False, True, False], 32, True, 4, 1e-5, True, 0, False),
    "small": config(64, [64, 128, 128, 256], 2, [False, False, True, False], 64, True, 32, 1e-5, True, 0, False),
    "ddpm-cifar10": config(32, [128, 256, 256, 256], 2, [False, True, False, False], 0, True, 32, 1e-6, False, 1, True, 0.1),
    "ddpm-hf": config(64, [128, 128, 256, 256, 512, 512], 2, [False] * 4 + [True, False], 8, True, 32, 1e-5, True, 0, False),
}


def count(m):
    return sum(p.numel() for p in m.parameters())


def main():
    global diffusers
    try:
        import diffusers
        from diffusers import UNet2DModel
    except ImportError:
        print("without diffusers", file=sys.stderr)
    out = {"embeddings": [], "parameters": {}, "cases": []}
    for dim, flip, shift in ((8, False, 1), (8, True, 0), (6, False, 0.5)):
        t = np.array([0, 1, 10.5, 999])
        e = embedding(t, dim, flip, shift)
        out["embeddings"].append({"dim": dim, "flip": flip, "shift": shift, "t": t.tolist(), "values": [f(v) for v in e.flatten()]})
        if diffusers:
            d = diffusers.models.embeddings.get_timestep_embedding(torch.from_numpy(t), dim, flip, shift)
            assert np.abs(d.numpy() - e).max() < 2e-4, np.abs(d.numpy() - e).max()
    for name, c in PRESETS.items():
        out["parameters"][name] = count(UNet(c))
        assert not diffusers or count(original(c)) == out["parameters"][name]
    for c in CASES:
        r = c["resolution"]
        x = torch.from_numpy(numbers(50, BATCH * 3 * r * r)).float().reshape(BATCH, 3, r, r)
        t = torch.tensor([3, 700])
        mine = results(UNet(c), x, t)
        if diffusers:
            theirs = results(original(c), x, t)
            assert mine["keys"] == theirs["keys"], (mine["keys"], theirs["keys"])
            for k in ("y", "mean_abs", "grad_norms"):
                a, b = np.array(mine[k]), np.array(theirs[k])
                assert np.abs(a - b).max() < 1e-3 * np.abs(b).max(), (k, a, b)
                print(c["channels"], k, "differs from diffusers by", np.abs(a - b).max() / np.abs(b).max(), file=sys.stderr)
        out["cases"].append({"config": c, "timesteps": t.tolist(), "unet": mine})
    print('{"embeddings": %s,\n"parameters": %s,\n"cases": [%s]}' % (
        json.dumps(out["embeddings"]), json.dumps(out["parameters"]), ",\n".join(json.dumps(c) for c in out["cases"])))


if __name__ == "__main__":
    main()
