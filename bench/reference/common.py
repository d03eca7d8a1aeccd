"""What the reference loops gan.py, stylegan.py, vae.py and diffusion.py share.

They are training loops as one writes them in PyTorch, from the papers. pkg/trainers/trajectory_test.go follows them from
the same initial weights on the same images with the same random numbers; bench/families.py times them. So that both sides
start alike, initial weights and images are formulas, and there are two generators of random numbers:

    noise    seeded with the loop's seed: what makes images and losses, in the order that each loop's docstring lists
    choice   seeded with seed + 1: which timesteps are trained

Each loop is a class with step(i, real): i counts from 0, real() returns the next images, the result is what the step
would log, by name. Numbers are drawn in float32 also where the loop computes in float64.

How far can two correct programs be apart? Where a value is within rounding of the kink of a leaky ReLU, one program takes
the one slope and the other the other, and everything that depends on slopes, first of all a gradient penalty, is off by
1e-3 from then on; WGAN-GP of width 8 on 8 images has that within 20 steps, PyTorch in float32 against PyTorch in float64.
The detector adds its own: it pools maxima, and where two pixels are nearly equal, rounding decides which of them gets the
gradient; that of a smooth image changes by a hundredth. Hence networks of a few channels, few and small images, and seeds
for which rounding makes no difference:

    python3 gan.py --float64 > exact.json              without rounding
    python3 gan.py --float64 --noise 4 1 > noisy.json  each layer's output off by 4 float32 roundings; 1 is a seed
    python3 common.py noisy.json exact.json            prints how far they are apart, at most
"""
import json
import os
import sys

import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "../../pkg/models/testdata"))
from formula import numbers

EMBEDDED = os.path.join(here, "../../pkg/tigas/embedded.pt")


def generators(seed):
    """noise and choice"""
    return torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)


def randn(g, *shape):
    return torch.randn(shape, generator=g, dtype=torch.float32).to(torch.get_default_dtype())


def rand(g, *shape):
    return torch.rand(shape, generator=g, dtype=torch.float32).to(torch.get_default_dtype())


def formula(j, *shape):
    """Numbers in [-1, 1) that look random."""
    n = int(torch.Size(shape).numel())
    return torch.from_numpy(numbers(j, n)).float().to(torch.get_default_dtype()).reshape(shape)


def prepared(net, fill):
    """The network in training mode with a formula's weights, rounded to float32."""
    fill(net.float())
    return net.to(torch.get_default_dtype()).train()


def reals(batch, r):
    """Returns real(): images [batch, 3, r, r] in [-1, 1], ramps of many slopes, each image another one."""
    y, x, c = torch.arange(r)[:, None], torch.arange(r)[None, :], torch.arange(3)[:, None, None]
    seen = 0

    def real():
        nonlocal seen
        images = [(37 * n + 85 * c + 4 * (3 + n % 5) * y + 5 * (2 + n % 7) * x) % 256 for n in range(seen, seen + batch)]
        seen += batch
        return torch.stack(images).to(torch.get_default_dtype()) / 127.5 - 1

    return real


class Tigas:
    """The TIGAS term: weight * (1 - mean score), where the weight is 0 up to step start and then rises for length steps.

    frozen  the detector's parameters need no gradients. The recipe has it in eval mode only, which is slower and the same.
    """

    def __init__(self, path=EMBEDDED, weight=0.1, start=0, length=0, frozen=True):
        self.net = torch.jit.load(path).eval().to(torch.get_default_dtype())
        for p in self.net.parameters():
            p.requires_grad_(not frozen)
        self.final, self.start, self.length = weight, start, length

    def weight(self, step):
        if step < self.start:
            return 0
        return self.final * min(1, (step - self.start) / self.length) if self.length else self.final

    def __call__(self, log, step, images, shares=None):
        """The weighted term for images in [-1, 1]; 0 in steps without. shares [N] stand for the 1/N of the mean."""
        w = self.weight(step)
        if not w:
            return 0
        scores = self.net((images + 1) / 2).flatten()
        term = 1 - scores.mean() if shares is None else ((1 - scores) * shares).sum()
        log(tigas=term, tigas_loss=w * term, score=scores.mean())
        return w * term


