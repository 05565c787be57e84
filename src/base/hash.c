/* The hash and the map of names.

   The hash runs four independent lanes of 64 bits over 32 bytes at a time, so that the multiplier's latency is hidden;
   a lane is multiplied, rotated and multiplied again, each step a bijection of the word and of the lane, so a change
   in one word is never lost. Engines and caches store its values: tests pin them, and they may never change. */
#include "base/hash.h"

#define PRIME_A UINT64_C(0x9e3779b97f4a7c15)
#define PRIME_B UINT64_C(0xd6e8feb86659fd93)
#define PRIME_C UINT64_C(0xa0761d6478bd642f)
#define PRIME_D UINT64_C(0xe7037ed1a0b428db)

PN_INLINE uint64_t rotate_left(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

PN_INLINE uint64_t lane_add(uint64_t lane, uint64_t word) { return rotate_left(lane + word * PRIME_B, 29) * PRIME_A; }

PN_INLINE uint64_t avalanche(uint64_t h) {
  h = (h ^ (h >> 32)) * PRIME_C;
  h = (h ^ (h >> 29)) * PRIME_D;
  return h ^ (h >> 32);
}

uint64_t pn_hash_bytes(const void *data, size_t bytes, uint64_t seed) {
  const uint8_t *p = data;
  size_t left = bytes;
  uint64_t h = seed ^ PRIME_C;
  if (left >= 32) {
    uint64_t a = h + PRIME_A, b = h ^ PRIME_B, c = h, d = h - PRIME_D;
    for (; left >= 32; left -= 32, p += 32) {
      a = lane_add(a, pn_load_u64(p));
      b = lane_add(b, pn_load_u64(p + 8));
      c = lane_add(c, pn_load_u64(p + 16));
      d = lane_add(d, pn_load_u64(p + 24));
    }
    h = avalanche(a);
    h = lane_add(h, b);
    h = lane_add(h, c);
    h = lane_add(h, d);
  }
  for (; left >= 8; left -= 8, p += 8) h = lane_add(h, pn_load_u64(p));
  if (left) {
    uint64_t tail = 0; /* bytes that are missing read as zero; the length below tells them from zeros */
    memcpy(&tail, p, left);
    h = lane_add(h, tail);
  }
  return avalanche(h + (uint64_t)bytes * PRIME_D);
}

/* ---- the map --------------------------------------------------------------------------------------------------- */

/* Linear probing at a load of at most 3/4. A slot's |used| keeps 31 bits of its key's hash: they place the slot when
   the table grows or closes a hole, and spare most comparisons of names. */

enum { FIRST_CAPACITY = 16 };
#define LAST_CAPACITY (UINT32_C(1) << 31)

static uint32_t key_mark(pn_str key) { return (uint32_t)(pn_hash_bytes(key.data, key.size, 0) >> 32) | 1u; }

static uint32_t mark_home(uint32_t mark, uint32_t capacity) { return (mark >> 1) & (capacity - 1); }

void pn_map_init(pn_map *map, pn_arena *arena) { *map = (pn_map){.arena = arena}; }

/* The slot of |key|, or the free one where it belongs. The table has a free slot always. */
static pn_map_slot *slot_find(const pn_map *map, pn_str key, uint32_t mark) {
  uint32_t mask = map->capacity - 1;
  for (uint32_t i = mark_home(mark, map->capacity);; i = (i + 1) & mask) {
    pn_map_slot *slot = &map->slots[i];
    if (!slot->used || (slot->used == mark && pn_str_equal(slot->key, key))) return slot;
  }
}

static bool map_grow(pn_map *map) {
  if (map->capacity == LAST_CAPACITY) return false;
  pn_map grown = {.arena = map->arena, .count = map->count};
  grown.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
  grown.slots = PN_NEW_ARRAY(map->arena, pn_map_slot, grown.capacity);
  if (!grown.slots) return false;
  for (uint32_t i = 0; i < map->capacity; i++)
    if (map->slots[i].used) *slot_find(&grown, map->slots[i].key, map->slots[i].used) = map->slots[i];
  *map = grown;
  return true;
}

bool pn_map_set(pn_map *map, pn_str key, uint32_t value) {
  uint32_t mark = key_mark(key);
  if (map->capacity) {
    pn_map_slot *slot = slot_find(map, key, mark);
    if (slot->used) {
      slot->value = value;
      return true;
    }
  }
  if (map->count >= map->capacity - map->capacity / 4 && !map_grow(map)) return false;
  *slot_find(map, key, mark) = (pn_map_slot){key, value, mark};
  map->count++;
  return true;
}

bool pn_map_get(const pn_map *map, pn_str key, uint32_t *out) {
  if (!map->count) return false;
  const pn_map_slot *slot = slot_find(map, key, key_mark(key));
  if (!slot->used) return false;
  if (out) *out = slot->value;
  return true;
}

void pn_map_remove(pn_map *map, pn_str key) {
  if (!map->count) return;
  pn_map_slot *slot = slot_find(map, key, key_mark(key));
  if (!slot->used) return;
  /* Close the hole: each later slot of the run moves into it unless it would land before its home. No tombstones, so
     lookups never slow down. */
  uint32_t mask = map->capacity - 1;
  uint32_t hole = (uint32_t)(slot - map->slots);
  for (uint32_t i = (hole + 1) & mask; map->slots[i].used; i = (i + 1) & mask) {
    uint32_t home = mark_home(map->slots[i].used, map->capacity);
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    map->slots[hole] = map->slots[i];
    hole = i;
  }
  map->slots[hole] = (pn_map_slot){{NULL, 0}, 0, 0};
  map->count--;
}
