case the exporters' nodes
input
graph g(%x: f32[n,3,8]) -> (%y)
  %axes: i64[1] = const [-1]
  %m = reduce(%x, %axes) kind=mean
  %d = pointwise(%x, %m) expr="sub(x0,x1)"
  %two: f32[] = const [2]
  %p = pointwise(%d, %two) expr="pow(x0,x1)"
  %v = reduce(%p, %axes) kind=mean
  %eps: f32[] = const [0.125]
  %e = pointwise(%v, %eps) expr="add(x0,x1)"
  %s = pointwise(%e) expr="sqrt(x0)"
  %q = pointwise(%d, %s) expr="div(x0,x1)"
  %w: f32[8] = const [1, 2, 3, 4, 5, 6, 7, 8]
  %b: f32[8] = const [1, 1, 1, 1, 2, 2, 2, 2]
  %t = pointwise(%w, %q) expr="mul(x0,x1)"
  %y = pointwise(%t, %b) expr="add(x0,x1)"
end
expect
graph g(%x: f32[n,3,8]) -> (%y)
  %w: f32[8] = const [1, 2, 3, 4, 5, 6, 7, 8]
  %b: f32[8] = const [1, 1, 1, 1, 2, 2, 2, 2]
  %y = layer_norm(%x, %w, %b) epsilon=0.125  # from "y", "t", "q"
end

case over two axes, with a reciprocal, in one expression each
input
graph g(%x: f32[n,3,8]) -> (%y)
  %axes: i64[2] = const [2, 1]
  %m = reduce(%x, %axes) kind=mean
  %d = pointwise(%x, %m) expr="sub(x0,x1)"
  %p = pointwise(%d) expr="mul(x0,x0)"
  %v = reduce(%p, %axes) kind=mean
  %s = pointwise(%v) expr="reciprocal(sqrt(add(0.125:f32,x0)))"
  %y = pointwise(%d, %s) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n,3,8]) -> (%y)
  %y = layer_norm(%x) axis=-2 epsilon=0.125
end

case the root-mean-square form
input
graph g(%x: f32[n,4]) -> (%y)
  %axes: i64[1] = const [1]
  %p = pointwise(%x) expr="square(x0)"
  %v = reduce(%p, %axes) kind=mean
  %s = pointwise(%v) expr="rsqrt(add(x0,0.125:f32))"
  %q = pointwise(%x, %s) expr="mul(x0,x1)"
  %w: f32[4] = const [1, 2, 3, 4]
  %y = pointwise(%w, %q) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n,4]) -> (%y)
  %w: f32[4] = const [1, 2, 3, 4]
  %y = layer_norm(%x, %w) epsilon=0.125 kind=rms  # from "y", "q"
end

case other axes, or a vector of another shape, is left alone
input
graph g(%x: f32[n,4,4]) -> (%y, %z)
  %axes: i64[1] = const [1]
  %p = pointwise(%x) expr="square(x0)"
  %v = reduce(%p, %axes) kind=mean
  %s = pointwise(%v) expr="rsqrt(add(x0,0.125:f32))"
  %y = pointwise(%x, %s) expr="mul(x0,x1)"
  %l = layer_norm(%x)
  %w: f32[4,1] = const [1, 2, 3, 4]
  %z = pointwise(%w, %l) expr="mul(x0,x1)"
end
expect unchanged
