/* TreeEnsemble of ai.onnx.ml, as tensor operators: a row of x stands at one place in each tree, and goes down a level
   at a time in all trees at once.

   Interior nodes and leaves get places in common tables, nodes first. A leaf leads to itself, so that trees of unequal
   depth may go down together. One level: the feature and the threshold of each place are looked up, compared as the
   place's mode says, and the next place is that of the branch. At the end the leaves' weights are joined by target. */
#include "base/bytes.h"
#include "import/onnx/importer.h"

#include <inttypes.h>
#include <math.h>

enum { MODE_LEQ, MODE_LT, MODE_GTE, MODE_GT, MODE_EQ, MODE_NEQ, MODE_MEMBER, MODE_COUNT };
enum { AVERAGE, SUM, MIN, MAX };
enum { POST_NONE, POST_SOFTMAX, POST_LOGISTIC };
enum { DEEPEST = 256 };

/* All tables have |places| entries; values of x's type. */
typedef struct trees {
  pelton_dtype dtype;
  int64_t nodes, leaves, places, roots, targets, depth;
  int64_t *feature, *if_true, *if_false, *target, *root;
  uint8_t *mode, *missing_is_true;
  uint8_t *threshold, *weight, *members; /* |members|: [places, most_members], padded with NaN */
  int64_t most_members;
  bool modes[MODE_COUNT], any_missing;
} trees;

static pelton_status list_attr(const pn_onnx_call *c, const char *name, int64_t count, bool required,
                               pn_onnx_i64s *out) {
  if (required) PN_TRY(pn_onnx_attr_require(c->node, name, c->diag));
  PN_TRY(pn_onnx_attr_i64s(c->node, name, out, c->diag));
  if (count >= 0 && out->count != count && (required || out->count))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%s\" has %u elements, but must have %" PRId64, name,
                   out->count, count);
  return PELTON_OK;
}

/* The elements of tensor attribute |name|, |dtype| and |count| of them unless that is negative; none when absent. */
static pelton_status tensor_attr(const pn_onnx_call *c, const char *name, pelton_dtype dtype, int64_t count,
                                 pn_onnx_data *out) {
  const pn_onnx_tensor *tensor;
  *out = (pn_onnx_data){.count = 0};
  PN_TRY(pn_onnx_attr_tensor(c->node, name, &tensor, c->diag));
  if (!tensor) return PELTON_OK;
  PN_TRY(pn_onnx_tensor_data(tensor, c->importer->source, 0, &c->importer->scratch, out, c->diag));
  if (out->dtype != dtype)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%s\" has elements of type %s, but must have %s", name,
                   pn_onnx_elem_name(out->elem), pelton_dtype_name(dtype));
  if (count >= 0 && out->count != (uint64_t)count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%s\" has %" PRIu64 " elements, but must have %" PRId64,
                   name, out->count, count);
  return PELTON_OK;
}

static pelton_status new_tables(const pn_onnx_call *c, trees *t) {
  pn_arena *arena = &c->importer->scratch;
  const size_t places = (size_t)t->places, bytes = pelton_dtype_bytes(t->dtype);
  int64_t **const lists[] = {&t->feature, &t->if_true, &t->if_false, &t->target};
  for (size_t i = 0; i < PN_COUNT(lists); i++)
    if (!(*lists[i] = PN_NEW_ARRAY(arena, int64_t, places))) return pn_fail_memory(c->diag, "trees");
  t->mode = PN_NEW_ARRAY(arena, uint8_t, places);
  t->missing_is_true = PN_NEW_ARRAY(arena, uint8_t, places);
  t->threshold = PN_NEW_ARRAY(arena, uint8_t, places * bytes);
  t->weight = PN_NEW_ARRAY(arena, uint8_t, places * bytes);
  if (!t->mode || !t->missing_is_true || !t->threshold || !t->weight) return pn_fail_memory(c->diag, "trees");
  return PELTON_OK;
}

