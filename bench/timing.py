"""Timing Pelton and onnxruntime, for the benchmarks that stand them side by side. Ratios count, not absolute times:
machines are noisy, so callers interleave (A B A B) and compare minima.

As a program it times onnxruntime alone, in a process of its own, so that its memory is its own as well:

    bench/timing.py MODEL THREADS SECONDS
"""

import json
import subprocess
import sys
import time

KINDS = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool"}


class Failed(Exception):
    """Pelton refused something; the text is its own last line."""


def pelton_call(command):
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        lines = out.stderr.strip().splitlines()
        raise Failed(lines[-1] if lines else f"ended with {out.returncode}")
    return out.stdout


def build_engine(pelton, model, engine, threads, level="1", options=()):
    pelton_call([pelton, "build", model, "-o", engine, "--threads", str(threads), "--level", level, *options])


def time_pelton(pelton, engine, threads, seconds, options=()):
    """The fields of `pelton bench --json` for |seconds| of running."""
    command = [pelton, "bench", engine, "--threads", str(threads), "--duration", str(seconds), "--json", *options]
    return json.loads(pelton_call(command))


def summary(times):
    return {"min": min(times), "median": sorted(times)[len(times) // 2]}


def ort_session(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def time_calls(call, seconds, least=5, warm=3):
    """Milliseconds of each of as many calls as fit into |seconds|."""
    for _ in range(warm):
        call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < least:
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main():
    import numpy as np

    path, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    start = time.perf_counter()
    session = ort_session(path, threads)
    load = time.perf_counter() - start
    rng = np.random.default_rng(1)
    feed = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in i.shape]
        feed[i.name] = rng.uniform(-1, 1, shape).astype(KINDS[i.type])
    times = time_calls(lambda: session.run(None, feed), seconds)
    peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
    print(json.dumps({**summary(times), "load_ms": 1e3 * load, "rss": 1024 * int(peak)}))


if __name__ == "__main__":
    main()
