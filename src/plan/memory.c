/* Where every buffer lies. First buffers are merged into blocks: views share their source's bytes, a concatenation's
   operands are written straight into its result where they lie there in one piece, the pieces of a split are views, and a
   step may overwrite an operand that dies there. Then blocks that are a result of the plan get the caller's memory, and
   the others offsets in one arena: largest first, each at the lowest offset that is free during its life (greedy by
   size, after Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). */
#include "plan/planner.h"

#define NONE UINT32_MAX
enum { ALIGN = 64 };

static uint32_t root_of(const pn_planner *p, uint32_t b, size_t *offset) {
  size_t sum = 0;
  while (p->buffers.data[b].alias != b) {
    sum += p->buffers.data[b].alias_offset;
    b = p->buffers.data[b].alias;
  }
  if (offset) *offset = sum;
  return b;
}

static void touch(pn_planner *p, uint32_t b, uint32_t step) {
  for (;;) { /* a use of a view is a use of what it lies in */
    pn_buffer *buffer = &p->buffers.data[b];
    if (buffer->first_step == NONE || step < buffer->first_step) buffer->first_step = step;
    if (step > buffer->last_step) buffer->last_step = step;
    if (buffer->alias == b) return;
    b = buffer->alias;
  }
}

static void find_lifetimes(pn_planner *p) {
  for (uint32_t s = 0; s < p->emitted.count; s++) {
    const pn_emitted *e = &p->emitted.data[s];
    for (uint32_t i = 0; i < e->problem->operand_count; i++)
      if (e->buffers[i] != NONE) touch(p, e->buffers[i], s);
  }
  for (uint32_t i = 0; i < p->request->output_count; i++)
    touch(p, p->buffer_of[p->request->outputs[i].v * PN_LAYOUT_COUNT], p->emitted.count);
}

/* Makes root |b| part of |into| at |offset|; lifetimes join. */
static void merge(pn_planner *p, uint32_t b, uint32_t into, size_t offset) {
  pn_buffer *buffer = &p->buffers.data[b];
  buffer->alias = into;
  buffer->alias_offset = offset;
  touch(p, into, buffer->first_step);
  touch(p, into, buffer->last_step);
}

/* Extent of the axis in stored order; true when nothing lies outside of it, so that a part along it is one piece. */
static bool one_piece(const pn_operand *o, int64_t axis) {
  int64_t rank = (int64_t)o->rank;
  if (axis < 0) axis += rank;
  for (int64_t d = 0; d < rank; d++) {
    bool outside = o->layout == PN_LAYOUT_CHANNELS_LAST && rank >= 3
                       ? (axis == 1 ? d != 1 : d == 0 ? axis != 0 : (d != 1 && d < axis))
                       : d < axis;
    if (outside && o->dims[d] != 1) return false;
  }
  return true;
}

static bool is_output(const pn_planner *p, pn_value_id v) {
  for (uint32_t i = 0; i < p->request->output_count; i++)
    if (pn_value_same(p->request->outputs[i], v)) return true;
  return false;
}

/* A block that only steps of this plan write: it may be placed anywhere. */
static bool is_free_root(const pn_planner *p, uint32_t b) {
  const pn_buffer *buffer = &p->buffers.data[b];
  return buffer->alias == b && buffer->kind == PN_PLACE_ARENA && !is_output(p, buffer->value) && buffer->first_step != NONE;
}

static void elide_concat(pn_planner *p, uint32_t s) {
  pn_emitted *e = &p->emitted.data[s];
  const pn_problem_node *node = &e->problem->nodes[0];
  const pn_operand *out = pn_problem_output(e->problem, 0, 0);
  if (!one_piece(out, ((const pn_attrs_concat *)node->attrs)->axis)) return;
  for (uint32_t i = 0; i < node->input_count; i++) {
    uint32_t b = e->buffers[node->inputs[i]];
    if (b == NONE || !is_free_root(p, b) || e->problem->operands[node->inputs[i]].layout != out->layout) return;
    for (uint32_t k = 0; k < i; k++)
      if (e->buffers[node->inputs[k]] == b) return; /* the same operand twice needs two copies */
  }
  uint32_t into = e->buffers[node->outputs[0]];
  size_t offset = 0;
  for (uint32_t i = 0; i < node->input_count; i++) {
    uint32_t b = e->buffers[node->inputs[i]];
    merge(p, b, into, offset);
    offset += p->buffers.data[b].bytes;
  }
  e->removed = true;
}

static void elide_split(pn_planner *p, uint32_t s) {
  pn_emitted *e = &p->emitted.data[s];
  const pn_problem_node *node = &e->problem->nodes[0];
  const pn_operand *in = pn_problem_input(e->problem, 0, 0);
  uint32_t source = e->buffers[node->inputs[0]];
  if (source == NONE || !one_piece(in, ((const pn_attrs_split *)node->attrs)->axis)) return;
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] == PN_NO_OPERAND || e->problem->operands[node->outputs[i]].layout != in->layout ||
        !is_free_root(p, e->buffers[node->outputs[i]]))
      return;
  size_t offset = 0;
  for (uint32_t i = 0; i < node->output_count; i++) {
    pn_buffer *part = &p->buffers.data[e->buffers[node->outputs[i]]];
    const pn_buffer *whole = &p->buffers.data[source];
    part->kind = whole->kind;
    part->index = whole->index;
    part->data = whole->data ? (const char *)whole->data + offset : NULL;
    merge(p, e->buffers[node->outputs[i]], source, offset);
    offset += part->bytes;
  }
  e->removed = true;
}

