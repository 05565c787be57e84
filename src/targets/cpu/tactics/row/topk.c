/* The k greatest or least elements of an axis, in order, and where they stood, of any type that the machine has. An
   element becomes an unsigned key that orders it (order_typed), so that one way serves all types. NaN is greater than
   every number; of equal elements the first comes first.

   When k is a small part of the line, a bound is found first: the line is folded into some 4 k columns, of which each
   keeps its best key. Key number k among those is no better than key number k of the line, so that all that matter are
   at most that; and few others are. Both passes are vector loops. What is picked, or the whole line, is then sorted by
   its digits. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

enum {
  LINES = 16, /* of neighbours along the inner axes are brought together at once */
  SHORT = 32  /* so few are sorted as they are */
};

typedef struct state {
  void (*make_keys)(size_t n, const void *x, int falling, void *keys);
  const pn_cpu_order_width *order;
  bool largest;
  int64_t outer, extent, inner, inner_parts, k;
  size_t element_bytes, columns; /* 0: the whole line is sorted */
  size_t line_bytes, keys_bytes, entries_bytes, least_bytes, thread_bytes;
  uint32_t parts;
} state;

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = ((const pn_attrs_topk *)p->nodes[0].attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_input(p, 0, 0)->rank : axis);
}

/* How many, from the shape of a result. */
static int64_t count_of(const pn_problem *p) {
  const pn_operand *values = pn_problem_output(p, 0, 0);
  return (values ? values : pn_problem_output(p, 0, 1))->dims[axis_of(p)];
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_TOPK, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (pn_cpu_stored_form(x->dtype) == PN_CPU_FORM_COUNT)
    return pn_refuse(why, "elements of type %s", pelton_dtype_name(x->dtype));
  if (x->dims[axis_of(p)] >= UINT32_MAX) return pn_refuse(why, "more elements than 32 bits count");
  if (!pn_problem_input(p, 0, 1)->data) return pn_refuse(why, "k is not constant");
  if (!pn_problem_output(p, 0, 0) && !pn_problem_output(p, 0, 1)) return pn_refuse(why, "no result is wanted");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return count_of(p) > 0 || pn_refuse(why, "k is 0");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  double work = 2 * (double)pn_operand_elements(pn_problem_input(p, 0, 0));
  return pn_cpu_estimate(device, work, pn_cpu_operand_bytes(p), 0.05);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  const pn_cpu_order_typed *order = pn_cpu_order_typed_best(device->isa);
  uint32_t axis = axis_of(p);
  s->largest = ((const pn_attrs_topk *)p->nodes[0].attrs)->largest;
  s->outer = s->inner = 1;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= x->dims[i];
  s->extent = x->dims[axis];
  s->inner_parts = pn_div_up(s->inner, LINES);
  s->k = count_of(p);
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  s->order = s->element_bytes == 8 ? &order->wide : &order->narrow;
  s->make_keys = order->keys[pn_cpu_stored_form(x->dtype)];
  size_t n = (size_t)s->extent, k = (size_t)s->k;
  s->columns = pn_align_up(4 * k, 64);
  if (n <= SHORT || 2 * s->columns > n) s->columns = 3 * k <= n && n >= 64 ? pn_align_up(n / 2, 16) : 0;
  if (s->columns < k || n <= SHORT) s->columns = 0;
  s->line_bytes = s->inner == 1 ? 0 : pn_align_up(n * s->element_bytes, 64);
  s->keys_bytes = pn_align_up(n * s->order->key_bytes, 64);
  s->entries_bytes = pn_align_up((n + 1) * s->order->entry_bytes, 64);
  s->least_bytes = pn_align_up(s->columns * s->order->key_bytes, 64);
  s->thread_bytes = LINES * s->line_bytes + s->keys_bytes + 2 * s->entries_bytes + s->least_bytes +
                    pn_align_up(k * sizeof(int64_t), 64);
  s->parts = pn_cpu_parts(device, s->outer * s->inner_parts, 8 * pn_cpu_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.thread_bytes * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const char *x;
  char *values;     /* or null */
  int64_t *indices; /* or null */
  char *scratch;
} job;

/* Indices of the best k of |line| into |found|, the thread's |scratch| being what follows. */
static void select_best(const state *s, const void *line, char *scratch, int64_t *found) {
  const pn_cpu_order_width *order = s->order;
  size_t n = (size_t)s->extent, k = (size_t)s->k;
  char *keys = scratch, *entries = keys + s->keys_bytes, *spare = entries + s->entries_bytes,
       *least = spare + s->entries_bytes;
  uint64_t limit = UINT64_MAX;
  s->make_keys(n, line, s->largest, keys);
  if (s->columns) {
    order->least(n, keys, s->columns, least);
    limit = order->nth(s->columns, least, k - 1);
  }
  size_t count = order->pick(n, keys, limit, entries);
  order->indices(k, order->sort(count, entries, spare), found);
}

#define MOVES(type)                                                                                                    \
  static void gather_##type(int64_t n, const void *line, const int64_t *at, void *to, int64_t stride) {                \
    for (int64_t i = 0; i < n; i++) ((type *)to)[i * stride] = ((const type *)line)[at[i]];                            \
  }                                                                                                                    \
  static void join_##type(int64_t n, int64_t lines, const void *x, int64_t stride, void *to, size_t line_bytes) {      \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      for (int64_t l = 0; l < lines; l++)                                                                              \
        ((type *)(void *)((char *)to + (size_t)l * line_bytes))[i] = ((const type *)x)[i * stride + l];                \
  }
