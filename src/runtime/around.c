/* What goes into a subgraph, around a loop and out of it: values stay on the side on which they are.

   What a body captures is the value of the frame around it: whoever needs it on the other side has its owner bring it
   there, once for all. A child's results stay in the child's memory until it runs again; what goes around a loop is
   therefore put into the memory of the child's inputs, which nothing else writes: by exchanging the two where the
   result is in memory of its own, and by copying else. */
#include "runtime/frame.h"

static size_t bytes_of(const pn_tensor *t) { return (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype); }

void pn_frame_pass(pn_frame *child, pn_value_id to, pn_frame *frame, pn_value_id v) {
  pn_slot *slot = &child->slots[to.v];
  if (!pn_value_valid(v)) {
    pn_frame_set(child, to, &(pn_tensor){0});
    return;
  }
  const pn_slot *from = &frame->slots[v.v];
  if (from->owner) {
    frame = from->owner;
    v = from->owned;
    from = &frame->slots[v.v];
  }
  child->values[to.v] = frame->values[v.v];
  slot->there = from->there;
  slot->stale = from->stale;
  slot->owner = frame;
  slot->owned = v;
}

void pn_frame_give(pn_frame *frame, pn_value_id v, const pn_frame *child, pn_value_id from) {
  if (!pn_value_valid(v)) return;
  frame->values[v.v] = child->values[from.v];
  frame->slots[v.v].there = child->slots[from.v].there;
  frame->slots[v.v].stale = child->slots[from.v].stale;
  frame->slots[v.v].owner = NULL;
}

/* ---- around a loop ----------------------------------------------------------------------------------------------- */

/* A value on its way from an output of the body to an input, as it was before any of them moved. */
typedef struct carried {
  pn_value_id from, to;
  pn_tensor value;
  pn_slot slot;          /* |from|'s; of a value that does not change while the loop runs, with an owner */
  bool moved[PN_SIDES];  /* by exchange of memory */
  bool copied[PN_SIDES]; /* in the spare memory of the input */
} carried;

/* Whether the |i|-th is in its own memory on |side|, which no other one is given. The memory of an input is not to be
   taken: the input itself may be another's source. */
static bool may_move(const pn_frame *child, const carried *c, uint32_t i, int side, const void *data) {
  const pn_value_id v = c[i].from;
  if (!pn_node_valid(child->graph->values.data[v.v].producer) || data != c[i].slot.room[side].memory) return false;
  for (uint32_t k = 0; k < i; k++)
    if (c[k].from.v == v.v) return false;
  return true;
}

static pelton_status take_away(pn_frame *child, carried *c, uint32_t i, uint32_t input, pelton_diag *diag) {
  const size_t bytes = bytes_of(&c[i].value);
  for (int side = 0; side < PN_SIDES; side++) {
    const void *data = pn_frame_at(child, c[i].from, (pn_side)side);
    if (!data) continue;
    c[i].moved[side] = may_move(child, c, i, side, data);
    if (c[i].moved[side]) continue;
    void *memory;
    PN_TRY(pn_room_reserve(child->machine, &child->spare[input][side], (pn_side)side, bytes, "a loop's state", &memory,
                           diag));
    PN_TRY(pn_machine_copy(child->machine, (pn_side)side, memory, bytes, data, bytes, bytes, 1, diag));
    c[i].copied[side] = true;
  }
  return PELTON_OK;
}

static void exchange(pn_room *a, pn_room *b) {
  const pn_room was = *a;
  *a = *b;
  *b = was;
}

static void bring(pn_frame *child, const carried *c, uint32_t input) {
  pn_slot *slot = &child->slots[c->to.v];
  for (int side = 0; side < PN_SIDES; side++) {
    if (c->moved[side]) exchange(&slot->room[side], &child->slots[c->from.v].room[side]);
    if (c->copied[side]) exchange(&slot->room[side], &child->spare[input][side]);
  }
  pn_tensor *value = &child->values[c->to.v];
  *value = c->value;
  slot->there = c->slot.there ? slot->room[PN_ON_DEVICE].memory : NULL;
  slot->stale = c->slot.stale;
  slot->owner = NULL;
  if (value->data) value->data = slot->room[slot->stale ? PN_ON_DEVICE : PN_ON_HOST].memory;
}

