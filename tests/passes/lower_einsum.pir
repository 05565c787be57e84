case scores and their sums, heads inside
input
graph g(%q: f32[n,3,2,4], %k: f32[n,5,2,4], %p: f32[n,2,3,5], %v: f32[n,5,2,4]) -> (%s, %y)
  %s = einsum(%q, %k) equation="bqhd,bkhd->bhqk"
  %y = einsum(%p, %v) equation="bhqk,bkhd->bqhd"
end
expect
graph g(%q: f32[n,3,2,4], %k: f32[n,5,2,4], %p: f32[n,2,3,5], %v: f32[n,5,2,4]) -> (%s, %y)
  %s.ordered: f32[n,2,3,4] = transpose(%q) perm=[0,2,1,3]
  %s.ordered_1: f32[n,2,4,5] = transpose(%k) perm=[0,2,3,1]  # name "s.ordered"
  %s: f32[n,2,3,5] = matmul(%s.ordered, %s.ordered_1)
  %y.ordered: f32[n,2,5,4] = transpose(%v) perm=[0,2,1,3]
  %y.product: f32[n,2,3,4] = matmul(%p, %y.ordered)
  %y: f32[n,3,2,4] = transpose(%y.product) perm=[0,2,1,3]
end


case rows that stay apart, columns that merge, operands that change places
input
graph g(%x: f32[n,s,4], %w: f32[4,2,3], %b: f32[n,4,5], %a: f32[6,4,n], %c: f32[n,7,4,5], %z: f32[2,3,4]) -> (%u, %v, %w2)
  %u = einsum(%x, %w) equation="bsd,dhe->bshe"
  %v = einsum(%w, %z) equation="dhe,bsd->hebs"
  %w2 = einsum(%c, %b) equation="nxab,nab->nx"
end
expect
graph g(%x: f32[n,s,4], %w: f32[4,2,3], %b: f32[n,4,5], %a: f32[6,4,n], %c: f32[n,7,4,5], %z: f32[2,3,4]) -> (%u, %v, %w2)
  %u.shape: i64[2] = const [4, 6]
  %u.merged: f32[4,6] = reshape(%w, %u.shape)
  %u.product: f32[n,s,6] = matmul(%x, %u.merged)
  %u.shape_1: i64[4] = const [0, 0, 2, 3]
  %u: f32[n,s,2,3] = reshape(%u.product, %u.shape_1)
  %v.ordered: f32[2,3,4] = transpose(%w) perm=[1,2,0]
  %v.ordered_2: f32[4,2,3] = transpose(%z) perm=[2,0,1]  # name "v.ordered"
  %v.shape: i64[2] = const [4, 6]
  %v.merged: f32[4,6] = reshape(%v.ordered_2, %v.shape)
  %v.product: f32[2,3,6] = matmul(%v.ordered, %v.merged)
  %v.shape_3: i64[4] = const [2, 3, 2, 3]
  %v: f32[2,3,2,3] = reshape(%v.product, %v.shape_3)
  %w2.shape: i64[3] = const [0, 1, 20]
  %w2.merged: f32[n,1,20] = reshape(%b, %w2.shape)
  %w2.ordered: f32[n,4,5,7] = transpose(%c) perm=[0,2,3,1]
  %w2.shape_4: i64[3] = const [0, 20, 7]
  %w2.merged_5: f32[n,20,7] = reshape(%w2.ordered, %w2.shape_4)  # name "w2.merged"
  %w2.product: f32[n,1,7] = matmul(%w2.merged, %w2.merged_5)
  %w2.shape_6: i64[2] = const [0, 7]
  %w2: f32[n,7] = reshape(%w2.product, %w2.shape_6)
end


case left as they are
input
graph g(%x: f32[3,3], %y: f32[3,4], %z: f32[1,4]) -> (%a, %b, %c, %d, %e)
  %a = einsum(%x, %y) equation="ii,ij->j"
  %b = einsum(%x, %y) equation="ik,kj->i"
  %c = einsum(%x, %y) equation="ik,kj->ikj"
  %d = einsum(%y, %z) equation="ij,jk->ik"
  %e = einsum(%x) equation="ij->ji"
end
expect unchanged
