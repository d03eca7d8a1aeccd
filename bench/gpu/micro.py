#!/usr/bin/env python3
"""What decides how operators are written for a GPU: milliseconds of variants, median of 20 after 5 warm-ups, of fewer where
that takes long.

usage: micro.py [SECTION ...] [--device cuda|cpu] [--tiny] [--slow]

a  StyleGAN2's filter [1 3 3 1]: forwards, backwards, and the derivative of the backward pass
b  a convolution 3 x 3 in the types and layouts there are
c  batch norm in training
d  the detector with its gradient, and ways to pool maxima over an image
e  Adam for the ResNet generator
"""
import argparse
import contextlib
import time

import torch
import torch.nn.functional as F

import networks
from measure import median

BEGIN = time.perf_counter()
parser = argparse.ArgumentParser()
parser.add_argument("sections", nargs="*")
parser.add_argument("--device", default="cuda")
parser.add_argument("--tiny", action="store_true")
parser.add_argument("--slow", action="store_true")
args = parser.parse_args()
device, cuda = torch.device(args.device), args.device != "cpu"
BF16, FP32 = torch.bfloat16, torch.float32
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
EACH = 0.05  # seconds for one number, beyond its warm-up and five calls
LAST = 24  # seconds from the beginning, after which no number is begun on a GPU


def ms(f):
    if cuda and time.perf_counter() - BEGIN > LAST:
        return "%9s" % "late"
    try:
        return "%9.3f" % median(f, device, limit=EACH)
    except Exception as e:  # one that this device does not have leaves the others
        return "%9s" % type(e).__name__[:9]


def line(name, *cells):
    print("%-46s" % name + "".join(cells), flush=True)


def head(letter, title, *columns):
    print("\n%s  %s  (at %.1f s)" % (letter, title, time.perf_counter() - BEGIN))
    line("", *("%9s" % c for c in columns))


def randn(shape, dtype=FP32, layout=torch.contiguous_format):
    return torch.randn(shape, device=device, dtype=dtype).contiguous(memory_format=layout)


def tf32(on):
    torch.backends.cudnn.allow_tf32 = on
    torch.set_float32_matmul_precision("high" if on else "highest")


# In the order of the tables' rows: name, type, layout, TF32.
WAYS = [("fp32", FP32, "nchw", False), ("TF32", FP32, "nchw", True), ("TF32 channels last", FP32, "nhwc", True),
        ("bf16", BF16, "nchw", True), ("bf16 channels last", BF16, "nhwc", True)]


# a


def one_by_four(x, pad):
    """Two convolutions, 1 x 4 and 4 x 1, with a group for each channel."""
    c = x.shape[1]
    k = (torch.ones(c, 1, 1, 4, device=x.device, dtype=x.dtype) * ROW[x.dtype])
    return F.conv2d(F.conv2d(x, k, padding=(0, pad), groups=c), k.transpose(2, 3), padding=(pad, 0), groups=c)


ROW = {t: torch.tensor([1.0, 3, 3, 1], device=device).to(t) / 8 for t in (FP32, BF16)}


def pools(x, pad):
    """[1 3 3 1] is [1 1] three times. What is padded one after the other is as if it were padded first."""
    for k in range(3):
        x = F.avg_pool2d(x, 2, stride=1, padding=1 if k < pad else 0)
    return x


def pools_padded(x, pad):
    x = F.pad(x, [pad] * 4)
    for _ in range(3):
        x = F.avg_pool2d(x, 2, stride=1)
    return x


def plain(how):
    return lambda x, pad: networks.resample(x, pad, 1, False, how)


def own(how):
    return lambda x, pad: networks.Resample.apply(x, pad, 1, False, how)


BLURS = {
    "groups, own derivative": own("groups"), "three pools": pools, "images, own derivative": own("images"),
    "shifts": plain("shifts"), "1x4, 4x1 groups": one_by_four, "pad, three pools": pools_padded,
}
SLOW = {"groups": plain("groups"), "images": plain("images")}  # 640 and 860 ms for a second derivative on an H200


def section_a():
    tf32(True)
    head("a", "filter [1 3 3 1]", "forward", "backward", "second", "error")
    full, tiny = [((16, 128, 128, 128), 2), ((16, 64, 257, 257), 1)], [((2, 4, 16, 16), 2), ((2, 4, 17, 17), 1)]
    for shape, pad in tiny if args.tiny else full:
        for dtype in (FP32, BF16):
            for layout in LAYOUTS:
                x = randn(shape, dtype, LAYOUTS[layout]).requires_grad_()
                right = None
                for name, f in (BLURS | (SLOW if args.slow else {})).items():
                    label = "%s %s %s %s" % (list(shape[1:3]), "bf16" if dtype == BF16 else "fp32", layout, name)
                    try:
                        y = f(x, pad)
                        v = torch.randn_like(y).requires_grad_()
                        g, = torch.autograd.grad(y, x, v, create_graph=True)
                        u = torch.randn_like(g)
                        if right is None:
                            right = y.detach().float()
                        error = ((y.detach().float() - right).norm() / right.norm()).item()
                        line(label, ms(lambda: f(x, pad)), ms(lambda: torch.autograd.grad(y, x, v, retain_graph=True)),
                             ms(lambda: torch.autograd.grad(g, v, u, retain_graph=True)), "%9.0e" % error)
                    except Exception as e:
                        line(label, "  " + type(e).__name__ + ": " + str(e).splitlines()[0][:60])
                    y = v = g = u = None


