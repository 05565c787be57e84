#include "runtime/frame.h"

#include "base/clock.h"
#include "runtime/host_nodes.h"

/* Of larger operands no shape follows: what is longer is data. */
enum { CONTENT_ELEMENTS = 1024, CONTENT_FLOATS = 16 };

bool pn_is_host_op(const pn_node *node) { return pn_op_is_host(node->op); }

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
  frame->gathered = PN_NEW_ARRAY(arena, pn_gathered, g->outputs.count + 1u);
  frame->spare = pn_arena_alloc(arena, sizeof *frame->spare * (g->inputs.count + 1u), _Alignof(pn_room));
  frame->sinks = PN_NEW_ARRAY(arena, pn_sink *, g->outputs.count + 1u);
  return frame->values && frame->slots && frame->last_use && frame->output_index && frame->live && frame->children &&
         frame->gathered && frame->spare && frame->sinks;
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

void pn_room_release(pn_machine *m, pn_room *room, pn_side side) {
  if (room->memory && side == PN_ON_HOST) pn_release(m->engine->allocator, room->memory);
  if (room->memory && side == PN_ON_DEVICE) m->engine->target->memory_release(m->engine->device, room->memory);
  m->bytes -= room->capacity;
  *room = (pn_room){NULL, 0};
}

static void release_rooms(pn_machine *m, pn_room *rooms) {
  for (int side = 0; side < PN_SIDES; side++) pn_room_release(m, &rooms[side], (pn_side)side);
}

pelton_status pn_room_reserve(pn_machine *m, pn_room *room, pn_side side, size_t bytes, const char *what, void **out,
                              pelton_diag *diag) {
  const pelton_engine *engine = m->engine;
  *out = room->memory;
  if (room->memory && room->capacity >= bytes) return PELTON_OK;
  pn_room_release(m, room, side);
  if (side == PN_ON_DEVICE) {
    PN_TRY(engine->target->memory_alloc(engine->device, bytes + PN_SLOT_SPARE, what, &room->memory, diag));
  } else {
    room->memory = pn_alloc_raw(engine->allocator, bytes + PN_SLOT_SPARE, 64);
    if (!room->memory) return pn_fail_memory(diag, what);
  }
  room->capacity = bytes;
  m->bytes += bytes;
  *out = room->memory;
  return PELTON_OK;
}

void pn_frame_release(pn_frame *frame) {
  if (!frame) return;
  const pelton_allocator *allocator = frame->machine->engine->allocator;
  for (uint32_t i = 0; i < frame->segment_count; i++) segment_release(frame->segments[i], frame->machine->engine);
  for (uint32_t v = 0; frame->slots && v < frame->graph->values.count; v++)
    release_rooms(frame->machine, frame->slots[v].room);
  for (uint32_t n = 0; frame->children && n < 2 * frame->graph->nodes.count; n++) pn_frame_release(frame->children[n]);
  for (uint32_t i = 0; frame->gathered && i < frame->graph->outputs.count; i++)
    release_rooms(frame->machine, frame->gathered[i].room);
  for (uint32_t i = 0; frame->spare && i < frame->graph->inputs.count; i++)
    release_rooms(frame->machine, frame->spare[i]);
  pn_release(allocator, frame->pointers);
  pn_arena_deinit(&frame->arena);
  pn_release(allocator, frame);
}

void *pn_frame_slot(pn_frame *frame, pn_value_id v, size_t bytes) {
  void *memory;
  return pn_room_reserve(frame->machine, &frame->slots[v.v].room[PN_ON_HOST], PN_ON_HOST, bytes, "a value", &memory, NULL)
             ? NULL
             : memory;
}

