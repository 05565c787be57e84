/* Reductions over any constant axes, of any type and between any layouts. Where few results take many elements, a block
   works on each; where neighbouring results are neighbours in memory, a thread does, or a block on as many as are read
   at once. */
#include "target/movement.h"
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid[2], threads;
  struct reduce_arguments arguments;
} state;

typedef enum way { BY_BLOCK, BY_THREAD, BY_COLUMNS } way;

/* Bytes of a row that a block reads: many where there are blocks enough. */
enum { FEW_BYTES = 128, MANY_BYTES = 512, LEAST_LINES = 8, MOST_LINES = 4096 };

typedef struct axes {
  uint32_t count;
  int64_t dims[PN_MAX_RANK], from[PN_MAX_RANK], to[PN_MAX_RANK], all;
} axes;

static bool reduced_axes(const pn_problem *p, bool *reduced, pn_reason *why) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *listed = pn_problem_input(p, 0, 1);
  if (listed && !listed->data) return pn_refuse(why, "axes are not constant");
  int64_t count = listed ? pn_operand_elements(listed) : 0;
  for (uint32_t i = 0; i < x->rank; i++) reduced[i] = count == 0 && !attrs->empty_is_none;
  for (int64_t i = 0; i < count; i++) {
    int64_t axis = pn_operand_number(listed, i);
    reduced[axis < 0 ? axis + x->rank : axis] = true;
  }
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  bool reduced[PN_MAX_RANK];
  (void)device;
  if (!pn_accepts_one(p, PN_OP_REDUCE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_reduce_kind kind = ((const pn_attrs_reduce *)p->nodes[0].attrs)->kind;
  if (!pn_cuda_type_name(x->dtype)) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(x->dtype));
  bool real = pn_dtype_is_float(x->dtype);
  if (!real && (kind == PN_REDUCE_L2 || kind == PN_REDUCE_LOG_SUM || kind == PN_REDUCE_LOG_SUM_EXP))
    return pn_refuse(why, "a root or logarithm of integers");
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  return reduced_axes(p, reduced, why) && pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cuda_operand_bytes(p),
                          0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static void add_axis(axes *a, int64_t dim, int64_t from, int64_t to) {
  uint32_t last = a->count - 1;
  a->all *= dim;
  if (dim == 1) return;
  if (a->count && a->from[last] == from * dim && a->to[last] == to * dim) {
    a->dims[last] *= dim;
    a->from[last] = from;
    a->to[last] = to;
    return;
  }
  a->dims[a->count] = dim;
  a->from[a->count] = from;
  a->to[a->count++] = to;
}

static void find_axes(const pn_problem *p, axes *kept, axes *reduced_out) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t from[PN_MAX_RANK], own_to[PN_MAX_RANK], to[PN_MAX_RANK] = {0};
  bool reduced[PN_MAX_RANK] = {0};
  (void)reduced_axes(p, reduced, NULL);
  pn_operand_axis_strides(x, from);
  pn_operand_axis_strides(y, own_to);
  for (uint32_t i = 0, k = 0; i < x->rank; i++) {
    if (!reduced[i]) to[i] = own_to[k];
    k += attrs->keep_dims || !reduced[i];
  }
  kept->all = reduced_out->all = 1;
  for (uint32_t place = 0; place < x->rank; place++) /* in the order in which the operand is stored */
    for (uint32_t i = 0; i < x->rank; i++)
      if (pn_layout_place(x->layout, x->rank, i) == place)
        add_axis(reduced[i] ? reduced_out : kept, x->dims[i], from[i], to[i]);
}

/* How each kind begins, goes on, joins and ends; F and the steps' forms are macros of the kernel. */
static void describe(const pn_reduce_kind kind, bool real, pn_text *head) {
  const char *begin = "0", *take = "((s) + (x))", *combine = "SUM_OF", *finish = "(s)";
  switch (kind) {
  case PN_REDUCE_MEAN: finish = real ? "((F)((s) * (F)a.scale))" : "((s) / (F)a.length)"; break;
  case PN_REDUCE_MAX:
    begin = "FIRST";
    take = "GREATER_OF(x, s)";
    combine = "GREATER_OF";
    break;
  case PN_REDUCE_MIN:
    begin = "FIRST";
    take = "LESSER_OF(x, s)";
    combine = "LESSER_OF";
    break;
  case PN_REDUCE_PROD:
    begin = "1";
    take = "((s) * (x))";
    combine = "PRODUCT_OF";
    break;
  case PN_REDUCE_L1: take = "((s) + ((x) < 0 ? -(x) : (x)))"; break;
  case PN_REDUCE_L2:
    take = "((s) + (x) * (x))";
    finish = "SQRT(s)";
    break;
  case PN_REDUCE_SUM_SQUARE: take = "((s) + (x) * (x))"; break;
  case PN_REDUCE_LOG_SUM: finish = "LOG(s)"; break;
  default: break;
  }
  pn_text_printf(head,
                 "#define BEGIN %s\n#define TAKE(s, x) %s\n#define COMBINE %s\n#define FINISH(s) %s\n"
                 "#define PRODUCT_OF(a, b) ((a) * (b))\n"
                 "#define FIRST LOAD(X, a.source, (u32)from)\n",
                 begin, take, combine, finish);
}

