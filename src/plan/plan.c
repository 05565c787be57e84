#include "plan/planner.h"

#include "base/clock.h"

/* The place of buffer |b| as a step sees it. */
static pn_place place_of(const pn_planner *p, uint32_t b) {
  size_t offset;
  const pn_buffer *root = &p->buffers.data[pn_planner_root(p, b, &offset)];
  pn_place place = {root->kind, root->index, offset, p->buffers.data[b].bytes, NULL};
  if (root->kind == PN_PLACE_ARENA) place.offset += root->offset;
  if (root->kind == PN_PLACE_CONSTANT) place.data = (const char *)root->data + offset;
  return place;
}

/* The problem moves from the planner's scratch to the plan; attributes stay the graph's (or the plan's own). */
static const pn_problem *keep_problem(pn_arena *arena, const pn_problem *problem) {
  pn_problem *kept = pn_arena_copy(arena, problem, sizeof *problem, _Alignof(pn_problem));
  pn_problem_node *nodes =
      kept ? pn_arena_copy(arena, problem->nodes, sizeof *nodes * problem->node_count, _Alignof(pn_problem_node))
           : NULL;
  const pn_operand *operands =
      pn_arena_copy(arena, problem->operands, sizeof *operands * problem->operand_count, _Alignof(pn_operand));
  if (!kept || !nodes || !operands) return NULL;
  kept->nodes = nodes;
  kept->operands = operands;
  for (uint32_t i = 0; i < problem->node_count; i++) {
    nodes[i].inputs =
        pn_arena_copy(arena, nodes[i].inputs, sizeof(uint16_t) * nodes[i].input_count, _Alignof(uint16_t));
    nodes[i].outputs =
        pn_arena_copy(arena, nodes[i].outputs, sizeof(uint16_t) * nodes[i].output_count, _Alignof(uint16_t));
    if (!nodes[i].inputs || !nodes[i].outputs) return NULL;
  }
  return kept;
}

