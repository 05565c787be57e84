"""Operators that move elements, and arithmetic on shapes."""

import numpy as np

from .core import BOOL, F32, I32, I64, NEWEST_IN_RUNTIME, Reject, elem


def any_value(g, low=1, high=6):
    return g.pick(lambda v: low <= v.rank <= high)


def split_extent(g, n, parts):
    """|n| as a product of |parts| factors."""
    factors = []
    for _ in range(parts - 1):
        f = g.choose([d for d in range(1, n + 1) if n % d == 0]) if n else 1
        factors.append(f)
        n = n // f if f else 0
    return [*factors, n]


def reshape(g):
    x = any_value(g, 0, 5)
    if any(a.size == 0 for a in x.arrays):
        raise Reject("empty")
    if x.static:
        target = split_extent(g, int(np.prod(x.shape)), g.integer(1, 4))
        if g.chance(0.5):
            target[g.integer(0, len(target) - 1)] = -1
    else:
        unknown = [i for i, d in enumerate(x.shape) if d is None]
        if len(unknown) > 1 or g.chance(0.4):
            target = [0] * (unknown[-1] if len(unknown) > 1 else x.rank - 1)
            if any(d is None for d in x.shape[len(target):]) and len([d for d in x.shape[len(target):] if d is None]) > 1:
                raise Reject("two unknown extents")
            target.append(-1)
        else:
            target = split_extent(g, int(np.prod([d for d in x.shape if d is not None])), g.integer(1, 3))
            target.insert(g.integer(0, len(target)), -1)
    g.emit("Reshape", [x, g.ints(*target)])


def reshape_by_shape(g):
    """Shape -> Gather -> (arithmetic) -> Concat -> Reshape, as exporters write it."""
    x = any_value(g, 2, 5)
    if any(a.size == 0 for a in x.arrays):
        raise Reject("empty")
    shape = g.emit("Shape", [x])
    keep = g.integer(1, x.rank - 1)
    parts = []
    for i in range(keep):
        if g.chance(0.5):
            parts.append(g.emit("Gather", [shape, g.ints(i)], axis=0))
        else:
            scalar = g.emit("Gather", [shape, g.constant(np.array(i, I64))], axis=0)
            parts.append(g.emit("Unsqueeze", [scalar, g.ints(0)]) if g.opset >= 13 else g.emit("Unsqueeze", [scalar], axes=[0]))
    if keep > 1 and g.chance(0.4):
        parts = [g.emit("Mul", parts[:2]), *parts[2:]]
    if g.chance(0.3):
        rest = [g.emit("ReduceProd", [slice_of(g, shape, keep)], keepdims=1)]
    else:
        rest = [g.ints(-1)]
    g.emit("Reshape", [x, g.emit("Concat", [*parts, *rest], axis=0)])


def slice_of(g, x, start, end=2 ** 31):
    if g.opset < 10:
        return g.emit("Slice", [x], starts=[start], ends=[end], axes=[0])
    return g.emit("Slice", [x, g.ints(start), g.ints(end), g.ints(0)])


def flatten(g):
    x = any_value(g, 1)
    g.emit("Flatten", [x], axis=g.integer(-x.rank if g.opset >= 11 else 0, x.rank))


def squeeze(g):
    x = g.pick(lambda v: 1 in v.shape)
    axes = [i for i, d in enumerate(x.shape) if d == 1 and g.chance(0.7)]
    if not axes:
        if not x.static:
            raise Reject("which axes is not known")
        g.emit("Squeeze", [x])
    elif g.opset >= 13:
        g.emit("Squeeze", [x, g.ints(*axes)])
    else:
        g.emit("Squeeze", [x], axes=axes)


