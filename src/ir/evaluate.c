/* Operands as tensors, results in the arena, scratch that ends with the call. */
#include "ir/evaluate.h"

typedef struct evaluator {
  const pn_evaluation *e;
  bool too_large;
} evaluator;

bool pn_fact_tensor(const pn_fact *fact, pn_tensor *out) {
  int64_t count;
  *out = (pn_tensor){.dtype = fact->type.dtype};
  if (!pn_type_is_static(&fact->type)) return false;
  out->rank = (uint32_t)fact->type.rank;
  for (uint32_t i = 0; i < out->rank; i++) out->dims[i] = fact->type.dims[i].number;
  if (!pn_dims_elements(out->rank, out->dims, pelton_dtype_bytes(out->dtype), &count)) return false;
  union { /* operands are only read; pn_tensor serves results too */
    const void *from;
    void *to;
  } data = {.from = fact->data};
  out->data = data.to;
  return true;
}

bool pn_can_evaluate(const pn_evaluation *e) {
  const pn_op_info *info = pn_op_get(e->op);
  if ((info->flags & PN_OP_CONTROL) || !info->reference) return false;
  for (uint32_t i = 0; i < e->in_count; i++)
    if (e->in[i].present && (!e->in[i].data || !pn_type_is_static(&e->in[i].type))) return false;
  for (uint32_t i = 0; i < e->out_count; i++) /* sequences and optionals are made during a run */
    if (e->out[i].present && e->out[i].type.dtype == PELTON_DTYPE_TENSOR) return false;
  if (pn_op_sizes_results(e->op)) return true;
  for (uint32_t i = 0; i < e->out_count; i++)
    if (e->out[i].present && !pn_type_is_static(&e->out[i].type)) return false;
  return true;
}

/* Memory for a result; false when it is too large, or there is none. */
static bool new_result(evaluator *self, pn_tensor *tensor) {
  const size_t element_bytes = pelton_dtype_bytes(tensor->dtype);
  int64_t count;
  if (!pn_dims_elements(tensor->rank, tensor->dims, element_bytes, &count) || count > self->e->max_elements) {
    self->too_large = true;
    return false;
  }
  tensor->data = pn_arena_alloc(self->e->arena, (size_t)count * element_bytes, 64);
  return tensor->data != NULL;
}

static pelton_status resize_output(pn_call *call, uint32_t index, uint32_t rank, const int64_t *dims) {
  evaluator *self = call->self;
  if (index >= call->output_count || rank > PN_MAX_RANK) return PN_INTERNAL(call->diag, "a result is resized wrongly");
  if (!self->e->out[index].present) return PELTON_OK;
  pn_tensor *tensor = &call->out[index];
  tensor->rank = rank;
  for (uint32_t i = 0; i < rank; i++) tensor->dims[i] = dims[i];
  if (new_result(self, tensor)) return PELTON_OK;
  if (!self->too_large) return pn_fail_memory(call->diag, "a result");
  return pn_fail(call->diag, PELTON_UNSUPPORTED, "the result is too large to be computed now");
}

/* References read elements of their type: one that lies unaligned in a mapped file is copied first. */
static bool operand_tensor(const pn_fact *fact, pn_arena *scratch, pn_tensor *out, pelton_diag *diag,
                           pelton_status *status) {
  const size_t element_bytes = pelton_dtype_bytes(fact->type.dtype);
  if (!pn_fact_tensor(fact, out) || element_bytes == 0) {
    *status = PN_INTERNAL(diag, "an operand has no size");
    return false;
  }
  if ((uintptr_t)out->data % element_bytes == 0) return true;
  out->data = pn_arena_copy(scratch, out->data, (size_t)pn_tensor_elements(out) * element_bytes, 64);
  if (!out->data) *status = pn_fail_memory(diag, "an operand");
  return out->data != NULL;
}

static pelton_status evaluate(evaluator *self, pn_arena *scratch, pelton_diag *diag) {
  const pn_evaluation *e = self->e;
  const pn_op_info *info = pn_op_get(e->op);
  const bool finds_shapes = pn_op_sizes_results(e->op);
  pelton_status status = PELTON_OK;
  pn_tensor *in = PN_NEW_ARRAY(scratch, pn_tensor, (size_t)e->in_count + 1);
  pn_tensor *out = PN_NEW_ARRAY(scratch, pn_tensor, (size_t)e->out_count + 1);
  if (!in || !out) return pn_fail_memory(diag, "operands");
  for (uint32_t i = 0; i < e->in_count; i++)
    if (e->in[i].present && !operand_tensor(&e->in[i], scratch, &in[i], diag, &status)) return status;
  for (uint32_t i = 0; i < e->out_count; i++) {
    out[i].dtype = e->out[i].type.dtype;
    if (!e->out[i].present || finds_shapes) continue;
    if (!pn_fact_tensor(&e->out[i], &out[i])) return PN_INTERNAL(diag, "a result has no size");
    if (!new_result(self, &out[i])) return self->too_large ? PELTON_UNSUPPORTED : pn_fail_memory(diag, "a result");
  }
  pn_call call = {.attrs = e->attrs, .input_count = e->in_count, .output_count = e->out_count, .in = in, .out = out,
                  .scratch = scratch, .diag = diag, .resize_output = resize_output, .self = self,
                  .lasting = e->arena};
  PN_TRY(info->reference(&call));
  for (uint32_t i = 0; i < e->out_count; i++)
    if (e->out[i].present && !out[i].data) return PN_INTERNAL(diag, "a reference left out a result");
  for (uint32_t i = 0; i < e->out_count; i++) {
    if (!e->out[i].present) continue;
    if (finds_shapes) e->out[i].type = pn_type_make(out[i].dtype, out[i].rank, out[i].dims);
    e->out[i].data = out[i].data;
  }
  return PELTON_OK;
}

pelton_status pn_evaluate(const pn_evaluation *e, bool *done, pelton_diag *diag) {
  evaluator self = {.e = e};
  const uint32_t mark = pn_diag_mark(diag);
  pn_arena scratch;
  pn_arena_init(&scratch, e->arena->allocator);
  const pelton_status status = evaluate(&self, &scratch, diag);
  pn_arena_deinit(&scratch);
  *done = status == PELTON_OK;
  if (!self.too_large) return status;
  pn_diag_rewind(diag, mark);
  return PELTON_OK;
}
