case two in a row, which cancel or not
input
graph g(%x: f32[2,3,4,5]) -> (%y, %z)
  %a = transpose(%x) perm=[0,2,3,1]
  %b = transpose(%a) perm=[0,3,1,2]
  %y = pointwise(%b) expr="relu(x0)"
  %z = transpose(%a) perm=[3,0,1,2]
end
expect
graph g(%x: f32[2,3,4,5]) -> (%y, %z)
  %y = pointwise(%x) expr="relu(x0)"
  %z = transpose(%x) perm=[1,0,2,3]  # from "z", "a"
end

case axes of extent 1
input
graph g(%x: f32[n,1,4,5]) -> (%y)
  %y = transpose(%x) perm=[0,2,3,1]
end
expect
graph g(%x: f32[n,1,4,5]) -> (%y)
  %shape: i64[4] = const [0, 4, 5, 1]
  %y = reshape(%x, %shape)
end

case the flags of a product
input
graph g(%x: f32[n,3,4], %w: f32[5,4]) -> (%y)
  %b = transpose(%w)
  %y = matmul(%x, %b)
end
expect
graph g(%x: f32[n,3,4], %w: f32[5,4]) -> (%y)
  %y = matmul(%x, %w) trans_b=true  # from "y", "b"
end

case heads of attention keep their innermost axis
input
graph g(%q: f32[n,3,2,4], %k: f32[n,3,2,4]) -> (%y)
  %a = transpose(%q) perm=[0,2,1,3]
  %b = transpose(%k) perm=[0,2,3,1]  # from "T"
  %y = matmul(%a, %b)
end
expect
graph g(%q: f32[n,3,2,4], %k: f32[n,3,2,4]) -> (%y)
  %a = transpose(%q) perm=[0,2,1,3]
  %b_1 = transpose(%k) perm=[0,2,1,3]  # name "b" from "T"
  %y = matmul(%a, %b_1) trans_b=true
end

case down through expressions with a vector, to its inverse
input
graph g(%x: f32[2,3,4,5], %z: f32[2,3,4,5]) -> (%y)
  %a = transpose(%x) perm=[0,2,3,1]  # from "T1"
  %b: f32[3] = const [1, 2, 3]
  %c = pointwise(%a, %b) expr="add(x0,x1)"  # from "A"
  %d = transpose(%z) perm=[0,2,3,1]  # from "T2"
  %e = pointwise(%c, %d) expr="relu(mul(x0,x1))"  # from "R"
  %y = transpose(%e) perm=[0,3,1,2]  # from "T3"
end
expect
graph g(%x: f32[2,3,4,5], %z: f32[2,3,4,5]) -> (%y)
  %b_1: f32[1,3,1,1] = const [1, 2, 3]
  %c_2 = pointwise(%x, %b_1) expr="add(x0,x1)"  # name "c" from "A"
  %y = pointwise(%c_2, %z) expr="relu(mul(x0,x1))"  # name "e" from "R"
end

case an operand that is not transposed, or another user, keeps it
input
graph g(%x: f32[2,3,4], %z: f32[2,4,3]) -> (%y, %u, %v)
  %a = transpose(%x) perm=[0,2,1]
  %y = pointwise(%a, %z) expr="add(x0,x1)"
  %b = transpose(%z) perm=[1,0,2]
  %u = pointwise(%b) expr="relu(x0)"
  %v = softmax(%b)
end
expect unchanged
