#include "targets/cpu/copy.h"

#include "base/bytes.h"

enum {
  RUN_BYTES = 1 << 16,     /* a long run is cut, so that threads can share it */
  SHORT_RUN_BYTES = 256,
  BLOCK_BYTES = 64 * 32 * 4 /* of a transposed block: both sides lie in L1 */
};

/* ---- planning ---------------------------------------------------------------------------------------------------- */

/* A run of 2, 4 or 8 bytes whose every move is a multiple of it becomes one element: pairs of a last axis (boxes, the
   two scores of a class) are then moved by one loop instead of a call each. */
static void widen_elements(pn_move *move) {
  uint32_t last = move->rank - 1;
  int64_t n = move->dims[last], bytes = n * move->element_bytes;
  if (!last || (bytes != 2 && bytes != 4 && bytes != 8) || n == 1) return;
  if (move->to[last] != 1 || move->from[last] != 1) return;
  if (move->to_offset % n || move->from_offset % n) return;
  for (uint32_t d = 0; d < last; d++)
    if (move->to[d] % n || move->from[d] % n) return;
  move->element_bytes = (uint32_t)bytes;
  move->to_offset /= n;
  move->from_offset /= n;
  for (uint32_t d = 0; d < last; d++) {
    move->to[d] /= n;
    move->from[d] /= n;
  }
  move->rank = last;
}

void pn_copy_plan(pn_copy *c, const pn_device *device) {
  c->transpose = device->transpose;
  c->transpose_typed = pn_cpu_transpose_typed_best(device->isa);
  for (uint32_t d = 0; d < c->move.rank; d++)
    if (c->move.dims[d] <= 0) {
      c->parts = 0;
      return;
    }
  pn_move_normalize(&c->move);
  widen_elements(&c->move);
  uint32_t last = c->move.rank - 1, across = last;
  c->kind = c->move.to[last] == 1 && c->move.from[last] == 1 ? PN_COPY_RUNS : PN_COPY_ELEMENTS;
  for (uint32_t d = 0; d < last; d++)
    if (c->move.from[d] == 1) across = d;
  if (c->kind == PN_COPY_ELEMENTS && c->move.to[last] == 1 && c->move.from[last] != 0 && across != last) {
    c->kind = PN_COPY_BLOCKS;
    pn_move_axis_to(&c->move, across, last - 1);
  }
  c->outer = c->kind == PN_COPY_BLOCKS ? c->move.rank - 2 : c->move.rank - 1;
  c->row_blocks = c->row_block = 1;
  c->column_block = RUN_BYTES / c->move.element_bytes;
  if (c->kind == PN_COPY_BLOCKS) { /* rows run along the source, so a column of the block is a run of the destination */
    int64_t rows = c->move.dims[last], columns = c->move.dims[last - 1], most = BLOCK_BYTES / c->move.element_bytes;
    c->column_block = pn_min_i64(columns, 64);
    c->row_block = pn_min_i64(rows, most / c->column_block);
    c->column_block = pn_min_i64(columns, most / c->row_block);
    c->row_blocks = pn_div_up(rows, c->row_block);
    c->column_blocks = pn_div_up(columns, c->column_block);
  } else {
    c->column_blocks = pn_div_up(c->move.dims[last], c->column_block);
  }
  c->units = c->row_blocks * c->column_blocks;
  for (uint32_t d = 0; d < c->outer; d++) c->units *= c->move.dims[d];
  double bytes = 2 * c->move.element_bytes;
  for (uint32_t d = 0; d < c->move.rank; d++) bytes *= (double)c->move.dims[d];
  c->parts = pn_cpu_parts(device, c->units, bytes);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

typedef struct job {
  const pn_copy *copy;
  char *to;
  const char *from;
  uint32_t parts;
} job;

#define ELEMENT_COPY(type)                                                                                             \
  static void elements_##type(int64_t n, type *to, int64_t to_stride, const type *from, int64_t from_stride) {         \
    type value = *from;                                                                                                \
    if (from_stride != 0)                                                                                              \
      for (int64_t i = 0; i < n; i++) to[i * to_stride] = from[i * from_stride];                                       \
    else if (to_stride == 1)                                                                                           \
      for (int64_t i = 0; i < n; i++) to[i] = value;                                                                   \
    else                                                                                                               \
      for (int64_t i = 0; i < n; i++) to[i * to_stride] = value;                                                       \
  }
ELEMENT_COPY(uint8_t)
ELEMENT_COPY(uint16_t)
ELEMENT_COPY(uint32_t)
ELEMENT_COPY(uint64_t)

static void copy_elements(const pn_copy *c, int64_t n, void *to, const void *from) {
  int64_t to_stride = c->move.to[c->move.rank - 1], from_stride = c->move.from[c->move.rank - 1];
  switch (c->move.element_bytes) {
  case 1: elements_uint8_t(n, to, to_stride, from, from_stride); return;
  case 2: elements_uint16_t(n, to, to_stride, from, from_stride); return;
  case 4: elements_uint32_t(n, to, to_stride, from, from_stride); return;
  default: elements_uint64_t(n, to, to_stride, from, from_stride); return;
  }
}

