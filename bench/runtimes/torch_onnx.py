"""An ONNX network as a function of PyTorch, for the operators that the benchmark networks use: PyTorch reads no ONNX
itself. Attention that a network spells out becomes scaled_dot_product_attention and an erf's gelu becomes gelu, as
somebody who writes for PyTorch would call them; everything else is taken node by node."""

import math

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Graph:
    """call(inputs by name) -> outputs by name, all tensors of one device. Shapes are those of the inputs."""

    def __init__(self, path, device="cpu", channels_last=False):
        model = onnx.load(path)
        self.inputs = [i.name for i in model.graph.input]
        self.outputs = [o.name for o in model.graph.output]
        self.host = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.constants = {n: torch.from_numpy(v.copy()).to(device) for n, v in self.host.items()}
        self.channels_last = channels_last
        self.nodes = gelu(attention(list(model.graph.node), self.outputs, self.host), self.outputs, self.host)
        if channels_last:
            self.constants = {n: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v
                              for n, v in self.constants.items()}
        self.steps = [(make(node, self.host), [i for i in inputs(node)], list(node.output)) for node in self.nodes]
        self.last = {name: at for at, step in enumerate(self.steps) for name in step[1]}

    def __call__(self, feed):
        values = {n: v.contiguous(memory_format=torch.channels_last) if self.channels_last and v.ndim == 4 else v
                  for n, v in feed.items()}
        for at, (call, names, outputs) in enumerate(self.steps):
            results = call(*[self.constants[n] if n in self.constants else values[n] for n in names])
            for name, value in zip(outputs, results if isinstance(results, (tuple, list)) else [results]):
                values[name] = value
            for name in names:  # what nobody reads any more is given back
                if self.last[name] == at and name not in self.outputs:
                    values.pop(name, None)
        return {name: values[name] for name in self.outputs}


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def inputs(node):
    """The operands that are data; shapes and the like are read when the function is made."""
    count = {"Reshape": 1, "Clip": 1, "Split": 1, "Resize": 1}.get(node.op_type)
    return [i for i in node.input[:count] if i]


