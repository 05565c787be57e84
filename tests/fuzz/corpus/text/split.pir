graph g(%x: f32[n*2,6]) -> (%a, %c, %k, %i) where n<=5
  %a, %b, %c = split(%x) axis=1
  %two: i64[1] = const [1]
  %k, %i = topk(%b, %two) axis=1 largest=false
  %p: i64[4] = const [0, 1, 0, 1]
  %q = pad(%b, %p) mode=edge
end
