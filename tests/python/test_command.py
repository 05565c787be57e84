#!/usr/bin/env python3
"""The command's contract, from outside: exit codes, what goes to stdout, files in and out. Standard library only.

PELTON_BIN names the command; without it the test is skipped.
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ.get("PELTON_BIN", "")

ADD = """graph "add"(%x: f32[n,3], %b: f32[3]) -> (%y)
  %y: f32[n,3] = pointwise(%x, %b) expr="add(x0,x1)"
end
"""
SQUARE = """graph "square"(%x: f32[2,2]) -> (%y)
  %y: f32[2,2] = pointwise(%x) expr="mul(x0,x0)"
end
"""
HOST = """graph host(%x: f32[2], %c: bool[]) -> (%t, %y)
  %a = pointwise(%x) expr="neg(x0)"
  %t = to_text(%a)
  %y = if(%c, %a) then_graph={ graph t(%p: f32[2]) -> (%u)
      %u = to_text(%p)
    end } else_graph={ graph e(%q: f32[2]) -> (%v)
      %r = pointwise(%q) expr="abs(x0)"
      %v = to_text(%r)
    end }
end
"""
PRODUCT = """graph "product"(%x: f16[64,64]) -> (%y)
  %y: f16[64,64] = matmul(%x, %x)
end
"""
IMAGE = """graph "image"(%data: f32[1,3,2,2]) -> (%y)
  %y: f32[1,3,2,2] = pointwise(%data) expr="neg(x0)"
