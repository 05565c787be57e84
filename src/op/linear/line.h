/* Lines of elements as doubles, whatever float (or integer) type they have: how references of normalisations, pooling
   and the like stay plain arithmetic without a call for each element. */
#ifndef PN_OP_LINE_H
#define PN_OP_LINE_H

#include "op/op.h"

/* Element |start| + i * |stride| of |x| into out[i]; and back. Integers are stored by pn_tensor_set_f64. */
void pn_line_load(const pn_tensor *x, int64_t start, int64_t stride, int64_t count, double *out);
void pn_line_store(pn_tensor *y, int64_t start, int64_t stride, int64_t count, const double *in);

/* All elements of |x| in |call->scratch|. */
pelton_status pn_call_f64s(const pn_call *call, const pn_tensor *x, double **out) PN_CHECKED;
/* |count| zeros in |call->scratch|. */
pelton_status pn_call_room(const pn_call *call, int64_t count, double **out) PN_CHECKED;

/* to[i] += from[i] * factor; and the sum of a[i] * b[i]. In small vectors, since references of whole networks live in
   these two loops. */
void pn_add_scaled_f32(float *to, const float *from, int64_t count, float factor);
void pn_add_scaled_f64(double *to, const double *from, int64_t count, double factor);
float pn_dot_f32(const float *a, const float *b, int64_t count);
double pn_dot_f64(const double *a, const double *b, int64_t count);

/* ---- checks that float operators share, as those in operand.h */

/* f64, f32, f16 or bf16. */
pelton_status pn_operand_wants_float(const pn_infer *c, const char *op, uint32_t i, const char *name) PN_CHECKED;
/* call->in[i] is absent or has |count| elements; what a fixed-size read relies on. */
pelton_status pn_call_wants_elements(const pn_call *call, const char *op, uint32_t i, const char *name, int64_t count)
    PN_CHECKED;

#endif
