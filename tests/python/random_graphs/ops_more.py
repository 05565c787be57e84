"""Stretches of networks as exporters write them, on shapes that the tuned kernels are for; and operators that are rare."""

import numpy as np

from .core import F16, F32, F64, I8, I32, I64, U8, Reject, elem
from .ops_nn import weights


def large_image(g, low=8):
    """An image of some channels and pixels; now and then a new input."""
    found = [v for v in g.values if v.dtype == F32 and v.rank == 4 and v.shape[1] and v.shape[1] >= low and all(min(a.shape[2:]) >= 6 for a in v.arrays)]
    if found and g.chance(0.8):
        return g.choose(found)
    if len(g.inputs) >= 4:
        raise Reject("inputs enough")
    dynamic = len(g.sizes) > 1
    channels = g.choose([8, 16, 17, 24, 32])
    return g.graph_input(["n" if dynamic and g.chance(0.6) else g.integer(1, 2), channels, g.integer(6, 28), g.integer(6, 28)], F32)


def activation(g, x):
    op = g.choose(["Relu", "Relu", "LeakyRelu", "Sigmoid", "HardSwish", "Clip", "silu", "PRelu", None])
    if op is None or (op == "HardSwish" and g.opset < 14):
        return x
    if op == "silu":
        return g.emit("Mul", [x, g.emit("Sigmoid", [x])])
    if op == "PRelu":
        return g.emit(op, [x, g.random_constant([x.shape[1], 1, 1], F32)])
    if op == "Clip":
        if g.opset < 11:
            return g.emit(op, [x], min=0.0, max=6.0)
        return g.emit(op, [x, g.constant(np.float32(0)), g.constant(np.float32(6))])
    return g.emit(op, [x])


