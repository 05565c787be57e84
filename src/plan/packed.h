/* Weights that were packed after an engine was opened: for another processor than the one it was tuned for, for a plan
   of other shapes, or because the file has none. All plans of all contexts of the engine share them, so that many
   contexts hold them once. Nothing is given up before the engine: there are as many as tactics and configs that plans
   chose. */
#ifndef PN_PLAN_PACKED_H
#define PN_PLAN_PACKED_H

#include "base/alloc.h"
#include "base/diag.h"

typedef struct pn_packed_shared pn_packed_shared;

/* Writes what is missing. */
typedef pelton_status pn_pack_function(void *self, void *memory, pelton_diag *diag);

/* Null when memory is out. */
pn_packed_shared *pn_packed_shared_create(const pelton_allocator *allocator) PN_CHECKED;
void pn_packed_shared_release(pn_packed_shared *shared); /* null is fine */

/* The weights of |key| and |bytes|, packed now when nobody did before. From any thread: who comes while another packs
   waits for it. */
pelton_status pn_packed_shared_get(pn_packed_shared *shared, uint64_t key, size_t bytes, pn_pack_function *pack,
                                   void *self, const void **out, pelton_diag *diag) PN_CHECKED;
/* What it holds. */
size_t pn_packed_shared_bytes(pn_packed_shared *shared);

#endif
