/* The distinct elements or slices of a tensor: unique, by a sort that all blocks share. How many there are the device
   counts (tactic.h). */
#include "targets/cuda/each.h"

enum { TILE = 512, PIECE = 4096 }; /* kernels/each/unique.cu */

/* The stages in order; those of first slices only where groups are numbered so. */
enum { BEGIN, TILES, PASS, COUNT, ADD, NUMBER, WRITTEN };

/* Places of the numbers that differ from launch to launch. */
enum { RUN, LAST_RUN, STEP };

static pn_cuda_line slices_of(const pn_problem *p) {
  const pn_attrs_unique *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  return attrs->flat ? (pn_cuda_line){1, pn_operand_elements(x), 1} : pn_cuda_line_of(x, attrs->axis);
}

static int64_t room_of(int64_t extent) {
  int64_t room = 1;
  while (room < extent) room *= 2;
  return room;
}

static size_t workspace(const pn_problem *p, const pn_device *device) {
  const int64_t extent = slices_of(p).extent;
  (void)device;
  return (size_t)(room_of(extent) + 4 * extent + 1 + pn_div_up(extent, PIECE)) * sizeof(int);
}

static pelton_status add(const pn_problem *p, const pn_device *device, pn_cuda_work *work, const char *flag,
                         bool by_first, const char *entry, int64_t count, uint32_t threads, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y", "INDICES", "INVERSE", "COUNTS"};
  const pn_cuda_line line = slices_of(p);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  pn_cuda_each_number(&e, "RUN", 0);
  pn_cuda_each_number(&e, "LAST_RUN", 0);
  pn_cuda_each_number(&e, "STEP", 0);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, flag, 1);
  pn_cuda_each_constant(&e, "BY_FIRST", by_first);
  pn_cuda_each_constant(&e, "SORTED", ((const pn_attrs_unique *)p->nodes[0].attrs)->sorted);
  pn_cuda_each_number(&e, "OUTER", line.outer);
  pn_cuda_each_number(&e, "EXTENT", line.extent);
  pn_cuda_each_number(&e, "INNER", line.inner);
  pn_cuda_each_number(&e, "ROOM", room_of(line.extent));
  pn_cuda_each_number(&e, "PIECES", pn_div_up(line.extent, PIECE));
  return pn_cuda_each_end(&e, "unique.cu", entry, count, threads, diag);
}

static pelton_status prepare_unique(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  const pn_cuda_line line = slices_of(p);
  const int64_t room = room_of(line.extent), pieces = pn_div_up(line.extent, PIECE);
  const bool sorted = ((const pn_attrs_unique *)p->nodes[0].attrs)->sorted;
  const struct {
    const char *flag, *entry;
    int64_t count;
    uint32_t threads;
  } stages[] = {
      [BEGIN] = {"SORTS", "unique_begin", room, 1},
      [TILES] = {"SORTS", "unique_tiles", pn_div_up(room, TILE), PN_CUDA_BLOCK},
      [PASS] = {"SORTS", "unique_pass", room / 2, 1},
      [COUNT] = {"NUMBERS", "unique_count", pieces, PN_CUDA_BLOCK},
      [ADD] = {"NUMBERS", "unique_add", 1, PN_CUDA_BLOCK},
      [NUMBER] = {"NUMBERS", "unique_number", pieces, PN_CUDA_BLOCK},
  };
  for (int i = 0; i < WRITTEN; i++)
    PN_TRY(add(p, device, work, stages[i].flag, false, stages[i].entry, stages[i].count, stages[i].threads, diag));
  for (int i = COUNT; i < WRITTEN && !sorted; i++)
    PN_TRY(add(p, device, work, stages[i].flag, true, stages[i].entry, stages[i].count, stages[i].threads, diag));
  PN_TRY(add(p, device, work, "WRITES", false, "unique_lists", line.extent, 1, diag));
  if (!pn_problem_output(p, 0, 0)) return PELTON_OK; /* nobody wants the slices themselves */
  return add(p, device, work, "WRITES", false, "unique_copy", pn_operand_elements(pn_problem_input(p, 0, 0)), 1, diag);
}

/* A bitonic sort: runs of two places, four, ..., all in tiles while they fit, then exchanges that go farther one by
 * one. */
static pelton_status sort(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_cuda_work *work = step->state;
  const struct pn_cuda_stage *pass = &work->stage[PASS], *tiles = &work->stage[TILES];
  const int64_t room = room_of(slices_of(step->problem).extent);
  struct each_arguments a = tiles->arguments;
  PN_TRY(pn_cuda_each_launch(step, stream, &work->stage[BEGIN], &work->stage[BEGIN].arguments, diag));
  a.number[RUN] = 2;
  a.number[LAST_RUN] = (int)pn_min_i64(room, TILE);
  PN_TRY(pn_cuda_each_launch(step, stream, tiles, &a, diag));
  for (int64_t run = 2 * TILE; run <= room; run *= 2) {
    struct each_arguments far = pass->arguments;
    far.number[RUN] = a.number[RUN] = a.number[LAST_RUN] = (int)run;
    for (int64_t over = run / 2; over > TILE / 2; over /= 2) {
      far.number[STEP] = (int)over;
      PN_TRY(pn_cuda_each_launch(step, stream, pass, &far, diag));
    }
    PN_TRY(pn_cuda_each_launch(step, stream, tiles, &a, diag));
  }
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_cuda_work *work = step->state;
  PN_TRY(sort(step, stream, diag));
  for (uint32_t i = COUNT; i < work->count; i++)
    PN_TRY(pn_cuda_each_launch(step, stream, &work->stage[i], &work->stage[i].arguments, diag));
  return PELTON_OK;
}

static bool accepts_unique(const pn_problem *p, pn_reason *why) {
  return slices_of(p).extent <= 1 << 28 || pn_refuse(why, "more than 2^28 slices");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_UNIQUE, accepts_unique, workspace, prepare_unique},
};
PN_CUDA_EACH_COUNTS(unique, ops, run);
