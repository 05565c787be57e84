/* Einstein sums of two operands in f32 as a batch of matrix products, and of one operand, when nothing is summed, as a
   copy.

   A label of both operands and the output counts batches, one of the output and one operand rows or columns, one of
   both operands alone the steps of the sum. The operands are copied so that these lie in order, the product is the
   matmul tactic's, and its result is copied to where the output has it. */
#include "op/linear/einsum.h"
#include "base/bytes.h"
#include "targets/cpu/copy.h"

extern const pn_tactic pn_tactic_cpu_matmul;

typedef enum role { BATCH, ROW, COLUMN, STEP, ROLES } role;

typedef struct plan {
  pn_copy a, b, c; /* into A[batch,row,step], B[batch,step,column]; out of C[batch,row,column] */
  int64_t extents[ROLES];
} plan;

typedef struct state {
  bool single;
  plan plan;
  size_t b_offset, c_offset, inner_offset; /* in the workspace */
} state;

/* ---- planning ------------------------------------------------------------------------------------------------------
 */

/* Which role a label has; ROLES: it would be summed in one operand alone. */
static role role_of(const pn_einsum_loops *l, uint32_t label) {
  bool a = l->strides[0][label] != 0, b = l->strides[1][label] != 0, kept = label < l->out_count;
  if (l->dims[label] == 1) return ROW;
  if (a && b) return kept ? BATCH : STEP;
  if (!kept) return ROLES;
  return b ? COLUMN : ROW;
}

/* Appends the labels of |wanted| to a copy between an operand's strides and a dense box, whose last axis has |*dense|.
 */
static void add_labels(const pn_einsum_loops *l, role wanted, const int64_t *strides, bool to_operand, int64_t *dense,
                       pn_copy *copy) {
  for (uint32_t i = l->count; i-- > 0;) {
    if (role_of(l, i) != wanted || l->dims[i] == 1) continue;
    pn_move_axis(&copy->move, l->dims[i], to_operand ? strides[i] : *dense, to_operand ? *dense : strides[i]);
    *dense *= l->dims[i];
  }
}

static bool read_loops(const pn_problem *p, pn_einsum_loops *l) {
  pn_tensor in[2] = {{0}};
  pelton_diag *none = NULL;
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    in[i] = (pn_tensor){.dtype = o->dtype, .rank = o->rank};
    memcpy(in[i].dims, o->dims, sizeof in[i].dims);
  }
  const pn_attrs_einsum *attrs = p->nodes[0].attrs;
  return pn_einsum_plan(attrs->equation, p->nodes[0].input_count, in, l, none) == PELTON_OK;
}

static void out_strides(const pn_einsum_loops *l, int64_t *strides) {
  int64_t step = 1;
  for (uint32_t i = l->count; i-- > 0;) {
    strides[i] = i < l->out_count ? step : 0;
    if (i < l->out_count) step *= l->dims[i];
  }
}

static bool make_plan(const pn_problem *p, plan *out, pn_reason *why) {
  pn_einsum_loops l;
  int64_t to[PN_EINSUM_LABELS], dense[3] = {1, 1, 1};
  memset(out, 0, sizeof *out);
  if (!read_loops(p, &l)) return pn_refuse(why, "the equation does not fit the operands");
  for (uint32_t r = 0; r < ROLES; r++) out->extents[r] = 1;
  uint32_t axes = 0;
  for (uint32_t i = 0; i < l.count; i++) {
    role r = role_of(&l, i);
    if (r == ROLES) return pn_refuse(why, "a label is summed in one operand alone");
    if (!l.dims[i]) return pn_refuse(why, "an empty operand");
    out->extents[r] *= l.dims[i];
    axes += l.dims[i] != 1;
  }
  if (axes > PN_MOVE_RANK) return pn_refuse(why, "more than %d labels", PN_MOVE_RANK);
  out_strides(&l, to);
  out->a.move.element_bytes = out->b.move.element_bytes = out->c.move.element_bytes = 4;
  static const role a_order[] = {STEP, ROW, BATCH}, b_order[] = {COLUMN, STEP, BATCH}, c_order[] = {COLUMN, ROW, BATCH};
  for (uint32_t i = 0; i < 3; i++) {
    add_labels(&l, a_order[i], l.strides[0], false, &dense[0], &out->a);
    add_labels(&l, b_order[i], l.strides[1], false, &dense[1], &out->b);
    add_labels(&l, c_order[i], to, true, &dense[2], &out->c);
  }
  return true;
}

/* The product as a problem of its own; it lives as long as this. */
typedef struct product {
  pn_attrs_matmul attrs;
  pn_operand operands[3];
  uint16_t inputs[2], outputs[1];
  pn_problem_node node;
  pn_problem problem;
} product;