def both(net, x, v):
    """Forwards, and the gradients of x and of what the network trains."""
    wanted = [x] + [p for p in net.parameters() if p.requires_grad]

    def f():
        torch.autograd.grad(net(x), wanted, v)

    return f


def section_b():
    n, c, r = (64, 128, 64) if not args.tiny else (2, 8, 8)
    head("b", "conv 3x3 %d -> %d at %d, batch %d, with both gradients" % (c, c, r, n), "ms", "trial ms")
    for name, dtype, layout, on in WAYS:
        tf32(on)
        net = torch.nn.Conv2d(c, c, 3, 1, 1).to(device, dtype).to(memory_format=LAYOUTS[layout])
        x = randn((n, c, r, r), dtype, LAYOUTS[layout]).requires_grad_()
        f = both(net, x, randn((n, c, r, r), dtype, LAYOUTS[layout]))
        cells = []
        for torch.backends.cudnn.benchmark in (False, True):
            cells.append(ms(f))
        torch.backends.cudnn.benchmark = False
        line(name, *cells)


def section_c():
    n, c, r = (64, 128, 64) if not args.tiny else (2, 8, 8)
    head("c", "batch norm in training [%d, %d, %d, %d], with gradients" % (n, c, r, r), "ms")
    for name, dtype, layout, on in WAYS:
        tf32(on)
        net = torch.nn.BatchNorm2d(c).to(device)  # its own tensors stay float32
        x = randn((n, c, r, r), dtype, LAYOUTS[layout]).requires_grad_()
        line(name, ms(both(net, x, randn((n, c, r, r), dtype, LAYOUTS[layout]))))


def section_d():
    n, r = (16, 256) if not args.tiny else (1, 32)
    head("d", "detector, fast mode, batch %d at %d, with the images' gradient" % (n, r), "ms", "trial ms")
    net = networks.published().to(device).requires_grad_(False)
    ways = [w + (False,) for w in WAYS[:3]] + [("bf16 autocast", FP32, "nchw", True, True),
            ("bf16 autocast channels last", FP32, "nhwc", True, True), ("bf16 weights", BF16, "nchw", True, False),
            ("bf16 weights channels last", BF16, "nhwc", True, False)]
    tried = "TF32", "bf16 autocast channels last"  # cuDNN's trials of twenty convolutions take seconds
    for name, dtype, layout, on, cast in ways:
        tf32(on)
        try:
            net.to(dtype).to(memory_format=LAYOUTS[layout])
            x = torch.rand(n, 3, r, r, device=device).to(dtype).contiguous(memory_format=LAYOUTS[layout]).requires_grad_()

            def f():
                with torch.autocast(device.type, BF16) if cast else contextlib.nullcontext():
                    score = net(x)
                torch.autograd.grad(1 - score.float().mean(), x)

            cells = []
            for torch.backends.cudnn.benchmark in (False, True) if name in tried else (False,):
                cells.append(ms(f))
            line(name, *cells)
        finally:
            torch.backends.cudnn.benchmark = False
            net.to(FP32)  # what bfloat16 rounded stays rounded; nothing here minds

    shape = (16, 256, 32, 32) if not args.tiny else (2, 4, 8, 8)
    head("d", "maxima over each image, %s, with gradient" % list(shape), "adaptive", "amax", "max_pool", "max")
    for dtype in (FP32, BF16):
        for layout in LAYOUTS:
            x = randn(shape, dtype, LAYOUTS[layout]).requires_grad_()
            v = randn(shape[:2], dtype)
            grad = lambda f: ms(lambda: torch.autograd.grad(f(x).flatten(1), x, v))
            line("%s %s" % ("bf16" if dtype == BF16 else "fp32", layout), grad(lambda x: F.adaptive_max_pool2d(x, 1)),
                 grad(lambda x: x.amax((2, 3))),  # equal maxima share the gradient
                 grad(lambda x: F.max_pool2d(x, shape[2:])), grad(lambda x: x.flatten(2).max(2)[0]))


def section_e():
    g, _, _ = networks.resnet(64, 32 if args.tiny else 1)
    head("e", "Adam, ResNet generator, %.1f M parameters in %d tensors" % (
        sum(p.numel() for p in g.parameters()) / 1e6, len(list(g.parameters()))), "ms")
    g.to(device)
    for p in g.parameters():
        p.grad = torch.randn_like(p)
    how = dict(lr=1e-4, betas=(0.0, 0.9))
    for name, kind in (("torch.optim, one by one", {"foreach": False}), ("torch.optim, foreach", {"foreach": True}),
                       ("torch.optim, fused", {"fused": True})):
        try:
            line(name, ms(torch.optim.Adam(g.parameters(), **how, **kind).step))
        except Exception as e:
            line(name, "  " + type(e).__name__ + ": " + str(e).splitlines()[0][:60])
    p = [q.detach() for q in g.parameters()]
    grads, m, v = ([torch.rand_like(q) for q in p] for _ in range(3))
    steps = [torch.ones([], device=device) for _ in p]

    def fused():
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(p, grads, m, v, [], steps, lr=1e-4, beta1=0.0, beta2=0.9, weight_decay=0.0, eps=1e-8, amsgrad=False,
                           maximize=False)

    line("torch._fused_adam_, steps by foreach", ms(fused))


# The short ones first: what is stopped from outside is the end of the longest.
for letter in args.sections or "bcdea":
    globals()["section_" + letter]()
print("\n%s, torch %s, %.1f s" % (torch.cuda.get_device_name() if cuda else "cpu", torch.__version__, time.perf_counter() - BEGIN))
