/* Single blocks, the arena and its lists: alignment, zeroing, overflow, and every allocation failed in turn. */
#include "harness.h"

#include "base/alloc.h"
#include "base/bytes.h"

#if PN_ASAN
#include <sanitizer/asan_interface.h>
#endif

static bool is_zero(const void *data, size_t bytes) {
  const uint8_t *p = data;
  for (size_t i = 0; i < bytes; i++)
    if (p[i]) return false;
  return true;
}

TEST(single_blocks) {
  for (size_t align = 1; align <= 4096; align *= 2)
    for (size_t bytes = 0; bytes < 5000; bytes = bytes * 3 + 1) {
      uint8_t *data = pn_alloc(NULL, bytes, align);
      REQUIRE(data != NULL);
      EXPECT_EQ((uintptr_t)data % align, 0);
      EXPECT(is_zero(data, bytes));
      memset(data, 0xee, bytes);
      pn_release(NULL, data);
    }
  pn_release(NULL, NULL);
  void *raw = pn_alloc_raw(&pn_allocator_default, 100, 64);
  EXPECT(raw != NULL);
  pn_release(&pn_allocator_default, raw);
  EXPECT(pn_alloc_raw(NULL, SIZE_MAX - 10, 64) == NULL);
}

TEST(custom_blocks_are_zeroed) {
  harness_allocator a;
  const pelton_allocator *allocator = harness_allocator_init(&a, 0);
  for (int round = 0; round < 3; round++) { /* what was released comes back dirty */
    uint8_t *data = pn_alloc(allocator, 1000, 64);
    REQUIRE(data != NULL);
    EXPECT(is_zero(data, 1000));
    memset(data, 0xee, 1000);
    pn_release(allocator, data);
  }
  EXPECT_EQ(a.live, 0);
}

/* Objects of many sizes: aligned, zeroed, disjoint. Each is filled with its number and checked at the end. */
TEST(arena_objects) {
  enum { COUNT = 3000 };
  static uint8_t *objects[COUNT];
  static size_t sizes[COUNT];
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  size_t total = 0;
  for (uint32_t i = 0; i < COUNT; i++) {
    size_t align = (size_t)1 << (i * 7 % 13);
    sizes[i] = i % 97 == 0 ? 40000 + i : i % 11 == 0 ? 0 : i * 31 % 700;
    objects[i] = pn_arena_alloc(&arena, sizes[i], align);
    REQUIRE(objects[i] != NULL);
    EXPECT_EQ((uintptr_t)objects[i] % align, 0);
    EXPECT(is_zero(objects[i], sizes[i]));
    memset(objects[i], (int)(i % 255 + 1), sizes[i]);
    total += sizes[i];
  }
  for (uint32_t i = 0; i < COUNT; i++)
    for (size_t k = 0; k < sizes[i]; k++)
      if (objects[i][k] != i % 255 + 1) {
        EXPECT_EQ(objects[i][k], i % 255 + 1);
        break;
      }
  EXPECT(arena.used_bytes >= total);
  pn_arena_deinit(&arena);
  EXPECT_EQ(arena.used_bytes, 0);
  EXPECT(PN_NEW(&arena, uint64_t) != NULL); /* usable again */
  pn_arena_deinit(&arena);
}

TEST(arena_blocks) {
  harness_allocator a;
  pn_arena arena;
  pn_arena_init(&arena, harness_allocator_init(&a, 0));
  EXPECT_EQ(a.count, 0);
  for (int i = 0; i < 100000; i++) REQUIRE(pn_arena_alloc(&arena, 16, 8) != NULL);
  EXPECT(a.count < 20); /* blocks double */
  uint64_t before = a.count;
  for (int i = 0; i < 10; i++) REQUIRE(pn_arena_alloc(&arena, 8 << 20, 64) != NULL);
  EXPECT_EQ(a.count, before + 10); /* a block each, and the newest goes on being filled */
  for (int i = 0; i < 16; i++) REQUIRE(pn_arena_alloc(&arena, 16, 8) != NULL);
  EXPECT(a.count <= before + 11);
  pn_arena_deinit(&arena);
  EXPECT_EQ(a.live, 0);
}

