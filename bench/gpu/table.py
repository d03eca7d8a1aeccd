#!/usr/bin/env python3
"""Markdown tables of what peer.py, ceiling.py and tigas-train measured, one for each case, batch and size.

usage: table.py FILE...

A line that is a JSON object is a run, or a ceiling; other lines are passed over. MFU: the operations that a step needs (a row
that does not know them has those of another row of its table) in its time, as a share of the bfloat16 product of ceiling.py;
of float32 rows too, so that they compare.
"""
import json
import sys


def rows(paths):
    for path in paths:
        with open(path) as f:
            for line in f:
                if line.startswith("{"):
                    try:
                        row = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(row, dict):
                        yield row


def number(row, key):
    v = row.get(key)
    return v if isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 else None


def shown(v, form):
    return "" if v is None else form % v


def over(a, b):
    return a / b if a and b else None


ORDER = ["recipe", "tuned", "compile", "compile-graphs"]
COLUMNS = ["", "images/s", "to recipe", "to compile", "detector", "MFU", "peak MiB"]


def place(row):
    mode = row.get("mode") or ""
    return row.get("who") != "pytorch", ORDER.index(mode) if mode in ORDER else len(ORDER)


def table(group, ceiling):
    speed = lambda mode: next((number(r, "images_per_s") for r in reversed(group)
                               if r.get("who") == "pytorch" and r.get("mode") == mode and number(r, "images_per_s")), None)
    recipe, compiled = speed("recipe"), speed("compile")
    known = [number(r, "tflops_per_step") for r in group if number(r, "tflops_per_step")]
    out = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    for row in sorted(group, key=place):
        name = "%s %s" % (row.get("who", "?"), row.get("mode", ""))
        if row.get("detector") == "torchscript":
            name += ", detector of TorchScript"
        for key in ("blur", "layout"):
            if len({r.get(key) for r in group if r.get("who") == row.get("who") and r.get("mode") == row.get("mode")}) > 1:
                name += ", " + str(row.get(key))
        if row.get("error") or not number(row, "images_per_s"):
            why = str(row.get("error") or "no speed").replace("|", "/")
            out.append("| %s | %s |" % (name, " | ".join([why[:100]] + [""] * (len(COLUMNS) - 2))))
            continue
        if row.get("finite") is False:
            name += ", not finite"
        v, ms = number(row, "images_per_s"), number(row, "ms_per_step")
        work = number(row, "tflops_per_step") or (known[-1] if known else None)
        mfu = over(over(work, ms and ms / 1e3), ceiling)
        cells = [name, shown(v, "%.1f" if v < 1000 else "%.0f"), shown(over(v, recipe), "%.2f"),
                 shown(over(v, compiled), "%.2f"), shown(row.get("detector_share") and 100 * row["detector_share"], "%.0f%%"),
                 shown(mfu and 100 * mfu, "%.1f%%"), shown(number(row, "peak_allocated_MiB"), "%d")]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def main(paths):
    groups, ceilings = {}, {}
    everything = list(rows(paths))
    gpus = {r["gpu"] for r in everything if r.get("gpu")}
    for row in everything:
        gpu = row.get("gpu") or (min(gpus) if len(gpus) == 1 else None)
        if row.get("case") == "ceiling":
            ceilings[gpu] = row
        elif row.get("case"):
            groups.setdefault((row["case"], row.get("batch"), row.get("size"), gpu), []).append(row)
    for gpu, c in ceilings.items():
        print("%s: bfloat16 product %s TFLOP/s, copy %s TB/s\n" % (gpu, c.get("bf16_tflops"), c.get("copy_TB_per_s")))
    for key in sorted(groups, key=lambda k: tuple(map(str, k))):
        case, batch, size, gpu = key
        print("%s, batch %s at %s%s\n" % (case, batch, size, ", " + gpu if gpu else ""))
        print(table(groups[key], number(ceilings.get(gpu, {}), "bf16_tflops")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
