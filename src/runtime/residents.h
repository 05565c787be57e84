/* Device copies of constants and packed weights: one of each, whatever the number of contexts. They are known by their
   address on the host, which is the engine's image or a build's source and stays as long as the engine. */
#ifndef PN_RUNTIME_RESIDENTS_H
#define PN_RUNTIME_RESIDENTS_H

#include "base/hash.h"
#include "target/target.h"

#include <pthread.h>

typedef struct pn_residents {
  pthread_mutex_t lock;
  bool ready;
  pn_arena arena;
  pn_map by_address;
  PN_LIST(void *) copies; /* on the device, by the map's index */
  PN_LIST(void *) blocks; /* what was allocated */
  char *block;            /* where small ones are put, one behind another */
  size_t left;
  uint64_t bytes;
} pn_residents;

pelton_status pn_residents_init(pn_residents *residents, const pelton_allocator *allocator,
                                pelton_diag *diag) PN_CHECKED;
void pn_residents_deinit(pn_residents *residents, const pn_target *target, pn_device *device);
/* As if the copy were made, in a |residents| that has none: |bytes| in the end is what would be allocated. */
pelton_status pn_residents_measure(pn_residents *residents, const void *data, size_t bytes,
                                   pelton_diag *diag) PN_CHECKED;
/* The copy of |bytes| bytes at |data|, uploaded through |stream| when there is none yet: |fresh| is set then, and the
   stream must be waited for before the lock is given up. Only under the lock. */
pelton_status pn_residents_find(pn_residents *residents, const pn_target *target, pn_device *device, pn_stream *stream,
                                const void *data, size_t bytes, const void **out, bool *fresh,
                                pelton_diag *diag) PN_CHECKED;

#endif
