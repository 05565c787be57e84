/* An einsum of two operands that sums over labels which both have is a matrix product between transposes: labels of both
   operands and the output are its stack, those of one operand and the output its rows or columns, those that are summed
   its depth. "bqhd,bkhd->bhqk" is [b,h,q,d] times the transpose of [b,h,k,d].

   Several labels that play one part are reshaped into one axis. Left as they are: labels twice in a term (diagonals),
   labels that only one operand has and nobody keeps, products without a sum, extents that may broadcast in the depth.
 */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/linear/einsum.h"
#include "op/schema.h"

typedef struct part {
  uint32_t count;
  uint8_t label[PN_MAX_RANK];
} part;

/* What becomes of the einsum: operands [stack, rows, depth] and [stack, depth, columns]. */
typedef struct plan {
  part stack, rows, columns, depth;
  part order[2], product; /* labels of the transposed operands and of the product, before merging */
  bool merges[2], parts;  /* an operand's axes are merged; the product's are parted again */
  pn_type merged[2], product_type;
  pn_dim extent[PN_EINSUM_LABELS];
  pn_value_id operand[2];
} plan;

static bool has(const pn_einsum_labels *l, uint8_t label) {
  for (uint32_t i = 0; i < l->count; i++)
    if (l->label[i] == label) return true;
  return false;
}

static bool repeats(const pn_einsum_labels *l) {
  for (uint32_t i = 0; i < l->count; i++)
    for (uint32_t k = 0; k < i; k++)
      if (l->label[i] == l->label[k]) return true;
  return false;
}

static void add(part *p, uint8_t label) { p->label[p->count++] = label; }

static void append(part *p, const part *more) {
  for (uint32_t i = 0; i < more->count; i++) add(p, more->label[i]);
}

/* Which label plays which part. */
static bool sort_labels(const pn_einsum_equation *e, uint32_t left, plan *p) {
  const pn_einsum_labels *a = &e->in[left], *b = &e->in[!left], *out = &e->out;
  if (repeats(a) || repeats(b)) return false;
  for (uint32_t i = 0; i < out->count; i++) {
    const bool in_a = has(a, out->label[i]), in_b = has(b, out->label[i]);
    add(in_a && in_b ? &p->stack : in_a ? &p->rows : &p->columns, out->label[i]);
  }
  for (uint32_t i = 0; i < a->count; i++) {
    if (has(out, a->label[i])) continue;
    if (!has(b, a->label[i])) return false;
    add(&p->depth, a->label[i]);
  }
  for (uint32_t i = 0; i < b->count; i++)
    if (!has(out, b->label[i]) && !has(a, b->label[i])) return false;
  return p->depth.count > 0;
}

/* One axis for all labels of |labels|; false when their product is not a number. */
static bool merge(const plan *p, const part *labels, pn_dim *out) {
  int64_t product = 1;
  if (labels->count == 1) {
    *out = p->extent[labels->label[0]];
    return true;
  }
  for (uint32_t i = 0; i < labels->count; i++) {
    const pn_dim d = p->extent[labels->label[i]];
    if (!pn_dim_is_number(d) || d.number < 0 || (d.number && product > INT64_MAX / d.number)) return false;
    product *= d.number;
  }
  *out = pn_dim_of(product);
  return true;
}

static pn_type type_of(const plan *p, pelton_dtype dtype, const part *labels) {
  pn_type type = {.dtype = dtype, .rank = (int32_t)labels->count};
  for (uint32_t i = 0; i < labels->count; i++) type.dims[i] = p->extent[labels->label[i]];
  return type;
}

/* |type| with one axis of |one| and one of |two| behind the stack. */
static bool matrix_type(const plan *p, pelton_dtype dtype, const part *one, const part *two, pn_type *type) {
  *type = type_of(p, dtype, &p->stack);
  if (type->rank + 2 > PN_MAX_RANK) return false;
  return merge(p, one, &type->dims[type->rank++]) && merge(p, two, &type->dims[type->rank++]);
}

/* Whether a reshape can say |to|, and whether one is needed. */
static bool reshapes(const pn_type *from, const pn_type *to, bool *needed) {
  int64_t target[PN_MAX_RANK];
  *needed = !pn_type_equal(from, to);
  return !*needed || pn_reshape_target(from, to, target);
}

