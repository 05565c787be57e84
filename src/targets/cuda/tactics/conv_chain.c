/* Convolutions in 16 bits of few channels behind each other, without what is between them in memory: the layers of
   super-resolution, on tensor cores (kernels/conv_chain.cu). A first layer with any window, layers of single places, and
   a last one, which may be transposed, whose few outputs times the filter's columns are few enough to be one product's
   columns; each of the three may be missing. Expressions between them may read constants of a channel.

   Config: bands of sixteen places a warp (1, 2), whether the first layer's weights stay in registers, warps of a block;
   all zero is 1, 0, 8. */
#include "targets/cuda/window.h"
#include "targets/cuda/sum.h"

#include <math.h>
#include <string.h>

enum {
  LAYERS = 4,
  MOST_CHANNELS = 64,
  MOST_IMAGE_CHANNELS = 4,
  MOST_SHARED_BYTES = 48 << 10,
  MOST_ROWS = 32,
  MOST_FEW_TILES = 20, /* of sums in registers: rows of the last filter times eights of columns */
  MOST_FRAGMENTS = 160, /* of weights, in one layer: what unrolls */
  MOST_HELD = 56,
  MOST_STRIDE = 4
};

typedef enum source { RAW, IMAGE, WINDOW } source; /* as in conv_chain.cu */

typedef struct layer {
  pn_problem problem; /* its part of the chain */
  pn_cuda_epilogue epilogue;
  pn_window y, x;
  const pn_operand *filter, *bias;
  int64_t inputs, outputs;
  bool transposed, few, relu;
  uint32_t steps, tiles;            /* of sixteen inputs, of eight columns */
  uint32_t weights_at, numbers_at;  /* in words: in all that is packed, and behind the weights */
} layer;

typedef struct form {
  source source;
  uint32_t count;
  layer layers[LAYERS];
  uint32_t weight_words, packed_words;
  bool vector; /* results by fours */
  /* Of a config. */
  uint32_t bands, warps, rows, buffers, shared_bytes;
  bool held;
  struct conv_chain_arguments arguments;
} form;

typedef struct state {
  pn_cu_function *function;
  form form;
  uint32_t grid[3];
} state;

static layer *last_of(form *f) { return &f->layers[f->count - 1]; }

/* ---- the chain ------------------------------------------------------------------------------------------------------
 */

static bool read_layer(const pn_problem *p, uint32_t *node, layer *l, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_op op = p->nodes[*node].op;
  bool follows = *node + 1 < p->node_count && p->nodes[*node + 1].op == PN_OP_POINTWISE;
  pn_cuda_sum sum;
  if (op != PN_OP_CONV && op != PN_OP_CONV_TRANSPOSE) return pn_refuse(why, "not only convolutions");
  memset(l, 0, sizeof *l);
  l->problem = (pn_problem){follows ? 2 : 1, p->nodes + *node, p->operand_count, p->operands};
  if (!pn_cuda_conv_accepts(&l->problem, op, windows, &l->epilogue, why)) return false;
  const pn_operand *x = pn_problem_input(&l->problem, 0, 0), *out = pn_problem_output(&l->problem, follows, 0);
  l->filter = pn_problem_input(&l->problem, 0, 1);
  l->bias = pn_problem_input(&l->problem, 0, 2);
  l->transposed = op == PN_OP_CONV_TRANSPOSE;
  int64_t groups = l->transposed ? ((const pn_attrs_conv_transpose *)p->nodes[*node].attrs)->group
                                 : ((const pn_attrs_conv *)p->nodes[*node].attrs)->group;
  if (x->rank != 4 || groups != 1) return pn_refuse(why, "two spatial axes and one group only");
  if (l->filter->role != PN_OPERAND_CONSTANT || (l->bias && l->bias->role != PN_OPERAND_CONSTANT))
    return pn_refuse(why, "a filter or bias is not constant");
  if (out->dtype != x->dtype) return pn_refuse(why, "the expression changes the type");
  for (uint32_t k = 0; k < l->epilogue.operand_count; k++) {
    const pn_operand *o = &p->operands[l->epilogue.operands[k]];
    const int *s = l->epilogue.strides[k];
    if (o->role != PN_OPERAND_CONSTANT || s[0] || s[2] || !pn_cuda_is_f32_form(o->dtype))
      return pn_refuse(why, "the expression reads more than constants of a channel");
  }
  l->y = windows[0];
  l->x = windows[1];
  l->inputs = x->dims[1];
  l->outputs = out->dims[1];
  if (l->y.dilation != 1 || l->x.dilation != 1 || l->y.stride != l->x.stride || (!l->transposed && l->y.stride != 1))
    return pn_refuse(why, "strides or dilations");
  l->relu = pn_cuda_sum_find(&l->problem, pn_cuda_image_epilogue_strides, &sum) && sum.relu && isinf(sum.upper) &&
            sum.bias == PN_NO_OPERAND && sum.residual == PN_NO_OPERAND;
  *node += l->problem.node_count;
  return true;
}

