/* Convolutions in 16 bits of few channels behind each other, without what is between them in memory: the layers of
   super-resolution, on tensor cores (kernels/conv_chain.cu; chain.h says which chains). Expressions between them may
   read constants of a channel, the last one anything.

   Config: bands of sixteen places a warp (1, 2), whether the first layer's weights stay in registers, warps of a block;
   all zero is 1, 0, 8. */
#include "targets/cuda/chain.h"
#include "targets/cuda/wgmma.h"

#include <string.h>

enum {
  MOST_FEW_TILES = 20,  /* of sums in registers: rows of the last filter times eights of columns */
  MOST_FRAGMENTS = 160, /* of weights, in one layer: what unrolls */
  MOST_HELD = 56,
  MOST_IMAGE_STEPS = 16
};

typedef struct form {
  pn_chain chain;
  bool vector; /* results by fours */
  /* Of a config. */
  uint32_t bands, warps, rows, group, shared_bytes;
  bool held;
} form;

typedef struct state {
  pn_chain_launch launch;
  form form;
} state;

/* ---- the chain ------------------------------------------------------------------------------------------------------
 */

static bool choose_source(pn_chain *c, const pn_operand *x, pn_reason *why) {
  pn_chain_layer *first = &c->layers[0];
  int64_t pairs = first->inputs * first->y.kernel * pn_div_up(first->x.kernel, 2);
  if (!first->few && first->inputs <= PN_CHAIN_IMAGE_CHANNELS && pn_div_up(pairs, 8) <= MOST_IMAGE_STEPS) {
    c->source = PN_CHAIN_IMAGE;
    first->steps = (uint32_t)pn_div_up(pairs, 8);
    return true;
  }
  if (x->layout != PN_LAYOUT_CHANNELS_LAST || x->dims[1] % 4)
    return pn_refuse(why, "wants channels_last and a multiple of four channels");
  c->source = first->few ? PN_CHAIN_RAW : PN_CHAIN_WINDOW;
  first->steps = (uint32_t)(pn_div_up(first->inputs, 16) * (first->few ? 1 : first->y.kernel * first->x.kernel));
  return true;
}

/* Tiles, steps and places in what is packed. */
static bool lay_out(pn_chain *c, pn_reason *why) {
  uint32_t words = 0, numbers = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    pn_chain_layer *l = &c->layers[i];
    bool stored = i + 1 == c->count && !l->few;
    l->tiles = l->few ? (uint32_t)pn_div_up(pn_chain_few_columns(l), 8)
                      : (uint32_t)(stored ? 2 * pn_div_up(l->outputs, 16) : pn_div_up(l->outputs, 8));
    l->columns = l->tiles * 8;
    if (i) l->steps = (uint32_t)pn_div_up(l->inputs, 16);
    uint32_t fragments = l->steps * l->tiles * (l->few ? (uint32_t)l->y.kernel : 1);
    if (fragments > MOST_FRAGMENTS) return pn_refuse(why, "too many weights for a warp");
    l->weights_at = words;
    l->numbers_at = numbers;
    words += fragments * 64;
    numbers += (1 + l->epilogue.operand_count) * l->columns;
  }
  c->weight_words = words;
  c->packed_words = (uint32_t)pn_align_up(words + numbers, 4);
  return c->packed_words * 4 <= PN_CHAIN_SHARED_BYTES || pn_refuse(why, "too many weights for shared memory");
}

static uint32_t places_of(const form *f) { return f->warps * f->bands * 16; }

static const pn_config all_configs[] = {{{1, 1, 8}}, {{1, 0, 8}}, {{2, 0, 8}}, {{2, 0, 4}}, {{1, 0, 4}}};

