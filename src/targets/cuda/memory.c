/* Memory of a device and pinned memory of the host, and what is copied between them. */
#include "targets/cuda/stream.h"

#include <stdio.h>
#include <string.h>

/* Below this, copying into a staging buffer takes less time than to ask the driver what memory it is. */
enum { PN_CUDA_DIRECT_BYTES = 8192 };

pelton_status pn_cuda_memory_alloc(pn_device *device, size_t bytes, const char *what, void **out, pelton_diag *diag) {
  pn_cu_pointer pointer = 0;
  *out = NULL;
  PN_TRY(pn_cuda_enter(device, diag));
  const int error = device->api.cuMemAlloc_v2(&pointer, bytes ? bytes : 1);
  if (error) {
    char doing[96];
    (void)snprintf(doing, sizeof doing, "allocating %zu bytes for %s", bytes, what);
    return pn_cuda_check(device, error, doing, diag);
  }
  *out = (void *)(uintptr_t)pointer;
  return PELTON_OK;
}

void pn_cuda_memory_release(pn_device *device, void *memory) {
  if (!memory || atomic_load(&device->gone)) return;
  pn_cuda_enter_anyway(device);
  (void)device->api.cuMemFree_v2(pn_cuda_pointer(memory));
}

/* 0: the driver does not know it. The call for one attribute would say so by an error, which tools that watch for
   errors count. */
static unsigned memory_kind(const pn_device *device, const void *pointer) {
  unsigned kind = 0;
  int attributes[1] = {PN_CU_POINTER_MEMORY_TYPE};
  void *data[1] = {&kind};
  return device->api.cuPointerGetAttributes(1, attributes, data, pn_cuda_pointer(pointer)) ? 0 : kind;
}

/* One question for all, since every run asks it of every input and output. Managed memory is any device's. */
pelton_status pn_cuda_memory_is_device(const pn_device *device, const void *pointer, size_t bytes, bool *out,
                                       pelton_diag *diag) {
  unsigned kind = 0, managed = 0;
  int ordinal = device->ordinal;
  pn_cu_pointer begin = 0;
  size_t range_bytes = 0;
  int attributes[] = {PN_CU_POINTER_MEMORY_TYPE, PN_CU_POINTER_IS_MANAGED, PN_CU_POINTER_DEVICE,
                      PN_CU_POINTER_RANGE_BEGIN, PN_CU_POINTER_RANGE_BYTES};
  void *data[PN_COUNT(attributes)] = {&kind, &managed, &ordinal, &begin, &range_bytes};
  *out = false;
  PN_TRY(pn_cuda_enter(device, diag));
  PN_TRY(pn_cuda_check(
      device, device->api.cuPointerGetAttributes(PN_COUNT(attributes), attributes, data, pn_cuda_pointer(pointer)),
      "asking whose memory it is", diag));
  if (kind != PN_CU_MEMORY_DEVICE) return PELTON_OK;
  if (!managed && ordinal != device->ordinal)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "it is memory of CUDA device %d, the engine is on device %d: give it memory of that device "
                   "(pelton_memory_create), or take an engine on device %d (pelton_engine_on_device)",
                   ordinal, device->ordinal, ordinal);
  const size_t left = begin ? range_bytes - (size_t)(pn_cuda_pointer(pointer) - begin) : 0;
  if (begin && bytes > left)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "%zu bytes are wanted of memory of CUDA device %d that has %zu from that address on: allocate more",
                   bytes, device->ordinal, left);
  *out = true;
  return PELTON_OK;
}

pelton_status pn_cuda_host_alloc(pn_device *device, size_t bytes, void **out, pelton_diag *diag) {
  *out = NULL;
  PN_TRY(pn_cuda_enter(device, diag));
  pelton_status status = pn_cuda_check_pinned(
      device, device->api.cuMemHostAlloc(out, bytes ? bytes : 1, PN_CU_HOST_PORTABLE), bytes, diag);
  if (status) *out = NULL;
  return status;
}

void pn_cuda_host_release(pn_device *device, void *memory) {
  if (!memory || atomic_load(&device->gone)) return;
  pn_cuda_enter_anyway(device);
  (void)device->api.cuMemFreeHost(memory);
}

static bool is_pinned(const pn_device *device, const void *pointer) {
  return memory_kind(device, pointer) == PN_CU_MEMORY_HOST;
}