pelton_status pn_frame_place(pn_frame *frame, pn_value_id v, pn_tensor *t, pelton_diag *diag) {
  uint32_t k = frame->output_index[v.v];
  bool device = false;
  PN_TRY(pn_sink_open(k == UINT32_MAX ? NULL : frame->sinks[k], t, &t->data, diag));
  if (t->data) PN_TRY(pn_frame_find_sink(frame, frame->sinks[k], &device, diag));
  if (device) t->data = NULL; /* from the host it is brought there at the end */
  if (!t->data) t->data = pn_frame_slot(frame, v, (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype));
  return t->data ? PELTON_OK : pn_fail_memory(diag, "an output");
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

static size_t bytes_of(const pn_tensor *t) { return (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype); }

/* Small tensors whose elements may steer shapes. Those that do are found when a segment is planned; only they are shown
   to inference and are in the key, so that a small input that is mere data does not make a plan for each of its values.
   What texts point at does not outlive the run, so that no plan may know it. */
static bool may_steer(const pn_tensor *t) {
  if (!t->data || pn_dtype_points(t->dtype)) return false;
  return pn_tensor_elements(t) <= (pn_dtype_is_float(t->dtype) ? CONTENT_FLOATS : CONTENT_ELEMENTS);
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
  live->steers = PN_NEW_ARRAY(&frame->arena, bool, count + 1u);
  if (!values || !live->steers) return NULL;
  live->count = 0;
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
    if (with_contents && live->steers[i] && may_steer(t)) h = pn_hash_bytes(t->data, bytes_of(t), h);
  }
  return h;
}

/* That |s| was planned for just these shapes and contents: keys are no proof against what was made to collide, and a
   plan of other shapes would leave its operands' memory. */
static bool same_operands(const pn_frame *frame, const pn_segment *s) {
  for (uint32_t i = 0; i < s->input_count; i++) {
    const pn_tensor *t = &frame->values[s->inputs[i].v];
    const pn_plan_binding *b = &s->plan->inputs[i];
    if (!t->data || t->rank != b->rank || t->dtype != b->dtype || memcmp(t->dims, b->dims, sizeof t->dims[0] * t->rank))
      return false;
    if (s->contents[i] && memcmp(t->data, s->contents[i], b->bytes)) return false;
  }
  return true;
}

static pn_segment *find_segment(pn_frame *frame, const pn_live *live, uint32_t first_node, bool with_contents) {
  uint64_t key = key_of(frame, live, first_node, with_contents);
  for (uint32_t i = 0; i < frame->segment_count; i++) {
    pn_segment *s = frame->segments[i];
    if (s->key != key || s->with_contents != with_contents || s->first_node != first_node || !same_operands(frame, s))
      continue;
    s->last_used = ++frame->machine->clock;
    return s;
  }
  return NULL;
}

/* ---- planning ------------------------------------------------------------------------------------------------------
 */

/* Facts of everything that is known when |first_node| starts, with the contents of values that |shown| names. */
static pelton_status known_facts(const pn_frame *frame, uint32_t first_node, const bool *shown, pn_arena *arena,
                                 pn_facts *facts, pelton_diag *diag) {
  PN_TRY(pn_facts_create(frame->graph, arena, facts, diag));
  const pn_live *live = &frame->live[first_node];
  for (uint32_t i = 0; i < live->count; i++) {
    const pn_tensor *t = &frame->values[live->values[i].v];
    if (!t->data) continue;
    pn_fact *fact = &facts->data[live->values[i].v];
    *fact = (pn_fact){.present = true, .type = pn_type_make(t->dtype, t->rank, t->dims)};
    if (t->dtype == PELTON_DTYPE_TENSOR) /* what is in boxes, only the graph says */
      fact->type.boxes = frame->graph->values.data[live->values[i].v].type.boxes;
    if (shown && shown[i] && may_steer(t)) {
      fact->data = pn_arena_copy(arena, t->data, bytes_of(t), 64);
      if (!fact->data) return pn_fail_memory(diag, "a plan");
    }
  }
  return PELTON_OK;
}

static uint32_t segment_end(const pn_frame *frame, uint32_t first_node) {
  uint32_t end = first_node;
  while (end < frame->graph->nodes.count && !pn_is_host_op(&frame->graph->nodes.data[end])) end++;
  return end;
}

