case a frozen batch behind a symbol
input
graph g(%x: f32[n<=1,4,5,6]) -> (%y)
  %a: i64[3] = const [1, 60, 2]
  %y = reshape(%x, %a)
end
expect
graph g(%x: f32[n<=1,4,5,6]) -> (%y)
  %a_1: i64[3] = const [0, 60, 2]
  %y = reshape(%x, %a_1)
end

case a target that fits every batch, with all of its images in one
input
graph g(%x: f32[n,4,5,6], %u: f32[n,1,1,1]) -> (%y, %z)
  %a: i64[3] = const [1, -1, 2]
  %y = reshape(%x, %a)
  %b: i64[4] = const [1, 1, -1, 1]
  %z = reshape(%u, %b)
end
expect unchanged

case other elements than one image's, or a first extent that is none
input
graph g(%x: f32[n,4,5], %u: f32[3,20]) -> (%y, %z, %v)
  %a: i64[3] = const [1, -1, 40]
  %y = reshape(%x, %a)
  %b: i64[2] = const [-1, 20]
  %z = reshape(%x, %b)
  %c: i64[2] = const [1, 60]
  %v = reshape(%u, %c)
end
expect unchanged
