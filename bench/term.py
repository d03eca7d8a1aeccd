"""The TIGAS term by itself: ours against the literal network in PyTorch, both modes at full size, in one run. See run.sh.

recipe  the network is only put into eval mode, as the original text has it: backward fills 16 million gradients
frozen  its parameters do not require gradients

usage: term.py TIGAS_TRAIN NATIVE SCRATCH        (orchestrates)
       term.py peer MODE recipe|frozen FILE SIZE BATCH THREADS STEPS
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference"))
ROUNDS, STEPS, THREADS = int(os.environ.get("BENCH_ROUNDS", "3")), int(os.environ.get("BENCH_STEPS", "4")), 2
SHAPES = [(64, 8), (128, 4), (256, 1)]


def peer(mode, how, path, size, batch, threads, steps):
    import torch
    from tigas_net import TIGAS
    torch.set_num_threads(threads)
    net = TIGAS(mode)
    net.load_state_dict(torch.load(path)["model_state_dict"])
    net.eval()
    if how == "frozen":
        for p in net.parameters():
            p.requires_grad_(False)
    x = image(torch, size, batch)
    times = []
    for _ in range(steps + 1):
        x.grad = None
        t = time.perf_counter()
        score = net(x)["score"]
        (1 - score.mean()).backward()
        times.append(time.perf_counter() - t)
    print(json.dumps({"ms": 1e3 * sorted(times[1:])[steps // 2], "score": score.mean().item(), "grad": x.grad.norm().item()}))


def image(torch, size, batch):
    """A ramp: the same on both sides."""
    n = batch * 3 * size * size
    return (torch.arange(n, dtype=torch.float32).remainder(251) / 250).reshape(batch, 3, size, size).requires_grad_(True)


def checkpoint(mode, path):
    """A trainer's file with random weights that say something."""
    import torch
    from tigas_net import TIGAS
    g = torch.Generator().manual_seed(1)
    net = TIGAS(mode)
    for name, p in net.named_parameters():
        with torch.no_grad():
            if p.dim() > 1:
                p.normal_(0, (1.5 / p[0].numel()) ** 0.5, generator=g)
            elif name.endswith("weight"):
                p.uniform_(0.5, 1.5, generator=g)
            else:
                p.normal_(0, 0.1, generator=g)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    opt = torch.optim.AdamW(net.parameters(), 1e-5)
    opt.step()
    torch.save({"epoch": 1, "model_state_dict": net.state_dict(), "optimizer_state_dict": opt.state_dict()}, path)


def run(args):
    return json.loads(subprocess.check_output(args))


def main(binary, native, scratch):
    print(f"the TIGAS term alone: forward, and backward to the image; full size, {THREADS} threads, best of {ROUNDS}")
    print(f"{'':22}{'ours':>9}{'recipe':>9}{'ratio':>8}{'frozen':>9}{'ratio':>8}   largest difference (score, gradient)")
    for mode in ("full", "fast"):
        path, script = os.path.join(scratch, mode + ".pt"), os.path.join(scratch, mode + "-script.pt")
        checkpoint(mode, path)
        subprocess.check_call([binary, "detector", "convert", path, "-o", script, "-q"], stdout=subprocess.DEVNULL)
        for size, batch in SHAPES:
            common = [str(v) for v in (size, batch, THREADS, STEPS)]
            best = {}
            for _ in range(ROUNDS):
                for who, args in (("ours", [native, "term", script]), ("recipe", [sys.executable, __file__, "peer", mode, "recipe", path]),
                                  ("frozen", [sys.executable, __file__, "peer", mode, "frozen", path])):
                    r = run(args + common)
                    if who not in best or r["ms"] < best[who]["ms"]:
                        best[who] = r
            o, r, f = (best[w]["ms"] for w in ("ours", "recipe", "frozen"))
            diff = [abs(best["ours"][k] - best["frozen"][k]) / (best["frozen"][k] if k == "grad" else 1) for k in ("score", "grad")]
            print(f"{f'{mode} {batch}x{size}x{size} (ms)':22}{o:9.0f}{r:9.0f}{o / r:8.2f}{f:9.0f}{o / f:8.2f}   {diff[0]:.0e} {diff[1]:.0e}")


if sys.argv[1] == "peer":
    peer(*sys.argv[2:5], *map(int, sys.argv[5:9]))
else:
    main(*sys.argv[1:4])
