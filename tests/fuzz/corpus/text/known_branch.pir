# the branch that is never taken does not fit
graph known(%x: f32[2,3]) -> (%z)
  %no: bool[] = const [false]
  %z = if(%no, %x) then_graph={ graph then(%a) -> (%r)
      %s: i64[1] = const [7]
      %r = reshape(%a, %s)
    end } else_graph={ graph else(%a) -> (%a)
    end }
end
