#include "targets/cpu/product/recurrent.h"

#include "base/bytes.h"

#include <math.h>

#define UNARY(vec, name) (vec)->unary[PN_CPU_UNARY_##name]
#define BINARY(vec, name, form) (vec)->binary[PN_CPU_BINARY_##name][PN_CPU_##form]

pn_recurrent_activation pn_recurrent_activation_of(const pn_activation *a) {
  pn_recurrent_activation out = {a->kind, {(float)a->alpha, (float)a->beta}};
  if (a->kind == PN_ACTIVATION_ELU) out.parameters[1] = 1;
  /* The kernel forbids what is not above its limit, the layer what is below. */
  if (a->kind == PN_ACTIVATION_THRESHOLDED_RELU) out.parameters[0] = nextafterf(out.parameters[0], -INFINITY);
  return out;
}

static void activate(const pn_cpu_vec_f32 *vec, const pn_recurrent_activation *a, size_t n, float *x) {
  const float *p = a->parameters;
  switch (a->kind) {
  case PN_ACTIVATION_SIGMOID: UNARY(vec, sigmoid)(n, x, NULL, x); return;
  case PN_ACTIVATION_TANH: UNARY(vec, tanh)(n, x, NULL, x); return;
  case PN_ACTIVATION_RELU: UNARY(vec, relu)(n, x, NULL, x); return;
  case PN_ACTIVATION_LEAKY_RELU: UNARY(vec, leaky_relu)(n, x, p, x); return;
  case PN_ACTIVATION_THRESHOLDED_RELU: UNARY(vec, thresholded_relu)(n, x, p, x); return;
  case PN_ACTIVATION_HARD_SIGMOID: UNARY(vec, hard_sigmoid)(n, x, p, x); return;
  case PN_ACTIVATION_ELU: UNARY(vec, elu)(n, x, p, x); return;
  case PN_ACTIVATION_SOFTSIGN: UNARY(vec, softsign)(n, x, NULL, x); return;
  case PN_ACTIVATION_SOFTPLUS: UNARY(vec, softplus)(n, x, NULL, x); return;
  case PN_ACTIVATION_AFFINE:
    BINARY(vec, mul, RUN_ONE)(n, x, &p[0], x);
    BINARY(vec, add, RUN_ONE)(n, x, &p[1], x);
    return;
  case PN_ACTIVATION_SCALED_TANH:
    BINARY(vec, mul, RUN_ONE)(n, x, &p[1], x);
    UNARY(vec, tanh)(n, x, NULL, x);
    BINARY(vec, mul, RUN_ONE)(n, x, &p[0], x);
    return;
  case PN_ACTIVATION_COUNT: return;
  }
}

/* A gate's: clipped first. */
static void activate_gate(const pn_recurrent_step *s, uint32_t which, size_t n, float *x) {
  const pn_recurrent *l = s->layer;
  const float limits[2] = {-l->clip, l->clip};
  if (l->clip > 0) UNARY(l->vec, clip)(n, x, limits, x);
  activate(l->vec, &l->activations[s->direction][which], n, x);
}

void pn_recurrent_product(const pn_recurrent *l, const pn_recurrent_matrix *m, const float *packed, int64_t first,
                          int64_t end, const float *a, int64_t rows, const float *bias, const float *plus,
                          int64_t plus_stride, float *c, int64_t c_stride) {
  static const ptrdiff_t no_offset[1] = {0};
  int64_t nr = l->width.nr, tiles = pn_div_up(rows, l->width.mr_max);
  for (int64_t panel = first; panel < end; panel++)
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      pn_cpu_gemm_f32_tile tile = {.a = a + begin * m->k,
                                   .a_row_stride = m->k,
                                   .tap_offset = no_offset,
                                   .tap_count = 1,
                                   .k = (size_t)m->k,
                                   .b = packed + m->offset + panel * nr * m->k,
                                   .b_tap_stride = (size_t)(nr * m->k),
                                   .c = c + begin * c_stride + panel * nr,
                                   .c_row_stride = c_stride,
                                   .n = (size_t)pn_min_i64(nr, m->n - panel * nr),
                                   .start = bias ? PN_CPU_GEMM_BIAS : PN_CPU_GEMM_ZERO,
                                   .bias = bias ? bias + panel * nr : NULL,
                                   .residual = plus ? plus + begin * plus_stride + panel * nr : NULL,
                                   .residual_row_stride = plus_stride,
                                   .lo = -(float)INFINITY,
                                   .hi = (float)INFINITY};
      l->width.fns[count - 1](&tile);
    }
}