def unsqueeze(g):
    x = any_value(g, 0, 4)
    rank = x.rank + g.integer(1, 2)
    axes = sorted(int(a) for a in g.rng.permutation(rank)[:rank - x.rank])
    if g.opset >= 11:
        axes = [a - rank if g.chance(0.3) else a for a in axes]
    if g.opset >= 13:
        g.emit("Unsqueeze", [x, g.ints(*axes)])
    else:
        g.emit("Unsqueeze", [x], axes=axes)


def transpose(g):
    x = any_value(g, 1)
    g.emit("Transpose", [x], **({"perm": [int(i) for i in g.rng.permutation(x.rank)]} if g.chance(0.9) else {}))


def slice_(g):
    x = any_value(g, 1)
    axes = [i for i in range(x.rank) if g.chance(0.5)] or [0]
    starts, ends, steps = [], [], []
    for a in axes:
        least = min(v.shape[a] for v in x.arrays)
        if not least:
            raise Reject("empty")
        start = g.integer(0, least - 1)
        if g.opset >= 10 and g.chance(0.25):
            starts.append(g.choose([-1, least - 1, 2 ** 40]))
            ends.append(g.choose([-2 ** 40, -least - 1, 0 if least > 1 else -2 ** 40]))
            steps.append(-g.integer(1, 3))
            continue
        starts.append(start if g.chance(0.6) else start - least)
        ends.append(g.choose([2 ** 40, start + 1, least + 5, least if start < least else 2 ** 40]))
        steps.append(g.integer(1, 3) if g.opset >= 10 else 1)
    if g.opset < 10:
        g.emit("Slice", [x], starts=starts, ends=[min(e, 2 ** 31) for e in ends], axes=axes)
        return
    if g.chance(0.3):
        axes = [a - x.rank for a in axes]
    steps = g.ints(*steps) if any(s != 1 for s in steps) or g.chance(0.3) else None
    g.emit("Slice", [x, g.ints(*starts), g.ints(*ends), g.ints(*axes), steps])


def split(g):
    x = any_value(g, 1)
    axis = g.integer(-x.rank if g.opset >= 11 else 0, x.rank - 1)
    n = x.shape[axis]
    if not n or n < 2:
        raise Reject("nothing to split")
    parts = g.integer(2, min(n, 4))
    if n % parts == 0 and g.chance(0.5):
        g.emit("Split", [x], parts, axis=axis, **({"num_outputs": parts} if g.opset >= 18 else {}))
        return
    cuts = sorted(int(c) for c in g.rng.permutation(n - 1)[:parts - 1] + 1)
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, n])]
    if g.opset >= 13:
        g.emit("Split", [x, g.ints(*sizes)], parts, axis=axis)
    else:
        g.emit("Split", [x], parts, axis=axis, split=sizes)


def concat(g):
    x = any_value(g, 1)
    axis = g.integer(0, x.rank - 1)

    def fits(v):
        return v.dtype == x.dtype and v.rank == x.rank and all(
            a.shape[:axis] + a.shape[axis + 1:] == b.shape[:axis] + b.shape[axis + 1:] for a, b in zip(v.arrays, x.arrays))

    others = [v for v in g.values if fits(v)]
    operands = [x] + [g.choose(others) for _ in range(g.integer(1, 3))]
    if x.static and g.chance(0.3):
        shape = list(x.shape)
        shape[axis] = g.integer(1, 3)
        operands.append(g.random_constant(shape, x.dtype))
    g.emit("Concat", operands, axis=axis - x.rank if g.opset >= 11 and g.chance(0.4) else axis)