/* Where the branches of |name| lead: to node |ids[i]|, or where |leaves[i]| to that leaf. */
static pelton_status read_branches(const pn_onnx_call *c, const trees *t, const char *id_name, const char *leaf_name,
                                   int64_t *out) {
  pn_onnx_i64s ids, leaves;
  PN_TRY(list_attr(c, id_name, t->nodes, true, &ids));
  PN_TRY(list_attr(c, leaf_name, t->nodes, true, &leaves));
  for (int64_t i = 0; i < t->nodes; i++) {
    const int64_t id = ids.data[i], limit = leaves.data[i] ? t->leaves : t->nodes;
    if (id < 0 || id >= limit)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%s\" names %s %" PRId64 " of %" PRId64, id_name,
                     leaves.data[i] ? "leaf" : "node", id, limit);
    out[i] = leaves.data[i] ? t->nodes + id : id;
  }
  for (int64_t i = t->nodes; i < t->places; i++) out[i] = i;
  return PELTON_OK;
}

static pelton_status read_nodes(const pn_onnx_call *c, trees *t) {
  pn_onnx_i64s features, missing;
  pn_onnx_data modes, splits;
  PN_TRY(list_attr(c, "nodes_featureids", t->nodes, true, &features));
  PN_TRY(list_attr(c, "nodes_missing_value_tracks_true", t->nodes, false, &missing));
  PN_TRY(pn_onnx_attr_require(c->node, "nodes_modes", c->diag));
  PN_TRY(tensor_attr(c, "nodes_modes", PELTON_DTYPE_U8, t->nodes, &modes));
  PN_TRY(pn_onnx_attr_require(c->node, "nodes_splits", c->diag));
  PN_TRY(tensor_attr(c, "nodes_splits", t->dtype, t->nodes, &splits));
  if (t->nodes) memcpy(t->threshold, splits.bytes.data, (size_t)t->nodes * pelton_dtype_bytes(t->dtype));
  for (int64_t i = 0; i < t->nodes; i++) {
    t->feature[i] = features.data[i];
    if (t->feature[i] < 0)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its node %" PRId64 " looks at feature %" PRId64, i, t->feature[i]);
    t->mode[i] = modes.bytes.data[i];
    if (t->mode[i] >= MODE_COUNT)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its node %" PRId64 " has mode %u, which is none", i, t->mode[i]);
    t->modes[t->mode[i]] = true;
    t->missing_is_true[i] = missing.count && missing.data[i] != 0;
    t->any_missing = t->any_missing || t->missing_is_true[i];
  }
  PN_TRY(read_branches(c, t, "nodes_truenodeids", "nodes_trueleafs", t->if_true));
  return read_branches(c, t, "nodes_falsenodeids", "nodes_falseleafs", t->if_false);
}

static pelton_status read_leaves(const pn_onnx_call *c, trees *t, const pn_onnx_i64s *targets) {
  pn_onnx_data weights;
  PN_TRY(pn_onnx_attr_require(c->node, "leaf_weights", c->diag));
  PN_TRY(tensor_attr(c, "leaf_weights", t->dtype, t->leaves, &weights));
  const size_t bytes = pelton_dtype_bytes(t->dtype);
  if (t->leaves) memcpy(t->weight + (size_t)t->nodes * bytes, weights.bytes.data, (size_t)t->leaves * bytes);
  for (int64_t i = 0; i < t->leaves; i++) {
    if (targets->data[i] < 0 || targets->data[i] >= t->targets)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its leaf %" PRId64 " is of target %" PRId64 " of %" PRId64, i,
                     targets->data[i], t->targets);
    t->target[t->nodes + i] = targets->data[i];
  }
  return PELTON_OK;
}

/* How many levels it takes from the roots until every row stands on a leaf. */
static pelton_status find_depth(const pn_onnx_call *c, trees *t) {
  uint8_t *at = PN_NEW_ARRAY(&c->importer->scratch, uint8_t, (size_t)t->places * 2), *next = at + t->places;
  bool inside = true;
  if (!at) return pn_fail_memory(c->diag, "trees");
  for (int64_t i = 0; i < t->roots; i++) {
    if (t->root[i] < 0 || t->root[i] >= t->nodes)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its tree %" PRId64 " begins at node %" PRId64 " of %" PRId64, i,
                     t->root[i], t->nodes);
    at[t->root[i]] = 1;
  }
  for (t->depth = 0; inside && t->depth <= DEEPEST; t->depth++) {
    inside = false;
    memset(next, 0, (size_t)t->places);
    for (int64_t i = 0; i < t->nodes; i++)
      if (at[i]) next[t->if_true[i]] = next[t->if_false[i]] = 1;
    for (int64_t i = 0; i < t->nodes; i++) inside = inside || next[i];
    memcpy(at, next, (size_t)t->places);
  }
  if (inside) return pn_fail(c->diag, PELTON_UNSUPPORTED, "its trees are deeper than %d levels, or go round", DEEPEST);
  return PELTON_OK;
}

