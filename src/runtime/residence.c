/* Where values are when device memory is not the host's. Steps read and write the device; everything else in the
   runtime (shapes, control flow, operators that the host runs, the caller) reads the host. A value crosses only when
   somebody on the other side wants it, and is then on both. */
#include "runtime/frame.h"

static size_t bytes_of(const pn_tensor *t) { return (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype); }

/* Whether |bytes| bytes at |pointer| are memory of the engine's device that the host cannot read; an error, which names
   the |what| called |name|, when they are memory of the wrong device. */
static pelton_status find_place(const pn_frame *frame, const char *what, pn_str name, const void *pointer, size_t bytes,
                                bool *out, pelton_diag *diag) {
  const pelton_engine *engine = frame->machine->engine;
  const uint32_t mark = pn_diag_mark(diag);
  *out = false;
  if (!pointer || !engine->target->memory_is_device) return PELTON_OK;
  pelton_status status = engine->target->memory_is_device(engine->device, pointer, bytes, out, diag);
  if (status) pn_diag_prefix(diag, mark, "%s '%.*s'", what, PN_STR_ARG(name));
  return status;
}

pelton_status pn_frame_find_sink(const pn_frame *frame, const pn_sink *sink, bool *out, pelton_diag *diag) {
  return find_place(frame, "output", pn_str_from(sink->name), sink->memory, sink->capacity, out, diag);
}

/* ---- plans ---------------------------------------------------------------------------------------------------------
 */

/* A constant for all contexts, or, where only this plan has it, for this plan. */
static pelton_status settle_data(pn_frame *frame, pn_segment *s, const void **data, size_t bytes, bool *fresh,
                                 pelton_diag *diag) {
  pelton_engine *engine = frame->machine->engine;
  if (!pn_arena_owns(&s->plan->arena, *data))
    return pn_residents_find(&engine->residents, engine->target, engine->device, frame->machine->stream, *data, bytes,
                             data, fresh, diag);
  void *memory;
  PN_TRY(engine->target->memory_alloc(engine->device, bytes + 1, "constants", &memory, diag));
  if (!pn_list_push(&s->arena, &s->owned, memory)) {
    engine->target->memory_release(engine->device, memory);
    return pn_fail_memory(diag, "a plan");
  }
  *fresh = true;
  PN_TRY(engine->target->upload(frame->machine->stream, memory, *data, bytes, diag));
  *data = memory;
  return PELTON_OK;
}

static pelton_status settle_step(pn_frame *frame, pn_segment *s, pn_plan_step *step, uint8_t *reads, bool *fresh,
                                 pelton_diag *diag) {
  for (uint32_t i = 0; i < step->problem->operand_count; i++) {
    pn_place *place = (pn_place *)(uintptr_t)&step->places[i]; /* the plan is this segment's own */
    if (place->kind == PN_PLACE_INPUT) reads[place->index] = 1;
    if (place->kind != PN_PLACE_CONSTANT) continue;
    if (step->tactic->host_constants)
      place->data = NULL; /* run must not read it */
    else
      PN_TRY(settle_data(frame, s, &place->data, place->bytes, fresh, diag));
  }
  if (step->packed_bytes) PN_TRY(settle_data(frame, s, &step->packed, step->packed_bytes, fresh, diag));
  s->recordable = s->recordable && !step->tactic->host_work;
  return PELTON_OK;
}

pelton_status pn_segment_settle(pn_frame *frame, pn_segment *s, pelton_diag *diag) {
  pelton_engine *engine = frame->machine->engine;
  uint8_t *reads = PN_NEW_ARRAY(&s->arena, uint8_t, s->input_count + 1u);
  if (!reads || !pn_segment_reserve_recordings(s)) return pn_fail_memory(diag, "a plan");
  s->reads_input = reads;
  s->recordable = s->plan->steps.count > 1;
  bool fresh = false;
  (void)pthread_mutex_lock(&engine->residents.lock);
  pelton_status status = PELTON_OK;
  for (uint32_t i = 0; i < s->plan->steps.count && !status; i++)
    status = settle_step(frame, s, &s->plan->steps.data[i], reads, &fresh, diag);
  if (fresh) { /* other streams may use the copies as soon as they are known */
    pelton_status waited = engine->target->stream_synchronize(frame->machine->stream, status ? NULL : diag);
    if (!status) status = waited;
  }
  (void)pthread_mutex_unlock(&engine->residents.lock);
  return status;
}

void pn_segment_unsettle(pn_segment *s, pelton_engine *engine) {
  for (uint32_t i = 0; i < s->owned.count; i++) engine->target->memory_release(engine->device, s->owned.data[i]);
  pn_segment_forget_recordings(s, engine);
}

