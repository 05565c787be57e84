/* Resizing along any axes, any mode: a weighted sum whose indices and weights stand in tables on the device, which
   op/resize.c fills when the plan is made. */
#include "op/picture/resize.h"
#include "op/quantisation/low_bits.h"
#include "target/strides.h"
#include "targets/cuda/render.h"

#include <string.h>

typedef struct state {
  const pn_device *device;
  pn_cu_function *function;
  uint32_t grid;
  void *table;
  size_t table_bytes;
  struct resize_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_RESIZE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (!pn_cuda_type_name(x->dtype)) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(x->dtype));
  for (uint32_t i = 1; i < p->nodes[0].input_count; i++)
    if (pn_problem_input(p, 0, i) && !pn_problem_input(p, 0, i)->data)
      return pn_refuse(why, "scales or sizes are not constant");
  if (!x->rank || !pn_operand_elements(x) || !pn_operand_elements(y)) return pn_refuse(why, "an empty operand");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 30 * (double)pn_operand_elements(pn_problem_output(p, 0, 0)),
                          1.5 * pn_cuda_operand_bytes(p), 0.3);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

/* Taps of one axis, in |out|; count 0: the axis is untouched. */
static pelton_status find_taps(const pn_call *call, const pn_resized_axis *axis, pn_resize_taps *out) {
  const pn_attrs_resize *attrs = call->attrs;
  memset(out, 0, sizeof *out);
  if (pn_resize_is_untouched(attrs, axis)) return PELTON_OK;
  if (attrs->mode != PN_RESIZE_NEAREST) return pn_resize_taps_of(call, axis, out);
  out->count = 1;
  PN_TRY(pn_resize_map_of(call, axis, &out->index));
  out->weight = PN_NEW_ARRAY(call->scratch, double, (size_t)axis->output + 1);
  if (!out->weight) return pn_fail_memory(call->diag, "a resize");
  for (int64_t i = 0; i < axis->output; i++) out->weight[i] = 1;
  return PELTON_OK;
}

/* Sums in f64, of f64 and integers: indices and weights are of 8 bytes then. */
static bool is_wide(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F64 || !pn_dtype_is_float(dtype); }

/* All axes' tables in one block: indices, then weights, axis after axis. */
static pelton_status make_tables(const pn_call *call, const pn_resized_axis *axes, const pn_operand *y, state *s) {
  pn_resize_taps taps[PN_MAX_RANK];
  const bool wide = is_wide(y->dtype);
  const size_t step = wide ? 8 : 4;
  size_t words = 0, at = 0;
  for (uint32_t d = 0; d < y->rank; d++) {
    PN_TRY(find_taps(call, &axes[d], &taps[d]));
    words += 2 * (size_t)(taps[d].count * axes[d].output);
  }
  uint64_t *host = PN_NEW_ARRAY(call->scratch, uint64_t, words + 1);
  if (!host) return pn_fail_memory(call->diag, "a resize");
  for (uint32_t d = 0; d < y->rank; d++)
    for (int64_t half = 0; half < 2; half++)
      for (int64_t i = 0; i < taps[d].count * axes[d].output; i++, at++) {
        bool outside = taps[d].outside && taps[d].outside[i / taps[d].count];
        int64_t index = outside ? -1 : taps[d].index[i];
        int32_t short_index = (int32_t)index;
        float weight = (float)taps[d].weight[i];
        const void *from = half ? (wide ? (const void *)&taps[d].weight[i] : &weight)
                                : (wide ? (const void *)&index : &short_index);
        memcpy((char *)host + at * step, from, step);
      }
  s->table_bytes = words * step;
  PN_TRY(pn_cuda_table_create(s->device, host, s->table_bytes, &s->table, call->diag));
  at = 0;
  for (uint32_t d = 0; d < y->rank; d++) {
    uint32_t place = pn_layout_place(y->layout, y->rank, d);
    size_t count = (size_t)(taps[d].count * axes[d].output);
    s->arguments.taps[place] = taps[d].count ? (int)taps[d].count : 1;
    if (count) s->arguments.index[place] = (const char *)s->table + at * step;
    if (count) s->arguments.weight[place] = (const char *)s->table + (at + count) * step;
    at += 2 * count;
  }
  return PELTON_OK;
}

