case silu
input
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="mul(sigmoid(x0),x0)"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="silu(x0)"
end

case silu from exponentials
input
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="mul(x0,div(1.0:f32,add(exp(neg(x0)),1.0:f32)))"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="silu(x0)"
end

case gelu, the exporters' order
input
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="mul(mul(x0,add(erf(div(x0,1.4142135:f32)),1.0:f32)),0.5:f32)"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="gelu(x0)"
end

case gelu in 16 bits, where the root of 2 is rounded
input
graph g(%x: f16[n], %z: bf16[n]) -> (%y, %v)
  %y = pointwise(%x) expr="mul(mul(x0,add(erf(div(x0,1.4140625:f16)),1.0:f16)),0.5:f16)"
  %v = pointwise(%z) expr="mul(mul(x0,add(erf(mul(x0,0.70703125:bf16)),1.0:bf16)),0.5:bf16)"
end
expect
graph g(%x: f16[n], %z: bf16[n]) -> (%y, %v)
  %y = pointwise(%x) expr="gelu(x0)"
  %v = pointwise(%z) expr="gelu(x0)"
end

case gelu, the half first
input
graph g(%x: f32[n], %b: f32[n]) -> (%y)
  %y = pointwise(%x, %b) expr="t0=add(x0,x1);mul(mul(0.5:f32,t0),add(1.0:f32,erf(mul(t0,0.70710677:f32))))"
end
expect
graph g(%x: f32[n], %b: f32[n]) -> (%y)
  %y = pointwise(%x, %b) expr="gelu(add(x0,x1))"
end

case gelu with tanh
input
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="mul(mul(0.5:f32,x0),add(1.0:f32,tanh(mul(0.7978846:f32,add(x0,mul(0.044715:f32,pow(x0,3.0:f32)))))))"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="gelu_tanh(x0)"
end

case hard_swish in three spellings
input
graph g(%x: f32[n], %z: f32[n], %w: f32[n]) -> (%y)
  %y = pointwise(%x, %z, %w) expr="add(div(mul(x0,clip(add(x0,3.0:f32),0.0:f32,6.0:f32)),6.0:f32),add(mul(x1,clip(add(mul(x1,0.16666667:f32),0.5:f32),0.0:f32,1.0:f32)),mul(x2,div(min(max(add(x2,3.0:f32),0.0:f32),6.0:f32),6.0:f32))))"
end
expect
graph g(%x: f32[n], %z: f32[n], %w: f32[n]) -> (%y)
  %y = pointwise(%x, %z, %w) expr="add(hard_swish(x0),add(hard_swish(x1),hard_swish(x2)))"
end

case relu, clip, square, rsqrt
input
graph g(%x: f32[n], %z: f32[n]) -> (%y, %u)
  %y = pointwise(%x) expr="max(0.0:f32,pow(x0,2.0:f32))"
  %u = pointwise(%x, %z) expr="mul(min(max(x0,-1.0:f32),1.0:f32),div(1.0:f32,sqrt(x1)))"
end
expect
graph g(%x: f32[n], %z: f32[n]) -> (%y, %u)
  %y = pointwise(%x) expr="relu(square(x0))"
  %u = pointwise(%x, %z) expr="mul(clip(x0,-1.0:f32,1.0:f32),rsqrt(x1))"
end

case exact reciprocals only, and what does nothing
input
graph g(%x: f32[n]) -> (%y, %z, %u)
  %y = pointwise(%x) expr="div(x0,8.0:f32)"
  %z = pointwise(%x) expr="div(x0,3.0:f32)"
  %a = pointwise(%x) expr="cast(mul(add(x0,0.0:f32),1.0:f32),f32)"
  %u = pointwise(%a) expr="exp(x0)"
end
expect
graph g(%x: f32[n]) -> (%y, %z, %u)
  %y = pointwise(%x) expr="mul(x0,0.125:f32)"
  %z = pointwise(%x) expr="div(x0,3.0:f32)"
  %u = pointwise(%x) expr="exp(x0)"
end

case an output that is an input keeps its node
input
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="x0"
end
expect unchanged
