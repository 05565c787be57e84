/* What all tactics of the target do alike: launches, tables on the device, estimates. */
#include "targets/cuda/cuda.h"

#include <math.h>
#include <stdio.h>

pelton_status pn_cuda_launch_shared(pn_stream *s, pn_cu_function *function, const uint32_t *grid, uint32_t threads,
                                    uint32_t shared_bytes, const void *arguments, pelton_diag *diag) {
  void *list[1] = {(void *)(uintptr_t)arguments};         /* the driver only reads */
  if (!grid[0] || !grid[1] || !grid[2]) return PELTON_OK; /* nothing to do */
  PN_TRY(pn_cuda_enter(s->device, diag));
  /* May begin while the kernel before still runs, for which it waits itself: device.cuh. */
  pn_cu_launch_attribute early = {.id = PN_CU_LAUNCH_EARLY, .value = {1}};
  pn_cu_launch config = {
      {grid[0], grid[1], grid[2]}, {threads, 1, 1}, shared_bytes, s->stream, &early, s->device->launches_early};
  return pn_cuda_check(s->device, s->device->api.cuLaunchKernelEx(&config, function, list, NULL), "launching a kernel",
                       diag);
}

pelton_status pn_cuda_launch(pn_stream *s, pn_cu_function *function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z,
                             uint32_t threads, const void *arguments, pelton_diag *diag) {
  const uint32_t grid[3] = {grid_x, grid_y, grid_z};
  return pn_cuda_launch_shared(s, function, grid, threads, 0, arguments, diag);
}

pelton_status pn_cuda_allow_shared(const pn_device *device, pn_cu_function *function, uint32_t bytes,
                                   pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(device, diag));
  return pn_cuda_check(device, device->api.cuFuncSetAttribute(function, PN_CU_FUNCTION_MOST_SHARED_BYTES, (int)bytes),
                       "asking for shared memory", diag);
}

uint32_t pn_cuda_most_shared_bytes(const pn_device *device) {
  switch (device->capability) {
  case 70:
  case 72: return 98304;
  case 75: return 65536;
  case 80:
  case 87: return 166912;
  case 86:
  case 89: return 101376;
  default: return device->capability < 90 || device->capability >= 120 ? 101376 : 232448;
  }
}

uint32_t pn_cuda_blocks(const pn_device *device, int64_t items) {
  int64_t blocks = pn_div_up(items, PN_CUDA_BLOCK), most = (int64_t)device->multiprocessors * 16;
  return (uint32_t)(blocks < most ? blocks : most);
}

pelton_status pn_cuda_table_create(const pn_device *device, const void *data, size_t bytes, void **out,
                                   pelton_diag *diag) {
  const pn_cuda_api *api = &device->api;
  pn_cu_pointer pointer = 0;
  *out = NULL;
  if (!bytes) return PELTON_OK;
  PN_TRY(pn_cuda_enter(device, diag));
  char doing[64];
  (void)snprintf(doing, sizeof doing, "allocating %zu bytes for a kernel's table", bytes);
  PN_TRY(pn_cuda_check(device, api->cuMemAlloc_v2(&pointer, bytes), doing, diag));
  int error = api->cuMemcpyHtoDAsync_v2(pointer, data, bytes, NULL);
  if (!error) error = api->cuStreamSynchronize(NULL); /* other streams do not wait for this one */
  if (error) (void)api->cuMemFree_v2(pointer);
  PN_TRY(pn_cuda_check(device, error, "uploading a table", diag));
  *out = (void *)(uintptr_t)pointer;
  return PELTON_OK;
}

void pn_cuda_table_release(const pn_device *device, void *table) {
  if (!table || atomic_load(&((pn_device *)(uintptr_t)device)->gone)) return;
  pn_cuda_enter_anyway(device);
  (void)device->api.cuMemFree_v2(pn_cuda_pointer(table));
}

double pn_cuda_product_error(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return device->tf32 && pn_problem_input(p, 0, 0)->dtype == PELTON_DTYPE_F32 ? 4e-3 : 0;
}

double pn_cuda_operand_bytes(const pn_problem *p) {
  double bytes = 0;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].role != PN_OPERAND_INTERNAL) bytes += (double)pn_operand_bytes(&p->operands[i]);
  return bytes;
}

double pn_cuda_estimate(const pn_device *device, double fmas, double bytes, double efficiency) {
  double arithmetic = fmas / (device->fma_per_second * efficiency), memory = bytes / device->bytes_per_second;
  return 2.5e-6 + (arithmetic > memory ? arithmetic : memory);
}

/* Measured on an H200: 0.17 of a multiprocessor's rate for a block alone, 0.3 with several. */
double pn_cuda_tile_estimate(const pn_device *device, double blocks, double depth, double bytes) {
  double units = device->multiprocessors, rate = device->fma_per_second / units, waves = ceil(blocks / units);
  double efficiency = waves >= 4 ? 0.3 : 0.14 + 0.04 * waves;
  double arithmetic = waves * 64 * 64 * depth / (rate * efficiency), memory = bytes / device->bytes_per_second;
  return 4e-6 + (arithmetic > memory ? arithmetic : memory);
}

bool pn_cuda_fits(const pn_problem *p, pn_reason *why) {
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (pn_operand_elements(&p->operands[i]) > INT32_MAX)
      return pn_refuse(why, "an operand has more than 2^31 elements");
  return true;
}
