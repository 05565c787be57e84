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

PN_INLINE bool pn_binary_has_key(const pn_binary *b, const uint64_t *key) {
  return b->key[0] == key[0] && b->key[1] == key[1];
}

/* That of |key| and |form|; null when there is none. */
PN_INLINE const pn_binary *pn_binary_find(const pn_binary_list *list, const uint64_t *key, pn_str form) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_binary_has_key(&list->data[i], key) && pn_str_equal(list->data[i].form, form)) return &list->data[i];
  return NULL;
}

#endif
