/* Convolutions of pictures whose windows lie side by side, as in the first layer of a vision transformer: each element
   goes into one product only, so that a copy that puts a window's elements into a row, and a matrix product with the
   filter as it is, do it. The product is whatever tactic for products is chosen by its estimate, on a problem of its
   own that lives in the state. */
#include "targets/cuda/window.h"

#include <stdio.h>
#include <string.h>

extern const pn_tactic pn_tactic_cuda_matmul_cublaslt, pn_tactic_cuda_gemm_wgmma, pn_tactic_cuda_gemm_mma,
    pn_tactic_cuda_gemm;
static const pn_tactic *const products[] = {&pn_tactic_cuda_matmul_cublaslt, &pn_tactic_cuda_gemm_wgmma,
                                            &pn_tactic_cuda_gemm_mma, &pn_tactic_cuda_gemm};

enum { PATCHES, FILTER, SUMS, BIAS, RESULT, OPERANDS };

/* matmul(patches, filter) trans_b; pointwise(sums, bias) expr="add(x0,x1)" */
typedef struct product {
  pn_operand operands[OPERANDS];
  uint16_t first[3], second[3];
  pn_attrs_matmul matmul;
  pn_attrs_pointwise pointwise;
  pn_expr expr;
  pn_expr_step steps[3];
  pn_problem_node nodes[2];
  pn_problem problem;
} product;

typedef struct state {
  pn_cu_function *copy;
  uint32_t grid;
  struct move_arguments move;
  const pn_tactic *tactic;
  void *inner; /* the product's state */
  size_t patch_bytes;
  product product;
} state;

static bool find_windows(const pn_problem *p, pn_window *w, pn_reason *why) {
  pn_cuda_epilogue epilogue;
  if (p->node_count != 1 || !pn_cuda_conv_accepts(p, PN_OP_CONV, w, &epilogue, why)) return false;
  if (pn_problem_input(p, 0, 0)->rank != 4 || ((const pn_attrs_conv *)p->nodes[0].attrs)->group != 1)
    return pn_refuse(why, "two spatial axes and one group only");
  for (uint32_t d = 0; d < 2; d++)
    if (w[d].kernel != w[d].stride || w[d].dilation != 1 || w[d].pad_begin != 0 ||
        w[d].output * w[d].kernel > w[d].input)
      return pn_refuse(why, "windows do not lie side by side");
  return pn_problem_output(p, 0, 0)->layout == PN_LAYOUT_CHANNELS_LAST ||
         pn_refuse(why, "wants its result in channels_last");
}

static void set_operand(product *m, uint32_t i, pn_operand_role role, pelton_dtype dtype, int64_t rows,
                        int64_t columns) {
  m->operands[i] = (pn_operand){.role = role, .dtype = dtype, .rank = rows ? 2 : 1};
  m->operands[i].dims[0] = rows ? rows : columns;
  m->operands[i].dims[1] = rows ? columns : 0;
}

