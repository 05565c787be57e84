/* Convolutions in f32 of few channels behind each other, without what is between them in memory: the layers of
   super-resolution, and convolutions to few channels (kernels/conv_chain_f32.cu; chain.h says which chains). Sources
   are plain, or have one channel.

   Config: places beside each other in a block, and threads: 128 or 64; 0 is 128. */
#include "targets/cuda/chain.h"

#include <string.h>

enum { MOST_FEW_SUMS = 96, MOST_PRODUCTS = 8192 /* of a layer, which unroll */ };

typedef struct form {
  pn_chain chain;
  uint32_t places, rows, group, shared_bytes;
} form;

typedef struct state {
  pn_chain_launch launch;
  form form;
} state;

static uint32_t in_fours(int64_t n) { return (uint32_t)(pn_div_up(n, 4) * 4); }

/* Where the first operands come from. */
static bool choose_source(pn_chain *c, const pn_operand *x, pn_reason *why) {
  const pn_chain_layer *first = &c->layers[0];
  bool image = !first->few && first->inputs <= PN_CHAIN_IMAGE_CHANNELS;
  c->source = first->few ? PN_CHAIN_RAW : image ? PN_CHAIN_IMAGE : PN_CHAIN_WINDOW;
  return image || x->layout == PN_LAYOUT_PLAIN || x->dims[1] == 1 || pn_refuse(why, "wants a plain source");
}

static bool lay_out(pn_chain *c, pn_reason *why) {
  uint32_t words = 0, numbers = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    pn_chain_layer *l = &c->layers[i];
    uint32_t taps = (uint32_t)(l->y.kernel * l->x.kernel);
    l->columns = l->few ? (uint32_t)l->outputs : in_fours(l->outputs);
    uint32_t weights =
        l->few ? taps * (uint32_t)l->outputs * in_fours(l->inputs) : (uint32_t)l->inputs * taps * l->columns;
    if ((i || l->few) && weights > MOST_PRODUCTS) return pn_refuse(why, "too many weights for a thread");
    l->weights_at = words;
    l->numbers_at = numbers;
    words += weights;
    numbers += (1 + l->epilogue.operand_count) * l->columns;
  }
  c->weight_words = words;
  c->packed_words = (uint32_t)pn_align_up(words + numbers, 4);
  return c->packed_words * 4 <= PN_CHAIN_SHARED_BYTES || pn_refuse(why, "too many weights for shared memory");
}

static const pn_config all_configs[] = {{{128}}, {{64}}};

/* False when it does not fit. */
static bool set_config(form *f, const pn_device *device, const pn_config *config) {
  const pn_chain_layer *first = &f->chain.layers[0], *last = pn_chain_last(&f->chain);
  f->places = config->value[0] == 64 ? 64 : 128;
  uint32_t sums = 0, row = 0;
  if (!pn_chain_own_places(&f->chain, f->places)) return false;
  if (last->few) sums = (uint32_t)(last->y.stride * pn_chain_few_columns(last)) * f->places;
  if (f->chain.source == PN_CHAIN_IMAGE) row = (uint32_t)first->inputs * (f->places + (uint32_t)first->x.kernel - 1);
  return pn_chain_share(&f->chain, device, row, sums, &f->rows, &f->group, &f->shared_bytes);
}

static bool describe(const pn_problem *p, const pn_device *device, form *f, pn_reason *why) {
  memset(f, 0, sizeof *f);
  if (p->nodes[0].op != PN_OP_CONV && p->nodes[0].op != PN_OP_CONV_TRANSPOSE) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only, not %s", pelton_dtype_name(x->dtype));
  if (!pn_chain_read(p, &f->chain, MOST_FEW_SUMS, false, why) || !choose_source(&f->chain, x, why) ||
      !lay_out(&f->chain, why))
    return false;
  for (uint32_t i = 0; i < PN_COUNT(all_configs); i++)
    if (set_config(f, device, &all_configs[i])) return true;
  return pn_refuse(why, "too much for shared memory, or a last filter wider than a block");
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  form f;
  return describe(p, device, &f, why);
}

/* ---- costs ----------------------------------------------------------------------------------------------------------
 */

enum { WARPS_AT_ONCE = 12 }; /* on a multiprocessor */

/* Multiply-adds of a place. */
static double work_of(const pn_chain *c) {
  double all = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    const pn_chain_layer *l = &c->layers[i];
    double taps = (double)(l->y.kernel * l->x.kernel);
    all += l->few ? taps * (double)l->outputs * in_fours(l->inputs) : taps * (double)l->inputs * l->columns;
  }
  return all;
}

static int64_t blocks_at_once(const form *f) { return WARPS_AT_ONCE * 32 / f->places; }

