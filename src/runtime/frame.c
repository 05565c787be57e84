#include "runtime/frame.h"

#include "base/clock.h"

enum { CONTENT_ELEMENTS = 1024, CONTENT_FLOATS = 16 };

bool pn_is_host_op(const pn_node *node) { return pn_op_get(node->op)->flags & (PN_OP_DATA_SHAPE | PN_OP_CONTROL); }

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

static void segment_release(pn_segment *segment, pelton_engine *engine) {
  const pelton_allocator *allocator = engine->allocator;
  pn_segment_unsettle(segment, engine);
  pn_plan_release(segment->plan);
  pn_arena_deinit(&segment->arena);
  pn_release(allocator, segment);
}

void pn_machine_forget_times(pn_machine *machine) {
  machine->times.count = 0;
  while (machine->retired) {
    pn_segment *segment = machine->retired;
    machine->retired = segment->next;
    segment_release(segment, machine->engine);
  }
}

static bool allocate(pn_frame *frame) {
  const pn_graph *g = frame->graph;
  pn_arena *arena = &frame->arena;
  frame->values = PN_NEW_ARRAY(arena, pn_tensor, g->values.count);
  frame->slots = PN_NEW_ARRAY(arena, pn_slot, g->values.count);
  frame->last_use = PN_NEW_ARRAY(arena, uint32_t, g->values.count);
  frame->output_index = PN_NEW_ARRAY(arena, uint32_t, g->values.count);
  frame->live = PN_NEW_ARRAY(arena, pn_live, g->nodes.count);
  frame->children = PN_NEW_ARRAY(arena, pn_frame *, 2 * (size_t)g->nodes.count + 1);
  frame->in = PN_NEW_ARRAY(arena, pn_tensor, g->inputs.count + 1u);
  frame->out = PN_NEW_ARRAY(arena, pn_tensor, g->outputs.count + 1u);
  frame->gathered = PN_NEW_ARRAY(arena, pn_gathered, g->outputs.count + 1u);
  return frame->values && frame->slots && frame->last_use && frame->output_index && frame->live && frame->children &&
         frame->in && frame->out && frame->gathered;
}

pelton_status pn_frame_create(pn_machine *machine, const pn_graph *graph, pn_frame **out, pelton_diag *diag) {
  const pelton_allocator *allocator = machine->engine->allocator;
  *out = NULL;
  pn_frame *frame = pn_alloc(allocator, sizeof *frame, _Alignof(pn_frame));
  if (!frame) return pn_fail_memory(diag, "a context");
  frame->machine = machine;
  frame->graph = graph;
  pn_arena_init(&frame->arena, allocator);
  if (!allocate(frame)) {
    pn_frame_release(frame);
    return pn_fail_memory(diag, "a context");
  }
  for (uint32_t n = 0; n < graph->nodes.count; n++) {
    const pn_node *node = &graph->nodes.data[n];
    for (uint32_t i = 0; i < node->inputs.count; i++)
      if (pn_value_valid(node->inputs.data[i])) frame->last_use[node->inputs.data[i].v] = n;
  }
  memset(frame->output_index, 0xff, sizeof *frame->output_index * graph->values.count);
  for (uint32_t i = 0; i < graph->outputs.count; i++) {
    frame->last_use[graph->outputs.data[i].v] = graph->nodes.count;
    frame->output_index[graph->outputs.data[i].v] = i;
  }
  for (uint32_t v = 0; v < graph->values.count; v++) { /* constants stay for all runs */
    const pn_value *value = &graph->values.data[v];
    if (!value->data) continue;
    frame->values[v] = (pn_tensor){
        .dtype = value->type.dtype, .rank = (uint32_t)value->type.rank, .data = (void *)(uintptr_t)value->data};
    for (int32_t d = 0; d < value->type.rank; d++) frame->values[v].dims[d] = value->type.dims[d].number;
  }
  *out = frame;
  return PELTON_OK;
}

