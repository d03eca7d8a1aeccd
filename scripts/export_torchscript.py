#!/usr/bin/env python3
"""Exports a detector to TorchScript, for people who have PyTorch at hand.

    python3 scripts/export_torchscript.py best_model.pt tigas.pt
    python3 scripts/export_torchscript.py weights.pth mine.pt --module mynet.py:Net --sigmoid --mean .485 .456 .406 --std .229 .224 .225

The first form reads a checkpoint of TIGAS (a trainer's, save_model's, or a bare state dict) without TIGAS's package; it does
what `tigas-train detector convert` does without Python. The second is for any other detector: a class or function without
arguments in a Python file makes the network, CHECKPOINT is its state dict (or "-" for none), and the options say how images
in [0, 1] get in and how a score from 0 (generated) to 1 (real) comes out.

What is written is tried as a loss: finite scores in [0, 1], and a finite gradient with respect to the image.
"""
import argparse
import importlib.util
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F


# ---- TIGAS, reduced to what the score depends on (docs/detector.md), with upstream's names ----

def conv_bn(i, o, stride=1):
    return [nn.Conv2d(i, o, 3, stride, 1), nn.BatchNorm2d(o), nn.ReLU()]


class Gated(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, c, 3, 1, 1), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, 1, 1), nn.BatchNorm2d(c)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c, 1), nn.Sigmoid())

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y * self.gate(y) + x)


