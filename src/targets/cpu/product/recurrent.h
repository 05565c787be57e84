/* Recurrent layers on the CPU: the plan that tactics/recurrent.c makes, and one step of it. */
#ifndef PN_TARGETS_CPU_RECURRENT_H
#define PN_TARGETS_CPU_RECURRENT_H

#include "op/sequence/recurrent.h"
#include "targets/cpu/cpu.h"

typedef struct pn_recurrent_matrix {
  int64_t k, n, panels;
  size_t offset; /* of its panels in |packed|, in floats; of direction 0 */
} pn_recurrent_matrix;

/* A vector operation of at most three, so that every activation is a short list of them. */
typedef struct pn_recurrent_activation {
  pn_activation_kind kind;
  float parameters[2];
} pn_recurrent_activation;

typedef struct pn_recurrent {
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  pn_recurrent_kind kind;
  bool batch_first, linear_before_reset, input_forget, reverse, peepholes, lengths;
  float clip; /* 0: none */
  pn_recurrent_activation activations[2][3];
  int64_t steps, batch, inputs, hidden, directions, gates;
  pn_recurrent_matrix w, r, candidate; /* inputs to all gates; states to all but gru's candidate; to that */
  size_t direction_floats, bias_offset, candidate_bias_offset, peephole_offset; /* of |packed| */
  int64_t row_blocks, chunk, chunks;
  size_t ahead_floats, chunk_floats; /* of the workspace */
  uint32_t ahead_parts;
} pn_recurrent;

/* Some sequences at one step, in direction |direction|: [count] rows each. */
typedef struct pn_recurrent_step {
  const pn_recurrent *layer;
  const float *packed; /* the direction's */
  int64_t direction, count;
  const float *ahead; /* what the inputs add to the gates, |ahead_stride| apart */
  int64_t ahead_stride;
  float *gates, *h, *c, *room; /* gates: gates * hidden floats a row; the others hidden */
} pn_recurrent_step;

/* C = A * panels [first, end) of |m| + bias or + what lies at |plus|; both may be null. */
void pn_recurrent_product(const pn_recurrent *layer, const pn_recurrent_matrix *m, const float *packed, int64_t first,
                          int64_t end, const float *a, int64_t rows, const float *bias, const float *plus,
                          int64_t plus_stride, float *c, int64_t c_stride);
/* h (and c) go on by one step. */
void pn_recurrent_step_run(const pn_recurrent_step *step);
pn_recurrent_activation pn_recurrent_activation_of(const pn_activation *activation);

#endif