void pn_frame_release(pn_frame *frame) {
  if (!frame) return;
  const pelton_allocator *allocator = frame->machine->engine->allocator;
  for (uint32_t i = 0; i < frame->segment_count; i++) segment_release(frame->segments[i], frame->machine->engine);
  for (uint32_t v = 0; frame->slots && v < frame->graph->values.count; v++) {
    pn_release(allocator, frame->slots[v].memory);
    if (frame->slots[v].device)
      frame->machine->engine->target->memory_release(frame->machine->engine->device, frame->slots[v].device);
  }
  for (uint32_t n = 0; frame->children && n < 2 * frame->graph->nodes.count; n++) pn_frame_release(frame->children[n]);
  for (uint32_t i = 0; frame->gathered && i < frame->graph->outputs.count; i++)
    pn_release(allocator, frame->gathered[i].memory);
  pn_release(allocator, frame->pointers);
  pn_arena_deinit(&frame->arena);
  pn_release(allocator, frame);
}

void *pn_frame_slot(pn_frame *frame, pn_value_id v, size_t bytes) {
  pn_slot *slot = &frame->slots[v.v];
  const pelton_allocator *allocator = frame->machine->engine->allocator;
  if (slot->memory && slot->capacity >= bytes) return slot->memory;
  pn_release(allocator, slot->memory);
  frame->machine->bytes -= slot->capacity;
  slot->capacity = 0;
  slot->memory = pn_alloc_raw(allocator, bytes + 64, 64);
  if (!slot->memory) return NULL;
  slot->capacity = bytes;
  frame->machine->bytes += bytes;
  return slot->memory;
}

pelton_status pn_frame_child(pn_frame *frame, uint32_t node, uint32_t which, const pn_graph *graph, pn_frame **out,
                             pelton_diag *diag) {
  pn_frame **child = &frame->children[2 * node + which];
  if (!*child) PN_TRY(pn_frame_create(frame->machine, graph, child, diag));
  *out = *child;
  return PELTON_OK;
}

/* ---- keys ----------------------------------------------------------------------------------------------------------
 */

/* Small tensors whose elements may steer shapes; only these are shown to inference, and all of them are in the key. */
static bool has_content(const pn_tensor *t) {
  int64_t n = pn_tensor_elements(t);
  return n <= (pn_dtype_is_float(t->dtype) ? CONTENT_FLOATS : CONTENT_ELEMENTS);
}

/* Whether |v| was made before |node| and is used from there on. */
static bool lives_into(const pn_frame *frame, uint32_t v, uint32_t node) {
  const pn_value *value = &frame->graph->values.data[v];
  return !value->data && frame->last_use[v] >= node && (!pn_node_valid(value->producer) || value->producer.v < node);
}

/* The values that live into |node|; null when memory is out. */
static const pn_live *live_into(pn_frame *frame, uint32_t node) {
  pn_live *live = &frame->live[node];
  if (live->listed) return live;
  uint32_t count = 0, all = frame->graph->values.count;
  for (uint32_t v = 0; v < all; v++) count += lives_into(frame, v, node);
  pn_value_id *values = PN_NEW_ARRAY(&frame->arena, pn_value_id, count + 1u);
  if (!values) return NULL;
  for (uint32_t v = 0; v < all; v++)
    if (lives_into(frame, v, node)) values[live->count++].v = v;
  live->values = values;
  live->listed = true;
  return live;
}

static uint64_t key_of(const pn_frame *frame, const pn_live *live, uint32_t first_node, bool with_contents) {
  uint64_t h = pn_hash_mix(0x5e6u, first_node * 2u + with_contents);
  for (uint32_t i = 0; i < live->count; i++) {
    uint32_t v = live->values[i].v;
    const pn_tensor *t = &frame->values[v];
    if (!t->data) continue; /* an absent optional one */
    h = pn_hash_mix(h, ((uint64_t)v << 8) | t->rank);
    for (uint32_t d = 0; d < t->rank; d++) h = pn_hash_mix(h, (uint64_t)t->dims[d]);
    if (with_contents && has_content(t))
      h = pn_hash_bytes(t->data, (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype), h);
  }
  return h;
}

