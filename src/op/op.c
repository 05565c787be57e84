/* Look-up of operators, and what infer functions have in common. */
#include "op/op.h"

#include "op/op_table.h"

#include <assert.h>

const pn_op_info *pn_op_get(pn_op op) {
  assert((uint32_t)op < PN_OP_COUNT);
  return &pn_op_table[op];
}

bool pn_op_find(pn_str name, pn_op *out) {
  for (uint32_t i = 0; i < PN_OP_COUNT; i++)
    if (pn_str_is(name, pn_op_table[i].name)) {
      *out = (pn_op)i;
      return true;
    }
  return false;
}

pelton_status pn_op_check(pn_op op, const pn_infer *call) {
  const pn_op_info *info = pn_op_get(op);
  for (uint32_t i = 0; i < call->input_count; i++) {
    if (!call->in[i].present || !pn_dtype_points(call->in[i].type.dtype)) continue;
    const bool boxes = call->in[i].type.dtype == PELTON_DTYPE_TENSOR;
    if (info->flags & (boxes ? PN_OP_BOXES : PN_OP_TEXTS)) continue;
    return pn_fail(call->diag, PELTON_UNSUPPORTED, "%s: operand %u is %s; it takes %s only", info->name, i,
                   boxes ? "a sequence or an optional" : "of type string",
                   info->flags & PN_OP_TEXTS ? "tensors" : "numbers");
  }
  return info->check(call);
}

/* How many elements a fact of rank 0 or 1 has, when that is a number. */
static bool fact_count(const pn_fact *fact, int64_t *out) {
  const pn_type *type = &fact->type;
  if (type->rank == 0) *out = 1;
  if (type->rank == 1) *out = type->dims[0].number;
  return type->rank == 0 || (type->rank == 1 && pn_dim_is_number(type->dims[0]) && type->dims[0].number >= 0 &&
                             type->dims[0].number <= UINT32_MAX);
}

static bool is_index_type(pelton_dtype dtype) { return dtype == PELTON_DTYPE_I64 || dtype == PELTON_DTYPE_I32; }

static int64_t fact_number(const pn_fact *fact, uint32_t index) {
  const uint8_t *data = fact->data;
  if (fact->type.dtype == PELTON_DTYPE_I32) return (int32_t)pn_load_u32(data + (size_t)index * 4);
  return (int64_t)pn_load_u64(data + (size_t)index * 8);
}

/* "Not known", with memory's end remembered where pn_symbols_status finds it. */
static bool infer_fail_memory(const pn_infer *c) {
  if (c->symbols) c->symbols->failed = true;
  return false;
}

bool pn_infer_content(const pn_infer *c, uint32_t i, const pn_dim **out, uint32_t *count) {
  if (!pn_infer_has(c, i)) return false;
  const pn_fact *fact = &c->in[i];
  int64_t elements;
  if (!is_index_type(fact->type.dtype) || !fact_count(fact, &elements)) return false;
  *count = (uint32_t)elements;
  if (fact->content) {
    *out = fact->content;
    return true;
  }
  if (!fact->data) return false;
  pn_dim *dims = PN_NEW_ARRAY(c->arena, pn_dim, (size_t)elements);
  if (!dims) return infer_fail_memory(c);
  for (uint32_t k = 0; k < *count; k++) dims[k] = pn_dim_of(fact_number(fact, k));
  *out = dims;
  return true;
}

bool pn_infer_numbers(const pn_infer *c, uint32_t i, const int64_t **out, uint32_t *count) {
  if (!pn_infer_has(c, i)) return false;
  const pn_fact *fact = &c->in[i];
  int64_t elements;
  if (!is_index_type(fact->type.dtype) || !fact_count(fact, &elements)) return false;
  if (!fact->data && !fact->content) return false;
  if (!fact->data)
    for (int64_t k = 0; k < elements; k++)
      if (!pn_dim_is_number(fact->content[k])) return false;
  int64_t *numbers = PN_NEW_ARRAY(c->arena, int64_t, (size_t)elements);
  if (!numbers) return infer_fail_memory(c);
  for (uint32_t k = 0; k < (uint32_t)elements; k++)
    numbers[k] = fact->data ? fact_number(fact, k) : fact->content[k].number;
  *out = numbers;
  *count = (uint32_t)elements;
  return true;
}

