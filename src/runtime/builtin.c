#include "runtime/builtin.h"

#include "engine/image.h"

#include <pthread.h>

static pn_arena arena;
static pn_binary_list all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What cannot be read is left out: kernels are compiled then. */
static void read_all(void) {
  pn_arena_init(&arena, NULL);
  for (const pn_builtin_image *b = pn_builtin_images; b->begin; b++) {
    pn_image *image;
    if (pn_image_open_memory(b->begin, (size_t)(b->end - b->begin), NULL, &image, NULL)) continue;
    for (uint32_t i = 0; i < image->binaries.count; i++)
      if (!pn_list_push(&arena, &all, image->binaries.data[i])) break;
    pn_image_release(image); /* names and code are the library's own bytes */
  }
}

const pn_binary_list *pn_builtin_binaries(void) {
  (void)pthread_once(&once, read_all);
  return &all;
}
