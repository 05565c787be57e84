#include "target/movement.h"

#include "target/strides.h"

int64_t pn_operand_number(const pn_operand *o, int64_t i) {
  return o->dtype == PELTON_DTYPE_I32 ? ((const int32_t *)o->data)[i] : ((const int64_t *)o->data)[i];
}

typedef struct describer {
  const pn_problem *problem;
  const pn_operand *x, *y; /* the first operand and the first result; of a split that may be null */
  char *moves;             /* null: only counts */
  size_t stride;
  uint32_t count;
  pn_move ignored;
  pn_reason *why;
} describer;

static pn_move *add(describer *d, const pn_operand *to, const pn_operand *from) {
  pn_move *c = d->moves ? (pn_move *)(void *)(d->moves + d->count * d->stride) : &d->ignored;
  d->count++;
  memset(c, 0, sizeof *c);
  c->element_bytes = (uint32_t)pelton_dtype_bytes(to->dtype);
  c->to_operand = (uint16_t)pn_operand_index(d->problem, to);
  c->from_operand = from ? (uint16_t)pn_operand_index(d->problem, from) : (uint16_t)PN_NO_OPERAND;
  return c;
}

static uint32_t axis_of(int64_t axis, uint32_t rank) { return (uint32_t)(axis < 0 ? axis + rank : axis); }

static bool transpose(describer *d) {
  const pn_attrs_transpose *attrs = d->problem->nodes[0].attrs;
  int64_t to[PN_MAX_RANK], from[PN_MAX_RANK];
  pn_operand_axis_strides(d->x, from);
  pn_operand_axis_strides(d->y, to);
  pn_move *c = add(d, d->y, d->x);
  for (uint32_t i = 0; i < d->y->rank; i++) {
    uint32_t source = attrs->perm.count ? axis_of(attrs->perm.data[i], d->x->rank) : d->x->rank - 1 - i;
    pn_move_axis(c, d->y->dims[i], to[i], from[source]);
  }
  return true;
}

/* Both directions: |deep| has channels (c, row, column) in some order where |wide| has blocks of rows and columns. */
static bool depth_space(describer *d, const pn_operand *deep, const pn_operand *wide, int64_t block, bool depth_first) {
  int64_t deep_strides[PN_MAX_RANK], wide_strides[PN_MAX_RANK], channels = wide->dims[1];
  pn_operand_axis_strides(deep, deep_strides);
  pn_operand_axis_strides(wide, wide_strides);
  int64_t c = deep_strides[1];
  const int64_t axes[6][3] = {
      {deep->dims[0], deep_strides[0], wide_strides[0]},
      {channels, depth_first ? c : c * block * block, wide_strides[1]},
      {deep->dims[2], deep_strides[2], wide_strides[2] * block},
      {block, depth_first ? c * channels * block : c * block, wide_strides[2]},
      {deep->dims[3], deep_strides[3], wide_strides[3] * block},
      {block, depth_first ? c * channels : c, wide_strides[3]},
  };
  bool to_deep = deep == d->y;
  pn_move *copy = add(d, d->y, d->x);
  for (uint32_t i = 0; i < 6; i++) pn_move_axis(copy, axes[i][0], axes[i][to_deep ? 1 : 2], axes[i][to_deep ? 2 : 1]);
  return true;
}

/* Whether the |count| numbers of an operand are known now; an absent one's are, and so are no numbers at all. */
static bool is_known(describer *d, const pn_operand *o, int64_t count, const char *what) {
  if (!o) return true;
  if (pn_operand_elements(o) != count) return pn_refuse(d->why, "not as many %s as there should be", what);
  return o->data || !count || pn_refuse(d->why, "%s are not constant", what);
}

static bool slice(describer *d) {
  const pn_problem *p = d->problem;
  const pn_operand *starts = pn_problem_input(p, 0, 1), *axes = pn_problem_input(p, 0, 3),
                   *steps = pn_problem_input(p, 0, 4);
  int64_t count = pn_operand_elements(starts), to[PN_MAX_RANK], from[PN_MAX_RANK];
  if (!is_known(d, starts, count, "starts") || !is_known(d, axes, count, "axes") || !is_known(d, steps, count, "steps"))
    return false;
  pn_operand_axis_strides(d->x, from);
  pn_operand_axis_strides(d->y, to);
  pn_move *c = add(d, d->y, d->x);
  for (int64_t i = 0; i < count; i++) {
    uint32_t axis = axes ? axis_of(pn_operand_number(axes, i), d->x->rank) : (uint32_t)i;
    int64_t start = pn_operand_number(starts, i), step = steps ? pn_operand_number(steps, i) : 1,
            extent = d->x->dims[axis];
    if (start < 0) start = start < -extent ? -1 : start + extent;
    if (step > 0 && start < 0) start = 0;
    if (start >= extent) start = extent - 1; /* forwards nothing is left, and nothing is read */
    c->from_offset += start * from[axis];
    from[axis] = d->y->dims[axis] > 1 ? from[axis] * step : 0; /* a step alone may be of any size */
  }
  for (uint32_t i = 0; i < d->y->rank; i++) pn_move_axis(c, d->y->dims[i], to[i], from[i]);
  return true;
}

