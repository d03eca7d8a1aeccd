#!/usr/bin/env python3
"""What the device can do at most: a large matrix product in bfloat16 and a copy in its memory. Prints JSON.

usage: ceiling.py [--device cuda|cpu] [--side 8192]
"""
import argparse
import json

import torch

from measure import median


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--side", type=int, default=8192)
    args = parser.parse_args()
    device, n = torch.device(args.device), args.side
    # Random: a product of zeros draws less power and is faster than that of anything real.
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    c = torch.empty_like(a)
    product = median(lambda: torch.mm(a, b, out=c), device, count=10, warm=3)
    del a, b, c
    x = torch.randn(n * n * 8, device=device)  # 2 GiB of 8192: many times the cache
    y = torch.empty_like(x)
    copy = median(lambda: y.copy_(x), device, count=10, warm=3)
    print(json.dumps({
        "case": "ceiling", "bf16_tflops": round(2e-9 * n ** 3 / product, 1),
        "copy_TB_per_s": round(2e-9 * x.numel() * x.element_size() / copy, 3),
        "gpu": torch.cuda.get_device_name() if device.type == "cuda" else None, "torch": torch.__version__,
    }))


main()
