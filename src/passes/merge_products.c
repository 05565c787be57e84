/* Products of one operand with several constant matrices, the queries, keys and values of an attention above all, are one
   product with these matrices side by side, of which each part of the columns is a result. A bias that follows each, or
   any other expression over constant vectors, follows the whole.

   The operand is then read once and one kernel runs in place of some, each of which is often too small for a GPU. What
   it costs is the taking apart: nothing where a target's product writes its parts, a copy elsewhere. So this is for
   targets that have such a product (see pn_passes_finish). */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"

/* As many as a kernel is to write. Products that stand far apart are left apart: their results would wait in memory. */
enum { MOST_PARTS = 4, MOST_DISTANCE = 48 };

typedef struct part {
  pn_node_id product, last; /* |last|: the expression behind it, or the product itself */
  int64_t columns;
} part;

static pn_node *product_of(const pn_rewrite *r, const part *p) { return pn_graph_node(r->g, p->product); }
static pn_node *last_of(const pn_rewrite *r, const part *p) { return pn_graph_node(r->g, p->last); }
static bool has_expression(const part *p) { return p->last.v != p->product.v; }
static pn_value_id result_of(const pn_node *node) { return node->outputs.data[0]; }
static bool is_turned(const pn_node *product) { return ((const pn_attrs_matmul *)product->attrs)->trans_b; }

/* ---- what belongs together ---------------------------------------------------------------------------------------- */

/* Whether every operand of the expression is the product, or a constant vector along its columns. */
static bool is_over_vectors(const pn_rewrite *r, const pn_node *product, const pn_node *expression, int64_t columns) {
  const pn_type *type = pn_rewrite_type(r, result_of(product));
  if (!pn_type_equal(type, pn_rewrite_type(r, result_of(expression)))) return false;
  for (uint32_t i = 0; i < expression->inputs.count; i++) {
    const pn_value_id v = expression->inputs.data[i];
    if (pn_value_same(v, result_of(product))) continue;
    type = pn_rewrite_type(r, v);
    if (!pn_graph_is_constant(r->g, v) || type->rank < 1 || !pelton_dtype_bytes(type->dtype)) return false;
    for (int32_t d = 0; d < type->rank; d++)
      if (!pn_dim_is(type->dims[d], d + 1 == type->rank ? columns : 1)) return false;
  }
  return true;
}

/* Whether |node| is a product that may be part of a larger one: with a constant matrix on its right. An expression behind
   it that cannot be merged is better off in one step with its own product. */
static bool find_part(const pn_rewrite *r, pn_node *node, part *out) {
  if (node->removed || node->op != PN_OP_MATMUL || ((const pn_attrs_matmul *)node->attrs)->trans_a) return false;
  const pn_value_id x = pn_node_input(node, 0), w = pn_node_input(node, 1);
  if (!pn_graph_is_constant(r->g, w) || pn_graph_is_constant(r->g, x)) return false;
  const pn_type *matrix = pn_rewrite_type(r, w);
  if (matrix->rank != 2 || pn_rewrite_type(r, x)->rank < 2 || !pelton_dtype_bytes(matrix->dtype)) return false;
  out->columns = matrix->dims[is_turned(node) ? 0 : 1].number;
  out->product = out->last = pn_rewrite_id(r, node);
  const pn_node *user = pn_rewrite_only_user(r, result_of(node));
  if (user && user->op == PN_OP_SPLIT) return false; /* has its parts already */
  if (user && user->op == PN_OP_POINTWISE) {
    if (!is_over_vectors(r, node, user, out->columns)) return false;
    out->last = pn_rewrite_id(r, user);
  }
  return out->columns > 0;
}

static bool belong_together(const pn_rewrite *r, const part *a, const part *b) {
  const pn_node *p = product_of(r, a), *q = product_of(r, b), *e = last_of(r, a), *f = last_of(r, b);
  if (!pn_value_same(p->inputs.data[0], q->inputs.data[0]) || is_turned(p) != is_turned(q)) return false;
  if (pn_rewrite_type(r, p->inputs.data[1])->dtype != pn_rewrite_type(r, q->inputs.data[1])->dtype) return false;
  if (!has_expression(a) || !has_expression(b)) return has_expression(a) == has_expression(b);
  if (!pn_attrs_equal(PN_OP_POINTWISE, e->attrs, f->attrs) || e->inputs.count != f->inputs.count) return false;
  for (uint32_t i = 0; i < e->inputs.count; i++) {
    const pn_value_id u = e->inputs.data[i], v = f->inputs.data[i];
    const pn_type *s = pn_rewrite_type(r, u), *t = pn_rewrite_type(r, v);
    if (pn_value_same(u, result_of(p)) != pn_value_same(v, result_of(q))) return false;
    if (s->dtype != t->dtype || s->rank != t->rank) return false;
  }
  return true;
}

/* ---- side by side ------------------------------------------------------------------------------------------------- */