static bool is_point(const layer *l) {
  return !l->transposed && l->y.kernel == 1 && l->x.kernel == 1 && !l->y.pad_begin && !l->y.pad_end &&
         !l->x.pad_begin && !l->x.pad_end;
}

static int64_t few_columns(const layer *l) { return l->outputs * l->x.kernel; }

static bool fits_few(const layer *l) {
  return !is_point(l) && pn_div_up(few_columns(l), 8) * l->y.kernel <= MOST_FEW_TILES && l->y.stride <= MOST_STRIDE &&
         l->y.stride <= l->y.kernel && l->x.stride <= l->x.kernel && l->y.pad_begin >= 0 && l->x.pad_begin >= 0 &&
         l->y.pad_begin < l->y.kernel && l->x.pad_begin < l->x.kernel;
}

static uint32_t pairs_of(const layer *l) {
  return (uint32_t)(l->inputs * l->y.kernel * pn_div_up(l->x.kernel, 2));
}

static bool choose_source(form *f, const pn_operand *x, pn_reason *why) {
  layer *first = &f->layers[0];
  bool by_fours = x->layout == PN_LAYOUT_CHANNELS_LAST && x->dims[1] % 4 == 0;
  if (!first->few && first->inputs <= MOST_IMAGE_CHANNELS && pn_div_up(pairs_of(first), 8) <= 16) {
    f->source = IMAGE;
    first->steps = (uint32_t)pn_div_up(pairs_of(first), 8);
    return true;
  }
  if (!by_fours) return pn_refuse(why, "wants channels_last and a multiple of four channels");
  f->source = first->few ? RAW : WINDOW;
  first->steps = (uint32_t)(pn_div_up(first->inputs, 16) * (first->few ? 1 : first->y.kernel * first->x.kernel));
  return true;
}

/* Tiles, steps and places in what is packed. */
static bool lay_out(form *f, pn_reason *why) {
  uint32_t words = 0, numbers = 0;
  for (uint32_t i = 0; i < f->count; i++) {
    layer *l = &f->layers[i];
    bool stored = i + 1 == f->count && !l->few;
    l->tiles = l->few ? (uint32_t)pn_div_up(few_columns(l), 8)
                      : (uint32_t)(stored ? 2 * pn_div_up(l->outputs, 16) : pn_div_up(l->outputs, 8));
    if (i) l->steps = (uint32_t)pn_div_up(l->inputs, 16);
    uint32_t fragments = l->steps * l->tiles * (l->few ? (uint32_t)l->y.kernel : 1);
    if (fragments > MOST_FRAGMENTS) return pn_refuse(why, "too many weights for a warp");
    l->weights_at = words;
    l->numbers_at = numbers;
    words += fragments * 64;
    numbers += (1 + l->epilogue.operand_count) * l->tiles * 8;
  }
  f->weight_words = words;
  f->packed_words = words + numbers;
  return f->packed_words * 4 <= MOST_SHARED_BYTES || pn_refuse(why, "too many weights for shared memory");
}