/* What a config makes of it: false when it does not fit. */
static bool set_config(form *f, const pn_device *device, const pn_config *config) {
  const pn_chain_layer *first = &f->chain.layers[0], *last = pn_chain_last(&f->chain);
  f->bands = config->value[0] == 2 ? 2 : 1;
  f->held = config->value[1] == 1;
  f->warps = config->value[2] == 4 ? 4 : 8;
  uint32_t sums = 0, row = 0;
  if (!pn_chain_own_places(&f->chain, places_of(f))) return false;
  if (f->held && (f->chain.source != PN_CHAIN_IMAGE || first->steps * first->tiles > MOST_HELD)) return false;
  if (last->few) sums = (uint32_t)(last->y.stride * pn_chain_few_columns(last)) * (places_of(f) + 4);
  if (f->chain.source == PN_CHAIN_IMAGE) {
    uint32_t columns = places_of(f) + (uint32_t)first->x.kernel - 1;
    row = (uint32_t)first->inputs * 2 * (((columns + 3) / 2 + 7) / 16 * 16 + 8);
  }
  return pn_chain_share(&f->chain, device, row, sums, &f->rows, &f->group, &f->shared_bytes);
}

static bool describe(const pn_problem *p, const pn_device *device, form *f, pn_reason *why) {
  memset(f, 0, sizeof *f);
  if (p->nodes[0].op != PN_OP_CONV && p->nodes[0].op != PN_OP_CONV_TRANSPOSE) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  if (x->dtype != PELTON_DTYPE_F16 && x->dtype != PELTON_DTYPE_BF16)
    return pn_refuse(why, "16 bits only, not %s", pelton_dtype_name(x->dtype));
  if (!pn_chain_read(p, &f->chain, MOST_FEW_TILES, true, why) || !choose_source(&f->chain, x, why) ||
      !lay_out(&f->chain, why))
    return false;
  const pn_chain_layer *last = pn_chain_last(&f->chain);
  f->vector = !last->few && y->layout == PN_LAYOUT_CHANNELS_LAST && last->outputs % 4 == 0;
  for (uint32_t i = 0; i < PN_COUNT(all_configs); i++)
    if (set_config(f, device, &all_configs[i])) return true;
  return pn_refuse(why, "too much for shared memory, or a last filter wider than a block");
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  form f;
  if (!describe(p, device, &f, why)) return false;
  return device->capability >= 80 || pn_refuse(why, "wants compute capability 8.0");
}

/* ---- costs ----------------------------------------------------------------------------------------------------------
 */

static int64_t blocks_at_once(const form *f) { return f->bands == 1 && !f->held ? 2 : 1; }

/* Products of a band. */
static double products_of(const pn_chain *c) {
  double all = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    const pn_chain_layer *l = &c->layers[i];
    all += (double)l->steps * l->tiles * (l->few ? (double)l->y.kernel : 1);
  }
  return all;
}

/* Instructions of a band's expressions, and cycles of the first cache for what it reads. */
static double instructions_of(const pn_chain *c) {
  double all = 100;
  for (uint32_t i = 0; i < c->count; i++) {
    const pn_chain_layer *l = &c->layers[i];
    if (l->problem.node_count > 1 && !l->relu && !l->few) all += 4.0 * l->tiles * (2 + pn_wgmma_work(&l->problem));
  }
  return all;
}

static double reads_of(const pn_chain *c) {
  const pn_chain_layer *first = &c->layers[0];
  double lines = first->inputs < 64 ? 1 + (double)first->inputs / 8 : 9; /* of eight places */
  return c->source == PN_CHAIN_IMAGE ? 4.0 * first->steps : 2.0 * first->steps * lines;
}

/* A warp's product occupies a quarter of a multiprocessor for some seven cycles. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  form f;
  double waited;
  if (!describe(p, device, &f, NULL) || !set_config(&f, device, config)) return 1;
  int64_t batch = pn_problem_input(p, 0, 0)->dims[0], at_once = blocks_at_once(&f);
  (void)pn_chain_rows(&f.chain, device, places_of(&f), at_once, batch, &waited);
  double clock = device->fma_per_second / device->multiprocessors / 128, bands = (double)at_once * f.warps * f.bands;
  double row = bands / 4 * (products_of(&f.chain) * (f.held ? 7 : 8) + instructions_of(&f.chain)) +
               bands * reads_of(&f.chain) + 400;
  double arithmetic = waited * row / clock;
  double memory = pn_cuda_operand_bytes(p) / device->bytes_per_second * 1.15;
  return 4e-6 + (arithmetic > memory ? arithmetic : memory);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  form f;
  uint32_t count = 0;
  if (!describe(p, device, &f, NULL)) return 0;
  for (uint32_t i = 0; i < PN_COUNT(all_configs) && count < max; i++) {
    if (!set_config(&f, device, &all_configs[i])) continue;
    if (count && places_of(&f) > 64 && places_of(&f) >= 4 * f.chain.arguments.width) continue;
    out[count++] = all_configs[i];
  }
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

/* Of sixteen neighbours, in the order in which a thread's four lie together: see load_four. */
static int64_t dealt(int64_t i) { return i % 8 / 2 * 4 + i / 8 * 2 + i % 2; }

