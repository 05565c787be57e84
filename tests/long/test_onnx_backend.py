"""The cases that the installed package `onnx` makes and holds for its backends: one generated for each operator's examples
(kinds node and simple) and those stored for networks of layers (pytorch-converted, pytorch-operator, simple). All of them
run from the model, from an engine file, with the portable kernels, with those of AVX2, and without timing.

    test_onnx_backend.py [--filter GLOB] [--export FOLDER]

What Pelton cannot pass must stand in LEFT_OUT with its reason; it is counted as skipped."""

import argparse
import fnmatch
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from peer import PELTON, np, skip  # noqa: E402

try:
    import onnx
    from onnx import TensorProto, numpy_helper
    from onnx.backend.test.case.model import collect_testcases as collect_models
    from onnx.backend.test.case.node import collect_testcases as collect_nodes
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

STORED = Path(onnx.__file__).parent / "backend" / "test" / "data"
VARIANTS = ([], ["--engine"], ["--cpu-isa", "portable"], ["--cpu-isa", "avx2"], ["--level", "0"], ["--no-passes"])

# Names of cases that are not run, and why.
LEFT_OUT = [
    ("test_bernoulli*", "a random result has no one right answer"),
    ("test_training_dropout*", "Dropout that trains by an input: a random result has no one right answer"),
    ("test_gradient_of_*", "Gradient of ai.onnx.preview.training: networks are run, not trained"),
    ("test_dft_inverse*", "what should be 0 must be the noise of one implementation's transform, to 1e-7"),
]

# In elements of few bits a last digit is more than the cases' rtol of 1e-3, and every operator of an expanded function
# rounds: a few last digits of float16 and bfloat16.
TOLERANCES = {TensorProto.BFLOAT16: 2.0 ** -5, TensorProto.FLOAT16: 2.0 ** -9}


def encode(value, info):
    """A value as the message that a case's file holds."""
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    return value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), info.name)


def write_case(folder, model, data_sets):
    """One case as `pelton test` reads it."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for i, (inputs, outputs) in enumerate(data_sets):
        place = folder / f"test_data_set_{i}"
        place.mkdir()
        for kind, values, infos in (("input", inputs, model.graph.input), ("output", outputs, model.graph.output)):
            for j, (value, info) in enumerate(zip(values, infos)):
                (place / f"{kind}_{j}.pb").write_bytes(encode(value, info).SerializeToString())


def place_of(model):
    """The folder for cases of this model's tolerance."""
    elements = {info.type.tensor_type.elem_type for info in model.graph.output}
    return next((f"rtol{TOLERANCES[e]}" for e in TOLERANCES if e in elements), "rtol0.001")


def export(target):
    """Folders with all cases, under the tolerance that they are compared with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in [*collect_nodes(None), *collect_models()]:
            if case.model is not None:
                write_case(target / place_of(case.model) / case.kind / case.name, case.model, case.data_sets)
    made = {p.name for p in target.glob("*/simple/*")}
    target /= "rtol0.001"
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for folder in sorted((STORED / kind).glob("test_*")):
            if folder.name not in made:
                (target / kind).mkdir(parents=True, exist_ok=True)
                (target / kind / folder.name).symlink_to(folder)


def left_out(name):
    for pattern, reason in LEFT_OUT:
        if fnmatch.fnmatch(name.split("/")[-1], pattern):
            return reason
    return None


def run(folder, variant, options):
    """The number of failures of all cases under |folder|."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    reasons = {}
    for place in sorted(folder.iterdir()):
        command = [PELTON, "test", str(place), "--json", "--rtol", place.name[4:], *variant]
        command += ["--filter", options.filter] if options.filter else []
        done = subprocess.run(command, capture_output=True, text=True)
        for case in json.loads(done.stdout or "[]"):
            status, why = case["status"], left_out(case["case"])
            if why and status != "passed":
                status = "skipped"
                reasons[why] = reasons.get(why, 0) + 1
            elif status == "skipped":
                status = "failed"
            counts[status] += 1
            if status == "failed":
                print(f"FAILED  {case['case']} {' '.join(variant)}: {case['reason']}")
    for why, count in sorted(reasons.items()):
        print(f"skipped {count} cases: {why}")
    print(f"{' '.join(variant) or 'as built'}: " + ", ".join(f"{counts[k]} {k}" for k in counts), flush=True)
    return counts["failed"] + (counts["passed"] == 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--filter")
    parser.add_argument("--export", type=Path, help="write the cases there, run nothing")
    options = parser.parse_args()
    if options.export:
        export(options.export)
        return
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        failed = sum(run(Path(folder), variant, options) for variant in VARIANTS)
    sys.exit(1 if failed else 0)


main()
