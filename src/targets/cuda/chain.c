#include "targets/cuda/chain.h"

#include "targets/cuda/sum.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_STRIDE = 4, MOST_ROWS = 16, MOST_GROUP = 4 };

static bool read_layer(const pn_problem *p, uint32_t *node, uint32_t end, pn_chain_layer *l, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_op op = p->nodes[*node].op;
  bool follows = *node + 1 < p->node_count && p->nodes[*node + 1].op == PN_OP_POINTWISE;
  pn_cuda_sum sum;
  if (op != PN_OP_CONV && op != PN_OP_CONV_TRANSPOSE) return pn_refuse(why, "not only convolutions");
  memset(l, 0, sizeof *l);
  l->problem = (pn_problem){follows ? 2 : 1, p->nodes + *node, p->operand_count, p->operands, p->cold};
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
    if (!pn_cuda_is_f32_form(o->dtype)) return pn_refuse(why, "the expression reads no f32 form");
    if (o->role == PN_OPERAND_CONSTANT && !s[0] && !s[2]) continue;
    if (o->role != PN_OPERAND_INPUT || *node + l->problem.node_count < end)
      return pn_refuse(why, "an expression between reads more than constants of a channel");
    l->placed |= 1u << k;
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

static bool is_point(const pn_chain_layer *l) {
  return !l->transposed && l->y.kernel == 1 && l->x.kernel == 1 && !l->y.pad_begin && !l->y.pad_end &&
         !l->x.pad_begin && !l->x.pad_end;
}

static bool fits_few(const pn_chain_layer *l, int64_t most, bool eights) {
  int64_t columns = eights ? pn_div_up(pn_chain_few_columns(l), 8) : pn_chain_few_columns(l);
  return !is_point(l) && columns * l->y.kernel <= most && l->y.stride <= MOST_STRIDE && l->y.stride <= l->y.kernel &&
         l->x.stride <= l->x.kernel && l->y.pad_begin >= 0 && l->x.pad_begin >= 0 && l->y.pad_begin < l->y.kernel &&
         l->x.pad_begin < l->x.kernel;
}

static void fill_arguments(const pn_problem *p, pn_chain *chain) {
  struct conv_chain_arguments *a = &chain->arguments;
  const pn_chain_layer *first = &chain->layers[0], *last = pn_chain_last(chain);
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  int axis[WINDOW_AXES];
  int64_t block = chain->depth_block;
  a->from_height = (unsigned)x->dims[2];
  a->from_width = (unsigned)x->dims[3];
  a->height = first->few ? a->from_height : (unsigned)first->y.output;
  a->width = first->few ? a->from_width : (unsigned)first->x.output;
  a->out_height = (unsigned)(y->dims[2] / block);
  a->out_width = (unsigned)(y->dims[3] / block);
  a->out_rows = last->few ? (unsigned)pn_div_up(a->out_height, last->y.stride) : a->out_height;
  pn_cuda_image_strides(x, &a->from_batch, &a->from_channel, axis);
  a->from_y = axis[1];
  a->from_x = axis[2];
  pn_cuda_image_strides(y, &a->to_batch, &a->to_channel, axis);
  a->to_y = axis[1];
  a->to_x = axis[2];
  pn_cuda_epilogue_fill(&last->epilogue, &a->epilogue);
}

bool pn_chain_read(const pn_problem *p, pn_chain *chain, int64_t most, bool eights, pn_reason *why) {
  memset(chain, 0, sizeof *chain);
  uint32_t nodes = p->node_count;
  bool to_space = nodes > 1 && p->nodes[nodes - 1].op == PN_OP_DEPTH_TO_SPACE;
  const pn_attrs_depth_to_space *depth = to_space ? p->nodes[--nodes].attrs : NULL;
  chain->depth_block = depth ? (uint32_t)depth->block : 1;
  chain->depth_first = depth && depth->mode == PN_DEPTH_DCR;
  for (uint32_t node = 0; node < nodes;) {
    if (chain->count == PN_CHAIN_LAYERS) return pn_refuse(why, "more than %d convolutions", PN_CHAIN_LAYERS);
    if (node && p->nodes[node].inputs[0] != p->nodes[node - 1].outputs[0]) return pn_refuse(why, "not a chain");
    if (!read_layer(p, &node, p->node_count, &chain->layers[chain->count], why)) return false;
    chain->count++;
  }
  pn_chain_layer *last = pn_chain_last(chain);
  last->few = fits_few(last, most, eights);
  if (to_space && last->placed) return pn_refuse(why, "the expression in front of depth_to_space reads places");
  if (to_space && !last->few) return pn_refuse(why, "depth_to_space of a convolution of more than a few columns");
  if (!last->few && last->transposed) return pn_refuse(why, "a transposed convolution of more than a few columns");
  if (chain->count - last->few > PN_CHAIN_LAYERS - 1)
    return pn_refuse(why, "more than three layers and one of few columns");
  for (uint32_t i = 0; i < chain->count; i++) {
    const pn_chain_layer *l = &chain->layers[i];
    if (l->inputs > PN_CHAIN_CHANNELS || (!l->few && l->outputs > PN_CHAIN_CHANNELS))
      return pn_refuse(why, "more than %d channels", PN_CHAIN_CHANNELS);
    if (i + 1 < chain->count && l->transposed) return pn_refuse(why, "a transposed convolution in front");
    if (i && !l->few && !is_point(l)) return pn_refuse(why, "a window in the middle");
  }
  if (pn_problem_input(p, 0, 0)->dims[0] > 65535) return pn_refuse(why, "more than 65,535 pictures");
  fill_arguments(p, chain);
  return true;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Of the last layer as if it were transposed. */
static int64_t pad_of(const pn_chain_layer *l, const pn_window *w) {
  return l->transposed ? w->pad_begin : w->kernel - 1 - w->pad_begin;
}

uint32_t pn_chain_own_places(pn_chain *chain, uint32_t places) {
  const pn_chain_layer *l = pn_chain_last(chain);
  if (!l->few) return places;
  int64_t pad = pad_of(l, &l->x), stride = l->x.stride;
  int64_t beside = (l->x.kernel - 1 - pad) / stride + (stride - 1 + pad) / stride;
  return beside < places ? places - (uint32_t)beside : 0;
}

int64_t pn_chain_blocks_across(pn_chain *chain, uint32_t places) {
  const pn_chain_layer *l = pn_chain_last(chain);
  return pn_div_up(pn_div_up(chain->arguments.out_width, l->few ? l->x.stride : 1), pn_chain_own_places(chain, places));
}

int64_t pn_chain_rows(pn_chain *chain, const pn_device *device, uint32_t places, int64_t at_once, int64_t batch,
                      double *waited) {
  const pn_chain_layer *l = pn_chain_last(chain);
  int64_t rows = chain->arguments.out_rows, all = pn_max_i64(device->multiprocessors, 1) * at_once, best = rows;
  int64_t halo = l->few ? (l->y.kernel - 1) / l->y.stride + (l->y.stride > 1) : 0;
  int64_t across = pn_chain_blocks_across(chain, places);
  double least = INFINITY;
  for (int64_t strips = 1; strips <= rows && strips <= 65535; strips++) {
    int64_t each = pn_div_up(rows, strips), blocks = across * pn_div_up(rows, each) * batch;
    double cost = (double)pn_div_up(blocks, all) * ((double)(each + halo) + 1.5);
    if (cost < least * 0.999) {
      least = cost;
      best = each;
    }
    if (each == 1 || blocks > 64 * all) break;
  }
  if (waited) *waited = least;
  return best;
}

bool pn_chain_share(const pn_chain *chain, const pn_device *device, uint32_t image_row, uint32_t sums, uint32_t *rows,
                    uint32_t *group, uint32_t *bytes) {
  uint32_t before = (uint32_t)chain->layers[0].y.kernel - 1, least, most = pn_cuda_most_shared_bytes(device);
  if (most > PN_CHAIN_SHARED_BYTES) most = PN_CHAIN_SHARED_BYTES;
  *rows = image_row ? MOST_ROWS : 1;
  *group = sums ? MOST_GROUP : 1;
  for (;; *group > 1 ? (*group /= 2) : (*rows /= 2)) {
    least = chain->packed_words + 2 * image_row * (*rows + before) + 2 * *group * sums;
    if (least * 4 <= most) break;
    if (*rows == 1 && *group == 1) return false;
  }
  *bytes = least * 4;
  return true;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

int64_t pn_chain_element(const pn_chain_layer *l, int64_t out, int64_t in, int64_t y, int64_t x) {
  if (out >= l->outputs || in >= l->inputs || y >= l->y.kernel || x >= l->x.kernel) return -1;
  if (l->few && !l->transposed) {
    y = l->y.kernel - 1 - y;
    x = l->x.kernel - 1 - x;
  }
  int64_t major = l->transposed ? in * l->outputs + out : out * l->inputs + in;
  return (major * l->y.kernel + y) * l->x.kernel + x;
}

float pn_chain_number(const pn_operand *o, int64_t m) {
  if (pn_operand_elements(o) == 1) m = 0;
  if (o->dtype == PELTON_DTYPE_F32) return ((const float *)o->data)[m];
  uint16_t bits = ((const uint16_t *)o->data)[m];
  return o->dtype == PELTON_DTYPE_F16 ? pn_f16_to_f32(bits) : pn_bf16_to_f32(bits);
}

const pn_operand *pn_chain_operand(const pn_chain_layer *l, uint32_t k) {
  if (k && l->placed >> (k - 1) & 1) return NULL;
  return k ? &l->problem.operands[l->epilogue.operands[k - 1]] : l->bias;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void render_layer(const pn_chain_layer *l, const char *name, const char *parameters, pn_text *out) {
  if (l->problem.node_count == 1 || l->relu) {
    pn_text_printf(out, "DEVICE f32 finish_%s(%s) { return %s; }\n", name, parameters,
                   l->relu ? "max_f32(value, 0)" : "value");
    return;
  }
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = ((const pn_attrs_pointwise *)l->problem.nodes[1].attrs)->expr;
  for (uint32_t i = 0; i < l->problem.nodes[1].input_count; i++) {
    unsigned k = l->epilogue.of_input[i];
    inputs[i] = pn_problem_input(&l->problem, 1, i)->dtype;
    pn_text_printf(out, "#undef INPUT_%u\n", (unsigned)i);
    if (k == UINT8_MAX)
      pn_text_printf(out, "#define INPUT_%u value\n", (unsigned)i);
    else if (l->placed >> k & 1)
      pn_text_printf(out,
                     "#define INPUT_%u load_%s(a->epilogue.operands[%u], (u32)((int)n * a->epilogue.strides[%u][0] + "
                     "(int)channel * a->epilogue.strides[%u][1] + (int)place * a->epilogue.strides[%u][2]))\n",
                     (unsigned)i, pn_cuda_type_name(inputs[i]), k, k, k, k);
    else
      pn_text_printf(out, "#define INPUT_%u params[m + %u]\n", (unsigned)i,
                     (unsigned)(l->numbers_at + (1 + k) * l->columns));
  }
  if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "DEVICE f32 finish_%s(%s) {\n", name, parameters);
  pn_cuda_render_steps(expr, types, out);
  pn_text_printf(out, "    return v%u;\n}\n", (unsigned)expr->step_count - 1);
}

void pn_chain_render(pn_chain *chain, pn_text *out) {
  const pn_chain_layer *first = &chain->layers[0], *few = pn_chain_last(chain)->few ? pn_chain_last(chain) : NULL;
  bool window = chain->source != PN_CHAIN_RAW;
  pn_text_printf(out,
                 "#define SOURCE %d\n#define CHANNELS %d\n#define KERNEL_Y %d\n#define KERNEL_X %d\n#define PAD_Y %d\n"
                 "#define PAD_X %d\n#define LAYERS %u\n",
                 (int)chain->source, (int)first->inputs, window ? (int)first->y.kernel : 1,
                 window ? (int)first->x.kernel : 1, window ? (int)first->y.pad_begin : 0,
                 window ? (int)first->x.pad_begin : 0, (unsigned)(chain->count - (few != NULL)));
  pn_text_printf(out,
                 "#define FEW %d\n#define FEW_OUTPUTS %d\n#define FEW_KERNEL_Y %d\n#define FEW_KERNEL_X %d\n"
                 "#define FEW_PAD_Y %d\n#define FEW_PAD_X %d\n#define FEW_STRIDE %d\n",
                 (int)(few != NULL), few ? (int)few->outputs : 1, few ? (int)few->y.kernel : 1,
                 few ? (int)few->x.kernel : 1, few ? (int)pad_of(few, &few->y) : 0, few ? (int)pad_of(few, &few->x) : 0,
                 few ? (int)few->y.stride : 1);
  pn_text_printf(out, "#define DEPTH_BLOCK %u\n#define DEPTH_FIRST %d\n", (unsigned)chain->depth_block,
                 (int)chain->depth_first);
  pn_text_printf(out, "#define WEIGHT_WORDS %u\n#define PACKED_WORDS %u\n", (unsigned)chain->weight_words,
                 (unsigned)chain->packed_words);
  for (uint32_t i = 0; i < chain->count; i++) {
    const pn_chain_layer *l = &chain->layers[i];
    bool last = i + 1 == chain->count;
    char name[8] = {(char)('0' + i), 0};
    if (l->few) memcpy(name, "FEW", sizeof "FEW");
    pn_text_printf(out, "#define COLUMNS_%s %u\n#define WEIGHTS_%s %u\n#define BIAS_%s %u\n#define OUTPUTS_%s %d\n",
                   name, (unsigned)l->columns, name, (unsigned)l->weights_at, name, (unsigned)l->numbers_at, name,
                   (int)l->outputs);
    render_layer(l, last ? "last" : name,
                 last
                     ? "const struct conv_chain_arguments *a, const f32 *params, u32 m, f32 value, u32 n, u32 channel, "
                       "u32 place"
                     : "const f32 *params, u32 m, f32 value",
                 out);
  }
}

void pn_chain_bind(const pn_chain *chain, const pn_step *step, struct conv_chain_arguments *a) {
  const pn_problem *p = step->problem;
  const pn_chain_layer *last = &chain->layers[chain->count - 1];
  a->source = step->operands[p->nodes[0].inputs[0]];
  a->target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  for (uint32_t k = 0; k < last->epilogue.operand_count; k++)
    if (last->placed >> k & 1) a->epilogue.operands[k] = step->operands[last->epilogue.operands[k]];
}

pelton_status pn_chain_prepare(pn_chain *chain, const pn_device *device, const pn_chain_blocks *blocks,
                               const char *name, pn_text *head, pn_chain_launch *out, pelton_diag *diag) {
  char file[48];
  int64_t rows = pn_chain_rows(chain, device, blocks->places, blocks->at_once, blocks->batch, NULL);
  chain->arguments.rows = (unsigned)rows;
  out->grid[0] = (uint32_t)pn_chain_blocks_across(chain, blocks->places);
  out->grid[1] = (uint32_t)pn_div_up(chain->arguments.out_rows, rows);
  out->grid[2] = (uint32_t)blocks->batch;
  (void)snprintf(file, sizeof file, "%s.cu", name);
  const pn_cuda_source text = {head->data, file, name, false};
  pelton_status status =
      head->failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &text, &out->function, diag);
  pn_text_deinit(head);
  return status ? status : pn_cuda_allow_shared(device, out->function, blocks->shared_bytes, diag);
}
