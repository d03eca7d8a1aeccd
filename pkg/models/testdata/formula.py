"""What the scripts beside it share: weights and inputs by a formula that the Go tests repeat, and what is stored of a network."""
import math
import numpy as np
import torch


def numbers(j, n):
    """n numbers in [-1, 1) that look random, the same in every language."""
    h = (np.arange(n, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(j * 104729 + 12345)) & np.uint64(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    h = h ^ (h >> np.uint64(13))
    return h.astype(np.float64) / 2147483648.0 - 1


def fill(m):
    with torch.no_grad():
        for j, (name, t) in enumerate(m.state_dict().items()):
            v = numbers(j, t.numel())
            if name.endswith("num_batches_tracked"):
                v = v * 0 + 3
            elif name.endswith("running_var") or (t.dim() == 1 and name.endswith("weight")):
                v = 1 + 0.3 * v
            elif t.dim() > 1:
                v = v * math.sqrt(6 / (t.numel() / t.shape[0]))
            else:
                v = 0.1 * v
            t.copy_(torch.from_numpy(v).reshape(t.shape))


def f(v):
    return float("%.8g" % v)


def results(m, x, train):
    """Output sampled at 12 places, and the norm of the gradient of a weighted sum with respect to everything."""
    fill(m)
    m.train(train)
    x = x.requires_grad_()
    y = m(x)
    cot = torch.from_numpy(numbers(99, y.numel())).float().reshape(y.shape)
    g = torch.autograd.grad((y * cot).sum(), [x] + list(m.parameters()))
    flat = y.detach().flatten()
    at = sorted({i * (len(flat) - 1) // 11 for i in range(12)})
    return {
        "keys": list(m.state_dict()), "shape": list(y.shape), "at": at, "y": [f(v) for v in flat[at].tolist()],
        "mean_abs": f(flat.abs().double().mean()), "grad_norms": [f(t.double().norm()) for t in g],
        "last_buffer_sum": f(sum(b.double().sum() for b in m.buffers())),
    }