static double member_at(const pn_onnx_data *values, uint64_t i) {
  const pn_tensor tensor = {.dtype = values->dtype, .data = (void *)(uintptr_t)values->bytes.data};
  return pn_tensor_get_f64(&tensor, (int64_t)i);
}

/* Sets of members are listed one after another, each ended by NaN, in the order of their nodes. */
static pelton_status read_members(const pn_onnx_call *c, trees *t) {
  pn_onnx_data values;
  uint64_t at = 0;
  int64_t length = 0;
  PN_TRY(tensor_attr(c, "membership_values", t->dtype, -1, &values));
  if (!t->modes[MODE_MEMBER]) return PELTON_OK;
  t->most_members = 1;
  for (uint64_t i = 0; i < values.count; i++, length++) {
    if (length > t->most_members) t->most_members = length;
    if (isnan(member_at(&values, i))) length = -1;
  }
  if (length > t->most_members) t->most_members = length;
  int64_t elements;
  if (!pn_mul_i64(t->places, t->most_members, &elements) || elements > INT32_MAX)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "sets of up to %" PRId64 " members", t->most_members);
  t->members = PN_NEW_ARRAY(&c->importer->scratch, uint8_t, (size_t)elements * pelton_dtype_bytes(t->dtype));
  if (!t->members) return pn_fail_memory(c->diag, "trees");
  pn_tensor to = {.dtype = t->dtype, .data = t->members};
  for (int64_t i = 0; i < elements; i++) pn_tensor_set_f64(&to, i, (double)NAN);
  for (int64_t node = 0; node < t->nodes; node++) {
    if (t->mode[node] != MODE_MEMBER) continue;
    if (at >= values.count)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"membership_values\" has no set for node %" PRId64,
                     node);
    for (int64_t i = 0; at < values.count && !isnan(member_at(&values, at)); i++, at++)
      pn_tensor_set_f64(&to, node * t->most_members + i, member_at(&values, at));
    at++;
  }
  return PELTON_OK;
}

static pelton_status read_trees(const pn_onnx_call *c, trees *t) {
  pn_onnx_i64s features, targets, roots;
  PN_TRY(list_attr(c, "nodes_featureids", -1, true, &features));
  PN_TRY(list_attr(c, "leaf_targetids", -1, true, &targets));
  PN_TRY(list_attr(c, "tree_roots", -1, true, &roots));
  PN_TRY(pn_onnx_attr_i64(c->node, "n_targets", 1, &t->targets, c->diag));
  t->nodes = features.count;
  t->leaves = targets.count;
  t->roots = roots.count;
  t->places = t->nodes + t->leaves;
  t->root = (int64_t *)(uintptr_t)roots.data;
  if (t->roots < 1 || t->targets < 1 || t->targets > INT32_MAX)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %" PRId64 " trees and %" PRId64 " targets", t->roots,
                   t->targets);
  PN_TRY(new_tables(c, t));
  PN_TRY(read_nodes(c, t));
  PN_TRY(read_leaves(c, t, &targets));
  PN_TRY(find_depth(c, t));
  return read_members(c, t);
}

/* ---- going down -------------------------------------------------------------------------------------------------- */

