#include "runtime/residents.h"

#include <string.h>

enum { BLOCK_BYTES = 16 << 20, SMALL_BYTES = 1 << 20, ALIGN = 256 };

typedef struct address {
  const void *data;
  size_t bytes;
} address;

pelton_status pn_residents_init(pn_residents *r, const pelton_allocator *allocator, pelton_diag *diag) {
  pn_arena_init(&r->arena, allocator);
  pn_map_init(&r->by_address, &r->arena);
  if (pthread_mutex_init(&r->lock, NULL)) return pn_fail_memory(diag, "an engine");
  r->ready = true;
  return PELTON_OK;
}

void pn_residents_deinit(pn_residents *r, const pn_target *target, pn_device *device) {
  if (!r->ready) return;
  for (uint32_t i = 0; i < r->blocks.count; i++) target->memory_release(device, r->blocks.data[i]);
  pn_arena_deinit(&r->arena);
  (void)pthread_mutex_destroy(&r->lock);
}

static size_t wanted_bytes(size_t bytes) { return pn_align_up(bytes + 1, ALIGN); }
/* What has to be allocated for |bytes| more; 0 when there is room. */
static size_t block_bytes(const pn_residents *r, size_t bytes) {
  if (bytes > SMALL_BYTES) return wanted_bytes(bytes);
  return wanted_bytes(bytes) <= r->left ? 0 : BLOCK_BYTES;
}

pelton_status pn_residents_measure(pn_residents *r, const void *data, size_t bytes, pelton_diag *diag) {
  address key = {data, bytes};
  uint32_t index;
  if (pn_map_get(&r->by_address, (pn_str){(const char *)&key, sizeof key}, &index)) return PELTON_OK;
  const char *kept = pn_arena_copy(&r->arena, &key, sizeof key, _Alignof(address));
  if (!kept || !pn_map_set(&r->by_address, (pn_str){kept, sizeof key}, 0)) return pn_fail_memory(diag, "an engine");
  size_t block = block_bytes(r, bytes);
  r->bytes += block;
  if (bytes <= SMALL_BYTES) r->left = (block ? block : r->left) - wanted_bytes(bytes);
  return PELTON_OK;
}

/* Device memory for |bytes|. */
static pelton_status allocate(pn_residents *r, const pn_target *target, pn_device *device, size_t bytes, void **out,
                              pelton_diag *diag) {
  bool small = bytes <= SMALL_BYTES;
  size_t wanted = wanted_bytes(bytes), block = block_bytes(r, bytes);
  if (!block) {
    *out = r->block;
    r->block += wanted;
    r->left -= wanted;
    return PELTON_OK;
  }
  void *memory;
  PN_TRY(target->memory_alloc(device, block, "weights", &memory, diag));
  if (!pn_list_push(&r->arena, &r->blocks, memory)) {
    target->memory_release(device, memory);
    return pn_fail_memory(diag, "an engine");
  }
  r->bytes += block;
  if (small) {
    r->block = (char *)memory + wanted;
    r->left = block - wanted;
  }
  *out = memory;
  return PELTON_OK;
}

pelton_status pn_residents_find(pn_residents *r, const pn_target *target, pn_device *device, pn_stream *stream,
                                const void *data, size_t bytes, const void **out, bool *fresh, pelton_diag *diag) {
  address key = {data, bytes};
  uint32_t index;
  if (pn_map_get(&r->by_address, (pn_str){(const char *)&key, sizeof key}, &index)) {
    *out = r->copies.data[index];
    return PELTON_OK;
  }
  void *memory = NULL;
  PN_TRY(allocate(r, target, device, bytes, &memory, diag));
  *fresh = true;
  PN_TRY(target->upload(stream, memory, data, bytes, diag));
  const char *kept = pn_arena_copy(&r->arena, &key, sizeof key, _Alignof(address));
  if (!kept || !pn_list_push(&r->arena, &r->copies, memory) ||
      !pn_map_set(&r->by_address, (pn_str){kept, sizeof key}, r->copies.count - 1))
    return pn_fail_memory(diag, "an engine");
  *out = memory;
  return PELTON_OK;
}
