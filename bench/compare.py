"""Runs both sides in turn and prints their ratios. See run.sh."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

binary, native, detector, scratch = sys.argv[1:5]
RES, BATCH, STEPS, THREADS, ROUNDS = 64, 8, int(os.environ.get("BENCH_STEPS", "12")), 2, int(os.environ.get("BENCH_ROUNDS", "3"))


def measured(args):
    """stdout, stderr lines with their times, and peak memory in MiB of a process."""
    start = time.time()
    p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [(time.time() - start, l) for l in p.stderr]
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    if status != 0:
        sys.exit(f"{args[0]} failed:\n" + "".join(l for _, l in lines))
    return out, lines, usage.ru_maxrss / 1024


def ours():
    run = os.path.join(scratch, "run")
    shutil.rmtree(run, ignore_errors=True)
    kimg = BATCH * 5 * STEPS / 1000
    _, lines, peak = measured([binary, "gan", "--data", os.path.join(scratch, "pictures"), "--resolution", str(RES), "--batch", str(BATCH), "--latent", "64", "--ngf", "16",
        "--ndf", "16", "--tigas-model", detector, "--tigas-weight", "0.1", "--tigas-warmup", "0", "--ema-kimg", "0", "--grid", "2",
        "--kimg", str(kimg), "--tick", "0.0001", "--snap", "1000", "--threads", str(THREADS), "--out", run])
    ticks = [t for t, l in lines if l.startswith("tick")]
    between = [b - a for a, b in zip(ticks, ticks[1:])]
    return {"first": ticks[0], "step": statistics.median(between), "peak": peak}


def peer(mode):
    out, _, peak = measured([sys.executable, os.path.join(os.path.dirname(__file__), "peer.py"), mode, detector, str(RES),
        str(BATCH), str(STEPS), str(THREADS)])
    return dict(json.loads(out), peak=peak)


def python_small_op():
    import torch
    torch.set_num_threads(1)
    x = torch.randn(8, 8)
    best = 1e9
    for _ in range(300):
        t = time.perf_counter_ns()
        for _ in range(1000):
            x + x
        best = min(best, (time.perf_counter_ns() - t) / 1000)
    return best


results = {"ours": [], "recipe": [], "tuned": [], "op": [], "op_python": []}
for i in range(ROUNDS):
    results["ours"].append(ours())
    results["recipe"].append(peer("recipe"))
    results["tuned"].append(peer("tuned"))
    results["op"].append(float(subprocess.check_output([native, "smallop"])))
    results["op_python"].append(python_small_op())

best = lambda who, what: min(r[what] for r in results[who])
import torch
print(f"libtorch {torch.__version__}, {RES}x{RES}, batch {BATCH}, WGAN-GP with 5 critic steps, full-size fast-mode detector, "
      f"{THREADS} threads, best of {ROUNDS}")
print(f"{'':28}{'ours':>10}{'recipe':>10}{'ratio':>8}{'tuned':>10}{'ratio':>8}")
for what, name, unit in [("step", "generator step", 1e3), ("first", "start-up to first step", 1e3), ("peak", "peak memory", 1)]:
    o, r, t = (best(w, what) * unit for w in ("ours", "recipe", "tuned"))
    print(f"{name + (' (MiB)' if what == 'peak' else ' (ms)'):28}{o:10.0f}{r:10.0f}{o / r:8.2f}{t:10.0f}{o / t:8.2f}")
o, p = min(results["op"]), min(results["op_python"])
print(f"{'8x8 addition (ns)':28}{o:10.0f}{p:10.0f}{o / p:8.2f}{p:10.0f}{o / p:8.2f}")
