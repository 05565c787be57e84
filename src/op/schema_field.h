/* One field of an attribute struct, for src/op/schema*.c only. */
#ifndef PN_OP_SCHEMA_FIELD_H
#define PN_OP_SCHEMA_FIELD_H

#include "op/schema.h"

PN_INLINE void *pn_field_at(void *attrs, const pn_field *field) { return (char *)attrs + field->offset; }
PN_INLINE const void *pn_field_at_const(const void *attrs, const pn_field *field) {
  return (const char *)attrs + field->offset;
}
PN_INLINE const pn_expr *pn_field_expr(const void *attrs, const pn_field *field) {
  return *(const pn_expr *const *)pn_field_at_const(attrs, field);
}
PN_INLINE struct pn_graph *pn_field_graph(const void *attrs, const pn_field *field) {
  return *(struct pn_graph *const *)pn_field_at_const(attrs, field);
}

/* I64, BOOL, DTYPE, ENUM. */
int64_t pn_field_get_integer(const void *attrs, const pn_field *field);
void pn_field_set_integer(void *attrs, const pn_field *field, int64_t value);
/* The text of a DTYPE ("none" for none) or an ENUM. */
const char *pn_field_word(const void *attrs, const pn_field *field);
uint32_t pn_field_word_count(const pn_field *field);
/* The bytes of F32, I64S, F32S, STRING; empty for others. */
pn_span pn_field_bytes(const void *attrs, const pn_field *field);
bool pn_field_equal(const void *a, const void *b, const pn_field *field);
bool pn_field_is_default(const void *attrs, const pn_field *field);

/* The field of |info| called |name|; null when there is none. */
const pn_field *pn_field_find(const pn_op_info *info, pn_str name);
/* Adds the failure "conv has no attribute 'stride'; it has strides, ...". */
pelton_status pn_field_fail_unknown(const pn_op_info *info, pn_str name, pelton_status status, pelton_diag *diag);
/* Sets a DTYPE or an ENUM by its word; false when it has no such word. */
bool pn_field_set_word(void *attrs, const pn_field *field, pn_str word) PN_CHECKED;
/* The status for attributes that are complete, or a failure that names the one that is missing. */
pelton_status pn_field_check_required(const pn_op_info *info, const void *attrs, pelton_diag *diag) PN_CHECKED;

#endif