static pelton_status infer_from(const pn_frame *frame, uint32_t first_node, const bool *shown, pn_arena *arena,
                                pn_symbols *symbols, pn_facts *facts, uint32_t *stopped, pelton_diag *diag) {
  uint32_t end = segment_end(frame, first_node);
  PN_TRY(known_facts(frame, first_node, shown, arena, facts, diag));
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
  PN_LIST(const void *) contents = {0};
  bool ok = true;
  for (uint32_t i = 0; i < live->count && ok; i++) {
    const pn_tensor *t = &frame->values[live->values[i].v];
    if (!t->data) continue;
    const void *content = NULL;
    if (s->with_contents && facts->data[live->values[i].v].data)
      ok = (content = pn_arena_copy(&s->arena, t->data, bytes_of(t), 64)) != NULL;
    ok = ok && pn_list_push(&s->arena, &in, live->values[i]) && pn_list_push(&s->arena, &contents, content);
  }
  for (uint32_t n = s->first_node; n < s->end_node && ok; n++) {
    for (uint32_t i = 0; i < g->nodes.data[n].outputs.count && ok; i++) {
      pn_value_id v = g->nodes.data[n].outputs.data[i];
      if (!pn_value_valid(v) || frame->last_use[v.v] < s->end_node) continue;
      ok = pn_list_push(&s->arena, facts->data[v.v].present ? &out : &absent, v);
    }
  }
  if (!ok) return pn_fail_memory(diag, "a plan");
  s->inputs = in.data;
  s->contents = contents.data;
  s->input_count = in.count;
  s->outputs = out.data;
  s->output_count = out.count;
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
                             .shared = engine->shared,
                             .decisions = root && engine->record ? &engine->record->decisions : NULL};
  frame->machine->plans_made++;
  PN_TRY(pn_plan_create(&request, &options, engine->allocator, &s->plan, diag));
  if (pn_frame_is_host(frame) || frame->machine->measuring) return PELTON_OK;
  return pn_segment_settle(frame, s, diag);
}

/* How far inference comes with the contents of |shown|; nothing is kept. */
static pelton_status reach(const pn_frame *frame, uint32_t first_node, const bool *shown, uint32_t *stopped,
                           pelton_diag *diag) {
  pn_arena arena;
  pn_symbols symbols;
  pn_facts facts;
  pn_arena_init(&arena, frame->machine->engine->allocator);
  pn_symbols_init(&symbols, &arena);
  pelton_status status = infer_from(frame, first_node, shown, &arena, &symbols, &facts, stopped, diag);
  pn_arena_deinit(&arena);
  return status;
}

/* Takes those of values [first, first + count) out of |shown| without which inference still comes as far as |goal|:
   all at once where that goes, else half by half. */
static pelton_status drop_unneeded(const pn_frame *frame, uint32_t first_node, uint32_t goal, bool *shown,
                                   uint32_t first, uint32_t count, pelton_diag *diag) {
  uint32_t any = 0, stopped;
  for (uint32_t i = first; i < first + count; i++) any |= shown[i];
  if (!any) return PELTON_OK;
  bool *saved = pn_alloc_raw(frame->machine->engine->allocator, count, 1);
  if (!saved) return pn_fail_memory(diag, "a plan");
  memcpy(saved, shown + first, count);
  memset(shown + first, 0, count);
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = reach(frame, first_node, shown, &stopped, diag);
  bool needed = status || stopped < goal;
  if (status && status != PELTON_OUT_OF_MEMORY) { /* an operator that refuses to do without */
    pn_diag_rewind(diag, mark);
    status = PELTON_OK;
  }
  if (needed) memcpy(shown + first, saved, count);
  pn_release(frame->machine->engine->allocator, saved);
  if (status || !needed || count == 1) return status;
  PN_TRY(drop_unneeded(frame, first_node, goal, shown, first, count / 2, diag));
  return drop_unneeded(frame, first_node, goal, shown, first + count / 2, count - count / 2, diag);
}

/* Notes from which values' contents shapes follow in the segment that starts at |first_node|. */
static pelton_status find_steering(pn_frame *frame, uint32_t first_node, pelton_diag *diag) {
  pn_live *live = &frame->live[first_node];
  uint32_t goal, stopped;
  PN_TRY(reach(frame, first_node, live->steers, &stopped, diag));
  if (stopped == segment_end(frame, first_node)) return PELTON_OK;
  bool *shown = pn_alloc_raw(frame->machine->engine->allocator, live->count + 1u, 1);
  if (!shown) return pn_fail_memory(diag, "a plan");
  for (uint32_t i = 0; i < live->count; i++) shown[i] = may_steer(&frame->values[live->values[i].v]);
  pelton_status status = reach(frame, first_node, shown, &goal, diag);
  if (!status && goal > stopped) status = drop_unneeded(frame, first_node, goal, shown, 0, live->count, diag);
  for (uint32_t i = 0; i < live->count && !status && goal > stopped; i++) live->steers[i] |= shown[i];
  pn_release(frame->machine->engine->allocator, shown);
  return status;
}

