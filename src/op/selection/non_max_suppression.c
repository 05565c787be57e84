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
  uint64_t key; /* rises as the score falls; equal for equal scores */
  int64_t index;
} candidate;

/* Corners in any order, or a centre with width and height. */
static box box_of(const pn_tensor *boxes, int64_t index, bool center_point) {
  const float *f32 = boxes->dtype == PELTON_DTYPE_F32 ? (const float *)boxes->data + index * 4 : NULL;
  double v[4];
  box b;
  for (int64_t i = 0; i < 4; i++) v[i] = f32 ? (double)f32[i] : pn_tensor_get_f64(boxes, index * 4 + i);
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

/* Scores as numbers that rise as they fall: the bits of a float, read as an integer, are in order but for the sign. */
static uint32_t key_of_f32(float score) {
  uint32_t bits;
  score += 0.0f; /* -0 is 0 */
  memcpy(&bits, &score, sizeof bits);
  return bits >> 31 ? bits : ~(bits | 1u << 31);
}
static uint64_t key_of_f64(double score) {
  uint64_t bits;
  score += 0.0;
  memcpy(&bits, &score, sizeof bits);
  return bits >> 63 ? bits : ~(bits | (uint64_t)1 << 63);
}

enum { DIGITS = 256, FEW_CANDIDATES = 48 };

static candidate *insert_few(candidate *list, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    candidate own = list[i];
    int64_t at = i;
    for (; at > 0 && list[at - 1].key > own.key; at--) list[at] = list[at - 1];
    list[at] = own;
  }
  return list;
}

/* Sorts |list| by its keys of |key_bytes|, equal ones staying in order: from the last byte to the first, every byte puts
   the candidates in its own order. Bytes that all candidates share are skipped. Returns the sorted one of the lists. */
static candidate *sort_by_key(candidate *list, candidate *other, int64_t count, uint32_t key_bytes) {
  int64_t counts[sizeof(uint64_t)][DIGITS];
  if (count <= FEW_CANDIDATES) return insert_few(list, count);
  memset(counts, 0, key_bytes * sizeof counts[0]);
  for (int64_t i = 0; i < count; i++)
    for (uint32_t k = 0; k < key_bytes; k++) counts[k][list[i].key >> (8 * k) & (DIGITS - 1)]++;
  for (uint32_t k = 0; k < key_bytes; k++) {
    int64_t *starts = counts[k], start = 0;
    if (starts[list[0].key >> (8 * k) & (DIGITS - 1)] == count) continue;
    for (uint32_t d = 0; d < DIGITS; d++) {
      int64_t here = starts[d];
      starts[d] = start;
      start += here;
    }
    for (int64_t i = 0; i < count; i++) other[starts[list[i].key >> (8 * k) & (DIGITS - 1)]++] = list[i];
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
  box *chosen; /* those that are kept */
} selection;

/* The candidates of one batch element and class in |s->list|: nan is no score. */
static int64_t collect(const selection *s, int64_t scores_base, uint32_t *key_bytes) {
  int64_t box_count = s->boxes->dims[1], count = 0;
  *key_bytes = s->scores->dtype == PELTON_DTYPE_F64 ? sizeof(uint64_t) : sizeof(uint32_t);
  if (s->scores->dtype == PELTON_DTYPE_F32) {
    const float *f32 = (const float *)s->scores->data + scores_base;
    for (int64_t i = 0; i < box_count; i++) { /* without a jump: which scores pass is not to be foreseen */
      s->list[count] = (candidate){key_of_f32(f32[i]), i};
      count += s->has_score ? (double)f32[i] > s->score : f32[i] == f32[i];
    }
    return count;
  }
  for (int64_t i = 0; i < box_count; i++) {
    double score = pn_tensor_get_f64(s->scores, scores_base + i);
    if (s->has_score ? score > s->score : score == score)
      s->list[count++] = (candidate){*key_bytes == sizeof(uint64_t) ? key_of_f64(score) : key_of_f32((float)score), i};
  }
  return count;
}

/* Chooses boxes of batch element |batch| and one class into |kept|. */
static int64_t select_boxes(const selection *s, int64_t batch, int64_t scores_base) {
  uint32_t key_bytes;
  int64_t candidates = s->most > 0 ? collect(s, scores_base, &key_bytes) : 0, kept = 0;
  const candidate *order = candidates ? sort_by_key(s->list, s->other, candidates, key_bytes) : NULL;
  for (int64_t i = 0; i < candidates && kept < s->most; i++) {
    box b = box_of(s->boxes, batch * s->boxes->dims[1] + order[i].index, s->center_point);
    bool covered = false;
    for (int64_t k = 0; k < kept && !covered; k++) covered = boxes_overlap(&b, &s->chosen[k], s->overlap);
    if (covered) continue;
    s->chosen[kept] = b;
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
  s->chosen = PN_NEW_ARRAY(call->scratch, box, (size_t)boxes[1]);
  if (!s->list || !s->other || !s->kept || !s->chosen)
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
    for (int64_t k = 0; k < classes; k++) {
      int64_t kept = select_boxes(&s, n, (n * classes + k) * box_count);
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
