graph g(%state: f32[4], %xs: f32[t,2,4], %bias: f32[4]) -> (%last, %ys)
  %last: f32[4], %ys: f32[2,t,4] = scan(%state, %xs, %bias) body={ graph step(%s: f32[4], %x: f32[2,4], %b: f32[4]) -> (%s1, %y)
      %s1 = pointwise(%s, %b) expr="add(x0,x1)"
      %y = pointwise(%x, %s1) expr="mul(x0,x1)"
    end } state_count=1 scan_count=1 output_axes=[1]
end
