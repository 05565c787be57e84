/* attention and rotary_embedding: scores of 0 make every visible key count the same, so that results show who sees
   what. */
#include "harness.h"
#include "op_case.h"

#define TWO_KEYS "f32[1,1,1,1]{0} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20}"
#define TWO_QUERIES "f32[1,1,2,1]{0,0} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20}"

TEST(attention_masks) {
  op_gives("attention", "", TWO_KEYS, "f32[1,1,1,1]{15}");
  op_gives("attention", "", TWO_KEYS " bool[1,2]{1,0}", "f32[1,1,1,1]{10}");
  op_gives("attention", "", TWO_KEYS " bool[1,1]{1}", "f32[1,1,1,1]{10}");
  op_gives("attention", "", TWO_KEYS " bool[2]{0,0}", "f32[1,1,1,1]{0}");
  op_gives("attention", "", TWO_KEYS " f32[1,2]{0,-inf}", "f32[1,1,1,1]{10}");
  op_gives("attention", "", TWO_KEYS " f32[1,1]{3}", "f32[1,1,1,1]{10}");
  op_gives("attention", "", TWO_KEYS " f32[1,1,1,2]{-inf,-inf}", "f32[1,1,1,1]{0}");
  op_gives("attention", "", "f32[1,2,1,1]{0,0} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20} bool[2,1,2]{1,0,0,1}",
           "f32[1,2,1,1]{10,20}");
  op_gives("attention", "", TWO_QUERIES " bool[1,1,2,2]{0,1,1,0}", "f32[1,1,2,1]{20,10}");
}

TEST(attention_causality) {
  op_gives("attention", "causal=true", TWO_QUERIES, "f32[1,1,2,1]{10,15}");
  op_gives("attention", "causal=true", TWO_QUERIES " bool[2,2]{1,1,0,1}", "f32[1,1,2,1]{10,20}");
  op_gives("attention", "causal=true", TWO_QUERIES " - - - i64[1]{1}", "f32[1,1,2,1]{0,10}");
  op_gives("attention", "", TWO_QUERIES " - - - i64[1]{1}", "f32[1,1,2,1]{10,10}");
  op_gives("attention", "", TWO_QUERIES " - - - i64[1]{0}", "f32[1,1,2,1]{0,0}");
}

TEST(attention_windows) {
#define ROW "f32[1,1,5,1]{0,0,0,0,0} f32[1,1,5,1]{0,0,0,0,0} f32[1,1,5,1]{0,1,2,3,4}"
  op_gives("attention", "left_window=1 right_window=2", ROW, "f32[1,1,5,1]{1,1.5,2.5,3,3.5}");
  op_gives("attention", "left_window=0", ROW, "f32[1,1,5,1]{2,2.5,3,3.5,4}");
  op_gives("attention", "right_window=0", ROW, "f32[1,1,5,1]{0,0.5,1,1.5,2}");
  op_gives("attention", "left_window=1 causal=true", ROW, "f32[1,1,5,1]{0,0.5,1.5,2.5,3.5}");
  /* The place of a query counts what lies in the past, or how many keys are valid. */
  op_gives("attention", "left_window=0 right_window=0", "f32[1,1,1,1]{0} f32[1,1,1,1]{2} f32[1,1,1,1]{20} - f32[1,1,1,1]{1} "
           "f32[1,1,1,1]{10}", "f32[1,1,1,1]{20}");
  op_gives("attention", "left_window=0", TWO_KEYS " - - - i64[1]{1}", "f32[1,1,1,1]{10}");
#undef ROW
}

TEST(attention_past) {
  op_gives("attention", "causal=true",
           "f32[1,1,1,1]{0} f32[1,1,1,1]{1} f32[1,1,1,1]{20} - f32[1,1,1,1]{5} f32[1,1,1,1]{40}",
           "f32[1,1,1,1]{30} f32[1,1,2,1]{5,1} f32[1,1,2,1]{40,20} f32[1,1,1,2]{0,0}");
  op_gives("attention", "causal=true",
           "f32[1,1,2,1]{0,0} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20} - f32[1,1,1,1]{5} f32[1,1,1,1]{40}",
           "f32[1,1,2,1]{25,23.3333} - f32[1,1,3,1]{40,10,20}");
}

