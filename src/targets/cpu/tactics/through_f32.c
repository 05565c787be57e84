/* Operators whose floating-point operands are f16 or bf16, and those that only compare elements of 8 or 16 bits, by the
   tactic that does it in f32: operands are converted into the workspace, results back. A definition that computes wider
   than the type and rounds once at the end means the same; the types are only how the operands are kept.

   Constants are converted once, when they are packed: those that the tactic packs itself only for that, others stay in
   f32 behind what it packed. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

enum { OPERANDS = 16, PIECE = 4096 };

/* The same problem in f32. */
typedef struct inner {
  const pn_tactic *tactic;
  pn_problem problem;
  pn_operand operands[OPERANDS];
  bool converted[OPERANDS];
  size_t offsets[OPERANDS], bytes;   /* of the converted operands in the workspace */
  size_t packed_bytes, copied_bytes; /* what the tactic packs, and constants that it reads besides, by |offsets| */
} inner;

static bool is_constant(const pn_operand *o) { return o->role == PN_OPERAND_CONSTANT && o->data; }

static bool is_half(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16; }

/* PN_CPU_FORM_COUNT: none that f32 holds. */
static pn_cpu_form small_form(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_U8: return PN_CPU_FORM_u8;
  case PELTON_DTYPE_I8: return PN_CPU_FORM_i8;
  case PELTON_DTYPE_U16: return PN_CPU_FORM_u16;
  case PELTON_DTYPE_I16: return PN_CPU_FORM_i16;
  default: return PN_CPU_FORM_COUNT;
  }
}

/* Whether the operator's results are some of its operands' elements, or where they stand. */
static bool only_compares(const pn_problem_node *node) {
  switch (node->op) {
  case PN_OP_POOL: return ((const pn_attrs_pool *)node->attrs)->kind == PN_POOL_MAX;
  case PN_OP_ARG_REDUCE: return true;
  case PN_OP_REDUCE: {
    pn_reduce_kind kind = ((const pn_attrs_reduce *)node->attrs)->kind;
    return kind == PN_REDUCE_MAX || kind == PN_REDUCE_MIN;
  }
  default: return false;
  }
}

static bool find(const pn_problem *p, const pn_device *device, inner *in, pn_reason *why) {
  const pn_tactic *const *list;
  bool any = false, compares = only_compares(&p->nodes[0]);
  memset(in, 0, sizeof *in);
  if (p->node_count != 1 || p->operand_count > OPERANDS) return pn_refuse(why, "one operator at a time");
  pn_op op = p->nodes[0].op;
  if (op == PN_OP_POINTWISE || op == PN_OP_QUANTIZE || op == PN_OP_DEQUANTIZE)
    return pn_refuse(why, "%s has its own ways with types", pn_op_get(op)->name);
  in->problem = *p;
  in->problem.operands = in->operands;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    pn_operand *o = &in->operands[i];
    *o = p->operands[i];
    if (!is_half(o->dtype) && !(compares && small_form(o->dtype) != PN_CPU_FORM_COUNT)) continue;
    o->dtype = PELTON_DTYPE_F32; /* a constant still has its own elements: nobody reads them before pack */
    in->converted[i] = any = true;
    if (is_constant(o)) continue;
    in->offsets[i] = in->bytes;
    in->bytes += pn_align_up(pn_operand_bytes(o), 64);
  }
  if (!any) return pn_refuse(why, "nothing that is kept in fewer bits than f32");
  uint32_t count = pn_target_find(pn_str_from("cpu"))->tactics(device, &list);
  double best = 0;
  static const pn_config none = {{0}};
  for (uint32_t t = 0; t < count; t++) {
    if (list[t]->is_reference || !list[t]->accepts(&in->problem, device, NULL)) continue;
    double seconds = list[t]->estimate(&in->problem, device, &none);
    if (in->tactic && seconds >= best) continue;
    in->tactic = list[t];
    best = seconds;
  }
  if (!in->tactic) return pn_refuse(why, "no tactic takes it in f32");
  pn_sizes own = {0};
  if (in->tactic->sizes) in->tactic->sizes(&in->problem, device, &none, &own);
  in->packed_bytes = pn_align_up(own.packed_bytes, 64);
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (!in->converted[i] || !is_constant(&in->operands[i])) continue;
    if (in->tactic->packs && in->tactic->packs(&in->problem, i)) continue;
    in->offsets[i] = in->packed_bytes + in->copied_bytes;
    in->copied_bytes += pn_align_up(pn_operand_bytes(&in->operands[i]), 64);
  }
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  inner in;
  return find(p, device, &in, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  inner in;
  if (!find(p, device, &in, NULL)) return 1;
  return in.tactic->estimate(&in.problem, device, config) + pn_cpu_estimate(device, 0, 2 * (double)in.bytes, 1);
}

typedef struct state {
  inner in;
  const pn_cpu_vec_typed *typed;
} state;

static size_t inner_offset(void) { return pn_align_up(sizeof(state), 64); }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  inner in;
  pn_sizes own = {0};
  if (!find(p, device, &in, NULL)) return;
  if (in.tactic->sizes) in.tactic->sizes(&in.problem, device, config, &own);
  out->packed_bytes = in.packed_bytes + in.copied_bytes;
  out->state_bytes = inner_offset() + own.state_bytes;
  out->workspace_bytes = in.bytes + own.workspace_bytes;
}

