/* The rows of ops.def as tables. Read three times: the fields of each operator's attributes, then the operators. Here
   every operator's functions are named, so that a row without them does not link. */
#include "op/op_table.h"

#include <stddef.h>

/* The texts of each enumeration. */
#define PN_ENUM_WORDS(name) static const char *const words_##name[] = {PN_ENUM_##name(PN_ENUM_TEXT) NULL};
PN_ENUMS(PN_ENUM_WORDS)

/* fields_conv[] = { strides, pads, ... }. One empty entry at the end keeps lists without fields legal. */
#define FIELD(op, field, kind, f64, i64, words)                                                                        \
  {#field, kind, (uint32_t)offsetof(pn_attrs_##op, field), f64, i64, words},
#define PN_OP(name, upper, ...) static const pn_field fields_##name[] = {
#define PN_I64(op, field, value) FIELD(op, field, PN_FIELD_I64, 0, value, NULL)
#define PN_F32(op, field, value) FIELD(op, field, PN_FIELD_F32, (double)(value), 0, NULL)
#define PN_BOOL(op, field, value) FIELD(op, field, PN_FIELD_BOOL, 0, value, NULL)
#define PN_DTYPE(op, field, value) FIELD(op, field, PN_FIELD_DTYPE, 0, value, NULL)
#define PN_ENUM(op, field, enumeration, value) FIELD(op, field, PN_FIELD_ENUM, 0, value, words_##enumeration)
#define PN_I64S(op, field) FIELD(op, field, PN_FIELD_I64S, 0, 0, NULL)
#define PN_F32S(op, field) FIELD(op, field, PN_FIELD_F32S, 0, 0, NULL)
#define PN_STRING(op, field) FIELD(op, field, PN_FIELD_STRING, 0, 0, NULL)
#define PN_EXPR(op, field) FIELD(op, field, PN_FIELD_EXPR, 0, 0, NULL)
#define PN_GRAPH(op, field) FIELD(op, field, PN_FIELD_GRAPH, 0, 0, NULL)
#define PN_OP_END(name) {NULL, PN_FIELD_I64, 0, 0, 0, NULL}};
#include "op/ops.def"
#include "op/ops_undef.h"

#define PN_OP(name, upper, least_in, most_in, least_out, most_out, op_flags)                                      \
  {#name,    least_in, most_in, least_out, most_out, op_flags, (uint32_t)sizeof(pn_attrs_##name), fields_##name,   \
   (uint32_t)PN_COUNT(fields_##name) - 1, pn_check_##name, pn_infer_##name, pn_reference_##name},
#define PN_I64(op, field, value)
#define PN_F32(op, field, value)
#define PN_BOOL(op, field, value)
#define PN_DTYPE(op, field, value)
#define PN_ENUM(op, field, enumeration, value)
#define PN_I64S(op, field)
#define PN_F32S(op, field)
#define PN_STRING(op, field)
#define PN_EXPR(op, field)
#define PN_GRAPH(op, field)
#define PN_OP_END(name)
const pn_op_info pn_op_table[PN_OP_COUNT] = {
#include "op/ops.def"
};
#include "op/ops_undef.h"
