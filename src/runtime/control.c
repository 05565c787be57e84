/* If, loop and scan: subgraphs run in frames of their own. A child's results stay in the child's memory until it runs
   again; what goes around a loop is therefore copied into the slots of the child's inputs, which nothing else
   writes. */
#include "runtime/frame.h"

static size_t bytes_of(const pn_tensor *t) { return (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype); }

static pn_tensor operand(const pn_frame *frame, const pn_node *node, uint32_t i) {
  pn_value_id v = pn_node_input(node, i);
  return pn_value_valid(v) ? frame->values[v.v] : (pn_tensor){0};
}

static bool truth(const pn_tensor *t) { return t->data && *(const uint8_t *)t->data != 0; }

static void set_result(pn_frame *frame, const pn_node *node, uint32_t i, const pn_tensor *t) {
  pn_value_id v = i < node->outputs.count ? node->outputs.data[i] : PN_NO_VALUE;
  if (pn_value_valid(v)) pn_frame_set(frame, v, t);
}

/* Where result |i| of |node| is wanted when it is an output of the graph. */
static pn_sink *sink_of(const pn_frame *frame, const pn_node *node, uint32_t i) {
  pn_value_id v = i < node->outputs.count ? node->outputs.data[i] : PN_NO_VALUE;
  uint32_t k = pn_value_valid(v) ? frame->output_index[v.v] : UINT32_MAX;
  return k == UINT32_MAX ? NULL : frame->sinks[k];
}

pelton_status pn_frame_run_if(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_if *attrs = node->attrs;
  pn_tensor condition = operand(frame, node, 0);
  if (pn_tensor_elements(&condition) != 1)
    return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': if wants one condition, not %lld", PN_STR_ARG(node->name),
                   (long long)pn_tensor_elements(&condition));
  const pn_graph *graph = truth(&condition) ? attrs->then_graph : attrs->else_graph;
  pn_frame *child;
  PN_TRY(pn_frame_child(frame, index, truth(&condition) ? 0 : 1, graph, &child, diag));
  uint32_t in_count = graph->inputs.count;
  pn_tensor *in = child->in, *out = child->out;
  for (uint32_t i = 0; i < in_count; i++) in[i] = operand(frame, node, i + 1);
  for (uint32_t i = 0; i < graph->outputs.count; i++)
    child->sinks[i] = pn_frame_is_host(frame) ? sink_of(frame, node, i) : NULL;
  PN_TRY(pn_frame_run(child, in, out, diag));
  for (uint32_t i = 0; i < graph->outputs.count; i++) set_result(frame, node, i, &out[i]);
  return PELTON_OK;
}

/* ---- what goes around -------------------------------------------------------------------------------------------- */

/* Copies |from| (results of the child's last run) into the slots of the child's inputs first, first + 1, ..., and makes
   |to| point there. A result may itself lie in such a slot (a body that swaps its states): those go through scratch. */
static pelton_status carry(pn_frame *child, uint32_t first, uint32_t count, const pn_tensor *from, pn_tensor *to,
                           pelton_diag *diag) {
  pn_arena *scratch = &child->machine->scratch;
  for (uint32_t i = 0; i < count; i++) {
    const void *data = from[i].data;
    for (uint32_t k = 0; k < count; k++) {
      if (k == i || !from[i].data || to[k].data != from[i].data) continue;
      data = pn_arena_copy(scratch, from[i].data, bytes_of(&from[i]), 64);
      if (!data) return pn_fail_memory(diag, "a loop's state");
    }
    ((pn_tensor *)(uintptr_t)from)[i].data = (void *)(uintptr_t)data;
  }
  for (uint32_t i = 0; i < count; i++) {
    size_t bytes = bytes_of(&from[i]);
    pn_value_id v = child->graph->inputs.data[first + i];
    if (to[i].data == from[i].data && to[i].data == child->slots[v.v].memory) {
      to[i] = from[i];
      continue;
    }
    void *memory = pn_frame_slot(child, v, bytes);
    if (!memory) return pn_fail_memory(diag, "a loop's state");
    if (bytes) memmove(memory, from[i].data, bytes);
    to[i] = from[i];
    to[i].data = memory;
  }
  pn_arena_reset(scratch);
  return PELTON_OK;
}

static pelton_status gather_slice(const pelton_allocator *allocator, pn_gathered *g, const pn_tensor *slice, bool first,
                                  pelton_diag *diag) {
  size_t bytes = bytes_of(slice);
  if (first) {
    g->slice_bytes = bytes;
    g->whole = *slice;
  } else if (slice->rank != g->whole.rank || memcmp(slice->dims, g->whole.dims, sizeof slice->dims[0] * slice->rank)) {
    return pn_fail(diag, PELTON_INVALID_DATA, "a loop's collected result changes its shape between iterations");
  }
  if (g->used + bytes > g->capacity) {
    size_t capacity = 2 * (g->used + bytes) + 64;
    char *grown = pn_alloc_raw(allocator, capacity, 64);
    if (!grown) return pn_fail_memory(diag, "a loop's results");
    if (g->used) memcpy(grown, g->memory, g->used);
    pn_release(allocator, g->memory);
    g->memory = grown;
    g->capacity = capacity;
  }
  if (bytes) memcpy(g->memory + g->used, slice->data, bytes);
  g->used += bytes;
  return PELTON_OK;
}

