/* Attention in 16 bits on tensor cores, without its scores in memory (kernels/attention_tensor.cu). */
#include "targets/cuda/attention.h"

enum { MOST_TWO_BANDS = 64, BAND = 16 };

typedef struct state {
  pn_cu_function *function;
  unsigned warps, bands; /* of a block, and sixteens of queries of a warp */
  pn_cuda_attention form;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_cuda_attention f;
  if (!pn_cuda_attention_accepts(p, &f, why)) return false;
  return device->capability >= 80 || pn_refuse(why, "wants compute capability 8.0");
}

/* Sixteens of queries a warp, by value[0]: one, or two where there are registers for them. */
static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  pn_cuda_attention f;
  uint32_t count = 0;
  (void)device;
  if (!pn_cuda_attention_accepts(p, &f, NULL) || !max) return 0;
  out[count++] = (pn_config){{1}};
  if (max > 1 && f.depth <= MOST_TWO_BANDS && f.value_depth <= MOST_TWO_BANDS && f.arguments.queries > 64)
    out[count++] = (pn_config){{2}};
  return count;
}

/* 0.3 of the matrix rate at best; scores that are not plain cost arithmetic of their own. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cuda_attention f;
  if (!pn_cuda_attention_accepts(p, &f, NULL)) return 1;
  double scores = (double)f.batches * f.heads * (double)pn_align_up(f.arguments.queries, BAND) *
                  (double)pn_align_up(f.arguments.keys, BAND);
  double work = scores * (double)(f.depth + f.value_depth);
  double rate = 0.3 * device->half_fma_per_second / device->fma_per_second;
  if (f.arguments.right == 0) work /= 2;
  double seconds =
      pn_cuda_estimate(device, work / rate + (f.expression ? 20 : 4) * scores, pn_cuda_operand_bytes(p), 1) + 2e-6;
  return config->value[0] == 2 ? seconds * 1.02 : seconds;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_cuda_attention *f = &s->form;
  pn_text head;
  if (!pn_cuda_attention_accepts(p, f, NULL)) return PN_INTERNAL(diag, "an attention changed after it was accepted");
  s->bands = config->value[0] == 2 ? 2 : 1;
  s->warps = f->arguments.queries > 64 ? 8 / s->bands : 4; /* many queries share the keys that a block brings in */
  pn_text_init(&head, device->allocator);
  pn_cuda_attention_render(p, f, &head);
  pn_text_printf(&head, "#define WARPS %u\n#define BANDS %u\n", s->warps, s->bands);
  pn_cuda_source source = {head.data, "attention_tensor.cu", "attention_tensor", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_cuda_attention *f = &s->form;
  struct attention_tensor_arguments a = pn_cuda_attention_bind(f, step);
  a.vector =
      f->aligned && pn_cuda_aligned(a.q) && pn_cuda_aligned(a.k) && pn_cuda_aligned(a.v) && pn_cuda_aligned(a.target);
  return pn_cuda_launch(stream, s->function, (uint32_t)pn_div_up(a.queries, s->warps * s->bands * BAND), f->heads,
                        f->batches, s->warps * 32, &a, diag);
}

const pn_tactic pn_tactic_cuda_attention_tensor = {
    .name = "cuda.attention_tensor",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