static void copy_block(const pn_copy *c, int64_t rows, int64_t columns, void *to, const void *from) {
  int64_t to_stride = c->move.to[c->move.rank - 2], from_stride = c->move.from[c->move.rank - 1];
  bool few = (rows < 4 && to_stride == rows) || (columns < 4 && from_stride == columns);
  pn_cpu_transpose_typed_fn *const *typed = c->transpose_typed->transpose;
  switch (c->move.element_bytes) {
  case 1: typed[0](from, from_stride, (size_t)rows, (size_t)columns, to, to_stride); return;
  case 2: typed[1](from, from_stride, (size_t)rows, (size_t)columns, to, to_stride); return;
  case 4:
    if (few)
      typed[2](from, from_stride, (size_t)rows, (size_t)columns, to, to_stride);
    else
      c->transpose->transpose(from, from_stride, (size_t)rows, (size_t)columns, to, to_stride);
    return;
  default: typed[3](from, from_stride, (size_t)rows, (size_t)columns, to, to_stride); return;
  }
}

/* One piece of the innermost axes, which begin at |to| and |from|. */
static void copy_piece(const pn_copy *c, int64_t piece, char *to, const char *from) {
  int64_t bytes = c->move.element_bytes;
  uint32_t last = c->move.rank - 1;
  if (c->kind == PN_COPY_BLOCKS) {
    int64_t row = piece / c->column_blocks * c->row_block, column = piece % c->column_blocks * c->column_block;
    int64_t rows = pn_min_i64(c->row_block, c->move.dims[last] - row),
            columns = pn_min_i64(c->column_block, c->move.dims[last - 1] - column);
    copy_block(c, rows, columns, to + (row + column * c->move.to[last - 1]) * bytes,
               from + (row * c->move.from[last] + column) * bytes);
    return;
  }
  int64_t begin = piece * c->column_block, n = pn_min_i64(c->column_block, c->move.dims[last] - begin);
  to += begin * c->move.to[last] * bytes;
  from += begin * c->move.from[last] * bytes;
  if (c->kind == PN_COPY_RUNS)
    memcpy(to, from, (size_t)(n * bytes));
  else
    copy_elements(c, n, to, from);
}

/* |count| short runs of |bytes|, so far apart. */
static void copy_runs(int64_t count, size_t bytes, char *to, int64_t to_step, const char *from, int64_t from_step) {
  for (int64_t i = 0; i < count; i++) {
    char *t = to + i * to_step;
    const char *f = from + i * from_step;
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16) memcpy(t + at, f + at, 16);
    if (bytes & 8) memcpy(t + at, f + at, 8), at += 8;
    if (bytes & 4) memcpy(t + at, f + at, 4), at += 4;
    for (; at < bytes; at++) t[at] = f[at];
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const pn_copy *c = j->copy;
  int64_t unit, end, index[PN_MOVE_RANK], to = c->move.to_offset, from = c->move.from_offset,
                                          pieces = c->row_blocks * c->column_blocks;
  (void)thread;
  pn_cpu_share(c->units, 1, part, j->parts, &unit, &end);
  int64_t left = unit / pieces, piece = unit % pieces;
  for (uint32_t d = c->outer; d-- > 0;) {
    index[d] = left % c->move.dims[d];
    left /= c->move.dims[d];
    to += index[d] * c->move.to[d];
    from += index[d] * c->move.from[d];
  }
  uint32_t inner = c->outer - 1; /* valid when there is one */
  bool runs = c->kind == PN_COPY_RUNS && c->outer && pieces == 1;
  int64_t bytes = c->move.element_bytes, run = c->move.dims[c->move.rank - 1] * bytes;
  runs = runs && run <= SHORT_RUN_BYTES;
  for (; unit < end; unit++) {
    if (runs) { /* all of the axis around them at once, but the last, after which the others move on */
      int64_t count = pn_min_i64(end - unit, c->move.dims[inner] - index[inner]) - 1;
      copy_runs(count, (size_t)run, j->to + to * bytes, c->move.to[inner] * bytes, j->from + from * bytes,
                c->move.from[inner] * bytes);
      unit += count;
      index[inner] += count;
      to += count * c->move.to[inner];
      from += count * c->move.from[inner];
    }
    copy_piece(c, piece, j->to + to * c->move.element_bytes, j->from + from * c->move.element_bytes);
    if (++piece < pieces) continue;
    piece = 0;
    for (uint32_t d = c->outer; d-- > 0;) {
      to += c->move.to[d];
      from += c->move.from[d];
      if (++index[d] < c->move.dims[d]) break;
      to -= c->move.to[d] * c->move.dims[d];
      from -= c->move.from[d] * c->move.dims[d];
      index[d] = 0;
    }
  }
}

void pn_copy_run(const pn_copy *c, pn_pool *pool, void *to, const void *from) {
  job j = {c, to, from, c->parts};
  if (c->parts) pn_pool_run(pool, c->parts, task, &j);
}