def maker(node, constants):
    a, op = attributes(node), node.op_type

    def constant(at, default=None):
        return constants[node.input[at]] if len(node.input) > at and node.input[at] else default

    def padded(call, value=0.0):
        pads = a.get("pads", [0] * 4)
        half = len(pads) // 2
        if pads[:half] == pads[half:]:
            return lambda x, *rest: call(x, pads[:half], *rest)
        by_torch = [p for d in reversed(range(half)) for p in (pads[d], pads[half + d])]
        return lambda x, *rest: call(F.pad(x, by_torch, value=value), [0] * half, *rest)

    if op == "Conv":
        rank = len(constant(1).shape) - 2
        conv = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        strides, dilations = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
        return padded(lambda x, pads, w, b=None: conv(x, w, b, strides, pads, dilations, a.get("group", 1)))
    if op == "ConvTranspose":
        return lambda x, w, b=None: F.conv_transpose2d(x, w, b, a["strides"], a["pads"][:2], a.get("output_padding", [0, 0]),
                                                       a.get("group", 1))
    if op == "MaxPool":
        return padded(lambda x, pads: F.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), pads,
                                                   ceil_mode=bool(a.get("ceil_mode", 0))), -math.inf)
    if op == "Reshape":
        shape = [int(d) for d in constant(1)]
        return lambda x: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(shape)])
    if op == "Clip":
        low, high = (None if v is None else float(v) for v in (constant(1), constant(2)))
        return lambda x: x.clamp(low, high)
    if op == "Split":
        sizes = [int(d) for d in constant(1)] if len(node.input) > 1 else None
        axis, parts = a.get("axis", 0), len(node.output)
        return lambda x: x.split(sizes or x.shape[axis] // parts, axis)
    if op == "Resize":
        if a.get("mode") != b"nearest":
            raise NotImplementedError("Resize other than nearest")
        scales = [float(s) for s in constant(2)[2:]]
        return lambda x: F.interpolate(x, scale_factor=scales, mode="nearest")
    if op == "DepthToSpace":
        if a.get("mode", b"DCR") == b"CRD":
            return lambda x: F.pixel_shuffle(x, a["blocksize"])
        b = a["blocksize"]
        return lambda x: (x.reshape(x.shape[0], b, b, x.shape[1] // (b * b), *x.shape[2:]).permute(0, 3, 4, 1, 5, 2)
                          .reshape(x.shape[0], x.shape[1] // (b * b), x.shape[2] * b, x.shape[3] * b))
    if op == "LayerNormalization":
        return lambda x, w, b=None: F.layer_norm(x, x.shape[a.get("axis", -1):], w, b, a.get("epsilon", 1e-5))
    if op == "Attention":
        return lambda q, k, v: F.scaled_dot_product_attention(q, k.transpose(-1, -2), v, scale=a["scale"])
    return {
        "Add": torch.add, "Mul": torch.mul, "Div": torch.div, "Sub": torch.sub, "MatMul": torch.matmul, "Relu": torch.relu,
        "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Erf": torch.erf, "Gelu": F.gelu,
        "PRelu": lambda x, s: F.prelu(x, s.reshape(-1)),
        "Softmax": lambda x: torch.softmax(x, a.get("axis", -1)),
        "Flatten": lambda x: x.flatten(a.get("axis", 1)),
        "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
        "Transpose": lambda x: x.permute(a["perm"]),
        "Concat": lambda *xs: torch.cat([x.expand(max(y.shape[0] for y in xs), *x.shape[1:]) for x in xs], a["axis"]),
    }[op]


def make(node, constants):
    try:
        return maker(node, constants)
    except KeyError as missing:
        raise NotImplementedError(f"{node.op_type} of node '{node.name}': {missing}") from None


def users(nodes):
    found = {}
    for node in nodes:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def attention(nodes, outputs, constants):
    """MatMul, Div by a constant, Softmax of the last axis, MatMul: one node Attention."""
    makes, reads = {o: n for n in nodes for o in n.output}, users(nodes)
    single = lambda name: len(reads.get(name, [])) == 1 and name not in outputs
    gone, new = set(), {}
    for last in nodes:
        soft = makes.get(last.input[0]) if last.op_type == "MatMul" else None
        div = makes.get(soft.input[0]) if soft is not None and soft.op_type == "Softmax" else None
        first = makes.get(div.input[0]) if div is not None and div.op_type == "Div" else None
        if first is None or first.op_type != "MatMul" or div.input[1] not in constants or not all(
                single(n.output[0]) for n in (soft, div, first)):
            continue
        gone |= {id(n) for n in (soft, div, first)}
        new[id(last)] = onnx.helper.make_node("Attention", [*first.input, last.input[1]], list(last.output),
                                              scale=1 / float(constants[div.input[1]]))
    return [new.get(id(n), n) for n in nodes if id(n) not in gone]


def gelu(nodes, outputs, constants):
    """x * (1 + erf(x / sqrt 2)) * 0.5: one node Gelu."""
    makes = {o: n for n in nodes for o in n.output}
    gone, new = set(), {}
    for half in nodes:
        product = makes.get(half.input[0]) if half.op_type == "Mul" and half.input[1] in constants else None
        if product is None or product.op_type != "Mul":
            continue
        plus = makes.get(product.input[1])
        erf = makes.get(plus.input[0]) if plus is not None and plus.op_type == "Add" else None
        div = makes.get(erf.input[0]) if erf is not None and erf.op_type == "Erf" else None
        if div is None or div.op_type != "Div" or div.input[0] != product.input[0]:
            continue
        gone |= {id(n) for n in (product, plus, erf, div)}
        new[id(half)] = onnx.helper.make_node("Gelu", [product.input[0]], list(half.output))
    return [new.get(id(n), n) for n in nodes if id(n) not in gone]
