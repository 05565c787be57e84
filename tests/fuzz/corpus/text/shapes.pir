# shapes as data: a reshape whose extents are computed
graph shapes(%x: f32[1<=n<=32,3,h,w]) -> (%y, %flat)
  %s: i64[4] = shape_of(%x)  # from "Shape_1"
  %zero: i64[] = const [0]
  %n: i64[] = gather(%s, %zero)
  %axes: i64[1] = const [0]
  %n1: i64[1] = unsqueeze(%n, %axes)
  %rest: i64[1] = const [-1]
  %to: i64[2] = concat(%n1, %rest)  # name "target" from "Concat_4", "b/c:0"
  %y: f32[n,3*h*w] = reshape(%x, %to)
  %flat = flatten(%x) axis=2
end