def pad(g):
    x = g.pick(lambda v: v.is_float and v.rank > 0 or (g.opset >= 13 and v.dtype in (I32, I64) and v.rank > 0))
    mode = g.choose(["constant", "constant", "reflect", "edge"] + (["wrap"] if g.opset >= 19 else []))
    low = -1 if mode == "constant" else 0
    least = [min(a.shape[i] for a in x.arrays) for i in range(x.rank)]
    pads = [g.integer(low, 2) if g.chance(0.5) else 0 for _ in range(2 * x.rank)]
    for i in range(x.rank):
        limit = max(0, least[i] - 1) if mode != "constant" else 5
        pads[i], pads[i + x.rank] = min(pads[i], limit), min(pads[i + x.rank], limit)
        if least[i] + min(pads[i], 0) + min(pads[i + x.rank], 0) <= 0:
            raise Reject("nothing left")
    value = g.choose([0.0, 0.0, 1.5, -2.0])
    if g.opset < 11:
        g.emit("Pad", [x], pads=pads, mode=mode, **({"value": value} if mode == "constant" and value else {}))
        return
    operands = [x, g.ints(*pads), g.constant(np.array(value, x.dtype)) if mode == "constant" and g.chance(0.6) else None]
    if g.opset >= 18 and g.chance(0.3):
        axes = [i for i in range(x.rank) if g.chance(0.6)] or [0]
        operands[1] = g.ints(*[pads[a] for a in axes], *[pads[a + x.rank] for a in axes])
        operands.append(g.ints(*axes))
    g.emit("Pad", operands, mode=mode)


def index_array(g, shape, extent, dtype=None):
    low = -extent if g.opset >= 11 and g.chance(0.4) else 0
    return g.constant(g.rng.integers(low, extent, shape).astype(dtype or g.choose([I64, I32])))


def gather(g):
    x = any_value(g, 1)
    axis = g.integer(-x.rank, x.rank - 1)
    least = min(a.shape[axis] for a in x.arrays)
    if not least:
        raise Reject("empty")
    low = 0 if x.shape[axis] is None else None
    shape = [g.integer(1, 4) for _ in range(g.integer(0, 2))]
    indices = g.constant(g.rng.integers(0, least, shape).astype(I64)) if low == 0 else index_array(g, shape, least)
    g.emit("Gather", [x, indices], axis=axis)


def gather_elements(g):
    x = g.pick(lambda v: 1 <= v.rank <= 4 and v.static and v.elements > 0)
    axis = g.integer(-x.rank, x.rank - 1)
    shape = [g.integer(1, d) for d in x.shape]
    shape[axis] = g.integer(1, 5)
    g.emit("GatherElements", [x, index_array(g, shape, x.shape[axis])], axis=axis)


def gather_nd(g):
    x = g.pick(lambda v: 1 <= v.rank <= 4 and v.static and v.elements > 0)
    depth = g.integer(1, x.rank)
    shape = [g.integer(1, 3) for _ in range(g.integer(0, 2))]
    indices = np.stack([g.rng.integers(0, x.shape[i], shape) for i in range(depth)], -1).astype(I64)
    g.emit("GatherND", [x, g.constant(indices)])


def scatter(g):
    x = g.pick(lambda v: 1 <= v.rank <= 4 and v.static and v.elements > 0 and v.dtype != BOOL)
    reduction = g.choose(["add", "mul", "max", "min"]) if g.opset >= 18 and g.chance(0.5) else None
    if g.chance(0.5) or g.opset < 11:
        axis = g.integer(0, x.rank - 1)
        shape = list(x.shape)
        shape[axis] = g.integer(1, x.shape[axis])
        one = g.rng.permutation(x.shape[axis])[:shape[axis]]  # each place once: who comes last is not said
        indices = np.broadcast_to(one.reshape([-1 if i == axis else 1 for i in range(x.rank)]), shape).astype(I64)
        op = "ScatterElements" if g.opset >= 11 else "Scatter"
        g.emit(op, [x, g.constant(indices.copy()), g.random_constant(shape, x.dtype)], axis=axis, reduction=reduction)
        return
    rows = g.rng.permutation(x.shape[0])[:g.integer(1, x.shape[0])].astype(I64)[:, None]
    g.emit("ScatterND", [x, g.constant(rows), g.random_constant([len(rows), *x.shape[1:]], x.dtype)], reduction=reduction)


