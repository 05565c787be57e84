#!/usr/bin/env python3
"""What `pelton` says of files that it cannot use: the exit code of each kind, no engine left behind, no output, and a
message that names the file, the node or field, and the value that is wrong. Standard library only: the models are
written here by hand, byte by byte.

PELTON_BIN names the command; without it the test is skipped.
"""
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

BIN = os.environ.get("PELTON_BIN", "")
FLOAT, INT64 = 1, 7

BAD_USAGE, BAD_INPUT, UNSUPPORTED = 2, 3, 4


# ---- protobuf, and ONNX's messages in it ------------------------------------------------------------------------

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
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def many(number, values):
    return b"".join(field(number, v) for v in values)


def attribute(name, value):
    if isinstance(value, int):
        return field(5, field(1, name) + field(3, value) + field(20, 2))
    return field(5, field(1, name) + many(8, value) + field(20, 7))


def node(op, inputs, outputs, name, domain="", **attributes):
    text = many(1, inputs) + many(2, outputs) + field(3, name) + field(4, op) + field(7, domain)
    return field(1, text + b"".join(attribute(k, v) for k, v in attributes.items()))


def tensor(name, dims, raw=None, elem=FLOAT, external=None):
    text = many(1, dims) + field(2, elem) + field(8, name)
    if raw is not None:
        text += field(9, raw)
    for key, value in (external or {}).items():
        text += field(13, field(1, key) + field(2, value))
    return field(5, text + (field(14, 1) if external else b""))


def value(number, name, dims, elem=FLOAT):
    """|number|: 11 an input, 12 an output of the graph. A dim is a number or a name."""
    dims = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in dims)
    return field(number, field(1, name) + field(2, field(1, field(1, elem) + field(2, dims))))


def model(*graph, opset=18):
    return field(1, 8) + field(7, b"".join(graph) + field(2, "g")) + field(8, field(1, "") + field(2, opset))


def add(*more, **options):
    """y = x + w, with what is given besides."""
    return model(node("Add", ["x", "w"], ["y"], "the_add"), *more, value(11, "x", [2, 3]), value(12, "y", [2, 3]), **options)


WEIGHTS = tensor("w", [3], struct.pack("<3f", 1, 2, 3))


# ---- pictures ---------------------------------------------------------------------------------------------------