static void make_product(const plan *s, product *m) {
  static const role dims[3][3] = {{BATCH, ROW, STEP}, {BATCH, STEP, COLUMN}, {BATCH, ROW, COLUMN}};
  memset(m, 0, sizeof *m);
  for (uint32_t i = 0; i < 3; i++) {
    m->operands[i] =
        (pn_operand){.role = i < 2 ? PN_OPERAND_INPUT : PN_OPERAND_OUTPUT, .dtype = PELTON_DTYPE_F32, .rank = 3};
    for (uint32_t d = 0; d < 3; d++) m->operands[i].dims[d] = s->extents[dims[i][d]];
  }
  m->inputs[1] = 1;
  m->outputs[0] = 2;
  m->node = (pn_problem_node){PN_OP_MATMUL, &m->attrs, 2, 1, m->inputs, m->outputs};
  m->problem = (pn_problem){1, &m->node, 3, m->operands, false};
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  plan s;
  product m;
  if (!pn_accepts_one(p, PN_OP_EINSUM, why)) return false;
  uint32_t count = p->nodes[0].input_count;
  if (count > 2) return pn_refuse(why, "more than two operands");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  }
  if (!make_plan(p, &s, why)) return false;
  make_product(&s, &m);
  return count == 1 || pn_tactic_cpu_matmul.accepts(&m.problem, device, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  plan s;
  product m;
  double moved = pn_cpu_estimate(device, 0, 3 * pn_cpu_operand_bytes(p), 1);
  if (!make_plan(p, &s, NULL) || p->nodes[0].input_count == 1) return moved;
  make_product(&s, &m);
  return moved + pn_tactic_cpu_matmul.estimate(&m.problem, device, config);
}

static size_t bytes_of(const plan *s, role x, role y, role z) {
  return pn_align_up((size_t)(s->extents[x] * s->extents[y] * s->extents[z]) * sizeof(float), 64);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  plan s;
  product m;
  pn_sizes inner = {0};
  out->state_bytes = pn_align_up(sizeof(state), 64);
  if (!make_plan(p, &s, NULL) || p->nodes[0].input_count == 1) return;
  make_product(&s, &m);
  pn_tactic_cpu_matmul.sizes(&m.problem, device, config, &inner);
  out->state_bytes += inner.state_bytes;
  out->workspace_bytes = bytes_of(&s, BATCH, ROW, STEP) + bytes_of(&s, BATCH, STEP, COLUMN) +
                         bytes_of(&s, BATCH, ROW, COLUMN) + inner.workspace_bytes;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  product m;
  if (!make_plan(p, &s->plan, NULL)) return PN_INTERNAL(diag, "an einsum changed after it was accepted");
  s->single = p->nodes[0].input_count == 1;
  s->b_offset = bytes_of(&s->plan, BATCH, ROW, STEP);
  s->c_offset = s->b_offset + bytes_of(&s->plan, BATCH, STEP, COLUMN);
  s->inner_offset = s->c_offset + bytes_of(&s->plan, BATCH, ROW, COLUMN);
  make_product(&s->plan, &m);
  if (s->single) { /* straight to the output: rows in the order of its labels */
    pn_copy_plan(&s->plan.a, device);
    return PELTON_OK;
  }
  pn_copy_plan(&s->plan.a, device);
  pn_copy_plan(&s->plan.b, device);
  pn_copy_plan(&s->plan.c, device);
  return pn_tactic_cpu_matmul.prepare(&m.problem, device, config, (char *)memory + pn_align_up(sizeof(state), 64),
                                      diag);
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  char *work = step->workspace;
  void *y = step->operands[node->outputs[0]];
  pn_pool *pool = stream->device->pool;
  if (s->single) {
    pn_copy_run(&s->plan.a, pool, y, step->operands[node->inputs[0]]);
    return PELTON_OK;
  }
  void *operands[3] = {work, work + s->b_offset, work + s->c_offset};
  product m;
  make_product(&s->plan, &m);
  pn_step inner = {.problem = &m.problem,
                   .config = step->config,
                   .operands = operands,
                   .state = (const char *)step->state + pn_align_up(sizeof(state), 64),
                   .workspace = work + s->inner_offset};
  pn_copy_run(&s->plan.a, pool, operands[0], step->operands[node->inputs[0]]);
  pn_copy_run(&s->plan.b, pool, operands[1], step->operands[node->inputs[1]]);
  if (s->plan.extents[ROW] == 1 && s->plan.extents[COLUMN] == 1) { /* a product of 1 x 1 is a dot product */
    int64_t k = s->plan.extents[STEP];
    const float *a = operands[0], *b = operands[1];
    for (int64_t i = 0; i < s->plan.extents[BATCH]; i++)
      ((float *)operands[2])[i] = stream->device->reduce->dot((size_t)k, a + i * k, b + i * k);
  } else {
    PN_TRY(pn_tactic_cpu_matmul.run(&inner, stream, diag));
  }
  pn_copy_run(&s->plan.c, pool, y, operands[2]);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_einsum = {
    .name = "cpu.einsum",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
