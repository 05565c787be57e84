/* Code compiled for a device, as it travels between a target, which makes and loads it, and an engine file, which keeps
   it: bytes, and the words that say what they are. */
#ifndef PN_BASE_BINARY_H
#define PN_BASE_BINARY_H

#include "base/alloc.h"
#include "base/str.h"

typedef struct pn_binary {
  uint64_t key[2]; /* of all that it was compiled from, the target's own: two hashes, so that none is met by chance */
  pn_str form;     /* what it runs on: "sm_90a" */
  pn_str name;     /* for people: "softmax.cu softmax" */
  pn_str compiler; /* "NVRTC 13.0" */
  const void *data; /* 64-byte aligned */
  size_t bytes;
} pn_binary;

typedef PN_LIST(pn_binary) pn_binary_list;

/* The program of |key| and |form|; null when there is none. */
PN_INLINE const pn_binary *pn_binary_find(const pn_binary_list *list, const uint64_t *key, pn_str form) {
  for (uint32_t i = 0; i < list->count; i++) {
    const pn_binary *p = &list->data[i];
    if (p->key[0] == key[0] && p->key[1] == key[1] && pn_str_equal(p->form, form)) return p;
  }
  return NULL;
}

#endif