static bool find_extents(const pn_rewrite *r, const pn_node *node, const pn_einsum_equation *e, plan *p) {
  for (uint32_t i = 0; i < 2; i++) {
    const pn_type *type = pn_rewrite_type(r, node->inputs.data[i]);
    for (uint32_t k = 0; k < e->in[i].count; k++) {
      const uint8_t label = e->in[i].label[k];
      if (i == 1 && has(&e->in[0], label) && !pn_dim_equal(p->extent[label], type->dims[k])) return false;
      p->extent[label] = type->dims[k];
    }
  }
  return true;
}

static bool make_plan(const pn_rewrite *r, const pn_node *node, const pn_einsum_equation *e, plan *p) {
  const pelton_dtype dtype = pn_rewrite_type(r, node->inputs.data[0])->dtype;
  /* The operand with the output's last label gives the columns. */
  const uint32_t left = e->out.count && has(&e->in[0], e->out.label[e->out.count - 1]) &&
                        !has(&e->in[1], e->out.label[e->out.count - 1]);
  memset(p, 0, sizeof *p);
  if (!sort_labels(e, left, p) || !find_extents(r, node, e, p)) return false;
  p->operand[0] = node->inputs.data[left];
  p->operand[1] = node->inputs.data[!left];
  append(&p->order[0], &p->stack);
  append(&p->order[0], &p->rows);
  append(&p->order[0], &p->depth);
  append(&p->order[1], &p->stack);
  append(&p->order[1], &p->depth);
  append(&p->order[1], &p->columns);
  append(&p->product, &p->stack);
  append(&p->product, &p->rows);
  append(&p->product, &p->columns);
  pn_type ordered[2] = {type_of(p, dtype, &p->order[0]), type_of(p, dtype, &p->order[1])};
  const pn_type whole = type_of(p, dtype, &p->product);
  /* Without a stack the left operand's rows need not be one axis. */
  const bool rows_stay = p->stack.count == 0 && p->rows.count > 1 && p->depth.count == 1;
  if (rows_stay)
    p->merged[0] = ordered[0];
  else if (!matrix_type(p, dtype, &p->rows, &p->depth, &p->merged[0]))
    return false;
  if (!matrix_type(p, dtype, &p->depth, &p->columns, &p->merged[1])) return false;
  p->product_type = p->merged[0];
  p->product_type.dims[p->product_type.rank - 1] = p->merged[1].dims[p->merged[1].rank - 1];
  return reshapes(&ordered[0], &p->merged[0], &p->merges[0]) && reshapes(&ordered[1], &p->merged[1], &p->merges[1]) &&
         reshapes(&p->product_type, &whole, &p->parts);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static pn_str name_of(pn_rewrite *r, const pn_node *node, const char *what) {
  const char *name = pn_str_printf(r->scratch, "%.*s.%s", PN_STR_ARG(node->name), what);
  r->failed = r->failed || !name;
  return pn_str_from(name ? name : "");
}

/* |perm| of labels |from| to |to|; null when nothing moves. */
static const void *transpose_attrs(pn_rewrite *r, const uint8_t *from, const part *to, bool *needed) {
  int64_t perm[PN_MAX_RANK];
  *needed = false;
  for (uint32_t i = 0; i < to->count; i++) {
    perm[i] = 0;
    while (from[perm[i]] != to->label[i]) perm[i]++;
    *needed = *needed || perm[i] != (int64_t)i;
  }
  pn_attrs_transpose *attrs = pn_attrs_new(PN_OP_TRANSPOSE, r->g->arena);
  if (!attrs) return NULL;
  attrs->perm.data = pn_arena_copy(r->g->arena, perm, to->count * sizeof *perm, sizeof *perm);
  attrs->perm.count = to->count;
  return attrs->perm.data || !to->count ? attrs : NULL;
}

static pn_value_id add_shape(pn_rewrite *r, const pn_node *node, const pn_type *from, const pn_type *to) {
  int64_t *target = pn_arena_alloc(r->g->arena, sizeof *target * PN_MAX_RANK, 64);
  const pn_type type = {.dtype = PELTON_DTYPE_I64, .rank = 1, .dims = {pn_dim_of(to->rank)}};
  if (!target || !pn_reshape_target(from, to, target)) return PN_NO_VALUE;
  return pn_graph_add_constant(r->g, name_of(r, node, "shape"), &type, target, sizeof *target * (size_t)to->rank);
}

/* An operand in the product's order and shape; PN_NO_VALUE when memory is out. */
static pn_value_id add_operand(pn_rewrite *r, pn_node_id id, const pn_einsum_labels *labels, const plan *p, uint32_t i) {
  bool moves;
  pn_value_id v = p->operand[i];
  const pelton_dtype dtype = pn_rewrite_type(r, v)->dtype;
  const pn_type ordered = type_of(p, dtype, &p->order[i]);
  const void *attrs = transpose_attrs(r, labels->label, &p->order[i], &moves);
  if (!attrs) return PN_NO_VALUE;
  if (moves)
    v = pn_rewrite_add(r, PN_OP_TRANSPOSE, attrs, name_of(r, pn_graph_node(r->g, id), "ordered"), &v, 1, &ordered);
  if (!p->merges[i] || !pn_value_valid(v)) return v;
  const pn_value_id operands[2] = {v, add_shape(r, pn_graph_node(r->g, id), &ordered, &p->merged[i])};
  attrs = pn_attrs_new(PN_OP_RESHAPE, r->g->arena);
  if (!attrs || !pn_value_valid(operands[1])) return PN_NO_VALUE;
  return pn_rewrite_add(r, PN_OP_RESHAPE, attrs, name_of(r, pn_graph_node(r->g, id), "merged"), operands, 2,
                        &p->merged[i]);
}

static pelton_status lower(pn_rewrite *r, pn_node_id id, const pn_einsum_equation *e, const plan *p) {
  const uint32_t left = pn_value_same(p->operand[0], pn_graph_node(r->g, id)->inputs.data[0]) ? 0 : 1;
  pn_value_id operands[2] = {add_operand(r, id, &e->in[left], p, 0), add_operand(r, id, &e->in[!left], p, 1)};
  part out = {.count = e->out.count};
  memcpy(out.label, e->out.label, sizeof out.label);
  bool moves;
  const void *last = transpose_attrs(r, p->product.label, &out, &moves), *attrs = pn_attrs_new(PN_OP_MATMUL, r->g->arena);
  if (!pn_value_valid(operands[0]) || !pn_value_valid(operands[1]) || !last || !attrs)
    return pn_fail_memory(r->diag, "a lowered einsum");
  r->changed++;
  if (!p->parts && !moves)
    return pn_rewrite_become(r, pn_graph_node(r->g, id), PN_OP_MATMUL, attrs, operands, 2);
  pn_value_id y = pn_rewrite_add(r, PN_OP_MATMUL, attrs, name_of(r, pn_graph_node(r->g, id), "product"), operands, 2,
                                 &p->product_type);
  if (!pn_value_valid(y)) return pn_fail_memory(r->diag, "a lowered einsum");
  if (p->parts) {
    const pn_type whole = type_of(p, p->product_type.dtype, &p->product);
    operands[0] = y;
    operands[1] = add_shape(r, pn_graph_node(r->g, id), &p->product_type, &whole);
    attrs = pn_attrs_new(PN_OP_RESHAPE, r->g->arena);
    if (!pn_value_valid(operands[1]) || !attrs) return pn_fail_memory(r->diag, "a lowered einsum");
    if (!moves) return pn_rewrite_become(r, pn_graph_node(r->g, id), PN_OP_RESHAPE, attrs, operands, 2);
    y = pn_rewrite_add(r, PN_OP_RESHAPE, attrs, name_of(r, pn_graph_node(r->g, id), "parted"), operands, 2, &whole);
    if (!pn_value_valid(y)) return pn_fail_memory(r->diag, "a lowered einsum");
  }
  return pn_rewrite_become(r, pn_graph_node(r->g, id), PN_OP_TRANSPOSE, last, &y, 1);
}

static pelton_status lower_all(pn_rewrite *r) {
  const uint32_t count = r->g->nodes.count;
  for (uint32_t i = 0; i < count; i++) {
    const pn_node *node = &r->g->nodes.data[i];
    if (node->removed || node->op != PN_OP_EINSUM || node->inputs.count != 2) continue;
    const pn_type *a = pn_rewrite_type(r, node->inputs.data[0]), *b = pn_rewrite_type(r, node->inputs.data[1]);
    const int32_t ranks[2] = {a->rank, b->rank};
    pn_einsum_equation e;
    bool open;
    plan p;
    if (a->rank < 0 || b->rank < 0 || a->dtype != b->dtype) continue;
    PN_TRY(pn_einsum_read(r->diag, ((const pn_attrs_einsum *)node->attrs)->equation, 2, ranks, &e, &open));
    if (!open && make_plan(r, node, &e, &p)) PN_TRY(lower(r, (pn_node_id){i}, &e, &p));
  }
  return PELTON_OK;
}

pelton_status pn_pass_lower_einsum(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, lower_all, changed, diag);
}
