"""A step of each family against the same step in PyTorch (bench/reference), both with the TIGAS term by the embedded
detector, in turns: milliseconds and ratios. See run.sh.

The sizes are those of demo runs at 32 x 32. PyTorch's side is the quicker of the ways to write it: the detector and the
network that is not trained are frozen, StyleGAN2 has the operators of stylegan2-ada-pytorch, images are in memory. Our side
is the whole loop of pkg/trainers, with its loader and its log. Regularisers are due in as many steps as in training: the
time is the mean over 16 steps, or over a few of the families that have none. Both processes answer for all families and
keep what they built: TorchScript is slow in the first three steps, while it looks at how the detector is used.

usage: families.py NATIVE         (orchestrates; BENCH_ROUNDS rounds, 3 if not set; BENCH_FAMILIES, all if not set)
       families.py peer           (answers lines "family threads steps" with milliseconds)
"""
import itertools
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference"))
FAMILIES = {"gan": 2, "stylegan": 16, "vae": 3, "diffusion": 3}  # steps that are timed
WARM = 4  # steps before the first timing; before the others one
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def loop(family):
    """The loop and its batch; sizes as in native/families.go."""
    from common import Tigas
    if family == "gan":
        from gan import WGANGP
        return WGANGP(Tigas(), latent=64, width=16, batch=32, lr=2e-3, ema_kimg=2), 32
    if family == "stylegan":
        from make_style import Size
        from style_ada import quick
        from stylegan import StyleGAN2
        s = StyleGAN2(Tigas(), r=32, size=Size(64, 64, 2, 1024, 64, 4), batch=16, gamma=0.0128)
        quick(s.G), quick(s.D), quick(s.ema)
        return s, 16
    if family == "vae":
        from vae import VAELoop
        return VAELoop(Tigas(), r=32, latent=64, width=32, decay=None, warmup=0), 64
    from diffusion import Diffusion
    from make_unet import PRESETS
    return Diffusion(Tigas(), net=PRESETS["demo"], warmup=0, weight_decay=0), 32


def peer():
    import torch
    from common import reals
    loops = {}
    for line in sys.stdin:
        family, threads, steps = line.split()
        torch.set_num_threads(int(threads))
        warm = 1
        if family not in loops:
            trainer, batch = loop(family)
            real = reals(batch, 32)
            loops[family], warm = (trainer, itertools.cycle([real() for _ in range(4)])), WARM
        trainer, images = loops[family]
        take = lambda: next(images)
        for _ in range(warm):
            trainer.step(0, take)
        start = time.perf_counter()
        for i in range(1, 1 + int(steps)):
            trainer.step(i, take)
        print(1e3 * (time.perf_counter() - start) / int(steps), flush=True)


def ask(p, *request):
    p.stdin.write(" ".join(map(str, request)) + "\n")
    p.stdin.flush()
    answer = p.stdout.readline()
    if not answer:
        sys.exit("families: %s ended: %d" % (p.args[0], p.wait()))
    return float(answer)


def main(native):
    start = lambda *args: subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    sides = {"ours": start(native, "families"), "python": start(sys.executable, __file__, "peer")}
    print(f"a step of each family at 32 x 32 with the TIGAS term, best of {ROUNDS}")
    print(f"{'':28}{'ours':>9}{'PyTorch':>9}{'ratio':>8}")
    chosen = os.environ.get("BENCH_FAMILIES", " ".join(FAMILIES)).split()
    for threads in (1, 2):
        for family in chosen:
            best = {}
            for _ in range(min(ROUNDS, 2) if family == "stylegan" else ROUNDS):  # its 16 steps are long enough
                for side, p in sides.items():
                    ms = ask(p, family, threads, FAMILIES[family])
                    best[side] = min(ms, best.get(side, ms))
            label = f"{family}, {threads} thread{'s' if threads > 1 else ''} (ms)"
            print(f"{label:28}{best['ours']:9.1f}{best['python']:9.1f}{best['ours'] / best['python']:8.2f}", flush=True)
    for p in sides.values():
        p.stdin.close()
        p.wait()


if sys.argv[1] == "peer":
    peer()
else:
    main(sys.argv[1])
