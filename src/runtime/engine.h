/* A loaded engine: an image, a device, and nothing that changes. Shared by contexts and threads. */
#ifndef PN_RUNTIME_ENGINE_H
#define PN_RUNTIME_ENGINE_H

#include "engine/image.h"
#include "pelton/run.h"
#include "plan/plan.h"
#include "runtime/residents.h"

#include <stdatomic.h>

/* NUL-terminated names of an input or output and of its dynamic dims (null: a number, or nameless). */
typedef struct pn_io_names {
  const char *name;
  const char *dims[PELTON_MAX_RANK];
} pn_io_names;

struct pelton_engine {
  const pelton_allocator *allocator;
  pelton_log log;
  atomic_uint references;
  pelton_engine *origin; /* whose image, names and packed weights these are; null: its own */
  pn_image *image;
  const pn_target *target;
  pn_device_options device_options; /* with which the device was opened */
  pn_device *device;
  pn_residents residents; /* constants and packed weights on the device, shared by contexts */
  const pn_plan_record *record; /* the decisions to start from; null when there are none for this target */
  const pn_io_names *input_names, *output_names;
  pn_packed_shared *shared;             /* weights packed since it was opened */
  char *report;                         /* of a build; null for an opened engine */
  pn_plan *built;                       /* of a build: holds packed weights that image->packed refers to */
  void (*release_source)(void *source); /* of a build: what constants are borrowed from */
  void *source;
};

/* Around the work of every public function that may reach the device: what the caller's thread had current (a CUDA
   context) is current again when it returns. */
PN_INLINE void *pn_engine_enter(const pelton_engine *engine) { return pn_target_enter(engine->target, engine->device); }
PN_INLINE void pn_engine_leave(const pelton_engine *engine, void *was) {
  pn_target_leave(engine->target, engine->device, was);
}

/* An engine around |image|, which it owns from now on, also on failure. */
pelton_status pn_engine_create(pn_image *image, const pelton_run_options *options, pelton_engine **out,
                               pelton_diag *diag) PN_CHECKED;

/* engine_device.c: sets target, device_options and device. */
pelton_status pn_engine_open_device(pelton_engine *engine, const pelton_run_options *options,
                                    pelton_diag *diag) PN_CHECKED;

/* Null becomes the defaults; a smaller |size| of an older caller leaves later members zero. */
pelton_run_options pn_run_options(const pelton_run_options *options);

#endif