/* What a config makes of it: false when it does not fit. */
static bool set_config(form *f, const pn_config *config) {
  const layer *first = &f->layers[0];
  layer *few = last_of(f)->few ? last_of(f) : NULL;
  f->bands = config->value[0] == 2 ? 2 : 1;
  f->held = config->value[1] == 1 && f->source == IMAGE;
  f->warps = config->value[2] == 4 ? 4 : 8;
  f->rows = 1;
  f->buffers = 1;
  uint32_t places = f->warps * f->bands * 16, bytes = f->packed_words * 4, sums = 0, row = 0;
  if (f->held && first->steps * first->tiles > MOST_HELD) return false;
  if (few) sums = (uint32_t)(few->y.stride * few_columns(few)) * (places + 4) * 4;
  if (f->source == IMAGE) {
    uint32_t columns = places + (uint32_t)first->x.kernel - 1;
    row = (uint32_t)first->inputs * 2 * (((columns + 3) / 2 + 7) / 16 * 16 + 8) * 4;
  }
  bytes += sums + row * (uint32_t)first->y.kernel;
  if (bytes > MOST_SHARED_BYTES) return false;
  if (sums && bytes + sums + 8 * row <= MOST_SHARED_BYTES) {
    f->buffers = 2;
    bytes += sums;
  }
  while (row && f->rows < MOST_ROWS && bytes + row <= MOST_SHARED_BYTES) {
    f->rows++;
    bytes += row;
  }
  f->shared_bytes = bytes;
  return true;
}

static void fill_arguments(const pn_problem *p, form *f) {
  struct conv_chain_arguments *a = &f->arguments;
  const layer *first = &f->layers[0], *last = last_of(f);
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  int axis[WINDOW_AXES];
  bool raw = f->source == RAW;
  a->from_height = (unsigned)x->dims[2];
  a->from_width = (unsigned)x->dims[3];
  a->height = raw ? a->from_height : (unsigned)first->y.output;
  a->width = raw ? a->from_width : (unsigned)first->x.output;
  a->out_height = (unsigned)y->dims[2];
  a->out_width = (unsigned)y->dims[3];
  a->out_rows = last->few ? (unsigned)pn_div_up(a->out_height, last->y.stride) : a->out_height;
  pn_cuda_image_strides(x, &a->from_batch, &a->from_channel, axis);
  a->from_y = axis[1];
  a->from_x = axis[2];
  pn_cuda_image_strides(y, &a->to_batch, &a->to_channel, axis);
  a->to_y = axis[1];
  a->to_x = axis[2];
  f->vector = !last->few && y->layout == PN_LAYOUT_CHANNELS_LAST && last->outputs % 4 == 0;
}

static bool describe(const pn_problem *p, form *f, pn_reason *why) {
  memset(f, 0, sizeof *f);
  if (p->nodes[0].op != PN_OP_CONV && p->nodes[0].op != PN_OP_CONV_TRANSPOSE) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F16 && x->dtype != PELTON_DTYPE_BF16)
    return pn_refuse(why, "16 bits only, not %s", pelton_dtype_name(x->dtype));
  for (uint32_t node = 0; node < p->node_count;) {
    if (f->count == LAYERS) return pn_refuse(why, "more than %d convolutions", LAYERS);
    if (node && p->nodes[node].inputs[0] != p->nodes[node - 1].outputs[0]) return pn_refuse(why, "not a chain");
    if (!read_layer(p, &node, &f->layers[f->count], why)) return false;
    f->count++;
  }
  layer *last = last_of(f);
  last->few = fits_few(last);
  if (!last->few && last->transposed) return pn_refuse(why, "a transposed convolution of more than a few columns");
  if (f->count - last->few > 3) return pn_refuse(why, "more than three layers and one of few outputs");
  for (uint32_t i = 0; i < f->count; i++) {
    const layer *l = &f->layers[i];
    if (l->inputs > MOST_CHANNELS || (!l->few && l->outputs > MOST_CHANNELS))
      return pn_refuse(why, "more than %d channels", MOST_CHANNELS);
    if (i + 1 < f->count && l->transposed) return pn_refuse(why, "a transposed convolution in front");
    if (i && !(l->few && i + 1 == f->count) && !is_point(l)) return pn_refuse(why, "a window in the middle");
  }
  if (!choose_source(f, x, why) || !lay_out(f, why)) return false;
  fill_arguments(p, f);
  if (x->dims[0] > 65535) return pn_refuse(why, "more than 65,535 pictures");
  return set_config(f, &(pn_config){{0}}) || set_config(f, &(pn_config){{1, 0, 4}}) ||
         pn_refuse(why, "too much for shared memory");
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  form f;
  if (!describe(p, &f, why)) return false;
  return device->capability >= 80 || pn_refuse(why, "wants compute capability 8.0");
}