TEST(attention_scores) {
  const char *operands = "f32[1,1,1,1]{2} f32[1,1,2,1]{1000,-1000} f32[1,1,2,1]{1,1}";
  op_gives("attention", "softcap=2", operands, "f32[1,1,1,1]{1} - - f32[1,1,1,2]{2000,-2000}");
  op_gives("attention", "scale=0.5", operands, "f32[1,1,1,1]{1} - - f32[1,1,1,2]{1000,-1000}");
  op_gives("attention", "softcap=2 scores_mode=1", operands, "f32[1,1,1,1]{1} - - f32[1,1,1,2]{2,-2}");
  op_gives("attention", "causal=true scores_mode=2", TWO_QUERIES " - - - i64[1]{1}",
           "f32[1,1,2,1]{0,10} - - f32[1,1,2,2]{-inf,-inf,0,-inf}");
  op_gives("attention", "causal=true scores_mode=3", TWO_QUERIES " - - - i64[1]{1}",
           "f32[1,1,2,1]{0,10} - - f32[1,1,2,2]{0,0,1,0}");
  op_gives("attention", "softmax_dtype=f16 scores_mode=3", "f32[1,1,1,1]{0} f32[1,1,3,1]{1,2,3} f32[1,1,3,1]{1,1,1}",
           "f32[1,1,1,1]{0.999756} - - f32[1,1,1,3]{0.333252,0.333252,0.333252}");
  op_gives("attention", "", "f32[1,1,1,1]{nan} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20} bool[2]{1,0}",
           "f32[1,1,1,1]{nan}");
  op_gives("attention", "", "f32[1,1,1,1]{nan} f32[1,1,2,1]{1,2} f32[1,1,2,1]{10,20} bool[2]{0,0}",
           "f32[1,1,1,1]{0}");
}

/* Two heads of queries on one of keys; [N,S,heads*D] holds the heads side by side. */
TEST(attention_heads) {
  op_gives("attention", "q_heads=2 kv_heads=1", "f32[1,1,2]{0,100} f32[1,2,1]{0,1} f32[1,2,2]{1,2,3,4}",
           "f32[1,1,4]{2,3,3,4} f32[1,1,2,1]{0,1} f32[1,1,2,2]{1,2,3,4}");
  op_gives("attention", "q_heads=2 kv_heads=2", "f16[1,2,2]{0,0,0,0} f16[1,1,2]{1,2} f16[1,1,2]{7,8}",
           "f16[1,2,2]{7,8,7,8}");
  op_gives("attention", "", "f32[1,1,1,1]{0} f32[1,1,0,1]{} f32[1,1,0,1]{}", "f32[1,1,1,1]{0}");
}

TEST(attention_infers) {
  op_infers("attention", "", "f32[n,8,s,64] f32[n,2,t,64] f16[n,2,t,32] - f32[n,2,p,64] f16[n,2,p,32]",
            "f32[n,8,s,32] f32[n,2,p+t,64] f16[n,2,p+t,32] f32[n,8,s,p+t]");
  op_infers("attention", "q_heads=8 kv_heads=2", "f32[n,s,512] f32[n,t,128] f32[n,t,64]",
            "f32[n,s,256] f32[n,2,t,64] f32[n,2,t,32] f32[n,8,s,t]");
  op_infers("attention", "", "f32[*] f32[n,2,t,64] f32[n,2,t,64]", "f32[?1,?2,?3,?4]");
  op_infers("attention", "", "f32[n,1,2,3] f32[n,1,4,3] f32[n,1,4,3] bool[*]", "f32[n,1,2,3]");
}