/* That |s| was planned for just these shapes: keys are no proof against shapes that were made to collide, and a plan of
   other shapes would leave its operands' memory. */
static bool same_shapes(const pn_frame *frame, const pn_segment *s) {
  for (uint32_t i = 0; i < s->input_count; i++) {
    const pn_tensor *t = &frame->values[s->inputs[i].v];
    const pn_plan_binding *b = &s->plan->inputs[i];
    if (!t->data || t->rank != b->rank || t->dtype != b->dtype || memcmp(t->dims, b->dims, sizeof t->dims[0] * t->rank))
      return false;
  }
  return true;
}

static pn_segment *find_segment(pn_frame *frame, const pn_live *live, uint32_t first_node, bool with_contents) {
  uint64_t key = key_of(frame, live, first_node, with_contents);
  for (uint32_t i = 0; i < frame->segment_count; i++) {
    pn_segment *s = frame->segments[i];
    if (s->key != key || s->with_contents != with_contents || s->first_node != first_node || !same_shapes(frame, s))
      continue;
    s->last_used = ++frame->machine->clock;
    return s;
  }
  return NULL;
}

/* ---- planning ------------------------------------------------------------------------------------------------------
 */

/* Facts of everything that is known when |first_node| starts. */
static pelton_status known_facts(const pn_frame *frame, uint32_t first_node, bool with_contents, pn_arena *arena,
                                 pn_facts *facts, pelton_diag *diag) {
  PN_TRY(pn_facts_create(frame->graph, arena, facts, diag));
  const pn_live *live = &frame->live[first_node];
  for (uint32_t i = 0; i < live->count; i++) {
    const pn_tensor *t = &frame->values[live->values[i].v];
    if (!t->data) continue;
    pn_fact *fact = &facts->data[live->values[i].v];
    *fact = (pn_fact){.present = true, .type = pn_type_make(t->dtype, t->rank, t->dims)};
    if (with_contents && has_content(t)) {
      fact->data = pn_arena_copy(arena, t->data, (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype), 64);
      if (!fact->data) return pn_fail_memory(diag, "a plan");
    }
  }
  return PELTON_OK;
}

static pelton_status infer_from(const pn_frame *frame, uint32_t first_node, bool with_contents, pn_arena *arena,
                                pn_symbols *symbols, pn_facts *facts, uint32_t *stopped, pelton_diag *diag) {
  uint32_t end = first_node;
  while (end < frame->graph->nodes.count && !pn_is_host_op(&frame->graph->nodes.data[end])) end++;
  PN_TRY(known_facts(frame, first_node, with_contents, arena, facts, diag));
  pn_fact *inputs = PN_NEW_ARRAY(arena, pn_fact, frame->graph->inputs.count);
  if (!inputs) return pn_fail_memory(diag, "a plan");
  for (uint32_t i = 0; i < frame->graph->inputs.count; i++) inputs[i] = facts->data[frame->graph->inputs.data[i].v];
  pn_infer_options options = {inputs, first_node, end, true, arena, symbols};
  PN_TRY(pn_graph_infer(frame->graph, &options, facts, stopped, diag));
  if (*stopped > end) *stopped = end;
  return PELTON_OK;
}

