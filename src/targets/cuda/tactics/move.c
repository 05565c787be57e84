/* Everything that only moves elements, of any type and between any layouts: transposition and its relatives, slices,
   splits, concatenation, padding, expansion, tiling. A move whose rows are contiguous on one side and columns
   on the other goes by tiles in shared memory, any other element by element in the target's order, or by 16 bytes where
   elements lie together on both sides. */
#include "target/movement.h"
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct one {
  pn_cu_function *function;
  bool turn;
  uint32_t grid[3];
  uint16_t to_operand, from_operand;
  int64_t to_offset, from_offset; /* bytes */
  struct move_arguments move;
  struct turn_arguments turned;
} one;

typedef struct state {
  uint32_t count;
  pn_cu_function *together; /* for all of the list at once; null: one after the other */
  one *list;
  const pelton_allocator *allocator; /* of the list */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  uint32_t count;
  (void)device;
  if (!pn_movement_describe(p, NULL, 0, &count, why)) return false;
  size_t bytes = pelton_dtype_bytes(pn_problem_input(p, 0, 0)->dtype);
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || pn_refuse(why, "elements of %zu bytes", bytes);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  uint32_t count = 1;
  (void)config;
  (void)pn_movement_describe(p, NULL, 0, &count, NULL);
  pn_op op = p->nodes[0].op;
  if ((op == PN_OP_CONCAT || op == PN_OP_SPLIT) && count <= MOST_TOGETHER) count = 1;
  return pn_cuda_estimate(device, 0, 1.5 * pn_cuda_operand_bytes(p), 1) + 2e-6 * count;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static const char *word_of(uint32_t bytes) {
  return bytes == 1 ? "u8" : bytes == 2 ? "u16" : bytes == 4 ? "u32" : "u64";
}

/* The axis along which the source is contiguous while the target's last axis is another; -1: none worth a tile. */
static int turned_axis(const pn_move *m) {
  uint32_t last = m->rank - 1;
  if (m->rank < 2 || m->to[last] != 1 || m->from[last] <= 1 || m->from_operand == PN_NO_OPERAND || m->dims[last] < 8)
    return -1;
  for (uint32_t d = 0; d < last; d++)
    if (m->from[d] == 1 && m->dims[d] >= 8) return (int)d;
  return -1;
}

/* Of a tile: as much as 8 KiB. */
static uint32_t turn_side(const pn_move *m) { return m->element_bytes < 4 ? 64 : 32; }

/* Elements that |dim| of them beside each other allow to be moved at once, when rows and batches are |row| and |batch|
   apart: 16 bytes at most. */
static int64_t together(const pn_move *m, uint32_t axis, int64_t dim, int64_t row, const int64_t *strides,
                        int64_t offset) {
  int64_t many = m->element_bytes < 8 ? 16 / (int64_t)m->element_bytes : 1, last = m->rank - 1;
  for (; many > 1; many /= 2) {
    bool all = dim % many == 0 && row % many == 0 && offset % many == 0;
    for (uint32_t d = 0; d < last && all; d++) all = d == axis || strides[d] % many == 0;
    if (all) break;
  }
  return many;
}

static pelton_status prepare_turn(const pn_device *device, const pn_move *m, uint32_t axis, one *o, pelton_diag *diag) {
  char head[160];
  uint32_t last = m->rank - 1, axes = 0, side = turn_side(m);
  struct turn_arguments *t = &o->turned;
  int64_t batches = 1, read = together(m, axis, m->dims[axis], m->from[last], m->from, m->from_offset),
          write = together(m, axis, m->dims[last], m->to[axis], m->to, m->to_offset);
  t->rows = (unsigned)m->dims[last]; /* rows run along the source */
  t->columns = (unsigned)m->dims[axis];
  t->source_row = (int)m->from[last];
  t->target_row = (int)m->to[axis];
  for (uint32_t d = 0; d < last; d++) {
    if (d == axis) continue;
    t->batch[axes] = pn_cuda_divider(m->dims[d]);
    t->batch_to[axes] = (int)m->to[d];
    t->batch_from[axes++] = (int)m->from[d];
    batches *= m->dims[d];
  }
  o->turn = true;
  o->grid[0] = (uint32_t)pn_div_up(t->columns, side);
  o->grid[1] = (uint32_t)pn_div_up(t->rows, side);
  o->grid[2] = (uint32_t)batches;
  (void)snprintf(head, sizeof head,
                 "#define WORD %s\n#define AXES %u\n#define SIDE %u\n#define READ %d\n#define WRITE %d\n",
                 word_of(m->element_bytes), (unsigned)axes, (unsigned)side, (int)read, (int)write);
  pn_cuda_source source = {head, "turn.cu", "turn", false};
  return pn_cuda_function(device, &source, &o->function, diag);
}

/* Elements of |m| that make 16 bytes and lie together on both sides wherever it goes; 1: none do. */
static int64_t quad_of(const pn_move *m) {
  int64_t many = 16 / (int64_t)m->element_bytes;
  uint32_t last = m->rank - 1;
  bool source = m->from_operand != PN_NO_OPERAND;
  if (!m->rank || m->element_bytes < 2 || m->to[last] != 1 || m->dims[last] % many || m->to_offset % many ||
      (source && (m->from[last] != 1 || m->from_offset % many)))
    return 1;
  for (uint32_t d = 0; d < last; d++)
    if (m->to[d] % many || (source && m->from[d] % many)) return 1;
  return many;
}

static pelton_status prepare_move(const pn_device *device, const pn_move *m, one *o, pelton_diag *diag) {
  char head[128];
  int64_t count = 1, many = quad_of(m);
  for (uint32_t d = 0; d < m->rank; d++) {
    bool last = d + 1 == m->rank;
    int64_t dim = last ? m->dims[d] / many : m->dims[d];
    o->move.dims[d] = pn_cuda_divider(dim);
    o->move.to[d] = (int)(last ? m->to[d] : m->to[d] / many);
    o->move.from[d] = (int)(last ? m->from[d] : m->from[d] / many);
    count *= dim;
  }
  o->move.count = (unsigned)count;
  o->grid[0] = pn_cuda_blocks(device, count);
  o->grid[1] = o->grid[2] = 1;
  (void)snprintf(head, sizeof head, "#define WORD %s\n#define AXES %u\n#define QUADS %d\n#define TOGETHER 0\n",
                 word_of(m->element_bytes), (unsigned)m->rank, many > 1);
  pn_cuda_source source = {head, "move.cu", "move", false};
  return pn_cuda_function(device, &source, &o->function, diag);
}

static void normalize(pn_move *m) {
  for (uint32_t d = 0; d < m->rank; d++)
    if (m->dims[d] <= 0) return; /* nothing to do */
  pn_move_normalize(m);
}

/* Parts that are put beside each other, or taken apart: each for itself, and alike. Axes are filled up in front. */
static bool goes_together(const pn_problem *p, const pn_move *moves, uint32_t count, uint32_t *axes, bool *quads) {
  pn_op op = p->nodes[0].op;
  if ((op != PN_OP_CONCAT && op != PN_OP_SPLIT) || count < 2 || count > MOST_TOGETHER) return false;
  *axes = 1;
  *quads = true;
  for (uint32_t i = 0; i < count; i++) {
    const pn_move *m = &moves[i];
    for (uint32_t d = 0; d < m->rank; d++)
      if (m->dims[d] <= 0) return false;
    if (m->rank > MOST_TOGETHER_AXES || m->from_operand == PN_NO_OPERAND || turned_axis(m) >= 0) return false;
    if (m->rank > *axes) *axes = m->rank;
    *quads &= quad_of(m) > 1;
  }
  return true;
}

static pelton_status prepare_together(const pn_device *device, pn_move *moves, uint32_t axes, bool quads, state *s,
                                      pelton_diag *diag) {
  char head[128];
  for (uint32_t i = 0; i < s->count; i++) {
    const pn_move *m = &moves[i];
    one *o = &s->list[i];
    int64_t many = quads ? quad_of(m) : 1, count = 1;
    uint32_t added = axes - m->rank;
    for (uint32_t d = 0; d < axes; d++) {
      bool there = d >= added, last = d + 1 == axes;
      int64_t dim = there ? m->dims[d - added] / (last ? many : 1) : 1;
      o->move.dims[d] = pn_cuda_divider(dim);
      o->move.to[d] = there ? (int)(m->to[d - added] / (last ? 1 : many)) : 0;
      o->move.from[d] = there ? (int)(m->from[d - added] / (last ? 1 : many)) : 0;
      count *= dim;
    }
    o->move.count = (unsigned)count;
    o->to_operand = m->to_operand;
    o->from_operand = m->from_operand;
    o->to_offset = m->to_offset * m->element_bytes;
    o->from_offset = m->from_offset * m->element_bytes;
    o->grid[0] = pn_cuda_blocks(device, count);
  }
  (void)snprintf(head, sizeof head, "#define WORD %s\n#define AXES %u\n#define QUADS %d\n#define TOGETHER 1\n",
                 word_of(moves[0].element_bytes), (unsigned)axes, (int)quads);
  pn_cuda_source source = {head, "move.cu", "moves", false};
  return pn_cuda_function(device, &source, &s->together, diag);
}

static pelton_status prepare_one(const pn_device *device, pn_move *m, one *o, pelton_diag *diag) {
  for (uint32_t d = 0; d < m->rank; d++)
    if (m->dims[d] <= 0) return PELTON_OK; /* the function stays null: nothing to do */
  o->to_operand = m->to_operand;
  o->from_operand = m->from_operand;
  o->to_offset = m->to_offset * m->element_bytes;
  o->from_offset = m->from_offset * m->element_bytes;
  int axis = turned_axis(m);
  int64_t batches = 1;
  for (uint32_t d = 0; d + 1 < m->rank; d++)
    if ((int)d != axis) batches *= m->dims[d];
  int64_t row_blocks = pn_div_up(m->dims[m->rank - 1], turn_side(m));
  if (axis >= 0 && batches < 65536 && row_blocks < 65536) return prepare_turn(device, m, (uint32_t)axis, o, diag);
  return prepare_move(device, m, o, diag);
}

typedef PN_LIST(pn_move) move_list;

/* The moves in normal form, none of which goes further than 32-bit offsets reach. */
static pelton_status list_moves(const pn_problem *p, pn_arena *arena, move_list *out, pelton_diag *diag) {
  uint32_t count;
  if (!pn_movement_describe(p, NULL, 0, &count, NULL))
    return PN_INTERNAL(diag, "a movement changed after it was accepted");
  pn_move *moves = PN_NEW_ARRAY(arena, pn_move, count + 1u), rest;
  if (!moves) return pn_fail_memory(diag, "a movement");
  if (!pn_movement_describe(p, moves, sizeof *moves, &count, NULL))
    return PN_INTERNAL(diag, "a movement changed after it was accepted");
  for (uint32_t i = 0; i < count; i++) {
    uint32_t next = out->count;
    normalize(&moves[i]);
    if (!pn_list_push(arena, out, moves[i])) return pn_fail_memory(diag, "a movement");
    for (; next < out->count; next++) {
      while (pn_move_cut(&out->data[next], INT32_MAX, &rest))
        if (!pn_list_push(arena, out, rest)) return pn_fail_memory(diag, "a movement");
      normalize(&out->data[next]);
    }
  }
  return PELTON_OK;
}

static void release_state(void *memory) {
  state *s = memory;
  if (s->list) pn_release(s->allocator, s->list);
  s->list = NULL;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  move_list moves = {0};
  uint32_t axes;
  bool quads;
  (void)config;
  pn_arena scratch;
  pn_arena_init(&scratch, device->allocator);
  pelton_status status = list_moves(p, &scratch, &moves, diag);
  s->allocator = device->allocator;
  s->count = moves.count;
  if (!status && !(s->list = pn_alloc(s->allocator, (s->count + 1u) * sizeof(one), _Alignof(one))))
    status = pn_fail_memory(diag, "a movement");
  if (!status && goes_together(p, moves.data, s->count, &axes, &quads)) {
    status = prepare_together(device, moves.data, axes, quads, s, diag);
  } else {
    for (uint32_t i = 0; i < s->count && !status; i++) status = prepare_one(device, &moves.data[i], &s->list[i], diag);
  }
  pn_arena_deinit(&scratch);
  if (status) release_state(s);
  return status;
}

static pelton_status run_together(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct moves_arguments a = {.move = {{0}}};
  uint32_t grid[3] = {1, s->count, 1};
  for (uint32_t i = 0; i < s->count; i++) {
    const one *o = &s->list[i];
    a.move[i].count = o->move.count;
    memcpy(a.move[i].dims, o->move.dims, sizeof a.move[i].dims);
    memcpy(a.move[i].to, o->move.to, sizeof a.move[i].to);
    memcpy(a.move[i].from, o->move.from, sizeof a.move[i].from);
    a.move[i].target = (char *)step->operands[o->to_operand] + o->to_offset;
    a.move[i].source = (const char *)step->operands[o->from_operand] + o->from_offset;
    a.move[i].aligned = pn_cuda_aligned(a.move[i].target) && pn_cuda_aligned(a.move[i].source);
    if (o->grid[0] > grid[0]) grid[0] = o->grid[0];
  }
  return pn_cuda_launch(stream, s->together, grid[0], grid[1], grid[2], PN_CUDA_BLOCK, &a, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  if (s->together) return run_together(step, stream, diag);
  for (uint32_t i = 0; i < s->count; i++) {
    const one *o = &s->list[i];
    if (!o->function) continue;
    void *to = (char *)step->operands[o->to_operand] + o->to_offset;
    const void *from =
        o->from_operand == PN_NO_OPERAND ? NULL : (const char *)step->operands[o->from_operand] + o->from_offset;
    struct move_arguments move = o->move;
    struct turn_arguments turned = o->turned;
    move.target = turned.target = to;
    move.source = turned.source = from;
    move.aligned = pn_cuda_aligned(to) && pn_cuda_aligned(from);
    turned.aligned = pn_cuda_aligned(step->operands[o->to_operand]) &&
                     (o->from_operand == PN_NO_OPERAND || pn_cuda_aligned(step->operands[o->from_operand]));
    PN_TRY(pn_cuda_launch(stream, o->function, o->grid[0], o->grid[1], o->grid[2], PN_CUDA_BLOCK,
                          o->turn ? (const void *)&turned : (const void *)&move, diag));
  }
  return PELTON_OK;
}

const pn_tactic pn_tactic_cuda_move = {
    .name = "cuda.move",
    .version = 3,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .release_state = release_state,
    .run = run,
};