def expand(g):
    x = g.pick(lambda v: v.rank <= 4)
    target = [g.integer(1, 4) if d == 1 else (d if d is not None and g.chance(0.5) else 1) for d in x.shape]
    if g.chance(0.3):
        target = [g.integer(1, 3), *target]
    g.emit("Expand", [x, g.ints(*target)])


def expand_like(g):
    """To the shape of another value."""
    x = g.pick(lambda v: v.rank <= 4)
    others = [v for v in g.values if v.rank >= x.rank and v.elements < 5000 and all(
        all(d in (1, e) for d, e in zip(a.shape[::-1], b.shape[::-1])) for a, b in zip(x.arrays, v.arrays))]
    g.emit("Expand", [x, g.emit("Shape", [g.choose(others)])])


def tile(g):
    x = any_value(g, 1, 4)
    g.emit("Tile", [x, g.ints(*[g.integer(1, 3) if g.chance(0.5) else 1 for _ in range(x.rank)])])


def depth_space(g):
    x = g.pick(lambda v: v.rank == 4 and v.is_float and v.elements > 0)
    if g.chance(0.5):
        if not x.shape[1] or x.shape[1] % 4:
            raise Reject("channels")
        g.emit("DepthToSpace", [x], blocksize=2, **({"mode": g.choose(["DCR", "CRD"])} if g.opset >= 11 else {}))
    else:
        if any(a.shape[2] % 2 or a.shape[3] % 2 for a in x.arrays):
            raise Reject("odd")
        g.emit("SpaceToDepth", [x], blocksize=2)


def trilu(g):
    x = any_value(g, 2, 4)
    k = g.constant(np.array(g.integer(-2, 2), I64)) if g.chance(0.6) else None
    g.emit("Trilu", [x, k], upper=g.integer(0, 1))


def reverse_sequence(g):
    x = g.pick(lambda v: v.rank >= 2 and v.shape[0] is not None and v.shape[1] is not None and v.elements > 0)
    time = g.integer(0, 1)
    lengths = g.constant(g.rng.integers(1, x.shape[time] + 1, x.shape[1 - time]).astype(I64))
    g.emit("ReverseSequence", [x, lengths], time_axis=time, batch_axis=1 - time)


def compress(g):
    x = any_value(g, 1, 4)
    if g.chance(0.3):
        g.emit("Compress", [x, g.constant(g.random_array([g.integer(1, max(1, min(a.size for a in x.arrays)))], BOOL))])
        return
    axis = g.integer(0, x.rank - 1)
    least = min(a.shape[axis] for a in x.arrays)
    if not least:
        raise Reject("empty")
    condition = g.random_array([g.integer(1, least)], BOOL)
    condition[0] = True
    g.emit("Compress", [x, g.constant(condition)], axis=axis)


def compress_by_value(g):
    """A condition that is computed: how much is left is known only when it runs."""
    x = any_value(g, 1, 3)
    found = [v for v in g.values if v.dtype == BOOL and v.rank == 1 and not v.constant and any(v.shape == (d,) for d in x.shape if d)]
    c = g.choose(found)
    g.emit("Compress", [x, c], axis=x.shape.index(c.shape[0]))


def non_zero(g):
    x = g.pick(lambda v: v.rank >= 1 and v.elements < 500 and v.dtype in (F32, I64, I32, BOOL))
    if x.is_float and any(((a != 0) & (np.abs(a) < 1e-4)).any() for a in x.arrays):
        raise Reject("zero but for a last digit")
    r = g.emit("NonZero", [x])
    if g.chance(0.5):
        g.emit("Transpose", [r])


def unique(g):
    x = g.pick(lambda v: v.dtype in (I64, F32) and 1 <= v.rank <= 3 and 0 < v.elements < 300)
    if x.is_float and x.error() > 0:
        raise Reject("equal but for a last digit")
    axis, ordered = {"axis": g.integer(0, x.rank - 1)} if g.chance(0.4) else {}, g.integer(0, 1)
    if axis and not ordered and g.opset > NEWEST_IN_RUNTIME:
        raise Reject("the reference takes another axis")
    g.emit("Unique", [x], 4, sorted=ordered, **axis)


