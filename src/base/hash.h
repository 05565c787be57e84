/* 64-bit hashing for tables, cache keys and section checksums. Not cryptographic: signatures are src/protect's. */
#ifndef PN_BASE_HASH_H
#define PN_BASE_HASH_H

#include "base/alloc.h"
#include "base/str.h"

/* The hash of |bytes| bytes; several GB/s. The same on every machine and in every version: engines store it. */
uint64_t pn_hash_bytes(const void *data, size_t bytes, uint64_t seed);
PN_INLINE uint64_t pn_hash_mix(uint64_t h, uint64_t value) {
  h = (h ^ value) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

/* A map from names to indices (open addressing, in an arena). Keys are borrowed and must outlive the map. */
typedef struct pn_map_slot {
  pn_str key;
  uint32_t value;
  uint32_t used;
} pn_map_slot;

typedef struct pn_map {
  pn_arena *arena;
  pn_map_slot *slots;
  uint32_t count, capacity; /* capacity is zero or a power of two */
} pn_map;

void pn_map_init(pn_map *map, pn_arena *arena);
/* Adds or replaces; false when memory is out. */
bool pn_map_set(pn_map *map, pn_str key, uint32_t value) PN_CHECKED;
bool pn_map_get(const pn_map *map, pn_str key, uint32_t *out);
void pn_map_remove(pn_map *map, pn_str key);

#endif