/* The slices as one tensor with |count| along |axis|, in the parent's slot for |v|. */
static pelton_status gather_finish(pn_frame *frame, pn_value_id v, pn_gathered *g, int64_t count, int64_t axis,
                                   bool reversed, pelton_diag *diag) {
  if (!pn_value_valid(v)) return PELTON_OK;
  pn_tensor t = g->whole;
  const pn_type *type = &frame->graph->values.data[v.v].type;
  if (!count) t = (pn_tensor){.dtype = type->dtype, .rank = type->rank > 0 ? (uint32_t)type->rank - 1 : 0};
  if (t.rank + 1 > PN_MAX_RANK)
    return pn_fail(diag, PELTON_UNSUPPORTED, "a loop's result has rank %u, at most %d is supported", t.rank + 1,
                   PN_MAX_RANK);
  if (axis < 0) axis += t.rank + 1;
  if (axis < 0 || axis > t.rank)
    return pn_fail(diag, PELTON_INVALID_DATA, "a loop's result of rank %u has no axis %lld", t.rank + 1,
                   (long long)axis);
  for (uint32_t d = 0; d < t.rank && !count; d++) { /* nothing came: the shape is as inferred, empty along the axis */
    pn_dim dim = type->dims[d < axis ? d : d + 1];
    t.dims[d] = pn_dim_is_number(dim) ? dim.number : 0;
  }
  size_t outer = 1, inner = pelton_dtype_bytes(t.dtype);
  for (uint32_t d = 0; d < t.rank; d++) *(d < axis ? &outer : &inner) *= (size_t)t.dims[d];
  for (int64_t d = t.rank; d > axis; d--) t.dims[d] = t.dims[d - 1];
  t.dims[axis] = count;
  t.rank++;
  PN_TRY(pn_frame_place(frame, v, &t, diag));
  char *out = t.data;
  for (size_t i = 0; i < (size_t)count; i++) {
    size_t place = reversed ? (size_t)count - 1 - i : i;
    for (size_t o = 0; o < outer && inner; o++)
      memcpy(out + (o * (size_t)count + place) * inner, g->memory + i * g->slice_bytes + o * inner, inner);
  }
  pn_frame_set(frame, v, &t);
  return PELTON_OK;
}

/* A trip count or a condition of a shape that only this run knows: none at all would be read from nowhere. */
static pelton_status check_single(const pn_node *node, const char *what, const pn_tensor *t, pelton_diag *diag) {
  if (!t->data || pn_tensor_elements(t) == 1) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': loop wants one %s, not %lld", PN_STR_ARG(node->name), what,
                 (long long)pn_tensor_elements(t));
}

/* ---- loop -------------------------------------------------------------------------------------------------------- */

typedef struct loop_state {
  pn_tensor *in, *out; /* the child's */
  pn_gathered *results;
  uint32_t carried, collected;
} loop_state;

static loop_state loop_prepare(const pn_frame *child, uint32_t carried, uint32_t first_out) {
  loop_state s = {child->in, child->out, child->gathered, carried, child->graph->outputs.count - first_out - carried};
  for (uint32_t i = 0; i < s.collected; i++) s.results[i].used = 0; /* the memory is kept */
  return s;
}

static pelton_status loop_iterate(pn_frame *child, const pn_node *node, loop_state *s, const pn_tensor *trip,
                                  int64_t *count, pelton_diag *diag) {
  PN_TRY(check_single(node, "trip count", trip, diag));
  PN_TRY(check_single(node, "condition", &s->in[1], diag));
  int64_t most = trip->data ? pn_tensor_get_i64(trip, 0) : INT64_MAX, iteration = 0;
  uint8_t going = s->in[1].data ? truth(&s->in[1]) : 1;
  s->in[0] = (pn_tensor){.dtype = PELTON_DTYPE_I64, .data = &iteration};
  s->in[1] = (pn_tensor){.dtype = PELTON_DTYPE_BOOL, .data = &going};
  for (*count = 0; *count < most && going; (*count)++) {
    iteration = *count;
    PN_TRY(pn_frame_run(child, s->in, s->out, diag));
    PN_TRY(check_single(node, "condition", &s->out[0], diag));
    going = truth(&s->out[0]);
    for (uint32_t i = 0; i < s->collected; i++)
      PN_TRY(gather_slice(child->machine->engine->allocator, &s->results[i], &s->out[1 + s->carried + i], *count == 0,
                          diag));
    PN_TRY(carry(child, 2, s->carried, s->out + 1, s->in + 2, diag));
  }
  return PELTON_OK;
}