TEST(arena_copies) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  const char *copy = pn_arena_copy(&arena, "abc", 4, 1);
  EXPECT_STR(copy, "abc");
  EXPECT(pn_arena_copy(&arena, NULL, 0, 8) != NULL);
  pn_arena_deinit(&arena);
}

TEST(overflow) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  EXPECT(pn_arena_array(&arena, SIZE_MAX / 2, 3, 8) == NULL);
  EXPECT(pn_arena_array(&arena, SIZE_MAX, 1, 8) == NULL);
  EXPECT(pn_arena_alloc(&arena, SIZE_MAX - 64, 4096) == NULL);
  EXPECT(PN_NEW_ARRAY(&arena, uint64_t, 10) != NULL);

  PN_LIST(uint64_t) list = {NULL, 0, 0};
  const volatile size_t too_many = (size_t)UINT32_MAX + 1, most = SIZE_MAX; /* not constants to the compiler */
  EXPECT(!pn_list_reserve(&arena, &list, too_many));
  EXPECT(!pn_list_reserve(&arena, &list, most));
  EXPECT(list.data == NULL && list.capacity == 0);
  REQUIRE(pn_list_push(&arena, &list, 7));
  EXPECT(!pn_list_reserve(&arena, &list, most));
  EXPECT(!pn_list_reserve(&arena, &list, UINT32_MAX));
  EXPECT_EQ(list.data[0], 7);
  pn_arena_deinit(&arena);
}

TEST(lists) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  PN_LIST(uint32_t) list = {NULL, 0, 0};
  for (uint32_t i = 0; i < 10000; i++) REQUIRE(pn_list_push(&arena, &list, i * 3));
  EXPECT_EQ(list.count, 10000);
  for (uint32_t i = 0; i < list.count; i++) REQUIRE(list.data[i] == i * 3);
  REQUIRE(pn_list_reserve(&arena, &list, 50000));
  EXPECT(list.capacity >= 60000);
  EXPECT_EQ(list.data[9999], 29997);
  PN_LIST(char *) names = {NULL, 0, 0};
  for (uint32_t i = 0; i < 20; i++) REQUIRE(pn_list_push(&arena, &names, (char *)&list.data[i]));
  EXPECT(names.data[19] == (char *)&list.data[19]);
  pn_arena_deinit(&arena);
}

/* Fails each allocation in turn: what was there stays usable, and nothing leaks. */
TEST(failing) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena arena;
    pn_arena_init(&arena, harness_allocator_init(&a, ++n));
    PN_LIST(uint32_t) list = {NULL, 0, 0};
    uint32_t pushed = 0;
    bool ok = true;
    for (uint32_t i = 0; i < 5000 && ok; i++) {
      ok = pn_list_push(&arena, &list, i);
      pushed += ok;
    }
    if (ok) ok = pn_arena_alloc(&arena, 3 << 20, 4096) != NULL;
    EXPECT_EQ(ok, !a.failed);
    EXPECT_EQ(list.count, pushed);
    for (uint32_t i = 0; i < list.count; i++) REQUIRE(list.data[i] == i);
    pn_arena_deinit(&arena);
    EXPECT_EQ(a.live, 0);
    REQUIRE(n < 100);
  } while (a.failed);
  EXPECT(n > 4);
}

TEST(poisoned_between_objects) {
#if PN_ASAN
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  char *first = pn_arena_alloc(&arena, 24, 8);
  char *second = pn_arena_alloc(&arena, 24, 8);
  REQUIRE(first && second);
  EXPECT(!__asan_address_is_poisoned(first + 23));
  EXPECT(__asan_address_is_poisoned(first + 24));
  EXPECT(__asan_address_is_poisoned(second - 1));
  EXPECT(__asan_address_is_poisoned(second + 24));
  pn_arena_deinit(&arena);
#else
  SKIP("needs the address sanitizer");
#endif
}

TEST_MAIN(T(single_blocks), T(custom_blocks_are_zeroed), T(arena_objects), T(arena_blocks), T(arena_copies),
          T(overflow), T(lists), T(failing), T(poisoned_between_objects))
