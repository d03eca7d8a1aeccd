"""Writes reference.json: what the literal network (bench/reference/tigas_net.py, every branch) makes of images, for weights
that Python and Go compute by the same formula, so that no weights need to be kept.

    python3 make_reference.py        # made with torch 1.13.1 on a CPU with AVX2
"""
import json
import os
import sys
import zlib

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "../../../../bench/reference"))
from tigas_net import TIGAS

CASES = [("fast", 8, 16), ("full", 8, 16), ("fast", 12, 37), ("full", 16, 24), ("fast", 32, 256), ("full", 32, 256)]
SHAPES = [(3, 3, 16, 16), (2, 3, 12, 20), (1, 3, 9, 7)]


def uniform(name, n):
    """n numbers in [-1, 1), exact in float32: a hash of the name and the index."""
    with np.errstate(over="ignore"):
        x = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(zlib.crc32(name.encode()))
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
        x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / (1 << 23) - 1


def value(name, shape):
    n = int(np.prod(shape))
    u = uniform(name, n)
    if len(shape) >= 2:
        u = u * 2 / np.sqrt(n / shape[0])
    elif name.endswith("running_var") or name.endswith(".weight"):
        u = 1 + 0.5 * u
    elif not name.endswith("fusion_weights"):
        u = 0.2 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def main():
    torch.set_num_threads(1)
    cases = []
    for mode, base, feature in CASES:
        # The number of heads has no influence; any that divides the width will do.
        net = TIGAS(mode, base, feature, heads=1).eval()
        for name, t in net.state_dict().items():
            if t.dtype == torch.float32:
                t.copy_(value(name, tuple(t.shape)))
        for p in net.parameters():
            p.requires_grad_(False)
        out = {"mode": mode, "base": base, "feature": feature, "images": []}
        for shape in SHAPES[:1] if base == 32 else SHAPES:
            x = torch.from_numpy(np.clip(uniform("image", int(np.prod(shape))) * 0.505 + 0.5, 0, 1).astype(np.float32)).reshape(shape)
            x.requires_grad_(True)
            y = net(x)
            (1 - y["score"].mean()).backward()
            out["images"].append({"shape": shape, "score": y["score"].flatten().tolist(), "logits": y["logits"].flatten().tolist(),
                                  "grad": [float("%.6g" % v) for v in x.grad.flatten().tolist()]})
            print(mode, base, feature, shape, [round(v, 4) for v in out["images"][-1]["score"]], float(x.grad.norm()))
        cases.append(out)
    json.dump(cases, open(os.path.join(here, "reference.json"), "w"), separators=(",", ":"))


main()