/* A plan for the nodes from |first_node| on, as far as shapes can be known. */
static pelton_status plan_nodes(pn_frame *frame, pn_segment *s, pn_arena *arena, pelton_diag *diag) {
  const pn_live *live = &frame->live[s->first_node];
  pn_facts facts;
  pn_symbols symbols;
  const uint32_t end = segment_end(frame, s->first_node);
  pn_symbols_init(&symbols, arena);
  if (end > s->first_node)
    PN_TRY(infer_from(frame, s->first_node, NULL, arena, &symbols, &facts, &s->end_node, diag));
  else
    PN_TRY(known_facts(frame, s->first_node, NULL, arena, &facts, diag));
  s->end_node = end > s->first_node ? s->end_node : end;
  if (s->end_node < end) { /* some shape needs numbers: look at small operands */
    s->with_contents = true;
    PN_TRY(find_steering(frame, s->first_node, diag));
    PN_TRY(infer_from(frame, s->first_node, live->steers, arena, &symbols, &facts, &s->end_node, diag));
  }
  if (s->end_node == end) PN_TRY(pn_segment_end_counted(frame, s, &facts, arena, diag));
  s->key = key_of(frame, live, s->first_node, s->with_contents);
  const pn_node *node = &frame->graph->nodes.data[s->first_node];
  if (s->end_node == s->first_node && pn_is_host_op(node)) return PELTON_OK; /* nothing to plan */
  if (s->end_node == s->first_node)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "node '%.*s' (%s): the shape of its results cannot be told from its operands",
                   PN_STR_ARG(node->name), pn_op_get(node->op)->name);
  return make_plan(frame, s, &facts, diag);
}

static pelton_status plan_segment(pn_frame *frame, uint32_t first_node, pn_segment **out, pelton_diag *diag) {
  const pelton_allocator *allocator = frame->machine->engine->allocator;
  pn_segment *s = pn_alloc(allocator, sizeof *s, _Alignof(pn_segment));
  if (!s) return pn_fail_memory(diag, "a plan");
  pn_arena arena;
  pn_arena_init(&arena, allocator);
  pn_arena_init(&s->arena, allocator);
  s->first_node = first_node;
  pelton_status status = plan_nodes(frame, s, &arena, diag);
  pn_arena_deinit(&arena);
  if (status || !s->plan) {
    segment_release(s, frame->machine->engine);
    return status;
  }
  pn_machine *m = frame->machine;
  if (m->steps_numbered + s->plan->steps.count >= PN_STEP_NUMBERS) m->steps_numbered = 0; /* the first are long gone */
  s->first_number = m->steps_numbered + 1;
  m->steps_numbered += s->plan->steps.count;
  *out = s;
  return PELTON_OK;
}

