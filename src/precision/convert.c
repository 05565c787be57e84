/* The rewriting. Node by node in order: operands are handed over in the node's type (constants are rounded, values get
   one cast for each type that somebody wants), results change theirs, and whoever still wants f32, the graph's outputs
   too, gets a cast back. */
#include "precision/precision.h"

#include "ir/infer.h"

#include <string.h>

typedef struct converter {
  pn_graph *g;
  const pn_precision_choice *choices;
  uint32_t node_count, value_count; /* before anything was added */
  pelton_dtype *dtypes;             /* by value: what it will be */
  pn_value_id *as[3];               /* by value: its form in f32, f16, bf16; PN_NO_VALUE: not made yet */
  pelton_diag *diag;
} converter;

static uint32_t form(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F16 ? 1 : dtype == PELTON_DTYPE_BF16 ? 2 : 0; }

static const pn_expr *cast_expr(pn_arena *arena, pelton_dtype to) {
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  return pn_expr_finish(&b, pn_expr_cast(&b, pn_expr_input(&b, 0), to, PN_CAST_DEFAULT), arena);
}

static pn_value_id rounded_constant(converter *c, const pn_value *value, pelton_dtype to) {
  const size_t count = value->data_bytes / sizeof(float);
  uint16_t *data = pn_arena_alloc(c->g->arena, count * sizeof *data, 64);
  if (!data) return PN_NO_VALUE;
  for (size_t i = 0; i < count; i++) {
    float x;
    memcpy(&x, (const char *)value->data + i * sizeof x, sizeof x);
    data[i] = to == PELTON_DTYPE_F16 ? pn_f16_from_f32(x) : pn_bf16_from_f32(x);
  }
  pn_type type = value->type;
  type.dtype = to;
  return pn_graph_add_constant(c->g, value->name, &type, data, count * sizeof *data);
}

/* |v| as a value of |to|. */
static pn_value_id as(converter *c, pn_value_id v, pelton_dtype to) {
  if (c->dtypes[v.v] == to) return v;
  pn_value_id *known = &c->as[form(to)][v.v];
  if (pn_value_valid(*known)) return *known;
  const pn_value value = c->g->values.data[v.v]; /* adding moves the list */
  if (value.data && value.type.dtype == PELTON_DTYPE_F32) return *known = rounded_constant(c, &value, to);
  const pn_expr *expr = cast_expr(c->g->arena, to);
  return *known = expr ? pn_graph_add_pointwise(c->g, expr, value.name, &v, 1) : PN_NO_VALUE;
}

/* |expr| in |to| instead of f32; with |wide_inside| its steps stay, between casts. Operands that are f32 by |is_f32|. */
static const pn_expr *retyped(const pn_expr *expr, const bool *is_f32, pelton_dtype to, bool wide_inside,
                              pn_arena *arena) {
  pn_expr_builder b;
  uint16_t steps[PN_EXPR_MAX_STEPS] = {0};
  pn_expr_builder_init(&b);
  if (wide_inside) {
    uint16_t operands[PN_EXPR_MAX_INPUTS];
    for (uint32_t i = 0; i < expr->input_count; i++) {
      operands[i] = pn_expr_input(&b, i);
      if (is_f32[i]) operands[i] = pn_expr_cast(&b, operands[i], PELTON_DTYPE_F32, PN_CAST_DEFAULT);
    }
    return pn_expr_finish(&b, pn_expr_cast(&b, pn_expr_inline(&b, expr, operands), to, PN_CAST_DEFAULT), arena);
  }
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *s = &expr->steps[i];
    const pelton_dtype dtype = s->dtype == PELTON_DTYPE_F32 ? to : s->dtype;
    switch (s->op) {
    case PN_EXPR_INPUT: steps[i] = pn_expr_input(&b, s->argument[0]); break;
    case PN_EXPR_CONSTANT:
      steps[i] = pn_dtype_is_float(s->dtype) ? pn_expr_f64(&b, dtype, s->constant.f64)
                                             : pn_expr_i64(&b, s->dtype, s->constant.i64);
      break;
    case PN_EXPR_CAST: steps[i] = pn_expr_cast(&b, steps[s->argument[0]], dtype, s->mode); break;
    default: {
      const uint32_t count = pn_expr_op_arguments(s->op);
      steps[i] = pn_expr_call(&b, s->op, steps[s->argument[0]], count > 1 ? steps[s->argument[1]] : 0,
                              count > 2 ? steps[s->argument[2]] : 0);
    }
    }
  }
  return pn_expr_finish(&b, steps[expr->step_count - 1], arena);
}