/* Fills |m|, which points into itself. */
static void make_product(const pn_problem *p, const pn_window *w, product *m) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *filter = pn_problem_input(p, 0, 1),
                   *bias = pn_problem_input(p, 0, 2);
  int64_t rows = x->dims[0] * w[0].output * w[1].output, depth = x->dims[1] * w[0].kernel * w[1].kernel;
  memset(m, 0, sizeof *m);
  set_operand(m, PATCHES, PN_OPERAND_INPUT, x->dtype, rows, depth);
  set_operand(m, FILTER, PN_OPERAND_INPUT, x->dtype, filter->dims[0], depth); /* read as it is: nothing is packed */
  set_operand(m, SUMS, bias ? PN_OPERAND_INTERNAL : PN_OPERAND_OUTPUT, x->dtype, rows, filter->dims[0]);
  if (bias) set_operand(m, BIAS, bias->role, x->dtype, 0, filter->dims[0]);
  if (bias) m->operands[BIAS].data = bias->data;
  set_operand(m, RESULT, PN_OPERAND_OUTPUT, x->dtype, rows, filter->dims[0]);
  m->matmul.trans_b = true;
  m->first[0] = PATCHES;
  m->first[1] = FILTER;
  m->first[2] = SUMS;
  m->second[0] = SUMS;
  m->second[1] = BIAS;
  m->second[2] = RESULT;
  for (uint16_t i = 0; i < 2; i++) m->steps[i] = (pn_expr_step){.op = PN_EXPR_INPUT, .argument = {i}};
  m->steps[2] = (pn_expr_step){.op = PN_EXPR_ADD, .argument = {0, 1}};
  m->expr = (pn_expr){3, 2, m->steps};
  m->pointwise.expr = &m->expr;
  m->nodes[0] = (pn_problem_node){PN_OP_MATMUL, &m->matmul, 2, 1, m->first, m->first + 2};
  m->nodes[1] = (pn_problem_node){PN_OP_POINTWISE, &m->pointwise, 2, 1, m->second, m->second + 2};
  m->problem = (pn_problem){bias ? 2 : 1, m->nodes, bias ? (uint32_t)OPERANDS : (uint32_t)BIAS, m->operands, false};
}

/* The product's tactic of the least estimate; null: none takes it. */
static const pn_tactic *find_tactic(const pn_problem *problem, const pn_device *device) {
  const pn_tactic *best = NULL;
  double least = 0;
  for (uint32_t i = 0; i < PN_COUNT(products); i++) {
    pn_config first = {{0}};
    if (!products[i]->accepts(problem, device, NULL)) continue;
    if (products[i]->configs && !products[i]->configs(problem, device, &first, 1)) continue;
    double one = products[i]->estimate(problem, device, &first);
    if (best && one >= least) continue;
    best = products[i];
    least = one;
  }
  return best;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window w[PN_MAX_RANK];
  product m;
  if (!find_windows(p, w, why)) return false;
  make_product(p, w, &m);
  if (pn_operand_elements(&m.operands[PATCHES]) > INT32_MAX) return pn_refuse(why, "more than 2^31 elements");
  return find_tactic(&m.problem, device) || pn_refuse(why, "no tactic takes the product");
}

/* The product's, of what accepts found. */
static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  pn_window w[PN_MAX_RANK];
  product m;
  if (!find_windows(p, w, NULL)) return 0;
  make_product(p, w, &m);
  const pn_tactic *tactic = find_tactic(&m.problem, device);
  if (tactic && tactic->configs) return tactic->configs(&m.problem, device, out, max);
  out[0] = (pn_config){{0}};
  return 1;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_window w[PN_MAX_RANK];
  product m;
  if (!find_windows(p, w, NULL)) return 1;
  make_product(p, w, &m);
  const pn_tactic *tactic = find_tactic(&m.problem, device);
  double bytes = (double)pn_operand_bytes(&m.operands[PATCHES]);
  if (!tactic) return 1;
  /* Pieces of windows that do not lie together waste most of what memory gives. */
  bool together = pn_problem_input(p, 0, 0)->layout == PN_LAYOUT_PLAIN && w[1].kernel >= 8;
  return tactic->estimate(&m.problem, device, config) + pn_cuda_estimate(device, 0, (together ? 2 : 8) * bytes, 1);
}

static size_t inner_offset(void) { return pn_align_up(sizeof(state), 64); }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  pn_window w[PN_MAX_RANK];
  product m;
  pn_sizes inner = {0};
  if (!find_windows(p, w, NULL)) return;
  make_product(p, w, &m);
  const pn_tactic *tactic = find_tactic(&m.problem, device);
  if (tactic && tactic->sizes) tactic->sizes(&m.problem, device, config, &inner);
  out->state_bytes = inner_offset() + inner.state_bytes;
  out->workspace_bytes = pn_align_up(pn_operand_bytes(&m.operands[PATCHES]), PN_CUDA_WORKSPACE_ALIGN) +
                         PN_CUDA_WORKSPACE_ALIGN + inner.workspace_bytes;
}

