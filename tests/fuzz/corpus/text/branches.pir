graph branches(%c: bool[], %x: f32[n,4], %y: f32[m,4]) -> (%z)
  %z: f32[?1,4] = if(%c, %x, %y) then_graph={ graph then(%a: f32[n,4], %b: f32[m,4]) -> (%r)
      %r: f32[n,4] = pointwise(%a) expr="relu(x0)"  # from "Relu"
    end } else_graph={ graph else(%a, %b) -> (%b)
    end }  # from "If_7"
end