class ChannelAttention(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, c // 16, bias=False), nn.ReLU(), nn.Linear(c // 16, c, bias=False))

    def forward(self, x):
        a = self.fc(F.adaptive_avg_pool2d(x, [1, 1]).flatten(1)) + self.fc(F.adaptive_max_pool2d(x, [1, 1]).flatten(1))
        return x * torch.sigmoid(a).unsqueeze(2).unsqueeze(3)


class SpatialAttention(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        r = c // 16
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(c, r, 1), nn.Conv2d(r, r, 3, 1, 1), nn.Conv2d(r, 1, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv3(F.relu(self.conv2(F.relu(self.conv1(x))))))


class CBAM(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.channel_attn, self.spatial_attn = ChannelAttention(c), SpatialAttention(c)

    def forward(self, x):
        return self.spatial_attn(self.channel_attn(x))


class Perceptual(nn.Module):
    def __init__(self, b: int):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, b))
        stages = []
        for k, n in enumerate((2, 3, 4, 3), 1):
            o = b << k
            stages.append(nn.Sequential(nn.Sequential(*conv_bn(o // 2, o, 2)), *[Gated(o) for _ in range(n - 1)], CBAM(o)))
        self.stage1, self.stage2, self.stage3, self.stage4 = stages

    def forward(self, x):
        a = self.stage1(self.stem(x))
        b = self.stage2(a)
        c = self.stage3(b)
        d = self.stage4(c)
        return torch.cat([a.mean([2, 3]), b.mean([2, 3]), c.mean([2, 3]), d.mean([2, 3])], 1)


class Attention(nn.Module):
    """Of one token on one token: the softmax is 1, so query and key have no influence."""

    def __init__(self, f: int):
        super().__init__()
        self.v_proj, self.out_proj = nn.Linear(f, f), nn.Linear(f, f)

    def forward(self, p):
        return self.out_proj(self.v_proj(p))


class SelfAttention(nn.Module):
    def __init__(self, f: int):
        super().__init__()
        self.f, self.qkv, self.proj = f, nn.Linear(f, 3 * f), nn.Linear(f, f)

    def forward(self, x):
        return self.proj(F.linear(x, self.qkv.weight[2 * self.f:], self.qkv.bias[2 * self.f:]))


class Fusion(nn.Module):
    def __init__(self, f: int):
        super().__init__()
        part = lambda: nn.Sequential(nn.Linear(f, f), nn.LayerNorm(f), nn.ReLU())
        self.fusion_weights = nn.Parameter(torch.zeros(3))
        self.transforms = nn.ModuleList([part(), part(), part()])
        self.post_fusion = part()

    def forward(self, p, a, s):
        w = torch.softmax(self.fusion_weights, 0)
        return self.post_fusion(w[0] * self.transforms[0](p) + w[1] * self.transforms[1](a) + w[2] * self.transforms[2](s))


class FullHead(nn.Module):
    def __init__(self, f: int):
        super().__init__()
        self.spectral_to_perceptual_attn, self.stat_to_perceptual_attn = Attention(f), Attention(f)
        self.feature_fusion, self.self_attention = Fusion(f), SelfAttention(f)

    def forward(self, x, p):
        return self.self_attention(self.feature_fusion(p, self.spectral_to_perceptual_attn(p), self.stat_to_perceptual_attn(p)))


class FastHead(nn.Module):
    def __init__(self, f: int):
        super().__init__()
        self.aux_branch = nn.Sequential(*conv_bn(3, 32, 2), *conv_bn(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                        nn.Linear(64, f // 2))
        self.fast_fusion = nn.Sequential(nn.Linear(f + f // 2, f), nn.LayerNorm(f), nn.ReLU())

    def forward(self, x, p):
        return self.fast_fusion(torch.cat([p, self.aux_branch(x)], 1))


class TIGAS(nn.Module):
    def __init__(self, full: bool, base: int, f: int):
        super().__init__()
        self.perceptual_extractor = Perceptual(base)
        self.perceptual_aggregator = nn.Sequential(nn.Linear(30 * base, f), nn.LayerNorm(f), nn.ReLU())
        self.mode = FullHead(f) if full else FastHead(f)
        self.regression_head = nn.Sequential(
            nn.Linear(f, f // 2), nn.LayerNorm(f // 2), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(f // 2, f // 4), nn.LayerNorm(f // 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(f // 4, 1), nn.Sigmoid())
        self.binary_classifier = nn.Sequential(nn.Linear(f, f // 2), nn.ReLU(), nn.Dropout(0.1), nn.Linear(f // 2, 2))

    def forward(self, x):
        x = (2 * x - 1).clamp(-1, 1)
        z = self.mode(x, self.perceptual_aggregator(self.perceptual_extractor(x)))
        return self.regression_head(z)


INERT = ("spectral_analyzer.", "statistical_estimator.", "spectral_to_perceptual_attn.q_proj.", "spectral_to_perceptual_attn.k_proj.",
         "stat_to_perceptual_attn.q_proj.", "stat_to_perceptual_attn.k_proj.")


def weights_of(path, trust):
    """The state dict in a file, without the names that wrappers put before its own."""
    if path == "-":
        return None
    try:
        d = torch.load(path, map_location="cpu", **({} if trust else {"weights_only": True}))
    except OSError as e:
        sys.exit(f"error: {e}")
    except Exception as e:
        hint = "" if trust else (". A pickle may run programs: if you know who made the file, and torch is older than 2.0, whose "
                                 "safe reading lacks a few types, give --trust; tigas-train detector convert runs nothing")
        sys.exit(f"error: {path}: {' '.join(str(e).split())[:300]}{hint}")
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(d, dict) and isinstance(d.get(key), dict):
            d = d[key]
            break
    for prefix in ("module.", "_orig_mod.", "model."):
        if d and all(k.startswith(prefix) for k in d):
            d = {k[len(prefix):]: v for k, v in d.items()}
    return d


def tigas(state):
    if state is None:
        sys.exit("error: a checkpoint is needed, or --module FILE.py:NAME with a network of your own")
    stem, agg = state.get("perceptual_extractor.stem.0.weight"), state.get("perceptual_aggregator.0.weight")
    if stem is None or agg is None:
        sys.exit("error: not the weights of TIGAS: give --module FILE.py:NAME for another network")
    full = "spectral_to_perceptual_attn.v_proj.weight" in state
    if full == ("aux_branch.0.weight" in state):
        sys.exit("error: the weights of both modes, or of neither")
    net = TIGAS(full, stem.shape[0], agg.shape[0])
    # The heads of the modes are a module of their own here, so that the network can be scripted.
    inner = [k[len("mode."):] for k in net.state_dict() if k.startswith("mode.")]
    missing = [k for k in inner if k not in state]
    if missing:
        sys.exit("error: tensors are missing: " + ", ".join(missing[:12]))
    renamed = {("mode." + k if k in inner else k): v for k, v in state.items() if not (full and k.startswith(INERT))}
    try:
        net.load_state_dict(renamed)
    except RuntimeError as e:
        sys.exit("error: " + " ".join(str(e).split()))
    return net


def other(spec, state):
    file, _, name = spec.rpartition(":")
    if not file:
        sys.exit(f"error: --module: got {spec!r} vs FILE.py:NAME")
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("detector", file))
    module.__spec__.loader.exec_module(module)
    net = getattr(module, name)()
    if state is not None:
        net.load_state_dict(state)
    return net


class Detector(nn.Module):
    """Images in [0, 1] in, scores [N, 1] out."""

    def __init__(self, net, o):
        super().__init__()
        self.net, self.sigmoid, self.invert, self.size = net, o.sigmoid, o.invert, o.resize
        self.register_buffer("mean", torch.tensor(o.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(o.std).view(1, -1, 1, 1))
        self.column = o.column

    def forward(self, x):
        if self.size > 0:
            x = F.interpolate(x, size=[self.size, self.size], mode="bilinear", align_corners=False, antialias=True)
        y = self.net((x - self.mean) / self.std)
        if self.column >= 0:
            y = torch.softmax(y, 1)[:, self.column]
        y = y.reshape(x.shape[0], 1)
        if self.sigmoid:
            y = torch.sigmoid(y)
        return 1 - y if self.invert else y


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint"), p.add_argument("out")
    p.add_argument("--module", help="FILE.py:NAME, a class or function that makes the network")
    p.add_argument("--trust", action="store_true", help="read the checkpoint as any pickle, which may run programs")
    p.add_argument("--mean", type=float, nargs="+", default=[0.0]), p.add_argument("--std", type=float, nargs="+", default=[1.0])
    p.add_argument("--sigmoid", action="store_true", help="the network returns logits")
    p.add_argument("--invert", action="store_true", help="the network says 1 for generated images")
    p.add_argument("--column", type=int, default=-1, help="the network returns logits of classes; this one is real")
    p.add_argument("--resize", type=int, default=0, help="scale images to this size first")
    p.add_argument("--trace", action="store_true", help="trace the network instead of scripting it; it must be in one path")
    p.add_argument("--size", type=int, default=64, help="height and width of the images it is tried on (64)")
    o = p.parse_args()

    torch.manual_seed(0)
    state = weights_of(o.checkpoint, o.trust)
    net = tigas(state) if o.module is None else Detector(other(o.module, state), o)
    net.eval()
    for q in net.parameters():
        q.requires_grad_(False)
    x = torch.rand(2, 3, o.size, o.size)
    script = torch.jit.trace(net, x) if o.trace else torch.jit.script(net)
    script.save(o.out)

    again = torch.jit.load(o.out).eval()
    x.requires_grad_(True)
    score = again(x)
    if list(score.shape) != [2, 1] or not bool(torch.isfinite(score).all()) or float(score.min()) < 0 or float(score.max()) > 1:
        sys.exit(f"error: {o.out} is no detector: got scores {score.flatten().tolist()} of shape {list(score.shape)} vs [2, 1] in [0, 1]")
    (1 - score.mean()).backward()
    if not bool(torch.isfinite(x.grad).all()) or float(x.grad.norm()) == 0:
        sys.exit(f"error: {o.out} is no loss: the norm of its gradient is {float(x.grad.norm())}")
    print(f"{o.out}: {sum(q.numel() for q in net.parameters())} parameters, scores {[round(v, 4) for v in score.flatten().tolist()]}")


main()
