"""Times of pieces of work on a device: by its events on a GPU, by the host's clock on a CPU."""
import statistics
import time

import torch


def sync(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def times(f, device, count=20, warm=5, limit=None):
    """Milliseconds of count calls after warm ones. limit: seconds after which fewer calls do, if there are five."""
    for _ in range(warm):
        f()
    sync(device)
    begin = time.perf_counter()
    if device.type != "cuda":
        out = []
        while len(out) < count and (limit is None or len(out) < 5 or time.perf_counter() - begin < limit):
            start = time.perf_counter()
            f()
            out.append(1e3 * (time.perf_counter() - start))
        return out
    out = []
    # A wait every five calls: without any, the queue grows long and the limit is not kept.
    while len(out) < count and (limit is None or not out or time.perf_counter() - begin < limit):
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(min(5, count - len(out)) + 1)]
        marks[0].record()
        for m in marks[1:]:
            f()
            m.record()
        sync(device)
        out += [a.elapsed_time(b) for a, b in zip(marks, marks[1:])]
    return out


def median(f, device, **how):
    return statistics.median(times(f, device, **how))
