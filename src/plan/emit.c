/* Steps and the buffers they read and write. A value has a buffer for each layout in which somebody needs it: the one
   its producer writes, and one for each conversion. */
#include "plan/planner.h"

#define NONE UINT32_MAX

static pelton_status add_buffer(pn_planner *p, pn_value_id v, pn_layout layout, uint32_t *out) {
  const pn_type *type = &pn_planner_fact(p, v)->type;
  size_t elements = 1;
  for (int32_t i = 0; i < type->rank; i++) elements *= (size_t)type->dims[i].number;
  pn_buffer b = {.value = v,
                 .layout = layout,
                 .bytes = elements * pelton_dtype_bytes(type->dtype),
                 .kind = PN_PLACE_ARENA,
                 .alias = p->buffers.count,
                 .first_step = NONE};
  *out = p->buffers.count;
  p->buffer_of[v.v * PN_LAYOUT_COUNT + (uint32_t)layout] = *out;
  return pn_list_push(&p->scratch, &p->buffers, b) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

static pelton_status emit(pn_planner *p, const pn_group *group, const pn_problem *problem, const pn_choice *choice,
                          const uint32_t *buffers) {
  pn_emitted e = {.group = group, .problem = problem, .choice = *choice, .buffers = buffers};
  return pn_list_push(&p->scratch, &p->emitted, e) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

static pelton_status convert(pn_planner *p, uint32_t from, uint32_t to) {
  uint32_t *buffers = PN_NEW_ARRAY(&p->scratch, uint32_t, 2);
  if (!buffers) return pn_fail_memory(p->diag, "the plan");
  const pn_buffer *source = &p->buffers.data[from], *target = &p->buffers.data[to];
  pn_problem *problem;
  pn_choice choice;
  PN_TRY(pn_planner_conversion(p, source->value, source->layout, target->layout, &problem));
  PN_TRY(pn_planner_estimate(p, problem, &choice));
  buffers[0] = from;
  buffers[1] = to;
  if (!choice.tactic)
    return pn_fail(p->diag, PELTON_INTERNAL, "target %s has no tactic that converts %s to %s", p->options->target->name,
                   pn_layout_name(source->layout), pn_layout_name(target->layout));
  return emit(p, NULL, problem, &choice, buffers);
}

/* The buffer of |v| in |layout|, converted now when it exists only in another. */
static pelton_status buffer_in(pn_planner *p, pn_value_id v, pn_layout layout, uint32_t *out) {
  *out = p->buffer_of[v.v * PN_LAYOUT_COUNT + (uint32_t)layout];
  if (*out != NONE) return PELTON_OK;
  uint32_t have = NONE;
  for (uint32_t l = 0; l < PN_LAYOUT_COUNT && have == NONE; l++) have = p->buffer_of[v.v * PN_LAYOUT_COUNT + l];
  if (have == NONE) return PN_INTERNAL(p->diag, "a value is read before it is written");
  const pn_type *type = &pn_planner_fact(p, v)->type;
  int64_t dims[PN_MAX_RANK];
  for (int32_t i = 0; i < type->rank; i++) dims[i] = type->dims[i].number;
  PN_TRY(add_buffer(p, v, layout, out));
  if (!pn_layout_same(layout, p->buffers.data[have].layout, (uint32_t)type->rank, dims)) return convert(p, have, *out);
  pn_buffer *same = &p->buffers.data[*out]; /* the same bytes under another name */
  const pn_buffer *original = &p->buffers.data[have];
  same->alias = have;
  same->kind = original->kind;
  same->index = original->index;
  same->data = original->data;
  return PELTON_OK;
}

static pelton_status known_buffer(pn_planner *p, pn_value_id v, uint32_t *out) {
  *out = p->buffer_of[v.v * PN_LAYOUT_COUNT];
  if (*out != NONE) return PELTON_OK;
  PN_TRY(add_buffer(p, v, PN_LAYOUT_PLAIN, out));
  pn_buffer *b = &p->buffers.data[*out];
  b->kind = PN_PLACE_CONSTANT;
  b->data = pn_planner_known(p, v);
  if (!pn_graph_is_constant(p->request->graph, v)) { /* the facts end with this call; graph constants do not */
    b->data = pn_arena_copy(&p->plan->arena, b->data, b->bytes, 64);
    if (!b->data) return pn_fail_memory(p->diag, "the plan");
  }
  return PELTON_OK;
}

static pelton_status emit_view(pn_planner *p, const pn_group *group) {
  const pn_node *node = &p->request->graph->nodes.data[group->nodes[0]];
  uint32_t from, to;
  PN_TRY(pn_planner_known(p, node->inputs.data[0]) ? known_buffer(p, node->inputs.data[0], &from)
                                                   : buffer_in(p, node->inputs.data[0], PN_LAYOUT_PLAIN, &from));
  PN_TRY(add_buffer(p, node->outputs.data[0], PN_LAYOUT_PLAIN, &to));
  pn_buffer *view = &p->buffers.data[to];
  const pn_buffer *source = &p->buffers.data[from];
  view->alias = from;
  view->kind = source->kind;
  view->index = source->index;
  view->data = source->data;
  return PELTON_OK;
}

static pelton_status emit_group(pn_planner *p, const pn_group *group) {
  uint32_t *buffers = PN_NEW_ARRAY(&p->scratch, uint32_t, group->problem->operand_count);
  if (!buffers) return pn_fail_memory(p->diag, "the plan");
  pn_operand *operands = (pn_operand *)(uintptr_t)group->problem->operands; /* the planner's own */
  for (uint32_t i = 0; i < group->problem->operand_count; i++) {
    const pn_operand *o = &operands[i];
    buffers[i] = NONE;
    if (o->role == PN_OPERAND_CONSTANT) {
      PN_TRY(known_buffer(p, group->values[i], &buffers[i]));
      operands[i].data = p->buffers.data[buffers[i]].data;
    } else if (o->role == PN_OPERAND_INPUT) {
      PN_TRY(buffer_in(p, group->values[i], o->layout, &buffers[i]));
    }
  }
  for (uint32_t i = 0; i < group->problem->operand_count; i++)
    if (operands[i].role == PN_OPERAND_OUTPUT) PN_TRY(add_buffer(p, group->values[i], operands[i].layout, &buffers[i]));
  return emit(p, group, group->problem, &group->choice, buffers);
}

pelton_status pn_planner_emit(pn_planner *p) {
  size_t slots = (size_t)p->request->graph->values.count * PN_LAYOUT_COUNT;
  p->buffer_of = PN_NEW_ARRAY(&p->scratch, uint32_t, slots);
  if (!p->buffer_of) return pn_fail_memory(p->diag, "the plan");
  memset(p->buffer_of, 0xff, sizeof(uint32_t) * slots);
  for (uint32_t i = 0; i < p->request->input_count; i++) {
    uint32_t b;
    if (pn_planner_known(p, p->request->inputs[i])) continue; /* its contents are part of the plan */
    PN_TRY(add_buffer(p, p->request->inputs[i], PN_LAYOUT_PLAIN, &b));
    p->buffers.data[b].kind = PN_PLACE_INPUT;
    p->buffers.data[b].index = i;
  }
  for (uint32_t g = 0; g < p->groups.count; g++) {
    const pn_group *group = &p->groups.data[g];
    PN_TRY(group->view ? emit_view(p, group) : emit_group(p, group));
  }
  for (uint32_t i = 0; i < p->request->output_count; i++) { /* results leave in plain layout */
    uint32_t b;
    pn_value_id v = p->request->outputs[i];
    PN_TRY(pn_planner_known(p, v) ? known_buffer(p, v, &b) : buffer_in(p, v, PN_LAYOUT_PLAIN, &b));
  }
  return PELTON_OK;
}
