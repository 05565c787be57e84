/* The machine's peaks, measured: what one core and all threads of the pool reach at most in multiply-adds, in dot
   products of small types, and in reading each level of memory. Best of many short trials: other work on the machine
   only ever makes a trial slower. */
#include "targets/cpu/cpu.h"

#include "base/clock.h"

enum { TRIALS = 24, MEMORY_LEVEL = 4, READ_UNIT = 512 };
#define TRIAL_SECONDS 1e-3

typedef struct trial {
  const pn_cpu_peak *peak; /* null: reads */
  const pn_cpu_peak_f32 *f32;
  size_t rounds;
  float *memory; /* |floats| a thread */
  size_t floats;
} trial;

static void task(void *argument, uint32_t index, uint32_t thread) {
  const trial *t = argument;
  (void)thread;
  float out[3] = {1.0f, 0.5f, 0}, *own = t->memory + index * t->floats;
  if (t->peak) {
    t->peak->run(t->rounds, out);
    own[0] = out[2];
    return;
  }
  for (size_t r = 0; r < t->rounds; r++) out[2] += t->f32->read(own, t->floats);
  own[0] = out[2] > 0 ? 1.0f : 0.0f;
}

/* Units a second with |threads| threads at once, |amount| units a round and thread. */
static double rate(pn_device *device, trial *t, uint32_t threads, double amount) {
  double best = 0;
  t->rounds = 1;
  for (uint32_t run = 0; run < TRIALS; run++) {
    double start = pn_clock_seconds();
    if (threads == 1)
      task(t, 0, 0);
    else
      pn_pool_run(device->pool, threads, task, t);
    double took = pn_clock_seconds() - start,
           speed = amount * (double)t->rounds * threads / (took > 1e-9 ? took : 1e-9);
    if (took < TRIAL_SECONDS / 4 && t->rounds < (size_t)1 << 40) { /* too short to say */
      t->rounds *= 4;
      run = 0;
      best = 0;
    } else if (speed > best) {
      best = speed;
    }
  }
  return best;
}

static void add(pn_peaks *out, pn_peak peak) {
  if (out->count < PN_PEAKS) out->peak[out->count++] = peak;
}

static void add_arithmetic(pn_device *device, trial t, const char *name, const char *unit, const pn_cpu_peak *peak,
                           pn_peaks *out) {
  t.peak = peak;
  t.floats = READ_UNIT; /* each thread writes to lines of its own */
  double one = rate(device, &t, 1, peak->operations);
  double all = device->threads > 1 ? rate(device, &t, device->threads, peak->operations) : one;
  add(out, (pn_peak){name, unit, one, all, 0});
}

pelton_status pn_cpu_peaks(pn_device *device, pn_peaks *out, pelton_diag *diag) {
  static const char *const names[] = {"read_l1", "read_l2", "read_l3", "read_memory"};
  size_t most = 4 * device->l3_bytes / device->threads;
  size_t levels[MEMORY_LEVEL] = {device->l1_bytes / 2, device->l2_bytes / 2, device->l3_bytes / 2 / device->threads,
                                 most > device->l2_bytes * 4 ? most : device->l2_bytes * 4};
  double capacity[MEMORY_LEVEL] = {(double)device->l1_bytes * device->threads,
                                   (double)device->l2_bytes * device->threads, (double)device->l3_bytes, 0};
  trial t = {.f32 = pn_cpu_peak_f32_best(device->isa)};
  size_t bytes = pn_align_up(levels[MEMORY_LEVEL - 1], 4096) * device->threads;
  const pn_cpu_peak_i8 *i8 = pn_cpu_peak_i8_best(device->isa);
  const pn_cpu_peak_bf16 *bf16 = pn_cpu_peak_bf16_best(device->isa);
  out->count = 0;
  t.memory = pn_alloc_raw(device->allocator, bytes, 4096);
  if (!t.memory) return pn_fail_memory(diag, "measuring the machine");
  memset(t.memory, 0, bytes);
  add_arithmetic(device, t, "f32_fma", "flop/s", &t.f32->fma, out);
  if (bf16) add_arithmetic(device, t, "bf16_dot", "flop/s", &bf16->dot, out);
  if (i8) add_arithmetic(device, t, "i8_dot", "op/s", &i8->dot, out);
  for (uint32_t level = 0; level < MEMORY_LEVEL; level++) {
    t.floats = levels[level] / sizeof(float) / READ_UNIT * READ_UNIT;
    double amount = (double)t.floats * sizeof(float), one = rate(device, &t, 1, amount);
    double all = device->threads > 1 ? rate(device, &t, device->threads, amount) : one;
    add(out, (pn_peak){names[level], "byte/s", one, all, capacity[level]});
  }
  pn_release(device->allocator, t.memory);
  return PELTON_OK;
}