/* The constants |values|, one a part, as one; |turned|: a part's columns are the rows of its constant. */
static pn_value_id side_by_side(pn_rewrite *r, const part *parts, uint32_t count, const pn_value_id *values,
                                bool turned) {
  pn_tensor tensors[MOST_PARTS];
  pn_type type = *pn_rewrite_type(r, values[0]);
  const size_t element = pelton_dtype_bytes(type.dtype);
  size_t bytes = 0, pitch = 0, at = 0;
  int64_t columns = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!pn_rewrite_constant(r, values[i], &tensors[i])) return PN_NO_VALUE;
    bytes += (size_t)pn_tensor_elements(&tensors[i]) * element;
    columns += parts[i].columns;
  }
  char *data = pn_arena_alloc(r->g->arena, bytes ? bytes : 1, 64);
  if (!data) return PN_NO_VALUE;
  const size_t rows = turned ? 1 : bytes / element / (size_t)columns;
  pitch = rows ? bytes / rows : 0;
  for (uint32_t i = 0; i < count; i++) {
    const size_t width = rows ? (size_t)pn_tensor_elements(&tensors[i]) * element / rows : 0;
    for (size_t k = 0; k < rows; k++)
      memcpy(data + k * pitch + at, (const char *)tensors[i].data + k * width, width);
    at += width;
  }
  type.dims[turned ? 0 : type.rank - 1] = pn_dim_of(columns);
  return pn_graph_add_constant(r->g, pn_graph_value(r->g, values[0])->name, &type, data, bytes);
}

static bool add_sources(pn_rewrite *r, pn_value_id made, const part *parts, uint32_t count, bool of_last) {
  for (uint32_t i = 0; i < count; i++)
    if (pn_rewrite_provenance(r, pn_rewrite_producer(r, made),
                              of_last ? last_of(r, &parts[i]) : product_of(r, &parts[i])))
      return false;
  return true;
}

/* The merged product; the operands' nodes stay. */
static pn_value_id add_product(pn_rewrite *r, const part *parts, uint32_t count, const pn_type *type) {
  const pn_node first = *product_of(r, &parts[0]);
  pn_value_id matrices[MOST_PARTS], operands[2] = {first.inputs.data[0]};
  for (uint32_t i = 0; i < count; i++) matrices[i] = product_of(r, &parts[i])->inputs.data[1];
  operands[1] = side_by_side(r, parts, count, matrices, is_turned(&first));
  if (!pn_value_valid(operands[1])) return PN_NO_VALUE;
  const pn_value_id y = pn_rewrite_add(r, PN_OP_MATMUL, first.attrs, first.name, operands, 2, type);
  return pn_value_valid(y) && add_sources(r, y, parts, count, false) ? y : PN_NO_VALUE;
}

/* The parts' expression over the merged |product|. */
static pn_value_id add_expression(pn_rewrite *r, const part *parts, uint32_t count, pn_value_id product,
                                  const pn_type *type) {
  const pn_node first = *last_of(r, &parts[0]);
  const pn_value_id old = result_of(product_of(r, &parts[0]));
  pn_value_id vectors[MOST_PARTS], operands[PN_EXPR_MAX_INPUTS];
  for (uint32_t i = 0; i < first.inputs.count; i++) {
    operands[i] = product;
    if (pn_value_same(first.inputs.data[i], old)) continue;
    for (uint32_t k = 0; k < count; k++) vectors[k] = last_of(r, &parts[k])->inputs.data[i];
    operands[i] = side_by_side(r, parts, count, vectors, false);
    if (!pn_value_valid(operands[i])) return PN_NO_VALUE;
  }
  const pn_value_id y =
      pn_rewrite_add(r, PN_OP_POINTWISE, first.attrs, first.name, operands, first.inputs.count, type);
  return pn_value_valid(y) && add_sources(r, y, parts, count, true) ? y : PN_NO_VALUE;
}

static pelton_status merge(pn_rewrite *r, const part *parts, uint32_t count) {
  pn_value_id results[MOST_PARTS], operands[2];
  int64_t sizes[MOST_PARTS], columns = 0;
  for (uint32_t i = 0; i < count; i++) {
    results[i] = result_of(last_of(r, &parts[i]));
    columns += sizes[i] = parts[i].columns;
  }
  pn_type type = *pn_rewrite_type(r, result_of(product_of(r, &parts[0])));
  pn_attrs_split *split = pn_attrs_new(PN_OP_SPLIT, r->g->arena);
  type.dims[type.rank - 1] = pn_dim_of(columns);
  pn_value_id y = add_product(r, parts, count, &type);
  if (pn_value_valid(y) && has_expression(&parts[0])) y = add_expression(r, parts, count, y, &type);
  operands[0] = y;
  operands[1] = pn_graph_add_i64s(r->g, PN_STR("parts"), sizes, count);
  if (!split || !pn_value_valid(y) || !pn_value_valid(operands[1])) return pn_fail_memory(r->diag, "a merged product");
  split->axis = type.rank - 1;
  const pn_str name = product_of(r, &parts[0])->name;
  r->changed++;
  return pn_node_valid(pn_rewrite_take_over(r, PN_OP_SPLIT, split, name, operands, 2, results, count))
             ? PELTON_OK
             : pn_fail_memory(r->diag, "a merged product");
}

static pelton_status merge_all(pn_rewrite *r) {
  const uint32_t count = r->g->nodes.count; /* without those that are added here */
  for (uint32_t i = 0; i < count; i++) {
    part parts[MOST_PARTS];
    uint32_t found = 1;
    if (!find_part(r, &r->g->nodes.data[i], &parts[0])) continue;
    for (uint32_t k = i + 1; k < count && k <= i + MOST_DISTANCE && found < MOST_PARTS; k++)
      if (find_part(r, &r->g->nodes.data[k], &parts[found]) && belong_together(r, &parts[0], &parts[found])) found++;
    if (found > 1) PN_TRY(merge(r, parts, found));
  }
  return PELTON_OK;
}

pelton_status pn_pass_merge_products(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, merge_all, changed, diag);
}