/* Parts that nobody wants are left out: what stands behind them begins after the sizes that they were to have. */
static bool split(describer *d) {
  const pn_problem_node *node = &d->problem->nodes[0];
  const pn_operand *sizes = pn_problem_input(d->problem, 0, 1);
  uint32_t axis = axis_of(((const pn_attrs_split *)node->attrs)->axis, d->x->rank), count = node->output_count;
  int64_t to[PN_MAX_RANK], from[PN_MAX_RANK], extent = d->x->dims[axis], at = 0;
  pn_operand_axis_strides(d->x, from);
  for (uint32_t i = 0; i < count; i++) {
    const pn_operand *y = pn_problem_output(d->problem, 0, i);
    if (!y) {
      if (!is_known(d, sizes, count, "sizes of parts that nobody wants")) return false;
      at += sizes ? pn_operand_number(sizes, i) : pn_min_i64(pn_div_up(extent, count), extent - at);
      continue;
    }
    pn_operand_axis_strides(y, to);
    pn_move *c = add(d, y, d->x);
    c->from_offset = at * from[axis];
    for (uint32_t k = 0; k < y->rank; k++) pn_move_axis(c, y->dims[k], to[k], from[k]);
    at += y->dims[axis];
  }
  return true;
}

static bool concat(describer *d) {
  const pn_problem_node *node = &d->problem->nodes[0];
  uint32_t axis = axis_of(((const pn_attrs_concat *)node->attrs)->axis, d->y->rank);
  int64_t to[PN_MAX_RANK], from[PN_MAX_RANK], offset = 0;
  pn_operand_axis_strides(d->y, to);
  for (uint32_t i = 0; i < node->input_count; i++) {
    const pn_operand *x = pn_problem_input(d->problem, 0, i);
    pn_operand_axis_strides(x, from);
    pn_move *c = add(d, d->y, x);
    c->to_offset = offset;
    for (uint32_t k = 0; k < x->rank; k++) pn_move_axis(c, x->dims[k], to[k], from[k]);
    offset += x->dims[axis] * to[axis];
  }
  return true;
}

/* The |count| places from |at| on along |axis|, from those beside them that begin at |first|. |offset| is of the inside
   on the axes before, whose extents |inside| has; the axes behind are whole. */
static void copy_beside(describer *d, uint32_t axis, const int64_t *to, const int64_t *inside, int64_t offset,
                        int64_t at, int64_t first, int64_t step, int64_t count) {
  pn_move *c = add(d, d->y, d->y);
  c->to_offset = offset + at * to[axis];
  c->from_offset = offset + first * to[axis];
  for (uint32_t i = 0; i < d->y->rank; i++) {
    int64_t dim = i < axis ? inside[i] : i == axis ? count : d->y->dims[i];
    pn_move_axis(c, dim, to[i], i == axis ? to[i] * step : to[i]);
  }
}

/* One side of an axis of which [*from, *end) is there, up to the axis's end. What is there repeats itself as soon as it
   is a period long; a reflection turns round first. Each step doubles what is there, so that few go any distance. */
static void continue_side(describer *d, pn_pad_mode mode, uint32_t axis, const int64_t *to, const int64_t *inside,
                          int64_t offset, bool after, int64_t *from, int64_t *end) {
  bool edge = mode == PN_PAD_EDGE || inside[axis] == 1;
  int64_t period = mode == PN_PAD_WRAP ? inside[axis] : 2 * (inside[axis] - 1);
  for (int64_t left; (left = after ? d->y->dims[axis] - *end : *from) > 0;) {
    int64_t there = *end - *from;
    bool turns = !edge && there < period;
    int64_t far = edge ? 0 : turns ? inside[axis] - 1 : there / period * period;
    int64_t count = edge ? left : pn_min_i64(left, far), at = after ? *end : *from - count;
    int64_t first = after ? at - far : at + far;
    if (edge) first = after ? *end - 1 : *from;
    if (turns) first = after ? *end - 2 : *from + count;
    copy_beside(d, axis, to, inside, offset, at, first, edge ? 0 : turns ? -1 : 1, count);
    if (after)
      *end += count;
    else
      *from -= count;
  }
}

