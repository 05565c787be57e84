"""What the programs of this folder share: each loads a model in one runtime and times it, in a process of its own, so
that its memory and its threads are its own as well.

    <runtime>.py MODEL THREADS SECONDS INPUTS.npz OUTPUTS.npz FOLDER

prints one JSON object: version, min, median (ms), load_ms, rss (bytes). Inputs are taken as they are, outputs of the
first run are written. FOLDER is for what conversion leaves behind, and is kept from round to round.
"""

import json
import sys
import time

started = None


def loading_starts():
    """From here on it counts: imports and conversions before do not."""
    global started
    started = time.perf_counter()


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


def main(load):
    import numpy as np

    model, threads, seconds, inputs, outputs, folder = sys.argv[1:]
    feed = dict(np.load(inputs))
    loading_starts()
    version, run = load(model, int(threads), {name: value.shape for name, value in feed.items()}, folder)
    load_ms = 1e3 * (time.perf_counter() - started)
    np.savez(outputs, **{name: np.array(value) for name, value in run(feed).items()})
    times = time_calls(lambda: run(feed), float(seconds))
    peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
    print(json.dumps({"version": version, "min": min(times), "median": sorted(times)[len(times) // 2],
                      "load_ms": load_ms, "rss": 1024 * int(peak)}))
