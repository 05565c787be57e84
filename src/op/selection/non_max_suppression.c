/* non_max_suppression: of overlapping boxes, only those of the best score. For each batch element and class, boxes in
   the order of falling score (equal scores: the lower index first) are kept unless they overlap a kept one by more than
   the threshold. The result lists [batch, class, box]. */
#include "op/operand.h"

pelton_status pn_check_non_max_suppression(const pn_infer *c) {
  static const char *const op = "non_max_suppression";
  static const char *const names[5] = {"boxes", "scores", "max_output_boxes_per_class", "iou_threshold",
                                       "score_threshold"};
  for (uint32_t i = 0; i < 5; i++) {
    if (i < 2) PN_TRY(pn_operand_wants_rank(c, op, i, names[i], 3, 3));
    if (i == 2) PN_TRY(pn_operand_wants_indices(c, op, i, names[i]));
    if (i > 1) PN_TRY(pn_operand_wants_scalar(c, op, i, names[i]));
    if (i != 2 && pn_infer_has(c, i) && !pn_dtype_is_float(c->in[i].type.dtype))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s; it must be a float type", op, names[i],
                     pelton_dtype_name(c->in[i].type.dtype));
  }
  return PELTON_OK;
}

pelton_status pn_infer_non_max_suppression(const pn_infer *c) {
  const pn_type *boxes = &c->in[0].type, *scores = &c->in[1].type;
  pn_dim d;
  if (boxes->rank == 3 && pn_dim_is_number(boxes->dims[2]) && boxes->dims[2].number != 4)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "non_max_suppression: boxes have %lld numbers each; they must have 4",
                   (long long)boxes->dims[2].number);
  if (boxes->rank == 3 && scores->rank == 3 &&
      (!pn_dim_unify(boxes->dims[0], scores->dims[0], &d) || !pn_dim_unify(boxes->dims[1], scores->dims[2], &d)))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "non_max_suppression: boxes[N,B,4] and scores[N,C,B] do not agree on N or B");
  c->out[0].type = (pn_type){.dtype = PELTON_DTYPE_I64, .rank = 2, .dims = {pn_dim_fresh(c->symbols), pn_dim_of(3)}};
  return PELTON_OK;
}

typedef struct box {
  double low[2], high[2]; /* y and x */
  double area;
} box;

typedef struct candidate {
  double score;
  int64_t index;
} candidate;

/* Corners in any order, or a centre with width and height. */
static box box_of(const pn_tensor *boxes, int64_t index, bool center_point) {
  double v[4];
  box b;
  for (int64_t i = 0; i < 4; i++) v[i] = pn_tensor_get_f64(boxes, index * 4 + i);
  bool y_up = v[0] <= v[2], x_up = v[1] <= v[3];
  if (center_point)
    b = (box){{v[1] - v[3] / 2, v[0] - v[2] / 2}, {v[1] + v[3] / 2, v[0] + v[2] / 2}, 0};
  else
    b = (box){{y_up ? v[0] : v[2], x_up ? v[1] : v[3]}, {y_up ? v[2] : v[0], x_up ? v[3] : v[1]}, 0};
  b.area = (b.high[0] - b.low[0]) * (b.high[1] - b.low[1]);
  return b;
}

static bool boxes_overlap(const box *a, const box *b, double threshold) {
  double both = 1;
  for (int i = 0; i < 2; i++) {
    double low = a->low[i] > b->low[i] ? a->low[i] : b->low[i];
    double high = a->high[i] < b->high[i] ? a->high[i] : b->high[i];
    if (!(high > low)) return false;
    both *= high - low;
  }
  double all = a->area + b->area - both;
  if (a->area <= 0 || b->area <= 0 || all <= 0) return false;
  return both / all > threshold;
}

/* Sorts |list| by falling score; a merge keeps equal scores in order. Returns the sorted one of the two lists. */
static candidate *sort_by_score(candidate *list, candidate *other, int64_t count) {
  for (int64_t run = 1; run < count; run *= 2) {
    for (int64_t first = 0; first < count; first += 2 * run) {
      int64_t middle = pn_min_i64(first + run, count), end = pn_min_i64(first + 2 * run, count), a = first, b = middle;
      for (int64_t to = first; to < end; to++) {
        bool take_a = a < middle && (b == end || list[a].score >= list[b].score);
        other[to] = take_a ? list[a++] : list[b++];
      }
    }
    candidate *swap = list;
    list = other;
    other = swap;
  }
  return list;
}

