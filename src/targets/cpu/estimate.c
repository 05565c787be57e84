#include "targets/cpu/cpu.h"

double pn_cpu_estimate(const pn_device *device, double fmas, double bytes, double efficiency) {
  static const double job_seconds = 0.7e-6;
  double arithmetic = fmas / (device->fma_per_second * efficiency);
  double rate = device->bytes_per_second;
  if (bytes < (double)device->l2_bytes * device->threads)
    rate *= 6; /* it is in a cache since the step before */
  else if (bytes < (double)device->l3_bytes)
    rate *= 3;
  double memory = bytes / rate;
  /* They overlap, but not wholly. */
  return job_seconds + (arithmetic > memory ? arithmetic + 0.4 * memory : memory + 0.4 * arithmetic);
}

double pn_cpu_operand_bytes(const pn_problem *problem) {
  double bytes = 0;
  for (uint32_t i = 0; i < problem->operand_count; i++)
    if (problem->operands[i].role != PN_OPERAND_INTERNAL) bytes += (double)pn_operand_bytes(&problem->operands[i]);
  return bytes;
}