def conv_layer(g, x, out, kernel, stride=1, group=1):
    c = x.shape[1]
    pads = [k // 2 for k in kernel] * 2
    operands = [x, weights(g, [out, c // group, *kernel], F32, c // group * np.prod(kernel))]
    bias = g.chance(0.5)
    if bias:
        operands.append(g.random_constant([out], F32))
    y = g.emit("Conv", operands, group=group, kernel_shape=list(kernel), pads=pads, strides=[stride] * 2)
    if not bias and g.chance(0.7):
        y = g.emit("BatchNormalization", [y, *(g.random_constant([out], F32) for _ in range(3)), g.random_constant([out], F32, 0.5, 2.0)])
    return y


def block(g):
    """A residual, an inverted residual, a dense block or parallel branches."""
    x = large_image(g)
    c = x.shape[1]
    kind = g.integer(0, 4)
    if kind == 0:
        y = activation(g, conv_layer(g, x, c, g.choose([(3, 3), (1, 1), (3, 3)])))
        y = conv_layer(g, y, c, (3, 3))
        activation(g, g.emit("Add", [y, x] if g.chance(0.5) else [x, y]))
    elif kind == 1:
        y = activation(g, conv_layer(g, x, 2 * c, (1, 1)))
        y = activation(g, conv_layer(g, y, 2 * c, g.choose([(3, 3), (5, 5)]), g.integer(1, 2), 2 * c))
        y = conv_layer(g, y, c, (1, 1))
        if all(a.shape == b.shape for a, b in zip(x.arrays, y.arrays)):
            g.emit("Add", [x, y])
    elif kind == 2:
        y = activation(g, conv_layer(g, x, g.integer(4, 12), (3, 3)))
        g.emit("Concat", [x, y], axis=1)
    elif kind == 3:
        parts = [activation(g, conv_layer(g, x, g.integer(3, 16), k)) for k in ((1, 1), (3, 3), g.choose([(5, 5), (1, 3), (3, 1)]))]
        g.emit("Concat", parts, axis=1)
    else:
        s = g.emit("GlobalAveragePool", [x])
        s = activation(g, conv_layer(g, s, 4, (1, 1)))
        s = g.emit("Sigmoid", [conv_layer(g, s, c, (1, 1))])
        g.emit("Mul", [x, s])


def head(g):
    x = large_image(g)
    kind = g.integer(0, 2)
    y = g.emit("GlobalAveragePool", [x]) if kind else g.emit("ReduceMean", [x], **({"axes": [2, 3]} if g.opset < 18 else {}), keepdims=1) if g.opset < 18 else g.emit("ReduceMean", [x, g.ints(2, 3)])
    y = g.emit("Flatten", [y])
    k = y.shape[1]
    y = g.emit("Gemm", [y, weights(g, [10, k], F32, k), g.random_constant([10], F32)], transB=1)
    g.emit("Softmax", [y], axis=1)


def shuffle(g):
    """Channels shuffled by Reshape, Transpose, Reshape."""
    x = large_image(g)
    if not x.static or x.shape[1] % 2:
        raise Reject("channels")
    n, c, h, w = x.shape
    y = g.emit("Transpose", [g.emit("Reshape", [x, g.ints(n, 2, c // 2, h, w)])], perm=[0, 2, 1, 3, 4])
    g.emit("Reshape", [y, g.ints(n, c, h, w)])


def up_and_skip(g):
    x = large_image(g)
    y = g.emit("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    y = activation(g, conv_layer(g, y, x.shape[1], (3, 3)))
    if g.opset < 11 or any(s % 2 for a in x.arrays for s in a.shape[2:]):
        raise Reject("odd")
    y = g.emit("Resize", [y, g.constant(np.zeros(0, F32)) if g.opset < 13 else None, g.constant(np.array([1, 1, 2, 2], F32))], mode="nearest",
               coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    g.emit(g.choose(["Add", "Mul"]), [x, y])


def transformer(g):
    found = [v for v in g.values if v.dtype == F32 and v.rank == 3 and v.shape[2] and v.shape[2] % 4 == 0 and v.elements]
    if found and g.chance(0.7):
        x = g.choose(found)
    elif len(g.inputs) < 4:
        x = g.graph_input(["n" if len(g.sizes) > 1 else 2, g.integer(3, 17), g.choose([16, 32, 48])], F32)
    else:
        raise Reject("inputs enough")
    d = x.shape[2]
    y = x
    if g.opset >= 17 and g.chance(0.5):
        y = g.emit("LayerNormalization", [y, g.random_constant([d], F32), g.random_constant([d], F32)])
    elif g.opset < 18:
        centred = g.emit("Sub", [y, g.emit("ReduceMean", [y], axes=[-1] if g.opset >= 11 else [2])])
        square = g.emit("Pow", [centred, g.constant(np.float32(2))])
        mean = g.emit("ReduceMean", [square], axes=[-1] if g.opset >= 11 else [2])
        y = g.emit("Div", [centred, g.emit("Sqrt", [g.emit("Add", [mean, g.constant(np.float32(1e-3))])])])
        y = g.emit("Add", [g.emit("Mul", [y, g.random_constant([d], F32)]), g.random_constant([d], F32)])
    y = g.emit("Add", [g.emit("MatMul", [y, weights(g, [d, 2 * d], F32, d)]), g.random_constant([2 * d], F32)])
    kind = g.integer(0, 2)
    if kind == 0:
        e = g.emit("Erf", [g.emit("Div", [y, g.constant(np.float32(np.sqrt(2)))])])
        y = g.emit("Mul", [g.emit("Mul", [y, g.emit("Add", [e, g.constant(np.float32(1))])]), g.constant(np.float32(0.5))])
    elif kind == 1:
        y = g.emit("Mul", [y, g.emit("Sigmoid", [y])])
    else:
        y = g.emit("Relu", [y])
    y = g.emit("MatMul", [y, weights(g, [2 * d, d], F32, 2 * d)])
    g.emit("Add", [x, y])


def quantised_layer(g):
    """Quantise and dequantise around a convolution or a product, as quantisers write it. Scales are powers of two, so that
    everything between is exact in floats, and integers may be compared exactly."""
    if g.opset < 13:
        raise Reject("per channel from 13 on")
    image = g.chance(0.6)
    x = large_image(g, 3) if image else g.pick(lambda v: v.dtype == F32 and v.rank >= 2 and v.shape[-1] and v.elements)

    def around(v, dtype):
        s = g.constant(np.float32(2.0 ** np.ceil(np.log2(max(v.scale(), 0.1) / 120))))
        z = g.constant(np.array(0 if dtype == I8 else 128, dtype))
        return g.emit("DequantizeLinear", [g.emit("QuantizeLinear", [v, s, z]), s, z], exact=True), float(s.arrays[0])

    dtype = g.choose([I8, U8])
    x, step = around(x, dtype)
    out = g.integer(4, 20)
    k = x.shape[1] if image else x.shape[-1]
    # Windows of 3x3 without strides may be computed by Winograd's transforms, which round.
    kernel, stride = g.choose([((1, 1), 1), ((3, 3), 2), ((1, 1), 2)])
    shape = [out, k, *kernel] if image else [k, out]
    axis = 0 if image else 1
    q = g.constant(g.rng.integers(-100, 100, shape).astype(I8))
    each = g.chance(0.6)
    scale = (2.0 ** (g.rng.integers(-1, 2, [out] if each else []) - 7 - np.ceil(np.log2(k * (9 if image else 1)) / 2))).astype(F32)
    w = g.emit("DequantizeLinear", [q, g.constant(scale), g.constant(np.zeros([out] if each else [], I8))], exact=True, **({"axis": axis} if each else {}))
    if image:
        bias = [g.constant((g.rng.integers(-2000, 2000, [out]) * step * scale).astype(F32))] if g.chance(0.5) else []
        y = g.emit("Conv", [x, w, *bias], exact=True, kernel_shape=list(kernel), strides=[stride] * 2, pads=[k // 2 for k in kernel] * 2)
    else:
        y = g.emit("MatMul", [x, w], exact=True)
    if g.chance(0.5):
        y = g.emit("Relu", [y])
    around(y, dtype)


# ---- rare operators


def det(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank >= 2 and v.static and v.shape[-1] == v.shape[-2] and v.elements)
    g.emit("Det", [x])


def square_matrices(g):
    n = g.integer(1, 4)
    g.emit("Det", [g.emit("Reshape", [g.random_constant([2 * n * n], F32), g.ints(2, n, n)])])


def dft(g):
    x = g.pick(lambda v: v.dtype == F32 and 2 <= v.rank <= 4 and v.elements and v.shape[-1])
    if x.shape[-1] > 2:
        x = g.emit("Unsqueeze", [x, g.ints(x.rank)])
    if g.opset < 17 or x.rank < 3 or any(a.shape[1] < 1 for a in x.arrays):
        raise Reject("no signal")
    one = {"onesided": 1} if g.chance(0.3) and x.shape[-1] == 1 else {"inverse": g.integer(0, 1)}
    if g.opset < 20:
        g.emit("DFT", [x], axis=1, **one)
    else:
        g.emit("DFT", [x, None, g.constant(np.array(1, I64))], **one)


def col2im(g):
    c, h, w = g.integer(1, 3), g.integer(3, 7), g.integer(3, 7)
    kh, kw = g.integer(1, 3), g.integer(1, 3)
    x = g.random_constant([g.integer(1, 2), c * kh * kw, (h - kh + 1) * (w - kw + 1)], F32)
    g.emit("Col2Im", [x, g.ints(h, w), g.ints(kh, kw)])


def bit_cast(g):
    found = [v for v in g.values if v.dtype == I32]
    x = g.choose(found) if found else g.random_constant([3, 4], I32, 0, 9)
    if any((a < 0).any() for a in x.arrays):
        raise Reject("large numbers")
    g.emit("BitCast", [x], to=elem(np.dtype(np.uint32)))


def cum_prod(g):
    x = g.pick(lambda v: v.dtype in (F32, F64) and v.rank > 0)
    g.emit("CumProd", [x, g.constant(np.array(g.integer(-x.rank, x.rank - 1), I64))], exclusive=g.integer(0, 1), reverse=g.integer(0, 1))


def roi_align(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 4 and v.shape[0] and all(min(a.shape) > 1 for a in v.arrays))
    n = g.integer(1, 3)
    corners = g.rng.uniform(0, 3, [n, 2])
    rois = g.constant(np.concatenate([corners, corners + g.rng.uniform(0.5, 3, [n, 2])], 1).astype(F32))
    which = g.constant(g.rng.integers(0, x.shape[0], n).astype(I64))
    extra = {"coordinate_transformation_mode": g.choose(["half_pixel", "output_half_pixel"])} if g.opset >= 16 else {}
    g.emit("RoiAlign", [x, rois, which], mode="avg", output_height=g.integer(1, 3), output_width=g.integer(1, 3), sampling_ratio=g.integer(1, 2), **extra)


def max_unpool(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 4 and v.static and v.elements and not min(v.shape[2] % 2, v.shape[3] % 2) and min(v.shape[2:]) >= 2)
    y, i = g.emit("MaxPool", [x], 2, kernel_shape=[2, 2], strides=[2, 2])
    g.emit("MaxUnpool", [y, i], kernel_shape=[2, 2], strides=[2, 2])


def affine_grid(g):
    theta = g.random_constant([2, 2, 3], F32)
    g.emit("AffineGrid", [theta, g.ints(2, 3, g.integer(2, 5), g.integer(2, 5))], align_corners=g.integer(0, 1))


def window_function(g):
    g.emit(g.choose(["HannWindow", "HammingWindow", "BlackmanWindow"]), [g.constant(np.array(g.integer(3, 12), I64))], periodic=g.integer(0, 1))


def swiglu(g):
    x = g.pick(lambda v: v.dtype in (F32, F16))
    g.emit("SwiGLU", [x, x], **({"alpha": 1.5} if g.chance(0.4) else {}))


def tensor_scatter(g):
    cache = g.random_constant([2, 3, 6, 4], F32)
    update = g.random_constant([2, 3, 2, 4], F32, -1, 1)
    g.emit("TensorScatter", [cache, update, g.constant(np.array([g.integer(0, 4), g.integer(0, 4)], I64))], mode=g.choose(["linear", "circular"]))


def loss(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 2 and v.static and v.elements)
    labels = g.constant(g.rng.integers(0, x.shape[1], x.shape[0]).astype(I64))
    op = g.choose(["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
    g.emit(op, [x, labels], reduction=g.choose(["mean", "sum", "none"]))


def deform_conv(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 4 and v.static and min(v.shape[2:]) >= 3 and v.elements < 3000)
    n, c, h, w = x.shape
    offset = g.constant(g.rng.uniform(-0.9, 0.9, [n, 8, h - 1, w - 1]).astype(F32))
    g.emit("DeformConv", [x, weights(g, [3, c, 2, 2], F32, 4 * c), offset], kernel_shape=[2, 2], pads=[0, 0, 0, 0])


def max_roi_pool(g):
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 4 and v.shape[0] and all(min(a.shape[2:]) > 3 for a in v.arrays))
    rois = g.constant(np.array([[0, 0, 0, 2, 2], [x.shape[0] - 1, 1, 1, 3, 3]], F32))
    g.emit("MaxRoiPool", [x, rois], pooled_shape=[2, 2])


def stft(g):
    signal = g.random_constant([2, g.integer(16, 24), 1], F32)
    window = g.constant(np.hanning(8).astype(F32)) if g.chance(0.5) else None
    g.emit("STFT", [signal, g.constant(np.array(4, I64)), window, g.constant(np.array(8, I64)) if window is None else None], onesided=g.integer(0, 1))


def mel(g):
    g.emit("MelWeightMatrix", [g.constant(np.array(n, I64)) for n in (8, 16, 8192)] + [g.constant(np.float32(n)) for n in (0, 4096)])


def states(g):
    """What came with operator set 27."""
    x = g.random_constant([2, 4, 7], F32)
    if g.choose(["LinearAttention", "CausalConvWithState"]) == "LinearAttention":
        q, k, v = (g.random_constant([2, 5, 8], F32) for _ in range(3))
        g.emit("LinearAttention", [q, k, v], 2, q_num_heads=2, kv_num_heads=2, update_rule="linear")
        return
    g.emit("CausalConvWithState", [x, weights(g, [4, 1, 3], F32, 3), g.random_constant([4], F32)], 2, activation=g.choose(["none", "silu"]))


BLOCKS = [(4, block), (1, head), (1, shuffle), (1.5, up_and_skip), (2, transformer), (2.5, quantised_layer)]
RARE = [(0.2, f) for f in (det, square_matrices, dft, col2im, bit_cast, cum_prod, roi_align, max_unpool, affine_grid, window_function, swiglu, tensor_scatter,
                           loss, deform_conv, max_roi_pool, stft, mel, states)]
TABLE = BLOCKS + RARE