pelton_status pn_infer_axis(const pn_infer *c, int64_t axis, int64_t rank, uint32_t *out) {
  if (axis < -rank || axis >= rank) {
    if (rank <= 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "axis %lld: a scalar has no axes", (long long)axis);
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "axis %lld is out of range for rank %lld: it must be in [%lld, %lld]", (long long)axis,
                   (long long)rank, (long long)-rank, (long long)rank - 1);
  }
  *out = (uint32_t)(axis < 0 ? axis + rank : axis);
  return PELTON_OK;
}

void pn_infer_unknown(const pn_infer *c, uint32_t i, pelton_dtype dtype, int32_t rank) {
  pn_type *type = &c->out[i].type;
  *type = (pn_type){.dtype = dtype, .rank = rank > (int32_t)PN_MAX_RANK ? PN_RANK_UNKNOWN : rank};
  for (int32_t k = 0; k < type->rank; k++) type->dims[k] = pn_dim_fresh(c->symbols);
}

/* The extent that broadcasting |a| with |b| gives; false when they do not fit. */
static bool broadcast_dim(pn_symbols *symbols, pn_dim a, pn_dim b, pn_dim *out) {
  *out = a;
  if (pn_dim_equal(a, b) || pn_dim_is(b, 1)) return true;
  *out = b;
  if (pn_dim_is(a, 1)) return true;
  if (pn_dim_is_number(a) && pn_dim_is_number(b)) return false;
  if (pn_dim_is_number(b)) return true; /* the symbol must turn out to be this number, or 1 */
  *out = a;
  if (pn_dim_is_number(a)) return true;
  /* Two symbols are equal or one of them is 1: the greater, unless one is 0 (and the other 0 or 1). The second form is
     right in every case, since x/0 is 0 here. */
  if (pn_dim_lower(symbols, a) >= 1 && pn_dim_lower(symbols, b) >= 1)
    *out = pn_dim_max(symbols, a, b);
  else
    *out = pn_dim_floor_div(symbols, pn_dim_mul(symbols, a, b), pn_dim_min(symbols, a, b));
  return true;
}

static pelton_status broadcast_fail(const pn_infer *c, const pn_type *a, const pn_type *b) {
  pn_text text;
  pn_text_init(&text, c->arena->allocator);
  pn_type_print(c->symbols, a, &text);
  pn_text_add(&text, PN_STR(" and "));
  pn_type_print(c->symbols, b, &text);
  pelton_status status =
      text.failed
          ? pn_fail_memory(c->diag, "a message about broadcasting")
          : pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                    "%s do not broadcast: from the last axis on, extents must be equal or one of them 1", text.data);
  pn_text_deinit(&text);
  return status;
}

pelton_status pn_infer_broadcast(const pn_infer *c, const pn_type *a, const pn_type *b, pn_type *out) {
  pn_type result = {.dtype = out->dtype, .rank = PN_RANK_UNKNOWN};
  if (a->rank >= 0 && b->rank >= 0) {
    result.rank = a->rank > b->rank ? a->rank : b->rank;
    for (int32_t k = 1; k <= result.rank; k++) {
      pn_dim x = k <= a->rank ? a->dims[a->rank - k] : pn_dim_of(1);
      pn_dim y = k <= b->rank ? b->dims[b->rank - k] : pn_dim_of(1);
      if (!broadcast_dim(c->symbols, x, y, &result.dims[result.rank - k])) return broadcast_fail(c, a, b);
    }
  }
  *out = result;
  return PELTON_OK;
}
