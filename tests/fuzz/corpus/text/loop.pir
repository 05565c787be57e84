graph g(%n: i64[], %x: f32[k]) -> (%z, %all)
  %z, %all = loop(%n, _, %x) carried_count=1 body={ graph body(%i, %c, %v) -> (%c, %w, %s)
      %w = concat(%v, %v)
      %s: f32[2] = const [1, 2]
    end }
end