/* What lies outside as it goes on from the inside, axis after axis from the last: each copies from the result, where
   the axes behind it are whole by then. */
static bool continue_pad(describer *d, pn_pad_mode mode, const int64_t *to, const int64_t *begin,
                         const int64_t *inside) {
  int64_t offset = 0; /* of the inside on the axes before and on this one */
  for (uint32_t i = 0; i < d->y->rank; i++) offset += begin[i] * to[i];
  for (uint32_t axis = d->y->rank; axis-- > 0;) {
    int64_t from = begin[axis], end = from + inside[axis];
    if (!inside[axis] && d->y->dims[axis]) return pn_refuse(d->why, "no elements to continue from");
    offset -= begin[axis] * to[axis];
    if (!inside[axis]) continue;
    continue_side(d, mode, axis, to, inside, offset, false, &from, &end);
    continue_side(d, mode, axis, to, inside, offset, true, &from, &end);
  }
  return true;
}

/* The inside, and for each axis the boxes before and after it: as wide as the inside on the axes before, as the whole
   result on those behind. */
static bool pad(describer *d) {
  const pn_problem *p = d->problem;
  const pn_operand *pads = pn_problem_input(p, 0, 1), *value = pn_problem_input(p, 0, 2),
                   *axes = pn_problem_input(p, 0, 3);
  pn_pad_mode mode = ((const pn_attrs_pad *)p->nodes[0].attrs)->mode;
  uint32_t rank = d->x->rank;
  int64_t to[PN_MAX_RANK], from[PN_MAX_RANK], begin[PN_MAX_RANK] = {0}, inside[PN_MAX_RANK],
                                              count = axes ? pn_operand_elements(axes) : rank;
  if (!is_known(d, pads, 2 * count, "pads") || !is_known(d, axes, count, "axes")) return false;
  if (value && pn_operand_elements(value) != 1) value = NULL;
  pn_operand_axis_strides(d->x, from);
  pn_operand_axis_strides(d->y, to);
  for (int64_t i = 0; i < count; i++)
    begin[axes ? axis_of(pn_operand_number(axes, i), rank) : (uint32_t)i] = pn_operand_number(pads, i);
  int64_t to_offset = 0, from_offset = 0;
  for (uint32_t i = 0; i < rank; i++) { /* negative pads cut */
    int64_t first = begin[i] > 0 ? begin[i] : 0, end = begin[i] + d->x->dims[i];
    if (end > d->y->dims[i]) end = d->y->dims[i];
    inside[i] = end > first ? end - first : 0;
    begin[i] = first < d->y->dims[i] ? first : d->y->dims[i];
    to_offset += begin[i] * to[i];
  }
  for (int64_t i = 0; i < count; i++) {
    uint32_t axis = axes ? axis_of(pn_operand_number(axes, i), rank) : (uint32_t)i;
    if (pn_operand_number(pads, i) < 0) from_offset -= pn_operand_number(pads, i) * from[axis];
  }
  pn_move *c = add(d, d->y, d->x);
  c->to_offset = to_offset;
  c->from_offset = from_offset;
  for (uint32_t i = 0; i < rank; i++) pn_move_axis(c, inside[i], to[i], from[i]);
  if (mode != PN_PAD_CONSTANT) return continue_pad(d, mode, to, begin, inside);
  int64_t offset = 0; /* of the inside on the axes before */
  for (uint32_t axis = 0; axis < rank; axis++) {
    int64_t end = begin[axis] + inside[axis];
    for (uint32_t side = 0; side < 2; side++) {
      c = add(d, d->y, value);
      c->to_offset = offset + (side ? end * to[axis] : 0);
      for (uint32_t i = 0; i < rank; i++) {
        int64_t dim = i < axis ? inside[i] : d->y->dims[i];
        if (i == axis) dim = side ? d->y->dims[i] - end : begin[i];
        pn_move_axis(c, dim, to[i], 0);
      }
    }
    offset += begin[axis] * to[axis];
  }
  return true;
}

/* Expand and tile: an axis of the result is so many times the operand's. */
static bool repeat(describer *d) {
  int64_t to[PN_MAX_RANK], from[PN_MAX_RANK];
  pn_operand_axis_strides(d->x, from);
  pn_operand_axis_strides(d->y, to);
  pn_move *c = add(d, d->y, d->x);
  uint32_t ahead = d->y->rank - d->x->rank;
  for (uint32_t i = 0; i < d->y->rank; i++) {
    int64_t own = i < ahead ? 1 : d->x->dims[i - ahead], times = own ? d->y->dims[i] / own : 0;
    pn_move_axis(c, times, to[i] * own, 0);
    pn_move_axis(c, own, to[i], i < ahead ? 0 : from[i - ahead]);
  }
  return true;
}

