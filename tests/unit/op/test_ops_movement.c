/* Operators that give elements another shape or place. Beside plain cases, what is easy to get wrong: clamped and
   negative positions, extents of 0, symbols, and indices that lie outside. */
#include "harness.h"
#include "op_case.h"

TEST(reshape) {
  op_gives("reshape", "", "f32[2,3]{1,2,3,4,5,6} i64[2]{3,-1}", "f32[3,2]{1,2,3,4,5,6}");
  op_gives("reshape", "allow_zero=true", "f32[0,3]{} i64[2]{3,0}", "f32[3,0]{}");
  op_infers("reshape", "", "f32[n,3,h,w] i64[3]{0,3,-1}", "f32[n,3,h*w]");
  op_infers("reshape", "", "f32[n,12] i64[3]{n,-1,4}", "f32[n,3,4]");
  op_infers("reshape", "", "f32[n] i64[2]", "f32[?1,?2]");
  op_infers("reshape", "", "f32[n] i64[*]", "f32[*]");
  op_refuses("reshape", "", "f32[4] i64[2]{3,-1}", "do not divide by 3");
  op_refuses("reshape", "", "f32[4] i64[2]{-1,-1}", "only one may be");
  op_refuses("reshape", "", "f32[4] i64[1]{5}", "4 elements, the shape asks for 5");
  op_refuses("reshape", "", "f32[4] i64[2]{4,0}", "lacks");
}

TEST(views) {
  op_gives("flatten", "axis=-1", "i8[2,1,2]{1,2,3,4}", "i8[2,2]{1,2,3,4}");
  op_gives("flatten", "axis=0", "i8[2]{1,2}", "i8[1,2]{1,2}");
  op_refuses("flatten", "axis=2", "i8[2]", "axis 2 is not within [-1, 1]");
  op_gives("squeeze", "", "f32[1,2,1]{1,2}", "f32[2]{1,2}");
  op_gives("squeeze", "", "f32[1,2,1]{1,2} i64[1]{-1}", "f32[1,2]{1,2}");
  op_infers("squeeze", "", "f32[n,1]", "f32[*]");
  op_infers("squeeze", "", "f32[n,1] i64[1]", "f32[?1]");
  op_infers("squeeze", "", "i64[1]{n} i64[1]{0}", "i64[]{n}");
  op_refuses("squeeze", "", "f32[1,2] i64[1]{1}", "axis 1 has extent 2");
  op_gives("unsqueeze", "", "f32[2]{1,2} i64[2]{0,-1}", "f32[1,2,1]{1,2}");
  op_infers("unsqueeze", "", "i64[]{n} i64[1]{0}", "i64[1]{n}");
  op_refuses("unsqueeze", "", "f32[2] i64[2]{0,-3}", "axis 0 is named twice");
  op_gives("bitcast", "to=i32", "f32[1]{1}", "i32[1]{1065353216}");
  op_refuses("bitcast", "to=f16", "f32[1]", "from f32 to f16");
}

TEST(permutations) {
  op_gives("transpose", "", "i16[2,3]{1,2,3,4,5,6}", "i16[3,2]{1,4,2,5,3,6}");
  op_gives("transpose", "perm=[1,0,2]", "u8[2,2,2]{1,2,3,4,5,6,7,8}", "u8[2,2,2]{1,2,5,6,3,4,7,8}");
  op_gives("transpose", "", "f64[]{3}", "f64[]{3}");
  op_infers("transpose", "perm=[0,2,1]", "f32[n,3,w]", "f32[n,w,3]");
  op_refuses("transpose", "perm=[0,0]", "f32[1,1]", "axis 0 is named twice");
  op_gives("depth_to_space", "block=2", "i64[1,4,1,1]{1,2,3,4}", "i64[1,1,2,2]{1,2,3,4}");
  op_gives("depth_to_space", "block=2 mode=crd", "i64[1,8,1,1]{1,2,3,4,5,6,7,8}", "i64[1,2,2,2]{1,2,3,4,5,6,7,8}");
  op_gives("depth_to_space", "block=2", "i64[1,8,1,1]{1,2,3,4,5,6,7,8}", "i64[1,2,2,2]{1,3,5,7,2,4,6,8}");
  op_gives("space_to_depth", "block=2", "i64[1,1,2,2]{1,2,3,4}", "i64[1,4,1,1]{1,2,3,4}");
  op_gives("space_to_depth", "block=2 mode=crd", "i64[1,2,2,2]{1,2,3,4,5,6,7,8}", "i64[1,8,1,1]{1,2,3,4,5,6,7,8}");
  op_infers("space_to_depth", "block=2", "f32[n,3,h,8]", "f32[n,12,h/2,4]");
  op_refuses("depth_to_space", "block=2", "f32[1,3,1,1]", "no multiple of 4");
  op_gives("reverse_sequence", "", "i32[3,2]{1,2,3,4,5,6} i64[2]{3,2}", "i32[3,2]{5,4,3,2,1,6}");
  op_refuses("reverse_sequence", "", "i32[1,1]{1} i64[1]{2}", "length 2 of batch element 0");
}

