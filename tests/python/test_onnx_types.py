#!/usr/bin/env python3
"""The onnx package's own suites for shape inference, the checker and the version converter, against `pelton inspect`,
`pelton check` and `pelton run`.

The archive conformance/onnx-shape-checker-*.tar.zst holds every model that those suites handed to onnx, and what came
back (its README says how it was made). It is looked for under PELTON_SHARED (../shared); without it, or without the
onnx package, the test is skipped. Fails where fewer cases agree than did when the thresholds were set.

    test_onnx_types.py [--folder UNPACKED] [--list]
"""
import argparse
import csv
import json
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
    import onnx
    from onnx import TensorProto, helper
except ImportError as error:
    skip(f"{error}; ./run test makes an environment that has it")

PELTON = os.environ.get("PELTON_BIN", "build/release/pelton")
SHARED = Path(os.environ.get("PELTON_SHARED", "../shared"))

# Shares that must agree, in percent.
SHAPES, ACCEPTED, REJECTED, CONVERTED = 97, 97, 95, 97

DTYPES = {"f32": "FLOAT", "f64": "DOUBLE", "f16": "FLOAT16", "bf16": "BFLOAT16", "i8": "INT8", "u8": "UINT8",
          "i16": "INT16", "u16": "UINT16", "i32": "INT32", "u32": "UINT32", "i64": "INT64", "u64": "UINT64",
          "bool": "BOOL", "string": "STRING", "complex64": "COMPLEX64", "complex128": "COMPLEX128",
          "f8e4m3fn": "FLOAT8E4M3FN", "f8e4m3fnuz": "FLOAT8E4M3FNUZ", "f8e5m2": "FLOAT8E5M2",
          "f8e5m2fnuz": "FLOAT8E5M2FNUZ", "f8e8m0": "FLOAT8E8M0", "f4e2m1": "FLOAT4E2M1", "i4": "INT4",
          "u4": "UINT4", "i2": "INT2", "u2": "UINT2"}


def unpack(folder):
    archives = sorted((SHARED / "conformance").glob("onnx-shape-checker-*.tar.zst"))
    if not archives:
        skip(f"{SHARED}/conformance has no onnx-shape-checker archive")
    for archive in archives:
        subprocess.run(["tar", "--zstd", "-xf", str(archive), "-C", folder], check=True)
    return Path(folder)


