#include "targets/cpu/broadcast.h"

#include "base/bytes.h"
#include "target/strides.h"

bool pn_broadcast_accepts(const pn_problem *p, pn_reason *why) {
  int64_t strides[PN_MAX_RANK], dims[PN_MAX_RANK];
  const pn_operand *out = pn_problem_output(p, 0, 0);
  uint32_t axes = out->rank; /* up to the innermost one that a run goes along: extents of 1 are no axes */
  pn_layout_stored_dims(out->layout, out->rank, out->dims, dims);
  while (axes && dims[axes - 1] == 1) axes--;
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    if (!pn_operand_strides(o, out, strides)) return pn_refuse(why, "operand %u has more axes than the result", i);
    int64_t last = axes ? strides[axes - 1] : 0;
    if (last != 0 && last != 1)
      return pn_refuse(why, "operand %u is not contiguous along the result's innermost axis", i);
  }
  return true;
}

/* Joins axis d into d - 1 where every operand's strides allow it; axes of extent 1 vanish. */
static void merge_axes(pn_broadcast *b, uint32_t rank) {
  b->axes = 0;
  for (uint32_t d = 0; d < rank; d++) {
    if (b->dims[d] == 1) continue;
    bool join = b->axes > 0;
    for (uint32_t o = 0; o <= b->operand_count && join; o++)
      join = b->strides[o][b->axes - 1] == b->strides[o][d] * b->dims[d];
    uint32_t to = join ? b->axes - 1 : b->axes++;
    b->dims[to] = join ? b->dims[to] * b->dims[d] : b->dims[d];
    for (uint32_t o = 0; o <= b->operand_count; o++) b->strides[o][to] = b->strides[o][d];
  }
  if (b->axes) return;
  b->axes = 1;
  b->dims[0] = 1;
  for (uint32_t o = 0; o <= b->operand_count; o++) b->strides[o][0] = 0;
}

bool pn_broadcast_plan(pn_broadcast *b, const pn_problem *p, int64_t piece) {
  const pn_operand *out = pn_problem_output(p, 0, 0);
  b->operand_count = p->nodes[0].input_count;
  for (uint32_t i = 0; i <= b->operand_count; i++) {
    const pn_operand *o = i < b->operand_count ? pn_problem_input(p, 0, i) : out;
    b->element_bytes[i] = (uint32_t)pelton_dtype_bytes(o->dtype);
    if (!pn_operand_strides(o, out, b->strides[i])) return false;
  }
  pn_layout_stored_dims(out->layout, out->rank, out->dims, b->dims);
  int64_t total = pn_operand_elements(out);
  merge_axes(b, out->rank);
  b->run_length = b->dims[b->axes - 1];
  b->piece = piece;
  b->pieces = pn_div_up(b->run_length, piece);
  b->runs = b->run_length ? total / b->run_length : 0;
  return true;
}

uint32_t pn_broadcast_parts(const pn_broadcast *b, const pn_device *device, double operations) {
  int64_t units = b->runs * b->pieces, most = 4 * (int64_t)device->threads;
  if ((double)(b->runs * b->run_length) * operations < 16384) return 1;
  return (uint32_t)pn_max_i64(1, pn_min_i64(units, most));
}

size_t pn_broadcast_at(const pn_broadcast *b, const pn_step *step, int64_t unit, pn_run_operand *operands) {
  const pn_problem_node *node = &step->problem->nodes[0];
  int64_t position = unit / b->pieces, begin = unit % b->pieces * b->piece;
  for (uint32_t o = 0; o <= b->operand_count; o++) {
    uint16_t index = o < b->operand_count ? node->inputs[o] : node->outputs[0];
    int64_t offset = begin * b->strides[o][b->axes - 1], left = position;
    for (uint32_t d = b->axes - 1; d-- > 0;) {
      offset += left % b->dims[d] * b->strides[o][d];
      left /= b->dims[d];
    }
    operands[o] = (pn_run_operand){(const char *)step->operands[index] + offset * b->element_bytes[o],
                                   (uint32_t)b->strides[o][b->axes - 1]};
  }
  return (size_t)pn_min_i64(b->piece, b->run_length - begin);
}

void pn_broadcast_types(const pn_problem *p, pelton_dtype *types) {
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) types[i] = pn_problem_input(p, 0, i)->dtype;
}

uint64_t pn_broadcast_running(const pn_broadcast *b) {
  uint64_t running = 0;
  for (uint32_t i = 0; i < b->operand_count; i++)
    if (b->strides[i][b->axes - 1]) running |= UINT64_C(1) << i;
  return running;
}
