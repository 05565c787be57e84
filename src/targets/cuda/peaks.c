/* The device's peaks, measured by kernels that do nothing else (kernels/peaks.cu): f32 multiply-adds, products of its
   tensor cores by type, reads of the second cache and of memory. Tensor cores are driven as Pelton's own kernels drive
   them: by warpgroups on Hopper, by mma.sync elsewhere. Best of some trials of about a millisecond, more where they
   still get faster: a device that was idle takes some to reach its clock. */
#include "targets/cuda/cuda.h"
#include "targets/cuda/kernels/arguments.h"

#include <stdio.h>

enum { TRIALS = 4, MOST_TRIALS = 16, MOST_ROUNDS = 1 << 24 };
/* Blocks for each multiprocessor. Those of warpgroups fill it alone, and fill their shared memory first. */
enum { BLOCKS = 8, GROUP_BLOCKS = 2 };
#define TRIAL_SECONDS 1e-3
/* Reads: far beyond the second cache; half a gigabyte would take as long to allocate as all the rest. */
enum { LEAST_READ = 16 << 20, MOST_READ = 256 << 20, USUAL_READ = 64 << 20 };

extern const pn_target pn_target_cuda;

typedef struct trial {
  pn_device *device;
  pn_stream *stream;
  void *memory;
  size_t bytes;
  uint32_t blocks;
} trial;

static pelton_status run(const trial *t, pn_cu_function *function, struct peak_arguments *arguments, double *seconds,
                         pelton_diag *diag) {
  PN_TRY(pn_target_cuda.timer_start(t->stream, diag));
  PN_TRY(pn_cuda_launch(t->stream, function, t->blocks, 1, 1, PN_CUDA_BLOCK, arguments, diag));
  return pn_target_cuda.timer_stop(t->stream, seconds, diag);
}

/* Units a second, |amount| units a round of the whole grid. Rounds grow until a trial is long enough to tell. */
static pelton_status rate(const trial *t, const char *what, const char *type, size_t bytes, double amount, double *out,
                          pelton_diag *diag) {
  char head[80];
  pn_cu_function *function;
  struct peak_arguments arguments = {.rounds = 1, .quads = (unsigned)(bytes / 16), .scale = 0.5f, .memory = t->memory};
  (void)snprintf(head, sizeof head, "#define WHAT %s\n#define X %s\n", what, type);
  const pn_cuda_source source = {head, "peaks.cu", "peak", false};
  *out = 0;
  PN_TRY(pn_cuda_function(t->device, &source, &function, diag));
  for (uint32_t i = 0, all = 0; i < TRIALS && all < MOST_TRIALS; all++) {
    double seconds;
    PN_TRY(run(t, function, &arguments, &seconds, diag));
    if (seconds < TRIAL_SECONDS / 2 && arguments.rounds < MOST_ROUNDS) {
      arguments.rounds *= 4;
      all = 0;
      continue;
    }
    const double speed = seconds > 0 ? amount * arguments.rounds / seconds : 0;
    i = speed > 1.01 * *out ? 1 : i + 1;
    if (speed > *out) *out = speed;
  }
  return PELTON_OK;
}

static void add(pn_peaks *out, const char *name, const char *unit, double all, double bytes) {
  if (all > 0 && out->count < PN_PEAKS) out->peak[out->count++] = (pn_peak){name, unit, 0, all, bytes};
}

static pelton_status arithmetic(trial t, pn_peaks *out, pelton_diag *diag) {
  static const struct {
    const char *name, *type;
    int capability;
  } tensor[] = {{"f16_tensor", "f16", 70}, {"bf16_tensor", "bf16", 80}, {"tf32_tensor", "f32", 80}};
  const pn_device *device = t.device;
  const double chain = PEAK_CHAINS * PEAK_TURNS;
  const bool groups = device->capability == 90 && !device->lowered;
  double all;
  PN_TRY(rate(&t, "MULTIPLY_ADDS", "f32", 0, 2 * chain * PN_CUDA_BLOCK * t.blocks, &all, diag));
  add(out, "f32_fma", "flop/s", all, 0);
  if (groups) t.blocks = (uint32_t)device->multiprocessors * GROUP_BLOCKS;
  for (size_t i = 0; i < PN_COUNT(tensor); i++) {
    const bool wide = tensor[i].type[0] == 'f' && tensor[i].type[1] == '3'; /* half as deep */
    if (device->capability < tensor[i].capability || (wide && !device->tf32)) continue;
    /* A warpgroup's 64 x 256 sums over 64 elements; or a warp's 16 x 8 over 16, |chain| times. */
    const double group = 2.0 * 64 * 256 * 64 * (PN_CUDA_BLOCK / 128), warp = 2.0 * 16 * 8 * 16 * (PN_CUDA_BLOCK / 32);
    PN_TRY(rate(&t, groups ? "GROUP_PRODUCTS" : "PRODUCTS", tensor[i].type, 0,
                t.blocks * (groups ? group : warp * chain) / (wide ? 2 : 1), &all, diag));
    add(out, tensor[i].name, "flop/s", all, 0);
  }
  return PELTON_OK;
}

/* A quarter of the second cache: where it is in two halves, each may hold all of it. */
static pelton_status reads(const trial *t, size_t cache_bytes, pn_peaks *out, pelton_diag *diag) {
  double all;
  if (cache_bytes / 4 >= 1 << 16 && cache_bytes / 4 <= t->bytes) {
    const size_t part = cache_bytes / 4 / 16 * 16;
    PN_TRY(rate(t, "READS", "f32", part, (double)part, &all, diag));
    add(out, "read_l2", "byte/s", all, (double)cache_bytes);
  }
  PN_TRY(rate(t, "READS", "f32", t->bytes, (double)t->bytes, &all, diag));
  add(out, "read_memory", "byte/s", all, 0);
  return PELTON_OK;
}

pelton_status pn_cuda_peaks(pn_device *device, pn_peaks *out, pelton_diag *diag) {
  int cache = 0;
  trial t = {.device = device, .blocks = (uint32_t)device->multiprocessors * BLOCKS};
  out->count = 0;
  PN_TRY(pn_cuda_enter(device, diag));
  if (device->api.cuDeviceGetAttribute(&cache, PN_CU_L2_BYTES, device->ordinal) || cache < 0) cache = 0;
  t.bytes = cache ? 4 * (size_t)cache : USUAL_READ;
  if (t.bytes < LEAST_READ) t.bytes = LEAST_READ;
  if (t.bytes > MOST_READ) t.bytes = MOST_READ;
  const uint32_t mark = pn_diag_mark(diag);
  pelton_status status;
  while ((status = pn_target_cuda.memory_alloc(device, t.bytes, "measured reads", &t.memory, diag)) ==
             PELTON_OUT_OF_MEMORY &&
         t.bytes > LEAST_READ) {
    pn_diag_rewind(diag, mark);
    t.bytes /= 2;
  }
  if (!status) status = pn_target_cuda.stream_create(device, &t.stream, diag);
  if (!status) status = arithmetic(t, out, diag);
  if (!status) status = reads(&t, (size_t)cache, out, diag);
  pn_target_cuda.stream_release(t.stream);
  pn_target_cuda.memory_release(device, t.memory);
  return status;
}