def cases(folder):
    """Rows of every manifest.tsv; their folders are relative to it, whatever the archive's own root was."""
    for manifest in sorted(folder.rglob("manifest.tsv")):
        with open(manifest, newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                path = manifest.parent / row["folder"]
                if not path.exists():
                    path = manifest.parent / Path(*Path(row["folder"]).parts[1:])
                row["folder"] = path
                row["options"] = dict(o.split("=") for o in row["options"].split(",") if o)
                yield row


def pelton(command, files):
    """One JSON value for each of |files|, in few processes."""
    answers = []
    for i in range(0, len(files), 400):
        part = [str(f) for f in files[i:i + 400]]
        done = subprocess.run([PELTON, command, *part, "--json"], capture_output=True, text=True)
        if done.returncode not in (0, 3, 4):
            raise SystemExit(f"pelton {command}: exit {done.returncode}\n{done.stderr[-2000:]}")
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise SystemExit(f"pelton {command}: {error}\n{done.stdout[-500:]}")
        answers += answer if len(part) > 1 or command == "check" else [{"exit_code": done.returncode, "holds": answer}]
    return answers


# ---- shapes ----------------------------------------------------------------------------------------------------

def differs(want, got):
    """"" when the TypeProto |want| says what Pelton's |got| does, "more" when Pelton knows more, else the difference."""
    kind = want.WhichOneof("value")
    if kind is None:
        return "more" if got.get("type") else ""
    name = {"tensor_type": "tensor", "sequence_type": "sequence", "optional_type": "optional",
            "sparse_tensor_type": "sparse tensor", "map_type": "map"}[kind]
    if got.get("type") != name:
        return f"{name}, not {got.get('type')}"
    if kind in ("sequence_type", "optional_type"):
        inner = getattr(want, kind).elem_type
        if got["element"] is None:
            return "no element type" if inner.WhichOneof("value") else ""
        return differs(inner, got["element"])
    if kind == "map_type":
        return ""
    tensor = getattr(want, kind)
    more = ""
    if tensor.elem_type:
        elem = TensorProto.DataType.Name(tensor.elem_type)
        if DTYPES.get(got["dtype"]) != elem:
            return f"elements {elem}, not {got['dtype']}"
    elif got["dtype"]:
        more = "more"
    if not tensor.HasField("shape"):
        return "more" if got["shape"] is not None else more
    if got["shape"] is None or len(got["shape"]) != len(tensor.shape.dim):
        return f"shape of {len(tensor.shape.dim)} dims, not {got['shape']}"
    for i, (w, g) in enumerate(zip(tensor.shape.dim, got["shape"])):
        if w.WhichOneof("value") == "dim_value":
            if g != w.dim_value:
                return f"dim {i} {w.dim_value}, not {g}"
        elif w.WhichOneof("value") == "dim_param" and w.dim_param and not w.dim_param.startswith("unk__"):
            if isinstance(g, int):
                more = "more"
            elif g != w.dim_param:
                return f"dim {i} {w.dim_param}, not {g}"
        elif g is not None:
            more = "more"
    return more


def compare_types(path, holds):
    inferred = onnx.load(path / "inferred.onnx", load_external_data=False)
    got = {v["name"]: v for v in holds["values"]}
    more = ""
    for info in [*inferred.graph.value_info, *inferred.graph.output]:
        if info.name not in got:
            return f"no value {info.name}"
        difference = differs(info.type, got[info.name])
        if difference == "more":
            more = "more"
        elif difference:
            return f"{info.name}: {difference}"
    return more


def test_shapes(rows, tally):
    answers = pelton("inspect", [r["folder"] / "model.onnx" for r in rows])
    more = 0
    for row, answer in zip(rows, answers):
        inferred = (row["folder"] / "inferred.onnx").exists()
        if not answer["holds"]:
            tally.add("shape", not inferred, row, "refused")
        elif not inferred:
            tally.add("shape", False, row, "must be refused")
        else:
            difference = compare_types(row["folder"], answer["holds"])
            more += difference == "more"
            if difference == "more" and tally.listing:
                print(f"  shape, more known: {row['case']}")
            tally.add("shape", difference in ("", "more"), row, difference)
    tally.note("shape", f"{more} of them with more known than onnx says")


# ---- the checker -----------------------------------------------------------------------------------------------

def wrapped(row, folder):
    """A bare NodeProto, GraphProto or TensorProto as a model that is right otherwise."""
    kind = row["kind"].partition("-")[2]
    if not kind:
        return row["folder"] / "model.onnx"
    proto = {"node": onnx.NodeProto, "graph": onnx.GraphProto, "tensor": onnx.TensorProto}[kind]()
    proto.ParseFromString((row["folder"] / f"{kind}.pb").read_bytes())
    ir_version = 3 if "ir_version_3" in row["case"] else 8
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 2])
    if kind == "graph":
        graph = proto
    elif kind == "node":
        names = [n for n in proto.input if n and n != "X"]
        inputs = [x] + [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in names]
        graph = helper.make_graph([proto], "wrapped", inputs, [])
    else:
        if not proto.name:
            proto.name = "tensor"
        graph = helper.make_graph([helper.make_node("Relu", ["X"], ["Y"])], "wrapped", [x],
                                  [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 2])], [proto])
    model = onnx.ModelProto(ir_version=ir_version, graph=graph)
    model.opset_import.add(domain="", version=16)
    path = Path(folder) / f"{row['case']}.{kind}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_checker(rows, tally):
    with tempfile.TemporaryDirectory() as folder:
        answers = pelton("check", [wrapped(r, folder) for r in rows])
    for row, answer in zip(rows, answers):
        reason = "; ".join(answer["reasons"])
        if row["expected"] == "accept":
            tally.add("checker accept", answer["valid"], row, reason)
        else:
            tally.add("checker reject", not answer["valid"] and reason, row, "accepted")


