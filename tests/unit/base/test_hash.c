/* The hash and the map of names. */
#include "harness.h"

#include "base/hash.h"

/* Pinned: engines and caches on disk hold these values. A change here breaks them all. */
TEST(values_never_change) {
  uint8_t data[1000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + i / 256);
  static const struct {
    size_t bytes;
    uint64_t seed, hash;
  } cases[] = {
      {0, 0, UINT64_C(0x3a694e38440d841e)},        {1, 0, UINT64_C(0x2537b452e6e541ac)},
      {7, 0, UINT64_C(0x597af5455d3e13bb)},        {8, 0, UINT64_C(0x416ed5281b2d079b)},
      {31, 0, UINT64_C(0x3b165027d7ba4c16)},       {32, 0, UINT64_C(0x2a269f0db433027d)},
      {33, 1, UINT64_C(0x7187cfafc9e51e11)},       {1000, 0, UINT64_C(0xf41a1ee5f8084616)},
      {1000, 12345, UINT64_C(0x3cbd5bd86ab7bd80)},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++)
    EXPECT_EQ(pn_hash_bytes(data, cases[i].bytes, cases[i].seed), cases[i].hash);
  EXPECT_EQ(pn_hash_bytes(NULL, 0, 0), cases[0].hash);
}

/* At any alignment the same. */
TEST(alignment) {
  uint8_t buffer[200];
  for (size_t shift = 0; shift < 16; shift++) {
    for (size_t i = 0; i < 150; i++) buffer[shift + i] = (uint8_t)(i * 13);
    static uint64_t first;
    uint64_t h = pn_hash_bytes(buffer + shift, 150, 3);
    if (!shift) first = h;
    EXPECT_EQ(h, first);
  }
}

/* Each flipped bit changes about half of the result's bits, at every length and place; lengths of zeros differ. */
TEST(avalanche) {
  uint8_t data[100] = {0};
  uint64_t flips = 0, trials = 0;
  for (size_t bytes = 1; bytes <= sizeof data; bytes++) {
    uint64_t base = pn_hash_bytes(data, bytes, 0);
    EXPECT(base != pn_hash_bytes(data, bytes - 1, 0));
    EXPECT(base != pn_hash_bytes(data, bytes, 1));
    for (size_t bit = 0; bit < bytes * 8; bit++) {
      data[bit / 8] ^= (uint8_t)(1u << bit % 8);
      int changed = __builtin_popcountll(base ^ pn_hash_bytes(data, bytes, 0));
      EXPECT(changed >= 8 && changed <= 56);
      flips += (uint64_t)changed;
      trials++;
      data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
  }
  double mean = (double)flips / (double)trials;
  EXPECT(mean > 31 && mean < 33);
}

/* Pairs of flipped bits, among them those one stride of the four lanes apart, never collide. */
TEST(two_bits) {
  uint8_t data[96] = {0};
  uint64_t base = pn_hash_bytes(data, sizeof data, 0);
  for (size_t a = 0; a < sizeof data * 8; a++) {
    data[a / 8] ^= (uint8_t)(1u << a % 8);
    for (size_t b = a + 1; b < sizeof data * 8; b++) {
      data[b / 8] ^= (uint8_t)(1u << b % 8);
      REQUIRE(pn_hash_bytes(data, sizeof data, 0) != base);
      data[b / 8] ^= (uint8_t)(1u << b % 8);
    }
    data[a / 8] ^= (uint8_t)(1u << a % 8);
  }
}

enum { NAMES = 5000 };

static pn_str name_of(pn_arena *arena, uint32_t i) { return pn_str_from(pn_str_printf(arena, "node_%u", i)); }

TEST(map) {
  static pn_str names[NAMES];
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  pn_map map;
  pn_map_init(&map, &arena);
  uint32_t value = 9;
  EXPECT(!pn_map_get(&map, PN_STR("x"), &value));
  pn_map_remove(&map, PN_STR("x"));
  for (uint32_t i = 0; i < NAMES; i++) {
    names[i] = name_of(&arena, i);
    REQUIRE(pn_map_set(&map, names[i], i));
  }
  EXPECT_EQ(map.count, NAMES);
  for (uint32_t i = 0; i < NAMES; i++) REQUIRE(pn_map_get(&map, names[i], &value) && value == i);
  EXPECT(!pn_map_get(&map, PN_STR("node_5000"), &value));
  REQUIRE(pn_map_set(&map, names[3], 333));
  EXPECT_EQ(map.count, NAMES);
  EXPECT(pn_map_get(&map, names[3], &value) && value == 333);
  EXPECT(pn_map_get(&map, names[3], NULL));
  REQUIRE(pn_map_set(&map, (pn_str){NULL, 0}, 1)); /* the empty name is a name */
  EXPECT(pn_map_get(&map, PN_STR(""), &value) && value == 1);
  pn_arena_deinit(&arena);
}

/* Random sets and removals against a plain array: holes are closed right at any fill. */
TEST(map_removes) {
  enum { KEYS = 300 };
  static pn_str names[KEYS];
  static uint32_t expected[KEYS]; /* value + 1, or 0 */
  memset(expected, 0, sizeof expected);
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  pn_map map;
  pn_map_init(&map, &arena);
  for (uint32_t i = 0; i < KEYS; i++) names[i] = name_of(&arena, i);
  uint64_t random = 1;
  uint32_t count = 0;
  for (uint32_t step = 0; step < 30000; step++) {
    random = pn_hash_mix(random, step);
    uint32_t key = (uint32_t)(random % KEYS);
    if (random >> 60 < 8) {
      REQUIRE(pn_map_set(&map, names[key], step));
      count += !expected[key];
      expected[key] = step + 1;
    } else {
      pn_map_remove(&map, names[key]);
      count -= expected[key] != 0;
      expected[key] = 0;
    }
    REQUIRE(map.count == count);
    if (step % 100) continue;
    for (uint32_t i = 0; i < KEYS; i++) {
      uint32_t value = 0;
      REQUIRE(pn_map_get(&map, names[i], &value) == (expected[i] != 0));
      if (expected[i]) REQUIRE(value == expected[i] - 1);
    }
  }
  EXPECT(map.capacity <= 1024); /* no tombstones: it does not grow by removing */
  pn_arena_deinit(&arena);
}

TEST(map_failing) {
  static char names[2000][12];
  pn_arena helper;
  pn_arena_init(&helper, NULL);
  for (uint32_t i = 0; i < 2000; i++) strcpy(names[i], name_of(&helper, i).data);
  pn_arena_deinit(&helper);
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena arena;
    pn_arena_init(&arena, harness_allocator_init(&a, ++n));
    pn_map map;
    pn_map_init(&map, &arena);
    uint32_t held = 0, value;
    for (uint32_t i = 0; i < 2000; i++) {
      if (!pn_map_set(&map, pn_str_from(names[i]), i)) break;
      held++;
    }
    EXPECT_EQ(held == 2000, !a.failed);
    EXPECT_EQ(map.count, held);
    for (uint32_t i = 0; i < 2000; i++) REQUIRE(pn_map_get(&map, pn_str_from(names[i]), &value) == (i < held));
    pn_arena_deinit(&arena);
    EXPECT_EQ(a.live, 0);
    REQUIRE(n < 50);
  } while (a.failed);
  EXPECT(n > 4);
}

TEST_MAIN(T(values_never_change), T(alignment), T(avalanche), T(two_bits), T(map), T(map_removes), T(map_failing))
