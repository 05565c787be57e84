case equal constants, equal nodes, and what follows from them
input
graph g(%x: f32[n,2]) -> (%y)
  %a: f32[2] = const [1, 2]
  %b: f32[2] = const [1, 2]
  %c: f32[2,1] = const [1, 2]
  %p = pointwise(%x, %a) expr="add(x0,x1)"
  %q = pointwise(%x, %b) expr="add(x0,x1)"
  %r = matmul(%p, %c)
  %s = matmul(%q, %c)
  %y = pointwise(%r, %s) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[n,2]) -> (%y)
  %a: f32[2] = const [1, 2]
  %c: f32[2,1] = const [1, 2]
  %p = pointwise(%x, %a) expr="add(x0,x1)"  # from "p", "q"
  %r = matmul(%p, %c)  # from "r", "s"
  %y = pointwise(%r, %r) expr="mul(x0,x1)"
end

case two outputs stay two values; one takes the name
input
graph g(%x: f32[n]) -> (%y, %z, %u)
  %y = pointwise(%x) expr="exp(x0)"
  %z = pointwise(%x) expr="exp(x0)"
  %a = pointwise(%x) expr="tanh(x0)"
  %b = pointwise(%a) expr="neg(x0)"
  %u = pointwise(%b, %y) expr="add(x0,x1)"
end
expect unchanged

case an output that is computed twice
input
graph g(%x: f32[n]) -> (%y, %u)
  %a = pointwise(%x) expr="exp(x0)"
  %y = pointwise(%x) expr="exp(x0)"
  %u = pointwise(%a) expr="neg(x0)"
end
expect
graph g(%x: f32[n]) -> (%y, %u)
  %y = pointwise(%x) expr="exp(x0)"  # name "a" from "a", "y"
  %u = pointwise(%y) expr="neg(x0)"
end

case attributes that differ, and nodes of several results
input
graph g(%x: f32[4,2]) -> (%y)
  %a = softmax(%x)
  %b = softmax(%x) axis=0
  %p, %q = split(%x)
  %r, %s = split(%x)
  %c = pointwise(%a, %b) expr="add(x0,x1)"
  %d = pointwise(%p, %q, %s) expr="fma(x0,x1,x2)"
  %y = concat(%c, %d)
end
expect
graph g(%x: f32[4,2]) -> (%y)
  %a = softmax(%x)
  %b = softmax(%x) axis=0
  %p, %q = split(%x)  # from "p", "r"
  %c = pointwise(%a, %b) expr="add(x0,x1)"
  %d = pointwise(%p, %q, %q) expr="fma(x0,x1,x2)"
  %y = concat(%c, %d)
end

case texts
input
graph g(%x: string[2]) -> (%y)
  %a: string[2] = const ["a", "b"]
  %b: string[2] = const ["a", "b"]
  %c: string[2] = const ["ab", ""]
  %p = text_equal(%x, %a)
  %q = text_equal(%x, %b)
  %r = text_equal(%x, %c)
  %y = concat(%p, %q, %r)
end
expect
graph g(%x: string[2]) -> (%y)
  %a: string[2] = const ["a", "b"]
  %c: string[2] = const ["ab", ""]
  %p = text_equal(%x, %a)  # from "p", "q"
  %r = text_equal(%x, %c)
  %y = concat(%p, %p, %r)
end
