"""If, Loop and Scan, whose subgraphs take values from outside."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .core import BOOL, F32, I64, Reject, elem


class Body:
    """Nodes of a subgraph, on values of one shape."""

    def __init__(self, g):
        self.g, self.nodes, self.taken = g, [], []

    def add(self, op, names, **attributes):
        name = self.g.fresh("b")
        self.nodes.append(helper.make_node(op, names, [name], **attributes))
        return name

    def steps(self, name, x):
        """Some operators on |name|, which is like value |x|; values from outside are those that have its shape, or one element."""
        for _ in range(self.g.integer(1, 3)):
            if self.g.chance(0.4):
                name = self.add(self.g.choose(["Tanh", "Relu", "Sigmoid", "Neg", "Abs"]), [name])
                continue
            outside = [v for v in self.g.values if v.dtype == x.dtype and ([a.shape for a in v.arrays] == [a.shape for a in x.arrays]
                                                                          or all(a.size == 1 and a.ndim <= x.rank for a in v.arrays))]
            other = self.g.choose(outside)
            self.taken.append(other)
            name = self.add(self.g.choose(["Add", "Mul", "Sub"]), [name, other.name])
        return name

    def graph(self, inputs, outputs):
        """Of (name, element type) each; shapes are left to be found."""
        infos = [[helper.make_tensor_value_info(n, t, s) for n, t, s in side] for side in (inputs, outputs)]
        return helper.make_graph(self.nodes, self.g.fresh("body"), *infos)


def dims(v):
    return list(v.shape)


def picked(g):
    return g.pick(lambda v: v.dtype == F32 and v.rank <= 4 and 0 < v.elements < 3000)


def condition(g):
    found = [v for v in g.values if v.dtype == BOOL and v.rank == 0]
    if found and g.chance(0.3):
        return g.choose(found)
    if g.chance(0.3):
        return g.constant(np.array(bool(g.integer(0, 1))))
    x = picked(g)
    mean = g.emit("ReduceMean", [x], keepdims=0)
    return g.emit("Greater" if g.chance(0.5) else "Less", [mean, g.constant(np.array(0.1, F32))])


def if_(g):
    c, x = condition(g), picked(g)
    branches = []
    taken = [x]
    for _ in range(2):
        body = Body(g)
        end = body.steps(x.name, x)
        branches.append(body.graph([], [(end, elem(F32), None)]))
        taken += body.taken
    g.emit("If", [c], extra=taken, then_branch=branches[0], else_branch=branches[1])


def loop(g):
    x = picked(g)
    body = Body(g)
    state, i, keep = g.fresh("b"), g.fresh("b"), g.fresh("b")
    half = body.add("Constant", [], value=numpy_helper.from_array(np.array(0.5, F32)))
    end = body.add("Mul", [body.steps(state, x), half])
    outputs = [(end, elem(F32), dims(x))]
    if g.chance(0.3):
        limit = body.add("Constant", [], value=numpy_helper.from_array(np.array(1, I64)))
        go_on = body.add("Less", [i, limit]) if g.opset >= 9 else body.add("Identity", [keep])
    else:
        go_on = body.add("Identity", [keep])
    scanned = g.chance(0.5)
    if scanned:
        outputs.append((body.add("Tanh", [end]), elem(F32), dims(x)))
    graph = body.graph([(i, elem(I64), []), (keep, elem(BOOL), []), (state, elem(F32), dims(x))], [(go_on, elem(BOOL), []), *outputs])
    trips = g.constant(np.array(g.integer(1, 4), I64))
    start = g.constant(np.array(True)) if g.chance(0.6) else None
    g.emit("Loop", [trips, start, x], len(outputs), extra=body.taken, body=graph)


def scan_8(g):
    """Of a batch: states and rows have the batch in front."""
    if g.opset != 8:
        raise Reject("another form")
    x = g.pick(lambda v: v.dtype == F32 and v.rank == 3 and 0 < v.elements < 3000 and v.static)
    inner = list(x.shape[2:])
    body = Body(g)
    s, row = g.fresh("b"), g.fresh("b")
    end = body.add("Tanh", [body.add("Add", [s, row])])
    out = body.add("Sigmoid", [end])
    graph = body.graph([(s, elem(F32), inner), (row, elem(F32), inner)], [(end, elem(F32), inner), (out, elem(F32), inner)])
    g.emit("Scan", [None, g.random_constant([x.shape[0], *inner], F32), x], 2, body=graph, num_scan_inputs=1)


def scan(g):
    if g.opset < 9:
        return scan_8(g)
    x = g.pick(lambda v: v.dtype == F32 and 2 <= v.rank <= 4 and 0 < v.elements < 3000 and v.static)
    state = g.random_constant(x.shape[1:], F32)
    body = Body(g)
    s, row = g.fresh("b"), g.fresh("b")
    mixed = body.add("Add", [body.add("Mul", [s, body.add("Constant", [], value=numpy_helper.from_array(np.array(0.5, F32)))]), row])
    end = body.steps(mixed, state)
    out = body.add("Sigmoid", [end])
    inner = list(x.shape[1:])
    graph = body.graph([(s, elem(F32), inner), (row, elem(F32), inner)], [(end, elem(F32), inner), (out, elem(F32), inner)])
    attributes = {"scan_input_directions": [1]} if g.chance(0.3) else {}
    if g.chance(0.3):
        attributes["scan_output_directions"] = [1]
    g.emit("Scan", [state, x], 2, extra=body.taken, body=graph, num_scan_inputs=1, **attributes)


TABLE = [(1.2, if_), (1.2, loop), (1, scan)]