/* Values that nodes [first, end) take from outside, and those that are needed after. */
static pelton_status list_edges(const pn_frame *frame, pn_segment *s, const pn_facts *facts, pelton_diag *diag) {
  const pn_graph *g = frame->graph;
  const pn_live *live = &frame->live[s->first_node];
  pn_value_list in = {0}, out = {0}, absent = {0};
  PN_LIST(uint32_t) graph_outputs = {0};
  bool ok = true;
  for (uint32_t i = 0; i < live->count && ok; i++)
    if (frame->values[live->values[i].v].data) ok = pn_list_push(&s->arena, &in, live->values[i]);
  for (uint32_t n = s->first_node; n < s->end_node && ok; n++) {
    for (uint32_t i = 0; i < g->nodes.data[n].outputs.count && ok; i++) {
      pn_value_id v = g->nodes.data[n].outputs.data[i];
      if (!pn_value_valid(v) || frame->last_use[v.v] < s->end_node) continue;
      if (facts->data[v.v].present)
        ok = pn_list_push(&s->arena, &out, v) && pn_list_push(&s->arena, &graph_outputs, frame->output_index[v.v]);
      else
        ok = pn_list_push(&s->arena, &absent, v);
    }
  }
  if (!ok) return pn_fail_memory(diag, "a plan");
  s->inputs = in.data;
  s->input_count = in.count;
  s->outputs = out.data;
  s->output_count = out.count;
  s->graph_outputs = graph_outputs.data;
  s->absent = absent.data;
  s->absent_count = absent.count;
  return PELTON_OK;
}

static pelton_status make_plan(pn_frame *frame, pn_segment *s, const pn_facts *facts, pelton_diag *diag) {
  const pelton_engine *engine = frame->machine->engine;
  PN_TRY(list_edges(frame, s, facts, diag));
  pn_plan_request request = {frame->graph, facts,          s->first_node, s->end_node,
                             s->inputs,    s->input_count, s->outputs,    s->output_count};
  bool root = frame->graph == engine->image->graph; /* records speak of the root graph's nodes */
  pn_plan_options options = {.target = engine->target,
                             .device = engine->device,
                             .packed = root ? &engine->image->packed : NULL,
                             .decisions = root && engine->record ? &engine->record->decisions : NULL};
  PN_TRY(pn_plan_create(&request, &options, engine->allocator, &s->plan, diag));
  return pn_frame_is_host(frame) ? PELTON_OK : pn_segment_settle(frame, s, diag);
}

/* A plan for the nodes from |first_node| on, as far as shapes can be known. */
static pelton_status plan_segment(pn_frame *frame, uint32_t first_node, pn_segment **out, pelton_diag *diag) {
  const pelton_allocator *allocator = frame->machine->engine->allocator;
  pn_arena arena;
  pn_arena_init(&arena, allocator);
  pn_segment *s = pn_alloc(allocator, sizeof *s, _Alignof(pn_segment));
  pelton_status status = s ? PELTON_OK : pn_fail_memory(diag, "a plan");
  pn_facts facts;
  pn_symbols symbols;
  pn_symbols_init(&symbols, &arena);
  if (!status) {
    pn_arena_init(&s->arena, allocator);
    uint32_t end = first_node;
    while (end < frame->graph->nodes.count && !pn_is_host_op(&frame->graph->nodes.data[end])) end++;
    status = infer_from(frame, first_node, false, &arena, &symbols, &facts, &s->end_node, diag);
    if (!status && s->end_node < end) { /* some shape needs numbers: look at the small operands */
      s->with_contents = true;
      status = infer_from(frame, first_node, true, &arena, &symbols, &facts, &s->end_node, diag);
    }
    s->first_node = first_node;
    s->key = key_of(frame, &frame->live[first_node], first_node, s->with_contents);
    if (!status && s->end_node == first_node) {
      const pn_node *node = &frame->graph->nodes.data[first_node];
      status = pn_fail(diag, PELTON_UNSUPPORTED,
                       "node '%.*s' (%s): the shape of its results cannot be told from its operands",
                       PN_STR_ARG(node->name), pn_op_get(node->op)->name);
    }
    if (!status) status = make_plan(frame, s, &facts, diag);
  }
  pn_arena_deinit(&arena);
  if (status && s) segment_release(s, frame->machine->engine);
  if (!status) *out = s;
  return status;
}

