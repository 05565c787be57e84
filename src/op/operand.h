/* What most operators ask of their operands, in one wording: checks of types, axes counted from the end, integers read
   from a tensor, contents handed on for shape arithmetic. The operator's name stands first in every message. */
#ifndef PN_OP_OPERAND_H
#define PN_OP_OPERAND_H

#include "op/op.h"

/* Contents of larger tensors are not followed: no model computes a shape of more. */
enum { PN_CONTENT_ELEMENTS = 64 };

/* ---- check: operand |i|, called |name| in messages; absent operands and unknown ranks pass */

/* i32 or i64. */
pelton_status pn_operand_wants_indices(const pn_infer *c, const char *op, uint32_t i, const char *name) PN_CHECKED;
pelton_status pn_operand_wants_rank(const pn_infer *c, const char *op, uint32_t i, const char *name, int32_t least,
                                    int32_t most) PN_CHECKED;
/* The same type of elements as operand |like|. */
pelton_status pn_operand_wants_type_of(const pn_infer *c, const char *op, uint32_t i, const char *name,
                                       uint32_t like) PN_CHECKED;
/* One element, in a tensor of any rank. */
pelton_status pn_operand_wants_scalar(const pn_infer *c, const char *op, uint32_t i, const char *name) PN_CHECKED;

/* Texts. */
pelton_status pn_operand_wants_texts(const pn_infer *c, const char *op, uint32_t i, const char *name) PN_CHECKED;

/* ---- axes and indices */

/* Axes in [-rank, rank) to [0, rank); errors name one that lies outside or stands there twice. */
pelton_status pn_axes_resolve(pelton_diag *diag, const char *op, const int64_t *axes, uint32_t count, int64_t rank,
                              uint32_t *out) PN_CHECKED;
/* |value| in [-extent, extent) to [0, extent), for indices found in data. */
pelton_status pn_index_resolve(pelton_diag *diag, const char *op, int64_t value, int64_t extent,
                               int64_t *out) PN_CHECKED;

/* ---- infer */

/* Makes |content| the content of result |i|, when it is an integer tensor, short enough, and every number fits. */
pelton_status pn_content_give(const pn_infer *c, uint32_t i, const pn_dim *content, uint32_t count) PN_CHECKED;
/* The same with what is known of operand 0: for operators that change its shape only. */
void pn_content_pass(const pn_infer *c);
/* One extent that two operands must share: the number when one is known. False when they cannot be equal. */
bool pn_dim_unify(pn_dim a, pn_dim b, pn_dim *out) PN_CHECKED;
/* Result |i| gets operand 0's type. */
void pn_infer_same(const pn_infer *c, uint32_t i);
/* Elements of operand |i|, a list of rank 1 (or one scalar), when its extent is known. */
bool pn_infer_length(const pn_infer *c, uint32_t i, uint32_t *out) PN_CHECKED;

/* ---- reference */

/* Every element of operand |i| as int64 in |call->scratch|. */
pelton_status pn_call_numbers(const pn_call *call, uint32_t i, const int64_t **out, uint32_t *count) PN_CHECKED;
/* Result |i| was planned with these dims. Shapes come from infer, so anything else is our own mistake; yet it would
   be a write out of bounds. */
pelton_status pn_call_wants_result(const pn_call *call, const char *op, uint32_t i, uint32_t rank,
                                   const int64_t *dims) PN_CHECKED;
/* Gives result |i| its extents, for operators whose shapes depend on data; out[i].data stays null when nobody asked for
   it. */
pelton_status pn_call_resize(const pn_call *call, uint32_t i, uint32_t rank, const int64_t *dims) PN_CHECKED;

#endif
