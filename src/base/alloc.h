/* Memory through the caller's allocator. Two habits cover the library: an arena for everything whose life is a tree
   (a graph, a plan, one pass's scratch), and single blocks for what is handed out alone. */
#ifndef PN_BASE_ALLOC_H
#define PN_BASE_ALLOC_H

#include "base/diag.h"

#include <stdbool.h>

/* malloc and free; used where options give no allocator. */
extern const pelton_allocator pn_allocator_default;

/* |bytes| zeroed bytes at |align|, or null. bytes == 0 gives a valid pointer. */
void *pn_alloc(const pelton_allocator *allocator, size_t bytes, size_t align) PN_CHECKED;
/* The same, not zeroed: for large buffers that are written whole. */
void *pn_alloc_raw(const pelton_allocator *allocator, size_t bytes, size_t align) PN_CHECKED;
void pn_release(const pelton_allocator *allocator, void *pointer);

struct pn_arena_block;

/* A bump allocator: memory is released all at once. Not for use by two threads at once. */
typedef struct pn_arena {
  const pelton_allocator *allocator;
  struct pn_arena_block *blocks; /* newest first */
  size_t used_bytes;             /* handed out so far */
  size_t next_block_bytes;
} pn_arena;

/* |allocator| null means the default. Allocates nothing yet. */
void pn_arena_init(pn_arena *arena, const pelton_allocator *allocator);
void pn_arena_deinit(pn_arena *arena);
/* Forgets everything handed out but keeps the memory, as one block that holds as much: an arena that is reset after
   each use of the same size allocates nothing after the first. */
void pn_arena_reset(pn_arena *arena);
/* Zeroed memory at |align| (a power of two up to 4096), or null when the allocator has no more. */
void *pn_arena_alloc(pn_arena *arena, size_t bytes, size_t align) PN_CHECKED;
/* An array of |count| elements; null also when count * bytes overflows. */
void *pn_arena_array(pn_arena *arena, size_t count, size_t element_bytes, size_t align) PN_CHECKED;
void *pn_arena_copy(pn_arena *arena, const void *data, size_t bytes, size_t align) PN_CHECKED;
/* Whether |data| lies in the arena's memory (rather than in a mapped file, say). O(blocks). */
bool pn_arena_owns(const pn_arena *arena, const void *data) PN_CHECKED;

#define PN_NEW(arena, type) ((type *)pn_arena_alloc((arena), sizeof(type), _Alignof(type)))
#define PN_NEW_ARRAY(arena, type, count) ((type *)pn_arena_array((arena), (count), sizeof(type), _Alignof(type)))

/* Growable arrays in an arena: `PN_LIST(type) list` is { data, count, capacity }. Pushing may move |data|, so ids,
   not pointers, refer to elements of lists that grow. Old blocks stay in the arena until it ends. */
#define PN_LIST(type) \
  struct {            \
    type *data;       \
    uint32_t count;   \
    uint32_t capacity; \
  }

/* Makes room for |extra| more elements; false when memory is out. */
#define pn_list_reserve(arena, list, extra)                                                                      \
  ((size_t)(extra) <= (list)->capacity - (list)->count ||                                                         \
   pn_list_grow((arena), (void **)&(list)->data, (list)->count, &(list)->capacity, (extra), sizeof(*(list)->data), \
                _Alignof(max_align_t)))
/* Appends a copy of |value|; false when memory is out. */
#define pn_list_push(arena, list, value) \
  (pn_list_reserve(arena, list, 1) ? ((list)->data[(list)->count++] = (value), true) : false)

bool pn_list_grow(pn_arena *arena, void **data, uint32_t count, uint32_t *capacity, size_t extra, size_t element_bytes,
                  size_t align) PN_CHECKED;

#endif
