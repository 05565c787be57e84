case a dead chain, and a dead constant
input
graph g(%x: f32[n]) -> (%y)
  %c: f32[] = const [1]
  %a = pointwise(%x, %c) expr="add(x0,x1)"
  %b = pointwise(%a) expr="exp(x0)"
  %y = pointwise(%x) expr="neg(x0)"
end
expect
graph g(%x: f32[n]) -> (%y)
  %y = pointwise(%x) expr="neg(x0)"
end
