/* Where every buffer lies. First buffers are merged into blocks: views share their source's bytes, a concatenation's
   operands are written straight into its result where they lie there in one piece, the pieces of a split are views
   (both if every piece begins where the target's steps can read it), and a step may overwrite an operand that dies
   there. Then blocks that are a result of the plan get the caller's memory, and the others offsets in one arena:
   largest first, each at the lowest offset that is free during its life (greedy by size, after Pisarchyk and Lee,
   "Efficient Memory Management for Deep Neural Net Inference", 2020). */
#include "plan/planner.h"

#include <stdlib.h>

#define NONE UINT32_MAX
enum { ALIGN = 64 };

uint32_t pn_planner_root(const pn_planner *p, uint32_t b, size_t *offset) {
  pn_buffer *buffers = p->buffers.data;
  uint32_t root = b;
  size_t sum = 0;
  for (; buffers[root].alias != root; root = buffers[root].alias) sum += buffers[root].alias_offset;
  if (offset) *offset = sum;
  while (buffers[b].alias != b) { /* long chains of views and of steps in place are walked once */
    pn_buffer *one = &buffers[b];
    size_t rest = sum - one->alias_offset;
    b = one->alias;
    one->alias = root;
    one->alias_offset = sum;
    sum = rest;
  }
  return root;
}

static void touch(const pn_planner *p, uint32_t b, uint32_t step) { /* a use of a view is a use of what it lies in */
  pn_buffer *root = &p->buffers.data[pn_planner_root(p, b, NULL)];
  if (root->first_step == NONE || step < root->first_step) root->first_step = step;
  if (step > root->last_step) root->last_step = step;
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
    bool outside = o->layout == PN_LAYOUT_CHANNELS_LAST && rank >= 3 ? (axis == 1 ? d != 1
                                                                        : d == 0  ? axis != 0
                                                                                  : (d != 1 && d < axis))
                                                                     : d < axis;
    if (outside && o->dims[d] != 1) return false;
  }
  return true;
}

/* A block that only steps of this plan write: it may be placed anywhere. */
static bool is_free_root(const pn_planner *p, uint32_t b) {
  const pn_buffer *buffer = &p->buffers.data[b];
  return buffer->alias == b && buffer->kind == PN_PLACE_ARENA && !p->is_output[buffer->value.v] &&
         buffer->first_step != NONE;
}

/* Whether each of |count| parts behind each other, operands |parts| of |e|, begins where the target reads one. */
static bool parts_aligned(const pn_planner *p, const pn_emitted *e, const uint16_t *parts, uint32_t count) {
  const size_t alignment = p->options->target->part_alignment;
  size_t offset = 0;
  for (uint32_t i = 0; alignment && i < count; i++) {
    if (offset % alignment) return false;
    offset += p->buffers.data[e->buffers[parts[i]]].bytes;
  }
  return true;
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
  e->misaligned = !parts_aligned(p, e, node->inputs, node->input_count);
  if (e->misaligned) return;
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
  e->misaligned = !parts_aligned(p, e, node->outputs, node->output_count);
  if (e->misaligned) return;
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
  uint32_t r = pn_planner_root(p, b, &offset);
  const pn_buffer *root = &p->buffers.data[r];
  return root->kind == PN_PLACE_ARENA && root->last_step == s && offset == 0 &&
         root->bytes == p->buffers.data[b].bytes && !p->is_output[root->value.v];
}

/* True when no other operand of |e| lies in the block of buffer |b|: it would be overwritten while it is read. */
static bool read_once(const pn_planner *p, const pn_emitted *e, uint32_t b) {
  uint32_t root = pn_planner_root(p, b, NULL), seen = 0;
  for (uint32_t i = 0; i < e->problem->operand_count; i++)
    if (e->problem->operands[i].role == PN_OPERAND_INPUT && e->buffers[i] != NONE)
      seen += pn_planner_root(p, e->buffers[i], NULL) == root;
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
    pn_buffer *root = &p->buffers.data[pn_planner_root(p, (uint32_t)(b - p->buffers.data), &offset)];
    if (root->kind != PN_PLACE_ARENA || offset || root->bytes != b->bytes) continue;
    root->kind = PN_PLACE_OUTPUT;
    root->index = i;
  }
}

/* ---- offsets ----------------------------------------------------------------------------------------------------- */

typedef struct block {
  size_t offset, bytes;
  uint32_t first_step, last_step;
  uint32_t buffer;
} block;

static int by_size(const void *a, const void *b) {
  const block *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return x->buffer < y->buffer ? -1 : x->buffer > y->buffer;
}

/* Puts |one| among the |count| blocks that have a place, which are sorted by offset: most searches end at a low one,
   and a graph of ten thousand nodes is a walk through some hundred kilobytes a block at worst. */
static size_t place(block *placed, uint32_t count, block one) {
  uint32_t k = 0;
  for (; k < count && placed[k].offset < one.offset + one.bytes; k++) { /* slides over what lives at the same time */
    const block *other = &placed[k];
    bool together = one.first_step <= other->last_step && other->first_step <= one.last_step;
    if (together && one.offset < other->offset + other->bytes)
      one.offset = pn_align_up(other->offset + other->bytes, ALIGN);
  }
  while (k > 0 && placed[k - 1].offset > one.offset) k--;
  memmove(&placed[k + 1], &placed[k], sizeof one * (count - k));
  placed[k] = one;
  return one.offset;
}

static pelton_status assign_offsets(pn_planner *p) {
  uint32_t count = 0;
  block *largest = PN_NEW_ARRAY(&p->scratch, block, p->buffers.count + 1u);
  block *placed = PN_NEW_ARRAY(&p->scratch, block, p->buffers.count + 1u);
  if (!largest || !placed) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t b = 0; b < p->buffers.count; b++) {
    const pn_buffer *buffer = &p->buffers.data[b];
    if (buffer->alias == b && buffer->kind == PN_PLACE_ARENA && buffer->first_step != NONE)
      largest[count++] = (block){0, buffer->bytes, buffer->first_step, buffer->last_step, b};
  }
  qsort(largest, count, sizeof *largest, by_size);
  for (uint32_t i = 0; i < count; i++) {
    size_t offset = place(placed, i, largest[i]), end = pn_align_up(offset + largest[i].bytes, ALIGN);
    p->buffers.data[largest[i].buffer].offset = offset;
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