/* ---- values --------------------------------------------------------------------------------------------------------
 */

pelton_status pn_frame_take_inputs(pn_frame *frame, const pn_tensor *inputs, pelton_diag *diag) {
  for (uint32_t i = 0; i < frame->graph->inputs.count; i++) {
    pn_value_id v = frame->graph->inputs.data[i];
    bool device;
    pn_frame_set(frame, v, &inputs[i]);
    PN_TRY(find_place(frame, "input", frame->graph->values.data[v.v].name, inputs[i].data, bytes_of(&inputs[i]),
                      &device, diag));
    if (!device) continue;
    frame->slots[v.v].there = inputs[i].data;
    frame->slots[v.v].stale = true;
  }
  return PELTON_OK;
}

pelton_status pn_frame_fetch(pn_frame *frame, pn_value_id v, pelton_diag *diag) {
  pn_slot *slot = &frame->slots[v.v];
  pn_machine *m = frame->machine;
  if (!slot->stale) return PELTON_OK;
  if (slot->owner) {
    PN_TRY(pn_frame_fetch(slot->owner, slot->owned, diag));
    frame->values[v.v].data = slot->owner->values[slot->owned.v].data;
    slot->stale = false;
    return PELTON_OK;
  }
  size_t bytes = bytes_of(&frame->values[v.v]);
  void *memory = pn_frame_slot(frame, v, bytes);
  if (!memory) return pn_fail_memory(diag, "a value");
  if (bytes) PN_TRY(m->engine->target->download(m->stream, memory, slot->there, bytes, diag));
  frame->values[v.v].data = memory;
  slot->stale = false;
  return PELTON_OK;
}

/* Memory of the frame for value |v| on the device. */
static pelton_status device_slot(pn_frame *frame, pn_value_id v, size_t bytes, void **out, pelton_diag *diag) {
  return pn_room_reserve(frame->machine, &frame->slots[v.v].room[PN_ON_DEVICE], PN_ON_DEVICE, bytes,
                         "an input or a result", out, diag);
}

pelton_status pn_frame_lift(pn_frame *frame, pn_value_id v, pelton_diag *diag) {
  pn_slot *slot = &frame->slots[v.v];
  pn_machine *m = frame->machine;
  if (slot->there) return PELTON_OK;
  if (slot->owner) {
    PN_TRY(pn_frame_lift(slot->owner, slot->owned, diag));
    slot->there = slot->owner->slots[slot->owned.v].there;
    return PELTON_OK;
  }
  size_t bytes = bytes_of(&frame->values[v.v]);
  void *memory;
  PN_TRY(device_slot(frame, v, bytes, &memory, diag));
  if (bytes) PN_TRY(m->engine->target->upload(m->stream, memory, frame->values[v.v].data, bytes, diag));
  slot->there = memory;
  return PELTON_OK;
}

pelton_status pn_machine_copy(pn_machine *m, pn_side side, void *to, size_t to_pitch, const void *from,
                              size_t from_pitch, size_t bytes, size_t rows, pelton_diag *diag) {
  if (!bytes || !rows) return PELTON_OK;
  if (side == PN_ON_DEVICE)
    return m->engine->target->copy(m->stream, to, to_pitch, from, from_pitch, bytes, rows, diag);
  for (size_t i = 0; i < rows; i++) memcpy((char *)to + i * to_pitch, (const char *)from + i * from_pitch, bytes);
  return PELTON_OK;
}

/* Where the caller wants value |v|, of |t|'s type and shape; null: anywhere, or there is not enough. |device|: whether
   that is memory of the engine's device; not asked for |known|, which is. */
static pelton_status open_sink(const pn_frame *frame, pn_value_id v, const pn_tensor *t, const void *known, void **out,
                               bool *device, pelton_diag *diag) {
  uint32_t k = frame->output_index[v.v];
  pn_sink *sink = k == UINT32_MAX ? NULL : frame->sinks[k];
  PN_TRY(pn_sink_open(sink, t, out, diag));
  *device = *out && *out == known;
  return *out && !*device ? pn_frame_find_sink(frame, sink, device, diag) : PELTON_OK;
}

