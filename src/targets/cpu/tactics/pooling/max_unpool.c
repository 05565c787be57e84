/* Elements of any type put back where a maximum pooling took them, in plain layout. Of several that go to one place the
   last stays, as by definition: threads work on planes of their own while indices stay inside of those; as soon as one
   leaves its plane, one thread puts everything back in order. */
#include "targets/cpu/cpu.h"

#include <string.h>

typedef struct state {
  int64_t planes, from_plane, to_plane;
  size_t bytes; /* of an element */
  uint32_t parts;
} state;

/* The tensor that was pooled is the result, so that indices are places in it. */
static bool same_extents(const pn_problem *p) {
  const pn_attrs_max_unpool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  uint32_t axes = attrs->kernel.count;
  if (x->rank != axes + 2 || y->dims[0] != x->dims[0] || y->dims[1] != x->dims[1]) return false;
  for (uint32_t i = 0; i < axes; i++) {
    int64_t stride = i < attrs->strides.count ? attrs->strides.data[i] : 1;
    int64_t pads = i < attrs->pads.count ? attrs->pads.data[i] + attrs->pads.data[i + axes] : 0;
    if (y->dims[i + 2] != (x->dims[i + 2] - 1) * stride + attrs->kernel.data[i] - pads) return false;
  }
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_MAX_UNPOOL, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    if (!pn_layout_same(o->layout, PN_LAYOUT_PLAIN, o->rank, o->dims)) return pn_refuse(why, "plain layouts only");
  }
  if (indices->dtype != PELTON_DTYPE_I64) return pn_refuse(why, "indices of 64 bits only");
  uint32_t bits = pn_dtype_bits(x->dtype);
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return pn_refuse(why, "elements of 1, 2, 4 or 8 bytes only");
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  return same_extents(p) || pn_refuse(why, "another shape than what was pooled");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 0, pn_cpu_operand_bytes(p), 0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  state *s = memory;
  (void)config;
  (void)diag;
  s->planes = x->dims[0] * x->dims[1];
  s->from_plane = pn_operand_elements(x) / s->planes;
  s->to_plane = pn_operand_elements(y) / s->planes;
  s->bytes = pelton_dtype_bytes(x->dtype);
  s->parts = device->threads > 1 ? pn_cpu_parts(device, s->planes, pn_cpu_operand_bytes(p)) : 1;
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const int64_t *indices;
  const char *x;
  char *y;
  bool *left; /* a part each: an index was outside of its plane */
} job;

/* Puts |count| elements to places in [low, high); how many it did, all unless an index is outside. */
#define PUT_BACK(type)                                                                       \
  static int64_t put_##type(const int64_t *indices, int64_t count, const void *from, int64_t low, int64_t high, \
                            void *to) {                                                      \
    const type *x = from;                                                                    \
    type *y = to;                                                                            \
    for (int64_t i = 0; i < count; i++) {                                                    \
      if (indices[i] < low || indices[i] >= high) return i;                                  \
      y[indices[i]] = x[i];                                                                  \
    }                                                                                        \
    return count;                                                                            \
  }
PUT_BACK(uint8_t)
PUT_BACK(uint16_t)
PUT_BACK(uint32_t)
PUT_BACK(uint64_t)

/* Planes [begin, end); how many elements were put back before an index was outside. */
static int64_t put_planes(const job *j, int64_t begin, int64_t end) {
  const state *s = j->s;
  int64_t low = begin * s->to_plane, high = end * s->to_plane, count = (end - begin) * s->from_plane;
  const int64_t *indices = j->indices + begin * s->from_plane;
  const char *x = j->x + (size_t)(begin * s->from_plane) * s->bytes;
  memset(j->y + (size_t)low * s->bytes, 0, (size_t)(high - low) * s->bytes);
  switch (s->bytes) {
  case 1: return put_uint8_t(indices, count, x, low, high, j->y);
  case 2: return put_uint16_t(indices, count, x, low, high, j->y);
  case 4: return put_uint32_t(indices, count, x, low, high, j->y);
  default: return put_uint64_t(indices, count, x, low, high, j->y);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  int64_t begin, end;
  (void)thread;
  pn_cpu_share(j->s->planes, 1, part, j->s->parts, &begin, &end);
  j->left[part] = put_planes(j, begin, end) != (end - begin) * j->s->from_plane;
}

enum { MAX_PARTS = 1024 };

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  bool left[MAX_PARTS], any = s->parts <= 1 || s->parts > MAX_PARTS;
  job j = {s, step->operands[node->inputs[1]], step->operands[node->inputs[0]], step->operands[node->outputs[0]], left};
  if (!any) {
    pn_pool_run(stream->device->pool, s->parts, task, &j);
    for (uint32_t i = 0; i < s->parts; i++) any = any || left[i];
  }
  if (!any) return PELTON_OK;
  int64_t done = put_planes(&j, 0, s->planes);
  if (done == s->planes * s->from_plane) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "max_unpool: index %lld lies outside of the result",
                 (long long)j.indices[done]);
}

const pn_tactic pn_tactic_cpu_max_unpool = {
    .name = "cpu.max_unpool",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