static void keep_segment(pn_frame *frame, pn_segment *s) {
  s->last_used = ++frame->machine->clock;
  if (frame->segment_count < PN_FRAME_SEGMENTS) {
    frame->segments[frame->segment_count++] = s;
    return;
  }
  uint32_t oldest = 0;
  for (uint32_t i = 1; i < frame->segment_count; i++)
    if (frame->segments[i]->last_used < frame->segments[oldest]->last_used) oldest = i;
  if (frame->machine->profile) {
    frame->segments[oldest]->next = frame->machine->retired;
    frame->machine->retired = frame->segments[oldest];
  } else {
    segment_release(frame->segments[oldest], frame->machine->engine);
  }
  frame->segments[oldest] = s;
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

static pelton_status reserve(pn_frame *frame, const pn_plan *plan, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_target *target = m->engine->target;
  size_t need = plan->arena_bytes + plan->workspace_bytes + 64;
  if (need > m->arena_bytes) {
    target->memory_release(m->engine->device, m->arena);
    m->bytes -= m->arena_bytes;
    m->arena_bytes = 0;
    m->arena = target->memory_alloc(m->engine->device, need);
    if (!m->arena)
      return pn_fail(diag, PELTON_OUT_OF_MEMORY,
                     "no memory for activations: %zu bytes wanted; use smaller shapes or fewer contexts", need);
    m->arena_bytes = need;
    m->bytes += need;
  }
  uint32_t most = 0;
  for (uint32_t i = 0; i < plan->steps.count; i++)
    if (plan->steps.data[i].problem->operand_count > most) most = plan->steps.data[i].problem->operand_count;
  if (most > frame->pointer_count) {
    pn_release(m->engine->allocator, frame->pointers);
    frame->pointer_count = 0;
    frame->pointers = pn_alloc(m->engine->allocator, sizeof(void *) * most, _Alignof(void *));
    if (!frame->pointers) return pn_fail_memory(diag, "a context");
    frame->pointer_count = most;
  }
  return PELTON_OK;
}

/* The value |v| as steps see it. */
static char *address_of(const pn_frame *frame, pn_value_id v) {
  return pn_frame_is_host(frame) ? frame->values[v.v].data : frame->slots[v.v].there;
}

void *pn_frame_locate(const pn_frame *frame, const pn_segment *s, const pn_place *place) {
  switch (place->kind) {
  case PN_PLACE_ARENA: return (char *)frame->machine->arena + place->offset;
  case PN_PLACE_CONSTANT: return (void *)(uintptr_t)place->data; /* operands are void *; constants are only read */
  case PN_PLACE_INPUT: return address_of(frame, s->inputs[place->index]) + place->offset;
  case PN_PLACE_OUTPUT: return address_of(frame, s->outputs[place->index]) + place->offset;
  case PN_PLACE_NONE: break;
  }
  return NULL;
}

/* Gives every result of the segment its memory: the caller's where it is large enough, else the frame's. */
static pelton_status bind_outputs(pn_frame *frame, const pn_segment *s, const pn_tensor *wanted,
                                  const size_t *capacities, pelton_diag *diag) {
  for (uint32_t i = 0; i < s->absent_count; i++) frame->values[s->absent[i].v].data = NULL;
  for (uint32_t i = 0; i < s->output_count; i++) {
    const pn_plan_binding *b = &s->plan->outputs[i];
    pn_tensor *t = &frame->values[s->outputs[i].v];
    uint32_t k = s->graph_outputs[i];
    *t = (pn_tensor){.dtype = b->dtype, .rank = b->rank};
    memcpy(t->dims, b->dims, sizeof t->dims);
    if (capacities && k != UINT32_MAX && wanted[k].data && capacities[k] >= b->bytes) t->data = wanted[k].data;
    if (!t->data) t->data = pn_frame_slot(frame, s->outputs[i], b->bytes);
    if (!t->data) return pn_fail_memory(diag, "an output");
  }
  return PELTON_OK;
}

static pelton_status run_timed(pn_machine *m, const pn_tactic *tactic, const pn_step *call, double *seconds,
                               pelton_diag *diag) {
  const pn_target *target = m->engine->target;
  if (target->timer_start) {
    PN_TRY(target->timer_start(m->stream, diag));
    PN_TRY(tactic->run(call, m->stream, diag));
    return target->timer_stop(m->stream, seconds, diag);
  }
  double start = pn_clock_seconds();
  PN_TRY(tactic->run(call, m->stream, diag));
  PN_TRY(target->stream_synchronize(m->stream, diag));
  *seconds = pn_clock_seconds() - start;
  return PELTON_OK;
}

static pelton_status run_steps(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_plan *plan = s->plan;
  void *workspace = (char *)m->arena + plan->arena_bytes;
  for (uint32_t i = 0; i < plan->steps.count; i++) {
    const pn_plan_step *step = &plan->steps.data[i];
    for (uint32_t k = 0; k < step->problem->operand_count; k++)
      frame->pointers[k] = pn_frame_locate(frame, s, &step->places[k]);
    pn_step call = {step->problem, step->config, step->state, step->packed, workspace, frame->pointers};
    uint32_t mark = pn_diag_mark(diag);
    pn_step_time time = {step, 0};
    pelton_status status =
        m->profile ? run_timed(m, step->tactic, &call, &time.seconds, diag) : step->tactic->run(&call, m->stream, diag);
    if (status) {
      pn_diag_prefix(diag, mark, "step '%.*s'", PN_STR_ARG(step->name));
      return status;
    }
    if (m->profile && !pn_list_push(&m->profile_arena, &m->times, time)) return pn_fail_memory(diag, "the profile");
  }
  return PELTON_OK;
}

/* True when every address that the steps use is that of the run before. */
static bool same_addresses(const pn_frame *frame, pn_segment *s) {
  uint32_t at = 0;
  bool same = true;
  for (uint32_t i = 0; i < 1 + s->input_count + s->output_count; i++) {
    const void *now = frame->machine->arena;
    if (i > 0 && i <= s->input_count) now = s->reads_input[i - 1] ? address_of(frame, s->inputs[i - 1]) : NULL;
    if (i > s->input_count) now = address_of(frame, s->outputs[i - 1 - s->input_count]);
    same = same && s->bound[at] == now;
    s->bound[at++] = now;
  }
  return same;
}

/* The steps put into the stream one by one; from the second run at the same addresses on as one recording, which spares
   the host a launch a step. */
static pelton_status run_steps_device(pn_frame *frame, pn_segment *s, pelton_diag *diag) {
  const pn_machine *m = frame->machine;
  const pn_target *target = m->engine->target;
  if (!same_addresses(frame, s)) {
    if (s->recording) target->recording_release(m->engine->device, s->recording);
    s->recording = NULL;
    s->same_runs = 0;
  }
  bool record = s->recordable && !m->profile && target->record_begin;
  if (!record || s->same_runs++ < 1) return run_steps(frame, s, diag);
  if (!s->recording) {
    pn_recording *recording = NULL;
    PN_TRY(target->record_begin(m->stream, diag));
    pelton_status status = run_steps(frame, s, diag),
                  ended = target->record_end(m->stream, &recording, status ? NULL : diag);
    if (status || ended) {
      if (recording) target->recording_release(m->engine->device, recording);
      return status ? status : ended;
    }
    s->recording = recording;
  }
  return target->recording_play(m->stream, s->recording, diag);
}

static pelton_status run_segment(pn_frame *frame, pn_segment *s, const pn_tensor *wanted, const size_t *capacities,
                                 pelton_diag *diag) {
  PN_TRY(reserve(frame, s->plan, diag));
  if (!pn_frame_is_host(frame)) {
    for (uint32_t i = 0; i < s->absent_count; i++) frame->values[s->absent[i].v].data = NULL;
    PN_TRY(pn_frame_bind_device(frame, s, wanted, capacities, diag));
    PN_TRY(run_steps_device(frame, s, diag));
    return pn_frame_finish_device(frame, s, diag);
  }
  PN_TRY(bind_outputs(frame, s, wanted, capacities, diag));
  PN_TRY(run_steps(frame, s, diag));
  PN_TRY(frame->machine->engine->target->stream_synchronize(frame->machine->stream, diag));
  for (uint32_t i = 0; i < s->output_count;
       i++) { /* results that no step writes in place: views of inputs, constants */
    const pn_plan_binding *b = &s->plan->outputs[i];
    if (b->place.kind == PN_PLACE_OUTPUT && b->place.index == i) continue;
    const void *from = pn_frame_locate(frame, s, &b->place);
    if (from != frame->values[s->outputs[i].v].data && b->bytes)
      memmove(frame->values[s->outputs[i].v].data, from, b->bytes);
  }
  return PELTON_OK;
}

static pelton_status run_host_op(pn_frame *frame, uint32_t node, pelton_diag *diag) {
  const pn_value_list *operands = &frame->graph->nodes.data[node].inputs;
  for (uint32_t i = 0; i < operands->count; i++)
    if (pn_value_valid(operands->data[i])) PN_TRY(pn_frame_fetch(frame, operands->data[i], diag));
  switch (frame->graph->nodes.data[node].op) {
  case PN_OP_IF: return pn_frame_run_if(frame, node, diag);
  case PN_OP_LOOP: return pn_frame_run_loop(frame, node, diag);
  case PN_OP_SCAN: return pn_frame_run_scan(frame, node, diag);
  default: return pn_frame_run_reference(frame, node, diag);
  }
}

static pelton_status collect_outputs(pn_frame *frame, pn_tensor *outputs, const size_t *capacities, pelton_diag *diag) {
  const pn_graph *g = frame->graph;
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    pn_tensor result = frame->values[g->outputs.data[i].v];
    void *wanted = capacities ? outputs[i].data : NULL;
    outputs[i] = result;
    if (!wanted || wanted == result.data) continue;
    size_t bytes = (size_t)pn_tensor_elements(&result) * pelton_dtype_bytes(result.dtype);
    const pn_str name = g->values.data[g->outputs.data[i].v].name;
    if (bytes > capacities[i])
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "output '%.*s' has %zu bytes, its buffer only %zu; give a larger one or none", PN_STR_ARG(name),
                     bytes, capacities[i]);
    if (bytes) memmove(wanted, result.data, bytes);
    outputs[i].data = wanted;
  }
  return PELTON_OK;
}