static pelton_status tabulate(const pn_problem *p, state *s, pelton_diag *diag) {
  const pn_problem_node *node = &p->nodes[0];
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {{PELTON_DTYPE_NONE, 0, {0}, NULL}};
  pn_arena scratch;
  for (uint32_t i = 0; i < 4; i++) {
    const pn_operand *o = i < node->input_count ? pn_problem_input(p, 0, i) : NULL;
    if (!o) continue;
    tensors[i] = (pn_tensor){.dtype = o->dtype, .rank = o->rank, .data = (void *)(uintptr_t)o->data};
    memcpy(tensors[i].dims, o->dims, sizeof o->dims);
  }
  pn_arena_init(&scratch, s->device->allocator);
  pn_call call = {
      .attrs = node->attrs, .input_count = node->input_count, .in = tensors, .scratch = &scratch, .diag = diag};
  pelton_status status = pn_resize_plan(&call, axes);
  if (!status) status = make_tables(&call, axes, pn_problem_output(p, 0, 0), s);
  pn_arena_deinit(&scratch);
  return status;
}

static void release_state(void *memory) {
  state *s = memory;
  if (s->device) pn_cuda_table_release(s->device, s->table);
}

/* The text in front of the kernel. Integers round to even, and stay within their range. */
static void render(const pn_operand *x, bool nearest, pn_text *head) {
  static const char *const words[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
  const bool wide = is_wide(x->dtype), integer = !pn_dtype_is_float(x->dtype);
  pn_text_printf(head, "#include \"expression.cuh\"\n#define X %s\n#define WORD %s\n#define AXES %u\n#define F %s\n",
                 pn_cuda_type_name(x->dtype), words[pelton_dtype_bytes(x->dtype)], (unsigned)x->rank,
                 wide ? "f64" : "f32");
  pn_text_printf(head, "#define INDEX %s\n#define COPIES %d\n", wide ? "i64" : "i32", nearest);
  if (integer && pn_dtype_bits(x->dtype) < 8 && x->dtype != PELTON_DTYPE_BOOL)
    pn_text_printf(head, "#define FINISH(sum) integer_of_wide(rint(sum), %d, %d)\n",
                   pn_dtype_is_signed(x->dtype) ? -(1 << (pn_dtype_bits(x->dtype) - 1)) : 0,
                   (1 << (pn_dtype_bits(x->dtype) - pn_dtype_is_signed(x->dtype))) - 1);
  else if (integer)
    pn_text_printf(head, "#define FINISH(sum) %s_of_wide(rint(sum))\n", pn_cuda_type_name(x->dtype));
  else
    pn_text_printf(head, "#define FINISH(sum) (sum)\n");
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t from[PN_MAX_RANK], to[PN_MAX_RANK];
  state *s = memory;
  pn_text head;
  (void)config;
  s->device = device;
  pn_operand_axis_strides(x, from);
  pn_operand_axis_strides(y, to);
  for (uint32_t d = 0; d < y->rank; d++) {
    uint32_t place = pn_layout_place(y->layout, y->rank, d);
    s->arguments.dims[place] = pn_cuda_divider(y->dims[d]);
    s->arguments.to[place] = (int)to[d];
    s->arguments.from[place] = (int)from[d];
  }
  s->arguments.count = (unsigned)pn_operand_elements(y);
  s->arguments.extrapolation = ((const pn_attrs_resize *)p->nodes[0].attrs)->extrapolation;
  s->grid = pn_cuda_blocks(device, s->arguments.count);
  pelton_status status = tabulate(p, s, diag);
  pn_text_init(&head, device->allocator);
  render(x, ((const pn_attrs_resize *)p->nodes[0].attrs)->mode == PN_RESIZE_NEAREST, &head);
  pn_cuda_source source = {head.data, "resize.cu", "resize", false};
  if (!status && head.failed) status = pn_fail_memory(diag, "a kernel");
  if (!status) status = pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  if (status) release_state(s);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct resize_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

static size_t held_bytes(const void *memory) { return ((const state *)memory)->table_bytes; }

const pn_tactic pn_tactic_cuda_resize = {
    .name = "cuda.resize",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .release_state = release_state,
    .held_bytes = held_bytes,
    .run = run,
};
