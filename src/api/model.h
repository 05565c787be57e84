/* The public model: an imported or hand-built graph, shared with the engines that were built from it, whose constants
   it holds. */
#ifndef PN_API_MODEL_H
#define PN_API_MODEL_H

#include "import/import.h"
#include "pelton/build.h"

#include <stdatomic.h>

struct pelton_model {
  const pelton_allocator *allocator;
  atomic_uint references;
  pn_model *model;
};

void pn_model_retain(const pelton_model *model);

#endif
