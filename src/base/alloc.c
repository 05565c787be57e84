/* The default allocator, single blocks and the arena.

   An arena block is a header and payload; objects are bumped from the newest block. An object that would waste much of
   a fresh block gets a block of its own behind the newest, so that the newest goes on being filled. Under ASan the
   payload is poisoned and only what was handed out is opened, with a gap between objects, so that a read beyond an
   arena's array is found like one beyond malloc's. */
#define _DEFAULT_SOURCE 1 /* madvise */
#include "base/alloc.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#if PN_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes)   ((void)(data), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
enum { GAP_BYTES = 0 };
#endif

enum {
  HUGE_PAGE_BYTES = 2 << 20,
  HUGE_BYTES = 2 * HUGE_PAGE_BYTES, /* from here on a partly used page is a small part */
  BLOCK_ALIGN = 64,
  FIRST_BLOCK_BYTES = 4096,
  LAST_BLOCK_BYTES = 1 << 20, /* blocks double up to here: few allocations for a graph, little waste for a scratch */
  MAX_ALIGN = 4096
};

typedef struct pn_arena_block {
  struct pn_arena_block *next;
  size_t bytes; /* of the payload */
  size_t used;
} arena_block;

/* The payload begins at the next multiple of BLOCK_ALIGN. */
enum { HEADER_BYTES = (sizeof(arena_block) + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN };

/* Asserted only. */
PN_UNUSED static bool is_power_of_two(size_t value) { return value && !(value & (value - 1)); }

/* ---- single blocks --------------------------------------------------------------------------------------------- */

/* Activations and packed weights are walked in strides: in pages of 4 KB a pass over some megabytes misses the second
   TLB at every new row of pixels, and a walk costs more than the data. */
static void *alloc_huge_pages(size_t bytes) {
#ifdef MADV_HUGEPAGE
  void *data = aligned_alloc(HUGE_PAGE_BYTES, pn_align_up(bytes, HUGE_PAGE_BYTES));
  if (data)
    (void)madvise(data, pn_align_up(bytes, HUGE_PAGE_BYTES), MADV_HUGEPAGE); /* advice: small pages do as well */
  return data;
#else
  return aligned_alloc(BLOCK_ALIGN, pn_align_up(bytes, BLOCK_ALIGN));
#endif
}

static void *default_alloc(void *self, size_t bytes, size_t align) {
  (void)self;
  if (bytes >= HUGE_BYTES && bytes <= SIZE_MAX / 2 && align <= BLOCK_ALIGN) return alloc_huge_pages(bytes);
  if (align <= _Alignof(max_align_t)) return malloc(bytes);
  if (bytes > SIZE_MAX - align) return NULL;
  return aligned_alloc(align, pn_align_up(bytes, align)); /* C wants a multiple of the alignment */
}

static void default_release(void *self, void *pointer) {
  (void)self;
  free(pointer);
}

const pelton_allocator pn_allocator_default = {NULL, default_alloc, default_release};

void *pn_alloc_raw(const pelton_allocator *allocator, size_t bytes, size_t align) {
  assert(is_power_of_two(align));
  if (!allocator) allocator = &pn_allocator_default;
  return allocator->alloc(allocator->self, bytes ? bytes : 1, align);
}

void *pn_alloc(const pelton_allocator *allocator, size_t bytes, size_t align) {
  /* calloc knows which pages the system has just zeroed. */
  if ((!allocator || allocator == &pn_allocator_default) && align <= _Alignof(max_align_t))
    return calloc(1, bytes ? bytes : 1);
  void *data = pn_alloc_raw(allocator, bytes, align);
  if (data) memset(data, 0, bytes ? bytes : 1);
  return data;
}

void pn_release(const pelton_allocator *allocator, void *pointer) {
  if (!pointer) return;
  if (!allocator) allocator = &pn_allocator_default;
  allocator->release(allocator->self, pointer);
}

/* ---- the arena ------------------------------------------------------------------------------------------------- */

void pn_arena_init(pn_arena *arena, const pelton_allocator *allocator) {
  arena->allocator = allocator ? allocator : &pn_allocator_default;
  arena->blocks = NULL;
  arena->used_bytes = 0;
  arena->next_block_bytes = FIRST_BLOCK_BYTES;
}

static uint8_t *block_payload(arena_block *block) { return (uint8_t *)block + HEADER_BYTES; }

void pn_arena_deinit(pn_arena *arena) {
  for (arena_block *block = arena->blocks; block;) {
    arena_block *next = block->next;
    ASAN_UNPOISON_MEMORY_REGION(block_payload(block), block->bytes);
    pn_release(arena->allocator, block);
    block = next;
  }
  pn_arena_init(arena, arena->allocator);
}

static arena_block *block_make(pn_arena *arena, size_t payload_bytes) {
  size_t bytes;
  if (!pn_add_size(payload_bytes, HEADER_BYTES, &bytes)) return NULL;
  arena_block *block = pn_alloc_raw(arena->allocator, bytes, BLOCK_ALIGN);
  if (!block) return NULL;
  block->next = NULL;
  block->bytes = payload_bytes;
  block->used = 0;
  ASAN_POISON_MEMORY_REGION(block_payload(block), payload_bytes);
  return block;
}

/* |bytes| from |block|, or null when it has no room. */
static void *block_take(arena_block *block, size_t bytes, size_t align) {
  uintptr_t begin = (uintptr_t)block_payload(block);
  size_t offset = pn_align_up(begin + block->used, align) - begin;
  if (offset > block->bytes || bytes > block->bytes - offset) return NULL;
  block->used = offset + bytes;
#if PN_ASAN
  if (block->bytes - block->used >= GAP_BYTES) block->used += GAP_BYTES;
#endif
  uint8_t *data = block_payload(block) + offset;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  return data;
}

void pn_arena_reset(pn_arena *arena) {
  arena_block *block = arena->blocks;
  if (block && block->next) {
    size_t total = 0;
    for (; block; block = block->next) total += block->bytes;
    pn_arena_deinit(arena);
    arena->blocks = block_make(arena, total); /* null: the next object asks again */
    return;
  }
  if (block) {
    ASAN_POISON_MEMORY_REGION(block_payload(block), block->bytes);
    block->used = 0;
  }
  arena->used_bytes = 0;
}

static void *arena_take(pn_arena *arena, size_t bytes, size_t align) {
  assert(is_power_of_two(align) && align <= MAX_ALIGN);
  if (bytes == 0) bytes = 1;
  void *data = arena->blocks ? block_take(arena->blocks, bytes, align) : NULL;
  if (!data) {
    size_t needed; /* the gap keeps two blocks' objects apart as well */
    if (!pn_add_size(bytes, (align > BLOCK_ALIGN ? align : 0) + GAP_BYTES, &needed)) return NULL;
    bool alone = needed > arena->next_block_bytes / 4;
    arena_block *block = block_make(arena, alone ? needed : arena->next_block_bytes);
    if (!block) return NULL;
    if (alone && arena->blocks) {
      block->next = arena->blocks->next;
      arena->blocks->next = block;
    } else {
      block->next = arena->blocks;
      arena->blocks = block;
    }
    if (!alone && arena->next_block_bytes < LAST_BLOCK_BYTES) arena->next_block_bytes *= 2;
    data = block_take(block, bytes, align);
    assert(data);
  }
  arena->used_bytes += bytes;
  return data;
}

void *pn_arena_alloc(pn_arena *arena, size_t bytes, size_t align) {
  void *data = arena_take(arena, bytes, align);
  if (data) memset(data, 0, bytes ? bytes : 1);
  return data;
}

void *pn_arena_array(pn_arena *arena, size_t count, size_t element_bytes, size_t align) {
  size_t bytes;
  if (!pn_mul_size(count, element_bytes, &bytes)) return NULL;
  return pn_arena_alloc(arena, bytes, align);
}

void *pn_arena_copy(pn_arena *arena, const void *data, size_t bytes, size_t align) {
  void *copy = arena_take(arena, bytes, align);
  if (!copy) return NULL;
  if (bytes)
    memcpy(copy, data, bytes);
  else
    *(uint8_t *)copy = 0;
  return copy;
}

bool pn_arena_owns(const pn_arena *arena, const void *data) {
  const uintptr_t address = (uintptr_t)data;
  for (arena_block *block = arena->blocks; block; block = block->next) {
    const uintptr_t begin = (uintptr_t)block_payload(block);
    if (address >= begin && address - begin < block->bytes) return true;
  }
  return false;
}

bool pn_list_grow(pn_arena *arena, void **data, uint32_t count, uint32_t *capacity, size_t extra, size_t element_bytes,
                  size_t align) {
  size_t needed;
  if (!pn_add_size(count, extra, &needed) || needed > UINT32_MAX) return false;
  size_t wanted = *capacity <= UINT32_MAX / 2 ? (size_t)*capacity * 2 : UINT32_MAX;
  if (wanted < 8) wanted = 8;
  if (wanted < needed) wanted = needed;
  void *grown = pn_arena_array(arena, wanted, element_bytes, align);
  if (!grown) return false;
  /* |data| is the address of a T *, seen as a void **: copied as bytes, because the two types may not alias. */
  void *former;
  memcpy(&former, data, sizeof former);
  if (count) memcpy(grown, former, (size_t)count * element_bytes);
  memcpy(data, &grown, sizeof grown);
  *capacity = (uint32_t)wanted;
  return true;
}
