case weights, by tensor, by channel, in blocks, and a bias
input
graph g(%x: f32[1,2,3,3]) -> (%y, %z)
  %q: i8[2,2,1,1] = const [1, 2, -3, 4]
  %s: f32[2] = const [0.5, 0.25]
  %w = dequantize(%q, %s) axis=0
  %qb: i32[2] = const [3, -5]
  %sb: f32[] = const [0.5]
  %b = dequantize(%qb, %sb)
  %y = conv(%x, %w, %b)
  %qz: u8[1,1,1,4] = const [1, 2, 3, 4]
  %sz: f32[1,1,1,2] = const [2, 10]
  %zero: u8[1,1,1,2] = const [1, 2]
  %t = dequantize(%qz, %sz, %zero) axis=3 block=2
  %z = reduce(%t)
end
expect
graph g(%x: f32[1,2,3,3]) -> (%y, %z)
  %w: f32[2,2,1,1] = const [0.5, 1, -0.75, 1]
  %b: f32[2] = const [1.5, -2.5]
  %y = conv(%x, %w, %b)
  %t: f32[1,1,1,4] = const [0, 2, 10, 20]
  %z = reduce(%t)
end

case what a run computes stays
input
graph g(%x: u8[4], %s: f32[]) -> (%y, %z)
  %scale: f32[] = const [0.5]
  %y = dequantize(%x, %scale)
  %q: u8[4] = const [1, 2, 3, 4]
  %z = dequantize(%q, %s)
end
expect unchanged