static pelton_status convert_node(converter *c, uint32_t index) {
  const pelton_dtype to = c->choices[index].dtype;
  bool is_f32[PN_EXPR_MAX_INPUTS] = {false};
  if (c->g->nodes.data[index].op == PN_OP_POINTWISE) {
    const pn_node *node = &c->g->nodes.data[index];
    const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
    for (uint32_t i = 0; i < expr->input_count; i++)
      is_f32[i] = c->g->values.data[node->inputs.data[i].v].type.dtype == PELTON_DTYPE_F32;
    pn_attrs_pointwise *attrs = PN_NEW(c->g->arena, pn_attrs_pointwise);
    if (!attrs) return pn_fail_memory(c->diag, "the conversion");
    attrs->expr = retyped(expr, is_f32, to, c->choices[index].wide_inside, c->g->arena);
    if (!attrs->expr) return pn_fail_memory(c->diag, "the conversion");
    c->g->nodes.data[index].attrs = attrs;
  }
  return PELTON_OK;
}

static pelton_status convert_operands(converter *c, uint32_t index) {
  const pelton_dtype to = c->choices[index].dtype;
  for (uint32_t i = 0; i < c->g->nodes.data[index].inputs.count; i++) {
    const pn_value_id v = c->g->nodes.data[index].inputs.data[i];
    if (!pn_value_valid(v) || c->g->values.data[v.v].type.dtype != PELTON_DTYPE_F32) continue;
    const pn_value_id handed = as(c, v, pn_precision_is_data(&c->g->nodes.data[index], i) ? to : PELTON_DTYPE_F32);
    if (!pn_value_valid(handed)) return pn_fail_memory(c->diag, "the conversion");
    c->g->nodes.data[index].inputs.data[i] = handed;
  }
  return PELTON_OK;
}

/* Outputs keep name and type: their names go to the casts. */
static pelton_status convert_outputs(converter *c) {
  for (uint32_t i = 0; i < c->g->outputs.count; i++) {
    const pn_value_id v = c->g->outputs.data[i];
    if (v.v >= c->value_count || c->dtypes[v.v] == c->g->values.data[v.v].type.dtype) continue;
    const pn_value_id cast = as(c, v, PELTON_DTYPE_F32);
    if (!pn_value_valid(cast)) return pn_fail_memory(c->diag, "the conversion");
    for (uint32_t k = 0; k < c->g->outputs.count; k++)
      if (pn_value_same(c->g->outputs.data[k], v)) c->g->outputs.data[k] = cast;
    pn_value *a = pn_graph_value(c->g, v), *b = pn_graph_value(c->g, cast);
    const pn_str name = a->name;
    a->name = b->name;
    b->name = name;
    if (!pn_map_set(&c->g->value_names, a->name, v.v) || !pn_map_set(&c->g->value_names, b->name, cast.v))
      return pn_fail_memory(c->diag, "the conversion");
  }
  return PELTON_OK;
}

static pelton_status convert(converter *c) {
  for (uint32_t n = 0; n < c->node_count; n++) {
    const pn_node *node = &c->g->nodes.data[n];
    for (uint32_t i = 0; !node->removed && i < node->outputs.count; i++) {
      const pn_value_id v = node->outputs.data[i];
      if (pn_value_valid(v) && c->dtypes[v.v] == PELTON_DTYPE_F32) c->dtypes[v.v] = c->choices[n].dtype;
    }
  }
  for (uint32_t n = 0; n < c->node_count; n++) {
    if (c->g->nodes.data[n].removed) continue;
    if (c->choices[n].dtype != PELTON_DTYPE_F32) PN_TRY(convert_node(c, n));
    PN_TRY(convert_operands(c, n));
  }
  PN_TRY(convert_outputs(c));
  PN_TRY(pn_graph_compact(c->g, c->diag));
  return pn_graph_infer_types(c->g, c->diag);
}

pelton_status pn_precision_convert(pn_graph *g, const pn_precision_choice *choices, pelton_diag *diag) {
  pn_arena scratch;
  pn_arena_init(&scratch, g->arena->allocator);
  converter c = {.g = g, .choices = choices, .node_count = g->nodes.count, .value_count = g->values.count, .diag = diag};
  bool ok = (c.dtypes = PN_NEW_ARRAY(&scratch, pelton_dtype, c.value_count + 1u)) != NULL;
  for (int f = 0; f < 3 && ok; f++) {
    ok = (c.as[f] = PN_NEW_ARRAY(&scratch, pn_value_id, c.value_count + 1u)) != NULL;
    for (uint32_t v = 0; v < c.value_count && ok; v++) c.as[f][v] = PN_NO_VALUE;
  }
  for (uint32_t v = 0; v < c.value_count && ok; v++) c.dtypes[v] = g->values.data[v].type.dtype;
  pelton_status status = ok ? convert(&c) : pn_fail_memory(diag, "the conversion");
  pn_arena_deinit(&scratch);
  return status;
}