const pn_plan_step *pn_frame_find_step(const pn_frame *frame, uint32_t number) {
  for (uint32_t i = 0; i < frame->segment_count; i++) {
    const pn_segment *s = frame->segments[i];
    if (number - s->first_number < s->plan->steps.count) return &s->plan->steps.data[number - s->first_number];
  }
  const pn_plan_step *found = NULL;
  for (uint32_t i = 0; i < 2 * frame->graph->nodes.count && !found; i++)
    if (frame->children[i]) found = pn_frame_find_step(frame->children[i], number);
  return found;
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
  size_t need = plan->arena_bytes + plan->workspace_bytes + PN_SLOT_SPARE;
  if (need > m->arena_bytes) {
    target->memory_release(m->engine->device, m->arena);
    m->bytes -= m->arena_bytes;
    m->arena_bytes = 0;
    PN_TRY(target->memory_alloc(m->engine->device, need, "activations", &m->arena, diag));
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

/* Gives every result of the segment its memory. */
static pelton_status bind_outputs(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  for (uint32_t i = 0; i < s->absent_count; i++) frame->values[s->absent[i].v].data = NULL;
  for (uint32_t i = 0; i < s->output_count; i++) {
    const pn_plan_binding *b = &s->plan->outputs[i];
    pn_tensor *t = &frame->values[s->outputs[i].v];
    *t = (pn_tensor){.dtype = b->dtype, .rank = b->rank};
    memcpy(t->dims, b->dims, sizeof t->dims);
    PN_TRY(pn_frame_place(frame, s->outputs[i], t, diag));
  }
  return PELTON_OK;
}

static pelton_status run_segment(pn_frame *frame, pn_segment *s, pelton_diag *diag) {
  PN_TRY(reserve(frame, s->plan, diag));
  if (!pn_frame_is_host(frame)) {
    for (uint32_t i = 0; i < s->absent_count; i++) frame->values[s->absent[i].v].data = NULL;
    PN_TRY(pn_frame_bind_device(frame, s, diag));
    PN_TRY(pn_segment_record(frame, s, diag));
    PN_TRY(pn_segment_play(frame, s, diag));
    PN_TRY(pn_frame_finish_device(frame, s, diag));
    return s->counted.takes ? pn_frame_learn_count(frame, s, diag) : PELTON_OK;
  }
  PN_TRY(bind_outputs(frame, s, diag));
  PN_TRY(pn_segment_run(frame, s, diag));
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
  switch (frame->graph->nodes.data[node].op) { /* these fetch what they read themselves */
  case PN_OP_IF: return pn_frame_run_if(frame, node, diag);
  case PN_OP_LOOP: return pn_frame_run_loop(frame, node, diag);
  case PN_OP_SCAN: return pn_frame_run_scan(frame, node, diag);
  default: break;
  }
  for (uint32_t i = 0; i < operands->count; i++)
    if (pn_value_valid(operands->data[i])) PN_TRY(pn_frame_fetch(frame, operands->data[i], diag));
  return pn_frame_run_reference(frame, node, diag);
}

static double bytes_of_values(const pn_frame *frame, const pn_value_list *list) {
  double bytes = 0;
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_valid(list->data[i]) && frame->values[list->data[i].v].data)
      bytes += (double)bytes_of(&frame->values[list->data[i].v]);
  return bytes;
}

/* In a profile a node's time is the host's own, copies from the device included, without the steps of its bodies. */
static pelton_status run_host_node(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  if (!m->profile) return run_host_op(frame, index, diag);
  const pn_node *node = &frame->graph->nodes.data[index];
  const uint32_t before = m->times.count;
  pn_step_time time = {NULL, node, -pn_clock_seconds(), 0};
  PN_TRY(run_host_op(frame, index, diag));
  time.seconds += pn_clock_seconds();
  for (uint32_t i = before; i < m->times.count; i++) time.seconds -= m->times.data[i].seconds;
  if (time.seconds < 0) time.seconds = 0; /* clocks of device and host differ */
  time.bytes = bytes_of_values(frame, &node->inputs) + bytes_of_values(frame, &node->outputs);
  return pn_list_push(&m->profile_arena, &m->times, time) ? PELTON_OK : pn_fail_memory(diag, "the profile");
}

/* The small tensors among |live|, whose elements may steer shapes, where the host can read them: those that do steer,
   or all. */
static pelton_status fetch_contents(pn_frame *frame, const pn_live *live, bool all, pelton_diag *diag) {
  for (uint32_t i = 0; i < live->count; i++) {
    const pn_tensor *t = &frame->values[live->values[i].v];
    if ((all || live->steers[i]) && may_steer(t)) PN_TRY(pn_frame_fetch(frame, live->values[i], diag));
  }
  return PELTON_OK;
}

/* The segment that starts at |pos|, planned when it is new; null when the node there is the host's. */
static pelton_status segment_at(pn_frame *frame, uint32_t pos, pn_segment **out, pelton_diag *diag) {
  const pn_live *live = live_into(frame, pos);
  if (!live) return pn_fail_memory(diag, "a context");
  *out = find_segment(frame, live, pos, false);
  if (*out) return PELTON_OK;
  PN_TRY(fetch_contents(frame, live, false, diag));
  *out = find_segment(frame, live, pos, true);
  if (*out) return PELTON_OK;
  PN_TRY(fetch_contents(frame, live, true, diag));
  PN_TRY(plan_segment(frame, pos, out, diag));
  if (*out) keep_segment(frame, *out);
  return PELTON_OK;
}

/* Whether a segment starts at |node|, or may: that of a node that counts has a plan only where a tactic takes it. */
static bool starts_segment(const pn_frame *frame, uint32_t node) {
  return node < frame->graph->nodes.count &&
         (!pn_is_host_op(&frame->graph->nodes.data[node]) || pn_frame_may_count(frame, node));
}

/* Why no single plan tells the memory: the first node that it lacks. */
static pelton_status memory_unknown(const pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  static const char *const unknown = "the network's memory is not known beforehand";
  const pn_graph *g = frame->graph;
  if (!g->nodes.count) return pn_fail(diag, PELTON_UNSUPPORTED, "%s: no step computes anything", unknown);
  const pn_node *node = &g->nodes.data[!s ? 0 : s->end_node < g->nodes.count ? s->end_node : s->first_node];
  if (s && s->counted.takes) {
    node = &g->nodes.data[s->end_node - 1];
    return pn_fail(diag, PELTON_UNSUPPORTED, "%s: only a run tells the size of what node '%.*s' (%s) finds", unknown,
                   PN_STR_ARG(node->name), pn_op_get(node->op)->name);
  }
  pn_host_reason host = {.what = NULL};
  if (pn_host_runs(frame->machine->engine, g, (uint32_t)(node - g->nodes.data), &host))
    return pn_fail(diag, PELTON_UNSUPPORTED, "%s: node '%.*s' (%s) is run by the host (%s)", unknown,
                   PN_STR_ARG(node->name), pn_op_get(node->op)->name, host.what);
  return pn_fail(diag, PELTON_UNSUPPORTED, "%s: node '%.*s' (%s) %s", unknown, PN_STR_ARG(node->name),
                 pn_op_get(node->op)->name,
                 s && s->with_contents ? "or one after it has a shape that follows from the contents of an input"
                                       : "has a shape that follows from what is computed before it");
}

pelton_status pn_frame_plan(pn_frame *frame, const pn_tensor *inputs, const pn_plan **out, pelton_diag *diag) {
  pn_segment *s = NULL;
  const pn_graph *g = frame->graph;
  for (uint32_t i = 0; i < g->inputs.count; i++) pn_frame_set(frame, g->inputs.data[i], &inputs[i]);
  if (starts_segment(frame, 0)) {
    if (!live_into(frame, 0)) return pn_fail_memory(diag, "a context");
    PN_TRY(plan_segment(frame, 0, &s, diag));
    if (s) keep_segment(frame, s);
  }
  if (!s || s->with_contents || s->end_node < g->nodes.count) return memory_unknown(frame, s, diag);
  *out = s->plan;
  return PELTON_OK;
}

pelton_status pn_frame_enqueue(pn_frame *frame, const pn_tensor *inputs, pn_tensor *outputs, void *stream,
                               pelton_diag *diag) {
  pn_segment *s = NULL;
  PN_TRY(pn_frame_take_inputs(frame, inputs, diag));
  if (starts_segment(frame, 0)) PN_TRY(segment_at(frame, 0, &s, diag));
  if (!s)
    return pn_fail(diag, PELTON_UNSUPPORTED, "it cannot be enqueued: %s; use pelton_context_run",
                   frame->graph->nodes.count ? "its first node is run by the host" : "it computes nothing");
  PN_TRY(reserve(frame, s->plan, diag));
  return pn_frame_enqueue_device(frame, s, outputs, stream, diag);
}

pelton_status pn_frame_run_nodes(pn_frame *frame, pelton_diag *diag) {
  for (uint32_t pos = 0; pos < frame->graph->nodes.count;) {
    pn_segment *s = NULL;
    if (starts_segment(frame, pos)) PN_TRY(segment_at(frame, pos, &s, diag));
    if (!s) {
      PN_TRY(run_host_node(frame, pos++, diag));
      continue;
    }
    PN_TRY(run_segment(frame, s, diag));
    pos = s->end_node;
  }
  return PELTON_OK;
}

pelton_status pn_frame_run(pn_frame *frame, const pn_tensor *inputs, pn_tensor *outputs, pelton_diag *diag) {
  PN_TRY(pn_frame_take_inputs(frame, inputs, diag));
  PN_TRY(pn_frame_run_nodes(frame, diag));
  if (!pn_frame_is_host(frame)) return pn_frame_collect_device(frame, outputs, diag);
  for (uint32_t i = 0; i < frame->graph->outputs.count; i++)
    outputs[i] = frame->values[frame->graph->outputs.data[i].v];
  return PELTON_OK;
}
