#include "targets/cuda/each.h"

#include <string.h>

/* ---- a stage's names -------------------------------------------------------------------------------------------- */

void pn_cuda_each_begin(pn_cuda_each *e, const pn_problem *p, const pn_device *device, pn_cuda_work *work) {
  *e = (pn_cuda_each){.problem = p, .device = device, .work = work, .stage = &work->stage[work->count]};
  memset(e->stage, 0, sizeof *e->stage);
  memset(e->stage->operands, 0xff, sizeof e->stage->operands);
  pn_text_init(&e->head, device->allocator);
}

static void add_operand(pn_cuda_each *e, const char *name, const pn_operand *o) {
  static const char *const words[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
  pelton_dtype dtype = o ? o->dtype : PELTON_DTYPE_F32;
  if (e->operands == EACH_OPERANDS) {
    e->overflow = true;
    return;
  }
  pn_text_printf(&e->head,
                 "#define %s (a.operand[%u])\n#define %s_TYPE %s\n#define %s_FORM %s\n#define %s_WORD %s\n"
                 "#define WITH_%s %d\n",
                 name, (unsigned)e->operands, name, pn_cuda_type_name(dtype), name, pn_cuda_form_name(dtype), name,
                 words[pelton_dtype_bytes(dtype)], name, o != NULL);
  if (o) e->stage->operands[e->operands] = (uint16_t)pn_operand_index(e->problem, o);
  e->operands++;
}

void pn_cuda_each_operands(pn_cuda_each *e, const char *const *inputs, uint32_t input_count, const char *const *outputs,
                           uint32_t output_count) {
  for (uint32_t i = 0; i < input_count; i++) add_operand(e, inputs[i], pn_problem_input(e->problem, 0, i));
  for (uint32_t i = 0; i < output_count; i++) add_operand(e, outputs[i], pn_problem_output(e->problem, 0, i));
}

static bool fits(pn_cuda_each *e, const int64_t *values, uint32_t count, uint32_t used, uint32_t room) {
  for (uint32_t i = 0; i < count; i++)
    if (values[i] > INT32_MAX || values[i] < -INT32_MAX) e->overflow = true;
  if (used + count > room) e->overflow = true;
  return !e->overflow;
}

void pn_cuda_each_numbers(pn_cuda_each *e, const char *name, const int64_t *values, uint32_t count) {
  if (!fits(e, values, count, e->numbers, EACH_NUMBERS)) return;
  pn_text_printf(&e->head, "#define %s(i) (a.number[%u + (i)])\n", name, (unsigned)e->numbers);
  for (uint32_t i = 0; i < count; i++) e->stage->arguments.number[e->numbers++] = (int)values[i];
}

void pn_cuda_each_number(pn_cuda_each *e, const char *name, int64_t value) {
  if (!fits(e, &value, 1, e->numbers, EACH_NUMBERS)) return;
  pn_text_printf(&e->head, "#define %s (a.number[%u])\n", name, (unsigned)e->numbers);
  e->stage->arguments.number[e->numbers++] = (int)value;
}

void pn_cuda_each_dividers(pn_cuda_each *e, const char *name, const int64_t *values, uint32_t count) {
  if (!fits(e, values, count, e->dividers, EACH_DIVIDERS)) return;
  pn_text_printf(&e->head, "#define %s(i) (a.divider[%u + (i)])\n", name, (unsigned)e->dividers);
  for (uint32_t i = 0; i < count; i++) e->stage->arguments.divider[e->dividers++] = pn_cuda_divider(values[i]);
}

void pn_cuda_each_divider(pn_cuda_each *e, const char *name, int64_t value) {
  if (!fits(e, &value, 1, e->dividers, EACH_DIVIDERS)) return;
  pn_text_printf(&e->head, "#define %s (a.divider[%u])\n", name, (unsigned)e->dividers);
  e->stage->arguments.divider[e->dividers++] = pn_cuda_divider(value);
}

void pn_cuda_each_real(pn_cuda_each *e, const char *name, double value) {
  if (e->reals == EACH_REALS) {
    e->overflow = true;
    return;
  }
  pn_text_printf(&e->head, "#define %s (a.real[%u])\n", name, (unsigned)e->reals);
  e->stage->arguments.real[e->reals++] = value;
}

void pn_cuda_each_constant(pn_cuda_each *e, const char *name, int64_t value) {
  pn_text_printf(&e->head, "#define %s %lld\n", name, (long long)value);
}

void pn_cuda_each_word(pn_cuda_each *e, const char *name, const char *value) {
  pn_text_printf(&e->head, "#define %s %s\n", name, value);
}

pelton_status pn_cuda_each_end(pn_cuda_each *e, const char *file, const char *entry, int64_t count, uint32_t threads,
                               pelton_diag *diag) {
  struct pn_cuda_stage *s = e->stage;
  pelton_status status = PELTON_OK;
  if (e->overflow || count > INT32_MAX || e->work->count == PN_CUDA_STAGES_OF_WORK)
    status = pn_fail(diag, PELTON_UNSUPPORTED, "the kernel %s cannot take numbers of more than 31 bits", entry);
  else if (e->head.failed)
    status = pn_fail_memory(diag, "a kernel");
  if (!status) {
    pn_cuda_source source = {e->head.data, file, entry, !e->fused};
    s->arguments.count = (unsigned)count;
    s->threads = threads == 1 ? PN_CUDA_BLOCK : threads;
    s->grid = threads == 1 ? pn_cuda_blocks(e->device, count)
                           : (uint32_t)pn_min_i64(count, (int64_t)e->device->multiprocessors * 64);
    status = pn_cuda_function(e->device, &source, &s->function, diag);
  }
  pn_text_deinit(&e->head);
  if (!status) e->work->count++;
  return status;
}

/* ---- members of tactics ------------------------------------------------------------------------------------------ */

static const pn_cuda_each_op *find(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *p) {
  for (uint32_t i = 0; i < count; i++)
    if (ops[i].op == p->nodes[0].op) return &ops[i];
  return NULL;
}

bool pn_cuda_each_accepts(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *p, pn_reason *why) {
  const pn_cuda_each_op *op = p->node_count == 1 ? find(ops, count, p) : NULL;
  if (!op) return false;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    if (o->layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_cuda_type_name(o->dtype)) return pn_refuse(why, "no kernel for %s", pelton_dtype_name(o->dtype));
    for (uint32_t d = 0; d < o->rank; d++)
      if (o->dims[d] > INT32_MAX) return pn_refuse(why, "an extent of more than 2^31");
  }
  return pn_cuda_fits(p, why) && (!op->accepts || op->accepts(p, why));
}

