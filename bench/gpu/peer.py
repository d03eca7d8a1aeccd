#!/usr/bin/env python3
"""The PyTorch twin of tigas-train on a GPU: the same networks, losses and updates. Prints a line of JSON.

usage: peer.py CASE MODE DETECTOR BATCH SECONDS [--size R] [--device cuda|cpu] [--width-divisor K] [--no-flops]
               [--blur groups|images|shifts] [--layout nchw|nhwc] [--no-trial] [--profile] [--wait FILE]

CASE      wgan-gp    Mimicry's ResNet pair at 64, five critic updates and one of the generator; 5 BATCH images a step
          stylegan2  at 256, R1 every 16 steps and path length every 4, style mixing; BATCH images a step
          detector   the TIGAS term of images [BATCH, 3, R, R] and its gradient with respect to them; BATCH images a step
MODE      recipe          float32 with PyTorch's switches as they are, the detector only in eval mode, the generator's
                          backward fills the critic's gradients, losses are read in each step
          tuned           whatever is not trained is frozen, bfloat16 autocast but for penalties, which have TF32; channels
                          last, fused Adam, cuDNN chooses by trial, nothing waits for the device
          compile         tuned, and torch.compile of what is not differentiated twice, which it cannot do
          compile-graphs  the same with mode="reduce-overhead", which records CUDA graphs
DETECTOR  "module": PyTorch's own text of the network (bench/reference/tigas_net.py); or a file of TorchScript, for recipe
          and tuned. Compiled is always the module.
SECONDS   what timed steps may take, after the warm-up

--wait: after the warm-up, until the file is there. --no-trial: cuDNN chooses without trying, which saves half a minute at the start. --profile: prints the kernels of a step instead.

Images lie on the host, in pinned memory, and each update fetches others. A failure is a line too, with "error".
"""
import argparse
import contextlib
import copy
import json
import math
import os
import random
import statistics
import sys
import time
import traceback

import torch
import torch.nn.functional as F

import networks
from common import average, freeze, half_life  # of bench/reference; networks knows where that is
from measure import median, sync

SIZES = {"wgan-gp": 64, "stylegan2": 256, "detector": 256}
MODES = ["recipe", "tuned", "compile", "compile-graphs"]
WEIGHT = 0.1


class Settings:
    """What a mode means for the loops."""

    def __init__(self, args):
        self.device, self.batch, self.mode = torch.device(args.device), args.batch, args.mode
        self.size, self.divisor, self.path = args.size or SIZES[args.case], args.width_divisor, args.detector
        recipe, self.cuda = args.mode == "recipe", self.device.type == "cuda"
        self.frozen = self.together = not recipe
        self.read = recipe  # losses in each step
        self.amp = self.cuda and not recipe
        self.compiles, self.graphs = args.mode.startswith("compile"), args.mode == "compile-graphs" and self.cuda
        nhwc = args.layout == "nhwc" if args.layout else not recipe
        self.layout = torch.channels_last if nhwc else torch.contiguous_format
        networks.Resampling.how, networks.Resampling.own = args.blur or "groups", not recipe
        if not recipe:
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = not args.no_trial

    def placed(self, net):
        return net.to(self.device).to(memory_format=self.layout)

    def compiled(self, net):
        """dynamic=False: batches of two sizes, both of them usual, must not become one of any size."""
        if not self.compiles:
            return net
        return torch.compile(net, dynamic=False, mode="reduce-overhead" if self.graphs else "default")

    def begin(self):
        """An update begins: results of compiled networks from before may be overwritten."""
        if self.graphs:
            torch.compiler.cudagraph_mark_step_begin()

    def autocast(self):
        return torch.autocast("cuda", torch.bfloat16) if self.amp else contextlib.nullcontext()

    def adam(self, net, lr, betas):
        how = {"fused": True} if self.cuda and self.mode != "recipe" else {}
        return torch.optim.Adam(net.parameters(), lr=lr, betas=betas, eps=1e-8, **how)

    def randn(self, *shape):
        return torch.randn(shape, device=self.device)

    def images(self, x):
        return x.contiguous(memory_format=self.layout)

    def average(self, ema, net, decay):
        if self.mode == "recipe":
            return average(ema, net, decay)
        with torch.no_grad():
            a = list(ema.parameters())
            torch._foreach_mul_(a, decay)
            torch._foreach_add_(a, list(net.parameters()), alpha=1 - decay)
            for b, c in zip(ema.buffers(), net.buffers()):
                b.copy_(c)

    def detector(self, module):
        net = networks.published() if module else networks.Scores(torch.jit.load(self.path, map_location=self.device).eval())
        freeze(net, self.frozen)
        return self.placed(net) if module else net.to(self.device)