/* The next staging buffer, once the copies that used it are done. */
static pelton_status take_stage(pn_stream *s, uint32_t *out, pelton_diag *diag) {
  uint32_t k = s->next_stage;
  s->next_stage = (k + 1) % PN_CUDA_STAGES;
  *out = k;
  if (!s->stages[k].busy) return PELTON_OK;
  s->stages[k].busy = false;
  return pn_cuda_check(s->device, s->device->api.cuEventSynchronize(s->stages[k].done), "a copy", diag);
}

pelton_status pn_cuda_upload(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (bytes > PN_CUDA_DIRECT_BYTES && is_pinned(s->device, from))
    return pn_cuda_check(s->device, api->cuMemcpyHtoDAsync_v2(pn_cuda_pointer(to), from, bytes, s->stream), "an upload",
                         diag);
  for (size_t done = 0; done < bytes;) {
    size_t n = bytes - done < PN_CUDA_STAGE_BYTES ? bytes - done : PN_CUDA_STAGE_BYTES;
    uint32_t k;
    PN_TRY(take_stage(s, &k, diag));
    memcpy(s->stages[k].memory, (const char *)from + done, n);
    PN_TRY(pn_cuda_check(s->device,
                         api->cuMemcpyHtoDAsync_v2(pn_cuda_pointer(to) + done, s->stages[k].memory, n, s->stream),
                         "an upload", diag));
    PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->stages[k].done, s->stream), "an upload", diag));
    s->stages[k].busy = true;
    done += n;
  }
  return PELTON_OK;
}

/* Two buffers: while one piece is copied out by the host, the next comes in. */
pelton_status pn_cuda_download(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  size_t asked = 0, taken = 0;
  uint32_t stage[2] = {0, 0}, first = 0, held = 0;
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (bytes > PN_CUDA_DIRECT_BYTES && is_pinned(s->device, to)) {
    PN_TRY(pn_cuda_check(s->device, api->cuMemcpyDtoHAsync_v2(to, pn_cuda_pointer(from), bytes, s->stream),
                         "a download", diag));
    return pn_cuda_check(s->device, api->cuStreamSynchronize(s->stream), "a download", diag);
  }
  while (taken < bytes) {
    while (held < PN_CUDA_STAGES && asked < bytes) {
      size_t n = bytes - asked < PN_CUDA_STAGE_BYTES ? bytes - asked : PN_CUDA_STAGE_BYTES;
      uint32_t k;
      PN_TRY(take_stage(s, &k, diag));
      PN_TRY(pn_cuda_check(s->device,
                           api->cuMemcpyDtoHAsync_v2(s->stages[k].memory, pn_cuda_pointer(from) + asked, n, s->stream),
                           "a download", diag));
      PN_TRY(pn_cuda_check(s->device, api->cuEventRecord(s->stages[k].done, s->stream), "a download", diag));
      s->stages[k].busy = true;
      stage[(first + held++) % 2] = k;
      asked += n;
    }
    uint32_t k = stage[first % 2];
    size_t n = bytes - taken < PN_CUDA_STAGE_BYTES ? bytes - taken : PN_CUDA_STAGE_BYTES;
    s->stages[k].busy = false;
    PN_TRY(pn_cuda_check(s->device, api->cuEventSynchronize(s->stages[k].done), "a download", diag));
    memcpy((char *)to + taken, s->stages[k].memory, n);
    taken += n;
    first++;
    held--;
  }
  return PELTON_OK;
}

pelton_status pn_cuda_copy(pn_stream *s, void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t bytes,
                           size_t rows, pelton_diag *diag) {
  const pn_cuda_api *api = &s->device->api;
  const pn_cu_pointer target = pn_cuda_pointer(to), source = pn_cuda_pointer(from);
  PN_TRY(pn_cuda_enter(s->device, diag));
  if (to_pitch == bytes && from_pitch == bytes) bytes *= rows, rows = 1;
  if (rows > 1 && to_pitch <= INT32_MAX && from_pitch <= INT32_MAX) { /* as far as all devices' pitches go */
    const pn_cu_copy plane = {.source_kind = PN_CU_MEMORY_DEVICE,
                              .source = source,
                              .source_pitch = from_pitch,
                              .target_kind = PN_CU_MEMORY_DEVICE,
                              .target = target,
                              .target_pitch = to_pitch,
                              .bytes = bytes,
                              .rows = rows};
    return pn_cuda_check(s->device, api->cuMemcpy2DAsync_v2(&plane, s->stream), "a copy", diag);
  }
  for (size_t i = 0; i < rows; i++)
    PN_TRY(pn_cuda_check(s->device,
                         api->cuMemcpyDtoDAsync_v2(target + i * to_pitch, source + i * from_pitch, bytes, s->stream),
                         "a copy", diag));
  return PELTON_OK;
}
