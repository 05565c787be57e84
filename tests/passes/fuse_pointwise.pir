case a chain, and constants of one element
input
graph g(%x: f32[n,3,4]) -> (%y)
  %two: f32[1,1] = const [2]
  %b: f32[3,1] = const [1, 2, 3]
  %a = pointwise(%x, %two) expr="mul(x0,x1)"  # from "Mul_1"
  %c = pointwise(%b, %a) expr="add(x0,x1)"
  %y = pointwise(%c) expr="relu(x0)"
end
expect
graph g(%x: f32[n,3,4]) -> (%y)
  %b: f32[3,1] = const [1, 2, 3]
  %y = pointwise(%x, %b) expr="relu(add(x1,mul(x0,2.0:f32)))"  # from "y", "c", "Mul_1"
end

case a value used twice by one node
input
graph g(%x: f32[n]) -> (%y)
  %a = pointwise(%x) expr="exp(x0)"
  %y = pointwise(%a, %a) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="t0=exp(x0);mul(t0,t0)"  # from "y", "a"
end

case what two nodes use, and what is an output, stays
input
graph g(%x: f32[n]) -> (%a, %y, %z)
  %a = pointwise(%x) expr="exp(x0)"
  %b = pointwise(%x) expr="tanh(x0)"
  %y = pointwise(%a, %b) expr="mul(x0,x1)"
  %z = pointwise(%b) expr="neg(x0)"
end
expect unchanged

case what is dear and smaller is not repeated; what is cheap is
input
graph g(%x: f32[n,4], %s: f32[n,1], %t: f32[n,1]) -> (%y)
  %a = pointwise(%s) expr="sigmoid(x0)"
  %b = pointwise(%t) expr="neg(x0)"
  %c = pointwise(%x, %a) expr="mul(x0,x1)"
  %y = pointwise(%c, %b) expr="add(x0,x1)"
end
expect
graph g(%x: f32[n,4], %s: f32[n,1], %t: f32[n,1]) -> (%y)
  %a = pointwise(%s) expr="sigmoid(x0)"
  %y = pointwise(%t, %x, %a) expr="add(mul(x1,x2),neg(x0))"  # from "y", "c", "b"
end

case each of two convolutions keeps its epilogue
input
graph g(%x: f32[n,1,4]) -> (%y)
  %w: f32[1,1,1] = const [2]
  %v: f32[1,1,1] = const [3]
  %a = conv(%x, %w)
  %b = conv(%x, %v)
  %c = pointwise(%a) expr="relu(x0)"
  %d = pointwise(%c, %b) expr="add(x0,x1)"
  %y = pointwise(%d) expr="relu(x0)"
end
expect
graph g(%x: f32[n,1,4]) -> (%y)
  %w: f32[1,1,1] = const [2]
  %v: f32[1,1,1] = const [3]
  %a = conv(%x, %w)
  %b = conv(%x, %v)
  %c = pointwise(%a) expr="relu(x0)"
  %y = pointwise(%c, %b) expr="relu(add(x0,x1))"  # from "y", "d"
end

case a constant that decides the shape stays an operand
input
graph g(%x: f32[]) -> (%y)
  %one: f32[1] = const [1]
  %y = pointwise(%x, %one) expr="add(x0,x1)"
end
expect
graph g(%x: f32[]) -> (%y)
  %one: f32[1] = const [1]
  %y = pointwise(%x, %one) expr="add(x0,1.0:f32)"
end

case in a subgraph
input
graph g(%c: bool[], %x: f32[n]) -> (%y)
  %y = if(%c, %x) then_graph={ graph t(%x: f32[n]) -> (%b)
    %a = pointwise(%x) expr="exp(x0)"
    %b = pointwise(%a) expr="neg(x0)"
  end } else_graph={ graph e(%x: f32[n]) -> (%x)
  end }
end
expect
graph g(%c: bool[], %x: f32[n]) -> (%y)
  %y = if(%c, %x) then_graph={ graph t(%x: f32[n]) -> (%b)
    %b = pointwise(%x) expr="neg(exp(x0))"  # from "b", "a"
  end } else_graph={ graph e(%x: f32[n]) -> (%x)
  end }
end

case a mask of integers stays apart from floats
input
graph g(%x: f32[n,4], %m: i64[n,4]) -> (%y)
  %a = pointwise(%m) expr="cast(x0,f32)"
  %b = pointwise(%a) expr="sub(1.0:f32,x0)"
  %y = pointwise(%x, %b) expr="add(x0,x1)"
end
expect
graph g(%x: f32[n,4], %m: i64[n,4]) -> (%y)
  %a = pointwise(%m) expr="cast(x0,f32)"
  %y = pointwise(%a, %x) expr="add(x1,sub(1.0:f32,x0))"  # from "y", "b"
end

case a small convolution keeps its cheap epilogue
input
graph g(%x: f32[n,1,4], %s: f32[n,1,1]) -> (%y)
  %w: f32[1,1,1] = const [2]
  %a = conv(%s, %w)
  %b = pointwise(%a) expr="relu(x0)"
  %y = pointwise(%x, %b) expr="mul(x0,x1)"
end
expect unchanged
