/* Of overlapping boxes those of the best score: non_max_suppression, a batch element and class a block. How many boxes
   are kept the device counts (tactic.h). */
#include "targets/cuda/each.h"

typedef struct extents {
  int64_t pairs, classes, boxes;
  int64_t room, most; /* a pair's candidates, a power of two; boxes that it keeps */
} extents;

static extents extents_of(const pn_problem *p) {
  const int64_t *scores = pn_problem_input(p, 0, 1)->dims;
  extents x = {scores[0] * scores[1], scores[1], scores[2], 1, 0};
  while (x.room < x.boxes) x.room *= 2;
  if (x.pairs) x.most = pn_problem_output(p, 0, 0)->dims[0] / x.pairs;
  return x;
}

static size_t workspace(const pn_problem *p, const pn_device *device) {
  const extents x = extents_of(p);
  (void)device;
  return (size_t)(x.pairs * (x.room + x.most + 1)) * sizeof(int);
}

/* An absent operand and one without elements are the same to the definition. */
static bool is_given(const pn_problem *p, uint32_t i) {
  const pn_operand *o = pn_problem_input(p, 0, i);
  return o && pn_operand_elements(o) > 0;
}

static pelton_status prepare_nms(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const flags[] = {"SORTS", "KEEPS", "ADDS", "WRITES"};
  static const char *const entries[] = {"nms_sort", "nms_keep", "nms_add", "nms_write"};
  static const char *const inputs[] = {"X", "SCORES", "MOST_OF_CLASS", "LEAST_OVERLAP", "LEAST_SCORE"};
  static const char *const outputs[] = {"Y"};
  const extents x = extents_of(p);
  for (int i = 0; i < 4; i++) {
    pn_cuda_each e;
    pn_cuda_each_begin(&e, p, device, work);
    PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
    pn_cuda_each_constant(&e, flags[i], 1);
    pn_cuda_each_constant(&e, "CENTER", ((const pn_attrs_non_max_suppression *)p->nodes[0].attrs)->center_point_box);
    pn_cuda_each_constant(&e, "LIMITED", is_given(p, 2));
    pn_cuda_each_constant(&e, "OVERLAPS", is_given(p, 3));
    pn_cuda_each_constant(&e, "SCORED", is_given(p, 4));
    pn_cuda_each_number(&e, "PAIRS", x.pairs);
    pn_cuda_each_number(&e, "CLASSES", x.classes);
    pn_cuda_each_number(&e, "BOXES", x.boxes);
    pn_cuda_each_number(&e, "ROOM", x.room);
    pn_cuda_each_number(&e, "MOST", x.most);
    PN_TRY(pn_cuda_each_end(&e, "nms.cu", entries[i], i == 2 ? 1 : x.pairs, PN_CUDA_BLOCK, diag));
  }
  return PELTON_OK;
}

static bool accepts_nms(const pn_problem *p, pn_reason *why) {
  const pn_operand *boxes = pn_problem_input(p, 0, 0), *scores = pn_problem_input(p, 0, 1);
  if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2] ||
      boxes->dims[2] != 4)
    return pn_refuse(why, "boxes and scores that do not fit");
  for (uint32_t i = 2; i < 5; i++)
    if (pn_problem_input(p, 0, i) && pn_operand_elements(pn_problem_input(p, 0, i)) > 1)
      return pn_refuse(why, "a threshold that is not one number");
  return workspace(p, NULL) / sizeof(int) <= INT32_MAX || pn_refuse(why, "more than 2^31 candidates");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_NON_MAX_SUPPRESSION, accepts_nms, workspace, prepare_nms},
};
PN_CUDA_EACH_COUNTS(nms, ops, pn_cuda_each_run);
