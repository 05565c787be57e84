"""How Pelton's times on the CPU behave as things grow or are taken away: threads, more threads than cores, several
contexts at once, a core that another program takes, levels of tuning, batches, pictures, weights of many gigabytes.

    bench/scale.py --pelton build/release/pelton --work FOLDER [--parts threads,crowd,...] [--json F] MODEL.onnx...

Parts:
    threads    times with 1, 2, 4 ... threads, and how much faster that is
    crowd      on as many cores as the second-last line says, more threads than cores; a busy program bound to one core
    streams    throughput of N contexts of one thread, against one context of N threads
    choices    what level 0 chooses against the fastest that was timed, step by step; the least of --rounds timings
    levels     times of engines built without timing (level 0) against those timed (levels 1 and 2), and build times
    batch      ResNet-50 or the like: time of one picture in batches of 1 to 32
    size       time of a pixel from 112 x 112 to 896 x 896
    memory     peak memory of the process beside the weights
    open       engines of --gigabytes of weights: time to open, and the rate at which one pass reads them

Engines are kept in FOLDER, and used again. All cases of a part are run in turn, several rounds, each in a process of its
own; minima count, as other work only ever makes a run slower. Cores are those that this process may use.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import timing

PARTS = ("threads", "crowd", "streams", "choices", "levels", "batch", "size", "memory", "open")
BUSY = "import os\nos.sched_setaffinity(0, {%d})\nwhile True: pass"


class Bench:
    def __init__(self, a):
        self.a = a
        self.cores = sorted(os.sched_getaffinity(0))
        self.work = Path(a.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.results = {}

    def engine(self, model, threads, level="1", options=(), name=""):
        """Of |model| for so many threads, and the seconds that building took, where it was built now."""
        path = self.work / f"{Path(model).stem}{name}.t{threads}.l{level}.pelton"
        took = None
        if not path.exists():
            start = time.perf_counter()
            timing.build_engine(self.a.pelton, model, str(path), threads, level, options)
            took = time.perf_counter() - start
        return str(path), took

    def run(self, engine, threads, options=(), cores=None):
        command = [self.a.pelton, "bench", engine, "--threads", str(threads), "--duration", str(self.a.seconds), "--json",
                   "--warmup", "100", *options]
        if cores is not None:
            command = ["taskset", "-c", ",".join(map(str, cores)), *command]
        return json.loads(timing.pelton_call(command))

    def interleave(self, cases):
        """|cases|: name -> function that gives `pelton bench`'s fields. The least latency and the greatest throughput
        of all rounds, by name."""
        best = {}
        for _ in range(self.a.rounds):
            for name, call in cases.items():
                one = call()
                b = best.setdefault(name, {"min": float("inf"), "median": float("inf"), "per_s": 0.0})
                b["min"] = min(b["min"], one["latency_ms"]["min"])
                b["median"] = min(b["median"], one["latency_ms"]["median"])
                b["per_s"] = max(b["per_s"], one["throughput_per_s"])
                b["rss_mb"] = one["peak_rss_bytes"] / 1e6
                b["load_ms"] = one["load_ms"]
        return best

    def say(self, part, model, rows, head):
        self.results.setdefault(part, {})[model] = rows
        print(f"{part:8} {model:14} {head}", flush=True)


def doubled(most):
    n = 1
    while n < most:
        yield n
        n *= 2
    yield most


def part_threads(b, model):
    counts = [n for n in doubled(len(b.cores))]
    cases = {n: lambda n=n, e=b.engine(model, n)[0]: b.run(e, n, cores=b.cores[:n]) for n in counts}
    rows = b.interleave(cases)
    head = "  ".join(f"{n}: {r['min']:.3f} ms ({rows[1]['min'] / r['min']:.2f}x)" for n, r in rows.items())
    b.say("threads", Path(model).stem, rows, head)


def busy_beside(b, core, call):
    other = subprocess.Popen([sys.executable, "-c", BUSY % core])
    try:
        return call()
    finally:
        other.kill()
        other.wait()


def part_crowd(b, model):
    n = b.a.crowd or min(2, len(b.cores))
    own, e, twice = b.cores[:n], b.engine(model, n)[0], b.engine(model, 2 * n)[0]
    rows = b.interleave({
        "alone": lambda: b.run(e, n, cores=own),
        "one fewer": lambda: b.run(e, n - 1, cores=own[1:]) if n > 1 else b.run(e, n, cores=own),
        "twice": lambda: b.run(twice, 2 * n, cores=own),
        "busy": lambda: busy_beside(b, own[-1], lambda: b.run(e, n, cores=own)),
    })
    base = rows["alone"]["median"]
    b.say("crowd", Path(model).stem, rows, f"{n} threads on {n} cores {base:.3f} ms (median); " + "  ".join(
        f"{name} {rows[name]['median'] / base:.2f}x" for name in ("one fewer", "twice", "busy")))


def part_streams(b, model):
    n = len(b.cores)
    one, all_of_it = b.engine(model, 1)[0], b.engine(model, n)[0]
    rows = b.interleave({
        "1x1": lambda: b.run(one, 1, cores=b.cores[:1]),
        f"1x{n}": lambda: b.run(all_of_it, n),
        f"{n}x1": lambda: b.run(one, 1, ["--streams", str(n)]),
        f"{n}x{n}": lambda: b.run(all_of_it, n, ["--streams", str(n)]),
    })
    first = rows["1x1"]["per_s"]
    b.say("streams", Path(model).stem, rows, "  ".join(
        f"{name}: {r['per_s']:.1f}/s ({r['per_s'] / first:.2f}x)" for name, r in rows.items()))


def part_choices(b, model):
    """A busy machine disturbs whole networks more than the least of many timings of a step."""
    n, stem, times = b.a.choice_threads or len(b.cores), Path(model).stem, {}
    for r in range(b.a.rounds):
        cache = b.work / f"{stem}.t{n}.{r}.times"
        if not cache.exists():
            timing.build_engine(b.a.pelton, model, str(b.work / "timed.pelton"), n, "3", ["--timing-cache", str(cache)])
        for line in cache.read_text().splitlines()[1:]:
            seconds, tactic, _, config, _, problem = line.split("\t")
            known = times.setdefault(problem, {})
            known[tactic, config] = min(float(seconds), known.get((tactic, config), float("inf")))
    report = b.work / "level0.json"
    timing.build_engine(b.a.pelton, model, str(b.work / "timed.pelton"), n, "0", ["--report", str(report)])
    chosen = best = 0
    rows = []
    for step in json.loads(report.read_text())["plan"]:
        known = times.get(step.get("problem"), {})
        own = known.get((step.get("tactic"), ",".join(map(str, step.get("config", [])))))
        if own is None:
            continue  # there was one candidate only
        chosen, best = chosen + own, best + min(known.values())
        if own > 1.1 * min(known.values()):
            rows.append({"step": step["step"], "tactic": step["tactic"], "ms": 1e3 * own,
                         "best": " ".join(min(known, key=known.get)), "best_ms": 1e3 * min(known.values())})
    b.say("choices", stem, {"threads": n, "chosen_ms": 1e3 * chosen, "best_ms": 1e3 * best, "worse": rows},
          f"{n} threads: steps as level 0 chooses {1e3 * chosen:.3f} ms, the fastest {1e3 * best:.3f} ms: "
          f"{chosen / best if best else 1:.3f}x")


def part_levels(b, model):
    n = len(b.cores)
    engines = {level: b.engine(model, n, level) for level in b.a.levels.split(",")}
    rows = b.interleave({level: lambda e=e: b.run(e[0], n) for level, e in engines.items()})
    least = min(r["min"] for r in rows.values())
    for level, e in engines.items():
        rows[level]["build_s"] = e[1]
    b.say("levels", Path(model).stem, rows, "  ".join(
        f"level {level}: {r['min']:.3f} ms ({r['min'] / least:.3f}x of the best" +
        (f", built in {r['build_s']:.2f} s)" if r["build_s"] else ")") for level, r in rows.items()))


def reshaped(b, model, batch, size):
    """The model with another batch, or another size of its picture; written beside the engines."""
    import onnx

    path = b.work / f"{Path(model).stem}.b{batch}.s{size or 0}.onnx"
    if not path.exists():
        m = onnx.load(model)
        dims = m.graph.input[0].type.tensor_type.shape.dim
        dims[0].dim_value = batch
        for d in dims[2:] if size else ():
            d.dim_value = size
        del m.graph.value_info[:]
        for o in m.graph.output:
            o.type.tensor_type.ClearField("shape")
        onnx.save(m, str(path))
    return str(path)


def part_grown(b, model, part, cases):
    """|cases|: name -> (batch, size, units of work)."""
    n = len(b.cores)
    calls = {}
    for name, (batch, size, _) in cases.items():
        e = b.engine(reshaped(b, model, batch, size), n)[0]
        calls[name] = lambda e=e: b.run(e, n, ["--runs", "400"])
    rows = b.interleave(calls)
    for name, (_, _, units) in cases.items():
        rows[name]["each_ms"] = rows[name]["min"] / units
    least = min(r["each_ms"] for r in rows.values())
    b.say(part, Path(model).stem, rows, "  ".join(
        f"{name}: {r['each_ms']:.3f} ms ({r['each_ms'] / least:.2f}x)" for name, r in rows.items()))


def part_batch(b, model):
    part_grown(b, model, "batch", {n: (n, None, n) for n in (1, 2, 4, 8, 16, 32)})


def part_size(b, model):
    part_grown(b, model, "size", {n: (1, n, (n / 224) ** 2) for n in (112, 224, 448, 896)})


def part_memory(b, model):
    n = len(b.cores)
    e = b.engine(model, n)[0]
    rows = b.interleave({"run": lambda: b.run(e, n)})
    r = rows["run"]
    r["model_mb"], r["engine_mb"] = Path(model).stat().st_size / 1e6, Path(e).stat().st_size / 1e6
    b.say("memory", Path(model).stem, rows,
          f"model {r['model_mb']:.1f} MB, engine {r['engine_mb']:.1f} MB, peak {r['rss_mb']:.1f} MB, {r['min']:.3f} ms")


LARGE_SIDE = 8192
LARGE_BYTES = 4 * LARGE_SIDE * LARGE_SIDE


def large_count(gigabytes):
    return max(1, round(gigabytes * 1e9 / LARGE_BYTES))


def large_model(path, gigabytes):
    """Products of a vector with square matrices, their weights in a file beside the model. The matrices are one, save for
    a number that says which: engines keep equal constants once."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    n, each, count = LARGE_SIDE, LARGE_BYTES, large_count(gigabytes)
    data = path.with_suffix(".bin")
    piece = np.random.default_rng(1).standard_normal((n, n), dtype=np.float32) / np.float32(np.sqrt(n))
    nodes, weights = [], []
    with open(data, "wb") as out:
        for i in range(count):
            piece[0, 0] = i / count
            out.write(piece.data)
            w = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[n, n], data_location=TensorProto.EXTERNAL)
            for key, value in (("location", data.name), ("offset", i * each), ("length", each)):
                w.external_data.add(key=key, value=str(value))
            weights.append(w)
            nodes.append(helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]))
    graph = helper.make_graph(nodes, "large", [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, n])],
                              [helper.make_tensor_value_info(f"x{count}", TensorProto.FLOAT, [1, n])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))


