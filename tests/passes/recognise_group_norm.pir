case reshape, instances, reshape, affine
input
graph g(%x: f32[n,4,2,3]) -> (%y)
  %there: i64[3] = const [0, 2, -1]
  %a = reshape(%x, %there)
  %one: f32[2] = const [1, 1]
  %zero: f32[2] = const [0, 0]
  %b = group_norm(%a, %one, %zero)
  %back: i64[4] = const [-1, 4, 2, 3]
  %c = reshape(%b, %back)
  %w: f32[4,1,1] = const [1, 2, 3, 4]
  %v: f32[1,4,1,1] = const [1, 1, 2, 2]
  %d = pointwise(%c, %w) expr="mul(x0,x1)"
  %y = pointwise(%d, %v) expr="add(x0,x1)"
end
expect
graph g(%x: f32[n,4,2,3]) -> (%y)
  %w_1: f32[4] = const [1, 2, 3, 4]
  %v_2: f32[4] = const [1, 1, 2, 2]
  %y = group_norm(%x, %w_1, %v_2) groups=2  # from "y", "d", "c", "a", "b"
end

case a scale of its own is not a group's
input
graph g(%x: f32[n,4,2,3]) -> (%y)
  %there: i64[3] = const [0, 2, -1]
  %a = reshape(%x, %there)
  %one: f32[2] = const [1, 2]
  %zero: f32[2] = const [0, 0]
  %b = group_norm(%a, %one, %zero)
  %back: i64[4] = const [-1, 4, 2, 3]
  %y = reshape(%b, %back)
end
expect unchanged