TEST(repetition) {
  op_gives("expand", "", "f16[2,1]{1,2} i64[3]{2,1,2}", "f16[2,2,2]{1,1,2,2,1,1,2,2}");
  op_infers("expand", "", "f32[1,4] i64[2]{n,1}", "f32[n,4]");
  op_infers("expand", "", "i64[1]{n} i64[1]{3}", "i64[3]{n,n,n}");
  op_gives("tile", "", "i8[1,2]{1,2} i64[2]{2,2}", "i8[2,4]{1,2,1,2,1,2,1,2}");
  op_infers("tile", "", "f32[n,2] i64[2]{1,m}", "f32[n,m*2]");
  op_refuses("tile", "", "i8[1,2] i64[1]{2}", "1 repeats for an operand of rank 2");
}

TEST(slice) {
  op_gives("slice", "", "i8[5]{0,1,2,3,4} i64[1]{1} i64[1]{-1}", "i8[3]{1,2,3}");
  op_gives("slice", "", "i8[5]{0,1,2,3,4} i64[1]{-1} i64[1]{-9223372036854775808} i64[1]{0} i64[1]{-2}",
           "i8[3]{4,2,0}");
  op_gives("slice", "", "i8[5]{0,1,2,3,4} i64[1]{9} i64[1]{9223372036854775807}", "i8[0]{}");
  op_gives("slice", "", "i8[2,2]{1,2,3,4} i32[1]{1} i32[1]{2147483647} i32[1]{-1}", "i8[2,1]{2,4}");
  op_infers("slice", "", "f32[n] i64[1]{0} i64[1]{9223372036854775807}", "f32[n]");
  op_infers("slice", "", "f32[n,8] i64[1] i64[1] i64[1]{0}", "f32[?1,8]");
  op_infers("slice", "", "i64[3]{n,3,h} i64[1]{-1} i64[1]{-4} i64[1]{0} i64[1]{-1}", "i64[3]{h,3,n}");
  op_refuses("slice", "", "i8[5] i64[1]{0} i64[1]{1} i64[1]{0} i64[1]{0}", "step on axis 0 is 0");
  op_refuses("slice", "", "i8[5] i64[1]{0} i64[1]{1} i64[1]{1}", "axis 1");
}

TEST(join_and_part) {
  op_gives("concat", "axis=1", "f32[2,1]{1,2} f32[2,2]{3,4,5,6}", "f32[2,3]{1,3,4,2,5,6}");
  op_infers("concat", "axis=0", "i64[1]{n} i64[2]{3,4}", "i64[3]{n,3,4}");
  op_infers("concat", "axis=1", "f32[n,2] f32[2,m]", "f32[2,m+2]");
  op_refuses("concat", "axis=0", "f32[2,1] f32[2,2]", "only axis 0 may differ");
  op_refuses("concat", "axis=0", "f32[2] f16[2]", "type f16");
  op_gives("split", "", "i8[5]{1,2,3,4,5}", "i8[3]{1,2,3} i8[2]{4,5}");
  op_gives("split", "axis=1", "i8[2,3]{1,2,3,4,5,6} i64[2]{1,2}", "i8[2,1]{1,4} i8[2,2]{2,3,5,6}");
  op_infers("split", "", "i64[2]{n,4} i64[2]{1,1}", "i64[1]{n} i64[1]{4}");
  op_refuses("split", "", "i8[5] i64[1]{4}", "add up to 4, the axis has 5");
}