def png(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


IMAGE = """graph "image"(%data: f32[1,3,2,2]) -> (%y)
  %y: f32[1,3,2,2] = pointwise(%data) expr="neg(x0)"
end
"""


class Case(unittest.TestCase):
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

    def says(self, code, words, *arguments):
        """|arguments| end with |code|, nothing on stdout, and every one of |words| on stderr."""
        done = subprocess.run([BIN, *arguments], capture_output=True, text=True, errors="replace", timeout=120)
        show = " ".join(arguments) + "\n" + done.stderr
        self.assertEqual(done.returncode, code, show)
        self.assertEqual(done.stdout, "", show)
        self.assertIn("pelton: error: ", done.stderr, show)
        for word in words:
            self.assertIn(word, done.stderr, show)
        return done.stderr

    def refuses(self, code, name, data, *words):
        """No command takes |data| for a model: not one that builds, not one that runs."""
        path, engine = self.write(name, data), self.path("never.pelton")
        self.says(code, (path, *words), "build", path, "-o", engine)
        self.assertFalse(os.path.exists(engine))
        self.assertFalse([left for left in os.listdir(self.temporary.name) if left.startswith("never")])
        self.says(code, (path, *words), "run", path)
        return path


class Models(Case):
    def test_what_is_no_model(self):
        self.refuses(BAD_INPUT, "words.onnx", "these are words, not a network\n")
        self.refuses(BAD_INPUT, "empty.onnx", b"")
        self.refuses(BAD_INPUT, "zeros.onnx", bytes(1000))
        self.refuses(BAD_INPUT, "picture.onnx", png(1, 1, bytes(4)))
        self.refuses(BAD_INPUT, "text.pir", "graph nothing", "line 1")
        self.refuses(BAD_INPUT, "text.pir", IMAGE.replace("neg(x0)", "neg(x1)"), "'y'", "x1")
        self.refuses(BAD_INPUT, "text.pir", IMAGE.replace("%data)", "%date)"), "line 2", "date")

    def test_truncated_models(self):
        """Wherever a file is cut, it is refused: a message's length, or something that the graph lacks, tells."""
        whole = add(WEIGHTS)
        good = self.write("whole.onnx", whole)
        self.assertEqual(subprocess.run([BIN, "run", good], capture_output=True).returncode, 0)
        for size in {*range(1, len(whole) - 1, 13), len(whole) - 5}:
            path = self.write("cut.onnx", whole[:size])
            self.says(BAD_INPUT, (path,), "inspect", path)
        self.refuses(BAD_INPUT, "cut.onnx", whole[:-20], "graph")

    def test_weights_that_are_too_short(self):
        self.refuses(BAD_INPUT, "short.onnx", add(tensor("w", [3], bytes(8))), '"w"', "8", "12")

    def test_external_data_stays_in_the_folder(self):
        self.write("secret", bytes(12))
        for location in ("../secret", "a/../../secret", self.path("secret")):
            data = add(tensor("w", [3], external={"location": location, "length": "12"}))
            self.refuses(BAD_INPUT, "folder/model.onnx", data, '"w"', location)
        os.symlink("../secret", self.path("folder", "link"))
        self.refuses(BAD_INPUT, "folder/model.onnx", add(tensor("w", [3], external={"location": "link"})), '"w"', "link")

    def test_external_data_that_is_not_there(self):
        self.refuses(BAD_INPUT, "m.onnx", add(tensor("w", [3], external={"location": "weights.bin"})), '"w"', "weights.bin")
        self.write("weights.bin", bytes(12))
        beyond = {"location": "weights.bin", "offset": "4", "length": "12"}
        self.refuses(BAD_INPUT, "m.onnx", add(tensor("w", [3], external=beyond)), '"w"', "weights.bin", "4", "12")
        beyond["offset"] = "eleven"
        self.refuses(BAD_INPUT, "m.onnx", add(tensor("w", [3], external=beyond)), '"w"', "eleven")

    def test_shapes_that_overflow(self):
        large = 1 << 33
        self.refuses(BAD_INPUT, "large.onnx", add(tensor("w", [large, large, large], b"")), '"w"', str(large))
        self.refuses(BAD_INPUT, "negative.onnx", add(tensor("w", [-3], b"")), '"w"', "-3")
        data = model(node("Relu", ["x"], ["y"], "r"), value(11, "x", [large, large]), value(12, "y", [large, large]))
        self.refuses(BAD_INPUT, "input.onnx", data, "'x'", str(large))

    def test_shapes_that_overflow_on_the_way(self):
        """What only the network's own arithmetic makes too large."""
        large = tensor("s", [2], struct.pack("<2q", 1 << 40, 1 << 40), elem=INT64)
        data = model(node("Expand", ["x", "s"], ["y"], "grow"), large, value(11, "x", [1, 1]), value(12, "y", ["a", "b"]))
        self.refuses(BAD_INPUT, "grow.onnx", data, "grow", str(1 << 40))

    def test_graphs_that_make_no_sense(self):
        self.refuses(BAD_INPUT, "missing.onnx", add(), '"the_add"', '"w"')
        data = add(tensor("w", [4], bytes(16)))
        self.refuses(BAD_INPUT, "shapes.onnx", data, "'the_add'", "3", "4")
        data = model(node("Softmax", ["x"], ["y"], "soft", axis=7), value(11, "x", [2, 3]), value(12, "y", [2, 3]))
        self.refuses(BAD_INPUT, "axis.onnx", data, "'soft'", "axis", "7")
        data = model(node("Relu", ["b"], ["a"], "one"), node("Relu", ["a"], ["b"], "two"), value(11, "x", [2]), value(12, "b", [2]))
        self.refuses(BAD_INPUT, "cycle.onnx", data, '"one"')

    def test_operators_unknown(self):
        """All of them are named at once."""
        data = model(node("Frobnicate", ["x"], ["a"], "frob"), node("Twist", ["a"], ["y"], "twist", domain="com.example"),
                     value(11, "x", [2]), value(12, "y", [2]))
        self.refuses(UNSUPPORTED, "unknown.onnx", data, '"frob"', "Frobnicate", '"twist"', "Twist", "com.example")
        data = model(node("CastLike", ["x", "x"], ["y"], "cl"), value(11, "x", [2]), value(12, "y", [2]), opset=14)
        self.refuses(UNSUPPORTED, "since.onnx", data, '"cl"', "CastLike", "14")


class Pictures(Case):
    def classify(self, data, *words):
        net, picture = self.write("image.pir", IMAGE), self.write("picture.png", data)
        self.says(BAD_INPUT, (picture, *words), "classify", net, picture)

    def test_what_is_no_picture(self):
        self.classify(b"")
        self.classify("words, not a picture")
        whole = png(2, 2, bytes(14))
        net, picture = self.write("image.pir", IMAGE), self.write("good.png", whole)
        self.assertEqual(subprocess.run([BIN, "classify", net, picture], capture_output=True).returncode, 0)
        for size in (8, 20, 33, len(whole) - 20):
            self.classify(whole[:size])
        self.classify(png(2, 2, bytes(3)))
        self.classify(png(0, 2, b""))
        self.classify(png(1 << 30, 1 << 30, b""), str(1 << 30))
        self.says(BAD_INPUT, (self.path("none.png"),), "classify", net, self.path("none.png"))


class Engines(Case):
    """The header: mark 0, format version 8, size 16, count of sections 24, checksum 32; from 64 on a row of 32 bytes for
    each section. Weights are mapped, and `pelton` does not read them all to open a file: their checksums are for
    pn_image_check_weights, and not met here."""

    def engine(self):
        path = self.path("good.pelton")
        net = self.write("image.pir", IMAGE)
        done = subprocess.run([BIN, "build", net, "-o", path], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "rb") as file:
            return file.read()

    def opens_not(self, code, data, *words):
        path = self.write("bad.pelton", data)
        for command in ("run", "inspect", "bench"):
            self.says(code, (path, *words), command, path)

    def test_engines(self):
        good = self.engine()
        version = struct.unpack("<I", good[8:12])[0]
        self.opens_not(UNSUPPORTED, good[:8] + struct.pack("<I", version + 1) + good[12:], str(version + 1), str(version))
        for size in (8, 40, 100, len(good) // 2, len(good) - 1):
            self.opens_not(BAD_INPUT, good[:size])
        rows = [struct.unpack("<IIQQQ", good[at:at + 32]) for at in range(64, 64 + 32 * good[24], 32)]
        graph = next(offset for kind, _, offset, size, _ in rows if kind == 2)
        for at in (0, 16, 24, 33, 70, 90, graph, graph + 20):
            self.opens_not(BAD_INPUT, good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1:])
        self.opens_not(BAD_INPUT, good + b"more", str(len(good)), str(len(good) + 4))


if __name__ == "__main__":
    if not BIN:
        print("skipped: PELTON_BIN is not set")
        sys.exit(77)
    unittest.main()