pelton_status pn_frame_run_loop(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_loop *attrs = node->attrs;
  pn_frame *child;
  int64_t count = 0;
  PN_TRY(pn_frame_child(frame, index, 0, attrs->body, &child, diag));
  loop_state s = loop_prepare(child, (uint32_t)attrs->carried_count, 1);
  for (uint32_t i = 1; i < attrs->body->inputs.count; i++) s.in[i] = operand(frame, node, i);
  pn_tensor trip = operand(frame, node, 0);
  pelton_status status = loop_iterate(child, node, &s, &trip, &count, diag);
  for (uint32_t i = 0; i < s.carried && !status; i++) set_result(frame, node, i, &s.in[2 + i]);
  for (uint32_t i = 0; i < s.collected && !status; i++)
    status = gather_finish(frame, s.carried + i < node->outputs.count ? node->outputs.data[s.carried + i] : PN_NO_VALUE,
                           &s.results[i], count, 0, false, diag);
  return status;
}

/* ---- scan -------------------------------------------------------------------------------------------------------- */

static int64_t listed(pn_i64s list, uint32_t i) { return i < list.count ? list.data[i] : 0; }

/* Copies slice |t| along the axis of |from| into the slot of the child's input |input|. */
static pelton_status take_slice(pn_frame *child, uint32_t input, const pn_tensor *from, int64_t axis, int64_t t,
                                pn_tensor *to, pelton_diag *diag) {
  size_t outer = 1, inner = pelton_dtype_bytes(from->dtype);
  for (uint32_t d = 0; d < from->rank; d++)
    if (d != axis) *(d < axis ? &outer : &inner) *= (size_t)from->dims[d];
  *to = (pn_tensor){.dtype = from->dtype, .rank = from->rank - 1};
  for (uint32_t d = 0; d < to->rank; d++) to->dims[d] = from->dims[d < axis ? d : d + 1];
  char *memory = pn_frame_slot(child, child->graph->inputs.data[input], outer * inner);
  if (!memory) return pn_fail_memory(diag, "a scan's slice");
  for (size_t o = 0; o < outer && inner; o++)
    memcpy(memory + o * inner, (const char *)from->data + (o * (size_t)from->dims[axis] + (size_t)t) * inner, inner);
  to->data = memory;
  return PELTON_OK;
}

static pelton_status scan_iterate(pn_frame *frame, pn_frame *child, const pn_node *node, loop_state *s, int64_t *count,
                                  pelton_diag *diag) {
  const pn_attrs_scan *attrs = node->attrs;
  for (int64_t t = 0; t < *count || t == 0; t++) {
    for (uint32_t i = 0; i < attrs->scan_count; i++) {
      pn_tensor whole = operand(frame, node, s->carried + i);
      int64_t axis = listed(attrs->input_axes, i);
      if (axis < 0) axis += whole.rank;
      if (!whole.data || axis < 0 || axis >= whole.rank)
        return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': scanned operand %u has no axis %lld",
                       PN_STR_ARG(node->name), i, (long long)axis);
      int64_t length = whole.dims[axis];
      if (i == 0) *count = length;
      if (length != *count)
        return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': scanned operands have %lld and %lld slices",
                       PN_STR_ARG(node->name), (long long)*count, (long long)length);
      if (*count == 0) return PELTON_OK;
      PN_TRY(take_slice(child, s->carried + i, &whole, axis, listed(attrs->input_reversed, i) ? length - 1 - t : t,
                        &s->in[s->carried + i], diag));
    }
    PN_TRY(pn_frame_run(child, s->in, s->out, diag));
    for (uint32_t i = 0; i < s->collected; i++)
      PN_TRY(gather_slice(child->machine->engine->allocator, &s->results[i], &s->out[s->carried + i], t == 0, diag));
    PN_TRY(carry(child, 0, s->carried, s->out, s->in, diag));
  }
  return PELTON_OK;
}

pelton_status pn_frame_run_scan(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_scan *attrs = node->attrs;
  pn_frame *child;
  int64_t count = 0;
  PN_TRY(pn_frame_child(frame, index, 0, attrs->body, &child, diag));
  loop_state s = loop_prepare(child, (uint32_t)attrs->state_count, 0);
  for (uint32_t i = 0; i < attrs->body->inputs.count; i++) s.in[i] = operand(frame, node, i);
  pelton_status status = scan_iterate(frame, child, node, &s, &count, diag);
  for (uint32_t i = 0; i < s.carried && !status; i++) set_result(frame, node, i, &s.in[i]);
  for (uint32_t i = 0; i < s.collected && !status; i++)
    status = gather_finish(frame, s.carried + i < node->outputs.count ? node->outputs.data[s.carried + i] : PN_NO_VALUE,
                           &s.results[i], count, listed(attrs->output_axes, i), listed(attrs->output_reversed, i) != 0,
                           diag);
  return status;
}
