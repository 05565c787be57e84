"""Makes random graphs, writes them as cases, runs `pelton test` over them and tells what differs.

    test_random_graphs.py [--seed N] [--count N] [--variants default,level0,...] [--keep FOLDER] [--statistics]

The graph of seed N is the same whatever else is made. A failing one is written to FOLDER/N with its inputs and expected
outputs, and is made again by `--seed N --count 1`, which also looks for the first node that differs."""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnx import numpy_helper

from . import ops_basic, ops_control, ops_more, ops_movement, ops_nn
from .core import BOOL, F16, F32, F64, I8, I32, I64, U8, Graph, tolerance

PELTON = os.environ.get("PELTON_BIN", "build/release/pelton")
TABLE = ops_basic.TABLE + ops_movement.TABLE + ops_nn.TABLE + ops_control.TABLE + ops_more.TABLE
WEIGHTS = np.array([w for w, _ in TABLE], float)
OPSETS = [7, 8, 9, 10, 11, 12, 13, 13, 14, 15, 16, 17, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28]
VARIANTS = {"default": [], "level0": ["--level", "0"], "engine": ["--engine"], "no-passes": ["--no-passes"],
            "portable": ["--cpu-isa", "portable"], "avx2": ["--cpu-isa", "avx2"], "threads1": ["--threads", "1"]}


def add_inputs(g, dynamic):
    """One to three, of the kinds that networks begin with; the first is of floats."""
    for i in range(g.integer(1, 3)):
        kind = g.integer(0, 5)
        dtype = F32 if i == 0 and g.chance(0.85) else g.choose([F32, F32, F64, F16, I64, I32, U8, I8, BOOL])
        dims = [[g.integer(1, 3), g.integer(1, 9), g.integer(2, 9), g.integer(2, 9)], [g.integer(1, 3), g.integer(1, 6), g.integer(2, 12)],
                [g.integer(1, 6), g.integer(1, 20)], [g.integer(1, 3), g.choose([4, 8, 16]), g.integer(3, 12), g.integer(3, 12)],
                [g.integer(1, 40)], [1, g.integer(1, 4), g.integer(2, 5), g.integer(2, 5), g.integer(2, 5)]][kind]
        if dynamic:
            if g.chance(0.8):
                dims[0] = "n"
            if len(dims) > 2 and g.chance(0.4):
                dims[2] = "h"
        g.graph_input(dims, dtype)


def make(seed):
    rng = np.random.default_rng(seed)
    opset = OPSETS[rng.integers(len(OPSETS))]
    dynamic = rng.random() < 1 / 3
    sizes = [{"n": 0, "h": 0}]
    if dynamic:
        sizes = [{"n": int(n), "h": int(h)} for n, h in zip(rng.permutation(5)[:3] + 1, rng.permutation(8)[:3] + 3)]
    g = Graph(rng, opset, sizes)
    add_inputs(g, dynamic)
    wanted, tries = g.integer(2, 30), 0
    while len(g.nodes) < wanted and tries < 6 * wanted:
        tries += 1
        g.attempt(TABLE[rng.choice(len(TABLE), p=WEIGHTS / WEIGHTS.sum())][1])
    return g


def write(folder, g, outputs):
    model, inputs = g.model(outputs)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for size in range(len(g.sizes)):
        place = folder / f"test_data_set_{size}"
        place.mkdir()
        for kind, values in (("input", inputs), ("output", outputs)):
            for i, v in enumerate(values):
                (place / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(v.arrays[size], v.name).SerializeToString())
    return model


def place_of(outputs):
    """A folder for each power of ten of the tolerance."""
    t = tolerance(outputs)
    return f"atol1e{max(-7, math.ceil(math.log10(t)))}" if t > 0 else "atol1e-7"


def run(root, variant):
    """{case: (status, reason)} of all cases beneath |root|."""
    results = {}
    for place in sorted(root.glob("atol*")):
        command = [PELTON, "test", str(place), "--json", "--rtol", "1e-6", "--atol", place.name[4:], "--timeout", "60", *VARIANTS[variant]]
        done = subprocess.run(command, capture_output=True, text=True)
        for case in json.loads(done.stdout or "[]"):
            results[case["case"].split("/")[-1]] = (case["status"], case["reason"])
    return results


def first_difference(g, variants, keep):
    """The first node whose results alone differ, with only what it needs: printed, and kept beside the whole."""
    made = {o: n for n in g.nodes for o in n.output}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for v in g.values:
            if v.name in made and made[v.name].op_type != "Constant":
                write(root / place_of([v]) / v.name, g, [v])
        for variant in variants:
            bad = {k: r for k, r in run(root, variant).items() if r[0] != "passed"}
            for v in g.values:
                if v.name in bad:
                    node = made[v.name]
                    print(f"        {variant}: first at {node.op_type} -> {v.name} {v.dtype} {v.shape}: {bad[v.name][1]}")
                    source = next(root.glob(f"*/{v.name}"))
                    target = keep / f"least-{variant}"
                    shutil.rmtree(target, ignore_errors=True)
                    shutil.copytree(source, target)
                    break


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--variants", default="default,level0")
    parser.add_argument("--keep", type=Path, default=Path(os.environ.get("PELTON_BUILD", "build")) / "random-graphs")
    parser.add_argument("--statistics", action="store_true", help="what was made of which operators, and what was not taken")
    options = parser.parse_args(arguments)
    variants = options.variants.split(",")
    graphs, opsets, operators, rejections, referred, empty, nodes = {}, {}, {}, {}, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for seed in range(options.seed, options.seed + options.count):
            g = make(seed)
            outputs = g.outputs()
            if not outputs:
                empty += 1
                continue
            model = write(root / place_of(outputs) / str(seed), g, outputs)
            graphs[seed] = place_of(outputs)
            opsets[seed] = g.opset
            referred += g.reference_used
            nodes += len(model.graph.node)
            for n in model.graph.node:
                operators[n.op_type] = operators.get(n.op_type, 0) + 1
            for k, n in g.rejections.items():
                rejections[k] = rejections.get(k, 0) + n
        print(f"{len(graphs)} graphs of seeds {options.seed} to {options.seed + options.count - 1}: {nodes} nodes of {len(operators)} operators, "
              f"{referred} graphs with nodes that onnx's reference ran, {empty} without a node", flush=True)
        failed = {}
        for variant in variants:
            results = run(root, variant)
            for seed in graphs:
                status, reason = results.get(str(seed), ("failed", "no result"))
                if status != "passed":
                    failed.setdefault(seed, []).append(f"{variant}: {reason}")
            print(f"{variant}: {sum(r[0] == 'passed' for r in results.values())} passed of {len(graphs)}", flush=True)
        for seed, reasons in failed.items():
            keep = options.keep / str(seed)
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(root / graphs[seed] / str(seed), keep)
            print(f"FAILED  seed {seed} ({graphs[seed]}, opset {opsets[seed]}; {keep}): {'; '.join(reasons)[:400]}")
            if options.count <= 10 or len(failed) <= 10:
                first_difference(make(seed), variants, keep)
    if options.statistics:
        print("made: " + " ".join(f"{k}:{n}" for k, n in sorted(operators.items(), key=lambda i: -i[1])))
        for k, n in sorted(rejections.items(), key=lambda i: -i[1])[:60]:
            print(f"not taken {n}: {k[0]}: {k[1]}")
    print(f"{len(graphs) - len(failed)} passed, {len(failed)} failed, {empty} skipped" + (" (no node fitted)" if empty else ""))
    return 1 if failed else 0