/* ---- costs ----------------------------------------------------------------------------------------------------------
 */

static uint32_t own_places(form *f) {
  const layer *l = last_of(f);
  uint32_t places = f->warps * f->bands * 16;
  if (!l->few) return places;
  int64_t pad = l->transposed ? l->x.pad_begin : l->x.kernel - 1 - l->x.pad_begin, stride = l->x.stride;
  return places - (uint32_t)((l->x.kernel - 1 - pad) / stride + (stride - 1 + pad) / stride);
}

static int64_t halo_rows(form *f) {
  const layer *l = last_of(f);
  return l->few ? (l->y.kernel - 1) / l->y.stride + (l->y.stride > 1) : 0;
}

static int64_t blocks_across(form *f) {
  const layer *l = last_of(f);
  int64_t stride = l->few ? l->x.stride : 1;
  return pn_div_up(pn_div_up(f->arguments.out_width, stride), own_places(f));
}

/* Rows of a block, so that no multiprocessor waits long for the others. */
static int64_t choose_rows(form *f, const pn_device *device, int64_t batch, double *waves_rows) {
  int64_t rows = f->arguments.out_rows, at_once = (int64_t)device->multiprocessors * (f->bands == 1 && !f->held ? 2 : 1);
  int64_t best = rows;
  double least = INFINITY;
  for (int64_t strips = 1; strips <= rows && strips <= 65535; strips++) {
    int64_t each = pn_div_up(rows, strips), blocks = blocks_across(f) * pn_div_up(rows, each) * batch;
    double cost = (double)pn_div_up(blocks, at_once) * ((double)(each + halo_rows(f)) + 1.5);
    if (cost < least * 0.999) {
      least = cost;
      best = each;
    }
    if (each == 1 || blocks > 64 * at_once) break;
  }
  *waves_rows = least;
  return best;
}

/* Products of a band. */
static double products_of(const form *f) {
  double all = 0;
  for (uint32_t i = 0; i < f->count; i++) {
    const layer *l = &f->layers[i];
    all += (double)l->steps * l->tiles * (l->few ? (double)l->y.kernel : 1);
  }
  return all;
}

/* A warp's product occupies a quarter of a multiprocessor for some seven cycles; around the products there is
   arithmetic for each band. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  form f;
  double waves_rows;
  if (!describe(p, &f, NULL) || !set_config(&f, config)) return 1;
  int64_t batch = pn_problem_input(p, 0, 0)->dims[0];
  (void)choose_rows(&f, device, batch, &waves_rows);
  double clock = device->fma_per_second / device->multiprocessors / 128;
  double at_once = f.bands == 1 && !f.held ? 2 : 1;
  double row = at_once * f.warps / 4 * f.bands * (products_of(&f) * (f.held ? 7 : 8) + 60) + 300;
  double arithmetic = waves_rows * row / clock;
  double memory = pn_cuda_operand_bytes(p) / device->bytes_per_second * 1.15;
  return 4e-6 + (arithmetic > memory ? arithmetic : memory);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  static const pn_config all[] = {{{1, 1, 8}}, {{1, 0, 8}}, {{2, 0, 8}}, {{2, 0, 4}}, {{1, 0, 4}}};
  form f;
  uint32_t count = 0;
  (void)device;
  if (!describe(p, &f, NULL)) return 0;
  for (uint32_t i = 0; i < PN_COUNT(all) && count < max; i++) {
    uint32_t places = (uint32_t)(all[i].value[0] * all[i].value[2]) * 16;
    if (places > 64 && places >= 4 * f.arguments.width) continue;
    if (set_config(&f, &all[i]) && f.held == (all[i].value[1] == 1)) out[count++] = all[i];
  }
  return count;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  form f;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
  if (describe(p, &f, NULL)) out->packed_bytes = (size_t)f.packed_words * 4;
}

/* ---- packing --------------------------------------------------------------------------------------------------------
 */

