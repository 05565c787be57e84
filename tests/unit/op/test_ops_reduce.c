/* Reductions and their kin: sums over axes, running sums, positions of extremes, einsum, determinants. */
#include "harness.h"
#include "op_case.h"

TEST(reduce) {
  op_gives("reduce", "", "f32[2,2]{1,2,3,4} i64[1]{-1}", "f32[2,1]{3,7}");
  op_gives("reduce", "keep_dims=false", "f32[2,2]{1,2,3,4}", "f32[]{10}");
  op_gives("reduce", "empty_is_none=true", "f32[2]{1,2} i64[0]{}", "f32[2]{1,2}");
  op_gives("reduce", "kind=mean", "i32[3]{-1,-2,-4}", "i32[1]{-2}");
  op_gives("reduce", "kind=sum", "u8[2]{200,100}", "u8[1]{44}");
  op_gives("reduce", "kind=prod", "i64[2]{4611686018427387905,3}", "i64[1]{-4611686018427387901}");
  op_gives("reduce", "kind=max", "u64[2]{1,-1}", "u64[1]{18446744073709551615}");
  op_gives("reduce", "kind=max", "f32[3]{1,nan,2}", "f32[1]{nan}");
  op_gives("reduce", "kind=min", "bool[2]{1,0}", "bool[1]{0}");
  op_gives("reduce", "kind=l1", "i8[2]{-3,4}", "i8[1]{7}");
  op_gives("reduce", "kind=l2", "f32[2]{3,4}", "f32[1]{5}");
  op_gives("reduce", "kind=sum_square", "f32[2]{3,4}", "f32[1]{25}");
  op_gives("reduce", "kind=log_sum", "f32[2]{0.5,0.5}", "f32[1]{0}");
  op_gives("reduce", "kind=log_sum_exp", "f32[2]{1000,-inf}", "f32[1]{1000}");
  op_gives("reduce", "kind=log_sum_exp", "f32[2]{inf,0}", "f32[1]{inf}");
  op_refuses("reduce", "", "bool[2]", "type bool");
  op_refuses("reduce", "", "f32[2] i64[1]{1}", "axis 1");
}

TEST(reduce_of_nothing) {
  op_gives("reduce", "kind=sum", "f32[0]{}", "f32[1]{0}");
  op_gives("reduce", "kind=prod", "i8[2,0]{} i64[1]{1}", "i8[2,1]{1,1}");
  op_gives("reduce", "kind=max", "f16[0]{}", "f16[1]{-inf}");
  op_gives("reduce", "kind=min", "i16[0]{}", "i16[1]{32767}");
  op_gives("reduce", "kind=max", "i64[0]{}", "i64[1]{-9223372036854775808}");
  op_gives("reduce", "kind=min", "u64[0]{}", "u64[1]{18446744073709551615}");
  op_gives("reduce", "kind=min", "bool[0]{}", "bool[1]{1}");
}

TEST(reduce_infers) {
  op_infers("reduce", "keep_dims=false", "f32[n,3,h] i64[2]{0,-1}", "f32[3]");
  op_infers("reduce", "keep_dims=false", "f32[n,3,h] i64[1]", "f32[?1,?2]");
  op_infers("reduce", "keep_dims=false", "f32[n,3,h] i64[k]", "f32[*]");
  op_infers("reduce", "kind=prod", "i64[3]{n,3,h}", "i64[1]{h*n*3}");
  op_infers("reduce", "kind=sum keep_dims=false", "i64[2]{n,3}", "i64[]{n+3}");
}

TEST(positions) {
  op_gives("arg_reduce", "axis=1", "f32[2,3]{1,3,3,2,0,1}", "i64[2,1]{1,0}");
  op_gives("arg_reduce", "axis=-1 last_index=true keep_dims=false", "f32[2,3]{1,3,3,2,0,1}", "i64[2]{2,0}");
  op_gives("arg_reduce", "kind=min", "u64[3]{-1,0,0}", "i64[1]{1}");
  op_gives("arg_reduce", "", "f32[3]{1,nan,2}", "i64[1]{1}");
  op_refuses("arg_reduce", "", "f32[0]", "no elements to choose from");
  op_gives("hardmax", "", "f32[2,2]{1,1,0,2}", "f32[2,2]{1,0,0,1}");
}

TEST(cumulate) {
  op_gives("cumulate", "", "i32[3]{1,2,3} i64[]{0}", "i32[3]{1,3,6}");
  op_gives("cumulate", "exclusive=true reverse=true", "f32[3]{1,2,3} i32[1]{-1}", "f32[3]{5,3,0}");
  op_gives("cumulate", "kind=prod exclusive=true", "u8[2,2]{2,200,3,4} i64[]{0}", "u8[2,2]{1,1,2,200}");
  op_refuses("cumulate", "", "i32[3] i64[]{1}", "axis 1");
}

TEST(einsum) {
  op_gives("einsum", "equation=\"ij,jk->ik\"", "f32[1,2]{1,2} f32[2,2]{1,2,3,4}", "f32[1,2]{7,10}");
  op_gives("einsum", "equation=\"ij,jk\"", "i8[1,2]{1,2} i8[2,1]{3,4}", "i8[1,1]{11}");
  op_gives("einsum", "equation=\"...ii->...i\"", "f64[1,2,2]{1,2,3,4}", "f64[1,2]{1,4}");
  op_gives("einsum", "equation=\"i...,...->...\"", "i64[2,2]{1,2,3,4} i64[2]{10,100}", "i64[2]{40,600}");
  op_gives("einsum", "equation=\"ij->\"", "f32[2,0]{}", "f32[]{0}");
  op_infers("einsum", "equation=\"bij,bjk->bik\"", "f32[n,2,m] f32[n,m,h]", "f32[n,2,h]");
  op_refuses("einsum", "equation=\"ij->ii\"", "f32[2,2]", "a label twice");
  op_refuses("einsum", "equation=\"ij\"", "f32[2]", "operand 0 has rank 1, its term 2 labels");
  op_refuses("einsum", "equation=\"i,i\"", "f32[2] f32[3]", "operand 1 has extent 3");
  op_refuses("einsum", "equation=\"i->j\"", "f32[2]", "no operand has");
  op_refuses("einsum", "equation=\"i1\"", "f32[2]", "labels are letters");
}

TEST(det) {
  op_gives("det", "", "f32[2,2,2]{1,2,3,4,0,1,1,0}", "f32[2]{-2,-1}");
  op_gives("det", "", "f64[0,0]{}", "f64[]{1}");
  op_gives("det", "", "f32[2,2]{1,2,2,4}", "f32[]{0}");
  op_refuses("det", "", "f32[2,3]", "they must be square");
}

TEST_MAIN(T(reduce), T(reduce_of_nothing), T(reduce_infers), T(positions), T(cumulate), T(einsum), T(det))