typedef struct selection {
  const pn_tensor *boxes, *scores;
  int64_t most;
  double overlap, score; /* thresholds */
  bool has_score, center_point;
  candidate *list, *other; /* of as many as boxes in a batch element, here and below */
  int64_t *kept;
  box *all, *chosen; /* of the batch element; those that are kept */
} selection;

/* Chooses boxes of one batch element and class into |kept|. */
static int64_t select_boxes(const selection *s, int64_t scores_base) {
  int64_t box_count = s->boxes->dims[1], candidates = 0, kept = 0;
  const float *f32 = s->scores->dtype == PELTON_DTYPE_F32 ? (const float *)s->scores->data + scores_base : NULL;
  for (int64_t i = 0; i < box_count; i++) {
    double score = f32 ? (double)f32[i] : pn_tensor_get_f64(s->scores, scores_base + i);
    bool is_candidate = score == score && (!s->has_score || score > s->score); /* nan is no score */
    if (is_candidate) s->list[candidates++] = (candidate){score, i};
  }
  const candidate *order = sort_by_score(s->list, s->other, candidates);
  for (int64_t i = 0; i < candidates && kept < s->most; i++) {
    const box *b = &s->all[order[i].index];
    bool covered = false;
    for (int64_t k = 0; k < kept && !covered; k++) covered = boxes_overlap(b, &s->chosen[k], s->overlap);
    if (covered) continue;
    s->chosen[kept] = *b;
    s->kept[kept++] = order[i].index;
  }
  return kept;
}

static pelton_status selection_of(const pn_call *call, selection *s) {
  const pn_attrs_non_max_suppression *attrs = call->attrs;
  bool given[5];
  for (uint32_t i = 2; i < 5; i++) given[i] = pn_call_has(call, i) && pn_tensor_elements(&call->in[i]) > 0;
  *s = (selection){.boxes = &call->in[0], .scores = &call->in[1], .center_point = attrs->center_point_box};
  s->most = given[2] ? pn_tensor_get_i64(&call->in[2], 0) : 0;
  s->overlap = given[3] ? pn_tensor_get_f64(&call->in[3], 0) : 0;
  s->has_score = given[4];
  if (given[4]) s->score = pn_tensor_get_f64(&call->in[4], 0);
  const int64_t *boxes = s->boxes->dims, *scores = s->scores->dims;
  if (boxes[0] != scores[0] || boxes[1] != scores[2] || boxes[2] != 4)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "non_max_suppression: boxes[%lld,%lld,%lld] and scores[%lld,%lld,%lld] must be [N,B,4] and [N,C,B]",
                   (long long)boxes[0], (long long)boxes[1], (long long)boxes[2], (long long)scores[0],
                   (long long)scores[1], (long long)scores[2]);
  s->list = PN_NEW_ARRAY(call->scratch, candidate, (size_t)boxes[1]);
  s->other = PN_NEW_ARRAY(call->scratch, candidate, (size_t)boxes[1]);
  s->kept = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)boxes[1]);
  s->all = PN_NEW_ARRAY(call->scratch, box, (size_t)boxes[1]);
  s->chosen = PN_NEW_ARRAY(call->scratch, box, (size_t)boxes[1]);
  if (!s->list || !s->other || !s->kept || !s->all || !s->chosen)
    return pn_fail_memory(call->diag, "non_max_suppression's candidates");
  return PELTON_OK;
}

pelton_status pn_reference_non_max_suppression(const pn_call *call) {
  typedef struct row {
    int64_t batch, class_index, box_index;
  } row;
  PN_LIST(row) rows = {0};
  selection s;
  PN_TRY(selection_of(call, &s));
  int64_t batches = s.scores->dims[0], classes = s.scores->dims[1], box_count = s.scores->dims[2];
  for (int64_t n = 0; n < batches; n++) {
    for (int64_t i = 0; i < box_count; i++) s.all[i] = box_of(s.boxes, n * box_count + i, s.center_point);
    for (int64_t k = 0; k < classes; k++) {
      int64_t kept = select_boxes(&s, (n * classes + k) * box_count);
      for (int64_t i = 0; i < kept; i++) {
        row found = {n, k, s.kept[i]};
        if (!pn_list_push(call->scratch, &rows, found)) return pn_fail_memory(call->diag, "the selected boxes");
      }
    }
  }
  int64_t dims[2] = {rows.count, 3};
  PN_TRY(pn_call_resize(call, 0, 2, dims));
  if (rows.count > 0) memcpy(call->out[0].data, rows.data, rows.count * sizeof(row));
  return PELTON_OK;
}