def grad_norm(params):
    return torch.norm(torch.stack([p.grad.norm() for p in params if p.grad is not None]))


def freeze(net, frozen):
    for p in net.parameters():
        p.requires_grad_(not frozen)


@torch.no_grad()
def average(ema, net, decay):
    """Moves the averaged network; buffers are copied."""
    for a, p in zip(ema.parameters(), net.parameters()):
        a.copy_(p.lerp(a, decay))
    for a, b in zip(ema.buffers(), net.buffers()):
        a.copy_(b)


def half_life(batch, kimg, seen, ramp=0.05):
    """The decay of StyleGAN2-ADA's averaged generator after seen images."""
    return 0.5 ** (batch / max(min(1000 * kimg, ramp * seen), 1e-8))


class Log:
    """Means of what a step reports."""

    def __init__(self):
        self.values = {}

    def __call__(self, **values):
        for name, v in values.items():
            self.values.setdefault(name, []).append(float(v))

    def means(self):
        return {name: sum(v) / len(v) for name, v in self.values.items()}


# Fixtures.


def probe(seed):
    """The first numbers of every kind that the loops draw, each from a new generator: from 16 normal numbers on libtorch
    draws them in another way than below."""
    g = lambda: generators(seed)[0]
    return {
        "randn": torch.randn(32, generator=g())[:8].tolist(), "few": torch.randn(5, generator=g()).tolist(),
        "rand": torch.rand(8, generator=g()).tolist(), "double": torch.rand(4, generator=g(), dtype=torch.float64).tolist(),
        "randint": torch.randint(-3, 4, (8, 1), generator=g()).flatten().tolist(),
    }


def digits(v):
    return None if v is None else float("%.7g" % v)


def roughen(loop, factor, seed):
    """Adds relative noise to the output of every layer, but for a last one, whose bias a difference of scores must cancel."""
    g = torch.Generator().manual_seed(seed)
    rough = lambda m, i, o: o * (1 + factor * 2 ** -23 * torch.randn(o.shape, generator=g, dtype=o.dtype))
    for net in loop.networks():
        for m in list(net.modules())[:-1]:
            if next(m.parameters(recurse=False), None) is not None:
                m.register_forward_hook(rough)


def record(seed, loops):
    """Prints the terms of each step of loops (name -> (loop, batch, resolution, steps)) as JSON, and of what the loop
    samples after the last one the mean, the deviation and a sum with weights. A term that a step does not have is null."""
    torch.set_num_threads(1)
    args = sys.argv[1:]
    if "--float64" in args:
        torch.set_default_dtype(torch.float64)
    runs = []
    for name, (make, batch, r, steps) in loops.items():
        loop, real = make(), reals(batch, r)
        if "--noise" in args:
            roughen(loop, *map(int, args[args.index("--noise") + 1:][:2]))
        logs = [loop.step(i, real) for i in range(steps)]
        names = dict.fromkeys(n for log in logs for n in log)
        x = loop.sample()
        sample = [x.mean().item(), x.std(unbiased=False).item(), (x * formula(77, *x.shape)).mean().item()]
        runs.append(json.dumps({"name": name, "terms": {n: [digits(log.get(n)) for log in logs] for n in names},
                                "sample": [digits(v) for v in sample]}, separators=(",", ":")))
    print('{"torch":"%s","seed":%d,"draws":%s,\n"runs":[%s]}' % (
        torch.__version__, seed, json.dumps(probe(seed)), ",\n".join(runs)))


def main(a, b):
    for x, y in zip(*(json.load(open(path))["runs"] for path in (a, b))):
        print(x["name"])
        for n, values in x["terms"].items():
            both = [(u, v) for u, v in zip(values, y["terms"][n]) if None not in (u, v)]
            big = max(abs(v) for _, v in both)
            worst = max((abs(u - v) / (abs(v) + 0.01 * big + 1e-30), i) for i, (u, v) in enumerate(both))
            print("  %-12s %.0e at its %dth value; largest %.3g, last %.3g" % (n, *worst, big, both[-1][1]))
        print("  sample      ", x["sample"], y["sample"])


if __name__ == "__main__":
    main(*sys.argv[1:])
