/* Convolutions of bytes into int32, as a matrix product: the filters are rows of int16 less their zero points, made
   when the engine is built; the pixels under a run of outputs are gathered, a row for each element of the filter, with
   the input's zero point where the window leaves the input, and packed into a panel. */
#include "base/bytes.h"
#include "op/linear/window.h"
#include "targets/cpu/cpu.h"

enum { MOST_COLUMNS = 64 };

typedef struct state {
  const pn_cpu_gemm_i16 *gemm;
  pn_window y, x;
  int64_t batch, groups, channels, outputs; /* of a group */
  int64_t depth, pairs, pixels, panels;
  bool x_signed, w_signed, w_packed;
  int64_t w_zeros;
  uint32_t parts;
  size_t filter_bytes, gathered_bytes, panel_bytes; /* the last two a thread */
} state;

static bool is_byte(const pn_operand *o) { return o->dtype == PELTON_DTYPE_I8 || o->dtype == PELTON_DTYPE_U8; }

/* One spatial axis is a picture of one row. */
static bool windows_of(const pn_problem *p, pn_window *y, pn_window *x) {
  const pn_attrs_conv_integer *attrs = p->nodes[0].attrs;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  pn_window_spec spec = PN_WINDOW_SPEC(attrs);
  pn_window found[2];
  uint32_t axes = in->rank - 2;
  if (in->rank < 3 || in->rank > 4 ||
      pn_window_resolve(NULL, "conv_integer", &spec, axes, in->dims + 2, w->dims + 2, found))
    return false;
  *y = axes == 2 ? found[0] : (pn_window){.input = 1, .kernel = 1, .stride = 1, .dilation = 1, .output = 1};
  *x = found[axes - 1];
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window y, x;
  (void)device;
  if (!pn_accepts_one(p, PN_OP_CONV_INTEGER, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!is_byte(pn_problem_input(p, 0, 0)) || !is_byte(pn_problem_input(p, 0, 1))) return pn_refuse(why, "bytes only");
  if (!windows_of(p, &y, &x)) return pn_refuse(why, "one or two spatial axes");
  return (pn_operand_elements(pn_problem_output(p, 0, 0)) > 0 && pn_operand_elements(pn_problem_input(p, 0, 1)) > 0) ||
         pn_refuse(why, "nothing to compute");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  (void)config;
  return pn_cpu_estimate(device,
                         (double)pn_operand_elements(pn_problem_output(p, 0, 0)) *
                             (double)(pn_operand_elements(w) / w->dims[0]),
                         pn_cpu_operand_bytes(p), 0.3);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_conv_integer *attrs = p->nodes[0].attrs;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *zero = pn_problem_input(p, 0, 3);
  s->gemm = pn_cpu_gemm_i16_best(device->isa);
  (void)windows_of(p, &s->y, &s->x);
  s->batch = in->dims[0];
  s->groups = attrs->group;
  s->channels = w->dims[1];
  s->outputs = w->dims[0] / s->groups;
  s->depth = s->channels * s->y.kernel * s->x.kernel;
  s->pairs = pn_div_up(s->depth, 2);
  s->pixels = s->y.output * s->x.output;
  s->panels = pn_div_up(s->pixels, s->gemm->nr);
  s->x_signed = in->dtype == PELTON_DTYPE_I8;
  s->w_signed = w->dtype == PELTON_DTYPE_I8;
  s->w_zeros = zero ? pn_operand_elements(zero) : 0;
  s->w_packed = w->role == PN_OPERAND_CONSTANT && (!zero || zero->role == PN_OPERAND_CONSTANT);
  int64_t units = s->batch * s->groups * s->panels;
  s->parts = pn_cpu_parts(device, units, (double)(units * s->depth * s->outputs) * s->gemm->nr / 8);
  s->filter_bytes = pn_align_up((size_t)(w->dims[0] * s->pairs * 2) * sizeof(int16_t), 64);
  s->gathered_bytes = pn_align_up((size_t)s->depth * s->gemm->nr, 64);
  s->panel_bytes = pn_align_up((size_t)(s->pairs * 2) * s->gemm->nr * sizeof(int16_t), 64);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.w_packed ? s.filter_bytes : 0;
  out->workspace_bytes =
      (s.w_packed ? 0 : s.filter_bytes) + (s.gathered_bytes + s.panel_bytes) * (size_t)device->threads;
}

static int byte_at(const void *bytes, bool is_signed, int64_t i) {
  return is_signed ? ((const int8_t *)bytes)[i] : ((const uint8_t *)bytes)[i];
}

static void pack_filters(const state *s, const char *w, const void *zeros, int16_t *to) {
  for (int64_t o = 0; o < s->groups * s->outputs; o++, to += s->pairs * 2) {
    int zero = s->w_zeros ? byte_at(zeros, s->w_signed, s->w_zeros == 1 ? 0 : o) : 0;
    s->gemm->widen((size_t)s->depth, w + o * s->depth, s->w_signed, zero, to);
    if (s->depth % 2) to[s->depth] = 0;
  }
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  const pn_operand *zeros = pn_problem_input(p, 0, 3);
  (void)config;
  (void)diag;
  fill(p, device, &s);
  if (s.w_packed) pack_filters(&s, pn_problem_input(p, 0, 1)->data, zeros ? zeros->data : NULL, packed);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const uint8_t *x;
  const int16_t *filters;
  int x_zero;
  char *scratch;
  int32_t *c;
} job;

/* What lies under |columns| outputs from |first| on: a row of nr bytes for each element of the filter. */
static void gather(const job *j, const uint8_t *x, int64_t first, int64_t columns, uint8_t *to) {
  const state *s = j->s;
  int64_t top[MOST_COLUMNS], left[MOST_COLUMNS], nr = s->gemm->nr;
  for (int64_t p = 0; p < columns; p++) {
    top[p] = (first + p) / s->x.output * s->y.stride - s->y.pad_begin;
    left[p] = (first + p) % s->x.output * s->x.stride - s->x.pad_begin;
  }
  for (int64_t c = 0; c < s->channels; c++, x += s->y.input * s->x.input)
    for (int64_t i = 0; i < s->y.kernel; i++)
      for (int64_t k = 0; k < s->x.kernel; k++, to += nr) {
        int64_t down = i * s->y.dilation, right = k * s->x.dilation;
        for (int64_t p = 0; p < columns; p++) {
          int64_t row = top[p] + down, column = left[p] + right;
          bool inside = row >= 0 && row < s->y.input && column >= 0 && column < s->x.input;
          to[p] = inside ? x[row * s->x.input + column] : (uint8_t)j->x_zero;
        }
      }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, nr = s->gemm->nr, depth = s->pairs * 2, tiles = pn_div_up(s->outputs, s->gemm->mr_max);
  int16_t zeros[MOST_COLUMNS];
  uint8_t *gathered = (uint8_t *)j->scratch + (s->gathered_bytes + s->panel_bytes) * thread;
  int16_t *panel = (int16_t *)(void *)(gathered + s->gathered_bytes);
  for (int64_t i = 0; i < nr; i++) zeros[i] = (int16_t)j->x_zero;
  pn_cpu_share(s->batch * s->groups * s->panels, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t first = unit % s->panels * nr, columns = pn_min_i64(nr, s->pixels - first);
    int64_t picture = unit / s->panels; /* batch * groups + group */
    gather(j, j->x + picture * s->channels * s->y.input * s->x.input, first, columns, gathered);
    s->gemm->pack(gathered, s->x_signed, nr, (size_t)s->depth, (size_t)columns, zeros, panel);
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = s->outputs * t / tiles, count = s->outputs * (t + 1) / tiles - begin;
      pn_cpu_gemm_i16_tile tile = {.a = j->filters + (picture % s->groups * s->outputs + begin) * depth,
                                   .a_row_stride = depth,
                                   .pairs = (size_t)s->pairs,
                                   .b = panel,
                                   .c = j->c + (picture * s->outputs + begin) * s->pixels + first,
                                   .c_row_stride = s->pixels,
                                   .n = (size_t)columns};
      s->gemm->fns[count - 1](&tile);
    }
  }
}

static const void *input_at(const pn_step *step, uint32_t i) {
  const pn_operand *o = pn_problem_input(step->problem, 0, i);
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const void *x_zero = input_at(step, 2);
  (void)diag;
  job j = {.s = s,
           .x = input_at(step, 0),
           .filters = step->packed,
           .x_zero = x_zero ? byte_at(x_zero, s->x_signed, 0) : 0,
           .scratch = step->workspace,
           .c = step->operands[step->problem->nodes[0].outputs[0]]};
  if (!s->w_packed) {
    int16_t *filters = step->workspace;
    pack_filters(s, input_at(step, 1), input_at(step, 3), filters);
    j.filters = filters;
    j.scratch += s->filter_bytes;
  }
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_integer = {
    .name = "cpu.conv_integer",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
