/* Fourier transforms in f32, a lane a line: as many lines as the machine has lanes are laid side by side (a
   transposition), go through the passes of fft_f32 together, and are laid out again. Factors are computed in double
   when the plan is made. 2 h real numbers are transformed as h complex ones; lengths with a prime factor above 31
   become a convolution of a length that is a power of two (Bluestein). Where there are few lines, a narrower kernel
   does as well and touches less memory. */
#include "op/signal/fft.h"
#include "target/movement.h"
#include "targets/cpu/single.h"

#include <math.h>

enum { MAX_PASSES = 16, MAX_LENGTH = 1 << 15, ROOTS = 2 * PN_CPU_FFT_RADIX_MAX + 2 };

static const double pi = 3.14159265358979323846;

typedef struct state {
  const pn_cpu_fft_f32 *fft;
  const pn_cpu_transpose_f32 *transpose;
  const pn_cpu_vec_f32 *vec;
  bool inverse, mirrors, halves; /* mirrors: the operand is half of a spectrum; halves: 2 h reals as h numbers */
  int64_t outer, inner, x_extent, x_parts, y_extent, y_parts, length;
  int64_t size, inner_size;     /* of the complex transform; of what is taken apart: that or the convolution */
  int64_t groups;               /* of lanes, in a slice of |inner| > 1 lines; or altogether */
  size_t buffer_floats;         /* two of them a thread */
  uint32_t pass_count, parts;
  pn_cpu_fft_f32_pass passes[MAX_PASSES];
  const float *untangling, *chirp, *kernel;
} state;

/* The radices of |n|, fours first; 0 when a factor is too great. */
static uint32_t take_apart(int64_t n, uint32_t radices[MAX_PASSES]) {
  uint32_t count = 0;
  for (; n % 4 == 0; n /= 4) radices[count++] = 4;
  for (uint32_t radix = 2; n > 1 && radix <= PN_CPU_FFT_RADIX_MAX; radix++)
    for (; n % radix == 0; n /= radix) radices[count++] = radix;
  return n == 1 ? count : 0;
}

/* Element |i| of a constant operand, or |usual| when that is left out. */
static int64_t number_of(const pn_problem *p, uint32_t i, int64_t usual) {
  const pn_operand *o = pn_problem_input(p, 0, i);
  return o ? pn_operand_number(o, 0) : usual;
}