/* Of sixteen neighbours, in the order in which a thread's four lie together: see load_four. */
static int64_t dealt(int64_t i) { return i % 8 / 2 * 4 + i / 8 * 2 + i % 2; }

/* The channel that column |column| of layer |i| is; of the last one, where they are stored by fours. */
static int64_t channel_of(const form *f, uint32_t i, int64_t column) {
  bool stored = i + 1 == f->count && !f->layers[i].few;
  return stored ? column / 16 * 16 + dealt(column % 16) : column;
}

static uint16_t element(const layer *l, int64_t out, int64_t in, int64_t y, int64_t x) {
  if (out >= l->outputs || in >= l->inputs || y >= l->y.kernel || x >= l->x.kernel) return 0;
  int64_t major = l->transposed ? in * l->outputs + out : out * l->inputs + in;
  return ((const uint16_t *)l->filter->data)[(major * l->y.kernel + y) * l->x.kernel + x];
}

/* Row |k| of step |s|, column |column|, of layer |i|; of filter row |row| where it is of few outputs. */
static uint16_t weight(const form *f, uint32_t i, int64_t row, int64_t s, int64_t k, int64_t column) {
  const layer *l = &f->layers[i];
  bool dealt_inputs = i == 0 && f->source != IMAGE;
  if (l->few) {
    int64_t m = column / l->x.kernel, x = column % l->x.kernel, y = row;
    if (!l->transposed) {
      y = l->y.kernel - 1 - y;
      x = l->x.kernel - 1 - x;
    }
    return element(l, m, s * 16 + (dealt_inputs ? dealt(k) : k), y, x);
  }
  int64_t m = channel_of(f, i, column);
  if (i == 0 && f->source == IMAGE) {
    int64_t across = pn_div_up(l->x.kernel, 2), pair = s * 8 + k / 2, line = pair / across;
    if (line >= l->inputs * l->y.kernel) return 0;
    return element(l, m, line / l->y.kernel, line % l->y.kernel, pair % across * 2 + k % 2);
  }
  int64_t chunks = pn_div_up(l->inputs, 16), tap = s / chunks;
  return element(l, m, s % chunks * 16 + (dealt_inputs ? dealt(k) : k), tap / l->x.kernel, tap % l->x.kernel);
}

static float number(const pn_operand *o, int64_t m) {
  if (pn_operand_elements(o) == 1) m = 0;
  if (o->dtype == PELTON_DTYPE_F32) return ((const float *)o->data)[m];
  uint16_t bits = ((const uint16_t *)o->data)[m];
  return o->dtype == PELTON_DTYPE_F16 ? pn_f16_to_f32(bits) : pn_bf16_to_f32(bits);
}

static void pack_layer(const form *f, uint32_t i, uint16_t *weights, float *numbers) {
  const layer *l = &f->layers[i];
  uint32_t rows = l->few ? (uint32_t)l->y.kernel : 1;
  uint16_t *to = weights + 2 * (size_t)l->weights_at;
  for (uint32_t fragment = 0; fragment < rows * l->steps * l->tiles; fragment++)
    for (uint32_t lane = 0; lane < 32; lane++)
      for (uint32_t e = 0; e < 4; e++) {
        uint32_t row = fragment / (l->steps * l->tiles), s = fragment / l->tiles % l->steps;
        *to++ = weight(f, i, row, s, lane % 4 * 2 + e / 2 * 8 + e % 2, fragment % l->tiles * 8 + lane / 4);
      }
  for (uint32_t k = 0; k < 1 + l->epilogue.operand_count; k++)
    for (uint32_t column = 0; column < l->tiles * 8; column++) {
      const pn_operand *o = k ? &l->problem.operands[l->epilogue.operands[k - 1]] : l->bias;
      int64_t m = channel_of(f, i, column);
      if (o && m < l->outputs) numbers[l->numbers_at + k * l->tiles * 8 + column] = number(o, m);
    }
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  form f;
  (void)device;
  (void)config;
  if (!describe(p, &f, NULL)) return PN_INTERNAL(diag, "a chain changed after it was accepted");
  memset(packed, 0, (size_t)f.packed_words * 4);
  for (uint32_t i = 0; i < f.count; i++) pack_layer(&f, i, packed, (float *)packed + f.weight_words);
  return PELTON_OK;
}

