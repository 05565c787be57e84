case scale and shift into a convolution without bias
input
graph g(%x: f32[n,1,4,4]) -> (%y)
  %w: f32[2,1,1,1] = const [3, 5]
  %s: f32[2,1,1] = const [2, 4]
  %t: f32[2,1,1] = const [1, -1]
  %c = conv(%x, %w)  # from "conv1"
  %y = pointwise(%c, %s, %t) expr="fma(x0,x1,x2)"  # from "bn1"
end
expect
graph g(%x: f32[n,1,4,4]) -> (%y)
  %w_1: f32[2,1,1,1] = const [6, 20]
  %c.bias: f32[2] = const [1, -1]
  %y = conv(%x, %w_1, %c.bias)  # name "c" from "conv1", "bn1"
end

case one node behind the other, a bias, and what cannot be taken
input
graph g(%x: f32[n,1,4,4]) -> (%y)
  %w: f32[2,1,1,1] = const [3, 5]
  %b: f32[2] = const [1, 2]
  %s: f32[2,1,1] = const [2, 4]
  %t: f32[1,2,1,1] = const [1, -1]
  %c = conv(%x, %w, %b)
  %d = pointwise(%c, %s) expr="mul(x0,x1)"
  %e = pointwise(%t, %d) expr="add(x0,x1)"
  %y = pointwise(%e) expr="relu(x0)"
end
expect
graph g(%x: f32[n,1,4,4]) -> (%y)
  %w_1: f32[2,1,1,1] = const [6, 20]
  %b_2_3: f32[2] = const [3, 7]
  %c = conv(%x, %w_1, %b_2_3)  # from "c", "d", "e"
  %y = pointwise(%c) expr="relu(x0)"
end

case the inner part of an expression
input
graph g(%x: f32[n,1,4,4], %r: f32[n,2,4,4]) -> (%y)
  %w: f32[2,1,1,1] = const [3, 5]
  %s: f32[2,1,1] = const [2, 4]
  %c = conv(%x, %w)
  %y = pointwise(%r, %c, %s) expr="t0=mul(sub(1.0:f32,x1),x2);add(mul(t0,sigmoid(t0)),x0)"
end
expect
graph g(%x: f32[n,1,4,4], %r: f32[n,2,4,4]) -> (%y)
  %w_1: f32[2,1,1,1] = const [-6, -20]
  %c.bias: f32[2] = const [2, 4]
  %c = conv(%x, %w_1, %c.bias)  # from "c", "y"
  %y = pointwise(%r, %c) expr="add(mul(x1,sigmoid(x1)),x0)"
end

case a transposed convolution in two groups
input
graph g(%x: f32[n,4,3]) -> (%y)
  %w: f32[4,2,1] = const [1, 2, 3, 4, 5, 6, 7, 8]
  %s: f32[4,1] = const [1, 2, 4, 8]
  %c = conv_transpose(%x, %w) group=2
  %y = pointwise(%c, %s) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n,4,3]) -> (%y)
  %w_1: f32[4,2,1] = const [1, 4, 3, 8, 20, 48, 28, 64]
  %y = conv_transpose(%x, %w_1) group=2  # name "c" from "c", "y"
end

case only the scale into a product; the vector stays
input
graph g(%x: f32[n,2]) -> (%y)
  %w: f32[2,3] = const [1, 2, 3, 4, 5, 6]
  %s: f32[3] = const [1, 2, 4]
  %b: f32[3] = const [7, 8, 9]
  %c = matmul(%x, %w)
  %y = pointwise(%c, %s, %b) expr="relu(fma(x0,x1,x2))"
end
expect
graph g(%x: f32[n,2]) -> (%y)
  %w_1: f32[2,3] = const [1, 4, 12, 4, 10, 24]
  %b: f32[3] = const [7, 8, 9]
  %c = matmul(%x, %w_1)  # from "c", "y"
  %y = pointwise(%c, %b) expr="relu(add(x0,x1))"
end

case a second user, or a constant along another axis, is left alone
input
graph g(%x: f32[n,1,4,2]) -> (%y, %z, %u)
  %w: f32[2,1,1,1] = const [3, 5]
  %s: f32[2,1,1] = const [2, 4]
  %t: f32[2] = const [2, 4]
  %c = conv(%x, %w)
  %y = pointwise(%c, %s) expr="mul(x0,x1)"
  %z = pointwise(%c) expr="relu(x0)"
  %d = conv(%x, %w)
  %u = pointwise(%d, %t) expr="mul(x0,x1)"
end
expect unchanged