static pelton_status find_function(const pn_problem *p, const pn_device *device, const axes *kept, const axes *reduced,
                                   way how, uint32_t column_bytes, state *s, pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_reduce_kind kind = ((const pn_attrs_reduce *)p->nodes[0].attrs)->kind;
  bool real = pn_dtype_is_float(x->dtype), wide = x->dtype == PELTON_DTYPE_F64;
  pn_text head;
  pn_text_init(&head, device->allocator);
  pn_text_printf(&head,
                 "#define X %s\n#define F %s\n#define KEPT %u\n#define REDUCED %u\n#define EXP %s\n#define LOG "
                 "%s\n#define SQRT %s\n",
                 pn_cuda_type_name(x->dtype),
                 real                           ? (wide ? "f64" : "f32")
                 : x->dtype == PELTON_DTYPE_U64 ? "u64"
                                                : "i64",
                 (unsigned)kept->count, (unsigned)reduced->count, wide ? "exp" : "expf", wide ? "log" : "logf",
                 wide ? "sqrt" : "sqrtf");
  int element = (int)pelton_dtype_bytes(x->dtype);
  pn_text_printf(&head, "#define COLUMNS %d\n#define PIECE %d\n", how == BY_COLUMNS ? (int)column_bytes / element : 0,
                 16 / element);
  describe(kind, real, &head);
  bool exponential = kind == PN_REDUCE_LOG_SUM_EXP;
  pn_cuda_source source = {head.data, exponential ? "log_sum_exp.cu" : "reduce.cu",
                           exponential ? "log_sum_exp"
                           : how == BY_THREAD  ? "reduce_thread"
                           : how == BY_COLUMNS ? "reduce_columns"
                                               : "reduce_block",
                           false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

/* Results in rows of which 16 bytes lie together, around one axis. */
static bool by_columns(const pn_problem *p, const pn_device *device, const axes *kept, const axes *reduced) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (!pn_cuda_is_f32_form(x->dtype) || reduced->count != 1 || kept->count < 1 || kept->count > 2) return false;
  int64_t piece = 16 / (int64_t)pelton_dtype_bytes(x->dtype), columns = FEW_BYTES / 16 * piece;
  int64_t inner = kept->dims[kept->count - 1], outer = kept->count == 2 ? kept->dims[0] : 1;
  if (kept->from[kept->count - 1] != 1 || inner % piece || reduced->from[0] % piece || outer > 65535 ||
      (kept->count == 2 && kept->from[0] % piece))
    return false;
  return reduced->all >= LEAST_LINES &&
         (reduced->all <= MOST_LINES || pn_div_up(inner, columns) * outer >= device->multiprocessors);
}

static void add_outer_axis(axes *a) {
  a->dims[1] = a->dims[0];
  a->from[1] = a->from[0];
  a->to[1] = a->to[0];
  a->dims[0] = 1;
  a->from[0] = a->to[0] = 0;
  a->count = 2;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  axes kept = {0}, reduced = {0};
  (void)config;
  find_axes(p, &kept, &reduced);
  bool exponential = ((const pn_attrs_reduce *)p->nodes[0].attrs)->kind == PN_REDUCE_LOG_SUM_EXP;
  bool columns = !exponential && by_columns(p, device, &kept, &reduced);
  if (columns && kept.count == 1) add_outer_axis(&kept);
  for (uint32_t d = 0; d < kept.count; d++) {
    s->arguments.kept[d] = pn_cuda_divider(kept.dims[d]);
    s->arguments.kept_from[d] = (int)kept.from[d];
    s->arguments.kept_to[d] = (int)kept.to[d];
  }
  for (uint32_t d = 0; d < reduced.count; d++) {
    s->arguments.reduced[d] = pn_cuda_divider(reduced.dims[d]);
    s->arguments.reduced_from[d] = (int)reduced.from[d];
  }
  s->arguments.count = (unsigned)kept.all;
  s->arguments.length = (unsigned)reduced.all;
  s->arguments.scale = 1 / (double)reduced.all;
  bool beside = kept.count && kept.from[kept.count - 1] == 1; /* results lie beside each other */
  bool by_thread = !exponential && (reduced.all < 32 || (beside && kept.all >= (int64_t)device->multiprocessors * 64));
  way how = columns ? BY_COLUMNS : by_thread ? BY_THREAD : BY_BLOCK;
  s->threads = columns || (!by_thread && reduced.all >= 256) ? 256 : by_thread || reduced.all >= 64 ? 64 : 32;
  int64_t blocks = by_thread ? pn_div_up(kept.all, s->threads) : kept.all;
  s->grid[0] = (uint32_t)pn_min_i64(blocks, (int64_t)device->multiprocessors * 64);
  s->grid[1] = 1;
  uint32_t column_bytes = FEW_BYTES;
  if (columns) {
    int64_t bytes = kept.dims[1] * (int64_t)pelton_dtype_bytes(pn_problem_input(p, 0, 0)->dtype);
    if (pn_div_up(bytes, MANY_BYTES) * kept.dims[0] >= 2 * (int64_t)device->multiprocessors) column_bytes = MANY_BYTES;
    s->grid[0] = (uint32_t)pn_div_up(bytes, column_bytes);
    s->grid[1] = (uint32_t)kept.dims[0];
  }
  return find_function(p, device, &kept, &reduced, how, column_bytes, s, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct reduce_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  a.aligned = pn_cuda_aligned(a.source);
  return pn_cuda_launch(stream, s->function, s->grid[0], s->grid[1], 1, s->threads, &a, diag);
}

const pn_tactic pn_tactic_cuda_reduce = {
    .name = "cuda.reduce",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
