/* Streams: what is done in order, its faults, its times, and recordings of it, which are CUDA graphs. */
#include "targets/cuda/stream.h"

#include "targets/cuda/kernels/arguments.h"

#include <stdio.h>
#include <string.h>

static void release_contents(pn_stream *s) {
  const pn_cuda_api *api = &s->device->api;
  pn_cuda_enter_anyway(s->device);
  if (s->own) (void)api->cuStreamSynchronize(s->own);
  for (uint32_t i = 0; i < PN_CUDA_STAGES; i++) {
    if (s->stages[i].done) (void)api->cuEventDestroy_v2(s->stages[i].done);
    if (s->stages[i].memory) (void)api->cuMemFreeHost(s->stages[i].memory);
  }
  if (s->fault) (void)api->cuMemFreeHost(s->fault);
  if (s->begin) (void)api->cuEventDestroy_v2(s->begin);
  if (s->end) (void)api->cuEventDestroy_v2(s->end);
  if (s->order) (void)api->cuEventDestroy_v2(s->order);
  if (s->own) (void)api->cuStreamDestroy_v2(s->own);
}

void pn_cuda_stream_release(pn_stream *s) {
  if (!s) return;
  if (!atomic_load(&s->device->gone)) release_contents(s);
  pn_arena_deinit(&s->scratch);
  pn_release(s->device->allocator, s);
}

static pelton_status fill_stream(pn_stream *s, pelton_diag *diag) {
  const pn_device *device = s->device;
  const pn_cuda_api *api = &device->api;
  PN_TRY(pn_cuda_enter(device, diag));
  PN_TRY(pn_cuda_check(device, api->cuStreamCreate(&s->own, PN_CU_STREAM_NON_BLOCKING), "making a stream", diag));
  s->stream = s->own;
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->order, PN_CU_EVENT_NO_TIMING), "making an event", diag));
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->begin, 0), "making an event", diag));
  PN_TRY(pn_cuda_check(device, api->cuEventCreate(&s->end, 0), "making an event", diag));
  for (uint32_t i = 0; i < PN_CUDA_STAGES; i++) {
    void *memory = NULL;
    PN_TRY(
        pn_cuda_check(device, api->cuEventCreate(&s->stages[i].done, PN_CU_EVENT_NO_TIMING), "making an event", diag));
    PN_TRY(pn_cuda_check_pinned(device, api->cuMemHostAlloc(&memory, PN_CUDA_STAGE_BYTES, PN_CU_HOST_PORTABLE),
                                PN_CUDA_STAGE_BYTES, diag));
    s->stages[i].memory = memory;
  }
  void *fault = NULL;
  PN_TRY(
      pn_cuda_check_pinned(device, api->cuMemHostAlloc(&fault, 64, PN_CU_HOST_PORTABLE | PN_CU_HOST_MAPPED), 64, diag));
  memset(fault, 0, 64);
  s->fault = fault;
  return PELTON_OK;
}

pelton_status pn_cuda_stream_create(pn_device *device, pn_stream **out, pelton_diag *diag) {
  *out = NULL;
  pn_stream *s = pn_alloc(device->allocator, sizeof *s, _Alignof(pn_stream));
  if (!s) return pn_fail_memory(diag, "a stream");
  s->device = device;
  pn_arena_init(&s->scratch, device->allocator);
  pelton_status status = fill_stream(s, diag);
  if (status)
    pn_cuda_stream_release(s);
  else
    *out = s;
  return status;
}

/* What tell_fault left. */
static pelton_status take_fault(pn_stream *s, pelton_diag *diag) {
  volatile int32_t *at = s->fault;
  const uint32_t what = (uint32_t)at[0], extent = (uint32_t)at[1];
  const long long number = (int64_t)((uint64_t)(uint32_t)at[3] << 32 | (uint32_t)at[2]);
  at[0] = 0;
  s->faulty_step = what >> FAULT_KIND_BITS;
  switch (what & ((1u << FAULT_KIND_BITS) - 1)) {
  case FAULT_INDEX:
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "index %lld lies outside an extent of %u; give indices that are in it, or a larger tensor", number,
                   extent);
  case FAULT_LENGTH:
    return pn_fail(diag, PELTON_INVALID_DATA, "length %lld is not one from 0 to %u; mend the operand of lengths",
                   number, extent);
  case FAULT_AXIS:
    return pn_fail(diag, PELTON_INVALID_DATA, "axis %lld lies outside a tensor of rank %u; mend the operand of axes",
                   number, extent);
  default:
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "an operand holds numbers that it cannot do with; the target cpu tells which");
  }
}