bool pn_movement_describe(const pn_problem *p, pn_move *moves, size_t stride, uint32_t *count, pn_reason *why) {
  if (p->node_count != 1) return false; /* no pattern has them */
  const pn_problem_node *node = &p->nodes[0];
  describer d = {.problem = p, .moves = (char *)moves, .stride = stride, .why = why};
  bool known;
  d.x = node->input_count ? pn_problem_input(p, 0, 0) : NULL;
  d.y = node->output_count ? pn_problem_output(p, 0, 0) : NULL;
  if (!d.x || (!d.y && node->op != PN_OP_SPLIT)) return pn_refuse(why, "an operand is missing");
  switch (node->op) {
  case PN_OP_TRANSPOSE: known = transpose(&d); break;
  case PN_OP_DEPTH_TO_SPACE: {
    const pn_attrs_depth_to_space *attrs = node->attrs;
    known = depth_space(&d, d.x, d.y, attrs->block, attrs->mode == PN_DEPTH_DCR);
    break;
  }
  case PN_OP_SPACE_TO_DEPTH: {
    const pn_attrs_space_to_depth *attrs = node->attrs;
    known = depth_space(&d, d.y, d.x, attrs->block, attrs->mode == PN_DEPTH_DCR);
    break;
  }
  case PN_OP_SLICE: known = slice(&d); break;
  case PN_OP_SPLIT: known = split(&d); break;
  case PN_OP_CONCAT: known = concat(&d); break;
  case PN_OP_PAD: known = pad(&d); break;
  case PN_OP_EXPAND:
  case PN_OP_TILE: known = repeat(&d); break;
  default: return false; /* does not only move elements */
  }
  *count = d.count;
  return known;
}

/* ---- normal form ------------------------------------------------------------------------------------------------ */

void pn_move_axis_to(pn_move *c, uint32_t from, uint32_t to) {
  int64_t dim = c->dims[from], to_stride = c->to[from], from_stride = c->from[from];
  for (; from < to; from++) {
    c->dims[from] = c->dims[from + 1];
    c->to[from] = c->to[from + 1];
    c->from[from] = c->from[from + 1];
  }
  for (; from > to; from--) {
    c->dims[from] = c->dims[from - 1];
    c->to[from] = c->to[from - 1];
    c->from[from] = c->from[from - 1];
  }
  c->dims[to] = dim;
  c->to[to] = to_stride;
  c->from[to] = from_stride;
}

void pn_move_normalize(pn_move *c) {
  uint32_t rank = 0;
  for (uint32_t d = 0; d < c->rank; d++) {
    if (c->dims[d] == 1) continue;
    c->dims[rank] = c->dims[d];
    c->to[rank] = c->to[d];
    c->from[rank++] = c->from[d];
  }
  c->rank = rank;
  for (uint32_t d = 1; d < c->rank; d++) {
    uint32_t place = d;
    while (place > 0 && c->to[place - 1] < c->to[d]) place--;
    pn_move_axis_to(c, d, place);
  }
  rank = 0;
  for (uint32_t d = 0; d < c->rank; d++) {
    bool join = rank && c->to[rank - 1] == c->to[d] * c->dims[d] && c->from[rank - 1] == c->from[d] * c->dims[d];
    if (!join) rank++;
    c->dims[rank - 1] = join ? c->dims[rank - 1] * c->dims[d] : c->dims[d];
    c->to[rank - 1] = c->to[d];
    c->from[rank - 1] = c->from[d];
  }
  c->rank = rank;
  if (!c->rank) pn_move_axis(c, 1, 1, 1);
}

/* The axis along which it goes furthest is halved; by a multiple of 16, so that what was aligned stays so. */
bool pn_move_cut(pn_move *c, int64_t most, pn_move *rest) {
  int64_t to = 1, from = 1, furthest = 0;
  uint32_t axis = 0;
  for (uint32_t d = 0; d < c->rank; d++) {
    if (c->dims[d] < 1) return false; /* nothing moves */
    int64_t far_to = (c->dims[d] - 1) * c->to[d];
    int64_t far_from = (c->dims[d] - 1) * (c->from[d] < 0 ? -c->from[d] : c->from[d]);
    int64_t far = pn_max_i64(far_to, far_from);
    to += far_to;
    from += far_from;
    if (far > furthest) furthest = far, axis = d;
  }
  if (!furthest || (to <= most && from <= most)) return false;
  int64_t half = c->dims[axis] / 2;
  if (half > 16) half -= half % 16;
  *rest = *c;
  rest->dims[axis] = c->dims[axis] - half;
  rest->to_offset += half * c->to[axis];
  rest->from_offset += half * c->from[axis];
  c->dims[axis] = half;
  return true;
}