/* The channel that column |column| of layer |i| is; of the last one, where they are stored by fours. */
static int64_t channel_of(const pn_chain *c, uint32_t i, int64_t column) {
  bool stored = i + 1 == c->count && !c->layers[i].few;
  return stored ? column / 16 * 16 + dealt(column % 16) : column;
}

/* Row |k| of step |s|, column |column|, of layer |i|; of filter row |row| where it is of few columns: its place. */
static int64_t place_of_weight(const pn_chain *c, uint32_t i, int64_t row, int64_t s, int64_t k, int64_t column) {
  const pn_chain_layer *l = &c->layers[i];
  int64_t m = channel_of(c, i, column), in = i == 0 && c->source != PN_CHAIN_IMAGE ? dealt(k) : k;
  if (l->few) return pn_chain_element(l, column / l->x.kernel, s * 16 + in, row, column % l->x.kernel);
  if (i == 0 && c->source == PN_CHAIN_IMAGE) {
    int64_t across = pn_div_up(l->x.kernel, 2), pair = s * 8 + k / 2, line = pair / across;
    return pn_chain_element(l, m, line / l->y.kernel, line % l->y.kernel, pair % across * 2 + k % 2);
  }
  int64_t chunks = pn_div_up(l->inputs, 16), tap = s / chunks;
  return pn_chain_element(l, m, s % chunks * 16 + in, tap / l->x.kernel, tap % l->x.kernel);
}

/* In the room behind the pairs of a picture's window stands the bias, for an operand of one. */
static bool is_bias(const pn_chain *c, uint32_t i, int64_t s, int64_t k) {
  const pn_chain_layer *l = &c->layers[i];
  int64_t pairs = l->inputs * l->y.kernel * pn_div_up(l->x.kernel, 2);
  return i == 0 && c->source == PN_CHAIN_IMAGE && l->bias && s * 8 + k / 2 == pairs && k % 2 == 0;
}

static void pack_layer(const pn_chain *c, uint32_t i, uint16_t *weights, float *numbers) {
  const pn_chain_layer *l = &c->layers[i];
  uint32_t rows = l->few ? (uint32_t)l->y.kernel : 1;
  uint16_t *to = weights + 2 * (size_t)l->weights_at;
  for (uint32_t fragment = 0; fragment < rows * l->steps * l->tiles; fragment++)
    for (uint32_t lane = 0; lane < 32; lane++)
      for (uint32_t e = 0; e < 4; e++) {
        uint32_t row = fragment / (l->steps * l->tiles), s = fragment / l->tiles % l->steps;
        int64_t k = lane % 4 * 2 + e / 2 * 8 + e % 2, column = fragment % l->tiles * 8 + lane / 4;
        int64_t at = place_of_weight(c, i, row, s, k, column), m = channel_of(c, i, column);
        *to++ = at >= 0                                 ? ((const uint16_t *)l->filter->data)[at]
                : is_bias(c, i, s, k) && m < l->outputs ? ((const uint16_t *)l->bias->data)[m]
                                                        : 0;
      }
  for (uint32_t k = 0; k < 1 + l->epilogue.operand_count; k++)
    for (uint32_t column = 0; column < l->columns; column++) {
      const pn_operand *o = pn_chain_operand(l, k);
      int64_t m = channel_of(c, i, column);
      if (o && m < l->outputs) numbers[l->numbers_at + k * l->columns + column] = pn_chain_number(o, m);
    }
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  form f;
  (void)config;
  if (!describe(p, device, &f, NULL)) return PN_INTERNAL(diag, "a chain changed after it was accepted");
  memset(packed, 0, (size_t)f.chain.packed_words * 4);
  for (uint32_t i = 0; i < f.chain.count; i++) pack_layer(&f.chain, i, packed, (float *)packed + f.chain.weight_words);
  return PELTON_OK;
}

