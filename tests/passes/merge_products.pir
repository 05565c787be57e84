case products of one operand; an output keeps its name
input
graph g(%x: f32[n,3]) -> (%q, %s)
  %a: f32[3,2] = const [1, 2, 3, 4, 5, 6]
  %b: f32[3,1] = const [7, 8, 9]
  %q = matmul(%x, %a)
  %k = matmul(%x, %b)
  %s = softmax(%k)
end
expect
graph g(%x: f32[n,3]) -> (%q, %s)
  %a_1: f32[3,3] = const [1.0, 2.0, 7.0, 3.0, 4.0, 8.0, 5.0, 6.0, 9.0]
  %q_2: f32[n,3] = matmul(%x, %a_1)  # name "q" from "q", "k"
  %parts: i64[2] = const [2, 1]
  %q: f32[n,2], %k: f32[n,1] = split(%q_2, %parts) axis=1
  %s: f32[n,1] = softmax(%k)
end

case biases and what else is over vectors; one matrix turned as the other
input
graph g(%x: f32[2,n,3]) -> (%q, %k, %v)
  %a: f32[2,3] = const [1, 2, 3, 4, 5, 6]
  %b: f32[1,3] = const [7, 8, 9]
  %c: f32[2,3] = const [-1, 2, -3, 4, -5, 6]
  %ab: f32[2] = const [1, 2]
  %bb: f32[1] = const [3]
  %cb: f32[2] = const [4, 5]
  %p = matmul(%x, %a) trans_b=true
  %q = pointwise(%p, %ab) expr="relu(add(x0,x1))"
  %r = matmul(%x, %b) trans_b=true
  %k = pointwise(%r, %bb) expr="relu(add(x0,x1))"
  %s = matmul(%x, %c) trans_b=true
  %v = pointwise(%s, %cb) expr="relu(add(x0,x1))"
end
expect
graph g(%x: f32[2,n,3]) -> (%q, %k, %v)
  %a_1: f32[5,3] = const [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, -1.0, 2.0, -3.0, 4.0, -5.0, 6.0]
  %p_2: f32[2,n,5] = matmul(%x, %a_1) trans_b=true  # name "p" from "p", "r", "s"
  %ab_3: f32[5] = const [1.0, 2.0, 3.0, 4.0, 5.0]
  %q_4: f32[2,n,5] = pointwise(%p_2, %ab_3) expr="relu(add(x0,x1))"  # name "q" from "q", "k", "v"
  %parts: i64[3] = const [2, 1, 2]
  %q: f32[2,n,2], %k: f32[2,n,1], %v: f32[2,n,2] = split(%q_4, %parts) axis=2  # name "p"
end

case another operand, another expression, one that reads more than vectors, a matrix that is no constant
input
graph g(%x: f32[2,3], %y: f32[2,3], %w: f32[3,2]) -> (%q, %r, %s, %t, %u, %z)
  %a: f32[3,2] = const [1, 2, 3, 4, 5, 6]
  %b: f32[3,2] = const [7, 8, 9, 1, 2, 3]
  %c: f32[3,2] = const [0, 8, 9, 1, 2, 3]
  %d: f32[3,2] = const [0, 8, 1, 1, 2, 3]
  %f: f32[3,2] = const [0, 7, 1, 1, 2, 3]
  %q = matmul(%x, %a)
  %r = matmul(%y, %b)
  %m = matmul(%x, %c)
  %s = pointwise(%m) expr="exp(x0)"
  %o = matmul(%x, %d)
  %t = pointwise(%o, %r) expr="add(x0,x1)"
  %u = matmul(%x, %w)
  %g = matmul(%x, %f)
  %z = pointwise(%g) expr="mul(x0,tanh(x0))"
end
expect unchanged

case more products than one takes, and one that has company no more
input
graph g(%x: f32[n,2]) -> (%a, %b, %c, %d, %e)
  %u: f32[2,1] = const [1, 2]
  %v: f32[2,1] = const [3, 4]
  %w: f32[2,1] = const [5, 6]
  %y: f32[2,1] = const [7, 8]
  %z: f32[2,1] = const [9, 1]
  %a = matmul(%x, %u)
  %b = matmul(%x, %v)
  %c = matmul(%x, %w)
  %d = matmul(%x, %y)
  %e = matmul(%x, %z)
end
expect
graph g(%x: f32[n,2]) -> (%a, %b, %c, %d, %e)
  %z: f32[2,1] = const [9.0, 1.0]
  %e: f32[n,1] = matmul(%x, %z)
  %u_1: f32[2,4] = const [1.0, 3.0, 5.0, 7.0, 2.0, 4.0, 6.0, 8.0]
  %a_2: f32[n,4] = matmul(%x, %u_1)  # name "a" from "a", "b", "c", "d"
  %parts: i64[4] = const [1, 1, 1, 1]
  %a: f32[n,1], %b: f32[n,1], %c: f32[n,1], %d: f32[n,1] = split(%a_2, %parts) axis=1
end
