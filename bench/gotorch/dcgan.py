"""The DCGAN step of main.go in Python, or, without arguments, all of them in turn. See run.sh."""
import json
import os
import statistics
import subprocess
import sys
import time

SIZE, LATENT, WIDTH, BATCH = 32, 64, 16, 8


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


def main(binary):
    settings = (("BENCH_ROUNDS", 5), ("BENCH_STEPS", 100), ("BENCH_LONG", 2000))
    rounds, steps, long = (int(os.environ.get(k, v)) for k, v in settings)
    ways = {"ours": [binary, "ours"], "gotorch, Step": [binary, "step"], "gotorch, GC": [binary, "gc"],
        "python": [sys.executable, __file__]}

    def run(way, n):
        p = subprocess.run(ways[way] + [str(n)], capture_output=True, text=True)
        if p.returncode != 0:
            return {"died": (p.stderr.strip().splitlines() or ["?"])[0]}
        return json.loads(p.stdout)

    results = {w: [] for w in ways}
    for _ in range(rounds):
        for w in ways:
            results[w].append(run(w, steps))
    for w in ways:
        # The ratio of neighbours: both ran at about the same time.
        ratios = [a["ms"] / b["ms"] for a, b in zip(results[w], results["python"]) if "ms" in a and "ms" in b]
        last = run(w, long)
        memory = f"{last['mb']:.0f} MB, {last['grown']:+.1f} MB over {long} steps" if "mb" in last else "died: " + last["died"]
        time_ = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "died"
        print(f"{w:14} time of a step / python's {time_}; {memory}", flush=True)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        python(int(sys.argv[1]))
    else:
        main(sys.argv[1])
