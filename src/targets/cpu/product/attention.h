/* Attention on the CPU: y = softmax(bias(scale * q k^T)) v without the matrix of scores.

   The algorithm is the one of "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness" (2022) with
   the running normalisation of "Online normalizer calculation for softmax" (2018): a task takes a block of queries and
   goes through blocks of keys; of each row it keeps the greatest score so far, the sum of exponentials relative to it
   and the weighted sum of values, and rescales both when the greatest grows. A block's scores lie in the near cache and
   nowhere else.

   Queries that look at the same keys (the heads of a group) are rows of one product. With many rows a block of keys and
   one of values are packed for the matrix kernels, whatever their strides; with few (generation, token by token) both
   are read once, where they lie.

   Heads that are parted or joined by a transpose cost nothing: all operands have strides. */
#ifndef PN_TARGETS_CPU_ATTENTION_H
#define PN_TARGETS_CPU_ATTENTION_H

#include "targets/cpu/program.h"

/* Strides in elements; |element| along the depth of a head. */
typedef struct pn_attention_view {
  int64_t batch, head, row, element;
} pn_attention_view;

/* An operand of the expression between scores and softmax; strides in elements, |key| 1 or 0. */
typedef struct pn_attention_operand {
  uint16_t operand; /* of the step */
  uint32_t element_bytes;
  int64_t batch, head, row, key;
} pn_attention_operand;

typedef enum pn_attention_bias { PN_ATTENTION_PLAIN, PN_ATTENTION_MASK, PN_ATTENTION_PROGRAM } pn_attention_bias;

typedef struct pn_attention {
  /* The problem; set by the tactic. */
  int64_t batches, q_heads, kv_heads, queries, keys, depth, value_depth;
  pn_attention_view q, k, v, y; /* of k either |row| or |element| is 1, of the others |element| */
  float scale;
  bool zero_when_empty; /* a row that sees no key gives zeros; else NaN, as a softmax does */
  bool causal;
  int64_t left_keys, right_keys; /* a window: how many keys a query sees up to its place and from it on; 0: all */
  float softcap;                 /* 0: none */
  pn_attention_bias bias;
  bool mask_is_bool;  /* MASK: false forbids; else it is added */
  int64_t mask_reach; /* MASK: keys it reaches; the rest is forbidden */
  pn_attention_operand mask;
  uint32_t accumulator, operand_count; /* PROGRAM */
  pn_attention_operand operands[PN_EXPR_MAX_INPUTS];
  pn_program program;
  /* What follows from it; set by pn_attention_plan. */
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_gemv_f32 *gemv;
  const pn_cpu_dotconv_f32 *dot;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_transpose_f32 *transpose;
  pn_cpu_gemm_f32_width score_width, value_width;
  bool streamed; /* few rows: nothing is packed */
  int64_t row_block, row_blocks, key_block, q_pitch, score_pitch, y_pitch;
  size_t k_floats, v_floats, thread_bytes;
} pn_attention;

/* A run of it. */
typedef struct pn_attention_call {
  const pn_attention *attention;
  const float *q, *k, *v;
  float *y;
  void *const *operands; /* the step's */
  const int64_t *valid;  /* keys of each batch that exist, or null: all */
  int64_t past;          /* query i sees keys up to i + past when causal; with |valid|: up to i + valid - queries */
  char *workspace;       /* threads * thread_bytes, 64-byte aligned */
} pn_attention_call;

void pn_attention_plan(const pn_device *device, pn_attention *attention);
void pn_attention_run(pn_pool *pool, const pn_attention_call *call);
double pn_attention_estimate(const pn_device *device, const pn_attention *attention, double bytes);

#endif