/* ---- the kernel's text ----------------------------------------------------------------------------------------------
 */

/* finish_<name>(params, column, value), and activate_<name> for two neighbours. */
static void render_layer(const layer *l, const char *name, pn_text *out) {
  bool expression = l->problem.node_count > 1 && !l->relu;
  if (expression) {
    pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
    const pn_expr *expr = ((const pn_attrs_pointwise *)l->problem.nodes[1].attrs)->expr;
    for (uint32_t i = 0; i < l->problem.nodes[1].input_count; i++) {
      uint32_t k = l->epilogue.of_input[i];
      inputs[i] = pn_problem_input(&l->problem, 1, i)->dtype;
      pn_text_printf(out, "#undef INPUT_%u\n", (unsigned)i);
      if (k == UINT8_MAX)
        pn_text_printf(out, "#define INPUT_%u value\n", (unsigned)i);
      else
        pn_text_printf(out, "#define INPUT_%u params[m + %u]\n", (unsigned)i,
                       (unsigned)(l->numbers_at + (1 + k) * l->tiles * 8));
    }
    if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
    pn_text_printf(out, "DEVICE f32 finish_%s(const f32 *params, u32 m, f32 value) {\n", name);
    pn_cuda_render_steps(expr, types, out);
    pn_text_printf(out, "    return v%u;\n}\n", (unsigned)expr->step_count - 1);
  } else {
    pn_text_printf(out, "DEVICE f32 finish_%s(const f32 *params, u32 m, f32 value) { return %s; }\n", name,
                   l->relu ? "max_f32(value, 0)" : "value");
  }
  pn_text_printf(out, "DEVICE u32 activate_%s(const f32 *params, u32 m, f32 low, f32 high) { return ", name);
  if (expression)
    pn_text_printf(out, "pack(finish_%s(params, m, low), finish_%s(params, m + 1, high)); }\n", name, name);
  else
    pn_text_printf(out, "%s(low, high); }\n", l->relu ? "pack_relu" : "pack");
}

static void render_shape(form *f, pn_text *out) {
  const layer *first = &f->layers[0], *few = last_of(f)->few ? last_of(f) : NULL;
  bool window = f->source != RAW;
  int64_t pad_y = 0, pad_x = 0;
  if (few) {
    pad_y = few->transposed ? few->y.pad_begin : few->y.kernel - 1 - few->y.pad_begin;
    pad_x = few->transposed ? few->x.pad_begin : few->x.kernel - 1 - few->x.pad_begin;
  }
  pn_text_printf(out, "#define SOURCE %d\n#define WARPS %u\n#define BANDS %u\n#define HOLD %d\n#define ROWS %u\n"
                 "#define BUFFERS %u\n#define BLOCKS %d\n#define VECTOR %d\n",
                 (int)f->source, (unsigned)f->warps, (unsigned)f->bands, (int)f->held, (unsigned)f->rows,
                 (unsigned)f->buffers, f->bands == 1 && !f->held ? 2 : 1, (int)f->vector);
  pn_text_printf(out, "#define CHANNELS %d\n#define KERNEL_Y %d\n#define KERNEL_X %d\n#define PAD_Y %d\n#define PAD_X %d\n",
                 (int)first->inputs, window ? (int)first->y.kernel : 1, window ? (int)first->x.kernel : 1,
                 window ? (int)first->y.pad_begin : 0, window ? (int)first->x.pad_begin : 0);
  pn_text_printf(out, "#define FEW %d\n#define FEW_OUTPUTS %d\n#define FEW_KERNEL_Y %d\n#define FEW_KERNEL_X %d\n"
                 "#define FEW_PAD_Y %d\n#define FEW_PAD_X %d\n#define FEW_STRIDE %d\n",
                 (int)(few != NULL), few ? (int)few->outputs : 1, few ? (int)few->y.kernel : 1,
                 few ? (int)few->x.kernel : 1, (int)pad_y, (int)pad_x, few ? (int)few->y.stride : 1);
  pn_text_printf(out, "#define WEIGHT_WORDS %u\n#define PACKED_WORDS %u\n", (unsigned)f->weight_words,
                 (unsigned)f->packed_words);
}