class Real:
    """16 batches of random bytes on the host; a call fetches the next one and makes it [-1, 1]."""

    def __init__(self, s):
        self.layout, self.device, self.next = s.layout, s.device, 0
        g = torch.Generator().manual_seed(1)
        shape = s.batch, 3, s.size, s.size
        self.host = [torch.randint(0, 256, shape, generator=g, dtype=torch.uint8) for _ in range(16)]
        self.host = [h.contiguous(memory_format=s.layout) for h in self.host]
        if s.cuda:
            self.host = [h.pin_memory() for h in self.host]

    def __call__(self):
        self.next += 1
        x = self.host[self.next % len(self.host)].to(self.device, non_blocking=True)
        return x.float().div_(127.5).sub_(1)


class Case:
    """A loop: step(i), how many real images a step shows, and how steps repeat. Networks that are differentiated once are
    called by the names in `fast`, which compile; eager() is for what can only count."""

    cycle, every = 1, {0: 1}  # steps that repeat; of which kinds they are: a step of the kind, and how many
    fast = ()

    def __init__(self, s):
        self.s = s
        self.tigas = s.detector(module=s.compiles or s.path == "module")
        self.judge = s.compiled(self.tigas)
        self.shown, self.last = s.batch, []

    def ready(self):
        self.fast_nets = {name: self.s.compiled(net) for name, net in self.fast.items()}

    def eager(self):
        """The networks as they are, frozen where they are not trained, with a detector of operators that can be counted."""
        self.s.frozen, self.s.read, self.s.graphs = True, False, False
        networks.Resampling.own = True
        self.tigas = self.judge = self.s.detector(module=True)
        self.fast_nets = dict(self.fast)
        for net in self.fast.values():
            networks.quick(net)

    def term(self, images):
        """1 - mean score of images in [0, 1]."""
        with self.s.autocast():
            scores = self.judge(images)
        return 1 - scores.float().mean()

    def log(self, *losses):
        self.last = [l.item() for l in losses] if self.s.read else [l.detach() for l in losses]

    def finite(self):
        return all(math.isfinite(float(l)) for l in self.last)