/* Rows of windows, by 16 bytes where these lie together. */
static pelton_status prepare_copy(const pn_problem *p, const pn_device *device, const pn_window *w, state *s,
                                  pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int batch, channel, axis[WINDOW_AXES], bytes = (int)pelton_dtype_bytes(x->dtype), many = 16 / bytes;
  char head[96];
  pn_cuda_image_strides(x, &batch, &channel, axis);
  const int dims[] = {(int)x->dims[0], (int)w[0].output, (int)w[1].output,
                      (int)x->dims[1], (int)w[0].kernel, (int)w[1].kernel};
  const int from[] = {batch, axis[1] * (int)w[0].kernel, axis[2] * (int)w[1].kernel, channel, axis[1], axis[2]};
  enum { AXES = 6 };
  bool quads = axis[2] == 1 && dims[AXES - 1] % many == 0;
  for (uint32_t d = 0; d + 1 < AXES; d++) quads = quads && from[d] % many == 0;
  if (!quads) many = 1;
  int64_t to = 1;
  for (uint32_t d = AXES; d-- > 0;) {
    bool last = d + 1 == AXES;
    int64_t dim = last ? dims[d] / many : dims[d];
    s->move.dims[d] = pn_cuda_divider(dim);
    s->move.from[d] = last ? from[d] : from[d] / many;
    s->move.to[d] = (int)to;
    to *= dim;
  }
  s->move.count = (unsigned)to;
  s->grid = pn_cuda_blocks(device, to);
  (void)snprintf(head, sizeof head, "#define WORD %s\n#define AXES %d\n#define QUADS %d\n", bytes == 2 ? "u16" : "u32",
                 (int)AXES, (int)quads);
  pn_cuda_source source = {head, "move.cu", "move", false};
  return pn_cuda_function(device, &source, &s->copy, diag);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_window w[PN_MAX_RANK];
  if (!find_windows(p, w, NULL)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  make_product(p, w, &s->product);
  s->tactic = find_tactic(&s->product.problem, device);
  if (!s->tactic) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  s->inner = (char *)memory + inner_offset();
  s->patch_bytes = pn_align_up(pn_operand_bytes(&s->product.operands[PATCHES]), PN_CUDA_WORKSPACE_ALIGN);
  PN_TRY(prepare_copy(p, device, w, s, diag));
  return s->tactic->prepare(&s->product.problem, device, config, s->inner, diag);
}

static void release_state(void *memory) {
  state *s = memory;
  if (s->tactic && s->tactic->release_state) s->tactic->release_state(s->inner);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  const pn_operand *bias = pn_problem_input(p, 0, 2);
  struct move_arguments move = s->move;
  char *patches = pn_cuda_workspace(step);
  void *y = step->operands[p->nodes[0].outputs[0]];
  void *operands[OPERANDS] = {patches, step->operands[p->nodes[0].inputs[1]], bias ? NULL : y,
                              bias ? step->operands[p->nodes[0].inputs[2]] : NULL, y};
  move.target = patches;
  move.source = step->operands[p->nodes[0].inputs[0]];
  move.aligned = pn_cuda_aligned(move.source);
  PN_TRY(pn_cuda_launch(stream, s->copy, s->grid, 1, 1, PN_CUDA_BLOCK, &move, diag));
  pn_step inner = {&s->product.problem, step->config, s->inner, NULL, patches + s->patch_bytes, operands, NULL,
                   step->number};
  return s->tactic->run(&inner, stream, diag);
}

const pn_tactic pn_tactic_cuda_conv_patches = {
    .name = "cuda.conv_patches",
    .version = 3,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .release_state = release_state,
    .run = run,
};
