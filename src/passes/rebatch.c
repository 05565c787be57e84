/* Exporters freeze the batch: a reshape to [1, 3600, 2] behind an input whose batch is a symbol would refuse every
   batch but 1. Where the target says 1 for the batch, the operand's first extent is a symbol, and the other extents
   alone hold exactly the elements of one image, the target gets a 0 there: "as the operand's". A target with a -1
   ([1, -1, 2]) stays: it means something for every batch already, all images in one. */
#include "passes/all.h"
#include "passes/rewrite.h"

/* The product of |type|'s extents but the first, when they are numbers. */
static bool image_elements(const pn_type *type, int64_t *out) {
  *out = 1;
  for (int32_t i = 1; i < type->rank; i++) {
    if (!pn_dim_is_number(type->dims[i])) return false;
    if (!pn_mul_i64(*out, type->dims[i].number, out)) return false;
  }
  return *out > 0;
}

static pelton_status rebatch(pn_rewrite *r, pn_node *node) {
  const pn_type *type = pn_rewrite_type(r, node->inputs.data[0]);
  int64_t target[PN_MAX_RANK], image, rest = 1;
  uint32_t count;
  if (((const pn_attrs_reshape *)node->attrs)->allow_zero || type->rank < 1) return PELTON_OK;
  /* Of derived symbols (n*12 of flattened heads) the first extent is no batch. */
  if (pn_dim_is_number(type->dims[0]) || r->g->symbols->list.data[type->dims[0].symbol - 1].kind != PN_SYMBOL_NAMED)
    return PELTON_OK;
  if (!pn_rewrite_numbers(r, node->inputs.data[1], target, PN_MAX_RANK, &count) || count < 1 || target[0] != 1)
    return PELTON_OK;
  if (!image_elements(type, &image)) return PELTON_OK;
  for (uint32_t i = 1; i < count; i++) {
    int64_t extent = target[i];
    if (extent == 0 && (int32_t)i < type->rank) extent = type->dims[i].number;
    if (extent <= 0 || !pn_mul_i64(rest, extent, &rest)) return PELTON_OK;
  }
  if (image != rest) return PELTON_OK;
  target[0] = 0;
  const pn_value_id shape = pn_graph_add_i64s(r->g, pn_graph_value(r->g, node->inputs.data[1])->name, target, count);
  if (!pn_value_valid(shape)) return pn_fail_memory(r->diag, "a reshape's target");
  r->changed++;
  return pn_rewrite_set_input(r, node, 1, shape);
}

static pelton_status rebatch_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (!node->removed && node->op == PN_OP_RESHAPE) PN_TRY(rebatch(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_rebatch(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, rebatch_all, changed, diag);
}
