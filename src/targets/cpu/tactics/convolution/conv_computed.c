/* Convolutions in f32 whose filter or bias only the run knows: given as inputs, or computed by the network itself (from
   a style, by a normalisation, out of quantised numbers). It is what cpu.conv_direct does, with the packing done at
   each run, in the workspace: that reads the filter once, where each element is used for every pixel of the result. */
#include "targets/cpu/convolution/conv.h"

extern const pn_tactic pn_tactic_cpu_conv_direct;

enum { OPERANDS = 16 };

/* |p| as it would be with constants. */
typedef struct settled {
  pn_problem problem;
  pn_operand operands[OPERANDS];
} settled;

static bool is_late(const pn_operand *o) { return o && o->role == PN_OPERAND_INPUT; }

static bool lies_plain(const pn_operand *o) {
  return o->layout == PN_LAYOUT_PLAIN || pn_layout_same(PN_LAYOUT_PLAIN, o->layout, o->rank, o->dims);
}

static void settle(const pn_problem *p, settled *s) {
  s->problem = *p;
  s->problem.operands = s->operands;
  memcpy(s->operands, p->operands, sizeof *s->operands * p->operand_count);
  for (uint32_t i = 1; i < 3; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    if (!is_late(o)) continue;
    pn_operand *own = &s->operands[pn_operand_index(p, o)];
    own->role = PN_OPERAND_CONSTANT;
    own->layout = PN_LAYOUT_PLAIN;
  }
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  settled s;
  if (p->nodes[0].op != PN_OP_CONV) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *bias = pn_problem_input(p, 0, 2);
  if (!is_late(w) && !is_late(bias)) return pn_refuse(why, "filter and bias are constant");
  if (w == in || bias == in) return pn_refuse(why, "the picture is its own filter");
  if (p->operand_count > OPERANDS) return pn_refuse(why, "more than %d operands", OPERANDS);
  for (uint32_t k = 0; p->node_count > 1 && k < p->nodes[1].input_count; k++) {
    const pn_operand *o = pn_problem_input(p, 1, k);
    if (o && (o == w || o == bias)) return pn_refuse(why, "the expression reads the filter or the bias");
  }
  settle(p, &s);
  return pn_tactic_cpu_conv_direct.accepts(&s.problem, device, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  settled s;
  settle(p, &s);
  return pn_tactic_cpu_conv_direct.configs(&s.problem, device, out, max);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  settled s;
  settle(p, &s);
  double elements = (double)pn_operand_elements(pn_problem_input(p, 0, 1));
  return pn_tactic_cpu_conv_direct.estimate(&s.problem, device, config) + 2e-9 * elements;
}

/* ---- memory: what the convolution works in, its packed filter, and the filter in plain layout ----------------------
 */

static size_t plain_bytes(const pn_operand *w) { return lies_plain(w) ? 0 : pn_align_up(pn_operand_bytes(w), 64); }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  settled s;
  settle(p, &s);
  pn_tactic_cpu_conv_direct.sizes(&s.problem, device, config, out);
  out->workspace_bytes = pn_align_up(out->workspace_bytes, 64) + pn_align_up(out->packed_bytes, 64) +
                         plain_bytes(pn_problem_input(p, 0, 1));
  out->packed_bytes = 0;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *state,
                             pelton_diag *diag) {
  settled s;
  settle(p, &s);
  return pn_tactic_cpu_conv_direct.prepare(&s.problem, device, config, state, diag);
}

static void make_plain(const pn_operand *w, const float *from, float *to) {
  int64_t outputs = w->dims[0], channels = w->dims[1], taps = 1;
  for (uint32_t d = 2; d < w->rank; d++) taps *= w->dims[d];
  for (int64_t o = 0; o < outputs; o++, from += channels * taps)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t t = 0; t < taps; t++) *to++ = from[t * channels + c];
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const pn_device *device = stream->device;
  const pn_operand *w = pn_problem_input(p, 0, 1), *bias = pn_problem_input(p, 0, 2);
  settled s;
  pn_sizes direct = {0};
  settle(p, &s);
  pn_tactic_cpu_conv_direct.sizes(&s.problem, device, &step->config, &direct);
  char *packed = (char *)step->workspace + pn_align_up(direct.workspace_bytes, 64);
  float *plain = (float *)(void *)(packed + pn_align_up(direct.packed_bytes, 64));
  for (uint32_t i = 1; i < 3; i++) {
    const pn_operand *o = i == 1 ? w : bias;
    if (o) s.operands[pn_operand_index(p, o)].data = step->operands[pn_operand_index(p, o)];
  }
  if (is_late(w) && !lies_plain(w)) {
    make_plain(w, step->operands[pn_operand_index(p, w)], plain);
    s.operands[pn_operand_index(p, w)].data = plain;
  }
  PN_TRY(pn_tactic_cpu_conv_direct.pack(&s.problem, device, &step->config, packed, diag));
  pn_step inner = *step;
  inner.problem = &s.problem;
  inner.packed = packed;
  return pn_tactic_cpu_conv_direct.run(&inner, stream, diag);
}

const pn_tactic pn_tactic_cpu_conv_computed = {
    .name = "cpu.conv_computed",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