def one_hot(g):
    x = g.pick(lambda v: v.dtype in (I64, I32) and v.rank <= 3 and v.elements < 200)
    depth = g.integer(2, 8)
    values = g.constant(np.array([0, 1], g.choose([F32, I64])) if g.chance(0.6) else np.array([-0.5, 2.5], F32))
    g.emit("OneHot", [x, g.constant(np.array(depth, I64)), values], axis=g.choose([-1, 0, x.rank]))


def shape_size(g):
    x = g.pick()
    if g.chance(0.3):
        g.emit("Size", [x])
    elif g.opset >= 15 and g.chance(0.5):
        g.emit("Shape", [x], start=g.integer(-3, 1), end=g.integer(-1, 4))
    else:
        g.emit("Shape", [x])


def shape_arithmetic(g):
    """What models compute of shapes: elements picked, added, multiplied, and made a tensor again."""
    x = any_value(g, 1)
    shape = g.emit("Shape", [x])
    n = g.emit("Gather", [shape, g.constant(np.array(g.integer(0, x.rank - 1), I64))], axis=0)
    n = g.emit(g.choose(["Add", "Mul", "Add"]), [n, g.constant(np.array(g.integer(1, 3), I64))])
    if any(int(a) > 200 or int(a) < 1 for a in n.arrays):
        raise Reject("large")
    kind = g.integer(0, 2)
    if kind == 0:
        r = g.emit("Range", [g.constant(np.array(0, I64)), n, g.constant(np.array(1, I64))])
        g.emit("Cast", [r], to=elem(F32))
        return
    one = g.emit("Unsqueeze", [n, g.ints(0)]) if g.opset >= 13 else g.emit("Unsqueeze", [n], axes=[0])
    target = g.emit("Concat", [one, g.ints(g.integer(1, 4))], axis=0)
    if kind == 1:
        g.emit("ConstantOfShape", [target], value=tensor(np.array([g.choose([0, 1, 2.5])], F32)))
    else:
        g.emit("Expand", [g.random_constant([1, 1], F32), target])


def tensor(array):
    from onnx import numpy_helper

    return numpy_helper.from_array(array)


def eye_like(g):
    x = g.pick(lambda v: v.rank == 2 and v.dtype in (F32, I64, I32))
    g.emit("EyeLike", [x], k=g.integer(-1, 1), **({"dtype": elem(F32)} if g.chance(0.5) else {}))


def range_(g):
    dtype = g.choose([I64, I32, F32])
    start, step, count = g.integer(-3, 3), g.choose([1, 2, -1]), g.integer(1, 9)
    g.emit("Range", [g.constant(np.array(n, dtype)) for n in (start, start + step * count, step)])


def center_crop_pad(g):
    x = g.pick_float(1, 4)
    axes = sorted(int(a) for a in g.rng.permutation(x.rank)[:g.integer(1, x.rank)])
    g.emit("CenterCropPad", [x, g.ints(*[g.integer(1, 9) for _ in axes])], axes=axes)


TABLE = [
    (3, reshape), (3, reshape_by_shape), (1, flatten), (1.5, squeeze), (2, unsqueeze), (4, transpose), (3, slice_), (2.5, split), (3, concat),
    (2, pad), (3, gather), (1, gather_elements), (1, gather_nd), (1.5, scatter), (1.5, expand), (1, expand_like), (1, tile), (0.8, depth_space),
    (0.7, trilu), (0.5, reverse_sequence), (0.6, compress), (0.7, compress_by_value), (0.8, non_zero), (0.5, unique), (0.7, one_hot),
    (1, shape_size), (1.5, shape_arithmetic), (0.3, eye_like), (0.3, range_), (0.4, center_crop_pad),
]
