/* The CPU as a target: always there, the floor under every other. Its memory is the host's. */
#include "base/hash.h"
#include "targets/cpu/cpu.h"

#include <stdio.h>

#define PN_TACTIC(symbol) extern const pn_tactic symbol;
#include "cpu_tactics_list.inc"
#undef PN_TACTIC

#define PN_TACTIC(symbol) &symbol,
static const pn_tactic *const tactic_table[] = {
#include "cpu_tactics_list.inc"
};

static const pn_pattern pattern_table[] = {
    {"convs", {"conv", "pointwise?", "conv", "pointwise?", "conv", "pointwise?", "conv", "pointwise?"}, NULL},
    {"convs_transposed",
     {"conv", "pointwise?", "conv?", "pointwise?", "conv?", "pointwise?", "conv_transpose", "pointwise?"},
     NULL},
    {"conv_transpose+pointwise", {"conv_transpose", "pointwise", NULL}, NULL},
    {"attention", {"matmul", "pointwise?", "softmax", "matmul", "transpose?", NULL}, NULL},
};

static void device_close(pn_device *device) {
  if (!device) return;
  pn_pool_release(device->pool);
  pn_release(device->allocator, device);
}

static pelton_status device_open(const pn_device_options *options, pn_device **out, pelton_diag *diag) {
  *out = NULL;
  pn_device *device = pn_alloc(options->allocator, sizeof *device, _Alignof(pn_device));
  if (!device) return pn_fail_memory(diag, "the cpu device");
  device->allocator = options->allocator;
  pn_pool_options pool = {.allocator = options->allocator, .threads = options->threads, .pin = options->pin_threads};
  pelton_status status = pn_pool_create(&pool, &device->pool, diag);
  if (status) {
    device_close(device);
    return status;
  }
  device->isa = options->isa_lowered ? options->isa & pn_cpu_isa() : pn_cpu_isa();
  device->threads = pn_pool_threads(device->pool);
  device->error_bound = options->error_bound > 0 ? options->error_bound : 3e-5;
  device->l1_bytes = pn_cpu_cache_bytes(1);
  device->l2_bytes = pn_cpu_cache_bytes(2);
  device->l3_bytes = pn_cpu_cache_bytes(3);
  /* Two units of 8 floats at some 3.5 GHz; AVX-512 is no faster on some machines and twice as fast on others. */
  double lanes = device->isa & PN_ISA_AVX512 ? 24 : device->isa & PN_ISA_AVX2 ? 16 : 4;
  device->fma_per_second = 3.5e9 * lanes * device->threads;
  device->bytes_per_second = device->threads > 1 ? 2.4e10 : 1.6e10;
  device->gemm = pn_cpu_gemm_f32_best(device->isa);
  device->vec = pn_cpu_vec_f32_best(device->isa);
  device->reduce = pn_cpu_reduce_f32_best(device->isa);
  device->transpose = pn_cpu_transpose_f32_best(device->isa);
  (void)snprintf(device->fingerprint, sizeof device->fingerprint, "cpu %s %s threads=%u", pn_cpu_name(),
                 pn_cpu_isa_name(device->isa), device->threads);
  *out = device;
  return PELTON_OK;
}

static const char *fingerprint(const pn_device *device) { return device->fingerprint; }

static uint64_t packing(const pn_device *device) {
  uint64_t h = 0; /* the kernels' tables say which instructions, whatever else the machine has */
  for (uint32_t i = 0; i < device->gemm->width_count; i++) h = pn_hash_mix(h, device->gemm->widths[i].nr);
  return h;
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

static size_t cache_bytes(const pn_device *device) { return device->l3_bytes; }

static void evict(pn_device *device, const void *memory, size_t bytes) {
  enum { LINE = 64 };
  (void)device;
  for (size_t i = 0; i < bytes; i += LINE) PN_FLUSH_LINE((const char *)memory + i);
}

static pelton_status memory_alloc(pn_device *device, size_t bytes, const char *what, void **out, pelton_diag *diag) {
  *out = pn_alloc_raw(device->allocator, bytes, 64);
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
  pn_arena_init(&(*out)->scratch, device->allocator);
  return PELTON_OK;
}

static void stream_release(pn_stream *stream) {
  if (!stream) return;
  const pelton_allocator *allocator = stream->device->allocator;
  pn_arena_deinit(&stream->scratch);
  pn_release(allocator, stream);
}

static pelton_status stream_synchronize(pn_stream *stream, pelton_diag *diag) {
  (void)stream;
  (void)diag;
  return PELTON_OK;
}

const pn_target pn_target_cpu = {
    .name = "cpu",
    .device_open = device_open,
    .device_close = device_close,
    .fingerprint = fingerprint,
    .packing = packing,
    .tactics = tactics,
    .patterns = patterns,
    .cache_bytes = cache_bytes,
    .evict = evict,
    .peaks = pn_cpu_peaks,
    .memory_alloc = memory_alloc,
    .memory_release = memory_release,
    .upload = copy,
    .download = copy,
    .stream_create = stream_create,
    .stream_release = stream_release,
    .stream_synchronize = stream_synchronize,
    .host_memory = true,
};
