"""Times Pelton and other runtimes side by side: the same model files, the same number of threads, interleaved A B A B,
each round in a process of its own. Inputs are random; outputs are compared before a time counts. Prints the minimum
and the median of each, and the best peer's time divided by Pelton's. Ratios count, not absolute times: machines are
noisy.

    bench/peers.py --pelton build/release/pelton [--threads 2] [--rounds 3] [--peers onnxruntime,openvino,ncnn,torch]
                   [--json FILE] [--chart FILE.svg] MODEL.onnx...

The peers are the programs of bench/runtimes; one whose package is not installed is left out, and said so.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import chart
import timing

RUNTIMES = Path(__file__).parent / "runtimes"
PEERS = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "torch": "torch"}
TOLERANCE = 2e-3  # of the largest output: Winograd and the order of sums differ


def machine():
    names = [l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")]
    return {"cpu": names[0] if names else platform.processor(), "cores": len(names)}


def make_inputs(pelton, model, folder, sizes):
    """Random inputs by the model's own types, as one .npz and as a file each for Pelton."""
    import numpy as np

    spec = json.loads(timing.pelton_call([pelton, "inspect", model, "--json"]))
    rng, feed, options = np.random.default_rng(1), {}, []
    kinds = {"f32": "float32", "f16": "float16", "f64": "float64", "i64": "int64", "i32": "int32", "bool": "bool"}
    for i in spec["inputs"]:
        kind, dims = i["type"].rstrip("]").split("[")
        shape = [int(d) if d.isdigit() else sizes for d in dims.split(",") if d]
        whole = kind.startswith(("i", "u", "bool"))
        feed[i["name"]] = (rng.integers(0, 2, shape) if whole else rng.uniform(-1, 1, shape)).astype(kinds[kind])
        path = folder / f"in_{len(options)}.npy"
        np.save(path, feed[i["name"]])
        options += ["--input", f"{i['name']}={path}"]
    np.savez(folder / "inputs.npz", **feed)
    return options


def pelton_outputs(a, engine, options, folder):
    import numpy as np

    out = folder / "pelton"
    timing.pelton_call([a.pelton, "run", engine, *options, "-o", str(out), "--threads", str(a.threads)])
    return {path.stem: np.load(path) for path in sorted(out.glob("*.npy"))}


def agrees(ours, theirs):
    """Largest difference relative to the largest value; outputs by name where names are kept, else in order."""
    import numpy as np

    def key(name):
        return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)

    named = {key(name): value for name, value in theirs.items()}
    pairs = [(v, named[n]) for n, v in ours.items()] if set(named) == set(ours) else zip(ours.values(), theirs.values())
    worst = 0.0
    for x, y in pairs:
        if x.size != y.size:
            return float("inf")
        x, y = x.reshape(-1).astype("float64"), y.reshape(-1).astype("float64")
        worst = max(worst, float(np.abs(x - y).max() / max(np.abs(x).max(), 1e-6)) if x.size else 0.0)
    return worst


def time_peer(name, model, a, folder):
    import numpy as np

    own = folder / name
    own.mkdir(exist_ok=True)
    outputs = own / "outputs.npz"
    command = [sys.executable, str(RUNTIMES / f"{name}_cpu.py"), str(Path(model).resolve()), str(a.threads), str(a.seconds),
               str(folder / "inputs.npz"), str(outputs), str(own)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=a.patience)
    except subprocess.TimeoutExpired:
        raise timing.Failed(f"longer than {a.patience} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise timing.Failed(lines[-1][:120] if lines else f"ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1]), dict(np.load(outputs))


