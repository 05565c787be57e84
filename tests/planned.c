#include "planned.h"

#include "harness.h"
#include "ir/evaluate.h"

#include <stdio.h>

const pn_target *planned_target(const char *name) {
  const pn_target *target = pn_target_find(pn_str_from(name));
  REQUIRE(target != NULL);
  return target;
}

void planned_open(planned *p, const char *text, const pn_target *target) {
  pelton_diag diag = PELTON_DIAG_INIT;
  memset(p, 0, sizeof *p);
  pn_arena_init(&p->arena, NULL);
  REQUIRE_OK(pn_graph_parse(pn_str_from(text), &p->arena, &p->graph, &diag), &diag);
  pn_symbols_init(&p->symbols, &p->arena);
  REQUIRE_OK(pn_facts_create(p->graph, &p->arena, &p->facts, &diag), &diag);
  pn_infer_options infer = {.arena = &p->arena, .symbols = &p->symbols};
  REQUIRE_OK(pn_graph_infer(p->graph, &infer, &p->facts, NULL, &diag), &diag);
  p->target = target;
  pn_device_options device = {.allocator = &pn_allocator_default, .threads = 1};
  REQUIRE_OK(p->target->device_open(&device, &p->device, &diag), &diag);
}

pelton_status planned_try(planned *p, const pn_plan_options *options, const pelton_allocator *allocator,
                          pelton_diag *diag) {
  pn_plan_options o = {0};
  if (options) o = *options;
  o.target = p->target;
  o.device = p->device;
  pn_plan_request request = {p->graph,
                             &p->facts,
                             0,
                             p->graph->nodes.count,
                             p->graph->inputs.data,
                             p->graph->inputs.count,
                             p->graph->outputs.data,
                             p->graph->outputs.count};
  pn_plan_release(p->plan);
  p->plan = NULL;
  return pn_plan_create(&request, &o, allocator, &p->plan, diag);
}

void planned_make(planned *p, const pn_plan_options *options) {
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(planned_try(p, options, &pn_allocator_default, &diag), &diag);
}

void planned_close(planned *p) {
  pn_plan_release(p->plan);
  if (p->device) p->target->device_close(p->device);
  pn_arena_deinit(&p->arena);
  memset(p, 0, sizeof *p);
}

const pn_plan_step *planned_step(const planned *p, const char *part) {
  for (uint32_t i = 0; i < p->plan->steps.count; i++) {
    const pn_plan_step *step = &p->plan->steps.data[i];
    for (size_t k = 0; k + strlen(part) <= step->name.size; k++)
      if (!memcmp(step->name.data + k, part, strlen(part))) return step;
  }
  return NULL;
}

uint32_t planned_conversions(const planned *p) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < p->plan->steps.count; i++) count += p->plan->steps.data[i].decision == UINT32_MAX;
  return count;
}

bool planned_same_decisions(const pn_plan *a, const pn_plan *b) {
  if (a->decisions.list.count != b->decisions.list.count) return false;
  for (uint32_t i = 0; i < a->decisions.list.count; i++) {
    const pn_decision *x = &a->decisions.list.data[i], *y = &b->decisions.list.data[i];
    if (x->first_node != y->first_node || x->node_count != y->node_count || x->version != y->version ||
        !pn_str_equal(x->tactic, y->tactic) || !pn_str_equal(x->in_layout, y->in_layout) ||
        !pn_str_equal(x->out_layout, y->out_layout) || memcmp(x->config, y->config, sizeof x->config))
      return false;
  }
  return true;
}

/* ---- the machine ---------------------------------------------------------------------------------------------------
 */

typedef struct machine {
  const planned *p;
  pn_arena arena;
  char *activations;
  char **inputs, **outputs, **originals;
  char *why;
  size_t why_bytes;
} machine;

static bool complain(machine *m, const pn_plan_step *step, const char *what) {
  (void)snprintf(m->why, m->why_bytes, "step '%.*s': %s", PN_STR_ARG(step->name), what);
  return false;
}

static char *address(const machine *m, const pn_place *place) {
  switch (place->kind) {
  case PN_PLACE_ARENA: return m->activations + place->offset;
  case PN_PLACE_INPUT: return m->inputs[place->index] + place->offset;
  case PN_PLACE_OUTPUT: return m->outputs[place->index] + place->offset;
  case PN_PLACE_CONSTANT: return (char *)(uintptr_t)place->data; /* only read, as check_places sees to */
  case PN_PLACE_NONE: break;
  }
  return NULL;
}

static bool inside(const pn_plan *plan, const pn_place *place) {
  size_t room = 0;
  if (place->kind == PN_PLACE_CONSTANT) return place->data != NULL;
  if (place->kind == PN_PLACE_ARENA) room = plan->arena_bytes;
  if (place->kind == PN_PLACE_INPUT && place->index < plan->input_count) room = plan->inputs[place->index].bytes;
  if (place->kind == PN_PLACE_OUTPUT && place->index < plan->output_count) room = plan->outputs[place->index].bytes;
  return place->offset <= room && place->bytes <= room - place->offset;
}

