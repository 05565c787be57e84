/* The k greatest or least elements of an axis in f32, in order, and where they stood. A heap holds the best so far, the
   worst of them on top, so that nearly every element is turned away by one comparison. NaN is greater than every
   number; of equal elements the first comes first. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

typedef struct entry {
  float value;
  int64_t index;
} entry;

typedef struct state {
  bool largest;
  int64_t outer, extent, inner, k;
  size_t heap_bytes; /* a thread */
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
  if (p->nodes[0].op != PN_OP_TOPK || p->node_count != 1) return pn_refuse(why, "topk alone");
  if (pn_problem_input(p, 0, 0)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
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
  uint32_t axis = axis_of(p);
  s->largest = ((const pn_attrs_topk *)p->nodes[0].attrs)->largest;
  s->outer = s->inner = 1;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= x->dims[i];
  s->extent = x->dims[axis];
  s->k = count_of(p);
  s->heap_bytes = pn_align_up((size_t)s->k * sizeof(entry), 64);
  s->parts = pn_cpu_parts(device, s->outer * s->inner, 8 * pn_cpu_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.heap_bytes * device->threads;
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
  const float *x;
  float *values;    /* or null */
  int64_t *indices; /* or null */
  char *heaps;
} job;

/* Whether |a| stands before |b| in the result, wherever both stood. */
static bool is_better(const state *s, float a, float b) {
  if (a != a || b != b) return s->largest ? a != a && b == b : a == a && b != b;
  return s->largest ? a > b : a < b;
}

static bool comes_before(const state *s, const entry *a, const entry *b) {
  return is_better(s, a->value, b->value) || (!is_better(s, b->value, a->value) && a->index < b->index);
}

/* Moves heap[at] down until no child comes after its parent. */
static void sift_down(const state *s, entry *heap, int64_t count, int64_t at) {
  for (;;) {
    int64_t last = at;
    for (int64_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
      if (comes_before(s, &heap[last], &heap[child])) last = child;
    if (last == at) return;
    entry moved = heap[at];
    heap[at] = heap[last];
    heap[last] = moved;
    at = last;
  }
}

static void select_best(const state *s, const float *x, entry *heap) {
  for (int64_t i = 0; i < s->k; i++) heap[i] = (entry){x[i * s->inner], i};
  for (int64_t i = s->k / 2; i-- > 0;) sift_down(s, heap, s->k, i);
  for (int64_t i = s->k; i < s->extent; i++) {
    float v = x[i * s->inner];
    if (!is_better(s, v, heap[0].value)) continue; /* of equal ones the earlier stays */
    heap[0] = (entry){v, i};
    sift_down(s, heap, s->k, 0);
  }
  for (int64_t count = s->k; count-- > 1;) { /* the last of those left goes behind them */
    entry last = heap[0];
    heap[0] = heap[count];
    heap[count] = last;
    sift_down(s, heap, count, 0);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  entry *heap = (entry *)(void *)(j->heaps + s->heap_bytes * thread);
  int64_t unit, end;
  pn_cpu_share(s->outer * s->inner, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t outer = unit / s->inner, inner = unit % s->inner, to = outer * s->k * s->inner + inner;
    select_best(s, j->x + outer * s->extent * s->inner + inner, heap);
    for (int64_t i = 0; i < s->k && j->values; i++) j->values[to + i * s->inner] = heap[i].value;
    for (int64_t i = 0; i < s->k && j->indices; i++) j->indices[to + i * s->inner] = heap[i].index;
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
           .heaps = step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_topk = {
    .name = "cpu.topk",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
