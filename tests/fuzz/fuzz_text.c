/* Any bytes as a graph's text: an error or a graph that verifies, that prints and reads back as itself, that clones,
   and that compaction leaves valid. Memory is limited, so that refusals for lack of it are met as well. */
#include "ir/text.h"
#include "ir/verify.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const pelton_diag *diag) {
  fprintf(stderr, "%s\n", what);
  for (uint32_t i = 0; i < diag->count; i++) fprintf(stderr, "  %s\n", pelton_diag_message(diag, i));
  abort();
}

enum { LIMIT_BYTES = 64 << 20 };

typedef struct limited {
  size_t left;
} limited;

static void *limited_alloc(void *self, size_t bytes, size_t align) {
  limited *l = self;
  if (bytes > l->left) return NULL;
  l->left -= bytes; /* never given back: one input's whole */
  return pn_alloc_raw(NULL, bytes, align);
}

static void limited_release(void *self, void *pointer) {
  (void)self;
  pn_release(NULL, pointer);
}

static bool is_fresh(const pn_graph *g, pn_dim dim) {
  return dim.symbol > 0 && g->symbols->list.data[dim.symbol - 1].kind == PN_SYMBOL_FRESH;
}

/* A sum of several symbols that only run time knows has no order among them that their numbers do not decide. */
static bool has_nameless_sums(const pn_graph *g) {
  for (uint32_t i = 0; i < g->symbols->list.count; i++)
    if (is_fresh(g, g->symbols->list.data[i].a) || is_fresh(g, g->symbols->list.data[i].b)) return true;
  return false;
}

static void check_round_trip(const pn_graph *g, const pelton_allocator *allocator) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena arena;
  pn_text text;
  pn_graph *h = NULL;
  pn_arena_init(&arena, allocator);
  pn_text_init(&text, allocator);
  pn_graph_print(g, 0, &text);
  if (!text.failed) {
    const pelton_status status = pn_graph_parse((pn_str){text.data, text.size}, &arena, &h, &diag);
    if (status && status != PELTON_OUT_OF_MEMORY) {
      fprintf(stderr, "%s\n", text.data);
      fail("what was printed does not read", &diag);
    }
    if (!status && !pn_graph_equal(g, h) && !has_nameless_sums(g)) {
      pn_graph_print(h, 0, &text);
      fprintf(stderr, "%s\n", text.data);
      fail("what was printed reads as another graph", &diag);
    }
  }
  pn_text_deinit(&text);
  pn_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  limited limit = {LIMIT_BYTES};
  const pelton_allocator allocator = {&limit, limited_alloc, limited_release};
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena arena, other;
  pn_graph *g = NULL;
  pn_arena_init(&arena, &allocator);
  pn_arena_init(&other, &allocator);
  const pelton_status status = pn_graph_parse((pn_str){(const char *)data, size}, &arena, &g, &diag);
  if (status == PELTON_INTERNAL) fail("a bug of our own", &diag);
  if (status && diag.count == 0) fail("a refusal without a reason", &diag);
  if (!status) {
    check_round_trip(g, &allocator);
    pn_graph *copy = pn_graph_clone(g, &other);
    if (copy) {
      if (!pn_graph_equal(g, copy)) fail("a clone differs", &diag);
      const pelton_status compacted = pn_graph_compact(copy, &diag);
      if (compacted && compacted != PELTON_OUT_OF_MEMORY) fail("it does not compact", &diag);
      const pelton_status verified = compacted ? PELTON_OK : pn_graph_verify(copy, &diag);
      if (verified && verified != PELTON_OUT_OF_MEMORY) fail("what was compacted is not valid", &diag);
    }
  }
  pn_arena_deinit(&arena);
  pn_arena_deinit(&other);
  return 0;
}