end
"""


def pelton(*arguments, **options):
    return subprocess.run([BIN, *arguments], capture_output=True, text=True, errors="replace", timeout=120, **options)


def npy(descr, shape, data, order="False", version=1):
    header = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    start = 10 if version == 1 else 12
    header += " " * (63 - (start + len(header)) % 64) + "\n"
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<H", data[8:10])[0]
    return data[10:10 + size].decode(), data[10 + size:]


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    """A varint for an int, else bytes."""
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor_pb(dims, data_type, number, data, name=""):
    """|number| is the field of the elements: 9 raw_data, 4 float_data, 5 int32_data, 7 int64_data, ..."""
    out = b"".join(field(1, d) for d in dims) + field(2, data_type) + field(number, data)
    return out + (field(8, name.encode()) if name else b"")


class Folder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)

    def path(self, *names):
        return os.path.join(self.temporary.name, *names)

    def write(self, name, data):
        path = self.path(*name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return path

    def check(self, code, *arguments, error=None):
        result = pelton(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        if error:
            self.assertIn("pelton: error: ", result.stderr)
            self.assertIn(error, result.stderr)
        return result


class Usage(Folder):
    COMMANDS = ("build", "run", "bench", "compare", "test", "inspect", "check", "ops", "classify")

    def test_bad_usage_is_2(self):
        self.check(2)
        self.check(2, "bulid", error="did you mean 'build'?")
        self.check(2, "run")
        self.check(2, "run", "m", "--repaet", "3", error="did you mean --repeat?")
        self.check(2, "run", "m", "-z", error="-z")
        self.check(2, "run", "m", "--repeat", error="wants a value")
        self.check(2, "run", "m", "--repeat", "many", error="'many'")
        self.check(2, "run", "m", "--repeat=0", error="from 1")
        self.check(2, "run", "m", "--json=yes", error="no value")
        self.check(2, "run", "m", "--shapes", "x:1x", error="NAME:")
        self.check(2, "run", "m", "--shapes", "1x3", error="NAME:")
        self.check(2, "build", "m", error="-o ENGINE")
        self.check(2, "build", "m", "-o", "e", "--level", "6", error="0 to 5")
        self.check(2, "build", "m", "-o", "e", "--precision", "fp12", error="fp12")
        for precision in ("fp16,", ",fp16", "fp16,,bf16"):
            self.check(2, "build", "m", "-o", "e", "--precision", precision, error="'' is no precision")
        self.check(2, "build", "m", "-o", "e", "--precision", "best,fp16", error="best stands by itself")
        self.check(2, "build", "m", "-o", "e", "--min-shapes", "x:1", "--max-shapes", "x:1x2", error="ranks")
        self.check(2, "bench", "m", "--duration", "3 weeks", error="a time")
        self.check(2, "compare", "a")
        self.check(2, "compare", "a", "b", "c", error="'c'")
        self.check(2, "classify", "m", "i", "--crop", "224", error="224x224")
        self.check(2, "classify", "m", "i", "--mean", "1,2", error="three")
        self.check(2, "classify", "m", "i", "--std", "0", error="--std")
        self.check(2, "ops", "no_such_operator", error="no_such_operator")

    def test_help_is_a_result(self):
        overview = self.check(0, "help").stdout
        for name in self.COMMANDS:
            self.assertIn("\n  " + name, overview)
            text = self.check(0, name, "--help").stdout
            self.assertIn("usage: pelton " + name, text)
            self.assertEqual(text, self.check(0, "help", name).stdout)
            self.assertEqual(text, self.check(0, name, "-h").stdout)
        self.assertRegex(self.check(0, "version").stdout, r"^pelton \d+\.\d+\.\d+\n$")

    def test_no_model_is_3(self):
        no = self.write("no.model", "these are words, not a network\n")
        for path in (self.path("missing"), no, self.write("empty", b""), self.temporary.name):
            self.check(3, "run", path, error=path)
            self.check(3, "build", path, "-o", self.path("e"), error=path)
            self.check(3, "inspect", path, error=path)
            self.check(3, "bench", path, error=path)
        self.assertFalse(os.path.exists(self.path("e")))
        self.check(3, "run", self.write("broken.pelton", b"PELTON\x1a\n" + bytes(100)), error="broken.pelton")
        self.check(3, "test", self.path("missing"), error="missing")
        self.check(3, "test", self.temporary.name, error="no case")

    def test_unsupported_is_4(self):
        self.check(4, "run", self.write("m.pir", SQUARE), "--target", "abacus", error="abacus")

    def test_a_full_stdout_is_told(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "w", encoding="ascii") as full:
            code = subprocess.run([BIN, "ops"], stdout=full, stderr=subprocess.PIPE, check=False).returncode
        self.assertEqual(code, 5)


class Work(Folder):
    def test_run_gives_what_the_files_say(self):
        model = self.write("add.pir", ADD)
        x = self.write("x.npy", npy("<f4", "(2, 3)", floats(1, 2, 3, 4, 5, 6)))
        b = self.write("b.pb", tensor_pb([3], 1, 9, floats(10, 20, 30)))
        out = self.path("deep", "out")
        result = self.check(0, "run", model, "--input", "x=" + x, "--input", "b=" + b, "--output-dir", out)
        self.assertRegex(result.stdout, r"^y +f32 +2x3 +min 11 max 36 mean 23.5\n$")
        header, data = read_npy(os.path.join(out, "y.npy"))
        self.assertIn("'descr': '<f4'", header)
        self.assertIn("'shape': (2, 3)", header)
        self.assertEqual(data, floats(11, 22, 33, 14, 25, 36))

    def test_forms_of_npy(self):
        model = self.write("s.pir", SQUARE)
        wanted = floats(1, 4, 9, 16)
        forms = [
            npy("<f4", "(2, 2)", floats(1, 3, 2, 4), order="True"),
            npy(">f4", "(2, 2)", struct.pack(">4f", 1, 2, 3, 4)),
            npy("<f8", "(2, 2)", struct.pack("<4d", 1, 2, 3, 4)),
            npy("<f2", "(2, 2)", struct.pack("<4e", 1, 2, 3, 4)),
            npy("|V2", "(2, 2)", struct.pack("<4H", 0x3f80, 0x4000, 0x4040, 0x4080)),
            npy("<i8", "(2, 2)", struct.pack("<4q", 1, 2, 3, 4)),
            npy("|u1", "(2, 2)", bytes([1, 2, 3, 4]), version=2),
        ]
        for form in forms:
            self.check(0, "run", model, "-i", "x=" + self.write("x.npy", form), "-o", self.path("out"))
            self.assertEqual(read_npy(self.path("out", "y.npy"))[1], wanted, form[:80])
        broken = [b"", b"\x93NUMPY", npy("<f4", "(2, 2)", floats(1, 2, 3)), npy("<c8", "(2, 2)", bytes(32)),
                  npy("<f4", "(99999999999, 99999999999)", b""), npy("<f4", "(-1, 2)", floats(1, 2)),
                  npy("<f4", "(2, 2)", floats(1, 2, 3, 4))[:20]]
        for form in broken:
            self.check(3, "run", model, "-i", "x=" + self.write("x.npy", form), error="x.npy")

    def test_inputs_that_do_not_fit(self):
        model = self.write("s.pir", SQUARE)
        self.check(2, "run", model, "-i", "z=x.npy", error="no input 'z'")
        self.check(2, "run", model, "-i", "x.npy", error="NAME=FILE")
        self.check(0, "build", model, "-o", self.path("e"))
        self.check(2, "run", self.path("e"), "--shapes", "z:2x2", error="no input 'z'")
        self.check(3, "run", model, "-i", "x=" + self.path("none.npy"), error="none.npy")
        self.check(2, "run", model, "-i", "x=" + self.write("x.npy", npy("<f4", "(3,)", floats(1, 2, 3))), error="rank")

    def test_random_inputs_are_seeded(self):
        model = self.write("add.pir", ADD)
        runs = [self.check(0, "run", model, "--shapes", "x:4x3", "--seed", seed, "--json").stdout for seed in "112"]
        first, again, other = (json.loads(run)["outputs"][0] for run in runs)
        self.assertEqual(first, again)
        self.assertNotEqual(first["mean"], other["mean"])
        self.assertEqual(first["shape"], [4, 3])

    def test_build_then_run(self):
        model, engine, report, page = self.write("add.pir", ADD), self.path("e.pelton"), self.path("r.json"), self.path("r.html")
        made = json.loads(self.check(0, "build", model, "-o", engine, "--shapes", "x:5x3", "--report", report, "--json").stdout)
        self.assertEqual(made["engine_bytes"], os.path.getsize(engine))
        self.assertGreaterEqual(made["steps"], 1)
        with open(report, encoding="utf-8") as file:
            self.assertEqual(len(json.load(file)["plan"]), made["steps"])
        text = self.check(0, "build", model, "-o", engine, "--report", page).stdout
        self.assertIn(engine, text)
        with open(page, encoding="utf-8") as file:
            self.assertIn("<h2>Steps</h2>", file.read())
        self.check(2, "build", engine, "-o", self.path("f"), error="engine already")
        self.check(0, "run", engine, "--shapes", "x:7x3")
        self.assertIn("pointwise", self.check(0, "inspect", engine).stdout)
        for path in (engine, model):
            self.assertEqual(json.loads(self.check(0, "inspect", path, "--json").stdout)["inputs"][0]["name"], "x")
        self.check(0, "compare", engine, model, "--shapes", "x:7x3")

    def test_a_spent_budget_is_told(self):
        model, report = self.write("s.pir", PRODUCT), self.path("r.json")
        spent = r"the budget of 1e-06 s was spent: 0 of [1-9]\d* measurements made, what was not timed is chosen by estimate"
        result = self.check(0, "build", model, "-o", self.path("e"), "--level", "3", "--budget", "0.001ms", "--report", report)
        self.assertRegex(result.stderr, "pelton: note: " + spent)
        with open(report, encoding="utf-8") as file:
            self.assertRegex(json.load(file)["budget"], spent)
        result = self.check(0, "build", model, "-o", self.path("e"), "--level", "3", "--budget", "60s", "--report", report)
        self.assertEqual(result.stderr, "")
        with open(report, encoding="utf-8") as file:
            self.assertNotIn("budget", json.load(file))

    def test_what_model_files_hold(self):
        add, words = self.write("add.pir", ADD), self.write("words", "no model")
        held = json.loads(self.check(0, "inspect", add, "--json").stdout)
        self.assertEqual([held["format"], held["refused"]], ["pelton text", []])
        self.assertIn({"name": "x", "type": "tensor", "dtype": "f32", "shape": ["n", 3]}, held["values"])
        two = json.loads(self.check(3, "inspect", add, words, "--json", error="words").stdout)
        self.assertEqual([(t["file"], t["exit_code"]) for t in two], [(add, 0), (words, 3)])
        self.assertEqual([two[0]["holds"]["values"], two[1]["holds"]], [held["values"], None])
        self.assertIn("# file     " + add, self.check(0, "inspect", add, add).stdout)
        self.assertEqual(self.check(0, "check", add).stdout, f"{add}: valid\n")
        mistakes = os.path.join("tests", "import", "refused", "mistakes.onnx")
        told = json.loads(self.check(3, "check", add, mistakes, "--json", error="has no type").stdout)
        self.assertEqual([t["valid"] for t in told], [True, False])
        self.assertGreater(len(told[1]["reasons"]), 10)

    def test_the_page_of_the_command_is_whole(self):
        with open("docs/command.md", encoding="utf-8") as file:
            common, *sections = re.split(r"^## (?=[a-z])", file.read(), flags=re.M)
        pages = {section.split("\n", 1)[0]: section for section in sections}
        listed = re.findall(r"^  ([a-z]+) ", self.check(0, "--help").stdout, re.M)
        self.assertEqual(set(pages), set(listed) - {"help", "version"})
        said = lambda text: set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)) - {"--help", "-h"}
        for command, page in pages.items():
            has = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", self.check(0, command, "--help").stdout, re.M)) - {"--help"}
            self.assertEqual(has - said(page) - said(common), set(), command)
            self.assertEqual({option for option in said(page) if option.startswith("--")} - has, set(), command)

    def test_bench_keys(self):
        model = self.write("s.pir", SQUARE)
        result = self.check(0, "bench", model, "--warmup", "1", "--duration", "50ms", "--streams", "2", "--threads", "1", "--json")
        value = json.loads(result.stdout)
        self.assertEqual(list(value), ["model", "target", "precision", "threads", "streams", "batch", "runs", "latency_ms", "throughput_per_s",
                                       "build_s", "load_ms", "engine_bytes", "peak_rss_bytes", "device_bytes"])
        self.assertEqual(list(value["latency_ms"]), ["min", "median", "mean", "p90", "p99", "max"])
        times = [value["latency_ms"][k] for k in ("min", "median", "p90", "p99", "max")]
        self.assertEqual(times, sorted(times))
        self.assertEqual((value["streams"], value["threads"], value["batch"]), (2, 1, 2))
        self.assertTrue(value["runs"] > 0 and value["throughput_per_s"] > 0 and value["engine_bytes"] > 0 and value["peak_rss_bytes"] > 0)
        layers = json.loads(self.check(0, "bench", model, "--duration", "10ms", "--layers", "--json").stdout)["layers"]
        self.assertEqual([set(layer) >= {"step", "tactic", "us"} for layer in layers], [True])
        self.assertTrue(layers[0]["limit_us"] > 0 and layers[0]["percent_of_limit"] > 0)

    def test_layers_know_the_limit_of_their_type(self):
        folder = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
        if not os.path.exists(os.path.join(folder, "libcuda.so.1")):
            self.skipTest("the fake driver is not built")
        model = self.write("t.pir", PRODUCT)
        options = ["--target", "cuda", "--device-libraries", folder, "--level", "0", "--duration", "1ms", "--layers", "--json"]
        layers = json.loads(self.check(0, "bench", model, *options).stdout)["layers"]
        self.assertEqual([(layer["type"], layer["limit_us"] > 0) for layer in layers if layer["flops"] > 0], [("f16", True)])

    def test_what_the_host_runs_is_named(self):
        folder = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
        if not os.path.exists(os.path.join(folder, "libcuda.so.1")):
            self.skipTest("the fake driver is not built")
        options = ["--target", "cuda", "--device-libraries", folder]
        model, engine, report, page = self.write("host.pir", HOST), self.path("h.pelton"), self.path("h.json"), self.path("h.html")
        built = self.check(0, "build", model, "-o", engine, *options, "--level", "0", "--report", report, "--json")
        self.assertEqual((json.loads(built.stdout)["host_nodes"], json.loads(built.stdout)["fallbacks"]), (4, 0))
        with open(report, encoding="utf-8") as file:
            said = json.load(file)
        self.assertEqual([(n["node"], n["op"], n.get("inside"), n["fallback"]) for n in said["host"]],
                         [("t", "to_text", None, False), ("y", "if", None, False), ("u", "to_text", "y", False),
                          ("v", "to_text", "y", False)])
        self.assertTrue(all(n["reason"] for n in said["host"]))
        self.assertEqual([(n["node"], n["waits_for"]) for n in said["planned_later"]], [("r", "y")])
        self.assertEqual([step["step"] for step in said["plan"]], ["a"])
        text = self.check(0, "build", model, "-o", engine, *options, "--level", "0", "--report", page).stderr
        self.assertIn("the host runs 'y' (if): control flow", text)
        self.assertIn("planned when a run knows their sizes: 1 nodes, of which 'r' (pointwise) waits for y", text)
        with open(page, encoding="utf-8") as file:
            self.assertIn("<h2>Run by the host</h2>", file.read())
        self.assertEqual(json.loads(self.check(0, "inspect", engine, "--json").stdout)["host_nodes"], 4)
        self.assertIn("# host     to_text 't': texts", self.check(0, "inspect", engine).stdout)
        self.check(4, "inspect", engine, *options, error="node 't' (to_text) is run by the host (texts")
        layers = json.loads(self.check(0, "bench", engine, *options, "-i", "c=" + self.write("c.npy", npy("|b1", "()", b"\1")), "--duration", "1ms",
                                       "--layers", "--json").stdout)["layers"]
        self.assertEqual([(layer["step"], layer["problem"]) for layer in layers if layer["tactic"] == "host"],
                         [("t", "to_text"), ("u", "to_text"), ("y", "if")])

    def test_bench_serves(self):
        model = self.write("s.pir", SQUARE)
        options = ["--warmup", "1", "--duration", "100ms", "--concurrency", "1,3", "--contexts", "2", "--pinned"]
        value = json.loads(self.check(0, "bench", model, *options, "--json").stdout)
        self.assertEqual(list(value), ["model", "target", "precision", "batch", "ready_s", "serving", "server"])
        self.assertEqual([r["concurrency"] for r in value["serving"]], [1, 3])
        for r in value["serving"]:
            self.assertTrue(0 < r["answered"] == r["submitted"] == r["by_device"]["0"] and r["throughput_per_s"] > 0)
            self.assertEqual((r["failed"], r["different"]), (0, 0))
            self.assertLessEqual(r["latency_ms"]["p50"], r["latency_ms"]["p99"])
        self.assertEqual([d["state"] for d in value["server"]["devices"]], ["serving"])
        self.check(2, "bench", model, "--concurrency", "1,x", error="'x' is no number of requests")
        self.assertEqual(value["server"]["unfinished"], 0)
        self.check(2, "bench", model, "--devices", "0,1", error="there is no device 1")
        self.assertIn("submitted", self.check(0, "bench", model, *options).stdout)

    def test_devices_say_which_libraries_are_missing(self):
        built = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
        if not os.path.isdir(built):
            self.skipTest("the fake driver is not built")

        def folder(name, links, broken=()):
            path = self.path(name)
            os.mkdir(path)
            for link, to in links.items():
                os.symlink(os.path.join(built, to), os.path.join(path, link))
            for file in broken:
                with open(os.path.join(path, file), "w") as out:
                    out.write("no library")
            return path

        driver, nvrtc = {"libcuda.so.1": "libcuda.so.1"}, {"libnvrtc.so.13": "libnvrtc.so.13"}

        def devices(folders):
            entries = json.loads(self.check(0, "devices", "--json", "--device-libraries", folders).stdout)
            return [entry for entry in entries if entry["target"] == "cuda"][0]

        empty, none = folder("empty", {}), folder("none", {}, ["libcuda.so.1"])
        reason = devices(none)["reason"]
        self.assertIn("found %s/libcuda.so.1, which does not load: " % none, reason)
        self.assertIn("--device-libraries", reason)
        old = folder("oldest", {"libcuda.so.1": "libnvrtc.so.13"})
        self.assertIn("the NVIDIA driver is too old: %s/libcuda.so.1 has no cuInit" % old, devices(old)["reason"])

        alone = folder("alone", driver)
        entry = devices(empty + ":" + alone)
        self.assertTrue(entry["usable"])
        self.assertIn("for want of NVRTC", entry["detail"])
        self.assertEqual([(r["name"], r["usable"]) for r in entry["libraries"]],
                         [("NVRTC", False), ("cuBLASLt", False), ("cuDNN", False)])
        self.assertIn("no libnvrtc.so.13, libnvrtc.so.12 or libnvrtc.so in the folders of --device-libraries (%s:%s)" %
                      (empty, alone), entry["libraries"][0]["reason"])
        model = self.write("s.pir", SQUARE)
        self.check(5, "run", model, "--target", "cuda", "--device-libraries", alone, error="(%s)" % alone)

        some = folder("some", {**driver, **nvrtc, "libcudnn.so.9": "libcuda.so.1"}, ["libcublasLt.so.13"])
        libraries = devices(some)["libraries"]
        self.assertEqual(libraries[0], {"name": "NVRTC", "usable": True, "version": "13.0"})
        self.assertIn("found %s/libcublasLt.so.13, which does not load: " % some, libraries[1]["reason"])
        self.assertIn("cuDNN is too old: %s/libcudnn.so.9 has no cudnn" % some, libraries[2]["reason"])
        text = self.check(0, "devices", "--device-libraries", some).stdout
        self.assertIn("with NVRTC 13.0", text)
        for library in libraries[1:]:
            self.assertIn(library["reason"], text)
        product, report = self.write("p.pir", PRODUCT), self.path("report.json")
        self.check(0, "build", product, "-o", self.path("p.pelton"), "--target", "cuda", "--device-libraries", some,
                   "--report", report)
        with open(report) as file: # the same words where a tactic is refused
            self.assertIn(json.dumps(libraries[1]["reason"])[1:-1].replace("\\/", "/"), file.read())

    def test_bench_loses_a_device(self):
        folder = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
        if not os.path.isdir(folder):
            self.skipTest("the fake driver is not built")
        model = self.write("s.pir", SQUARE)
        options = ["bench", model, "--target", "cuda", "--device-libraries", folder, "--devices", "all", "--concurrency", "8",
                   "--warmup", "1", "--duration", "300ms", "--level", "0", "--lose-device", "1:reset", "--json"]
        for retries in 0, 1:
            result = pelton(*options, "--retries", str(retries), env={**os.environ, "PELTON_FAKE_CUDA_DEVICES": "3"})
            self.assertEqual(result.returncode, 0, result.stderr)
            value = json.loads(result.stdout)
            (r,) = value["serving"]
            self.assertEqual(r["submitted"], r["answered"] + r["failed"])
            self.assertEqual(r["different"], 0)
            self.assertLessEqual(r["failed"], 0 if retries else 4)
            if r["failed"]:
                self.assertIn("cuda device 1 is lost", r["reason"])
            self.assertEqual([d["state"] for d in value["server"]["devices"]], ["serving", "lost", "serving"])

    def test_cuda_takes_products_of_many_rows(self):
        """More tiles than a grid has blocks along y. The imagined device looks at launches and runs nothing."""
        folder = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
        if not os.path.isdir(folder):
            self.skipTest("the fake driver is not built")
        model = self.write("rows.pir", "graph g(%x: f32[4194305,1]) -> (%y)\n  %w: f32[1,1] = const random(1)\n"
                                       "  %y = matmul(%x, %w)\nend\n")
        result = pelton("bench", model, "--target", "cuda", "--device-libraries", folder, "--level", "0", "--runs", "1",
                        "--warmup", "1", "--duration", "100ms", "--layers", "--json",
                        env={**os.environ, "PELTON_FAKE_CUDA_IMAGINE": "90"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("cuda.gemm", result.stdout)

    def test_compare(self):
        model = self.write("s.pir", SQUARE)
        wrong = self.write("w.pir", SQUARE.replace("mul(x0,x0)", "add(x0,x0)"))
        near = self.write("n.pir", SQUARE.replace("mul(x0,x0)", "mul(mul(x0,x0),1.0001:f32)"))
        self.check(1, "compare", model, wrong)
        self.check(0, "compare", model, near)
        value = json.loads(self.check(1, "compare", model, near, "--rtol", "1e-6", "--atol", "0", "--json").stdout)
        self.assertEqual([entry["ok"] for entry in value], [False])
        self.assertTrue(0.9e-4 < value[0]["max_rel"] < 1.1e-4 and value[0]["cosine"] > 0.9999 and 75 < value[0]["sqnr_db"] < 85)
        self.check(0, "run", model, "-o", self.path("out"))
        self.check(0, "compare", model, self.path("out"))
        self.check(0, "compare", self.path("out"), model)
        self.check(1, "compare", self.path("out"), wrong)
        self.check(0, "compare", self.path("out"), self.path("out"))

    def test_compare_does_not_measure_what_is_not_a_number(self):
        model, other = self.path("a"), self.path("b")
        self.write("a/y.npy", npy("<f4", "(4,)", floats(1, 2, 3, 4)))
        self.write("b/y.npy", npy("<f4", "(4,)", floats(1, 2, float("nan"), 4)))
        result = self.check(1, "compare", model, other)
        self.assertIn("max abs nan  max rel nan  cosine nan  SQNR nan dB  FAILED: 1 of 4 elements out of tolerance, first at [2]", result.stdout)
        (value,) = json.loads(self.check(1, "compare", model, other, "--json").stdout)
        self.assertEqual([value[k] for k in ("max_abs", "max_rel", "cosine", "sqnr_db")], [None] * 4)
        self.check(0, "compare", other, other)

    def test_samples_say_what_is_wrong(self):
        model, add = self.write("s.pir", SQUARE), self.write("add.pir", ADD)
        build = lambda code, model, *options: self.check(code, "build", model, "-o", self.path("e"), "--precision", "fp16", *options).stderr
        sample = self.write("x.npy", npy("<f4", "(3, 2)", floats(1, 2, 3, 4, 5, 6)))
        told = build(2, model, "--samples", sample)
        self.assertEqual(told, f"pelton: error: sample {sample}: input 'x' has shape 3x2 there, the engine is planned for 2x2\n")
        self.write("two/x.npy", npy("<f4", "(2, 3)", floats(1, 2, 3, 4, 5, 6)))
        self.write("two/b.npy", npy("<f4", "(3,)", floats(1, 2, 3)))
        self.assertIn("has shape 2x3 there, the engine is planned for 1x3; give --shapes x:2x3\n", build(2, add, "--samples", self.path("two")))
        build(0, add, "--samples", self.path("two"), "--shapes", "x:2x3")
        self.assertEqual(build(3, model, "--samples", "/nowhere.npy").count("\n"), 1)

    def test_limits_have_figures_that_show_them(self):
        weights = PRODUCT.replace("matmul(%x, %x)", "matmul(%x, %w)").replace("  %y", "  %w: f16[64,64] = const random(1)\n  %y")
        model = self.write("w.pir", weights)
        self.assertRegex(self.check(5, "build", model, "-o", self.path("e"), "--weight-limit", "0.001").stderr,
                         r"the weights take 0\.0\d+ MB at least, the limit is 0\.001 MB")
        self.check(5, "build", model, "-o", self.path("e"), "--weight-limit", "1e-9", error="the limit is 1e-06 MB")

    def test_inspect_tells_memory_of_shapes(self):
        model, engine = self.write("add.pir", ADD), self.path("e")
        self.check(0, "build", model, "-o", engine, "--shapes", "x:5x3")
        def told(*options):
            line = re.search(r"^# device .* memory of cpu: weights .* once, each context .* \((\d+) bytes\)$",
                             self.check(0, "inspect", engine, *options).stdout, re.M)
            memory = json.loads(self.check(0, "inspect", engine, *options, "--json").stdout)["device_memory"]
            self.assertEqual((memory["target"], memory["context_bytes"]), ("cpu", int(line.group(1))))
            return memory["context_bytes"]
        self.assertEqual(told("--target", "cpu"), told("--shapes", "x:5x3"))
        self.assertGreater(told("--shapes", "x:5000x3"), told("--shapes", "x:5x3"))
        self.check(2, "inspect", engine, "--shapes", "z:1", error="there is no input 'z'")
        self.assertNotIn("# device", self.check(0, "inspect", engine).stdout)
        self.assertIn("is no engine, so that nothing comes of --target", self.check(0, "inspect", model, "--target", "cpu").stderr)

    def test_ops(self):
        names = [op["op"] for op in json.loads(self.check(0, "ops", "--json").stdout)]
        self.assertIn("pointwise", names)
        self.assertEqual(len(self.check(0, "ops").stdout.splitlines()), len(names) + 1)
        self.assertEqual(len(self.check(0, "ops", "conv").stdout.splitlines()), 2)


def bmp(pixels, width, height):
    """|pixels|: rows from the top of (r, g, b)."""
    rows = b""
    for y in reversed(range(height)):
        row = b"".join(bytes([b, g, r]) for r, g, b in pixels[y * width:(y + 1) * width])
        rows += row + bytes(-len(row) % 4)
    return (b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) +
            struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0) + rows)


class Images(Folder):
    PIXELS = [(1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)]

    def scores(self, *options):
        model = self.write("i.pir", IMAGE)
        image = self.write("i.bmp", bmp(self.PIXELS, 2, 2))
        value = json.loads(self.check(0, "classify", model, image, "--top", "12", "--json", *options).stdout)
        self.assertEqual(value[0]["file"], image)
        top = value[0]["top"]
        self.assertEqual([entry["score"] for entry in top], sorted((entry["score"] for entry in top), reverse=True))
        return {entry["class"]: -entry["score"] for entry in top}

    def planes(self, channels, value=float):
        return {c * 4 + i: value(pixel[channel]) for c, channel in enumerate(channels) for i, pixel in enumerate(self.PIXELS)}

    def test_values(self):
        self.assertEqual(self.scores(), self.planes((0, 1, 2)))
        self.assertEqual(self.scores("--order", "bgr"), self.planes((2, 1, 0)))
        self.assertEqual(self.scores("--scale", "0.5", "--mean", "1", "--std", "2"), self.planes((0, 1, 2), lambda v: (v * 0.5 - 1) / 2))
        bgr = self.scores("--order", "bgr", "--mean", "3,2,1")
        self.assertEqual([bgr[0], bgr[4], bgr[8]], [0, 0, 0])

    def test_labels_and_broken_images(self):
        model, image = self.write("i.pir", IMAGE), self.write("i.bmp", bmp(self.PIXELS, 2, 2))
        labels = self.write("labels", "zero\r\none\n\nthree")
        result = pelton("classify", model, labels, image, "--labels", labels, "--top", "1", "--json")
        self.assertEqual(result.returncode, 3)
        self.assertIn(labels, result.stderr)
        self.assertEqual(json.loads(result.stdout), [{"file": labels, "top": []},
                                                     {"file": image, "top": [{"class": 0, "label": "zero", "score": -1}]}])
        self.check(3, "classify", model, image, "--labels", self.path("none"), error="none")
        self.check(2, "classify", self.write("s.pir", SQUARE), image, error="[N,C,H,W]")

    def test_an_image_as_input(self):
        model, image = self.write("i.pir", IMAGE), self.write("i.bmp", bmp(self.PIXELS * 4, 4, 4))
        self.assertIn("1x3x2x2", self.check(0, "run", model, "-i", "data=" + image).stdout)


class Cases(Folder):
    def case(self, name, text, inputs, outputs):
        self.write(name + "/model.pir", text)
        for kind, files in (("input", inputs), ("output", outputs)):
            for i, data in enumerate(files):
                self.write("%s/test_data_set_0/%s_%d.pb" % (name, kind, i), data)

    def results(self, code, *options):
        result = pelton("test", self.temporary.name, "--json", *options)
        self.assertEqual(result.returncode, code, result.stderr)
        return {entry["case"]: entry for entry in json.loads(result.stdout)}

    def square(self, name, wanted):
        self.case(name, SQUARE, [tensor_pb([2, 2], 1, 9, floats(1, 2, 3, 4))], [wanted])

    def test_what_passes(self):
        values = (1, 4, 9, 16)
        self.square("raw", tensor_pb([2, 2], 1, 9, floats(*values)))
        self.square("typed", tensor_pb([2, 2], 1, 4, floats(*values)))
        self.square("a/b/near", tensor_pb([2, 2], 1, 9, floats(1, 4, 9.008, 16), name="y"))
        infinite = floats(float("nan"), float("inf"), 1, 1)
        self.case("special", SQUARE, [tensor_pb([2, 2], 1, 9, floats(float("nan"), float("-inf"), 1, 1))], [tensor_pb([2, 2], 1, 9, infinite)])
        for options in ((), ("--engine",), ("--jobs", "1"), ("--cpu-isa", "portable", "--level", "0")):
            results = self.results(0, *options)
            self.assertEqual([entry["status"] for entry in results.values()], ["passed"] * 4)
        self.assertEqual(sorted(results), ["a/b/near", "raw", "special", "typed"])
        self.assertAlmostEqual(results["a/b/near"]["max_abs"], 0.008, 5)
        self.assertEqual(results["raw"]["max_abs"], 0)
        text = self.check(0, "test", self.temporary.name, "--filter", "ne*").stdout
        self.assertEqual(text, "passed  a/b/near\n1 passed, 0 failed, 0 skipped\n")
        self.assertIn("passed  near\n", self.check(0, "test", self.path("a", "b", "near") + "/").stdout)

    def test_steps_that_run_a_definition(self):
        self.square("square", tensor_pb([2, 2], 1, 9, floats(1, 4, 9, 16)))
        self.case("det", "graph g(%x: f32[2,2]) -> (%y)\n  %y = det(%x)\nend\n", [tensor_pb([2, 2], 1, 9, floats(1, 2, 3, 4))],
                  [tensor_pb([], 1, 9, floats(-2))])
        results = self.results(0, "--fallbacks")
        self.assertEqual({name: (entry["fallbacks"], entry["reason"]) for name, entry in results.items()},
                         {"square": (0, ""), "det": (1, "definition of: det(f32[2,2]) -> f32[]")})
        self.case("text", "graph g(%x: f32[2,2]) -> (%y)\n  %t = to_text(%x)\n  %y = text_equal(%t, %t)\nend\n",
                  [tensor_pb([2, 2], 1, 9, floats(1, 2, 3, 4))], [tensor_pb([2, 2], 9, 9, b"\1\1\1\1")])
        self.assertEqual([self.results(0, "--fallbacks")["text"][key] for key in ("fallbacks", "host_nodes", "reason")],
                         [0, 1, "host: to_text 't': texts are kept by the host"])
        self.assertNotIn("fallbacks", self.results(0)["det"])

    def test_sequences(self):
        model = ('graph g(%s: tensor<f32>[n], %o: optional<tensor<f32>>[m], %i: i64[]) -> (%t, %p, %y)\n'
                 '  %t = sequence_erase(%s, %i)\n  %u = box(%s) optional=true\n  %v = unbox(%u)\n  %p = box(%v) optional=true\n'
                 '  %y = unbox(%s, %i)\nend\n')
        def items(*values, name=b""):
            parts = [field(3, tensor_pb([len(v)], 1, 9, floats(*v))) for v in values]
            return (field(1, name) if name else b"") + field(2, 1) + b"".join(parts)
        index = tensor_pb([], 7, 7, varint(1), name="i")
        inner = items((1, 2), (3,))
        optional = field(2, 3) + field(5, inner)
        outputs = [items((1, 2), name=b"t"), optional, tensor_pb([1], 1, 9, floats(3))]
        self.case("right", model, [inner, optional, index], outputs)
        self.case("turned", model, [index, items((1, 2), (3,), name=b"s"), field(1, b"o") + field(2, 3)],
                  [outputs[2] + field(8, b"y"), outputs[0], field(1, b"p") + optional])
        self.case("length", model, [inner, field(2, 3), index], [items((1, 2), (3,))] + outputs[1:])
        self.case("item", model, [inner, field(2, 3), index], [items((1, 2.5))] + outputs[1:])
        self.case("map", model, [field(2, 4) + field(6, b""), field(2, 3), index], outputs)
        self.case("null", model, [field(3, tensor_pb([1], 11, 9, bytes(8))), field(2, 3), index], outputs)
        for options in ((), ("--engine",)):
            results = self.results(1, *options)
            for name in ("right", "turned"):
                self.assertEqual(results[name]["status"], "passed", results[name]["reason"])
            reasons = {"length": "its shape is 1, expected 2", "item": "output 't': item 0: 1 of 2 elements", "map": "a map",
                       "null": "input 's', item 0: it is f64, not f32"}
            for name, reason in reasons.items():
                self.assertIn(reason, results[name]["reason"])

    def test_sequences_as_files(self):
        model = self.write("q.pir", 'graph g(%s: tensor<f32>[n], %i: i64[]) -> (%t, %y)\n'
                           '  %t = sequence_erase(%s, %i)\n  %y = unbox(%s, %i)\nend\n')
        for i, values in enumerate(((1, 2), (3,), (4, 5, 6))):
            self.write("s_%d.npy" % i, npy("<f4", (len(values),), floats(*values)))
        self.write("i.npy", npy("<i8", (), struct.pack("<q", 1)))
        given = ("--input", "s=" + self.path("s.npy"), "--input", "i=" + self.path("i.npy"))
        out = self.check(0, "run", model, *given, "--output-dir", self.path("out")).stdout
        self.assertIn("2 items", out)
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["t_0.npy", "t_1.npy", "y.npy"])
        with open(self.path("out", "t_1.npy"), "rb") as file:
            self.assertEqual(file.read()[-12:], floats(4, 5, 6))
        self.check(0, "compare", model, self.path("out"), *given)
        self.check(0, "compare", model, model, *given)
        outputs = json.loads(self.check(0, "run", model, *given, "--json").stdout)["outputs"]
        self.assertEqual([entry["name"] for entry in outputs[0]["items"]], ["t_0", "t_1"])
        self.assertEqual(outputs[0]["type"], "tensor")
        self.check(2, "run", model, error="input 's' is a sequence")
        self.check(3, "run", model, "--input", "s=" + self.path("none.npy"), error="none_0.npy")
        self.check(3, "run", model, "--input", "i=" + self.path("s_0.npy"), *given[:2], error="input 'i' is i64")
        engine = self.path("e.pelton")
        self.check(0, "build", model, "-o", engine)
        self.assertIn("# input    s: tensor<f32>[n]", self.check(0, "inspect", engine).stdout)

    def test_elements_of_few_bits(self):
        def cast(name, source, elem, raw, wanted, elements, number=9):
            text = 'graph g(%%x: %s[5]) -> (%%y)\n  %%y = pointwise(%%x) expr="cast(x0,f32)"\nend\n' % source
            self.case(name, text, [tensor_pb([5], elem, number, raw)], [tensor_pb([5], wanted, 9, elements)])
        cast("i4", "i4", 22, bytes([0x98, 0x7f, 0x01]), 1, floats(-8, -7, -1, 7, 1))
        cast("typed", "u4", 21, bytes([0x18, 0x7f, 0x01]), 1, floats(8, 1, 15, 7, 1), 5)
        cast("i2", "i2", 26, bytes([0b11100100, 0b10]), 1, floats(0, 1, -2, -1, -2))
        cast("f4", "f4e2m1", 23, bytes([0xf8, 0x21, 0x03]), 1, floats(-0.0, -6, 0.5, 1, 1.5))
        cast("f8", "f8e5m2", 19, bytes([0x3c, 0xbc, 0x7b, 0xfc, 0x7e]), 1, floats(1, -1, 57344, float("-inf"), float("nan")))
        cast("e8", "f8e8m0", 24, bytes([127, 128, 126, 0, 255]), 1, floats(1, 2, 0.5, 2.0 ** -127, float("nan")))
        self.assertEqual({entry["status"] for entry in self.results(0).values()}, {"passed"})
        near = 'graph g(%x: f32[2]) -> (%y)\n  %y = pointwise(%x) expr="cast(x0,f8e4m3fn)"\nend\n'
        self.case("near", near, [tensor_pb([2], 1, 9, floats(1, 0.001953125))], [tensor_pb([2], 17, 9, bytes([0x38, 0x02]))])
        self.case("short", near, [tensor_pb([2], 1, 9, floats(1, 1))], [tensor_pb([2], 22, 9, bytes([1, 2]))])
        results = self.results(1)
        self.assertIn("expected 0.00390625", results["near"]["reason"]) # exact, whatever the tolerances
        self.assertIn("as many elements", results["short"]["reason"])

    def test_bits_in_npy(self):
        model = self.write("q.pir", 'graph g(%x: f8e4m3fn[3]) -> (%y, %z)\n  %y = pointwise(%x) expr="x0"\n'
                           '  %z = pointwise(%x) expr="cast(x0,i4)"\nend\n')
        values = self.write("x.npy", npy("|u1", (3,), bytes([0x38, 0xb8, 0x44])))
        result = self.check(0, "run", model, "--input", "x=" + values, "--output-dir", self.path("out"))
        self.assertIn("the bits of f8e4m3fn as uint8", result.stderr)
        with open(self.path("out", "y.npy"), "rb") as file:
            data = file.read()
        self.assertIn(b"'|u1'", data)
        self.assertEqual(data[-3:], bytes([0x38, 0xb8, 0x44]))
        with open(self.path("out", "z.npy"), "rb") as file:
            data = file.read()
        self.assertIn(b"'|i1'", data)
        self.assertEqual(data[-3:], bytes([1, 0xff, 3]))

    JOIN = ('graph g(%x: string[n]) -> (%y)\n  %c: string[] = const ["\xe4\\xff"]\n'
            '  %y = text_concat(%x, %c)\nend\n')

    def test_texts(self):
        def texts(*values):
            return field(1, len(values)) + field(2, 8) + b"".join(field(6, value) for value in values)
        end = "\xe4".encode() + b"\xff"
        given = texts(b"one", b"", b"a\0b")
        self.case("same", self.JOIN, [given], [texts(b"one" + end, end, b"a\0b" + end)])
        for options in ((), ("--engine",), ("--level", "0")):
            self.assertEqual(self.results(0, *options)["same"]["max_abs"], 0)
        self.case("other", self.JOIN, [given], [texts(b"one" + end, b"two", b"a\0b")])
        self.case("few", self.JOIN, [field(1, 2) + texts(b"one")[2:]], [given])
        self.case("numbers", self.JOIN, [tensor_pb([1], 1, 9, floats(1))], [given])
        results = self.results(1)
        self.assertIn('2 of 3 texts differ, first at [1]', results["other"]["reason"])
        self.assertIn("as many texts as its shape", results["few"]["reason"])
        self.assertIn("is string, not f32", results["numbers"]["reason"])

    def test_texts_in_npy(self):
        model = self.write("t.pir", self.JOIN)
        wide = "".join(text.ljust(3, "\0") for text in ("o\xe9\u65e5", "a"))
        files = {"<U3": wide.encode("utf-32-le"), ">U3": wide.encode("utf-32-be"), "|S2": b"o\0ab"}
        for descr, cells in files.items():
            result = self.check(0, "run", model, "--input", "x=" + self.write("x.npy", npy(descr, "(2,)", cells)),
                                "--output-dir", self.path("out"), "--json")
            header, data = read_npy(self.path("out", "y.npy"))
            size = 5 if "U" in descr else 4
            self.assertIn("'<U%d'" % size, header)
            got = [data[i:i + 4 * size].decode("utf-32-le", "surrogatepass").rstrip("\0") for i in (0, 4 * size)]
            ends = ["o\xe9\u65e5", "a"] if "U" in descr else ["o", "ab"]
            self.assertEqual(got, [text + "\xe4\udcff" for text in ends])
            self.assertEqual(json.loads(result.stdout)["outputs"][0]["type"], "string")
        self.check(3, "run", model, "--input", "x=" + self.write("x.npy", npy("<U9", "(2,)", wide.encode("utf-32-le"))),
                   error="too short")
        self.check(3, "run", model, "--input", "x=" + self.write("x.npy", npy("<f4", "(2,)", floats(1, 2))),
                   error="input 'x' is string; its file has f32")
        again = self.check(0, "run", model, "--shapes", "x:4", "--seed", "3").stdout
        self.assertEqual(again, self.check(0, "run", model, "--shapes", "x:4", "--seed", "3").stdout)
        self.check(0, "compare", model, model, "--shapes", "x:4")
        self.assertIn("string[n]", self.check(0, "inspect", model, "--text").stdout)

    def test_what_does_not(self):
        self.square("far", tensor_pb([2, 2], 1, 9, floats(1, 4, 9.02, 16)))
        self.square("nan", tensor_pb([2, 2], 1, 9, floats(1, 4, float("nan"), 16)))
        self.square("shape", tensor_pb([4], 1, 9, floats(1, 4, 9, 16)))
        self.square("type", tensor_pb([2, 2], 11, 9, struct.pack("<4d", 1, 4, 9, 16)))
        self.square("short", tensor_pb([2, 2], 1, 9, floats(1, 4, 9)))
        self.square("float8", tensor_pb([2, 2], 17, 9, bytes(4)))
        self.square("complex", tensor_pb([2, 2], 14, 9, bytes(32)))
        self.square("text", tensor_pb([1], 8, 6, b"one"))
        self.square("sequence", field(2, 1) + field(3, tensor_pb([1], 1, 9, floats(1))))
        self.square("optional", field(1, b"output") + field(2, 1))
        self.case("broken", "graph nothing", [], [tensor_pb([1], 1, 9, floats(1))])
        self.case("missing", SQUARE, [], [tensor_pb([2, 2], 1, 9, floats(1, 4, 9, 16))])
        results = self.results(1)
        reasons = {"far": "expected 9.02", "nan": "expected nan", "shape": "shape is 2x2, expected 4", "type": "type is f32, expected f64",
                   "short": "as many elements", "float8": "type is f32, expected f8e4m3fn", "complex": "unsupported: ", "broken": "invalid data", "missing": "no file for input 'x'",
                   "text": "type is f32, expected string", "sequence": "output_0.pb ", "optional": "output_0.pb "}
        for name, reason in reasons.items():
            self.assertEqual(results[name]["status"], "failed")
            self.assertIn(reason, results[name]["reason"])
        self.assertEqual(len(results), len(reasons))
        self.assertTrue(self.check(1, "test", self.temporary.name).stdout.endswith("\n0 passed, 12 failed, 0 skipped\n"))
        self.check(0, "test", self.path("far"), "--rtol", "0.01")

    def test_integers_are_exact(self):
        text = SQUARE.replace("f32", "i64").replace("mul(x0,x0)", "add(x0,1:i64)")
        big = 1 << 60
        given = tensor_pb([2, 2], 7, 7, b"".join(varint(v) for v in (big, -5, 0, 7)))
        self.case("equal", text, [given], [tensor_pb([2, 2], 7, 9, struct.pack("<4q", big + 1, -4, 1, 8))])
        self.case("unequal", text, [given], [tensor_pb([2, 2], 7, 9, struct.pack("<4q", big + 2, -4, 1, 8))])
        results = self.results(1)
        self.assertEqual((results["equal"]["status"], results["unequal"]["status"]), ("passed", "failed"))


if __name__ == "__main__":
    if not BIN:
        print("skipped: PELTON_BIN is not set")
        sys.exit(77)
    unittest.main()
