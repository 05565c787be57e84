case with scale and mask
input
graph g(%q: f32[n,2,3,4], %k: f32[n,2,5,4], %v: f32[n,2,5,6], %m: f32[n,1,3,5]) -> (%y)
  %s = matmul(%q, %k) trans_b=true
  %eight: f32[] = const [8]
  %a = pointwise(%s, %eight) expr="div(x0,x1)"
  %b = pointwise(%m, %a) expr="add(x0,x1)"
  %p = softmax(%b)
  %y = matmul(%p, %v)
end
expect
graph g(%q: f32[n,2,3,4], %k: f32[n,2,5,4], %v: f32[n,2,5,6], %m: f32[n,1,3,5]) -> (%y)
  %y = attention(%q, %k, %v, %m) scale=0.125  # from "y", "p", "s"
end

case keys that are transposed already, without a scale
input
graph g(%q: f32[n,2,3,4], %k: f32[n,2,4,5], %v: f32[n,2,5,6]) -> (%y)
  %s = matmul(%q, %k)
  %p = softmax(%s) axis=3
  %y = matmul(%p, %v)
end
expect
graph g(%q: f32[n,2,3,4], %k: f32[n,2,4,5], %v: f32[n,2,5,6]) -> (%y)
  %keys = transpose(%k) perm=[0,1,3,2]
  %y = attention(%q, %keys, %v) scale=1.0  # from "y", "p", "s"
end

case scores that are an output, and a softmax along another axis
input
graph g(%q: f32[n,2,3,4], %k: f32[n,2,5,4], %v: f32[n,2,5,6]) -> (%p, %y, %z)
  %s = matmul(%q, %k) trans_b=true
  %p = softmax(%s)
  %y = matmul(%p, %v)
  %t = matmul(%q, %k) trans_b=true
  %o = softmax(%t) axis=2
  %z = matmul(%o, %v)
end
expect unchanged
