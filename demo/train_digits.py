#!/usr/bin/env python3
"""Trains the demonstration network and writes digits.onnx, pictures/*.png and labels.txt beside this file.

A small residual network reads coloured pictures of handwritten digits (scikit-learn's copy of the UCI optical digits,
8x8 grey values, drawn here in a random ink on a random paper). Forward and backward passes are written in numpy, so
that nothing but numpy, scikit-learn, pillow and onnx is needed, and the run takes a minute or two on two cores. The
seeds are fixed; the last digits of the weights still depend on the machine's BLAS.

    python3 demo/train_digits.py [--epochs 24]

BatchNormalization stays unfused in the file on purpose: folding it is the compiler's work.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = pathlib.Path(__file__).resolve().parent
LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# A picture is 108x108. Linear interpolation to 36x36 then reads exactly every third pixel, and the crop to 32x32 takes
# off the margin, so training can slice instead of resizing.
PICTURE, DIGIT, INPUT = 108, 96, 32
SCALE, MEAN, STD = 1 / 255, 0.5, 0.25
EPSILON, MOMENTUM = 1e-5, 0.9

# ---- pictures ---------------------------------------------------------------------------------------------------


def alphas(digits):
    """How much ink lies on each pixel, 0...1: [N, 108, 108] from [N, 8, 8] grey values of 0...16."""
    result = np.zeros((len(digits), PICTURE, PICTURE), np.float32)
    margin = (PICTURE - DIGIT) // 2
    for out, digit in zip(result, digits):
        grey = Image.fromarray((digit * (255 / 16)).astype(np.uint8))
        out[margin:-margin, margin:-margin] = np.asarray(grey.resize((DIGIT, DIGIT), Image.BICUBIC)) / 255.0
    return result


def paint(alpha, random):
    """RGB pictures of 0...255 from [N, H, W]: dark ink on light paper, both of random colour."""
    shape = (len(alpha), 1, 1, 3)
    ink = random.integers(10, 110, shape).astype(np.float32)
    paper = random.integers(190, 256, shape).astype(np.float32)
    alpha = alpha[..., None]
    return np.round(paper * (1 - alpha) + ink * alpha).astype(np.uint8)


def shift(alpha, random):
    """Moves every [32, 32] picture by up to three pixels: the augmentation."""
    padded = np.pad(alpha, ((0, 0), (3, 3), (3, 3)))
    offsets = random.integers(0, 7, (len(alpha), 2))
    return np.stack([p[y:y + INPUT, x:x + INPUT] for p, (y, x) in zip(padded, offsets)])


def normalise(pictures):
    return ((pictures.astype(np.float32) * SCALE - MEAN) / STD).astype(np.float32)


# ---- layers: NHWC, each with forward and backward; parameters and their gradients in dictionaries ------------------


class Conv:
    def __init__(self, name, inputs, outputs, kernel, stride, random):
        self.name, self.kernel, self.stride, self.pad = name, kernel, stride, kernel // 2
        scale = np.sqrt(2 / (inputs * kernel * kernel))
        self.parameters = {"w": (random.standard_normal((kernel * kernel * inputs, outputs)) * scale).astype(np.float32)}
        self.gradients = {}

    def forward(self, x, training):
        p, k, s = self.pad, self.kernel, self.stride
        padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::s, ::s]
        n, h, w = windows.shape[:3]
        columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * h * w, -1)
        self.saved = (columns, padded.shape, h, w)
        return (columns @ self.parameters["w"]).reshape(n, h, w, -1)

    def backward(self, dy):
        columns, shape, h, w = self.saved
        p, k, s = self.pad, self.kernel, self.stride
        flat = dy.reshape(-1, dy.shape[-1])
        self.gradients["w"] = columns.T @ flat
        d = (flat @ self.parameters["w"].T).reshape(shape[0], h, w, k, k, shape[3])
        dx = np.zeros(shape, np.float32)
        for i in range(k):
            for j in range(k):
                dx[:, i:i + h * s:s, j:j + w * s:s] += d[:, :, :, i, j]
        return dx[:, p:shape[1] - p, p:shape[2] - p]


class BatchNorm:
    def __init__(self, name, channels):
        self.name = name
        self.parameters = {"gamma": np.ones(channels, np.float32), "beta": np.zeros(channels, np.float32)}
        self.gradients = {}
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            self.mean = MOMENTUM * self.mean + (1 - MOMENTUM) * mean
            self.variance = MOMENTUM * self.variance + (1 - MOMENTUM) * variance
        inverse = 1 / np.sqrt(variance + EPSILON)
        normal = (x - mean) * inverse
        self.saved = (normal, inverse)
        return normal * self.parameters["gamma"] + self.parameters["beta"]

    def backward(self, dy):
        normal, inverse = self.saved
        self.gradients["gamma"], self.gradients["beta"] = (dy * normal).sum((0, 1, 2)), dy.sum((0, 1, 2))
        count = dy.size // dy.shape[-1]
        centred = dy - self.gradients["beta"] / count - normal * (self.gradients["gamma"] / count)
        return centred * (inverse * self.parameters["gamma"])


class Relu:
    parameters, gradients = {}, {}

    def forward(self, x, training):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Block:
    """relu(bn(conv(relu(bn(conv(x))))) + shortcut(x)); the shortcut is x itself, or bn(conv1x1(x)) where shapes change."""

    def __init__(self, name, inputs, outputs, stride, random):
        self.name = name
        self.main = [Conv(f"{name}.conv1", inputs, outputs, 3, stride, random), BatchNorm(f"{name}.bn1", outputs), Relu(),
                     Conv(f"{name}.conv2", outputs, outputs, 3, 1, random), BatchNorm(f"{name}.bn2", outputs)]
        self.shortcut = []
        if stride != 1 or inputs != outputs:
            self.shortcut = [Conv(f"{name}.conv3", inputs, outputs, 1, stride, random), BatchNorm(f"{name}.bn3", outputs)]
        self.relu = Relu()

    def forward(self, x, training):
        a, b = x, x
        for layer in self.main:
            a = layer.forward(a, training)
        for layer in self.shortcut:
            b = layer.forward(b, training)
        return self.relu.forward(a + b, training)

    def backward(self, dy):
        a = b = self.relu.backward(dy)
        for layer in reversed(self.main):
            a = layer.backward(a)
        for layer in reversed(self.shortcut):
            b = layer.backward(b)
        return a + b


class Head:
    """Global average pool and the fully connected layer; gives logits."""

    def __init__(self, name, inputs, outputs, random):
        self.name = name
        self.parameters = {"w": (random.standard_normal((inputs, outputs)) * np.sqrt(1 / inputs)).astype(np.float32),
                           "b": np.zeros(outputs, np.float32)}
        self.gradients = {}

    def forward(self, x, training):
        self.shape, self.pooled = x.shape, x.mean((1, 2))
        return self.pooled @ self.parameters["w"] + self.parameters["b"]

    def backward(self, dy):
        self.gradients["w"], self.gradients["b"] = self.pooled.T @ dy, dy.sum(0)
        n, h, w, c = self.shape
        return np.broadcast_to((dy @ self.parameters["w"].T / (h * w))[:, None, None], (n, h, w, c))


def make_network(random):
    return [Conv("stem.conv", 3, 16, 3, 2, random), BatchNorm("stem.bn", 16), Relu(),
            Block("block1", 16, 16, 1, random), Block("block2", 16, 32, 2, random), Block("block3", 32, 48, 2, random),
            Head("head", 48, 10, random)]


def leaves(layers):
    for layer in layers:
        yield from [*layer.main, *layer.shortcut] if isinstance(layer, Block) else [layer]


def forward(network, x, training=False):
    for layer in network:
        x = layer.forward(x, training)
    return x


# ---- training -------------------------------------------------------------------------------------------------------


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def train(network, alpha, labels, epochs, batch, random):
    """Adam with a cosine schedule, label smoothing 0.05."""
    state, step, steps = {}, 0, epochs * (len(alpha) // batch)
    for epoch in range(epochs):
        order, losses = random.permutation(len(alpha)), []
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start:start + batch]
            x = normalise(paint(shift(alpha[chosen], random), random))
            target = np.full((batch, 10), 0.005, np.float32)
            target[np.arange(batch), labels[chosen]] += 0.95
            p = softmax(forward(network, x, True))
            losses.append(-(target * np.log(p + 1e-12)).sum(1).mean())
            d = (p - target) / batch
            for layer in reversed(network):
                d = layer.backward(d)
            step += 1
            rate = 0.004 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for layer in leaves(network):
                for key, value in layer.parameters.items():
                    g = layer.gradients[key]
                    m, v = state.get((layer.name, key), (0, 0))
                    m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
                    state[layer.name, key] = m, v
                    value -= (rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)).astype(np.float32)
        print(f"epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.4f}", flush=True)


# ---- the ONNX file ------------------------------------------------------------------------------------------------


class Exporter:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, value):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def node(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def layer(self, layer, x):
        if isinstance(layer, Conv):
            k = layer.kernel
            w = layer.parameters["w"].reshape(k, k, -1, layer.parameters["w"].shape[1]).transpose(3, 2, 0, 1)
            return self.node("Conv", [x, self.weight(layer.name + ".weight", w)], layer.name, kernel_shape=[k, k],
                             strides=[layer.stride] * 2, pads=[layer.pad] * 4)
        if isinstance(layer, BatchNorm):
            values = {**layer.parameters, "mean": layer.mean, "variance": layer.variance}
            names = [self.weight(f"{layer.name}.{key}", values[key]) for key in ("gamma", "beta", "mean", "variance")]
            return self.node("BatchNormalization", [x, *names], layer.name, epsilon=EPSILON)
        if isinstance(layer, Relu):
            return self.node("Relu", [x], x + ".relu")
        if isinstance(layer, Block):
            a, b = x, x
            for part in layer.main:
                a = self.layer(part, a)
            for part in layer.shortcut:
                b = self.layer(part, b)
            return self.node("Relu", [self.node("Add", [a, b], layer.name + ".add")], layer.name + ".relu")
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x], layer.name + ".pool")], layer.name + ".flatten", axis=1)
        w, b = self.weight(layer.name + ".weight", layer.parameters["w"].T), self.weight(layer.name + ".bias", layer.parameters["b"])
        x = self.node("Gemm", [x, w, b], layer.name + ".fc", transB=1)
        return self.node("Softmax", [x], "probabilities", axis=1)


def export(network, path):
    exporter, x = Exporter(), "image"
    for layer in network:
        x = exporter.layer(layer, x)
    graph = helper.make_graph(
        exporter.nodes, "digits", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, INPUT, INPUT])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])], exporter.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="pelton demo", ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def check_file(path, pictures, labels):
    """The accuracy of the file itself, by another implementation, where that is installed."""
    try:
        import onnxruntime
    except ImportError:
        print("onnxruntime is not installed: the file's own accuracy was not measured")
        return
    x = normalise(pictures[:, 7:7 + 3 * INPUT:3, 7:7 + 3 * INPUT:3]).transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = session.run(None, {"image": np.ascontiguousarray(x)})[0].argmax(1) == labels
    print(f"held-out accuracy with onnxruntime: {right.sum()}/{len(right)} = {right.mean():.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=24)
    options = parser.parse_args()
    digits = load_digits()
    random = np.random.default_rng(7)
    split = train_test_split(digits.images, digits.target, test_size=360, random_state=7, stratify=digits.target)
    train_digits, test_digits, train_labels, test_labels = split
    small = alphas(train_digits)[:, 7:7 + 3 * INPUT:3, 7:7 + 3 * INPUT:3]
    network = make_network(random)
    print("parameters:", sum(v.size for layer in leaves(network) for v in layer.parameters.values()))
    train(network, small, train_labels, options.epochs, 64, random)

    pictures = paint(alphas(test_digits), np.random.default_rng(11))
    logits = forward(network, normalise(pictures[:, 7:7 + 3 * INPUT:3, 7:7 + 3 * INPUT:3]))
    right = logits.argmax(1) == test_labels
    print(f"held-out accuracy: {right.sum()}/{len(right)} = {right.mean():.4f}")
    export(network, FOLDER / "digits.onnx")
    check_file(FOLDER / "digits.onnx", pictures, test_labels)

    (FOLDER / "pictures").mkdir(exist_ok=True)
    (FOLDER / "labels.txt").write_text("\n".join(LABELS) + "\n")
    for digit in range(10):
        # The first held-out example of each class that the network reads rightly: demo.sh checks the compiler, not the
        # network, whose mistakes the accuracy above counts.
        index = int(np.flatnonzero((test_labels == digit) & right)[0])
        Image.fromarray(pictures[index]).save(FOLDER / "pictures" / f"digit-{digit}-a.png", optimize=True)


if __name__ == "__main__":
    main()