pelton_status pn_frame_carry(pn_frame *child, uint32_t first_in, uint32_t first_out, uint32_t count,
                             pelton_diag *diag) {
  const pn_graph *g = child->graph;
  pn_arena *scratch = &child->machine->scratch;
  carried *c = PN_NEW_ARRAY(scratch, carried, count + 1u);
  if (!c) return pn_fail_memory(diag, "a loop's state");
  pelton_status status = PELTON_OK;
  for (uint32_t i = 0; i < count && !status; i++) {
    const pn_value_id from = g->outputs.data[first_out + i];
    c[i] = (carried){
        .from = from, .to = g->inputs.data[first_in + i], .value = child->values[from.v], .slot = child->slots[from.v]};
    if (g->values.data[from.v].data) { /* a constant */
      c[i].slot.owner = child;
      c[i].slot.owned = from;
    }
    if (!c[i].slot.owner && from.v != c[i].to.v) status = take_away(child, c, i, first_in + i, diag);
  }
  for (uint32_t i = 0; i < count && !status; i++) {
    if (c[i].from.v == c[i].to.v) continue;
    if (c[i].slot.owner)
      pn_frame_pass(child, c[i].to, c[i].slot.owner, c[i].slot.owned);
    else
      bring(child, &c[i], first_in + i);
  }
  pn_arena_reset(scratch);
  return status;
}

/* ---- slices into it ---------------------------------------------------------------------------------------------- */

pelton_status pn_frame_slice(pn_frame *child, pn_value_id to, pn_frame *frame, pn_value_id v, int64_t axis, int64_t t,
                             bool first, pelton_diag *diag) {
  const pn_tensor *whole = &frame->values[v.v];
  pn_slot *slot = &child->slots[to.v];
  bool wanted[PN_SIDES];
  wanted[PN_ON_HOST] = first ? !frame->slots[v.v].there : !slot->stale;
  wanted[PN_ON_DEVICE] = first ? frame->slots[v.v].there != NULL : slot->there != NULL;
  if (wanted[PN_ON_HOST]) PN_TRY(pn_frame_fetch(frame, v, diag));
  if (wanted[PN_ON_DEVICE]) PN_TRY(pn_frame_lift(frame, v, diag));
  size_t outer = 1, inner = pelton_dtype_bytes(whole->dtype);
  pn_tensor slice = {.dtype = whole->dtype, .rank = whole->rank - 1};
  for (uint32_t d = 0; d < whole->rank; d++)
    if (d != axis) *(d < axis ? &outer : &inner) *= (size_t)whole->dims[d];
  for (uint32_t d = 0; d < slice.rank; d++) slice.dims[d] = whole->dims[d < axis ? d : d + 1];
  void *memory[PN_SIDES] = {NULL};
  for (int side = 0; side < PN_SIDES; side++) {
    if (!wanted[side]) continue;
    PN_TRY(pn_room_reserve(child->machine, &slot->room[side], (pn_side)side, outer * inner, "a scan's slice",
                           &memory[side], diag));
    const char *from = (const char *)pn_frame_at(frame, v, (pn_side)side) + (size_t)t * inner;
    PN_TRY(pn_machine_copy(child->machine, (pn_side)side, memory[side], inner, from, (size_t)whole->dims[axis] * inner,
                           inner, outer, diag));
  }
  slice.data = memory[wanted[PN_ON_HOST] ? PN_ON_HOST : PN_ON_DEVICE];
  pn_frame_set(child, to, &slice);
  slot->there = memory[PN_ON_DEVICE];
  slot->stale = !wanted[PN_ON_HOST];
  return PELTON_OK;
}

/* ---- and out of it ----------------------------------------------------------------------------------------------- */

static pelton_status grow(pn_machine *m, pn_gathered *g, size_t bytes, int64_t expected, pelton_diag *diag) {
  pn_room *room = &g->room[g->side], grown = {NULL, 0};
  size_t capacity = 2 * (g->used + bytes) + 64;
  if (room->memory && g->used + bytes <= room->capacity) return PELTON_OK;
  if (!g->used && expected > 0 && bytes <= SIZE_MAX / 2 / (size_t)expected) capacity = bytes * (size_t)expected;
  void *memory;
  PN_TRY(pn_room_reserve(m, &grown, g->side, capacity, "a loop's results", &memory, diag));
  pelton_status status =
      g->used ? pn_machine_copy(m, g->side, memory, g->used, room->memory, g->used, g->used, 1, diag) : PELTON_OK;
  exchange(room, &grown);
  pn_room_release(m, &grown, g->side);
  return status;
}

