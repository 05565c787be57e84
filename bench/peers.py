"""Times Pelton and other runtimes side by side: same model files, same number of threads, interleaved A B A B, each
round in a process of its own; prints the minimum and median of each and the ratio to Pelton. Ratios count, not
absolute times: machines are noisy.

    bench/peers.py --pelton build/release/pelton [--threads 2] [--rounds 3] MODEL.onnx...
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import timing

def time_ort(model, threads, seconds):
    command = [sys.executable, timing.__file__, model, str(threads), str(seconds)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def time_pelton(pelton, engine, threads, seconds):
    r = timing.time_pelton(pelton, engine, threads, seconds)
    return {"min": r["latency_ms"]["min"], "median": r["latency_ms"]["median"], "load_ms": r["load_ms"], "rss": r["peak_rss_bytes"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+")
    p.add_argument("--pelton", default="build/release/pelton")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1.0, help="of measuring, a round")
    p.add_argument("--level", default="1", help="of pelton build")
    p.add_argument("--json", help="write the figures there as well")
    a = p.parse_args()
    import onnxruntime

    print(f"onnxruntime {onnxruntime.__version__}, {a.threads} threads, {a.rounds} rounds of {a.seconds} s, milliseconds", flush=True)
    print(f"{'model':28s} {'pelton min':>11s} {'median':>9s} {'ort min':>9s} {'median':>9s} {'ort/pelton':>10s} {'load':>8s} {'ort':>8s} {'MB':>6s} {'ort':>6s}", flush=True)
    results = []
    for model in a.models:
        with tempfile.TemporaryDirectory() as folder:
            engine = str(Path(folder) / "model.pelton")
            try:
                timing.build_engine(a.pelton, model, engine, a.threads, a.level)
            except timing.Failed as reason:
                print(f"{Path(model).stem:28s} build failed: {reason}", flush=True)
                continue
            ours, theirs = [], []
            for _ in range(a.rounds):
                ours.append(time_pelton(a.pelton, engine, a.threads, a.seconds))
                theirs.append(time_ort(model, a.threads, a.seconds))
        least = [min(r["min"] for r in rs) for rs in (ours, theirs)]
        middle = [statistics.median(r["median"] for r in rs) for rs in (ours, theirs)]
        load = [min(r["load_ms"] for r in rs) for rs in (ours, theirs)]
        rss = [max(r["rss"] for r in rs) / 1e6 for rs in (ours, theirs)]
        results.append({"model": Path(model).stem, "pelton_min_ms": least[0], "pelton_median_ms": middle[0], "ort_min_ms": least[1],
                        "ort_median_ms": middle[1], "pelton_load_ms": load[0], "ort_load_ms": load[1], "pelton_rss_mb": rss[0], "ort_rss_mb": rss[1]})
        print(f"{Path(model).stem:28s} {least[0]:11.3f} {middle[0]:9.3f} {least[1]:9.3f} {middle[1]:9.3f} {least[1] / least[0]:10.2f} "
              f"{load[0]:8.2f} {load[1]:8.1f} {rss[0]:6.0f} {rss[1]:6.0f}", flush=True)
    if a.json:
        Path(a.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
