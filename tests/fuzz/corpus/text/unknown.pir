graph g(%x: f32[2,3], %any: f32[*], %"q \"\x01": bool['a-b'<=7]) -> (%t, %u, %m)
  %nz: i64[2,?1] = non_zero(%x)
  %t: i64[?1,2] = transpose(%nz)
  %v: f32[?2], _, %u: i64[?3] = unique(%any)
  %m = pointwise(%v, %v) expr="t0=sigmoid(x0);mul(t0,x1)"
end
