graph sequences(%s: tensor<f32>[n], %o: optional<tensor<i64>>[m<=1], %i: i64[], %x: f32[2,3]) -> (%t, %y, %p, %z, %k)
  %e = box() dtype=f32 depth=1
  %t = loop(%i, _, %s, %x) carried_count=1 body={ graph body(%j: i64[], %c: bool[], %q: tensor<f32>[?1], %x: f32[2,3]) -> (%c, %r)
    %r = sequence_insert(%q, %x, %j)
  end }
  %f = box(%x, %x)
  %u = sequence_erase(%f, %i)
  %y = unbox(%u, %i)
  %p = split_to_sequence(%x, %i) axis=1 keep_dims=false
  %z = concat_from_sequence(%f) axis=1 new_axis=true
  %l = size_of(%o)
  %b = pointwise(%l) expr="cast(x0,bool)"
  %k = if(%b, %o) then_graph={ graph a(%o: optional<tensor<i64>>[m]) -> (%o)
  end } else_graph={ graph b(%o: optional<tensor<i64>>[m]) -> (%w)
    %v = box() dtype=i64
    %w = box(%v) optional=true
  end }
end
