/* The null target: accepts every problem in every layout, computes nothing, takes a made-up time that depends only on
   the problem. Compiler tests run on it without hardware, and plans made on it are the same on every machine. It is
   also the skeleton of a new target: copy the folder, rename, and fill in.

   To write a target:
     device_open   find the hardware; PELTON_DEVICE_ERROR, with what is missing, when it cannot be used
     fingerprint   everything that makes a measured time valid: device, driver, clocks if they differ
     tactics       the list made at configure time from tactics/<name>.c, the most general last
     patterns      chains of operators that some tactic can run as one step
     memory        device memory; with host_memory false the runtime copies at the edges by upload and download, and
                   around loops by copy
     stream        a queue of work; synchronize waits for it */
#include "target/target.h"

struct pn_device {
  const pelton_allocator *allocator;
};
struct pn_stream {
  pn_device *device;
};

#define PN_TACTIC(symbol) extern const pn_tactic symbol;
#include "null_tactics_list.inc"
#undef PN_TACTIC

#define PN_TACTIC(symbol) &symbol,
static const pn_tactic *const tactic_table[] = {
#include "null_tactics_list.inc"
};

static const pn_pattern pattern_table[] = {
    {"conv+pointwise", {"conv", "pointwise", NULL}, NULL},
    {"matmul+pointwise", {"matmul", "pointwise", NULL}, NULL},
    {"attention", {"matmul", "pointwise?", "softmax", "matmul", "transpose?", NULL}, "transpose"},
};

static pelton_status device_open(const pn_device_options *options, pn_device **out, pelton_diag *diag) {
  *out = pn_alloc(options->allocator, sizeof **out, _Alignof(pn_device));
  if (!*out) return pn_fail_memory(diag, "the null device");
  (*out)->allocator = options->allocator;
  return PELTON_OK;
}
static void device_close(pn_device *device) {
  if (device) pn_release(device->allocator, device);
}
static const char *fingerprint(const pn_device *device) {
  (void)device;
  return "null";
}
static uint32_t tactics(const pn_device *device, const pn_tactic *const **out) {
  (void)device;
  *out = tactic_table;
  return (uint32_t)PN_COUNT(tactic_table);
}
static uint32_t patterns(const pn_device *device, const pn_pattern **out) {
  (void)device;
  *out = pattern_table;
  return (uint32_t)PN_COUNT(pattern_table);
}
static pelton_status memory_alloc(pn_device *device, size_t bytes, const char *what, void **out, pelton_diag *diag) {
  *out = pn_alloc(device->allocator, bytes, 64);
  return *out ? PELTON_OK
              : pn_fail(diag, PELTON_OUT_OF_MEMORY,
                        "no memory for %s: %zu bytes wanted; use smaller shapes or fewer contexts", what, bytes);
}
static void memory_release(pn_device *device, void *memory) { pn_release(device->allocator, memory); }
static pelton_status copy(pn_stream *stream, void *to, const void *from, size_t bytes, pelton_diag *diag) {
  (void)stream;
  (void)diag;
  if (bytes) memcpy(to, from, bytes);
  return PELTON_OK;
}
static pelton_status stream_create(pn_device *device, pn_stream **out, pelton_diag *diag) {
  *out = pn_alloc(device->allocator, sizeof **out, _Alignof(pn_stream));
  if (!*out) return pn_fail_memory(diag, "a stream");
  (*out)->device = device;
  return PELTON_OK;
}
static void stream_release(pn_stream *stream) {
  if (stream) pn_release(stream->device->allocator, stream);
}
static pelton_status stream_synchronize(pn_stream *stream, pelton_diag *diag) {
  (void)stream;
  (void)diag;
  return PELTON_OK;
}

const pn_target pn_target_null = {
    .name = "null",
    .device_open = device_open,
    .device_close = device_close,
    .fingerprint = fingerprint,
    .tactics = tactics,
    .patterns = patterns,
    .memory_alloc = memory_alloc,
    .memory_release = memory_release,
    .upload = copy,
    .download = copy,
    .stream_create = stream_create,
    .stream_release = stream_release,
    .stream_synchronize = stream_synchronize,
    .host_memory = true,
};
