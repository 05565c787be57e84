#include "runtime/sink.h"

enum { ALIGNMENT = 64 };

static size_t bytes_of(const pn_tensor *t) { return (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype); }

void pn_sink_begin(pn_sink *sink, void *memory, size_t capacity) {
  sink->memory = memory;
  sink->capacity = capacity;
  sink->asked = false;
}

static pelton_status ask(pn_sink *sink, const pn_tensor *t, pelton_diag *diag) {
  static uint64_t nothing; /* a present tensor of no elements has an address */
  pelton_output_request request = {(uint32_t)sizeof request, sink->index, sink->name, t->dtype,
                                   {t->rank, {0}},           bytes_of(t), ALIGNMENT};
  memcpy(request.shape.dims, t->dims, sizeof t->dims[0] * t->rank);
  sink->given = sink->allocator.allocate(sink->allocator.self, &request);
  if (!sink->given && request.bytes)
    return pn_fail(diag, PELTON_OUT_OF_MEMORY, "output '%s': its allocator gave no memory for %zu bytes", sink->name,
                   request.bytes);
  sink->memory = sink->given ? sink->given : &nothing;
  sink->capacity = request.bytes;
  sink->asked = true;
  return PELTON_OK;
}

pelton_status pn_sink_open(pn_sink *sink, const pn_tensor *t, void **out, pelton_diag *diag) {
  *out = NULL;
  if (!sink) return PELTON_OK;
  if (!sink->memory && sink->allocator.allocate) PN_TRY(ask(sink, t, diag));
  if (sink->memory && sink->capacity >= bytes_of(t)) *out = sink->memory;
  return PELTON_OK;
}

pelton_status pn_sink_deliver(pn_sink *sink, pn_tensor *t, pelton_diag *diag) {
  void *memory;
  size_t bytes = bytes_of(t);
  if (!t->data) return PELTON_OK; /* an optional one that is absent */
  PN_TRY(pn_sink_open(sink, t, &memory, diag));
  if (!memory && sink->memory)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "output '%s' has %zu bytes, its buffer only %zu; give a larger one or none", sink->name, bytes,
                   sink->capacity);
  if (!memory) return PELTON_OK;
  if (bytes && memory != t->data) memmove(memory, t->data, bytes);
  t->data = sink->asked ? sink->given : memory;
  return PELTON_OK;
}