static void render(form *f, pelton_dtype dtype, pn_text *out) {
  uint32_t layers = f->count - last_of(f)->few;
  pn_text_printf(out, "#define X %s\n", pn_cuda_type_name(dtype));
  render_shape(f, out);
  pn_text_printf(out, "#define LAYERS %u\n#define MMA_THREADS (WARPS * 32)\n#include \"mma.cuh\"\n"
                      "#include \"expression.cuh\"\n", (unsigned)layers);
  for (uint32_t i = 0; i < f->count; i++) {
    const layer *l = &f->layers[i];
    char name[8] = {(char)('0' + i), 0};
    if (l->few) memcpy(name, "few", sizeof "few");
    char upper[8] = {name[0], 0};
    if (l->few) memcpy(upper, "FEW", sizeof "FEW");
    pn_text_printf(out, "#define TILES_%s %u\n#define WEIGHTS_%s %u\n#define BIAS_%s %u\n#define OUTPUTS_%s %d\n", upper,
                   (unsigned)l->tiles, upper, (unsigned)l->weights_at, upper, (unsigned)l->numbers_at, upper,
                   (int)l->outputs);
    render_layer(l, name, out);
  }
  if (!layers) return;
  unsigned k = layers - 1;
  pn_text_printf(out, "#define LAST_TILES TILES_%u\n#define LAST_SUM sum_%u\n#define LAST_OUTPUTS OUTPUTS_%u\n"
                 "#define LAST_ACTIVATE ACTIVATE(%u, sum_%u, TILES_%u, OUTPUTS_%u, act_last)\n"
                 "#define LAST_ACTIVATE_PAIR(m, low, high) activate_%u(params, m, low, high)\n",
                 k, k, k, k, k, k, k, k);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  form *f = &s->form;
  double unused;
  pn_text head;
  if (!describe(p, f, NULL) || !set_config(f, config)) return PN_INTERNAL(diag, "a chain changed after it was accepted");
  int64_t batch = pn_problem_input(p, 0, 0)->dims[0], rows = choose_rows(f, device, batch, &unused);
  f->arguments.rows = (unsigned)rows;
  s->grid[0] = (uint32_t)blocks_across(f);
  s->grid[1] = (uint32_t)pn_div_up(f->arguments.out_rows, rows);
  s->grid[2] = (uint32_t)batch;
  pn_text_init(&head, device->allocator);
  render(f, pn_problem_input(p, 0, 0)->dtype, &head);
  pn_cuda_source text = {head.data, "conv_chain.cu", "conv_chain", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &text, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  struct conv_chain_arguments a = s->form.arguments;
  a.source = step->operands[p->nodes[0].inputs[0]];
  a.target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  a.weights = step->packed;
  uintptr_t by_eights = (s->form.source == IMAGE ? 0 : (uintptr_t)a.source) | (s->form.vector ? (uintptr_t)a.target : 0);
  if (by_eights % 8)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "an operand of %s is not aligned to 8 bytes: give memory that is",
                   pn_op_get(p->nodes[0].op)->name);
  return pn_cuda_launch(stream, s->function, s->grid[0], s->grid[1], s->grid[2], s->form.warps * 32, &a, diag);
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