MOVES(uint8_t)
MOVES(uint16_t)
MOVES(uint32_t)
MOVES(uint64_t)
typedef void gather_fn(int64_t n, const void *line, const int64_t *at, void *to, int64_t stride);
typedef void join_fn(int64_t n, int64_t lines, const void *x, int64_t stride, void *to, size_t line_bytes);
static gather_fn *const gathers[9] = {[1] = gather_uint8_t, [2] = gather_uint16_t, [4] = gather_uint32_t, [8] = gather_uint64_t};
static join_fn *const joins[9] = {[1] = join_uint8_t, [2] = join_uint16_t, [4] = join_uint32_t, [8] = join_uint64_t};

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *lines = j->scratch + s->thread_bytes * thread, *rest = lines + LINES * s->line_bytes;
  int64_t *found = (int64_t *)(void *)(rest + s->keys_bytes + 2 * s->entries_bytes + s->least_bytes), unit, end;
  pn_cpu_share(s->outer * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t outer = unit / s->inner_parts, inner = unit % s->inner_parts * LINES,
            count = pn_min_i64(LINES, s->inner - inner);
    const char *x = j->x + (size_t)(outer * s->extent * s->inner + inner) * s->element_bytes;
    if (s->line_bytes) joins[s->element_bytes](s->extent, count, x, s->inner, lines, s->line_bytes);
    for (int64_t l = 0; l < count; l++) {
      const char *line = s->line_bytes ? lines + (size_t)l * s->line_bytes : x;
      int64_t to = outer * s->k * s->inner + inner + l;
      select_best(s, line, rest, found);
      if (j->values)
        gathers[s->element_bytes](s->k, line, found, j->values + (size_t)to * s->element_bytes, s->inner);
      for (int64_t i = 0; i < s->k && j->indices; i++) j->indices[to + i * s->inner] = found[i];
    }
  }
}

static void *data_of(const pn_step *step, const pn_operand *o) {
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = data_of(step, pn_problem_input(p, 0, 0)),
           .values = data_of(step, pn_problem_output(p, 0, 0)),
           .indices = data_of(step, pn_problem_output(p, 0, 1)),
           .scratch = step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_topk = {
    .name = "cpu.topk",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