def measure(model, a, peers, folder):
    options = make_inputs(a.pelton, model, folder, a.dynamic)
    engine = str(folder / "model.pelton")
    built = [a.pelton, "build", model, "-o", engine, "--threads", str(a.threads), "--level", a.level]
    timing.pelton_call(built)
    expected = pelton_outputs(a, engine, options, folder)
    rounds, failed = {"pelton": []}, {}
    for _ in range(a.rounds):
        r = timing.time_pelton(a.pelton, engine, a.threads, a.seconds, options)
        rounds["pelton"].append({"min": r["latency_ms"]["min"], "median": r["latency_ms"]["median"],
                                 "load_ms": r["load_ms"], "rss": r["peak_rss_bytes"]})
        for name in peers:
            if name in failed:
                continue
            try:
                r, outputs = time_peer(name, model, a, folder)
                difference = agrees(expected, outputs)
                if not difference <= TOLERANCE:
                    raise timing.Failed(f"outputs differ by {difference:.2g} of the largest")
                rounds.setdefault(name, []).append(r)
            except timing.Failed as reason:
                failed[name] = str(reason)
                rounds.pop(name, None)
    row = {"model": Path(model).stem, "failed": failed}
    for name, rs in rounds.items():
        row[name] = {"min_ms": min(r["min"] for r in rs), "median_ms": statistics.median(r["median"] for r in rs),
                     "load_ms": min(r["load_ms"] for r in rs), "rss_mb": max(r["rss"] for r in rs) / 1e6}
        if "version" in rs[0]:
            row[name]["version"] = rs[0]["version"]
    best = [(row[name]["min_ms"], name) for name in peers if name in row]
    if best:
        row["best_peer"], row["ratio"] = min(best)[1], min(best)[0] / row["pelton"]["min_ms"]
    return row


def print_row(row, peers):
    def cell(name):
        return f"{row[name]['min_ms']:9.2f} /{row[name]['median_ms']:9.2f}" if name in row else f"{'-':>20s}"

    ratio = f"{row['ratio']:6.2f} {row['best_peer']}" if "ratio" in row else "     -"
    print(f"{row['model']:20s} " + " ".join(f"{cell(n):>20s}" for n in ["pelton", *peers]) + f"  {ratio}", flush=True)
    for name, reason in row["failed"].items():
        print(f"{'':20s} {name}: {reason}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+")
    p.add_argument("--pelton", default="build/release/pelton")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1.0, help="of measuring, a round")
    p.add_argument("--patience", type=float, default=300, help="seconds before a peer's round is given up")
    p.add_argument("--peers", default=",".join(PEERS))
    p.add_argument("--dynamic", type=int, default=1, help="extent of dimensions that the model leaves open")
    p.add_argument("--level", default="1", help="of pelton build")
    p.add_argument("--json", help="write the figures there as well")
    p.add_argument("--chart", help="write a bar chart there, as SVG")
    a = p.parse_args()
    peers = []
    for name in a.peers.split(","):
        if importlib.util.find_spec(PEERS[name]) is None:
            print(f"{name} is not installed: left out", flush=True)
        else:
            peers.append(name)
    print(f"{machine()['cpu']}, {a.threads} threads, {a.rounds} rounds of {a.seconds} s, milliseconds: minimum / median",
          flush=True)
    print(f"{'model':20s} " + " ".join(f"{n:>20s}" for n in ["pelton", *peers]) + "  best peer / pelton", flush=True)
    rows = []
    for model in a.models:
        with tempfile.TemporaryDirectory() as folder:
            try:
                rows.append(measure(model, a, peers, Path(folder)))
                print_row(rows[-1], peers)
            except timing.Failed as reason:
                print(f"{Path(model).stem:20s} failed: {reason}", flush=True)
    result = {"machine": machine(), "pelton": timing.pelton_call([a.pelton, "--version"]).strip(), "threads": a.threads,
              "rounds": a.rounds, "seconds": a.seconds, "level": a.level, "rows": rows}
    if a.json:
        Path(a.json).write_text(json.dumps(result, indent=1) + "\n")
    if a.chart:
        Path(a.chart).write_text(chart.bars(result, ["pelton", *peers]))


if __name__ == "__main__":
    main()
