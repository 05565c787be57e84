case zeros around a convolution that pads itself
input
graph g(%x: f32[n,1,4,5]) -> (%y)
  %w: f32[2,1,3,3] = const random(1)
  %pads: i64[8] = const [0, 0, 0, 1, 0, 0, 1, 2]
  %zero: f32[] = const [0]
  %p = pad(%x, %pads, %zero)
  %y = conv(%p, %w) pads=[1,0,0,1] strides=[2,2]
end
expect
graph g(%x: f32[n,1,4,5]) -> (%y)
  %w: f32[2,1,3,3] = const random(1)
  %y = conv(%x, %w) strides=[2,2] pads=[1,1,1,3]  # from "y", "p"
end

case some axes, without a value
input
graph g(%x: f32[n,1,4,5]) -> (%y)
  %w: f32[2,1,3,3] = const random(1)
  %pads: i64[4] = const [1, 2, 3, 4]
  %axes: i64[2] = const [-1, 2]
  %p = pad(%x, %pads, _, %axes)
  %y = conv(%p, %w)
end
expect
graph g(%x: f32[n,1,4,5]) -> (%y)
  %w: f32[2,1,3,3] = const random(1)
  %y = conv(%x, %w) pads=[2,1,4,3]  # from "y", "p"
end

case other values, other axes, edges
input
graph g(%x: f32[n,1,4,5]) -> (%y, %z, %u)
  %w: f32[2,1,3,3] = const random(1)
  %v: f32[2,2,3,3] = const random(1)
  %pads: i64[8] = const [0, 0, 1, 1, 0, 0, 1, 1]
  %one: f32[] = const [1]
  %p = pad(%x, %pads, %one)
  %y = conv(%p, %w)
  %channels: i64[8] = const [0, 1, 0, 0, 0, 0, 0, 0]
  %q = pad(%x, %channels)
  %z = conv(%q, %v)
  %e = pad(%x, %pads) mode=edge
  %u = conv(%e, %w)
end
expect unchanged