TEST(pad) {
  op_gives("pad", "", "i8[2]{1,2} i64[2]{1,2} i8[]{9}", "i8[5]{9,1,2,9,9}");
  op_gives("pad", "", "i8[3]{1,2,3} i64[2]{-1,1}", "i8[3]{2,3,0}");
  op_gives("pad", "mode=reflect", "i8[3]{1,2,3} i64[2]{3,3}", "i8[9]{2,3,2,1,2,3,2,1,2}");
  op_gives("pad", "mode=edge", "i8[1,2]{1,2} i64[2]{1,1} - i64[1]{-1}", "i8[1,4]{1,1,2,2}");
  op_gives("pad", "mode=wrap", "i8[3]{1,2,3} i64[2]{4,1}", "i8[8]{3,1,2,3,1,2,3,1}");
  op_infers("pad", "", "f32[n,h] i64[4]{0,1,0,1}", "f32[n,h+2]");
  op_refuses("pad", "", "i8[2] i64[3]{0,0,0}", "give two an axis");
  op_refuses("pad", "mode=edge", "i8[0]{} i64[2]{1,1}", "no elements to continue from");
}

TEST(gather) {
  op_gives("gather", "axis=1", "f32[2,3]{1,2,3,4,5,6} i64[2]{-1,0}", "f32[2,2]{3,1,6,4}");
  op_infers("gather", "", "i64[3]{n,3,h} i64[]{-1}", "i64[]{h}");
  op_infers("gather", "axis=1", "f32[n,9] i64[2,m]", "f32[n,2,m]");
  op_refuses("gather", "", "f32[3]{1,2,3} i64[1]{3}", "index 3 lies outside an extent of 3");
  op_gives("gather_elements", "axis=1", "i8[2,2]{1,2,3,4} i64[2,2]{0,0,-1,0}", "i8[2,2]{1,1,4,3}");
  op_refuses("gather_elements", "axis=0", "i8[1,1]{1} i64[1,1]{-2}", "index -2");
  op_gives("gather_nd", "", "i8[2,2]{1,2,3,4} i64[2,2]{0,0,1,1}", "i8[2]{1,4}");
  op_gives("gather_nd", "batch_dims=1", "i8[2,2]{1,2,3,4} i64[2,1]{1,0}", "i8[2]{2,3}");
  op_refuses("gather_nd", "", "i8[2]{1,2} i64[1,1]{2}", "index 2");
  op_refuses("gather_nd", "", "i8[2] i64[1,2]", "from 1 to 1");
}

TEST(scatter) {
  op_gives("scatter_elements", "axis=1", "i8[1,4]{1,2,3,4} i64[1,2]{1,-1} i8[1,2]{8,9}", "i8[1,4]{1,8,3,9}");
  op_gives("scatter_elements", "reduction=add", "f16[2]{1,2} i64[2]{0,0} f16[2]{10,20}", "f16[2]{31,2}");
  op_gives("scatter_elements", "reduction=max", "u64[1]{1} i64[1]{0} u64[1]{-1}", "u64[1]{18446744073709551615}");
  op_gives("scatter_elements", "reduction=min", "f32[2]{1,nan} i64[2]{0,1} f32[2]{nan,0}", "f32[2]{nan,nan}");
  op_refuses("scatter_elements", "", "i8[2]{1,2} i64[1]{2} i8[1]{1}", "index 2");
  op_gives("scatter_nd", "", "i8[2,2]{1,2,3,4} i64[1,1]{-1} i8[1,2]{7,8}", "i8[2,2]{1,2,7,8}");
  op_gives("scatter_nd", "reduction=mul", "i8[2]{3,4} i64[2,1]{0,0} i8[2]{2,5}", "i8[2]{30,4}");
  op_refuses("scatter_nd", "", "i8[2]{1,2} i64[1,1]{-3} i8[1]{1}", "index -3");
  op_gives("tensor_scatter", "axis=1", "i8[2,3]{0,0,0,0,0,0} i8[2,2]{1,2,3,4} i64[2]{0,1}", "i8[2,3]{1,2,0,0,3,4}");
  op_gives("tensor_scatter", "axis=1 circular=true", "i8[1,3]{0,0,0} i8[1,2]{1,2} i64[1]{2}", "i8[1,3]{2,0,1}");
  op_refuses("tensor_scatter", "axis=1", "i8[1,3]{0,0,0} i8[1,2]{1,2} i64[1]{2}", "write index 2");
}

TEST_MAIN(T(reshape), T(views), T(permutations), T(repetition), T(slice), T(join_and_part), T(pad), T(gather),
          T(scatter))
