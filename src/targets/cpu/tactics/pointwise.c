/* Pointwise expressions over f32 and bool: axes that all operands walk alike are merged, the innermost is cut into runs
   that lie in L1, and each run goes through the whole program before the next: every operand is read once from memory
   whatever the length of the expression. */
#include "targets/cpu/program.h"
#include "target/strides.h"

typedef struct state {
  pn_program program;
  const pn_cpu_vec_f32 *vec;
  uint32_t operand_count;
  uint32_t axes;                                        /* outer ones, then the run */
  int64_t dims[PN_MAX_RANK];                            /* merged, in storage order */
  int64_t strides[PN_EXPR_MAX_INPUTS + 1][PN_MAX_RANK]; /* in elements; the result's last */
  uint32_t element_bytes[PN_EXPR_MAX_INPUTS + 1];
  int64_t runs, run_length, run_parts; /* outer positions; a long innermost axis is cut further */
} state;

static const pn_operand *result_of(const pn_problem *p) { return pn_problem_output(p, 0, 0); }

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  int64_t strides[PN_MAX_RANK];
  (void)device;
  if (p->node_count != 1 || p->nodes[0].op != PN_OP_POINTWISE) return false;
  const pn_operand *out = result_of(p);
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    types[i] = o->dtype;
    if (!pn_operand_strides(o, out, strides)) return pn_refuse(why, "operand %u has more axes than the result", i);
    int64_t last = out->rank ? strides[out->rank - 1] : 0;
    if (last != 0 && last != 1)
      return pn_refuse(why, "operand %u is not contiguous along the result's innermost axis", i);
  }
  return pn_program_compile(((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr, types, NULL, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(result_of(p)) * 4, pn_cpu_operand_bytes(p), 0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * PN_PROGRAM_SCRATCH_BYTES;
}

/* Joins axis d into d - 1 where every operand's strides allow it; axes of extent 1 vanish. */
static void merge_axes(state *s, uint32_t rank) {
  s->axes = 0;
  for (uint32_t d = 0; d < rank; d++) {
    if (s->dims[d] == 1) continue;
    bool join = s->axes > 0;
    for (uint32_t o = 0; o <= s->operand_count && join; o++)
      join = s->strides[o][s->axes - 1] == s->strides[o][d] * s->dims[d];
    uint32_t to = join ? s->axes - 1 : s->axes++;
    s->dims[to] = join ? s->dims[to] * s->dims[d] : s->dims[d];
    for (uint32_t o = 0; o <= s->operand_count; o++) s->strides[o][to] = s->strides[o][d];
  }
  if (s->axes) return;
  s->axes = 1;
  s->dims[0] = 1;
  for (uint32_t o = 0; o <= s->operand_count; o++) s->strides[o][0] = 0;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  const pn_operand *out = result_of(p);
  (void)config;
  s->vec = device->vec;
  s->operand_count = p->nodes[0].input_count;
  for (uint32_t i = 0; i <= s->operand_count; i++) {
    const pn_operand *o = i < s->operand_count ? pn_problem_input(p, 0, i) : out;
    if (i < s->operand_count) types[i] = o->dtype;
    s->element_bytes[i] = (uint32_t)pelton_dtype_bytes(o->dtype);
    if (!pn_operand_strides(o, out, s->strides[i]))
      return PN_INTERNAL(diag, "pointwise operands changed after they were accepted");
  }
  if (!pn_program_compile(((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr, types, &s->program, NULL))
    return PN_INTERNAL(diag, "a pointwise expression changed after it was accepted");
  pn_layout_stored_dims(out->layout, out->rank, out->dims, s->dims);
  int64_t total = pn_operand_elements(out);
  merge_axes(s, out->rank);
  s->run_length = s->dims[s->axes - 1];
  s->run_parts = pn_div_up(s->run_length, PN_PROGRAM_RUN);
  s->runs = s->run_length ? total / s->run_length : 0;
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const pn_step *step;
  float *scratch;
  uint32_t parts;
} job;

static void run_one(const job *j, int64_t position, int64_t part, float *scratch) {
  const state *s = j->s;
  const pn_problem_node *node = &j->step->problem->nodes[0];
  pn_run_operand operands[PN_EXPR_MAX_INPUTS + 1];
  int64_t begin = part * PN_PROGRAM_RUN, n = pn_min_i64(PN_PROGRAM_RUN, s->run_length - begin);
  for (uint32_t o = 0; o <= s->operand_count; o++) {
    uint16_t index = o < s->operand_count ? node->inputs[o] : node->outputs[0];
    int64_t offset = begin * s->strides[o][s->axes - 1], left = position;
    for (uint32_t d = s->axes - 1; d-- > 0;) {
      offset += left % s->dims[d] * s->strides[o][d];
      left /= s->dims[d];
    }
    operands[o] = (pn_run_operand){(const char *)j->step->operands[index] + offset * s->element_bytes[o],
                                   (uint32_t)s->strides[o][s->axes - 1]};
  }
  pn_program_run(&s->program, s->vec, operands, (size_t)n, (void *)(uintptr_t)operands[s->operand_count].data, scratch);
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  int64_t begin, end;
  pn_cpu_share(j->s->runs * j->s->run_parts, 1, index, j->parts, &begin, &end);
  for (int64_t i = begin; i < end; i++)
    run_one(j, i / j->s->run_parts, i % j->s->run_parts, j->scratch + (size_t)thread * (PN_PROGRAM_SCRATCH_BYTES / 4));
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  int64_t work = s->runs * s->run_length;
  uint32_t parts = work * (int64_t)s->program.step_count < 16384 ? 1 : stream->device->threads * 4;
  job j = {s, step, step->workspace, parts};
  pn_pool_run(stream->device->pool, parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_pointwise = {
    .name = "cpu.pointwise",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