pelton_status pn_cuda_stream_synchronize(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, s->device->api.cuStreamSynchronize(s->stream), "running the network", diag));
  return *(volatile int32_t *)s->fault ? take_fault(s, diag) : PELTON_OK;
}

uint32_t pn_cuda_stream_fault(pn_stream *s) {
  const uint32_t step = s->faulty_step;
  s->faulty_step = 0;
  return step;
}

pelton_status pn_cuda_stream_lend(pn_stream *s, void *native, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->order, s->own), "ordering streams", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuStreamWaitEvent(native, s->order, 0), "ordering streams", diag));
  s->stream = native;
  return PELTON_OK;
}

pelton_status pn_cuda_stream_return(pn_stream *s, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  pn_cu_stream *native = s->stream;
  s->stream = s->own;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->order, native), "ordering streams", diag));
  return pn_cuda_check(s->device, api->cuStreamWaitEvent(s->own, s->order, 0), "ordering streams", diag);
}

pelton_status pn_cuda_timer_start(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuEventRecord(s->begin, s->stream), "timing", diag);
}

pelton_status pn_cuda_timer_stop(pn_stream *s, double *seconds, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  float milliseconds = 0;
  PN_TRY(pn_cuda_enter(s->device, diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->end, s->stream), "timing", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventSynchronize(s->end), "timing", diag));
  PN_TRY(pn_cuda_check(s->device, api->cuEventElapsedTime(&milliseconds, s->begin, s->end), "timing", diag));
  *seconds = 1e-3 * (double)milliseconds;
  return PELTON_OK;
}

/* ---- recordings: CUDA graphs ---------------------------------------------------------------------------------------
 */

struct pn_recording {
  pn_cu_graph_exec *exec;
};

/* Always in the stream's own: a caller's may be the default one, which cannot be recorded. */
pelton_status pn_cuda_record_begin(pn_stream *s, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuStreamBeginCapture_v2(s->own, PN_CU_CAPTURE_THREAD_LOCAL),
                       "recording", diag);
}

pelton_status pn_cuda_record_end(pn_stream *s, pn_recording **out, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  pn_cu_graph *graph = NULL;
  *out = NULL;
  pn_cuda_enter_anyway(s->device); /* the stream must leave this state, whatever comes */
  PN_TRY(pn_cuda_check(s->device, api->cuStreamEndCapture(s->own, &graph), "recording", diag));
  pn_recording *recording = pn_alloc(s->device->allocator, sizeof *recording, _Alignof(pn_recording));
  pelton_status status = recording ? PELTON_OK : pn_fail_memory(diag, "a recording");
  if (!status)
    status = pn_cuda_check(s->device, api->cuGraphInstantiateWithFlags(&recording->exec, graph, 0), "recording", diag);
  if (graph) (void)api->cuGraphDestroy(graph);
  if (status)
    pn_release(s->device->allocator, recording);
  else
    *out = recording;
  return status;
}

pelton_status pn_cuda_recording_play(pn_stream *s, pn_recording *recording, pelton_diag *diag) {
  PN_TRY(pn_cuda_enter(s->device, diag));
  return pn_cuda_check(s->device, s->device->api.cuGraphLaunch(recording->exec, s->stream), "launching a graph", diag);
}

void pn_cuda_recording_release(pn_device *device, pn_recording *recording) {
  if (!recording) return;
  pn_cuda_enter_anyway(device);
  if (!atomic_load(&device->gone)) (void)device->api.cuGraphExecDestroy(recording->exec);
  pn_release(device->allocator, recording);
}
