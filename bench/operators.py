"""Single operators on shapes of real models: Pelton against onnxruntime, one line of bench/suites/operators.txt each.

For each line the one-operator model is written, both run it on the same data and must agree, then they are timed
interleaved with the same number of threads. A ratio above 1 says that Pelton is slower.

    bench/operators.py --pelton build/release/pelton [--threads 1] [--only 'resize*'] [--max-ratio 1.5] [--json F]

The syntax of a line:

    NAME OPSET [DOMAIN:]OPERATOR(OPERAND, ...) [attribute=value ...] [-> RESULTS] [~TOLERANCE]  # where the shape is from

An operand:
    f32[1,64,56,56]               an input; elements from -1 to 1, or any for small integers
    f32[1,64,56,56] uniform(0,6)  filled so; see the functions of Fill. With "const" behind it: a constant of the model
    i64{1,2,3}                    a constant of one axis, spelt out
    f32(0.5)                      a constant scalar
    -                             left out
An attribute's value is a Python literal. RESULTS is how many of the operator's results are asked for; 1 without it.
TOLERANCE replaces what the type of the result allows: relative to the greatest element; for integers absolute.
"""

import argparse
import ast
import ctypes
import fnmatch
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import timing

TYPES = {
    "f32": TensorProto.FLOAT, "f64": TensorProto.DOUBLE, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16,
    "i8": TensorProto.INT8, "i16": TensorProto.INT16, "i32": TensorProto.INT32, "i64": TensorProto.INT64,
    "u8": TensorProto.UINT8, "u16": TensorProto.UINT16, "u32": TensorProto.UINT32, "u64": TensorProto.UINT64,
    "bool": TensorProto.BOOL, "f8e4m3": TensorProto.FLOAT8E4M3FN, "f8e5m2": TensorProto.FLOAT8E5M2,
}
FLOATS = ("f32", "f64", "f16", "bf16", "f8e4m3", "f8e5m2")
# Relative to the greatest element of the result.
TOLERANCES = {"float64": 1e-6, "float32": 1e-4, "float16": 4e-3, "bfloat16": 2e-2, "float8_e4m3fn": 0.13, "float8_e5m2": 0.26}


def numpy_type(name):
    return helper.tensor_dtype_to_np_dtype(TYPES[name])


class Fill:
    """How an operand's elements are made; |shape| and |dtype| are the operand's."""

    def __init__(self, shape, dtype, seed):
        self.shape, self.dtype, self.rng = shape, dtype, np.random.default_rng(seed)

    def default(self):
        if self.dtype == "bool":
            return self.rng.random(self.shape) < 0.5
        if self.dtype in FLOATS:
            return self.uniform(-1, 1)
        info = np.iinfo(numpy_type(self.dtype))
        return self.rng.integers(max(info.min, -100), min(info.max, 255), self.shape, endpoint=True)

    def uniform(self, low, high):
        return self.rng.uniform(low, high, self.shape)

    def normal(self, deviation=1):
        return self.rng.standard_normal(self.shape) * deviation

    def below(self, limit):
        """Whole numbers from 0 on."""
        return self.rng.integers(0, limit, self.shape)

    def integers(self, low, high):
        return self.rng.integers(low, high, self.shape)

    def value(self, value):
        return np.full(self.shape, value)

    def distinct(self, limit):
        """Whole numbers below |limit|, none twice."""
        return self.rng.permutation(limit)[: int(np.prod(self.shape))].reshape(self.shape)

    def distinct_rows(self, limit):
        """The same along the last axis, each row for itself."""
        rows = int(np.prod(self.shape[:-1]))
        return np.stack([self.rng.permutation(limit)[: self.shape[-1]] for _ in range(rows)]).reshape(self.shape)

    def sparse(self, share):
        """So many elements are not 0."""
        return self.rng.standard_normal(self.shape) * (self.rng.random(self.shape) < share)

    def truths(self, share):
        return self.rng.random(self.shape) < share

    def boxes(self, size=1.0, most=0.3):
        """(y, x, y, x) corners in a square of |size|."""
        centre = self.rng.uniform(0, size, (*self.shape[:-1], 2))
        half = self.rng.uniform(0.01 * size, most * size / 2, (*self.shape[:-1], 2))
        return np.concatenate([centre - half, centre + half], -1)

    def grid(self, noise=0.02):
        """Where a smooth warp samples: the identity and a little noise, [N, ..., 2 or 3] from -1 to 1."""
        axes = [np.linspace(-1, 1, n) for n in self.shape[1:-1]]
        points = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], -1)
        return points[None] + self.rng.normal(0, noise, self.shape)

    def boxes5(self, size):
        """(picture, x, y, x, y), the picture always the first."""
        corner = self.rng.uniform(0, size * 0.7, (self.shape[0], 2))
        return np.concatenate([np.zeros((self.shape[0], 1)), corner, corner + self.rng.uniform(1, size * 0.3, corner.shape)], 1)

    def grid3(self, size):
        """(0, row, column) of every pixel, in order."""
        y, x = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
        return np.stack([np.zeros_like(y), y, x], -1)

    def scores(self):
        """What a detector says of background: few high, most low."""
        return self.rng.random(self.shape) ** 8

    def ties(self, levels):
        return self.rng.integers(0, levels, self.shape) / levels