/* ---- the kernel's text ----------------------------------------------------------------------------------------------
 */

static void render(form *f, pelton_dtype dtype, pn_text *out) {
  uint32_t layers = f->chain.count - pn_chain_last(&f->chain)->few;
  pn_text_printf(
      out,
      "#define X %s\n#define ONE_BITS 0x%x\n#define WARPS %u\n#define BANDS %u\n#define HOLD %d\n#define ROWS %u\n"
      "#define GROUP %u\n#define BLOCKS %d\n#define VECTOR %d\n#define MMA_THREADS (WARPS * 32)\n"
      "#include \"chain_mma.cuh\"\n#include \"expression.cuh\"\n",
      pn_cuda_type_name(dtype), dtype == PELTON_DTYPE_F16 ? 0x3c00u : 0x3f80u, (unsigned)f->warps, (unsigned)f->bands,
      (int)f->held, (unsigned)f->rows, (unsigned)f->group, (int)blocks_at_once(f), (int)f->vector);
  pn_chain_render(&f->chain, out);
  for (uint32_t i = 0; i < layers; i++) {
    const pn_chain_layer *l = &f->chain.layers[i];
    pn_text_printf(out, "#define TILES_%u %u\n", (unsigned)i, (unsigned)l->tiles);
    if (i + 1 == f->chain.count) break;
    pn_text_printf(out, "DEVICE u32 activate_%u(const f32 *params, u32 m, f32 low, f32 high) { return ", (unsigned)i);
    if (l->relu || l->problem.node_count == 1)
      pn_text_printf(out, "%s(low, high); }\n", l->relu ? "pack_relu" : "pack");
    else
      pn_text_printf(out, "pack(finish_%u(params, m, low), finish_%u(params, m + 1, high)); }\n", (unsigned)i,
                     (unsigned)i);
  }
  const pn_chain_layer *last = pn_chain_last(&f->chain);
  pn_text_printf(out, "#define LAST_PACKS %d\n", last->relu ? 2 : last->problem.node_count == 1 ? 1 : 0);
  if (!layers) return;
  unsigned k = layers - 1;
  pn_text_printf(out,
                 "#define LAST_TILES TILES_%u\n#define LAST_SUM sum_%u\n#define LAST_OUTPUTS OUTPUTS_%u\n"
                 "#define LAST_ACTIVATE ACTIVATE(%u, sum_%u, TILES_%u, OUTPUTS_%u, act_last)\n",
                 k, k, k, k, k, k, k);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  form *f = &s->form;
  pn_text head;
  if (!describe(p, device, f, NULL) || !set_config(f, device, config))
    return PN_INTERNAL(diag, "a chain changed after it was accepted");
  const pn_chain_blocks blocks = {places_of(f), f->shared_bytes, blocks_at_once(f), pn_problem_input(p, 0, 0)->dims[0]};
  pn_text_init(&head, device->allocator);
  render(f, pn_problem_input(p, 0, 0)->dtype, &head);
  return pn_chain_prepare(&f->chain, device, &blocks, "conv_chain", &head, &s->launch, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct conv_chain_arguments a = s->form.chain.arguments;
  pn_chain_bind(&s->form.chain, step, &a);
  a.weights = step->packed;
  uintptr_t by_eights =
      (s->form.chain.source == PN_CHAIN_IMAGE ? 0 : (uintptr_t)a.source) | (s->form.vector ? (uintptr_t)a.target : 0);
  if (by_eights % 8)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "an operand of %s is not aligned to 8 bytes: give memory that is",
                   pn_op_get(step->problem->nodes[0].op)->name);
  return pn_cuda_launch_shared(stream, s->launch.function, s->launch.grid, s->form.warps * 32, s->form.shared_bytes, &a,
                               diag);
}

const pn_tactic pn_tactic_cuda_conv_chain = {
    .name = "cuda.conv_chain",
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
