graph "c d"(%x: f32[]) -> (%x)
  %a: f32[4] = const [1.0, -0.0, 1e-45, inf]
  %b: f16[3] = const [1.5, -inf, nan]
  %d: f64[2] = const [0.1, 1.7976931348623157e+308]
  %e: i64[2] = const [-9223372036854775808, 9223372036854775807]
  %f: u64[1] = const [18446744073709551615]
  %h: bool[2] = const [true, false]
  %i: f32[0,3] = const []
  %j: f32[] = const 0x0100c07f
  %k: f32[8] = const random(7)
end
