#include "plan/packed.h"

#include <pthread.h>

typedef struct entry {
  struct entry *next;
  uint64_t key;
  size_t bytes;
  void *memory;
} entry;

struct pn_packed_shared {
  const pelton_allocator *allocator;
  pthread_mutex_t mutex;
  entry *first;
  size_t bytes;
};

pn_packed_shared *pn_packed_shared_create(const pelton_allocator *allocator) {
  pn_packed_shared *shared = pn_alloc(allocator, sizeof *shared, _Alignof(pn_packed_shared));
  if (!shared) return NULL;
  shared->allocator = allocator;
  if (!pthread_mutex_init(&shared->mutex, NULL)) return shared;
  pn_release(allocator, shared);
  return NULL;
}

void pn_packed_shared_release(pn_packed_shared *shared) {
  if (!shared) return;
  while (shared->first) {
    entry *e = shared->first;
    shared->first = e->next;
    pn_release(shared->allocator, e->memory);
    pn_release(shared->allocator, e);
  }
  pthread_mutex_destroy(&shared->mutex);
  pn_release(shared->allocator, shared);
}

static pelton_status add(pn_packed_shared *shared, uint64_t key, size_t bytes, pn_pack_function *pack, void *self,
                         entry **out, pelton_diag *diag) {
  entry *e = pn_alloc(shared->allocator, sizeof *e, _Alignof(entry));
  void *memory = e ? pn_alloc_raw(shared->allocator, bytes + 64, 64) : NULL;
  pelton_status status = memory ? pack(self, memory, diag) : pn_fail_memory(diag, "packed weights");
  if (status) {
    pn_release(shared->allocator, memory);
    pn_release(shared->allocator, e);
    return status;
  }
  *e = (entry){shared->first, key, bytes, memory};
  shared->first = *out = e;
  shared->bytes += bytes;
  return PELTON_OK;
}

pelton_status pn_packed_shared_get(pn_packed_shared *shared, uint64_t key, size_t bytes, pn_pack_function *pack,
                                   void *self, const void **out, pelton_diag *diag) {
  pelton_status status = PELTON_OK;
  pthread_mutex_lock(&shared->mutex);
  entry *e = shared->first;
  while (e && (e->key != key || e->bytes != bytes)) e = e->next;
  if (!e) status = add(shared, key, bytes, pack, self, &e, diag);
  pthread_mutex_unlock(&shared->mutex);
  if (!status) *out = e->memory;
  return status;
}

size_t pn_packed_shared_bytes(pn_packed_shared *shared) {
  pthread_mutex_lock(&shared->mutex);
  size_t bytes = shared->bytes;
  pthread_mutex_unlock(&shared->mutex);
  return bytes;
}
