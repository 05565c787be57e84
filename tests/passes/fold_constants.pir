case arithmetic, and what follows from it
input
graph g(%x: f32[2]) -> (%y)
  %a: f32[2] = const [1, 2]
  %b: f32[] = const [3]
  %c = pointwise(%a, %b) expr="add(x0,x1)"
  %d = pointwise(%c) expr="neg(x0)"
  %y = pointwise(%x, %d) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[2]) -> (%y)
  %d: f32[2] = const [-4, -5]
  %y = pointwise(%x, %d) expr="mul(x0,x1)"
end

case shapes that are numbers
input
graph g(%x: f32[2,3,4]) -> (%y)
  %s = shape_of(%x)
  %zero: i64[1] = const [0]
  %first = gather(%s, %zero)
  %rest: i64[1] = const [-1]
  %t = concat(%first, %rest)
  %y = reshape(%x, %t)
end
expect
graph g(%x: f32[2,3,4]) -> (%y)
  %t: i64[2] = const [2, -1]
  %y = reshape(%x, %t)
end

case symbols stay
input
graph g(%x: f32[n,3,4]) -> (%y)
  %s = shape_of(%x) end=1
  %rest: i64[1] = const [-1]
  %t = concat(%s, %rest)
  %y = reshape(%x, %t)
end
expect unchanged

case more than inference computes
input
graph g(%x: f32[2]) -> (%y)
  %a: u8[5000] = const random(3)
  %zero: u8[] = const [0]
  %c = pointwise(%a, %zero) expr="greater_equal(x0,x1)"
  %d = pointwise(%c) expr="select(x0,2.0:f32,3.0:f32)"
  %l: i64[1] = const [4998]
  %h: i64[1] = const [9999]
  %e = slice(%d, %l, %h)
  %y = pointwise(%x, %e) expr="mul(x0,x1)"
end
expect
graph g(%x: f32[2]) -> (%y)
  %e: f32[2] = const [2, 2]
  %y = pointwise(%x, %e) expr="mul(x0,x1)"
end

case no large results from small operands; a dequantize stays
input
graph g(%x: f32[2]) -> (%y, %z)
  %shape: i64[2] = const [1000, 1000]
  %v: f32[1] = const [1]
  %y = fill(%shape, %v)
  %q: i8[2] = const [1, 2]
  %s: f32[] = const [0.5]
  %w = dequantize(%q, %s)
  %z = pointwise(%x, %w) expr="mul(x0,x1)"
end
expect unchanged

case an output becomes a constant and keeps its name
input
graph g(%x: f32[2,3]) -> (%y)
  %y = shape_of(%x)
end
expect
graph g(%x: f32[2,3]) -> (%y)
  %y: i64[2] = const [2, 3]
end

case a split of a constant
input
graph g(%x: f32[2]) -> (%y)
  %a: f32[4] = const [1, 2, 3, 4]
  %p, %q = split(%a)
  %y = pointwise(%x, %p, %q) expr="fma(x0,x1,x2)"
end
expect
graph g(%x: f32[2]) -> (%y)
  %p: f32[2] = const [1, 2]
  %q: f32[2] = const [3, 4]
  %y = pointwise(%x, %p, %q) expr="fma(x0,x1,x2)"
end

case texts
input
graph g(%x: string[2]) -> (%y, %z)
  %a: string[2] = const ["a b", "c"]
  %b: string[] = const ["\x0a!"]
  %c = text_concat(%a, %b)
  %p, %k = text_split(%c)
  %t = to_text(%k)
  %y = text_concat(%x, %t)
  %z = text_equal(%x, %c)
end
expect
graph g(%x: string[2]) -> (%y, %z)
  %c: string[2] = const ["a b\x0a!", "c\x0a!"]
  %t: string[2] = const ["3", "2"]
  %y = text_concat(%x, %t)
  %z = text_equal(%x, %c)
end
