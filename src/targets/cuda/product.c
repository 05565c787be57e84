#include "targets/cuda/product.h"

#include "target/strides.h"

#include <string.h>

bool pn_cuda_product_accepts(const pn_problem *p, pn_cuda_product *out, pn_reason *why) {
  if (p->nodes[0].op != PN_OP_MATMUL) return false;
  const pn_attrs_matmul *attrs = p->nodes[0].attrs;
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  memset(out, 0, sizeof *out);
  if (p->nodes[p->node_count - 1].op == PN_OP_SPLIT) return pn_refuse(why, "columns that go to several results");
  if (!pn_cuda_is_f32_form(a->dtype) || b->dtype != a->dtype)
    return pn_refuse(why, "f32, f16 and bf16 only, without mixing");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(y)) return pn_refuse(why, "an empty result");
  if (p->node_count > 1 && (a->rank < 2 || b->rank < 2))
    return pn_refuse(why, "an expression after a product with a vector");
  int64_t rows = a->rank > 1 ? a->dims[a->rank - 2] : 1, columns = a->dims[a->rank - 1];
  bool trans_a = attrs->trans_a && a->rank > 1, trans_b = attrs->trans_b && b->rank > 1;
  out->m = trans_a ? columns : rows;
  out->k = trans_a ? rows : columns;
  out->a_row = trans_a ? 1 : columns;
  out->a_column = trans_a ? columns : 1;
  rows = b->rank > 1 ? b->dims[b->rank - 2] : b->dims[0];
  columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
  out->n = trans_b ? rows : columns;
  out->b_row = trans_b ? 1 : columns;
  out->b_column = trans_b ? columns : 1;
  /* Batch axes from the last to the first; both operands broadcast. */
  uint32_t a_axes = a->rank > 2 ? a->rank - 2 : 0, b_axes = b->rank > 2 ? b->rank - 2 : 0,
           axes = a_axes > b_axes ? a_axes : b_axes;
  int64_t dims[PN_MAX_RANK], a_strides[PN_MAX_RANK], b_strides[PN_MAX_RANK], a_step = out->m * out->k,
                                                                             b_step = out->k * out->n;
  for (uint32_t i = 0; i < axes; i++) {
    int64_t da = i < a_axes ? a->dims[a_axes - 1 - i] : 1, db = i < b_axes ? b->dims[b_axes - 1 - i] : 1;
    uint32_t d = axes - 1 - i;
    dims[d] = da == 1 ? db : da;
    a_strides[d] = da == 1 ? 0 : a_step;
    b_strides[d] = db == 1 ? 0 : b_step;
    a_step *= da;
    b_step *= db;
  }
  out->batches = 1;
  for (uint32_t d = 0; d < axes; d++) {
    if (dims[d] == 1) continue;
    uint32_t last = out->batch_axes - 1;
    bool join =
        out->batch_axes && out->a_batch[last] == a_strides[d] * dims[d] && out->b_batch[last] == b_strides[d] * dims[d];
    uint32_t to = join ? last : out->batch_axes++;
    out->batch[to] = join ? out->batch[to] * dims[d] : dims[d];
    out->a_batch[to] = a_strides[d];
    out->b_batch[to] = b_strides[d];
    out->batches *= dims[d];
  }
  /* One b for all batches: they are further rows of a. */
  if (out->batch_axes == 1 && out->b_batch[0] == 0 && out->a_row == out->k && out->a_batch[0] == out->m * out->k) {
    out->m *= out->batches;
    out->batches = 1;
    out->batch_axes = 0;
  }
  return pn_cuda_fits(p, why);
}

bool pn_cuda_product_parts(const pn_problem *p, pn_problem *body, pn_cuda_parts *out, pn_reason *why) {
  const pn_problem_node *last = &p->nodes[p->node_count - 1];
  *body = *p;
  *out = (pn_cuda_parts){.count = 1};
  if (p->node_count < 2 || last->op != PN_OP_SPLIT) return true;
  body->node_count--;
  const pn_operand *whole = pn_problem_input(p, p->node_count - 1, 0);
  const int64_t axis = ((const pn_attrs_split *)last->attrs)->axis;
  if (!whole || !whole->rank || (axis != -1 && axis != whole->rank - 1))
    return pn_refuse(why, "a split that is not of the columns");
  if (last->output_count > MOST_COLUMN_PARTS) return pn_refuse(why, "more than %d parts", (int)MOST_COLUMN_PARTS);
  out->count = last->output_count;
  for (uint32_t i = 0; i < out->count; i++) {
    const pn_operand *part = pn_problem_output(p, p->node_count - 1, i);
    if (!part) return pn_refuse(why, "a part that nobody wants");
    out->columns[i] = part->dims[part->rank - 1];
  }
  return true;
}

/* The result's rows and batches together are "places" when the product joined them: strides must then agree. */
bool pn_cuda_product_epilogue_strides(const pn_operand *o, const pn_operand *out, int *strides) {
  int64_t s[PN_MAX_RANK];
  if (!out->rank || !pn_operand_strides(o, out, s)) return false;
  int64_t row = out->rank > 1 ? s[out->rank - 2] : 0, rows = out->rank > 1 ? out->dims[out->rank - 2] : 1;
  bool found = rows != 1;
  strides[1] = (int)s[out->rank - 1];
  for (uint32_t d = out->rank > 1 ? out->rank - 2 : 0; d-- > 0;) { /* all axes before the columns as one */
    if (out->dims[d] != 1 && !found) {
      row = s[d] / rows;
      if (row * rows != s[d]) return false;
      found = true;
    } else if (out->dims[d] != 1 && s[d] != row * rows) {
      return false;
    }
    rows *= out->dims[d];
  }
  strides[2] = (int)row;
  strides[0] = 0; /* set by who keeps batches apart: rows of a batch times this */
  return true;
}
