case a frozen batch behind a symbol
input
graph g(%x: f32[n<=1,4,5,6]) -> (%y, %z)
  %a: i64[3] = const [1, -1, 2]
  %y = reshape(%x, %a)
  %b: i64[3] = const [1, 60, 2]
  %z = reshape(%x, %b)
end
expect
graph g(%x: f32[n<=1,4,5,6]) -> (%y, %z)
  %a_1: i64[3] = const [0, -1, 2]
  %y = reshape(%x, %a_1)
  %b_2: i64[3] = const [0, 60, 2]
  %z = reshape(%x, %b_2)
end

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