/* True when nobody reads the block of root |r| after step |s|, save through |b| itself up to |s|. */
static bool dies_whole(const pn_planner *p, uint32_t b, uint32_t s) {
  size_t offset;
  uint32_t r = root_of(p, b, &offset);
  const pn_buffer *root = &p->buffers.data[r];
  return root->kind == PN_PLACE_ARENA && root->last_step == s && offset == 0 && root->bytes == p->buffers.data[b].bytes &&
         !is_output(p, root->value);
}

/* True when no other operand of |e| lies in the block of buffer |b|: it would be overwritten while it is read. */
static bool read_once(const pn_planner *p, const pn_emitted *e, uint32_t b) {
  uint32_t root = root_of(p, b, NULL), seen = 0;
  for (uint32_t i = 0; i < e->problem->operand_count; i++)
    if (e->problem->operands[i].role == PN_OPERAND_INPUT && e->buffers[i] != NONE) seen += root_of(p, e->buffers[i], NULL) == root;
  return seen == 1;
}

static void reuse_in_place(pn_planner *p, uint32_t s) {
  const pn_emitted *e = &p->emitted.data[s];
  const pn_problem_node *last = &e->problem->nodes[e->problem->node_count - 1];
  if (e->removed || !e->choice.tactic->in_place || last->output_count != 1) return;
  const pn_operand *out = &e->problem->operands[last->outputs[0]];
  uint32_t to = e->buffers[last->outputs[0]];
  if (!is_free_root(p, to)) return;
  for (uint32_t i = 0; i < e->problem->operand_count; i++) {
    const pn_operand *in = &e->problem->operands[i];
    if (in->role != PN_OPERAND_INPUT || in->dtype != out->dtype || in->layout != out->layout || in->rank != out->rank ||
        memcmp(in->dims, out->dims, sizeof in->dims[0] * in->rank) || !dies_whole(p, e->buffers[i], s) ||
        !read_once(p, e, e->buffers[i]))
      continue;
    merge(p, to, e->buffers[i], 0);
    return;
  }
}

static void use_caller_memory(pn_planner *p) {
  for (uint32_t i = 0; i < p->request->output_count; i++) {
    pn_buffer *b = &p->buffers.data[p->buffer_of[p->request->outputs[i].v * PN_LAYOUT_COUNT]];
    size_t offset;
    pn_buffer *root = &p->buffers.data[root_of(p, (uint32_t)(b - p->buffers.data), &offset)];
    if (root->kind != PN_PLACE_ARENA || offset || root->bytes != b->bytes) continue;
    root->kind = PN_PLACE_OUTPUT;
    root->index = i;
  }
}

static pelton_status assign_offsets(pn_planner *p) {
  uint32_t count = 0, placed = 0;
  uint32_t *order = PN_NEW_ARRAY(&p->scratch, uint32_t, p->buffers.count + 1);
  if (!order) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t b = 0; b < p->buffers.count; b++) {
    const pn_buffer *buffer = &p->buffers.data[b];
    if (buffer->alias != b || buffer->kind != PN_PLACE_ARENA || buffer->first_step == NONE) continue;
    uint32_t k = count++;
    for (; k > 0 && p->buffers.data[order[k - 1]].bytes < buffer->bytes; k--) order[k] = order[k - 1];
    order[k] = b;
  }
  for (; placed < count; placed++) {
    pn_buffer *buffer = &p->buffers.data[order[placed]];
    bool moved = true;
    buffer->offset = 0;
    while (moved) { /* slides over every block that lives at the same time and overlaps */
      moved = false;
      for (uint32_t k = 0; k < placed; k++) {
        const pn_buffer *other = &p->buffers.data[order[k]];
        bool together = buffer->first_step <= other->last_step && other->first_step <= buffer->last_step;
        bool overlap = buffer->offset < other->offset + other->bytes && other->offset < buffer->offset + buffer->bytes;
        if (!together || !overlap) continue;
        buffer->offset = pn_align_up(other->offset + other->bytes, ALIGN);
        moved = true;
      }
    }
    size_t end = pn_align_up(buffer->offset + buffer->bytes, ALIGN);
    if (end > p->plan->arena_bytes) p->plan->arena_bytes = end;
  }
  return PELTON_OK;
}

pelton_status pn_planner_memory(pn_planner *p) {
  find_lifetimes(p);
  for (uint32_t s = 0; s < p->emitted.count; s++) {
    if (p->emitted.data[s].problem->node_count != 1) continue;
    pn_op op = p->emitted.data[s].problem->nodes[0].op;
    if (op == PN_OP_CONCAT) elide_concat(p, s);
    if (op == PN_OP_SPLIT) elide_split(p, s);
  }
  for (uint32_t s = 0; s < p->emitted.count; s++) reuse_in_place(p, s);
  use_caller_memory(p);
  return assign_offsets(p);
}