def split_top(text):
    """Splits at commas that stand outside of brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()] if text.strip() else []


def literal(text):
    return ast.literal_eval({"inf": "1e999", "-inf": "-1e999"}.get(text, text))


def read_operand(text, seed):
    """(array in the operand's type, is a constant), or None when it is left out."""
    if text == "-":
        return None
    m = re.fullmatch(r"(\w+)([\[({])(.*?)[\])}]\s*(?:(\w+)\(([^)]*)\))?\s*(const)?", text)
    if not m or m[1] not in TYPES:
        raise ValueError(f"cannot read the operand '{text}'")
    dtype, numbers = m[1], [literal(n.strip()) for n in m[3].split(",") if n.strip()]
    if m[2] != "[":
        return np.array(numbers if m[2] == "{" else numbers[0]).astype(numpy_type(dtype)), True
    fill = Fill(tuple(numbers), dtype, seed)
    data = getattr(fill, m[4])(*[literal(a.strip()) for a in m[5].split(",") if a.strip()]) if m[4] else fill.default()
    return np.ascontiguousarray(np.asarray(data).astype(numpy_type(dtype)).reshape(numbers)), bool(m[6])


class Problem:
    def __init__(self, line):
        text, _, self.source = line.partition("#")
        m = re.fullmatch(r"(\S+)\s+(\d+)\s+(?:([\w.]+):)?(\w+)\(", text[: text.index("(") + 1])
        if not m:
            raise ValueError("expected NAME OPSET OPERATOR(")
        self.name, self.opset, self.domain, self.op = m[1], int(m[2]), m[3] or "", m[4]
        depth, end = 1, m.end()
        while depth:
            depth += (text[end] in "([{") - (text[end] in ")]}")
            end += 1
        self.operand_texts, rest = split_top(text[m.end(): end - 1]), text[end:]
        self.results = int((re.search(r"->\s*(\d+)", rest) or [0, 1])[1])
        tolerance = re.search(r"~(\S+)", rest)
        self.tolerance = float(tolerance[1]) if tolerance else None
        self.attributes = {k: ast.literal_eval(v) for k, v in re.findall(r"(\w+)=(\[[^\]]*\]|\"[^\"]*\"|[^\s~]+)", rest)}
        self.text = " ".join(f"{self.op}({', '.join(self.operand_texts)}){rest}".split())

    def shape(self):
        """In short, for the table: the first operand that is no constant."""
        first = next((t for t in self.operand_texts if "[" in t and "const" not in t), "")
        return re.sub(r"\].*", "]", first)

    def write(self, folder):
        """The model, and the inputs as arrays and as files."""
        names, self.inputs, constants = [], {}, []
        for i, text in enumerate(self.operand_texts):
            operand = read_operand(text, i)
            names.append("" if operand is None else f"x{i}")
            if operand is not None and operand[1]:
                constants.append(numpy_helper.from_array(operand[0], f"x{i}"))
            elif operand is not None:
                self.inputs[f"x{i}"] = operand[0]
        outputs = [f"y{i}" for i in range(self.results)]
        attributes = dict(self.attributes)
        for key in ("to", "dtype", "output_dtype", "output_datatype"):  # a type by its name
            if isinstance(attributes.get(key), str):
                attributes[key] = TYPES[attributes[key]]
        node = helper.make_node(self.op, names, outputs, domain=self.domain, **attributes)
        graph = helper.make_graph([node], self.name, [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in self.inputs.items()
        ], [helper.make_empty_tensor_value_info(o) for o in outputs], constants)
        opsets = [helper.make_opsetid("", self.opset)] + ([helper.make_opsetid(self.domain, 1)] if self.domain else [])
        self.path = Path(folder) / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), self.path)
        # .npy files have no float8: results of the copy that is compared are cast.
        del graph.output[:]
        for o in outputs:
            graph.node.append(helper.make_node("Cast", [o], [f"c{o}"], to=TensorProto.FLOAT))
            graph.output.append(helper.make_empty_tensor_value_info(f"c{o}"))
        self.cast_path = Path(folder) / "cast.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), self.cast_path)
        self.feeds = []
        for name, data in self.inputs.items():
            file = Path(folder) / f"{name}.pb"
            file.write_bytes(numpy_helper.from_array(data, name).SerializeToString())
            self.feeds += ["-i", f"{name}={file}"]


