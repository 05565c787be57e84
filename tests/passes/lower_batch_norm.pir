case constant statistics
input
graph g(%x: f32[n,2,3,3]) -> (%y)
  %s: f32[2] = const [2, 6]
  %b: f32[2] = const [1, 2]
  %m: f32[2] = const [3, 4]
  %v: f32[2] = const [3, 8]
  %y = batch_norm(%x, %s, %b, %m, %v) epsilon=1.0
end
expect
graph g(%x: f32[n,2,3,3]) -> (%y)
  %y.scale: f32[2,1,1] = const [1, 2]
  %y.shift: f32[2,1,1] = const [-2, -6]
  %y = pointwise(%x, %y.scale, %y.shift) expr="fma(x0,x1,x2)"
end

case without further axes, in double
input
graph g(%x: f64[n,2]) -> (%y)
  %s: f64[2] = const [2, 6]
  %b: f64[2] = const [1, 2]
  %m: f64[2] = const [3, 4]
  %v: f64[2] = const [4, 9]
  %y = batch_norm(%x, %s, %b, %m, %v) epsilon=0.0
end
expect
graph g(%x: f64[n,2]) -> (%y)
  %y.scale: f64[2] = const [1, 2]
  %y.shift: f64[2] = const [-2, -6]
  %y = pointwise(%x, %y.scale, %y.shift) expr="fma(x0,x1,x2)"
end

case statistics that are computed stay
input
graph g(%x: f32[n,2,3,3], %s: f32[2]) -> (%y)
  %b: f32[2] = const [1, 2]
  %m: f32[2] = const [3, 4]
  %v: f32[2] = const [3, 8]
  %y = batch_norm(%x, %s, %b, %m, %v) epsilon=1.0
end
expect unchanged
