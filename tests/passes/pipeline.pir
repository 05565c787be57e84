case a residual block
input
graph g(%x: f32[n,2,4,4]) -> (%y)
  %w: f32[2,2,1,1] = const [1, 2, 3, 4]
  %s: f32[2] = const [2, 4]
  %b: f32[2] = const [1, 2]
  %m: f32[2] = const [0, 0]
  %v: f32[2] = const [1, 1]
  %c = conv(%x, %w)  # from "conv1"
  %n = batch_norm(%c, %s, %b, %m, %v) epsilon=0.0  # from "bn1"
  %a = pointwise(%n, %x) expr="add(x0,x1)"  # from "add1"
  %y = pointwise(%a) expr="relu(x0)"  # from "relu1"
end
expect
graph g(%x: f32[n,2,4,4]) -> (%y)
  %w_1: f32[2,2,1,1] = const [2, 4, 12, 16]
  %c.bias: f32[2] = const [1, 2]
  %c = conv(%x, %w_1, %c.bias)  # from "conv1", "bn1"
  %y = pointwise(%c, %x) expr="relu(add(x0,x1))"  # from "relu1", "add1"
end

case a gelu behind a product, in an exporter's nodes
input
graph g(%x: f32[n,2]) -> (%y)
  %w: f32[2,2] = const [1, 2, 3, 4]
  %b: f32[2] = const [1, 2]
  %one: f32[] = const [1]
  %half: f32[] = const [0.5]
  %root: f32[] = const [1.4142135]
  %m = matmul(%x, %w)
  %a = pointwise(%m, %b) expr="add(x0,x1)"
  %d = pointwise(%a, %root) expr="div(x0,x1)"
  %e = pointwise(%d) expr="erf(x0)"
  %f = pointwise(%e, %one) expr="add(x0,x1)"
  %h = pointwise(%a, %f) expr="mul(x0,x1)"
  %y = pointwise(%h, %half) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n,2]) -> (%y)
  %w: f32[2,2] = const [1, 2, 3, 4]
  %b: f32[2] = const [1, 2]
  %m = matmul(%x, %w)
  %y = pointwise(%m, %b) expr="gelu(add(x0,x1))"  # from "y", "h", "f", "e", "d", "a"
end

case channels last around a convolution that wants them first
input
graph g(%x: f32[2,4,4,3]) -> (%y)
  %w: f32[2,3,1,1] = const [1, 2, 3, 4, 5, 6]
  %b: f32[2] = const [1, 2]
  %a = transpose(%x) perm=[0,3,1,2]
  %c = conv(%a, %w)
  %d = transpose(%c) perm=[0,2,3,1]
  %e = pointwise(%d, %b) expr="add(x0,x1)"
  %f = pointwise(%e) expr="relu(x0)"
  %h = transpose(%f) perm=[0,3,1,2]
  %y = softmax(%h) axis=1
end
expect
graph g(%x: f32[2,4,4,3]) -> (%y)
  %a = transpose(%x) perm=[0,3,1,2]
  %w: f32[2,3,1,1] = const [1, 2, 3, 4, 5, 6]
  %c.bias: f32[2] = const [1, 2]
  %c = conv(%a, %w, %c.bias)  # from "c", "e"
  %f_3 = pointwise(%c) expr="relu(x0)"  # name "f"
  %y = softmax(%f_3) axis=1
end

case a loop's body
input
graph g(%n: i64[], %x: f32[3]) -> (%y)
  %t: bool[] = const [1]
  %y = loop(%n, %t, %x) body={ graph b(%i: i64[], %go: bool[], %c: f32[3]) -> (%go, %d)
    %a = pointwise(%c) expr="sigmoid(x0)"
    %d = pointwise(%c, %a) expr="mul(x0,x1)"
  end } carried_count=1
end
expect
graph g(%n: i64[], %x: f32[3]) -> (%y)
  %t: bool[] = const [1]
  %y = loop(%n, %t, %x) body={ graph b(%i: i64[], %go: bool[], %c: f32[3]) -> (%go, %d)
    %d = pointwise(%c) expr="silu(x0)"  # from "d", "a"
  end } carried_count=1
end