static void describe(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t axis = number_of(p, 2, -2);
  uint32_t radices[MAX_PASSES];
  if (axis < 0) axis += x->rank;
  *s = (state){.transpose = device->transpose, .vec = device->vec, .inverse = attrs->inverse, .outer = 1, .inner = 1};
  s->mirrors = attrs->onesided && attrs->inverse;
  s->x_extent = x->dims[axis];
  s->y_extent = y->dims[axis];
  s->x_parts = x->dims[x->rank - 1];
  s->y_parts = y->dims[y->rank - 1];
  s->length = number_of(p, 1, s->mirrors ? 2 * (s->x_extent - 1) : s->x_extent);
  for (uint32_t i = 0; i + 1 < x->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= x->dims[i];
  s->halves = s->x_parts == 1 && !s->inverse && s->length % 2 == 0;
  s->size = s->inner_size = s->halves ? s->length / 2 : s->length;
  if (s->size > 1 && !take_apart(s->size, radices))
    for (s->inner_size = 1; s->inner_size < 2 * s->size - 1;) s->inner_size *= 2;
  const int64_t lines = s->inner > 1 ? s->inner : s->outer;
  s->fft = pn_cpu_fft_f32_best(device->isa);
  const pn_cpu_fft_f32 *narrower[] = {pn_cpu_fft_f32_best(device->isa & PN_ISA_AVX2), pn_cpu_fft_f32_best(0)};
  for (int i = 0; i < 2; i++)
    if (lines <= (int64_t)narrower[i]->lanes) s->fft = narrower[i];
  s->groups = (lines + (int64_t)s->fft->lanes - 1) / (int64_t)s->fft->lanes;
  s->buffer_floats = (size_t)(pn_max_i64(s->inner_size, s->length) + 1) * 2 * s->fft->lanes;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  if (!pn_accepts_one(p, PN_OP_DFT, why)) return false;
  if (pn_problem_input(p, 0, 0)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  for (uint32_t i = 1; i <= 2; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    if (o && (!o->data || pn_operand_elements(o) != 1)) return pn_refuse(why, "length or axis is not constant");
  }
  state s;
  if (!pn_operand_elements(pn_problem_input(p, 0, 0))) return pn_refuse(why, "an empty operand");
  describe(p, device, &s);
  return (s.length >= 1 && s.length <= MAX_LENGTH) || pn_refuse(why, "a length above %d", (int)MAX_LENGTH);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s;
  (void)config;
  describe(p, device, &s);
  const double lines = (double)(s.outer * s.inner), size = (double)s.inner_size;
  return pn_cpu_estimate(device, 2 * lines * size * log2(size + 1), pn_cpu_operand_bytes(p), 0.2);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s;
  (void)config;
  describe(p, device, &s);
  /* Turns are fewer than 2 a number and pass, the first passes take most of them. */
  size_t floats = MAX_PASSES * ROOTS + 4 * (size_t)s.inner_size + 2 * (size_t)s.size + 2;
  if (s.inner_size != s.size) floats += 2 * (size_t)(s.inner_size + s.size);
  out->state_bytes = pn_align_up(sizeof(state), 64) + floats * sizeof(float);
  out->workspace_bytes = 2 * s.buffer_floats * sizeof(float) * device->threads;
}

/* exp(-2 pi i numerator / denominator) */
static void put_root(float *to, int64_t numerator, int64_t denominator) {
  const double angle = 2 * pi * (double)(numerator % denominator) / (double)denominator;
  to[0] = (float)cos(angle);
  to[1] = (float)-sin(angle);
}

static float *fill_passes(state *s, float *table) {
  uint32_t radices[MAX_PASSES];
  size_t before = 1, n = (size_t)s->inner_size;
  s->pass_count = n > 1 ? take_apart(s->inner_size, radices) : 0;
  for (uint32_t i = 0; i < s->pass_count; i++) {
    const size_t radix = radices[i], behind = n / before / radix;
    s->passes[i] = (pn_cpu_fft_f32_pass){radix, before, behind, table, table + 2 * behind * (radix - 1)};
    for (size_t at = 0; at < behind; at++)
      for (size_t j = 1; j < radix; j++, table += 2) put_root(table, (int64_t)(before * at * j), s->inner_size);
    for (size_t j = 0; j < radix; j++, table += 2) put_root(table, (int64_t)j, (int64_t)radix);
    before *= radix;
  }
  return table;
}

/* The chirp exp(-pi i k^2 / size), and the transform of its conjugate divided by the convolution's length. */
static pelton_status fill_chirp(state *s, float *table, pn_arena *scratch, pelton_diag *diag) {
  float *chirp = table, *kernel = table + 2 * s->size;
  const double length = (double)s->inner_size;
  pn_fft fft;
  PN_TRY(pn_fft_init(&fft, s->inner_size, scratch, diag));
  pn_complex *line = PN_NEW_ARRAY(scratch, pn_complex, (size_t)s->inner_size);
  if (!line) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t k = 0; k < s->inner_size; k++) line[k] = (pn_complex){0, 0};
  for (int64_t k = 0; k < s->size; k++) {
    put_root(chirp + 2 * k, k * k, 2 * s->size);
    const double angle = pi * (double)(k * k % (2 * s->size)) / (double)s->size;
    line[k] = line[k == 0 ? 0 : s->inner_size - k] = (pn_complex){cos(angle) / length, sin(angle) / length};
  }
  pn_fft_run(&fft, line);
  for (int64_t k = 0; k < s->inner_size; k++) {
    kernel[2 * k] = (float)line[k].re;
    kernel[2 * k + 1] = (float)line[k].im;
  }
  s->chirp = chirp;
  s->kernel = kernel;
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  float *table = (float *)(void *)((char *)memory + pn_align_up(sizeof(state), 64));
  (void)config;
  describe(p, device, s);
  s->parts = pn_cpu_parts(device, s->groups * (s->inner > 1 ? s->outer : 1), 8 * pn_cpu_operand_bytes(p));
  table = fill_passes(s, table);
  if (s->halves) {
    s->untangling = table;
    for (int64_t k = 0; k <= s->size; k++, table += 2) put_root(table, k, s->length);
  }
  if (s->inner_size == s->size) return PELTON_OK;
  pn_arena scratch;
  pn_arena_init(&scratch, device->allocator);
  pelton_status status = fill_chirp(s, table, &scratch, diag);
  pn_arena_deinit(&scratch);
  return status;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

/* Lines |first| on, |count| of them, of slice |outer|, side by side; what there is not is 0. */
static void load(const state *s, const float *x, int64_t outer, int64_t first, size_t count, float *to) {
  const size_t lanes = s->fft->lanes, parts = (size_t)s->x_parts;
  const size_t given = (size_t)pn_min_i64(s->x_extent, s->mirrors ? s->length / 2 + 1 : s->length);
  const size_t step = parts == 1 && !s->halves ? 2 * lanes : lanes; /* between the floats of a line */
  const bool covers = count == lanes && step == lanes && (int64_t)given == s->length;
  if (!covers) memset(to, 0, (size_t)s->length * 2 * lanes * sizeof *to / (s->halves ? 2 : 1));
  if (s->inner == 1) {
    const ptrdiff_t pitch = (ptrdiff_t)(s->x_extent * s->x_parts);
    s->transpose->transpose(x + first * pitch, pitch, count, given * parts, to, (ptrdiff_t)step);
  } else {
    for (size_t i = 0; i < given; i++) {
      const float *from = x + ((outer * s->x_extent + (int64_t)i) * s->inner + first) * s->x_parts;
      if (parts == 1) memcpy(to + i * step, from, count * sizeof *to);
      else s->transpose->transpose(from, 2, count, 2, to + i * 2 * lanes, (ptrdiff_t)lanes);
    }
  }
  for (int64_t i = s->length / 2 + 1; s->mirrors && i < s->length; i++) {
    const float *from = to + (size_t)(s->length - i) * 2 * lanes;
    memcpy(to + (size_t)i * 2 * lanes, from, lanes * sizeof *to);
    s->vec->unary[PN_CPU_UNARY_neg](lanes, from + lanes, NULL, to + (size_t)i * 2 * lanes + lanes);
  }
}

static void store(const state *s, const float *from, int64_t outer, int64_t first, size_t count, float *y) {
  const ptrdiff_t lanes = (ptrdiff_t)s->fft->lanes, parts = (ptrdiff_t)s->y_parts,
                  step = parts == 1 ? 2 * lanes : lanes;
  if (s->inner == 1) {
    const ptrdiff_t pitch = (ptrdiff_t)s->y_extent * parts;
    s->transpose->transpose(from, step, (size_t)pitch, count, y + first * pitch, pitch);
    return;
  }
  for (int64_t i = 0; i < s->y_extent; i++) {
    float *to = y + ((outer * s->y_extent + i) * s->inner + first) * s->y_parts;
    s->transpose->transpose(from + i * 2 * lanes, lanes, (size_t)parts, count, to, parts);
  }
}

/* All passes, to and fro between two buffers; |*from| is where the numbers are. |re|, |im| are 0 and lanes, or the
   other way round. */
static void run_passes(const state *s, float **from, float **to, size_t re, size_t im) {
  for (uint32_t i = 0; i < s->pass_count; i++) {
    float *swap = *from;
    s->fft->pass(&s->passes[i], swap + re, swap + im, *to + re, *to + im);
    *from = *to;
    *to = swap;
  }
}

static void transform(const state *s, float **from, float **to) {
  const size_t lanes = s->fft->lanes, re = s->inverse ? lanes : 0, im = lanes - re, size = (size_t)s->size;
  if (!s->chirp) {
    run_passes(s, from, to, re, im);
    return;
  }
  s->fft->multiply(size, s->chirp, *from + re, *from + im);
  memset(*from + size * 2 * lanes, 0, ((size_t)s->inner_size - size) * 2 * lanes * sizeof **from);
  run_passes(s, from, to, re, im);
  s->fft->multiply((size_t)s->inner_size, s->kernel, *from + re, *from + im);
  run_passes(s, from, to, im, re);
  s->fft->multiply(size, s->chirp, *from + re, *from + im);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const pn_cpu_single *j = argument;
  const state *s = j->state;
  const size_t lanes = s->fft->lanes;
  const int64_t lines = s->inner > 1 ? s->inner : s->outer;
  int64_t unit, end;
  pn_cpu_share(s->groups * (s->inner > 1 ? s->outer : 1), 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    float *from = j->scratch + 2 * s->buffer_floats * thread, *to = from + s->buffer_floats;
    const int64_t outer = unit / s->groups, first = unit % s->groups * (int64_t)lanes;
    const size_t count = (size_t)pn_min_i64((int64_t)lanes, lines - first);
    load(s, j->x, outer, first, count, from);
    transform(s, &from, &to);
    if (s->halves) {
      s->fft->untangle((size_t)s->size, s->untangling, from, to);
      from = to;
    }
    for (int64_t i = s->size + 1; s->halves && i < s->y_extent; i++) { /* the second half: conjugates of the first */
      const float *mirrored = from + (size_t)(s->length - i) * 2 * lanes;
      memcpy(from + (size_t)i * 2 * lanes, mirrored, lanes * sizeof *from);
      s->vec->unary[PN_CPU_UNARY_neg](lanes, mirrored + lanes, NULL, from + (size_t)i * 2 * lanes + lanes);
    }
    const float scale = (float)(1 / (double)s->length);
    if (s->inverse)
      s->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)s->length * 2 * lanes, from, &scale, from);
    store(s, from, outer, first, count, j->y);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  return pn_cpu_single_run(step, stream, s->parts, task);
}

const pn_tactic pn_tactic_cpu_dft = {
    .name = "cpu.dft",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
