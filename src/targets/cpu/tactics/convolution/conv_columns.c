/* Convolutions in f32 of any rank in plain layout, with a filter and bias that may be computed by the network: the
   filter as it lies, [outputs][channels * taps], times the columns the window sees.

   The columns are made a block at a time (see columns.h), DEPTH rows by as many places as the second cache holds,
   packed as the product wants its second operand; so the result is plain as well, a row an output channel, and starts
   from its bias. Each element of a block serves every output channel of the group; what the copy costs is a store for
   so many multiply-adds. With three spatial axes there is no other way; with one or two it is for convolutions whose
   operand or result would have to change its layout for little work. */
#include "targets/cpu/convolution/columns.h"
#include "targets/cpu/product/gemm.h"

enum { DEPTH = 256, PITCH_ALIAS = 256, PITCH_PAD = 16, LEAST_PLACES = 64 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  pn_cpu_gemm_f32_width width;
  pn_columns columns;
  int64_t batch, groups, channels, outputs; /* of a group, the last two */
  int64_t depth, pitch;                     /* of the product; between the filter's rows */
  int64_t places_a_block, blocks;
  size_t filter_bytes, scratch_bytes; /* a copy of the filter with a better pitch; columns, a thread */
} state;

static bool is_plain(const pn_operand *o) {
  return !o || pn_layout_same(o->layout, PN_LAYOUT_PLAIN, o->rank, o->dims);
}

static bool windows_of(const pn_problem *p, pn_window *windows) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_attrs_conv *attrs = p->nodes[0].attrs;
  pn_window_spec spec = PN_WINDOW_SPEC(attrs);
  return pn_window_resolve(NULL, "conv", &spec, in->rank - 2, in->dims + 2, w->dims + 2, windows) == PELTON_OK;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  (void)device;
  if (!pn_accepts_one(p, PN_OP_CONV, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (!is_plain(&p->operands[i])) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  return windows_of(p, windows) || pn_refuse(why, "its window does not fit");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  pn_window windows[PN_MAX_RANK];
  (void)windows_of(p, windows); /* accepted before */
  pn_columns_init(&s->columns, in->rank - 2, windows, false);
  s->gemm = device->gemm;
  s->batch = in->dims[0];
  s->channels = w->dims[1];
  s->groups = in->dims[1] / s->channels;
  s->outputs = w->dims[0] / s->groups;
  s->depth = s->channels * s->columns.taps;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, s->outputs, s->columns.places);
  s->pitch = s->depth % PITCH_ALIAS ? s->depth : s->depth + PITCH_PAD;
  if (s->pitch != s->depth)
    s->filter_bytes = pn_align_up((size_t)(s->groups * s->outputs * s->pitch) * sizeof(float), 64);
  int64_t depth = pn_min_i64(s->depth, DEPTH), nr = s->width.nr, images = s->batch * s->groups;
  int64_t most = (int64_t)(device->l2_bytes / 2 / sizeof(float)) / depth, tasks = 2 * (int64_t)device->threads;
  if (device->threads > 1 && images < tasks) /* enough blocks to keep the threads busy, but no slivers */
    most = pn_min_i64(most, pn_max_i64(pn_div_up(s->columns.places * images, tasks), LEAST_PLACES));
  s->places_a_block = pn_max_i64(most / nr, 1) * nr;
  s->places_a_block = pn_min_i64(s->places_a_block, pn_div_up(s->columns.places, nr) * nr);
  s->blocks = pn_div_up(s->columns.places, s->places_a_block);
  s->scratch_bytes = pn_align_up((size_t)(s->places_a_block * depth) * sizeof(float), 64) +
                     pn_align_up(pn_columns_scratch(&s->columns) * sizeof(int64_t), 64);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double gathered = (double)(s.batch * s.groups) * (double)s.depth * (double)s.columns.places;
  double rows = (double)(s.outputs < 6 ? 6 : s.outputs),
         copy = s.columns.axis[s.columns.axes - 1].stride == 1 ? 16 : 48;
  double idle = pn_cpu_idle(device, s.batch * s.groups * s.blocks);
  double filters = 2 * (double)s.filter_bytes / device->bytes_per_second; /* copied by one thread */
  return pn_cpu_estimate(device, gathered * (rows + copy) * idle, pn_cpu_operand_bytes(p), 0.8) + filters;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.filter_bytes + (size_t)device->threads * s.scratch_bytes;
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
  const pn_cpu_vec_f32 *vec;
  const float *in, *w, *bias;
  float *out;
  char *scratch;
} job;

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t first = index % s->blocks * s->places_a_block, image = index / s->blocks, group = image % s->groups;
  int64_t last = pn_min_i64(first + s->places_a_block, s->columns.places);
  char *own = j->scratch + thread * s->scratch_bytes;
  int64_t *places = (int64_t *)(void *)own;
  float *b = (float *)(void *)(own + pn_align_up(pn_columns_scratch(&s->columns) * sizeof(int64_t), 64));
  float *out = j->out + image * s->outputs * s->columns.places + first;
  const float *in = j->in + image * s->channels * s->columns.picture;
  for (int64_t m = 0; j->bias && m < s->outputs; m++)
    j->vec->fill((size_t)(last - first), j->bias[group * s->outputs + m], out + m * s->columns.places);
  for (int64_t begin = 0; begin < s->depth; begin += DEPTH) {
    int64_t end = pn_min_i64(s->depth, begin + DEPTH);
    pn_columns_gather(&s->columns, in, begin, end, first, last, s->width.nr, places, b);
    pn_cpu_product product = {.a = j->w + group * s->outputs * s->pitch + begin,
                              .a_stride = s->pitch,
                              .rows = s->outputs,
                              .k = end - begin,
                              .b = b,
                              .n = last - first,
                              .c = out,
                              .c_stride = s->columns.places,
                              .add = begin || j->bias};
    pn_cpu_product_run(&s->width, &product);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .vec = stream->device->vec,
           .in = step->operands[node->inputs[0]],
           .w = step->operands[node->inputs[1]],
           .out = step->operands[node->outputs[0]],
           .scratch = (char *)step->workspace + s->filter_bytes};
  if (pn_problem_input(step->problem, 0, 2)) j.bias = step->operands[node->inputs[2]];
  if (s->filter_bytes) {
    s->gemm->copy_rows(j.w, s->depth, (size_t)(s->groups * s->outputs), (size_t)s->depth, step->workspace, s->pitch);
    j.w = step->workspace;
  }
  pn_pool_run(stream->device->pool, (uint32_t)(s->batch * s->groups * s->blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_columns = {
    .name = "cpu.conv_columns",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