pelton_status pn_frame_bind_device(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  for (uint32_t i = 0; i < s->input_count; i++)
    if (s->reads_input[i]) PN_TRY(pn_frame_lift(frame, s->inputs[i], diag));
  for (uint32_t i = 0; i < s->output_count; i++) {
    const pn_plan_binding *b = &s->plan->outputs[i];
    pn_tensor *t = &frame->values[s->outputs[i].v];
    void *memory;
    bool device;
    *t = (pn_tensor){.dtype = b->dtype, .rank = b->rank};
    memcpy(t->dims, b->dims, sizeof t->dims);
    device = false;
    if (!pn_segment_counts(frame, s, s->outputs[i])) /* of one that counts nobody knows the size yet */
      PN_TRY(open_sink(frame, s->outputs[i], t, NULL, &memory, &device, diag));
    if (!device) PN_TRY(device_slot(frame, s->outputs[i], b->bytes, &memory, diag));
    t->data = memory;
    frame->slots[s->outputs[i].v].there = memory;
    frame->slots[s->outputs[i].v].stale = true;
  }
  return PELTON_OK;
}

/* Views of inputs, of other results or of the arena, and constants: copies on the sides on which the original is. */
static pelton_status finish_result(pn_frame *frame, const pn_segment *s, uint32_t i, pelton_diag *diag) {
  const pn_plan_binding *b = &s->plan->outputs[i];
  const pn_value_id v = s->outputs[i];
  pn_slot *slot = &frame->slots[v.v];
  const bool constant = b->place.kind == PN_PLACE_CONSTANT, input = b->place.kind == PN_PLACE_INPUT;
  const pn_value_id original = input ? s->inputs[b->place.index] : PN_NO_VALUE;
  if (constant || (input && !pn_frame_at(frame, original, PN_ON_DEVICE)))
    slot->there = NULL;
  else
    PN_TRY(pn_machine_copy(frame->machine, PN_ON_DEVICE, slot->there, b->bytes, pn_frame_locate(frame, s, &b->place),
                           b->bytes, b->bytes, 1, diag));
  if (!constant && !(input && pn_frame_at(frame, original, PN_ON_HOST))) return PELTON_OK;
  const char *from = constant ? b->place.data : (const char *)frame->values[original.v].data + b->place.offset;
  void *memory = pn_frame_slot(frame, v, b->bytes);
  if (!memory) return pn_fail_memory(diag, "an output");
  if (b->bytes) memcpy(memory, from, b->bytes);
  frame->values[v.v].data = memory;
  slot->stale = false;
  return PELTON_OK;
}

pelton_status pn_frame_finish_device(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  for (uint32_t i = 0; i < s->output_count; i++) {
    const pn_place *place = &s->plan->outputs[i].place;
    if (place->kind != PN_PLACE_OUTPUT || place->index != i) PN_TRY(finish_result(frame, s, i, diag));
  }
  return PELTON_OK;
}

/* Brings |v| to its sink, or to the host's memory of the frame when it has none that is large enough. */
static pelton_status hand_over(pn_frame *frame, pn_value_id v, pn_tensor *out, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_target *target = m->engine->target;
  const pn_tensor *value = &frame->values[v.v];
  const pn_slot *slot = &frame->slots[v.v];
  size_t bytes = bytes_of(value);
  void *wanted;
  bool device;
  *out = *value;
  if (!value->data) return PELTON_OK;
  PN_TRY(open_sink(frame, v, value, slot->there, &wanted, &device, diag));
  if (wanted && wanted == slot->there) {
    out->data = wanted;
    return PELTON_OK;
  }
  if (wanted && slot->stale && !device) {
    out->data = wanted;
    return bytes ? target->download(m->stream, wanted, slot->there, bytes, diag) : PELTON_OK;
  }
  if (device && slot->there) {
    out->data = wanted;
    PN_TRY(pn_machine_copy(m, PN_ON_DEVICE, wanted, bytes, slot->there, bytes, bytes, 1, diag));
    return target->stream_synchronize(m->stream, diag);
  }
  PN_TRY(pn_frame_fetch(frame, v, diag));
  out->data = device ? wanted : value->data;
  if (!device || !bytes) return PELTON_OK;
  PN_TRY(target->upload(m->stream, wanted, value->data, bytes, diag));
  return target->stream_synchronize(m->stream, diag);
}

pelton_status pn_frame_collect_device(pn_frame *frame, pn_tensor *outputs, pelton_diag *diag) {
  const pn_graph *g = frame->graph;
  PN_TRY(frame->machine->engine->target->stream_synchronize(frame->machine->stream, diag));
  for (uint32_t i = 0; i < g->outputs.count; i++) PN_TRY(hand_over(frame, g->outputs.data[i], &outputs[i], diag));
  return PELTON_OK;
}

/* ---- a caller's stream ---------------------------------------------------------------------------------------------
 */

