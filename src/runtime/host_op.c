/* Operators whose results' shapes depend on data and that no tactic counts (counted.c), or whose results point at
   memory of their own: their reference runs here, between segments, and says how large its results are while it runs.
 */
#include "runtime/frame.h"

typedef struct host_call {
  pn_frame *frame;
  const pn_node *node;
} host_call;

static pelton_status resize_output(pn_call *call, uint32_t index, uint32_t rank, const int64_t *dims) {
  host_call *host = call->self;
  int64_t elements;
  if (index >= call->output_count || rank > PN_MAX_RANK)
    return PN_INTERNAL(call->diag, "a reference resizes what it does not have");
  pn_tensor *t = &call->out[index];
  if (!pn_dims_elements(rank, dims, pelton_dtype_bytes(t->dtype), &elements))
    return pn_fail(call->diag, PELTON_INVALID_DATA, "result %u would be too large for memory", index);
  t->rank = rank;
  for (uint32_t i = 0; i < rank; i++) t->dims[i] = dims[i];
  pn_value_id v = host->node->outputs.data[index];
  if (!pn_value_valid(v)) return PELTON_OK;
  return pn_frame_place(host->frame, v, t, call->diag);
}

pelton_status pn_frame_run_reference(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  pn_arena *scratch = &frame->machine->scratch;
  pn_tensor *in = PN_NEW_ARRAY(scratch, pn_tensor, node->inputs.count + 1);
  pn_tensor *out = PN_NEW_ARRAY(scratch, pn_tensor, node->outputs.count + 1);
  if (!in || !out) return pn_fail_memory(diag, "an operator");
  for (uint32_t i = 0; i < node->inputs.count; i++)
    if (pn_value_valid(node->inputs.data[i])) in[i] = frame->values[node->inputs.data[i].v];
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i]))
      out[i].dtype = frame->graph->values.data[node->outputs.data[i].v].type.dtype;
  host_call host = {frame, node};
  pn_call call = {.attrs = node->attrs,
                  .input_count = node->inputs.count,
                  .output_count = node->outputs.count,
                  .in = in,
                  .out = out,
                  .scratch = scratch,
                  .diag = diag,
                  .resize_output = resize_output,
                  .self = &host,
                  .lasting = &frame->machine->lasting};
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pn_op_get(node->op)->reference(&call);
  for (uint32_t i = 0; i < node->outputs.count && !status; i++)
    if (pn_value_valid(node->outputs.data[i])) pn_frame_set(frame, node->outputs.data[i], &out[i]);
  if (status) pn_diag_prefix(diag, mark, "node '%.*s'", PN_STR_ARG(node->name));
  pn_arena_reset(scratch);
  return status;
}
