"""TIGAS's detector in PyTorch, literally, as upstream computes it: both modes, with every branch. It is written from the
description of the network and serves as the independent side of tests (pkg/tigas/convert/testdata/make_reference.py) and
of benchmarks. Its state dict has upstream's names, so upstream's checkpoints load with strict=True: fast, and full v2.

Input [N, 3, H, W] in [0, 1]; output {"score": [N, 1], "logits": [N, 2]}.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_bn(i, o, stride=1):
    return [nn.Conv2d(i, o, 3, stride, 1), nn.BatchNorm2d(o), nn.ReLU()]


class Gated(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, c, 3, 1, 1), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, 1, 1), nn.BatchNorm2d(c)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c, 1), nn.Sigmoid())

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y * self.gate(y) + x)


class ChannelAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, c // 16, bias=False), nn.ReLU(), nn.Linear(c // 16, c, bias=False))

    def forward(self, x):
        n, c = x.shape[:2]
        a = self.fc(F.adaptive_avg_pool2d(x, 1).view(n, c))
        m = self.fc(F.adaptive_max_pool2d(x, 1).view(n, c))
        return x * torch.sigmoid(a + m).view(n, c, 1, 1)


class SpatialAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        r = c // 16
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(c, r, 1), nn.Conv2d(r, r, 3, 1, 1), nn.Conv2d(r, 1, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv3(F.relu(self.conv2(F.relu(self.conv1(x))))))


class CBAM(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.channel_attn, self.spatial_attn = ChannelAttention(c), SpatialAttention(c)

    def forward(self, x):
        return self.spatial_attn(self.channel_attn(x))


class Perceptual(nn.Module):
    def __init__(self, b):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, b))
        for k, n in enumerate((2, 3, 4, 3), 1):
            i, o = b << (k - 1), b << k
            setattr(self, f"stage{k}", nn.ModuleList(
                [nn.Sequential(*conv_bn(i, o, 2))] + [Gated(o) for _ in range(n - 1)] + [CBAM(o)]))

    def forward(self, x):
        x, out = self.stem(x), []
        for k in range(1, 5):
            for layer in getattr(self, f"stage{k}"):
                x = layer(x)
            out.append(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return torch.cat(out, 1)


class Spectral(nn.Module):
    """v2: magnitude, phase, radial spectrum and sector statistics of the Fourier transform."""

    def __init__(self, f):
        super().__init__()
        half, quarter = f // 2, f // 4
        self.mag_encoder = nn.Sequential(*conv_bn(3, half), *conv_bn(half, half))
        self.phase_encoder = nn.Sequential(*conv_bn(3, quarter), *conv_bn(quarter, quarter))
        self.radial_analyzer = nn.Sequential(
            nn.Conv1d(3, quarter, 3, padding=1), nn.BatchNorm1d(quarter), nn.ReLU(),
            nn.Conv1d(quarter, quarter, 3, padding=1), nn.BatchNorm1d(quarter), nn.ReLU())
        self.projection = nn.Sequential(nn.Linear(half + 2 * quarter + 48, 2 * f), nn.LayerNorm(2 * f), nn.ReLU(),
                                        nn.Dropout(0.1), nn.Linear(2 * f, f))

    def forward(self, x):
        n, c, h, w = x.shape
        z = torch.fft.rfft2(x.clamp(-10, 10))
        mag = z.abs().clamp(1e-8, 1e6)
        log, phase = torch.log1p(mag).clamp(-20, 20), (z.angle() / math.pi).clamp(-1, 1)
        fy, fx = torch.fft.fftfreq(h, device=x.device)[:, None], torch.fft.rfftfreq(w, device=x.device)[None]
        r = (fx ** 2 + fy ** 2).sqrt()
        ring = (31 * r / (r.max() + 1e-8)).long().clamp(0, 31).flatten()
        sector = (8 * (torch.atan2(fy, fx + 1e-8) + math.pi) / (2 * math.pi)).long().clamp(0, 7).flatten()
        flat = mag.flatten(2)
        count = torch.zeros(32, device=x.device).index_add_(0, ring, torch.ones_like(ring, dtype=torch.float32))
        radial = torch.zeros(n, c, 32, device=x.device).index_add(2, ring, flat) / count.clamp(min=1)
        radial = radial.clamp(0, 1e6)
        stats = []
        for k in range(8):
            part = flat[:, :, sector == k]
            if part.shape[2] == 0:
                stats += [torch.zeros(n, c, device=x.device)] * 2
            else:
                stats += [part.mean(2), part.std(2)]
        stats = torch.nan_to_num(torch.cat(stats, 1), 0.0, 1e4, -1e4)
        size = lambda t: F.interpolate(t, size=(h, w), mode="bilinear", align_corners=False)
        pool = lambda t: F.adaptive_avg_pool2d(t, 1).flatten(1)
        feature = torch.cat([pool(self.mag_encoder(size(log))), pool(self.phase_encoder(size(phase))),
                             self.radial_analyzer(radial).mean(2), stats], 1)
        out = self.projection(torch.nan_to_num(feature, 0.0, 1e4, -1e4)).clamp(-100, 100)
        return torch.nan_to_num(out, 0.0)


class Statistical(nn.Module):
    """v2: moments of the channels of a small network, compared with prototypes."""

    def __init__(self, f):
        super().__init__()
        half = f // 2
        self.feature_extractor = nn.Sequential(*conv_bn(3, half), *conv_bn(half, half))
        self.prototype_scale = nn.Parameter(torch.ones(1))
        self.register_buffer("natural_prototypes", torch.zeros(4 * half))
        self.register_buffer("prototypes_initialized", torch.tensor(False))
        self.register_buffer("prototype_update_count", torch.tensor(0))
        self.comparison_net = nn.Sequential(
            nn.Linear(12 * half, f), nn.LayerNorm(f), nn.ReLU(), nn.Dropout(0.1), nn.Linear(f, f), nn.LayerNorm(f), nn.ReLU(),
            nn.Linear(f, f))

    def forward(self, x):
        v = self.feature_extractor(x).flatten(2)
        mean, sd = v.mean(2), v.std(2) + 1e-6
        skew = ((mean - v.median(2)[0]) / sd).clamp(-10, 10)
        s = torch.nan_to_num(torch.cat([mean, sd, v.max(2)[0], skew], 1), 0.0, 1e4, -1e4)
        q = self.natural_prototypes
        both = torch.nan_to_num(torch.cat([s, (s - q) * self.prototype_scale, s * q], 1), 0.0, 1e4, -1e4)
        return torch.nan_to_num(self.comparison_net(both).clamp(-100, 100), 0.0)


def attention(q, k, v, heads):
    """Scaled dot products over tokens; q, k, v are [N, T, f]."""
    n, t, f = q.shape
    split = lambda x: x.view(n, x.shape[1], heads, f // heads).transpose(1, 2)
    q, k, v = split(q), split(k), split(v)
    score = (q @ k.transpose(-2, -1) * (f // heads) ** -0.5).clamp(-1e4, 1e4).softmax(-1)
    score = torch.where(torch.isnan(score), torch.full_like(score, 1 / k.shape[2]), score)
    return (score @ v).transpose(1, 2).reshape(n, t, f)


class CrossAttention(nn.Module):
    def __init__(self, f, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(f, f) for _ in range(4))

    def forward(self, query, context):
        q, c = query.unsqueeze(1), context.unsqueeze(1)
        return self.out_proj(attention(self.q_proj(q), self.k_proj(c), self.v_proj(c), self.heads)).squeeze(1)


class SelfAttention(nn.Module):
    def __init__(self, f, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(f, 3 * f), nn.Linear(f, f)

    def forward(self, x):
        q, k, v = self.qkv(x.unsqueeze(1)).chunk(3, -1)
        return self.proj(attention(q, k, v, self.heads)).squeeze(1)


class Fusion(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.fusion_weights = nn.Parameter(torch.full((3,), 1 / 3))
        self.transforms = nn.ModuleList([nn.Sequential(nn.Linear(f, f), nn.LayerNorm(f), nn.ReLU()) for _ in range(3)])
        self.post_fusion = nn.Sequential(nn.Linear(f, f), nn.LayerNorm(f), nn.ReLU(), nn.Dropout(0.1))

    def forward(self, parts):
        w = self.fusion_weights.softmax(0)
        t = [m(p) for m, p in zip(self.transforms, parts)]
        return self.post_fusion(w[0] * t[0] + w[1] * t[1] + w[2] * t[2])


class TIGAS(nn.Module):
    def __init__(self, mode="fast", base=32, feature=256, heads=8):
        super().__init__()
        f = feature
        self.mode = mode
        self.perceptual_extractor = Perceptual(base)
        self.perceptual_aggregator = nn.Sequential(nn.Linear(30 * base, f), nn.LayerNorm(f), nn.ReLU(), nn.Dropout(0.1))
        if mode == "fast":
            self.aux_branch = nn.Sequential(*conv_bn(3, 32, 2), *conv_bn(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                            nn.Linear(64, f // 2))
            self.fast_fusion = nn.Sequential(nn.Linear(f + f // 2, f), nn.LayerNorm(f), nn.ReLU(), nn.Dropout(0.1))
        else:
            self.spectral_analyzer, self.statistical_estimator = Spectral(f), Statistical(f)
            self.spectral_to_perceptual_attn, self.stat_to_perceptual_attn = CrossAttention(f, heads), CrossAttention(f, heads)
            self.self_attention, self.feature_fusion = SelfAttention(f, heads), Fusion(f)
        self.regression_head = nn.Sequential(
            nn.Linear(f, f // 2), nn.LayerNorm(f // 2), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(f // 2, f // 4), nn.LayerNorm(f // 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(f // 4, 1), nn.Sigmoid())
        self.binary_classifier = nn.Sequential(nn.Linear(f, f // 2), nn.ReLU(), nn.Dropout(0.1), nn.Linear(f // 2, 2))

    def forward(self, x):
        x = (2 * x - 1).clamp(-1, 1)
        p = self.perceptual_aggregator(self.perceptual_extractor(x))
        if self.mode == "fast":
            z = self.fast_fusion(torch.cat([p, self.aux_branch(x)], 1))
        else:
            a = self.spectral_to_perceptual_attn(self.spectral_analyzer(x), p)
            s = self.stat_to_perceptual_attn(self.statistical_estimator(x), p)
            z = self.self_attention(self.feature_fusion([p, a, s]))
        return {"score": self.regression_head(z).clamp(0, 1), "logits": self.binary_classifier(z).clamp(-10, 10)}
