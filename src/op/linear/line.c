/* See line.h. */
#include "op/linear/line.h"

void pn_line_load(const pn_tensor *x, int64_t start, int64_t stride, int64_t count, double *out) {
  if (x->dtype == PELTON_DTYPE_F32) {
    const float *from = (const float *)x->data + start;
    for (int64_t i = 0; i < count; i++) out[i] = (double)from[i * stride];
  } else {
    for (int64_t i = 0; i < count; i++) out[i] = pn_tensor_get_f64(x, start + i * stride);
  }
}

void pn_line_store(pn_tensor *y, int64_t start, int64_t stride, int64_t count, const double *in) {
  if (y->dtype == PELTON_DTYPE_F32) {
    float *to = (float *)y->data + start;
    for (int64_t i = 0; i < count; i++) to[i * stride] = (float)in[i];
  } else {
    for (int64_t i = 0; i < count; i++) pn_tensor_set_f64(y, start + i * stride, in[i]);
  }
}

pelton_status pn_call_room(const pn_call *call, int64_t count, double **out) {
  *out = PN_NEW_ARRAY(call->scratch, double, (size_t)count);
  return *out ? PELTON_OK : pn_fail_memory(call->diag, "a reference's working memory");
}

pelton_status pn_call_f64s(const pn_call *call, const pn_tensor *x, double **out) {
  int64_t count = pn_tensor_elements(x);
  PN_TRY(pn_call_room(call, count, out));
  pn_line_load(x, 0, 1, count, *out);
  return PELTON_OK;
}

/* Vectors are loaded and stored through memcpy: rows begin anywhere. */
typedef float lanes_f32 PN_VECTOR(16);
typedef double lanes_f64 PN_VECTOR(16);

#define ADD_SCALED(real, suffix)                                                                      \
  void pn_add_scaled_##suffix(real *to, const real *from, int64_t count, real factor) {               \
    enum { LANES = sizeof(lanes_##suffix) / sizeof(real) };                                           \
    int64_t i = 0;                                                                                    \
    for (; i + LANES <= count; i += LANES) {                                                          \
      lanes_##suffix a, b;                                                                            \
      memcpy(&a, to + i, sizeof a);                                                                   \
      memcpy(&b, from + i, sizeof b);                                                                 \
      a += b * factor;                                                                                \
      memcpy(to + i, &a, sizeof a);                                                                   \
    }                                                                                                 \
    for (; i < count; i++) to[i] += from[i] * factor;                                                 \
  }

#define DOT(real, suffix)                                                  \
  real pn_dot_##suffix(const real *a, const real *b, int64_t count) {      \
    enum { LANES = sizeof(lanes_##suffix) / sizeof(real) };                \
    lanes_##suffix sums = {0};                                             \
    real sum = 0;                                                          \
    int64_t i = 0;                                                         \
    for (; i + LANES <= count; i += LANES) {                               \
      lanes_##suffix x, y;                                                 \
      memcpy(&x, a + i, sizeof x);                                         \
      memcpy(&y, b + i, sizeof y);                                         \
      sums += x * y;                                                       \
    }                                                                      \
    for (; i < count; i++) sum += a[i] * b[i];                             \
    for (int lane = 0; lane < (int)LANES; lane++) sum += sums[lane];       \
    return sum;                                                            \
  }

ADD_SCALED(float, f32)
ADD_SCALED(double, f64)
DOT(float, f32)
DOT(double, f64)

pelton_status pn_operand_wants_float(const pn_infer *c, const char *op, uint32_t i, const char *name) {
  if (!pn_infer_has(c, i) || pn_dtype_is_wide_float(c->in[i].type.dtype)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s; it must be f64, f32, f16 or bf16", op, name,
                 pelton_dtype_name(c->in[i].type.dtype));
}

pelton_status pn_call_wants_elements(const pn_call *call, const char *op, uint32_t i, const char *name, int64_t count) {
  if (!pn_call_has(call, i)) return PELTON_OK;
  int64_t elements = pn_tensor_elements(&call->in[i]);
  if (elements == count) return PELTON_OK;
  return pn_fail(call->diag, PELTON_INVALID_DATA, "%s: %s has %lld elements; it must have %lld", op, name,
                 (long long)elements, (long long)count);
}