class Ort:
    """A session whose operands are bound, so that neither side copies its inputs."""

    def __init__(self, problem, threads):
        import onnxruntime

        self.session = timing.ort_session(problem.path, threads)
        self.binding = self.session.io_binding()
        for name, data in problem.inputs.items():
            kind = helper.np_dtype_to_tensor_dtype(data.dtype)
            view = data.view(f"u{data.dtype.itemsize}") if data.dtype.kind == "V" or kind >= TensorProto.BFLOAT16 else data
            value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(view, kind)
            self.binding.bind_ortvalue_input(name, value)
        for o in self.session.get_outputs():
            self.binding.bind_output(o.name, "cpu")
        self()
        self.outputs = [v for v in self.binding.get_outputs()]
        for o, v in zip(self.session.get_outputs(), self.outputs):
            if all(isinstance(d, int) for d in o.shape):  # its memory is used again by every run, as Pelton's is
                self.binding.bind_ortvalue_output(o.name, v)

    def __call__(self):
        self.session.run_with_iobinding(self.binding)

    def results(self):
        return [self.array(v) for v in self.outputs]

    @staticmethod
    def array(value):
        """As numpy has it; onnxruntime itself refuses the types that numpy knows through ml_dtypes."""
        kind = helper.tensor_dtype_to_np_dtype(value.element_type())
        if kind.kind != "V" and value.element_type() < TensorProto.BFLOAT16:
            return value.numpy()
        shape = tuple(value.shape())
        count = int(np.prod(shape)) * kind.itemsize
        memory = (ctypes.c_uint8 * count).from_address(value.data_ptr())
        return np.frombuffer(bytes(memory), kind).reshape(shape)


def compare(problem, ours, theirs):
    """None, or how the results differ."""
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a.dtype.kind == "V":  # bf16 as .npy has it
            a = a.view(b.dtype)
        elif b.dtype.name.startswith("float8"):
            b = b.astype(a.dtype)
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {i} is {a.dtype}{list(a.shape)}, onnxruntime's {b.dtype}{list(b.shape)}"
        if not a.size:
            continue
        name = theirs[i].dtype.name
        x, y = a.astype(np.float64), b.astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        greatest = np.max(np.abs(y[np.isfinite(y)]), initial=0)
        if name in TOLERANCES:
            allowed = (problem.tolerance or TOLERANCES[name]) * max(greatest, 1e-30)
        else:
            allowed = problem.tolerance or 0
        with np.errstate(invalid="ignore"):
            bad = ~(same | (np.abs(x - y) <= allowed))
        if bad.any():
            at = tuple(int(k) for k in np.argwhere(bad)[0])
            return f"{int(bad.sum())} elements of result {i} differ, the first at {list(at)}: {x[at]:g}, onnxruntime {y[at]:g}"
    return None


def tactics_of(report):
    """The steps' tactics, and the operators that the runtime itself runs."""
    names = [s["tactic"].replace("cpu.", "") for s in json.loads(Path(report).read_text()).get("plan", [])]
    return "+".join(dict.fromkeys(names)) or "runtime"