class WGANGP(Case):
    critics, cycle = 5, 1

    def __init__(self, s):
        super().__init__(s)
        self.G, self.D, self.latent = networks.resnet(s.size, s.divisor)
        if s.mode != "recipe":
            networks.quick(self.G), networks.quick(self.D)
        s.placed(self.G), s.placed(self.D)
        self.ema = copy.deepcopy(self.G).eval()
        self.opt_g, self.opt_d = (s.adam(net, 1e-4, (0.0, 0.9)) for net in (self.G, self.D))
        self.real, self.shown = Real(s), self.critics * s.batch
        self.fast = {"G": self.G, "D": self.D}
        self.ready()

    def penalty(self, real, fake):
        e = torch.rand(len(real), 1, 1, 1, device=real.device)
        x = torch.lerp(fake, real, e).requires_grad_(True)
        g, = torch.autograd.grad(self.D(x).sum(), x, create_graph=True)
        return 10 * ((g.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()

    def step(self, i):
        s, G, D = self.s, self.fast_nets["G"], self.fast_nets["D"]
        for _ in range(self.critics):
            self.opt_d.zero_grad(set_to_none=True)
            s.begin()
            real = self.real()
            with s.autocast(), torch.no_grad():
                fake = G(s.randn(s.batch, self.latent))
            fake = s.images(fake.float())
            with s.autocast():
                if s.together:  # the critic sees each image by itself
                    on_real, on_fake = D(torch.cat([real, fake])).chunk(2)
                else:
                    on_real, on_fake = D(real), D(fake)
            critic = on_fake.float().mean() - on_real.float().mean()
            (critic + self.penalty(real, fake)).backward()
            self.opt_d.step()
            self.opt_d.zero_grad(set_to_none=True)  # with CUDA graphs the next update takes their memory
        self.opt_g.zero_grad(set_to_none=True)
        freeze(self.D, s.frozen)
        s.begin()
        with s.autocast():
            fake = s.images(G(s.randn(s.batch, self.latent)))
            adversarial = -D(fake).float().mean()
        term = self.term((fake + 1) / 2)
        (adversarial + WEIGHT * term).backward()
        self.opt_g.step()
        self.opt_g.zero_grad(set_to_none=True)
        freeze(self.D, False)
        s.average(self.ema, self.G, half_life(self.shown, 10, 1e9))
        self.log(critic, adversarial, term)


class StyleGAN2(Case):
    r1_every, pl_every, cycle = 16, 4, 16
    every = {0: 1, 4: 3, 1: 12}

    def __init__(self, s):
        super().__init__(s)
        self.G, self.D = networks.stylegan2(s.size, s.batch, s.divisor)
        s.placed(self.G), s.placed(self.D)
        self.ema = copy.deepcopy(self.G).eval()
        lazy = lambda net, k: s.adam(net, 0.0025 * k / (k + 1), (0.0, 0.99 ** (k / (k + 1))))
        self.opt_g, self.opt_d = lazy(self.G, self.pl_every), lazy(self.D, self.r1_every)
        self.real, self.latent = Real(s), self.G.mapping.fc0.weight.shape[1]
        self.gamma, self.kimg = 0.0002 * s.size ** 2 / s.batch, s.batch * 10 / 32
        self.path_mean = torch.zeros([], device=s.device)
        self.draw = random.Random(1)  # of the host: where styles change over
        self.fast = {"S": self.G.synthesis, "D": self.D}
        self.ready()

    def styles(self, n, track=False):
        """The mapping is small, and stays in float32 as it has weights of 100."""
        G, L = self.G, self.G.layers
        w = G.mapping(self.s.randn(n, self.latent))
        if track:
            with torch.no_grad():
                G.mapping.w_avg.lerp_(w.mean(0), 0.002)
        other = G.mapping(self.s.randn(n, self.latent))
        cut = self.draw.randint(1, L - 1) if self.draw.random() < 0.9 else L
        return torch.cat([w[:, None].expand(-1, cut, -1), other[:, None].expand(-1, L - cut, -1)], 1)

    def images(self, ws):
        with self.s.autocast():
            return self.s.images(self.fast_nets["S"](ws))

    def critic(self, images):
        with self.s.autocast():
            return self.fast_nets["D"](images).float()

    def update(self, opt, loss):
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)  # with CUDA graphs the next update takes their memory

    def step(self, i):
        s = self.s
        freeze(self.D, s.frozen)
        self.opt_g.zero_grad(set_to_none=True)
        s.begin()
        images = self.images(self.styles(s.batch, track=True))
        adversarial = F.softplus(-self.critic(images)).mean()
        term = self.term((images + 1) / 2)
        self.update(self.opt_g, adversarial + WEIGHT * term)
        if i % self.pl_every == 0:
            self.opt_g.zero_grad(set_to_none=True)
            ws = self.styles(max(1, s.batch // 2))
            images = self.G.synthesis(ws)
            noise = torch.randn_like(images) / s.size
            slope, = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
            lengths = (slope.square().sum(2).mean(1) + 1e-8).sqrt()
            mean = self.path_mean.lerp(lengths.mean(), 0.01)
            self.path_mean = mean.detach()
            self.update(self.opt_g, 2 * self.pl_every * (lengths - mean).square().mean())
        freeze(self.D, False)
        self.opt_d.zero_grad(set_to_none=True)
        s.begin()
        real = self.real()
        with torch.no_grad():
            fake = self.images(self.styles(s.batch))
        critic = F.softplus(self.critic(fake)).mean() + F.softplus(-self.critic(real)).mean()
        self.update(self.opt_d, critic)
        if i % self.r1_every == 0:
            self.opt_d.zero_grad(set_to_none=True)
            x = real.detach().requires_grad_(True)
            slope, = torch.autograd.grad(self.D(x).sum(), x, create_graph=True)
            r1 = self.gamma / 2 * slope.square().sum((1, 2, 3)).mean()
            self.update(self.opt_d, r1 * self.r1_every)
        s.average(self.ema, self.G, half_life(s.batch, self.kimg, i * s.batch))
        self.log(adversarial, term, critic)


class Detector(Case):
    fast = {}

    def __init__(self, s):
        super().__init__(s)
        self.ready()
        shape = s.batch, 3, s.size, s.size
        self.inputs = [s.images(torch.rand(shape, device=s.device)).requires_grad_(True) for _ in range(4)]

    def step(self, i):
        self.s.begin()
        x = self.inputs[i % len(self.inputs)]
        loss = self.term(x)
        loss.backward()
        x.grad = None
        self.log(loss)


CASES = {"wgan-gp": WGANGP, "stylegan2": StyleGAN2, "detector": Detector}


def warm_up(case, device):
    """Returns seconds of the first step, of all steps, and what a step takes about, regularisers not counted."""
    begin = time.perf_counter()
    seconds = []

    def step(i):
        start = time.perf_counter()
        case.step(i)
        sync(device)
        seconds.append(time.perf_counter() - start)

    for i in range(4):
        step(i)
    each = min(seconds[1:])
    if case.cycle > 1:
        if case.cycle * each < 20:
            for i in range(4, case.cycle):
                step(i)
    else:
        while len(seconds) < 10 and sum(seconds[1:]) + each < 2:
            step(len(seconds))
    return seconds[0], time.perf_counter() - begin, statistics.median(seconds[1:])


def measured(case, device, seconds, each):
    """Milliseconds of a step, and how many steps they are of: the median of blocks, of whole cycles where there is time."""
    done = 0

    def block(n):
        nonlocal done
        sync(device)
        start = time.perf_counter()
        for i in range(done, done + n):
            case.step(i)
        sync(device)
        done += n
        return 1e3 * (time.perf_counter() - start) / n

    if case.cycle == 1:
        n = int(max(1, min(seconds / 5 / each, 1000)))
        blocks = [block(n) for _ in range(5 if 5 * n * each <= 1.5 * seconds else 3)]
        return statistics.median(blocks), done
    cycles = int(seconds / (1.2 * each * case.cycle))  # 1.2: regularisers
    if cycles >= 3:
        return statistics.median([block(case.cycle) for _ in range(min(cycles, 20))]), done
    # Blocks of 4 steps. One in four has R1, whatever part of a cycle was seen.
    blocks = [block(4) for _ in range(int(max(2, min(seconds / (4.8 * each), 12))))]
    return (statistics.median(blocks[::4]) + 3 * statistics.median(b for k, b in enumerate(blocks) if k % 4)) / 4, done


def share(case, s, ms):
    """The part of a step that the term takes, forwards and backwards, by itself."""
    if isinstance(case, Detector):
        return 1.0
    x = s.images(torch.rand(s.batch, 3, s.size, s.size, device=s.device)).requires_grad_(True)

    def once():
        s.begin()
        case.term(x).backward()
        x.grad = None

    return median(once, s.device, count=10, warm=3, limit=2) / ms


class Nowhere:
    """In place of what tells FlopCounterMode which module is at work, with hooks that a gradient of a gradient does not bear."""

    parents = {"Global"}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def flops(case):
    """Teraflops of a step, of the mean step where steps differ. Counted are matrix products and convolutions, with those of
    both derivatives; nothing is counted for what works element by element (activations, norms, resizing with "shifts", Adam).
    For all modes alike it is the work that is needed: nothing for gradients that are thrown away."""
    from torch.utils.flop_counter import FlopCounterMode
    case.eager()
    total = 0
    for i, weight in case.every.items():
        counter = FlopCounterMode(display=False)
        counter.mod_tracker = Nowhere()
        with counter:
            case.step(i)
        total += weight * counter.get_total_flops()
    return total / sum(case.every.values()) / 1e12


def graph_breaks():
    """How often torch.compile gave up part of a network; it says nothing by itself."""
    try:
        from torch._dynamo.utils import counters
        return sum(counters["graph_break"].values())
    except Exception:
        return None


def mib(x):
    return round(x / 2 ** 20)


def run(args, out):
    torch.manual_seed(0)
    s = Settings(args)
    out.update(size=s.size, detector="module" if s.compiles or s.path == "module" else "torchscript",
               blur=networks.Resampling.how, layout="nhwc" if s.layout == torch.channels_last else "nchw")
    if s.cuda:
        out.update(gpu=torch.cuda.get_device_name(), cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version())
    case = CASES[args.case](s)
    first, warm, each = warm_up(case, s.device)
    out.update(first_step_s=round(first, 2), warmup_s=round(warm, 2))
    if s.compiles:
        out["graph_breaks"] = graph_breaks()
    while args.wait and not os.path.exists(args.wait):
        time.sleep(0.1)
    if args.profile:
        return profiled(case, s)
    if s.cuda:
        torch.cuda.reset_peak_memory_stats()
    ms, steps = measured(case, s.device, args.seconds, each)
    out.update(images_per_s=round(1e3 * case.shown / ms, 2), ms_per_step=round(ms, 4), steps=steps, finite=case.finite())
    if s.cuda:
        out.update(peak_allocated_MiB=mib(torch.cuda.max_memory_allocated()),
                   peak_reserved_MiB=mib(torch.cuda.max_memory_reserved()))
    # What comes after the times may fail without taking them along.
    try:
        out["detector_share"] = round(share(case, s, ms), 4)
    except Exception as e:
        print("peer: detector's share:", e, file=sys.stderr)
    if not args.no_flops:
        try:
            out["tflops_per_step"] = round(flops(case), 6)
        except Exception as e:
            print("peer: flops:", e, file=sys.stderr)


def profiled(case, s):
    """Prints on standard error which kernels a step spends its time in."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA if s.cuda else ProfilerActivity.CPU]) as p:
        begin = time.perf_counter()
        case.step(1)
        sync(s.device)
        ms = 1e3 * (time.perf_counter() - begin)
    time_of = lambda e: getattr(e, "self_device_time_total", 0) or e.self_cpu_time_total
    rows = sorted(p.key_averages(), key=time_of, reverse=True)
    total = sum(map(time_of, rows)) / 1e3
    print("a step of %.1f ms has %.1f ms in %d kernels" % (ms, total, sum(e.count for e in rows)), file=sys.stderr)
    for e in rows[:24]:
        print("%8.3f ms %6d  %s" % (time_of(e) / 1e3, e.count, e.key[:150]), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("detector")
    parser.add_argument("batch", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--size", type=int)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--width-divisor", type=int, default=1)
    parser.add_argument("--no-flops", action="store_true")
    parser.add_argument("--blur", choices=["groups", "images", "shifts"])
    parser.add_argument("--layout", choices=["nchw", "nhwc"])
    parser.add_argument("--no-trial", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--wait", metavar="FILE")
    args = parser.parse_args()
    out = {"who": "pytorch", "case": args.case, "mode": args.mode, "batch": args.batch}
    for key in ("size", "images_per_s", "ms_per_step", "detector_share", "peak_allocated_MiB", "peak_reserved_MiB", "warmup_s",
                "steps", "tflops_per_step", "gpu", "torch", "cuda", "cudnn"):
        out[key] = None
    out["torch"] = torch.__version__
    try:
        run(args, out)
    except Exception as e:  # a compiler that cannot, memory that is not enough: the next run shall come all the same
        traceback.print_exc()
        text = str(e).strip() or "no message"
        out["error"] = type(e).__name__ + ": " + text.splitlines()[0][:300]
    print(json.dumps(out), flush=True)


main()