static pelton_status table(pn_onnx_call *c, pelton_dtype dtype, int64_t rows, int64_t columns, const void *data,
                           pn_value_id *out) {
  const int64_t dims[2] = {rows, columns};
  const pn_type type = pn_type_make(dtype, columns ? 2 : 1, dims);
  *out = pn_graph_add_constant_copy(c->graph, c->name, &type, data);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

static pelton_status look_up(pn_onnx_call *c, pelton_dtype dtype, const trees *t, const void *data, pn_value_id places,
                             pn_value_id *out) {
  pn_value_id operands[2] = {PN_NO_VALUE, places};
  PN_TRY(table(c, dtype, t->places, 0, data, &operands[0]));
  return pn_onnx_add(c, PN_OP_GATHER, NULL, operands, 2, 1, out);
}

/* Whether each element of |x| is one of its place's members. */
static pelton_status is_member(pn_onnx_call *c, const trees *t, pn_value_id x, pn_value_id places, pn_value_id *out) {
  static const int64_t last = 2;
  pn_attrs_reduce *any = pn_onnx_attrs(c, PN_OP_REDUCE);
  pn_value_id operands[2] = {PN_NO_VALUE, places}, pair[2];
  if (!any) return pn_fail_memory(c->diag, "a node");
  any->kind = PN_REDUCE_MAX;
  any->keep_dims = false;
  PN_TRY(table(c, t->dtype, t->places, t->most_members, t->members, &operands[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_GATHER, NULL, operands, 2, 1, &pair[1]));
  operands[0] = x;
  PN_TRY(pn_onnx_i64s_constant(c, &last, 1, &operands[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_UNSQUEEZE, NULL, operands, 2, 1, &pair[0]));
  PN_TRY(pn_onnx_pointwise(c, "select(equal(x0,x1),1:%T,0:%T)", pair, 2, &operands[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_REDUCE, any, operands, 2, 1, out));
  return pn_onnx_cast(c, *out, PELTON_DTYPE_BOOL, out);
}

/* Whether each row's feature passes the comparison of its place, in |*out|. */
static pelton_status compare(pn_onnx_call *c, const trees *t, pn_value_id x, pn_value_id places, pn_value_id *out) {
  static const char *const texts[] = {"less_equal(x0,x1)",    "less(x0,x1)",  "greater_equal(x0,x1)",
                                      "greater(x0,x1)",       "equal(x0,x1)", "not(equal(x0,x1))"};
  pn_value_id operands[2] = {x}, modes;
  bool first = true;
  PN_TRY(look_up(c, t->dtype, t, t->threshold, places, &operands[1]));
  PN_TRY(look_up(c, PELTON_DTYPE_U8, t, t->mode, places, &modes));
  for (int mode = 0; mode < MODE_COUNT; mode++) {
    pn_value_id chosen[3] = {modes};
    const double number = mode;
    if (!t->modes[mode]) continue;
    if (mode == MODE_MEMBER) PN_TRY(is_member(c, t, x, places, &chosen[1]));
    else PN_TRY(pn_onnx_pointwise(c, texts[mode], operands, 2, &chosen[1]));
    chosen[2] = *out;
    if (first) *out = chosen[1];
    else PN_TRY(pn_onnx_formula(c, "select(equal(x0,%0),x1,x2)", &number, chosen, 3, out));
    first = false;
  }
  if (!t->any_missing) return PELTON_OK;
  pn_value_id missing[3] = {x, PN_NO_VALUE, *out};
  PN_TRY(look_up(c, PELTON_DTYPE_BOOL, t, t->missing_is_true, places, &missing[1]));
  return pn_onnx_pointwise(c, "or(x2,and(is_nan(x0),x1))", missing, 3, out);
}

static pelton_status go_down(pn_onnx_call *c, const trees *t, pn_value_id *places) {
  pn_attrs_gather_elements *a = pn_onnx_attrs(c, PN_OP_GATHER_ELEMENTS);
  pn_value_id operands[2] = {c->inputs[0]}, x, chosen[3];
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = 1;
  PN_TRY(look_up(c, PELTON_DTYPE_I64, t, t->feature, *places, &operands[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_GATHER_ELEMENTS, a, operands, 2, 1, &x));
  PN_TRY(compare(c, t, x, *places, &chosen[0]));
  PN_TRY(look_up(c, PELTON_DTYPE_I64, t, t->if_true, *places, &chosen[1]));
  PN_TRY(look_up(c, PELTON_DTYPE_I64, t, t->if_false, *places, &chosen[2]));
  return pn_onnx_pointwise(c, "select(x0,x1,x2)", chosen, 3, places);
}

/* [rows of x, columns], of scalar or row |from|. */
static pelton_status each_row(pn_onnx_call *c, pn_value_id from, int64_t columns, pn_value_id *out) {
  pn_attrs_shape_of *rows = pn_onnx_attrs(c, PN_OP_SHAPE_OF);
  pn_value_id extents[2], operands[2] = {from};
  if (!rows) return pn_fail_memory(c->diag, "a node");
  rows->end = 1;
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, rows, c->inputs, 1, 1, &extents[0]));
  PN_TRY(pn_onnx_i64s_constant(c, &columns, 1, &extents[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_CONCAT, NULL, extents, 2, 1, &operands[1]));
  return pn_onnx_add(c, PN_OP_EXPAND, NULL, operands, 2, 1, out);
}

/* ---- joining the leaves ------------------------------------------------------------------------------------------ */

/* What no tree says anything of stays at 0, or for MIN and MAX at the greatest or least number. */
static pelton_status join_leaves(pn_onnx_call *c, const trees *t, int64_t how, pn_value_id places, pn_value_id *out) {
  static const pn_scatter_reduction reductions[] = {PN_SCATTER_ADD, PN_SCATTER_ADD, PN_SCATTER_MIN, PN_SCATTER_MAX};
  const double greatest = t->dtype == PELTON_DTYPE_F64   ? 1.7976931348623157e308
                          : t->dtype == PELTON_DTYPE_F32 ? 3.40282346638528859812e38
                                                         : 65504;
  const double trees_count = (double)t->roots;
  pn_attrs_scatter_elements *a = pn_onnx_attrs(c, PN_OP_SCATTER_ELEMENTS);
  pn_value_id operands[3];
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = 1;
  a->reduction = reductions[how];
  PN_TRY(pn_onnx_scalar(c, t->dtype, how == MIN ? greatest : how == MAX ? -greatest : 0, &operands[0]));
  PN_TRY(each_row(c, operands[0], t->targets, &operands[0]));
  PN_TRY(look_up(c, PELTON_DTYPE_I64, t, t->target, places, &operands[1]));
  PN_TRY(look_up(c, t->dtype, t, t->weight, places, &operands[2]));
  if (how == AVERAGE) PN_TRY(pn_onnx_formula(c, "div(x0,%0)", &trees_count, &operands[2], 1, &operands[2]));
  return pn_onnx_add(c, PN_OP_SCATTER_ELEMENTS, a, operands, 3, 1, out);
}

static pelton_status import_tree_ensemble(pn_onnx_call *c) {
  trees t = {.dtype = pn_onnx_dtype(c, 0)};
  int64_t how, post;
  pn_value_id places;
  if (c->input_count != 1 || !pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 1 input");
  if (t.dtype != PELTON_DTYPE_F32 && t.dtype != PELTON_DTYPE_F64 && t.dtype != PELTON_DTYPE_F16)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its input is of type %s, which is no float",
                   pelton_dtype_name(t.dtype));
  PN_TRY(pn_onnx_attr_i64(c->node, "aggregate_function", SUM, &how, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "post_transform", POST_NONE, &post, c->diag));
  if (how < AVERAGE || how > MAX)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"aggregate_function\" is %" PRId64, how);
  if (post < POST_NONE || post > POST_LOGISTIC)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "attribute \"post_transform\" is %" PRId64 "; Pelton knows 0 to 2",
                   post);
  PN_TRY(read_trees(c, &t));
  PN_TRY(table(c, PELTON_DTYPE_I64, t.roots, 0, t.root, &places));
  PN_TRY(each_row(c, places, t.roots, &places));
  for (int64_t level = 0; level < t.depth; level++) PN_TRY(go_down(c, &t, &places));
  PN_TRY(join_leaves(c, &t, how, places, &c->outputs[0]));
  if (post == POST_LOGISTIC) return pn_onnx_pointwise(c, "sigmoid(x0)", &c->outputs[0], 1, &c->outputs[0]);
  if (post == POST_SOFTMAX) return pn_onnx_add(c, PN_OP_SOFTMAX, NULL, &c->outputs[0], 1, 1, &c->outputs[0]);
  return PELTON_OK;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"TreeEnsemble", "ai.onnx.ml", 5, 0, import_tree_ensemble},
};

const pn_onnx_ops pn_onnx_ops_tree = {rows, (uint32_t)PN_COUNT(rows)};