static pelton_status name_step(pn_planner *p, const pn_emitted *e, pn_plan_step *step) {
  const pn_graph *g = p->request->graph;
  pn_text name;
  pn_text_init(&name, p->allocator);
  uint32_t sources = 0;
  for (uint32_t i = 0; e->group && i < e->group->node_count; i++)
    sources += g->nodes.data[e->group->nodes[i]].provenance.count;
  pn_str *list = PN_NEW_ARRAY(&p->plan->arena, pn_str, sources + 1);
  for (uint32_t i = 0; list && e->group && i < e->group->node_count; i++) {
    const pn_node *node = &g->nodes.data[e->group->nodes[i]];
    pn_text_printf(&name, "%s%.*s", i ? "+" : "", PN_STR_ARG(node->name));
    for (uint32_t k = 0; k < node->provenance.count; k++) list[step->source_count++] = node->provenance.data[k];
  }
  if (!e->group) pn_text_printf(&name, "to_%s", pn_layout_name(pn_problem_output(e->problem, 0, 0)->layout));
  const char *kept = name.failed ? NULL : pn_str_copy(&p->plan->arena, (pn_str){name.data, name.size});
  step->name = (pn_str){kept, name.size};
  step->sources = list;
  pn_text_deinit(&name);
  return kept && list ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

static pelton_status add_decision(pn_planner *p, const pn_group *group, uint32_t *index) {
  pn_decision d = {group->nodes[0],
                   group->node_count,
                   pn_str_from(pn_layout_name(group->in_layout)),
                   pn_str_from(pn_layout_name(group->out_layout)),
                   pn_str_from(group->choice.tactic->name),
                   group->choice.tactic->version,
                   {0}};
  memcpy(d.config, group->choice.config.value, sizeof d.config);
  *index = p->plan->decisions.list.count;
  return pn_list_push(&p->plan->arena, &p->plan->decisions.list, d) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

/* Weights packed by a tactic depend on the constants, attributes, config and the device's instructions, and on the
   activations' extents only as far as |packing| says, so that the plans of an engine share them. What is constant in this
   plan only (it follows from a shape) is told by its bytes. */
static uint64_t packed_key(const pn_planner *p, const pn_emitted *e, uint64_t packing) {
  const pn_tactic *t = e->choice.tactic;
  uint64_t h = pn_hash_bytes(t->name, strlen(t->name), t->version);
  h = pn_hash_bytes(&e->choice.config, sizeof e->choice.config, h);
  for (uint32_t i = 0; i < e->problem->node_count; i++) h = pn_hash_mix(h, (uint64_t)e->problem->nodes[i].op);
  for (uint32_t i = 0; i < e->problem->operand_count; i++) {
    const pn_operand *o = &e->problem->operands[i];
    if (o->role != PN_OPERAND_CONSTANT) continue;
    h = pn_hash_mix(h, e->group->values[i].v + 1);
    if (!pn_graph_is_constant(p->request->graph, e->group->values[i]))
      h = pn_hash_bytes(o->data, pn_operand_bytes(o), h);
  }
  if (p->options->target->packing) h = pn_hash_mix(h, p->options->target->packing(p->options->device));
  return pn_hash_mix(pn_hash_mix(h, packing), e->group->nodes[0]);
}

typedef struct packing {
  const pn_planner *planner;
  const pn_emitted *emitted;
} packing;

static pelton_status pack_into(void *self, void *memory, pelton_diag *diag) {
  const packing *job = self;
  const pn_choice *choice = &job->emitted->choice;
  return choice->tactic->pack(job->emitted->problem, job->planner->options->device, &choice->config, memory, diag);
}

/* Other plans may have use for what is packed of the graph's constants, but not of what this plan alone knows: such
   contents come and go with the values that callers give. */
static bool packs_graph_constants(const pn_planner *p, const pn_emitted *e) {
  for (uint32_t i = 0; i < e->problem->operand_count; i++)
    if (e->problem->operands[i].role == PN_OPERAND_CONSTANT &&
        !pn_graph_is_constant(p->request->graph, e->group->values[i]))
      return false;
  return true;
}

static pelton_status pack(pn_planner *p, const pn_emitted *e, const pn_sizes *sizes, pn_plan_step *step) {
  size_t bytes = sizes->packed_bytes;
  if (!bytes) return PELTON_OK;
  step->packed_bytes = bytes;
  step->packed_key = packed_key(p, e, sizes->packing);
  packing job = {p, e};
  const pn_packed_entry *entry =
      p->options->packed ? pn_packed_find(p->options->packed, step->packed_key, bytes) : NULL;
  if (entry) {
    step->packed = entry->data;
    return PELTON_OK;
  }
  if (p->options->shared && packs_graph_constants(p, e)) { /* keys are of one graph; the store is of an engine's all */
    uint64_t key = pn_hash_mix(step->packed_key, (uint64_t)(uintptr_t)p->request->graph);
    return pn_packed_shared_get(p->options->shared, key, bytes, pack_into, &job, &step->packed, p->diag);
  }
  void *memory = pn_arena_alloc(&p->plan->arena, bytes + 64, 64);
  if (!memory) return pn_fail_memory(p->diag, "packed weights");
  step->packed = memory;
  step->own_packed = true;
  return pack_into(&job, memory, p->diag);
}

static pelton_status add_step(pn_planner *p, const pn_emitted *e) {
  pn_plan_step step = {.tactic = e->choice.tactic,
                       .config = e->choice.config,
                       .seconds = e->choice.seconds,
                       .estimate = e->choice.estimate,
                       .decision = UINT32_MAX};
  pn_arena *arena = &p->plan->arena;
  pn_device *device = p->options->device;
  PN_TRY(name_step(p, e, &step));
  if (e->group) PN_TRY(add_decision(p, e->group, &step.decision));
  pn_place *places = PN_NEW_ARRAY(arena, pn_place, e->problem->operand_count);
  step.problem = keep_problem(arena, e->problem);
  if (!places || !step.problem) return pn_fail_memory(p->diag, "the plan");
  if (!e->group) { /* a conversion's attributes are the planner's own */
    pn_attrs_transpose *attrs =
        pn_arena_copy(arena, e->problem->nodes[0].attrs, sizeof *attrs, _Alignof(pn_attrs_transpose));
    if (!attrs) return pn_fail_memory(p->diag, "the plan");
    attrs->perm.data = pn_arena_copy(arena, attrs->perm.data, sizeof(int64_t) * attrs->perm.count, _Alignof(int64_t));
    if (!attrs->perm.data) return pn_fail_memory(p->diag, "the plan");
    ((pn_problem_node *)(uintptr_t)step.problem->nodes)[0].attrs = attrs;
  }
  for (uint32_t i = 0; i < e->problem->operand_count; i++)
    if (e->buffers[i] != UINT32_MAX) places[i] = place_of(p, e->buffers[i]);
  step.places = places;
  pn_sizes sizes = {0};
  if (step.tactic->sizes) step.tactic->sizes(step.problem, device, &step.config, &sizes);
  if (sizes.workspace_bytes > p->plan->workspace_bytes) p->plan->workspace_bytes = sizes.workspace_bytes;
  PN_TRY(pack(p, e, &sizes, &step));
  step.state = pn_arena_alloc(arena, sizes.state_bytes + 1, 64);
  if (!step.state) return pn_fail_memory(p->diag, "the plan");
  if (step.tactic->prepare) PN_TRY(step.tactic->prepare(step.problem, device, &step.config, step.state, p->diag));
  if (step.tactic->held_bytes) step.held_bytes = step.tactic->held_bytes(step.state);
  p->plan->fallback_count += step.tactic->is_reference;
  p->plan->counts |= step.tactic->counts;
  if (pn_list_push(arena, &p->plan->steps, step)) return PELTON_OK;
  if (step.tactic->release_state) step.tactic->release_state(step.state);
  return pn_fail_memory(p->diag, "the plan");
}

static void describe_binding(const pn_planner *p, pn_value_id v, pn_plan_binding *b) {
  const pn_type *type = &pn_planner_fact(p, v)->type;
  b->value = v;
  b->dtype = type->dtype;
  b->rank = (uint32_t)type->rank;
  b->bytes = pelton_dtype_bytes(type->dtype);
  for (uint32_t d = 0; d < b->rank; d++) b->bytes *= (size_t)(b->dims[d] = type->dims[d].number);
}

static pelton_status add_steps(pn_planner *p) {
  pn_ahead_list jobs = {0};
  for (uint32_t s = 0; s < p->emitted.count; s++) {
    const pn_emitted *e = &p->emitted.data[s];
    if (!e->removed && !pn_planner_add_ahead(p, &jobs, e->problem, e->choice.tactic, &e->choice.config))
      return pn_fail_memory(p->diag, "the plan");
  }
  PN_TRY(pn_planner_ahead(p, &jobs, 0)); /* which the engine needs, whatever the budget */
  for (uint32_t s = 0; s < p->emitted.count; s++)
    if (!p->emitted.data[s].removed) PN_TRY(add_step(p, &p->emitted.data[s]));
  return PELTON_OK;
}

static pelton_status finish(pn_planner *p) {
  pn_plan *plan = p->plan;
  const pn_target *target = p->options->target;
  if (target->binaries_keep) target->binaries_keep(p->options->device, true);
  pelton_status status = add_steps(p);
  if (target->binaries_keep) target->binaries_keep(p->options->device, false);
  PN_TRY(status);
  if (plan->counts) {
    plan->count_offset = plan->arena_bytes;
    plan->arena_bytes += 64; /* what follows stays aligned */
  }
  plan->input_count = p->request->input_count;
  plan->output_count = p->request->output_count;
  plan->inputs = PN_NEW_ARRAY(&plan->arena, pn_plan_binding, plan->input_count);
  plan->outputs = PN_NEW_ARRAY(&plan->arena, pn_plan_binding, plan->output_count);
  if (!plan->inputs || !plan->outputs) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t i = 0; i < plan->input_count; i++) {
    describe_binding(p, p->request->inputs[i], &plan->inputs[i]);
    plan->inputs[i].place = (pn_place){PN_PLACE_INPUT, i, 0, plan->inputs[i].bytes, NULL};
  }
  for (uint32_t i = 0; i < plan->output_count; i++) {
    describe_binding(p, p->request->outputs[i], &plan->outputs[i]);
    plan->outputs[i].place = place_of(p, p->buffer_of[p->request->outputs[i].v * PN_LAYOUT_COUNT]);
  }
  return p->options->keep_report ? pn_planner_report(p) : PELTON_OK;
}

/* Whether the graph's constants are more than the caches hold. */
static bool is_cold(const pn_planner *p) {
  const pn_target *target = p->options->target;
  const pn_graph *g = p->request->graph;
  if (!target->cache_bytes) return false;
  size_t room = target->cache_bytes(p->options->device), bytes = 0;
  for (uint32_t v = 0; v < g->values.count; v++) bytes += g->values.data[v].data ? g->values.data[v].data_bytes : 0;
  return bytes > room;
}

static pelton_status make(pn_planner *p) {
  p->cold = is_cold(p);
  PN_TRY(pn_planner_need(p));
  PN_TRY(pn_planner_partition(p));
  PN_TRY(pn_planner_choose(p));
  PN_TRY(pn_planner_emit(p));
  PN_TRY(pn_planner_memory(p));
  return finish(p);
}

pelton_status pn_plan_create(const pn_plan_request *request, const pn_plan_options *options,
                             const pelton_allocator *allocator, pn_plan **out, pelton_diag *diag) {
  *out = NULL;
  pn_plan *plan = pn_alloc(allocator, sizeof *plan, _Alignof(pn_plan));
  if (!plan) return pn_fail_memory(diag, "the plan");
  pn_arena_init(&plan->arena, allocator);
  pn_text_init(&plan->report, allocator);
  plan->allocator = allocator;
  plan->target = options->target;
  pn_planner planner = {.request = request, .options = options, .allocator = allocator, .diag = diag, .plan = plan};
  planner.started = pn_clock_seconds();
  planner.most_timed = UINT32_MAX;
  planner.tactic_count = options->target->tactics(options->device, &planner.tactics);
  planner.fingerprint = options->target->fingerprint(options->device);
  pn_arena_init(&planner.scratch, allocator);
  pn_map_init(&planner.choice_index, &planner.scratch);
  pn_map_init(&planner.untimed, &planner.scratch);
  pelton_status status = make(&planner);
  pn_arena_deinit(&planner.scratch);
  if (status)
    pn_plan_release(plan);
  else
    *out = plan;
  return status;
}

void pn_plan_release(pn_plan *plan) {
  if (!plan) return;
  for (uint32_t i = 0; i < plan->steps.count; i++) {
    const pn_plan_step *step = &plan->steps.data[i];
    if (step->tactic->release_state) step->tactic->release_state(step->state);
  }
  pn_text_deinit(&plan->report);
  pn_arena_deinit(&plan->arena);
  pn_release(plan->allocator, plan);
}