def measure(problem, a, folder):
    """A row of the table; timing.Failed when one side cannot run it, or they differ."""
    problem.write(folder)
    engine, report, out = (str(Path(folder) / n) for n in ("model.pelton", "report.json", "out"))
    try:
        ort = Ort(problem, a.threads)
    except Exception as e:  # onnxruntime's own types
        raise timing.Failed(f"onnxruntime: {str(e).splitlines()[0][:160]}") from e
    timing.build_engine(a.pelton, str(problem.path), engine, a.threads, a.level, ["--report", report])
    row = {"name": problem.name, "op": problem.op, "shape": problem.shape(), "problem": problem.text,
           "source": problem.source.strip(), "tactic": tactics_of(report)}
    theirs = ort.results()
    cast = "c" if any(t.dtype.name.startswith("float8") for t in theirs) else ""
    timing.pelton_call([a.pelton, "run", str(problem.cast_path) if cast else engine, *problem.feeds, "-o", out, "--threads", str(a.threads)])
    row["differs"] = compare(problem, [np.load(Path(out) / f"{cast}y{i}.npy") for i in range(problem.results)], theirs)
    ours, theirs = [], []
    options = ["--warmup", "20", *problem.feeds]
    for _ in range(a.rounds):
        ours.append(timing.time_pelton(a.pelton, engine, a.threads, a.seconds, options)["latency_ms"])
        theirs.append(timing.summary(timing.time_calls(ort, a.seconds, least=3)))
    for key, rounds in (("pelton", ours), ("ort", theirs)):
        row[f"{key}_min_ms"] = min(r["min"] for r in rounds)
        row[f"{key}_median_ms"] = sorted(r["median"] for r in rounds)[len(rounds) // 2]
    # Below some microseconds what is timed is the call, and onnxruntime's goes through Python.
    row["ratio"] = row["pelton_min_ms"] / row["ort_min_ms"]
    return row


def read_suite(path, only):
    problems = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            problem = Problem(line)
        except (ValueError, IndexError, SyntaxError) as e:
            sys.exit(f"{path}:{number}: {e}: {line}")
        if not only or any(fnmatch.fnmatch(problem.name, o) for o in only):
            problems.append(problem)
    return problems


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pelton", default="build/release/pelton")
    p.add_argument("--suite", default=str(Path(__file__).parent / "suites" / "operators.txt"))
    p.add_argument("--only", action="append", help="names of lines, with * and ?; again for more")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.1, help="of measuring, a round")
    p.add_argument("--level", default="1", help="of pelton build")
    p.add_argument("--max-ratio", type=float, help="fail when an operator takes so many times as long as onnxruntime's")
    p.add_argument("--json", help="write the rows there as well")
    p.add_argument("--names", action="store_true", help="only list the lines")
    a = p.parse_args()
    problems = read_suite(a.suite, a.only)
    if a.names:
        for problem in problems:
            print(f"{problem.name:32s} {problem.text}")
        return 0
    import onnxruntime

    print(f"onnxruntime {onnxruntime.__version__}, {a.threads} threads, {a.rounds} rounds of {a.seconds} s, milliseconds")
    print(f"{'name':32s} {'operator':20s} {'shape':26s} {'pelton':>9s} {'median':>9s} {'ort':>9s} {'median':>9s} "
          f"{'ratio':>6s}  tactic", flush=True)
    rows, bad = [], []
    for problem in problems:
        with tempfile.TemporaryDirectory() as folder:
            try:
                r = measure(problem, a, folder)
            except timing.Failed as reason:
                print(f"{problem.name:32s} {problem.op:20s} failed: {reason}", flush=True)
                bad.append(problem.name)
                continue
        rows.append(r)
        print(f"{r['name']:32s} {r['op']:20s} {r['shape']:26s} {r['pelton_min_ms']:9.4f} {r['pelton_median_ms']:9.4f} "
              f"{r['ort_min_ms']:9.4f} {r['ort_median_ms']:9.4f} {r['ratio']:6.2f}  {r['tactic']}", flush=True)
        if r["differs"]:
            print(f"    DIFFERS: {r['differs']}", flush=True)
        if r["differs"] or (a.max_ratio and r["ratio"] > a.max_ratio):
            bad.append(r["name"])
    if rows:
        mean = float(np.exp(np.mean([np.log(r["ratio"]) for r in rows])))
        print(f"{len(rows)} operators, geometric mean of the ratios {mean:.2f}, {sum(r['ratio'] > 1.5 for r in rows)} above 1.5")
    if a.json:
        Path(a.json).write_text(json.dumps(rows, indent=1) + "\n")
    if bad:
        print(f"not good: {' '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
