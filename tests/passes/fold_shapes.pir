case movement that moves nothing
input
graph g(%x: f32[n,3]) -> (%y)
  %s: i64[2] = const [-1, 3]
  %a = reshape(%x, %s)
  %b = transpose(%a) perm=[0,1]
  %zero: i64[1] = const [0]
  %three: i64[1] = const [3]
  %one: i64[1] = const [1]
  %c = slice(%b, %zero, %three, %one)
  %pads: i64[4] = const [0, 0, 0, 0]
  %d = pad(%c, %pads)
  %e = concat(%d) axis=1
  %ones: i64[2] = const [1, 1]
  %f = tile(%e, %ones)
  %h = expand(%f, %ones)
  %y = pointwise(%h) expr="relu(x0)"
end
expect
graph g(%x: f32[n,3]) -> (%y)
  %y = pointwise(%x) expr="relu(x0)"
end

case what turns around or moves stays
input
graph g(%x: f32[3,3]) -> (%y)
  %from: i64[1] = const [-1]
  %to: i64[1] = const [-9]
  %axis: i64[1] = const [0]
  %step: i64[1] = const [-1]
  %a = slice(%x, %from, %to, %axis, %step)
  %b = transpose(%a)
  %pads: i64[4] = const [1, 0, -1, 0]
  %y = pad(%b, %pads)
end
expect unchanged

case a chain of reshapes
input
graph g(%x: f32[n,3,4]) -> (%y)
  %two: i64[1] = const [2]
  %a = unsqueeze(%x, %two)
  %b = flatten(%a)
  %s: i64[3] = const [0, 6, 2]
  %c = reshape(%b, %s)
  %y = pointwise(%c) expr="relu(x0)"
end
expect
graph g(%x: f32[n,3,4]) -> (%y)
  %shape_1: i64[3] = const [0, 6, 2]
  %c = reshape(%x, %shape_1)  # from "c", "b", "a"
  %y = pointwise(%c) expr="relu(x0)"
end

case there and back
input
graph g(%x: f32[n,3]) -> (%y)
  %two: i64[1] = const [2]
  %a = unsqueeze(%x, %two)
  %b = squeeze(%a, %two)
  %y = pointwise(%b) expr="relu(x0)"
end
expect
graph g(%x: f32[n,3]) -> (%y)
  %y = pointwise(%x) expr="relu(x0)"
end