static bool overlap(const pn_place *a, const pn_place *b) {
  if (a->kind != b->kind || a->kind == PN_PLACE_CONSTANT || (a->kind != PN_PLACE_ARENA && a->index != b->index))
    return false;
  return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* An operand that a result may replace where it stands. */
static bool alike(const pn_operand *a, const pn_operand *b) {
  return a->dtype == b->dtype && a->layout == b->layout && a->rank == b->rank &&
         !memcmp(a->dims, b->dims, sizeof a->dims[0] * a->rank);
}

static bool check_places(machine *m, const pn_plan_step *step) {
  const pn_problem *problem = step->problem;
  for (uint32_t i = 0; i < problem->operand_count; i++) {
    const pn_operand *o = &problem->operands[i];
    const pn_place *place = &step->places[i];
    if (o->role == PN_OPERAND_INTERNAL) continue;
    if (place->bytes != pn_operand_bytes(o))
      return complain(m, step, "an operand's place has another size than the operand");
    if (!inside(m->p->plan, place)) return complain(m, step, "an operand lies outside of its memory");
    if (o->role != PN_OPERAND_OUTPUT) continue;
    if (place->kind != PN_PLACE_ARENA && place->kind != PN_PLACE_OUTPUT)
      return complain(m, step, "a result is written to memory that is only read");
    uint32_t replaced = 0;
    for (uint32_t k = 0; k < problem->operand_count; k++) {
      if (k == i || problem->operands[k].role == PN_OPERAND_INTERNAL || !overlap(place, &step->places[k])) continue;
      if (problem->operands[k].role == PN_OPERAND_OUTPUT)
        return complain(m, step, "two results lie in the same memory");
      if (!step->tactic->in_place || place->offset != step->places[k].offset || !alike(o, &problem->operands[k]) ||
          replaced++)
        return complain(m, step, "a result is written over an operand");
    }
  }
  return true;
}

/* Copies between an operand's layout and plain. */
static void rearrange(const pn_operand *o, const char *from, char *to, bool to_plain) {
  size_t size = pelton_dtype_bytes(o->dtype), n = (size_t)pn_operand_elements(o);
  int64_t stored[PN_MAX_RANK];
  pn_layout_stored_dims(o->layout, o->rank, o->dims, stored);
  for (size_t i = 0; i < n; i++) {
    int64_t index[PN_MAX_RANK], rest = (int64_t)i, place = 0; /* index: in plain order */
    for (uint32_t d = o->rank; d-- > 0;) {
      index[d] = rest % o->dims[d];
      rest /= o->dims[d];
    }
    for (uint32_t d = 0; d < o->rank; d++) {
      uint32_t axis = o->layout == PN_LAYOUT_PLAIN || d == 0 ? d : d + 1 < o->rank ? d + 1 : 1;
      place = place * stored[d] + index[axis];
    }
    size_t at = (size_t)place;
    memcpy(to + size * (to_plain ? i : at), from + size * (to_plain ? at : i), size);
  }
}

static bool run_step(machine *m, const pn_plan_step *step) {
  const pn_problem *problem = step->problem;
  pn_tensor *tensors = PN_NEW_ARRAY(&m->arena, pn_tensor, problem->operand_count + 1);
  REQUIRE(tensors != NULL);
  for (uint32_t i = 0; i < problem->operand_count; i++) {
    const pn_operand *o = &problem->operands[i];
    tensors[i] =
        (pn_tensor){.dtype = o->dtype, .rank = o->rank, .data = pn_arena_alloc(&m->arena, pn_operand_bytes(o) + 1, 64)};
    REQUIRE(tensors[i].data != NULL);
    memcpy(tensors[i].dims, o->dims, sizeof o->dims);
    if (o->role == PN_OPERAND_INPUT || o->role == PN_OPERAND_CONSTANT)
      rearrange(o, address(m, &step->places[i]), tensors[i].data, true);
  }
  for (uint32_t n = 0; n < problem->node_count; n++) {
    const pn_problem_node *node = &problem->nodes[n];
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_tensor *in = PN_NEW_ARRAY(&m->arena, pn_tensor, node->input_count + 1),
              *out = PN_NEW_ARRAY(&m->arena, pn_tensor, node->output_count + 1);
    REQUIRE(in != NULL && out != NULL);
    for (uint32_t i = 0; i < node->input_count; i++)
      if (node->inputs[i] != PN_NO_OPERAND) in[i] = tensors[node->inputs[i]];
    for (uint32_t i = 0; i < node->output_count; i++)
      if (node->outputs[i] != PN_NO_OPERAND) out[i] = tensors[node->outputs[i]];
    pn_call call = {.attrs = node->attrs,
                    .input_count = node->input_count,
                    .output_count = node->output_count,
                    .in = in,
                    .out = out,
                    .scratch = &m->arena,
                    .diag = &diag};
    REQUIRE_OK(pn_op_get(node->op)->reference(&call), &diag);
  }
  for (uint32_t i = 0; i < problem->operand_count; i++)
    if (problem->operands[i].role == PN_OPERAND_OUTPUT)
      rearrange(&problem->operands[i], tensors[i].data, address(m, &step->places[i]), false);
  return true;
}

static void fill(pelton_dtype dtype, char *data, size_t bytes, uint32_t *seed) {
  for (size_t i = 0; i < bytes / pelton_dtype_bytes(dtype); i++) {
    *seed = *seed * 1664525u + 1013904223u;
    float value = (float)(*seed >> 16) / 65536.0f - 0.5f;
    if (dtype == PELTON_DTYPE_F32)
      memcpy(data + 4 * i, &value, 4);
    else
      memset(data + pelton_dtype_bytes(dtype) * i, 0, pelton_dtype_bytes(dtype));
  }
}

/* What the graph says: every node's reference, each result in memory of its own. */
static void evaluate(machine *m, pn_fact *facts) {
  const pn_graph *g = m->p->graph;
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    pelton_diag diag = PELTON_DIAG_INIT;
    bool done = false;
    pn_fact *in = PN_NEW_ARRAY(&m->arena, pn_fact, node->inputs.count + 1),
            *out = PN_NEW_ARRAY(&m->arena, pn_fact, node->outputs.count + 1);
    REQUIRE(in != NULL && out != NULL);
    for (uint32_t i = 0; i < node->inputs.count; i++)
      if (pn_value_valid(node->inputs.data[i])) in[i] = facts[node->inputs.data[i].v];
    for (uint32_t i = 0; i < node->outputs.count; i++)
      if (pn_value_valid(node->outputs.data[i])) out[i] = facts[node->outputs.data[i].v];
    pn_evaluation e = {node->op, node->attrs, in, out, node->inputs.count, node->outputs.count, &m->arena, INT64_MAX};
    REQUIRE_OK(pn_evaluate(&e, &done, &diag), &diag);
    REQUIRE(done);
    for (uint32_t i = 0; i < node->outputs.count; i++)
      if (pn_value_valid(node->outputs.data[i])) facts[node->outputs.data[i].v].data = out[i].data;
  }
}