/* Measured: a multiprocessor's four parts share the loads of weights, one for four multiply-adds, and wait for them. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  form f;
  double waited;
  if (!describe(p, device, &f, NULL) || !set_config(&f, device, config)) return 1;
  int64_t batch = pn_problem_input(p, 0, 0)->dims[0];
  (void)pn_chain_rows(&f.chain, device, f.places, blocks_at_once(&f), batch, &waited);
  double clock = device->fma_per_second / device->multiprocessors / 128;
  double arithmetic = waited * WARPS_AT_ONCE / 4 * (1.9 * work_of(&f.chain) + 100) / clock;
  double memory = pn_cuda_operand_bytes(p) / device->bytes_per_second * 1.15;
  return 4e-6 + (arithmetic > memory ? arithmetic : memory);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  form f;
  uint32_t count = 0;
  if (!describe(p, device, &f, NULL)) return 0;
  for (uint32_t i = 0; i < PN_COUNT(all_configs) && count < max; i++)
    if (set_config(&f, device, &all_configs[i])) out[count++] = all_configs[i];
  return count;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  form f;
  (void)config;
  out->state_bytes = sizeof(state);
  if (describe(p, device, &f, NULL)) out->packed_bytes = (size_t)f.chain.packed_words * 4;
}

/* ---- packing --------------------------------------------------------------------------------------------------------
 */

static float weight(const pn_chain_layer *l, int64_t out, int64_t in, int64_t y, int64_t x) {
  int64_t at = pn_chain_element(l, out, in, y, x);
  return at < 0 ? 0 : ((const float *)l->filter->data)[at];
}

static void pack_layer(const pn_chain_layer *l, float *to, float *numbers) {
  int64_t inputs = l->few ? in_fours(l->inputs) : l->inputs, outputs = l->columns;
  to += l->weights_at;
  if (l->few) {
    for (int64_t y = 0; y < l->y.kernel; y++)
      for (int64_t column = 0; column < pn_chain_few_columns(l); column++)
        for (int64_t in = 0; in < inputs; in++) *to++ = weight(l, column / l->x.kernel, in, y, column % l->x.kernel);
  } else {
    for (int64_t in = 0; in < inputs; in++)
      for (int64_t tap = 0; tap < l->y.kernel * l->x.kernel; tap++)
        for (int64_t out = 0; out < outputs; out++) *to++ = weight(l, out, in, tap / l->x.kernel, tap % l->x.kernel);
  }
  for (uint32_t k = 0; k < 1 + l->epilogue.operand_count; k++)
    for (int64_t m = 0; m < l->outputs; m++) {
      const pn_operand *o = pn_chain_operand(l, k);
      if (o) numbers[l->numbers_at + k * l->columns + m] = pn_chain_number(o, m);
    }
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  form f;
  (void)config;
  if (!describe(p, device, &f, NULL)) return PN_INTERNAL(diag, "a chain changed after it was accepted");
  memset(packed, 0, (size_t)f.chain.packed_words * 4);
  for (uint32_t i = 0; i < f.chain.count; i++)
    pack_layer(&f.chain.layers[i], packed, (float *)packed + f.chain.weight_words);
  return PELTON_OK;
}

/* ---- the kernel's text ----------------------------------------------------------------------------------------------
 */

static void render(form *f, pn_text *out) {
  const pn_chain_layer *last = pn_chain_last(&f->chain);
  uint32_t layers = f->chain.count - last->few;
  pn_text_printf(out,
                 "#define PLACES %u\n#define ROWS %u\n#define GROUP %u\n#define BLOCKS %d\n#define CHANNELS_UP %u\n"
                 "#define FEW_INPUTS_UP %u\n#include \"expression.cuh\"\n",
                 (unsigned)f->places, (unsigned)f->rows, (unsigned)f->group, (int)(256 / f->places),
                 (unsigned)in_fours(f->chain.layers[0].inputs), (unsigned)in_fours(last->inputs));
  pn_chain_render(&f->chain, out);
  if (layers)
    pn_text_printf(out,
                   "#define LAST_SUM sum_%u\n#define LAST_COLUMNS COLUMNS_%u\n#define LAST_OUTPUTS OUTPUTS_%u\n"
                   "#define FINISH_BEFORE finish_%u\n",
                   (unsigned)layers - 1, (unsigned)layers - 1, (unsigned)layers - 1, (unsigned)layers - 1);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  form *f = &s->form;
  pn_text head;
  if (!describe(p, device, f, NULL) || !set_config(f, device, config))
    return PN_INTERNAL(diag, "a chain changed after it was accepted");
  const pn_chain_blocks blocks = {f->places, f->shared_bytes, blocks_at_once(f), pn_problem_input(p, 0, 0)->dims[0]};
  pn_text_init(&head, device->allocator);
  render(f, &head);
  return pn_chain_prepare(&f->chain, device, &blocks, "conv_chain_f32", &head, &s->launch, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct conv_chain_arguments a = s->form.chain.arguments;
  pn_chain_bind(&s->form.chain, step, &a);
  a.weights = step->packed;
  return pn_cuda_launch_shared(stream, s->launch.function, s->launch.grid, s->form.places, s->form.shared_bytes, &a,
                               diag);
}

const pn_tactic pn_tactic_cuda_conv_chain_f32 = {
    .name = "cuda.conv_chain_f32",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
    .host_constants = true,
};