TEST(attention_refuses) {
  op_refuses("attention", "", "f32[1,3,1,1] f32[1,2,1,1] f32[1,2,1,1]", "2 heads of k and v");
  op_refuses("attention", "", "f32[1,1,1,1] f32[1,1,1,2] f32[1,1,1,1]", "k has 2 elements a head");
  op_refuses("attention", "", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,2,1]", "v has 2 steps");
  op_refuses("attention", "", "f32[1,1,1,1] f32[2,1,1,1] f32[1,1,1,1]", "k has 2 batches");
  op_refuses("attention", "", "f32[1,1,1] f32[1,1,1] f32[1,1,1]", "q_heads is 0");
  op_refuses("attention", "q_heads=2 kv_heads=1", "f32[1,1,3] f32[1,1,1] f32[1,1,1]", "2 heads do not divide");
  op_refuses("attention", "", "f32[1,1,1,1] f16[1,1,1,1] f32[1,1,1,1]", "k is of type f16");
  op_refuses("attention", "scores_mode=4", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1]", "scores_mode is 4");
  op_refuses("attention", "softmax_dtype=i8", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1]", "softmax_dtype is i8");
  op_refuses("attention", "", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1] - f32[1,1,1,1]", "without past_value");
  op_refuses("attention", "", "f32[1,1,1,1] f32[1,1,1,1] f32[1,1,1,1] - f32[1,1,1,1] f32[1,1,1,1] i64[1]",
             "one of the two");
  op_refuses("attention", "", TWO_KEYS " bool[1,3]", "mask has extent 3 on axis 1");
  op_refuses("attention", "", TWO_KEYS " bool[2,2]", "mask has extent 2 on axis 0");
  op_refuses("attention", "", TWO_KEYS " - - - i64[1]{3}", "valid_lengths[0] is 3");
}

#define HEAD "f32[1,1,1,4]{1,2,3,4} "

TEST(rotary_embedding) {
  op_gives("rotary_embedding", "", HEAD "f32[1,1,2]{0,1} f32[1,1,2]{1,0}", "f32[1,1,1,4]{-3,2,1,4}");
  op_gives("rotary_embedding", "interleaved=true", HEAD "f32[1,1,2]{0,1} f32[1,1,2]{1,0}", "f32[1,1,1,4]{-2,1,3,4}");
  op_gives("rotary_embedding", "dim=2", HEAD "f32[1,1,1]{0} f32[1,1,1]{1}", "f32[1,1,1,4]{-2,1,3,4}");
  op_gives("rotary_embedding", "heads=2", "f32[1,1,4]{1,2,3,4} f32[1,1,1]{0} f32[1,1,1]{1}", "f32[1,1,4]{-2,1,-4,3}");
  op_gives("rotary_embedding", "", "f32[1,1,2,2]{1,2,3,4} f32[3,1]{1,1,0} f32[3,1]{0,0,1} i64[1,2]{2,0}",
           "f32[1,1,2,2]{-2,1,3,4}");
  op_gives("rotary_embedding", "", "f16[1,2,2,2]{1,2,3,4,5,6,7,8} f16[1,2,1]{1,0} f16[1,2,1]{0,1}",
           "f16[1,2,2,2]{1,2,-4,3,5,6,-8,7}");
  op_infers("rotary_embedding", "", "f32[n,8,s,64] f32[4096,32] f32[4096,32] i64[n,s]", "f32[n,8,s,64]");
  op_infers("rotary_embedding", "heads=8", "f32[n,s,512] f32[n,s,32] f32[n,s,32]", "f32[n,s,512]");
  op_refuses("rotary_embedding", "", "f32[1,1,1,2]{1,2} f32[3,1]{1,1,0} f32[3,1]{0,0,1} i64[1,1]{3}", "index 3");
  op_refuses("rotary_embedding", "", "f32[1,1,1,3] f32[1,1,1] f32[1,1,1]", "3 of a head's 3");
  op_refuses("rotary_embedding", "dim=4", "f32[1,1,1,2] f32[1,1,2] f32[1,1,2]", "4 of a head's 2");
  op_refuses("rotary_embedding", "dim=3", "f32[1,1,1,4] f32[1,1,1] f32[1,1,1]", "dim is 3");
  op_refuses("rotary_embedding", "", "f32[1,1,4] f32[1,1,2] f32[1,1,2]", "heads is 0");
  op_refuses("rotary_embedding", "", HEAD "f32[1,1,2] f32[1,1,1]", "sin has 1 elements");
  op_refuses("rotary_embedding", "", HEAD "f32[1,1,2] f32[1,1,2] i64[1,1]", "cos has rank 3");
}

TEST_MAIN(T(attention_masks), T(attention_causality), T(attention_windows), T(attention_past), T(attention_scores), T(attention_heads),
          T(attention_infers), T(attention_refuses), T(rotary_embedding))