# ---- converted models ------------------------------------------------------------------------------------------

def inputs_of(model):
    """Seeded tensors for the inputs that have no initializer; None when one is no dense tensor of numbers."""
    rng = np.random.default_rng(7)
    given = {i.name for i in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        if value.name in given:
            continue
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or tensor.elem_type in (0, TensorProto.STRING):
            return None
        shape = [d.dim_value or 2 for d in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        feed[value.name] = (rng.random(shape) * 2).astype(dtype)
    return feed


def run(model, feed, folder, name):
    target = Path(folder) / name
    command = [PELTON, "run", str(model), "--output-dir", str(target), "--level", "0"]
    for key, value in feed.items():
        path = Path(folder) / ("in_" + "".join(c if c.isalnum() or c in "._-" else "_" for c in key) + ".npy")
        np.save(path, value)
        command += ["--input", f"{key}={path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.returncode, done.stderr.strip()
    return 0, {p.name: np.load(p) for p in target.glob("*.npy")}


def alike_arrays(a, b):
    numbers = a.dtype.kind in "fiub" and b.dtype.kind in "fiub"
    return a.shape == b.shape and (np.allclose(a, b, 1e-4, 1e-5, equal_nan=True) if numbers else bool((a == b).all()))


def test_converted(rows, tally):
    alike = ran = 0
    for row in rows:
        paths = [row["folder"] / "model.onnx", row["folder"] / "converted.onnx"]
        if not paths[1].exists():
            continue
        model = onnx.load(paths[0], load_external_data=False)
        feed = inputs_of(model)
        with tempfile.TemporaryDirectory() as folder:
            results = [run(p, feed or {}, folder, p.stem) for p in paths]
        codes = [code for code, _ in results]
        if codes == [0, 0]:
            ran += 1
            a, b = (outputs for _, outputs in results)
            same = a.keys() == b.keys() and all(alike_arrays(a[k], b[k]) for k in a)
            alike += same
            tally.add("convert", same, row, "the results differ")
        else:
            # Ill-formed in both versions (the suite's models need not fit together), or an operator that Pelton lacks.
            reason = next(out for code, out in results if code)
            tally.add("convert", codes[0] == codes[1], row, f"exit codes {codes}: {reason}")
    tally.note("convert", f"{ran} ran in both versions, {alike} with equal results")


class Tally:
    def __init__(self, listing):
        self.listing = listing
        self.counts, self.notes = {}, {}

    def add(self, kind, ok, row, detail):
        passed, total = self.counts.get(kind, (0, 0))
        self.counts[kind] = (passed + bool(ok), total + 1)
        if not ok and self.listing:
            print(f"  {kind}: {row['case']}: {detail}"[:400])

    def note(self, kind, text):
        self.notes[kind] = text

    def end(self):
        bad = 0
        for kind, least in (("shape", SHAPES), ("checker accept", ACCEPTED), ("checker reject", REJECTED),
                            ("convert", CONVERTED)):
            passed, total = self.counts.get(kind, (0, 0))
            share = 100 * passed / total if total else 100
            bad += share < least
            note = f"; {self.notes[kind]}" if kind in self.notes else ""
            print(f"{'ok     ' if share >= least else 'FAILED '} {kind}: {passed} of {total}, {share:.1f} %{note}")
        sys.exit(1 if bad else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", help="the archive, unpacked already")
    parser.add_argument("--list", action="store_true", help="each case that does not agree")
    options = parser.parse_args()
    tally = Tally(options.list)
    with tempfile.TemporaryDirectory() as temporary:
        rows = list(cases(Path(options.folder) if options.folder else unpack(temporary)))
        test_shapes([r for r in rows if r["kind"] == "shape"], tally)
        test_checker([r for r in rows if r["kind"].startswith("checker")], tally)
        test_converted([r for r in rows if r["kind"] == "convert"], tally)
    tally.end()


if __name__ == "__main__":
    main()