static bool compare_results(machine *m) {
  const planned *p = m->p;
  pn_fact *facts = pn_arena_copy(&m->arena, p->facts.data, sizeof(pn_fact) * p->facts.count, 64);
  REQUIRE(facts != NULL);
  for (uint32_t i = 0; i < p->graph->values.count; i++)
    if (p->graph->values.data[i].data) facts[i].data = p->graph->values.data[i].data;
  for (uint32_t i = 0; i < p->plan->input_count; i++) {
    const pn_plan_binding *b = &p->plan->inputs[i];
    if (memcmp(m->inputs[i], m->originals[i], b->bytes)) {
      (void)snprintf(m->why, m->why_bytes, "input %u was written", i);
      return false;
    }
    facts[b->value.v].data = m->inputs[i];
  }
  evaluate(m, facts);
  for (uint32_t i = 0; i < p->plan->output_count; i++) {
    const pn_plan_binding *b = &p->plan->outputs[i];
    if (!inside(p->plan, &b->place) || b->place.bytes != b->bytes ||
        memcmp(address(m, &b->place), facts[b->value.v].data, b->bytes)) {
      (void)snprintf(m->why, m->why_bytes, "output %u is wrong", i);
      return false;
    }
  }
  return true;
}

bool planned_check(const planned *p, uint32_t seed, char *why, size_t why_bytes) {
  machine m = {.p = p, .why = why, .why_bytes = why_bytes};
  const pn_plan *plan = p->plan;
  pn_arena_init(&m.arena, NULL);
  m.activations = pn_arena_alloc(&m.arena, plan->arena_bytes + 1, 64);
  m.inputs = PN_NEW_ARRAY(&m.arena, char *, plan->input_count + 1);
  m.originals = PN_NEW_ARRAY(&m.arena, char *, plan->input_count + 1);
  m.outputs = PN_NEW_ARRAY(&m.arena, char *, plan->output_count + 1);
  REQUIRE(m.activations && m.inputs && m.originals && m.outputs);
  memset(m.activations, 0xa5, plan->arena_bytes);
  for (uint32_t i = 0; i < plan->input_count; i++) {
    m.inputs[i] = pn_arena_alloc(&m.arena, plan->inputs[i].bytes + 1, 64);
    REQUIRE(m.inputs[i] != NULL);
    fill(plan->inputs[i].dtype, m.inputs[i], plan->inputs[i].bytes, &seed);
    m.originals[i] = pn_arena_copy(&m.arena, m.inputs[i], plan->inputs[i].bytes, 64);
    REQUIRE(m.originals[i] != NULL);
  }
  for (uint32_t i = 0; i < plan->output_count; i++) {
    m.outputs[i] = pn_arena_alloc(&m.arena, plan->outputs[i].bytes + 1, 64);
    REQUIRE(m.outputs[i] != NULL);
    memset(m.outputs[i], 0xa5, plan->outputs[i].bytes);
  }
  bool ok = true;
  for (uint32_t i = 0; i < plan->steps.count && ok; i++)
    ok = check_places(&m, &plan->steps.data[i]) && run_step(&m, &plan->steps.data[i]);
  ok = ok && compare_results(&m);
  pn_arena_deinit(&m.arena);
  return ok;
}