/* The gates of a row: i o f c. */
static void step_lstm(const pn_recurrent_step *s) {
  static const float one = 1;
  const pn_recurrent *l = s->layer;
  const pn_cpu_vec_f32 *v = l->vec;
  size_t n = (size_t)l->hidden;
  const float *peep = l->peepholes ? s->packed + l->peephole_offset : NULL; /* of i, o, f */
  float *gates = s->gates, *h = s->h, *c = s->c;
  for (int64_t b = 0; b < s->count; b++, gates += 4 * n, h += n, c += n) {
    float *in = gates, *out = gates + n, *forget = gates + 2 * n, *fresh = gates + 3 * n;
    if (peep) {
      v->ternary[PN_CPU_TERNARY_fma](n, peep, c, in, in);
      v->ternary[PN_CPU_TERNARY_fma](n, peep + 2 * n, c, forget, forget);
      activate_gate(s, 0, n, in);
      activate_gate(s, 0, n, forget);
    } else {
      activate_gate(s, 0, 3 * n, gates);
    }
    if (l->input_forget) BINARY(v, sub, ONE_RUN)(n, &one, in, forget);
    activate_gate(s, 1, n, fresh);
    BINARY(v, mul, RUN_RUN)(n, in, fresh, in);
    v->ternary[PN_CPU_TERNARY_fma](n, forget, c, in, c);
    if (peep) {
      v->ternary[PN_CPU_TERNARY_fma](n, peep + n, c, out, out);
      activate_gate(s, 0, n, out);
    }
    memcpy(fresh, c, n * sizeof *c);
    activate(v, &l->activations[s->direction][2], n, fresh); /* the cell is not clipped */
    BINARY(v, mul, RUN_RUN)(n, out, fresh, h);
  }
}

/* The gates of a row: z r, then the candidate's room. */
static void step_gru(const pn_recurrent_step *s) {
  const pn_recurrent *l = s->layer;
  const pn_cpu_vec_f32 *v = l->vec;
  int64_t n = l->hidden;
  size_t run = (size_t)n;
  for (int64_t b = 0; b < s->count; b++) {
    float *reset = s->gates + b * 3 * n + n;
    activate_gate(s, 0, 2 * run, s->gates + b * 3 * n);
    if (!l->linear_before_reset) BINARY(v, mul, RUN_RUN)(run, reset, s->h + b * n, s->room + b * n);
  }
  if (l->linear_before_reset)
    pn_recurrent_product(l, &l->candidate, s->packed, 0, l->candidate.panels, s->h, s->count,
                         s->packed + l->candidate_bias_offset, NULL, 0, s->gates + 2 * n, 3 * n);
  else
    pn_recurrent_product(l, &l->candidate, s->packed, 0, l->candidate.panels, s->room, s->count, NULL,
                         s->ahead + 2 * n, s->ahead_stride, s->gates + 2 * n, 3 * n);
  for (int64_t b = 0; b < s->count; b++) {
    float *update = s->gates + b * 3 * n, *reset = update + n, *fresh = update + 2 * n, *h = s->h + b * n;
    if (l->linear_before_reset)
      v->ternary[PN_CPU_TERNARY_fma](run, reset, fresh, s->ahead + b * s->ahead_stride + 2 * n, fresh);
    activate_gate(s, 1, run, fresh);
    BINARY(v, sub, RUN_RUN)(run, h, fresh, reset); /* (1 - z) * fresh + z * h */
    v->ternary[PN_CPU_TERNARY_fma](run, update, reset, fresh, h);
  }
}

void pn_recurrent_step_run(const pn_recurrent_step *s) {
  const pn_recurrent *l = s->layer;
  int64_t n = l->hidden;
  pn_recurrent_product(l, &l->r, s->packed, 0, l->r.panels, s->h, s->count, NULL, s->ahead, s->ahead_stride, s->gates,
                       l->gates * n);
  if (l->kind == PN_RECURRENT_LSTM) {
    step_lstm(s);
  } else if (l->kind == PN_RECURRENT_GRU) {
    step_gru(s);
  } else {
    memcpy(s->h, s->gates, (size_t)(s->count * n) * sizeof *s->h);
    activate_gate(s, 0, (size_t)(s->count * n), s->h);
  }
}
