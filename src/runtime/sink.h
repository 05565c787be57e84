/* Where the caller of a context wants an output: in a buffer of his own, or in what his callback gives once the size is
   known. The root frame has a sink for each output; a branch of an if that makes an output is handed its parent's, so
   that whoever knows the size first asks, and writes there. */
#ifndef PN_RUNTIME_SINK_H
#define PN_RUNTIME_SINK_H

#include "op/type.h"
#include "pelton/run.h"

typedef struct pn_sink {
  pelton_output_allocator allocator; /* |allocate| null: none */
  uint32_t index;                    /* of the engine's output */
  const char *name;
  /* of one run */
  void *memory; /* null: not yet known, or the frame's own will do */
  size_t capacity;
  bool asked; /* |memory| is of the allocator, which gave |given|: null is fine for no bytes */
  void *given;
} pn_sink;

/* A new run: the caller gives |memory|, or null. */
void pn_sink_begin(pn_sink *sink, void *memory, size_t capacity);
/* Sets |*out| to memory for |t|, or to null when it must go elsewhere: there is no sink, or it is too small, which is
   told only when the run has the shapes of all outputs. */
pelton_status pn_sink_open(pn_sink *sink, const pn_tensor *t, void **out, pelton_diag *diag) PN_CHECKED;
/* Brings |t| there when it lies elsewhere, and sets t->data to what the caller is told. PELTON_INVALID_ARGUMENT: his
   buffer is too small. */
pelton_status pn_sink_deliver(pn_sink *sink, pn_tensor *t, pelton_diag *diag) PN_CHECKED;

#endif
