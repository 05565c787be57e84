"""What tests of whole models share: running `pelton` and onnxruntime on the same inputs and comparing. A test that lacks
something (Python packages, the folder of models) says so and exits with 77: skipped."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

PELTON = os.environ.get("PELTON_BIN", "build/release/pelton")
SHARED = Path(os.environ.get("PELTON_SHARED", "../shared"))


def shared(relative):
    path = SHARED / relative
    if not path.exists():
        skip(f"{path} is not there")
    return path


def session(model, optimised=True):
    """|optimised| False: every node on its own, as the standard defines it (quantised networks are otherwise fused into
    integer operators, which round elsewhere)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def random_feed(s, shapes=None, seed=0):
    rng = np.random.default_rng(seed)
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    feed = {}
    for i in s.get_inputs():
        shape = (shapes or {}).get(i.name) or [d if isinstance(d, int) else 1 for d in i.shape]
        feed[i.name] = rng.standard_normal(shape).astype(kinds[i.type])
    return feed


def file_name(tensor):
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in tensor) + ".npy"


def run_pelton(model, feed, options=()):
    """Outputs by name, in a dict of arrays."""
    with tempfile.TemporaryDirectory() as folder:
        command = [PELTON, "run", str(model), "--output-dir", folder, *options]
        for name, value in feed.items():
            path = Path(folder) / ("in_" + file_name(name))
            np.save(path, value)
            command += ["--input", f"{name}={path}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
        return {p.stem: np.load(p) for p in Path(folder).glob("*.npy") if not p.name.startswith("in_")}


def difference(got, want):
    """The largest difference against the largest value."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf")
    if want.size == 0:
        return 0.0
    scale = np.abs(want).max()
    return float(np.abs(got.astype(np.float64) - want.astype(np.float64)).max() / (scale if scale > 0 else 1))


def rms_difference(got, want):
    """The root mean square of the difference against that of the values."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf")
    power = float(np.sqrt(np.mean(want.astype(np.float64) ** 2))) if want.size else 0.0
    return float(np.sqrt(np.mean((got.astype(np.float64) - want) ** 2))) / (power or 1) if want.size else 0.0


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, ok, detail=""):
        self.passed += bool(ok)
        self.failed += not ok
        print(f"{'ok     ' if ok else 'FAILED '} {name} {detail}", flush=True)

    def compare(self, name, model, feed, tolerance, options=(), engine=None, optimised=True, measure=difference):
        s = session(model, optimised)
        want = s.run(None, feed)
        try:
            got = run_pelton(engine or model, feed, options)
        except AssertionError as error:
            self.check(name, False, str(error))
            return
        worst = 0.0
        for o, w in zip(s.get_outputs(), want):
            worst = max(worst, measure(got.get(file_name(o.name)[:-4], np.zeros(0)), w))
        self.check(name, worst <= tolerance, f"{measure.__name__} {worst:.2e}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        sys.exit(1 if self.failed else 0)