bool pn_cuda_each_roomy(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *p, const pn_device *device,
                        pn_reason *why) {
  pn_sizes sizes = {0};
  pn_cuda_each_sizes(ops, count, p, device, &sizes);
  const double bytes = pn_cuda_operand_bytes(p) + (double)sizes.workspace_bytes;
  return bytes <= 0.25 * (double)device->memory_bytes ||
         pn_refuse(why, "it may take %.3g GB, more than a quarter of the device's memory", 1e-9 * bytes);
}

double pn_cuda_each_estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 0, 4 * pn_cuda_operand_bytes(p), 1) + 2e-6;
}

void pn_cuda_each_sizes(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *p, const pn_device *device,
                        pn_sizes *out) {
  const pn_cuda_each_op *op = find(ops, count, p);
  out->state_bytes = sizeof(pn_cuda_work);
  if (op && op->workspace) out->workspace_bytes = op->workspace(p, device);
}

pelton_status pn_cuda_each_prepare(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *p,
                                   const pn_device *device, void *state, pelton_diag *diag) {
  const pn_cuda_each_op *op = find(ops, count, p);
  pn_cuda_work *work = state;
  if (!op) return PN_INTERNAL(diag, "a problem changed after it was accepted");
  pelton_status status = op->prepare(p, device, work, diag);
  if (status) pn_cuda_each_release(work);
  return status;
}

pelton_status pn_cuda_each_launch(const pn_step *step, pn_stream *stream, const struct pn_cuda_stage *s,
                                  const struct each_arguments *arguments, pelton_diag *diag) {
  struct each_arguments a = *arguments;
  for (uint32_t k = 0; k < EACH_OPERANDS; k++)
    a.operand[k] = s->operands[k] == PN_NO_OPERAND ? NULL : step->operands[s->operands[k]];
  a.workspace = step->workspace;
  a.table = ((const pn_cuda_work *)step->state)->table;
  a.fault = stream->fault;
  a.step = (int)step->number;
  a.found = step->count;
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, s->threads, &a, diag);
}

pelton_status pn_cuda_each_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_cuda_work *work = step->state;
  for (uint32_t i = 0; i < work->count; i++)
    PN_TRY(pn_cuda_each_launch(step, stream, &work->stage[i], &work->stage[i].arguments, diag));
  return PELTON_OK;
}

void pn_cuda_each_release(void *state) {
  pn_cuda_work *work = state;
  if (work->device) pn_cuda_table_release(work->device, work->table);
}

pn_cuda_line pn_cuda_line_of(const pn_operand *o, int64_t axis) {
  pn_cuda_line line = {1, 1, 1};
  if (axis < 0) axis += o->rank;
  for (uint32_t d = 0; d < o->rank; d++)
    *(d < axis ? &line.outer : d == axis ? &line.extent : &line.inner) *= o->dims[d];
  return line;
}

void pn_cuda_each_line(pn_cuda_each *e, const pn_cuda_line *line) {
  pn_cuda_each_number(e, "EXTENT", line->extent);
  pn_cuda_each_divider(e, "INNER", line->inner);
}