def part_open(b, _):
    n, path = len(b.cores), b.work / f"large{b.a.gigabytes:g}.onnx"
    if not (b.work / f"{path.stem}.t{n}.l0.pelton").exists():
        large_model(path, b.a.gigabytes)
        b.engine(path, n, "0")
        path.with_suffix(".bin").unlink()
    e = b.engine(path, n, "0")[0]
    rows = b.interleave({"run": lambda: b.run(e, n, ["--runs", "3"])})
    size = Path(e).stat().st_size
    r = rows["run"]
    weights = large_count(b.a.gigabytes) * LARGE_BYTES
    r["gbyte_per_s"] = weights / r["min"] / 1e6
    b.say("open", f"{size / 1e9:.1f} GB", rows, f"opens in {r['load_ms']:.2f} ms, a pass over {weights / 1e9:.1f} GB of "
          f"weights takes {r['min']:.1f} ms: {r['gbyte_per_s']:.1f} GB/s")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*")
    p.add_argument("--pelton", required=True)
    p.add_argument("--work", required=True, help="a folder for engines")
    p.add_argument("--parts", default="threads,crowd,streams,levels", help=", ".join(PARTS))
    p.add_argument("--levels", default="0,1,2")
    p.add_argument("--choice-threads", type=int, default=0, help="of part choices; all")
    p.add_argument("--crowd", type=int, default=0, help="cores of part crowd; 2")
    p.add_argument("--gigabytes", type=float, default=10)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.5, help="of each run")
    p.add_argument("--json", metavar="F")
    a = p.parse_args()
    b = Bench(a)
    for part in a.parts.split(","):
        if part not in PARTS:
            sys.exit(f"scale.py: no part '{part}'; there are {', '.join(PARTS)}")
        for model in a.models if part != "open" else [None]:
            try:
                globals()[f"part_{part}"](b, model)
            except timing.Failed as e:
                print(f"{part:8} {Path(model or '').stem:14} failed: {e}", flush=True)
        if a.json:
            Path(a.json).write_text(json.dumps(
                {"cores": len(b.cores), "rounds": a.rounds, "seconds": a.seconds, "parts": b.results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