/* The small tensors among |live|, whose elements may steer shapes, where the host can read them. */
static pelton_status fetch_contents(pn_frame *frame, const pn_live *live, pelton_diag *diag) {
  for (uint32_t i = 0; i < live->count; i++) {
    const pn_tensor *t = &frame->values[live->values[i].v];
    if (t->data && has_content(t)) PN_TRY(pn_frame_fetch(frame, live->values[i], diag));
  }
  return PELTON_OK;
}

pelton_status pn_frame_run(pn_frame *frame, const pn_tensor *inputs, pn_tensor *outputs, const size_t *capacities,
                           pelton_diag *diag) {
  pn_frame_take_inputs(frame, inputs);
  for (uint32_t pos = 0; pos < frame->graph->nodes.count;) {
    if (pn_is_host_op(&frame->graph->nodes.data[pos])) {
      PN_TRY(run_host_op(frame, pos++, diag));
      continue;
    }
    const pn_live *live = live_into(frame, pos);
    if (!live) return pn_fail_memory(diag, "a context");
    pn_segment *s = find_segment(frame, live, pos, false);
    if (!s) PN_TRY(fetch_contents(frame, live, diag));
    if (!s) s = find_segment(frame, live, pos, true);
    if (!s) {
      PN_TRY(plan_segment(frame, pos, &s, diag));
      keep_segment(frame, s);
    }
    PN_TRY(run_segment(frame, s, outputs, capacities, diag));
    pos = s->end_node;
  }
  return pn_frame_is_host(frame) ? collect_outputs(frame, outputs, capacities, diag)
                                 : pn_frame_collect_device(frame, outputs, capacities, diag);
}
