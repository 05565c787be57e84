"""Every version of every operator, from operator set 7 on: for each operator set the graphs of one operator and what it
needs are grown, until each operator that Pelton has was there in each of its versions. What no graph holds must stand in
NOT_MADE with its reason."""

import argparse
import inspect
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from . import driver
from .core import SCHEMAS, Graph, schema_of
from .ops_basic import REDUCTIONS, UNARY, unary

OLDEST, NEWEST = 7, 28
RANDOM = "a random result has no one right answer"
LISTS = "sequences, optionals and texts are tested by onnx's own cases"
NOT_MADE = {
    **dict.fromkeys("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split(), RANDOM),
    **dict.fromkeys("""ConcatFromSequence Optional OptionalGetElement OptionalHasElement RegexFullMatch SequenceAt SequenceConstruct
        SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence StringConcat StringNormalizer StringSplit
        TfIdfVectorizer ImageDecoder""".split(), LISTS),
    **dict.fromkeys([("GlobalLpPool", 22), ("MaxRoiPool", 22)], "neither onnxruntime nor the reference has it"),
}


def left_out(operator, version):
    return NOT_MADE.get(operator) or NOT_MADE.get((operator, version))


def wanted():
    """{(operator, version)}: those that some operator set from OLDEST on has."""
    return {(name, schema_of(name, opset).since_version) for (domain, name) in SCHEMAS if domain == ""
            for opset in range(OLDEST, NEWEST + 1) if schema_of(name, opset)}


def builders_of(operator):
    """Those that name it."""
    lists = {"unary": UNARY, "reduce": REDUCTIONS}
    return [b for _, b in driver.TABLE if f'"{operator}"' in inspect.getsource(b) or operator in lists.get(b.__name__, ())]


def grow(builder, operator, opset, seed):
    """A graph that holds |operator|, or None."""
    rng = np.random.default_rng([seed, opset, *map(ord, operator)])
    sizes = [{"n": 0, "h": 0}] if seed % 3 else [{"n": 2, "h": 5}, {"n": 3, "h": 4}]
    g = Graph(rng, opset, sizes)
    driver.add_inputs(g, len(sizes) > 1)
    g.wanted = operator
    for _ in range(3):
        if g.attempt(builder):
            break
        g.attempt(driver.TABLE[rng.integers(len(driver.TABLE))][1])  # integers, bools or ranks that it may need
    held = [v for n in g.nodes if n.op_type == operator for v in g.values if v.name in n.output]
    if not held and operator == "Constant" and g.initializers:
        held = [g.emit("Identity", [g.constant(np.float32(1), as_node=True)])]
    return (g, held) if held else None


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--graphs", type=int, default=3, help="of each version")
    parser.add_argument("--tries", type=int, default=60)
    parser.add_argument("--keep", type=Path, default=Path(os.environ.get("PELTON_BUILD", "build")) / "operator-versions")
    options = parser.parse_args(arguments)
    made, held, referred = {}, {}, 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for operator, version in sorted(wanted()):
            if left_out(operator, version):
                continue
            opsets = [o for o in range(OLDEST, NEWEST + 1) if getattr(schema_of(operator, o), "since_version", None) == version]
            builders = builders_of(operator) or [unary]
            grown = 0
            for seed in range(options.tries):
                found = grow(builders[seed % len(builders)], operator, opsets[seed % 2 * -1], seed)
                if found and grown < options.graphs:
                    grown += 1
                    name = f"{operator}-{version}-{seed}"
                    held[name] = driver.place_of(found[1])
                    driver.write(root / held[name] / name, *found)
                    made.setdefault((operator, version), []).append(name)
                    referred += found[0].reference_used
                if grown == options.graphs:
                    break
        results = driver.run(root, "default")
        bad = {k: r for k, r in results.items() if r[0] != "passed"}
        for name, result in bad.items():
            shutil.rmtree(options.keep / name, ignore_errors=True)
            shutil.copytree(root / held[name] / name, options.keep / name)
            print(f"FAILED  {name} ({options.keep / name}): {result[1]}")
    missing = sorted(w for w in wanted() - set(made) if not left_out(*w))
    out = [w for w in wanted() if left_out(*w)]
    for name, version in missing:
        print(f"FAILED  {name} of version {version}: no graph holds it")
    print(f"{len(wanted()) - len(missing) - len(out)} versions of operators in {len(held)} graphs ({referred} with nodes that onnx's reference "
          f"ran), {len(out)} versions left out: " + "; ".join(sorted({left_out(*w) for w in out})))
    print(f"{len(held) - len(bad)} passed, {len(bad) + len(missing)} failed, 0 skipped")
    return 1 if bad or missing else 0