pelton_status pn_frame_gather(pn_frame *child, uint32_t index, int64_t expected, pelton_diag *diag) {
  const pn_value_id v = child->graph->outputs.data[index];
  pn_gathered *g = &child->gathered[index];
  const pn_tensor *slice = &child->values[v.v];
  const size_t bytes = bytes_of(slice);
  if (!g->started) {
    g->started = true;
    g->slice_bytes = bytes;
    g->whole = *slice;
    g->side = child->slots[v.v].there ? PN_ON_DEVICE : PN_ON_HOST;
  } else if (slice->rank != g->whole.rank || memcmp(slice->dims, g->whole.dims, sizeof slice->dims[0] * slice->rank)) {
    return pn_fail(diag, PELTON_INVALID_DATA, "a loop's collected result changes its shape between iterations");
  }
  if (g->side == PN_ON_DEVICE)
    PN_TRY(pn_frame_lift(child, v, diag));
  else
    PN_TRY(pn_frame_fetch(child, v, diag));
  PN_TRY(grow(child->machine, g, bytes, expected, diag));
  PN_TRY(pn_machine_copy(child->machine, g->side, (char *)g->room[g->side].memory + g->used, bytes,
                         pn_frame_at(child, v, g->side), bytes, bytes, 1, diag));
  g->used += bytes;
  return PELTON_OK;
}

/* The type and shape of |count| slices along |*axis|. */
static pelton_status whole_of(const pn_gathered *g, const pn_type *type, int64_t count, int64_t *axis, pn_tensor *t,
                              pelton_diag *diag) {
  *t = g->whole;
  if (!count) *t = (pn_tensor){.dtype = type->dtype, .rank = type->rank > 0 ? (uint32_t)type->rank - 1 : 0};
  if (t->rank + 1 > PN_MAX_RANK)
    return pn_fail(diag, PELTON_UNSUPPORTED, "a loop's result has rank %u, at most %d is supported", t->rank + 1,
                   PN_MAX_RANK);
  if (*axis < 0) *axis += t->rank + 1;
  if (*axis < 0 || *axis > t->rank)
    return pn_fail(diag, PELTON_INVALID_DATA, "a loop's result of rank %u has no axis %lld", t->rank + 1,
                   (long long)*axis);
  for (uint32_t d = 0; d < t->rank && !count; d++) { /* nothing came: the shape is as inferred, empty along the axis */
    pn_dim dim = type->dims[d < *axis ? d : d + 1];
    t->dims[d] = pn_dim_is_number(dim) ? dim.number : 0;
  }
  for (int64_t d = t->rank; d > *axis; d--) t->dims[d] = t->dims[d - 1];
  t->dims[*axis] = count;
  t->rank++;
  return PELTON_OK;
}

pelton_status pn_frame_gathered(pn_frame *frame, pn_value_id v, pn_frame *child, uint32_t index, int64_t count,
                                int64_t axis, bool reversed, pelton_diag *diag) {
  pn_gathered *g = &child->gathered[index];
  const pn_side side = count ? g->side : PN_ON_HOST;
  pn_tensor t;
  if (!pn_value_valid(v)) return PELTON_OK;
  PN_TRY(whole_of(g, &frame->graph->values.data[v.v].type, count, &axis, &t, diag));
  size_t outer = 1, inner = pelton_dtype_bytes(t.dtype);
  for (uint32_t d = 0; d < t.rank; d++)
    if (d != axis) *(d < axis ? &outer : &inner) *= (size_t)t.dims[d];
  if (side == PN_ON_HOST)
    PN_TRY(pn_frame_place(frame, v, &t, diag));
  else if (outer == 1 && !reversed)
    t.data = g->room[side].memory; /* they are the result */
  else
    PN_TRY(pn_room_reserve(frame->machine, &frame->slots[v.v].room[side], side, bytes_of(&t), "a loop's results",
                           &t.data, diag));
  for (size_t i = 0; i < (size_t)count && t.data != g->room[side].memory; i++) {
    const size_t place = reversed ? (size_t)count - 1 - i : i;
    PN_TRY(pn_machine_copy(frame->machine, side, (char *)t.data + place * inner, (size_t)count * inner,
                           (char *)g->room[side].memory + i * g->slice_bytes, inner, inner, outer, diag));
  }
  pn_frame_set(frame, v, &t);
  frame->slots[v.v].there = side == PN_ON_DEVICE ? t.data : NULL;
  frame->slots[v.v].stale = side == PN_ON_DEVICE;
  return PELTON_OK;
}
