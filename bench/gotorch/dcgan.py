"""The DCGAN step of main.go in Python, or all of them in turn. See run.sh."""
import json
import os
import statistics
import subprocess
import sys
import time

SIZE, LATENT, WIDTH, BATCH = 32, 64, 16, 8
NAMES = {"ours": "ours", "step": "gotorch in bridge.Step", "gc": "gotorch with gotorch.GC", "python": "Python"}


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def python(steps):
    import torch
    from torch import nn
    torch.set_num_threads(1)

    def up(i, o, s, p): return nn.ConvTranspose2d(i, o, 4, s, p, bias=False)
    def down(i, o, s, p): return nn.Conv2d(i, o, 4, s, p, bias=False)
    w, relu, leaky, norm = WIDTH, nn.ReLU(True), nn.LeakyReLU(0.2, True), nn.BatchNorm2d
    g = nn.Sequential(up(LATENT, 4 * w, 1, 0), norm(4 * w), relu, up(4 * w, 2 * w, 2, 1), norm(2 * w), relu, up(2 * w, w, 2, 1),
        norm(w), relu, up(w, 3, 2, 1), nn.Tanh())
    d = nn.Sequential(down(3, w, 2, 1), leaky, down(w, 2 * w, 2, 1), norm(2 * w), leaky, down(2 * w, 4 * w, 2, 1), norm(4 * w),
        leaky, down(4 * w, 1, 1, 0), nn.Sigmoid(), nn.Flatten(0))
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d))
    real, one, zero, bce = torch.randn(BATCH, 3, SIZE, SIZE), torch.ones(BATCH), torch.zeros(BATCH), nn.BCELoss()
    times = []
    for i in range(steps):
        start = time.perf_counter()
        opt_d.zero_grad()
        fake = g(torch.randn(BATCH, LATENT, 1, 1))
        (bce(d(real), one) + bce(d(fake.detach()), zero)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(d(fake), one).backward()
        opt_g.step()
        times.append(time.perf_counter() - start)
        if i == steps // 10:
            early = resident()
    print(json.dumps({"ms": 1e3 * statistics.median(times), "grown": resident() - early, "mb": early}))


def main(binary, *ways):
    settings = (("BENCH_ROUNDS", 9), ("BENCH_STEPS", 50), ("BENCH_LONG", 2000))
    rounds, steps, long = (int(os.environ.get(k, v)) for k, v in settings)
    commands = {way: [binary, way] for way in ways}
    commands["python"] = [sys.executable, __file__]

    def run(way, n):
        p = subprocess.run(commands[way] + [str(n)], capture_output=True, text=True)
        if p.returncode != 0:
            return {"died": (p.stderr.strip().splitlines() or ["?"])[0]}
        return json.loads(p.stdout)

    # Seconds of neighbours in time are compared: on a shared machine those of other minutes say nothing.
    times = [{w: run(w, steps) for w in commands} for _ in range(rounds)]
    print(f"a DCGAN step: {SIZE} x {SIZE}, batch {BATCH}, width {WIDTH}, one thread; medians of {rounds} rounds of {steps} steps, and one run of {long}")
    print(f"{'':24}{'ms':>7}  {'/ Python':16}{'MB':>6}{'growth (MB)':>13}")
    for w in commands:
        ms = [r[w]["ms"] for r in times if "ms" in r[w]]
        ratios = [r[w]["ms"] / r["python"]["ms"] for r in times if "ms" in r[w] and "ms" in r["python"]]
        last = run(w, long)
        died = [r["died"] for r in [t[w] for t in times] + [last] if "died" in r]
        if died or not ratios:
            print(f"{NAMES[w]:24}died: {died[0] if died else 'python did'}", flush=True)
            continue
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"{NAMES[w]:24}{statistics.median(ms):7.1f}  {spread:16}{last['mb']:6.0f}{last['grown']:+13.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        python(int(sys.argv[1]))
    else:
        main(*sys.argv[1:])
