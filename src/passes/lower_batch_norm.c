/* A batch normalisation with constant statistics is x * scale + shift for each channel: it becomes that expression over
   constants shaped [C,1,...], which fold_scale takes into a convolution before it, or which fuses with its neighbours.
 */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"

#include <math.h>

typedef struct statistics {
  pn_tensor scale, bias, mean, variance;
} statistics;

static bool find_statistics(pn_rewrite *r, const pn_node *node, int64_t channels, statistics *out) {
  pn_tensor *const tensors[] = {&out->scale, &out->bias, &out->mean, &out->variance};
  for (uint32_t i = 0; i < 4; i++) {
    if (!pn_rewrite_constant(r, pn_node_input(node, i + 1), tensors[i])) return false;
    if (!pn_dtype_is_float(tensors[i]->dtype) || pn_tensor_elements(tensors[i]) != channels) return false;
  }
  return true;
}

static pn_value_id add_vector(pn_rewrite *r, const pn_node *node, pelton_dtype dtype, int32_t rank, int64_t channels,
                              const double *values, const char *what) {
  pn_type type = {.dtype = dtype, .rank = rank - 1};
  for (int32_t i = 0; i < type.rank; i++) type.dims[i] = pn_dim_of(i == 0 ? channels : 1);
  const size_t bytes = (size_t)channels * pelton_dtype_bytes(dtype);
  pn_tensor tensor = {.dtype = dtype, .data = pn_arena_alloc(r->g->arena, bytes, 64)};
  const char *name = pn_str_printf(r->scratch, "%.*s.%s", PN_STR_ARG(node->name), what);
  if (!tensor.data || !name) return PN_NO_VALUE;
  for (int64_t i = 0; i < channels; i++) pn_tensor_set_f64(&tensor, i, values[i]);
  return pn_graph_add_constant(r->g, pn_str_from(name), &type, tensor.data, bytes);
}

static pelton_status lower(pn_rewrite *r, pn_node *node, const statistics *s, int64_t channels) {
  const pn_attrs_batch_norm *attrs = node->attrs;
  const pn_type type = *pn_rewrite_type(r, node->inputs.data[0]);
  double *scale = PN_NEW_ARRAY(r->scratch, double, (size_t)channels + 1);
  double *shift = PN_NEW_ARRAY(r->scratch, double, (size_t)channels + 1);
  if (!scale || !shift) return pn_fail_memory(r->diag, "a lowered batch_norm");
  for (int64_t i = 0; i < channels; i++) {
    scale[i] = pn_tensor_get_f64(&s->scale, i) / sqrt(pn_tensor_get_f64(&s->variance, i) + (double)attrs->epsilon);
    shift[i] = pn_tensor_get_f64(&s->bias, i) - pn_tensor_get_f64(&s->mean, i) * scale[i];
  }
  const pn_value_id operands[3] = {node->inputs.data[0],
                                   add_vector(r, node, type.dtype, type.rank, channels, scale, "scale"),
                                   add_vector(r, node, type.dtype, type.rank, channels, shift, "shift")};
  if (!pn_value_valid(operands[1]) || !pn_value_valid(operands[2]))
    return pn_fail_memory(r->diag, "a lowered batch_norm");
  const pn_expr_step steps[] = {{.op = PN_EXPR_INPUT, .argument = {0}},
                                {.op = PN_EXPR_INPUT, .argument = {1}},
                                {.op = PN_EXPR_INPUT, .argument = {2}},
                                {.op = PN_EXPR_FMA, .argument = {0, 1, 2}}};
  const pn_expr expr = {.step_count = (uint32_t)PN_COUNT(steps), .input_count = 3, .steps = steps};
  r->changed++;
  return pn_rewrite_pointwise(r, node, &expr, operands, 3);
}

static pelton_status lower_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || node->op != PN_OP_BATCH_NORM || ((const pn_attrs_batch_norm *)node->attrs)->training) continue;
    if (node->outputs.count != 1) continue;
    const pn_type *type = pn_rewrite_type(r, node->inputs.data[0]);
    statistics s;
    /* In half precision the statistics' type and rounding matter: left to kernels. */
    if (type->dtype != PELTON_DTYPE_F32 && type->dtype != PELTON_DTYPE_F64) continue;
    if (type->rank < 2 || !pn_graph_is_constant(r->g, node->inputs.data[1])) continue;
    const pn_type *vector = pn_rewrite_type(r, node->inputs.data[1]);
    if (vector->rank != 1 || !pn_type_equal(type, pn_rewrite_type(r, node->outputs.data[0]))) continue;
    /* An extent that is not known, or that would broadcast, is an error that only the operator reports. */
    if (!pn_dim_equal(type->dims[1], vector->dims[0])) continue;
    if (find_statistics(r, node, vector->dims[0].number, &s)) PN_TRY(lower(r, node, &s, vector->dims[0].number));
  }
  return PELTON_OK;
}

pelton_status pn_pass_lower_batch_norm(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, lower_all, changed, diag);
}