/* Why the network's only segment cannot run without the host. */
static pelton_status check_enqueue(const pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  const pn_graph *g = frame->graph;
  if (s->counted.takes)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "it cannot be enqueued: only a run tells the size of what node '%.*s' (%s) finds, for which the host "
                   "waits; use pelton_context_run",
                   PN_STR_ARG(g->nodes.data[s->end_node - 1].name), pn_op_get(g->nodes.data[s->end_node - 1].op)->name);
  if (s->end_node < g->nodes.count || s->with_contents) {
    const pn_node *node = &g->nodes.data[s->end_node < g->nodes.count ? s->end_node : s->first_node];
    return pn_fail(diag, PELTON_UNSUPPORTED, "it cannot be enqueued: node '%.*s' (%s) %s; use pelton_context_run",
                   PN_STR_ARG(node->name), pn_op_get(node->op)->name,
                   pn_is_host_op(node) ? "is run by the host"
                   : s->with_contents  ? "or one after it has a shape that follows from the contents of an input"
                                       : "has a shape that follows from what is computed before it");
  }
  for (uint32_t i = 0; i < s->plan->steps.count; i++) {
    const pn_plan_step *step = &s->plan->steps.data[i];
    if (step->tactic->host_work)
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "it cannot be enqueued: step '%.*s' works on the host (%s); use pelton_context_run",
                     PN_STR_ARG(step->name), step->tactic->name);
  }
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    const pn_value *value = &g->values.data[g->outputs.data[i].v];
    bool written = false;
    for (uint32_t k = 0; k < s->output_count; k++)
      written = written || (s->outputs[k].v == g->outputs.data[i].v &&
                            s->plan->outputs[k].place.kind == PN_PLACE_OUTPUT && s->plan->outputs[k].place.index == k);
    for (uint32_t k = 0; k < i; k++) written = written && g->outputs.data[k].v != g->outputs.data[i].v;
    if (!written)
      return pn_fail(
          diag, PELTON_UNSUPPORTED,
          "it cannot be enqueued: no step writes output '%.*s', which is an input's, a constant's or another "
          "output's bytes; use pelton_context_run",
          PN_STR_ARG(value->name));
  }
  return PELTON_OK;
}

/* Inputs and outputs as steps see them: the caller's memory. */
static pelton_status bind_callers(pn_frame *frame, const pn_segment *s, pn_tensor *outputs, pelton_diag *diag) {
  const pn_graph *g = frame->graph;
  for (uint32_t i = 0; i < s->input_count; i++) {
    if (!s->reads_input[i] || frame->slots[s->inputs[i].v].there || !bytes_of(&frame->values[s->inputs[i].v])) continue;
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "input '%.*s' is not memory of the engine's device: see pelton_memory_create",
                   PN_STR_ARG(g->values.data[s->inputs[i].v].name));
  }
  for (uint32_t i = 0; i < s->output_count; i++) {
    const pn_plan_binding *b = &s->plan->outputs[i];
    const uint32_t k = frame->output_index[s->outputs[i].v];
    pn_tensor *t = &outputs[k];
    void *memory = frame->sinks[k]->memory;
    bool device;
    *t = (pn_tensor){.dtype = b->dtype, .rank = b->rank, .data = memory};
    memcpy(t->dims, b->dims, sizeof t->dims);
    PN_TRY(pn_frame_find_sink(frame, frame->sinks[k], &device, diag));
    if (b->bytes && (!memory || b->bytes > frame->sinks[k]->capacity))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "output '%s' needs %zu bytes of the engine's device, given are %zu",
                     frame->sinks[k]->name, b->bytes, memory ? frame->sinks[k]->capacity : 0);
    if (b->bytes && !device)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "output '%s' is given %zu bytes that are not memory of the engine's device: see "
                     "pelton_memory_create",
                     frame->sinks[k]->name, frame->sinks[k]->capacity);
    frame->values[s->outputs[i].v] = *t;
    frame->slots[s->outputs[i].v].there = memory;
    frame->slots[s->outputs[i].v].stale = true;
  }
  return PELTON_OK;
}

pelton_status pn_frame_enqueue_device(pn_frame *frame, pn_segment *s, pn_tensor *outputs, void *stream,
                                      pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_target *target = m->engine->target;
  PN_TRY(check_enqueue(frame, s, diag));
  for (uint32_t i = 0; i < s->absent_count; i++) frame->values[s->absent[i].v].data = NULL;
  PN_TRY(bind_callers(frame, s, outputs, diag));
  PN_TRY(pn_segment_record(frame, s, diag));
  pelton_status status = target->stream_lend(m->stream, stream, diag);
  if (!status) status = pn_segment_play(frame, s, diag);
  pelton_status returned = target->stream_return(m->stream, status ? NULL : diag);
  return status ? status : returned;
}