static void widen(const pn_cpu_vec_typed *t, pelton_dtype dtype, size_t n, const void *narrow, float *wide) {
  pn_cpu_form form = small_form(dtype);
  if (form != PN_CPU_FORM_COUNT)
    t->convert[form][PN_CPU_FORM_f32](n, narrow, wide);
  else
    (dtype == PELTON_DTYPE_F16 ? t->f32_from_f16 : t->f32_from_bf16)(n, narrow, wide);
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  const pn_cpu_vec_typed *typed = pn_cpu_vec_typed_best(device->isa);
  void *lent[OPERANDS] = {NULL};
  pelton_status status = PELTON_OK;
  inner in;
  if (!find(p, device, &in, NULL)) return PN_INTERNAL(diag, "a problem changed after it was accepted");
  for (uint32_t i = 0; i < p->operand_count && !status; i++) {
    const pn_operand *o = &in.operands[i];
    if (!in.converted[i] || !is_constant(o)) continue;
    float *to = (float *)(void *)((char *)packed + in.offsets[i]);
    if (in.tactic->packs && in.tactic->packs(&in.problem, i)) {
      to = lent[i] = pn_alloc_raw(device->allocator, pn_operand_bytes(o), 64);
      if (!to && pn_operand_bytes(o)) {
        status = pn_fail_memory(diag, "constants in f32");
        break;
      }
    }
    widen(typed, p->operands[i].dtype, (size_t)pn_operand_elements(o), p->operands[i].data, to);
    in.operands[i].data = to;
  }
  if (!status && in.tactic->pack) status = in.tactic->pack(&in.problem, device, config, packed, diag);
  for (uint32_t i = 0; i < OPERANDS; i++) pn_release(device->allocator, lent[i]);
  return status;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  if (!find(p, device, &s->in, NULL)) return PN_INTERNAL(diag, "a problem changed after it was accepted");
  s->in.problem.operands = s->in.operands;
  s->typed = pn_cpu_vec_typed_best(device->isa);
  if (!s->in.tactic->prepare) return PELTON_OK;
  return s->in.tactic->prepare(&s->in.problem, device, config, (char *)memory + inner_offset(), diag);
}

static void release_state(void *memory) {
  state *s = memory;
  if (s->in.tactic && s->in.tactic->release_state) s->in.tactic->release_state((char *)memory + inner_offset());
}

typedef struct job {
  const state *s;
  pelton_dtype dtype;
  int64_t count;
  char *narrow;
  float *wide;
  bool back;
  uint32_t parts;
} job;

static void convert(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const pn_cpu_vec_typed *t = j->s->typed;
  int64_t begin, end;
  (void)thread;
  pn_cpu_share(j->count, PIECE, part, j->parts, &begin, &end);
  if (begin >= end) return;
  size_t n = (size_t)(end - begin);
  float *wide = j->wide + begin;
  void *narrow = j->narrow + (size_t)begin * pelton_dtype_bytes(j->dtype);
  pn_cpu_form form = small_form(j->dtype);
  if (form != PN_CPU_FORM_COUNT && j->back)
    t->convert[PN_CPU_FORM_f32][form](n, wide, narrow);
  else if (j->back)
    (j->dtype == PELTON_DTYPE_F16 ? t->f16_from_f32 : t->bf16_from_f32)(n, wide, narrow);
  else
    widen(t, j->dtype, n, narrow, wide);
}

static void convert_all(const pn_step *step, pn_stream *stream, bool results) {
  const state *s = step->state;
  for (uint32_t i = 0; i < step->problem->operand_count; i++) {
    const pn_operand *o = &step->problem->operands[i];
    if (!s->in.converted[i] || is_constant(o) || (o->role == PN_OPERAND_OUTPUT) != results) continue;
    int64_t count = pn_operand_elements(o);
    job j = {.s = s,
             .dtype = o->dtype,
             .count = count,
             .narrow = step->operands[i],
             .back = results,
             .wide = (float *)(void *)((char *)step->workspace + s->in.offsets[i]),
             .parts = pn_cpu_parts(stream->device, pn_div_up(count, PIECE), 6 * (double)count)};
    pn_pool_run(stream->device->pool, j.parts, convert, &j);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  void *operands[OPERANDS] = {NULL};
  for (uint32_t i = 0; i < step->problem->operand_count; i++) {
    if (!s->in.converted[i])
      operands[i] = step->operands[i];
    else if (!is_constant(&s->in.operands[i]))
      operands[i] = (char *)step->workspace + s->in.offsets[i];
    else if (!s->in.tactic->packs || !s->in.tactic->packs(&s->in.problem, i))
      operands[i] = (void *)(uintptr_t)((const char *)step->packed + s->in.offsets[i]);
  }
  pn_step own = {.problem = &s->in.problem,
                 .config = step->config,
                 .packed = step->packed,
                 .operands = operands,
                 .state = (const char *)step->state + inner_offset(),
                 .workspace = (char *)step->workspace + s->in.bytes};
  convert_all(step, stream, false);
  PN_TRY(s->in.tactic->run(&own, stream, diag));
  convert_all(step, stream, true);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_through_f32 = {
    .name = "cpu.through_f32",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .release_state = release_state,
    .run = run,
};
