/* Fourier transforms of any length in f64, pass by pass (kernels/fft.cu): a length of small prime factors is taken
   apart by radices up to 16, or a prime up to 31; any other becomes a convolution of a length that is a power of two,
   whose spectrum is computed here, as op/signal/fft.c does it. So the time grows with length * log(length).

   Lines go in rounds whose terms stay in the cache of a large device, and need no more memory than that. */
#include "op/signal/fft.h"
#include "target/movement.h"
#include "targets/cuda/render.h"

#include <math.h>
#include <string.h>

enum {
  GREATEST_RADIX = 16, /* sums of a thread are quadratic: a larger one costs more than the pass that it spares */
  MOST_PASSES = 32,    /* two transforms of 2^30 terms have 16, one of 5^12 has 12 */
  ROUND_TERMS = 1 << 21
};
static const int64_t longest = 1 << 30; /* what 32-bit places and dividers reach */

typedef struct transform {
  int64_t size, length; /* of the transform, and of what is taken apart */
  int64_t axis, outer, inner;
  int64_t round; /* lines at once */
  uint32_t radices[MOST_PASSES / 2], radix_count;
  uint32_t pass_count; /* twice the radices where there is a convolution */
} transform;

typedef struct pass {
  pn_cu_function *function;
  uint32_t radix, done;
  double root[2 * MOST_RADIX];
} pass;

typedef struct state {
  const pn_device *device;
  void *roots, *chirp, *spectrum; /* on the device; null: none */
  transform transform;
  struct fft_arguments arguments; /* of all passes */
  pass passes[MOST_PASSES];
} state;

/* ---- what a problem is ------------------------------------------------------------------------------------------- */

static uint32_t next_radix(int64_t rest) {
  for (uint32_t radix = GREATEST_RADIX; radix > 1; radix--)
    if (rest % radix == 0) return radix;
  for (uint32_t prime = GREATEST_RADIX + 1; prime <= MOST_RADIX; prime++)
    if (rest % prime == 0) return prime;
  return 0;
}

/* The radices of t->length; false where a prime is too large. */
static bool take_apart(transform *t) {
  int64_t rest = t->length;
  for (t->radix_count = 0; rest > 1 && t->radix_count < PN_COUNT(t->radices);) {
    uint32_t radix = next_radix(rest);
    if (!radix) return false;
    t->radices[t->radix_count++] = radix;
    rest /= radix;
  }
  if (!t->radix_count) t->radices[t->radix_count++] = 1; /* one term is its own spectrum */
  return rest == 1;
}

static size_t workspace_bytes(const transform *t) {
  const uint32_t buffers = t->pass_count < 3 ? t->pass_count - 1 : 2;
  return buffers * (size_t)(t->round * t->length) * sizeof(pn_complex);
}

/* As roots are kept: 2^bits near ones, then as many times as many as there are. */
static uint32_t near_bits(int64_t length) {
  uint32_t bits = 0;
  while ((int64_t)1 << 2 * bits < length) bits++;
  return bits;
}

/* Roots, and of a convolution the chirp and its spectrum. */
static size_t table_bytes(const transform *t) {
  const int64_t near = (int64_t)1 << near_bits(t->length), roots = near + pn_div_up(t->length, near);
  const bool convolves = t->pass_count > t->radix_count;
  return (size_t)(roots + (convolves ? t->size + t->length : 0)) * sizeof(pn_complex);
}

static bool is_known(const pn_operand *o) {
  return !o || (o->role == PN_OPERAND_CONSTANT && pn_operand_elements(o) == 1);
}

static bool read_problem(const pn_problem *p, transform *t, pn_reason *why) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *size = pn_problem_input(p, 0, 1), *axis = pn_problem_input(p, 0, 2);
  if (!is_known(size) || !is_known(axis)) return pn_refuse(why, "a length or an axis that only a run tells");
  *t = (transform){.outer = 1, .inner = 1, .axis = axis ? pn_operand_number(axis, 0) : -2};
  if (t->axis < 0) t->axis += x->rank;
  if (t->axis < 0 || t->axis >= (int64_t)x->rank - 1) return pn_refuse(why, "there is no such axis");
  for (uint32_t d = 0; d + 1 < x->rank; d++)
    if (d != t->axis) *(d < t->axis ? &t->outer : &t->inner) *= x->dims[d];
  const int64_t extent = x->dims[t->axis];
  t->size = size ? pn_operand_number(size, 0) : attrs->onesided && attrs->inverse ? 2 * (extent - 1) : extent;
  if (t->size < 1 || t->size > longest) return pn_refuse(why, "more than %lld terms, or none", (long long)longest);
  t->length = t->size;
  const bool whole = take_apart(t);
  if (!whole) {
    for (t->length = 1; t->length < 2 * t->size - 1;) t->length *= 2;
    (void)take_apart(t);
  }
  t->pass_count = whole ? t->radix_count : 2 * t->radix_count;
  t->round = pn_max_i64(1, pn_min_i64(t->outer * t->inner, ROUND_TERMS / t->length));
  return t->length <= longest ||
         pn_refuse(why, "more than %lld terms, of a large prime factor", (long long)longest / 2);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  if (!pn_accepts_one(p, PN_OP_DFT, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  transform t;
  if (!pn_cuda_type_name(x->dtype)) return pn_refuse(why, "no arithmetic in %s", pelton_dtype_name(x->dtype));
  if (x->layout != PN_LAYOUT_PLAIN || y->layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2) return pn_refuse(why, "numbers of other than 1 or 2 parts");
  if (!pn_cuda_fits(p, why) || !read_problem(p, &t, why)) return false;
  if (workspace_bytes(&t) + table_bytes(&t) > device->memory_bytes / 4)
    return pn_refuse(why, "its terms take more than a quarter of the device's memory");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  transform t;
  (void)config;
  if (!read_problem(p, &t, NULL)) return HUGE_VAL;
  const double lines = (double)t.outer * (double)t.inner, terms = lines * (double)t.length;
  return pn_cuda_estimate(device, 0, pn_cuda_operand_bytes(p) + 32 * terms * (t.pass_count - 1), 1) +
         2.5e-6 * (t.pass_count - 1) * ceil(lines / (double)t.round);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  transform t;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
  if (read_problem(p, &t, NULL)) out->workspace_bytes = workspace_bytes(&t);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* exp(-2 pi i numerator / denominator). Quarters are exact, so that zeros of a spectrum are. */
static pn_complex root(int64_t numerator, int64_t denominator) {
  static const pn_complex quarters[] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
  if (4 * numerator % denominator == 0) return quarters[4 * numerator / denominator % 4];
  const double angle = 2 * 3.14159265358979323846 * (double)numerator / (double)denominator;
  return (pn_complex){cos(angle), -sin(angle)};
}

/* Of a |length|-th of a turn. */
static pelton_status make_roots(state *s, pn_arena *arena, pelton_diag *diag) {
  const int64_t length = s->transform.length;
  const uint32_t bits = near_bits(length);
  const int64_t near = (int64_t)1 << bits, far = pn_div_up(length, near);
  pn_complex *roots = PN_NEW_ARRAY(arena, pn_complex, (size_t)(near + far));
  if (!roots) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t i = 0; i < near; i++) roots[i] = root(i % length, length);
  for (int64_t i = 0; i < far; i++) roots[near + i] = root(i * near, length);
  s->arguments.fine_bits = bits;
  return pn_cuda_table_create(s->device, roots, (size_t)(near + far) * sizeof *roots, &s->roots, diag);
}

static pelton_status make_chirp(state *s, pn_arena *arena, pelton_diag *diag) {
  pn_fft fft;
  PN_TRY(pn_fft_init(&fft, s->transform.size, arena, diag));
  if (!fft.chirp || fft.inner != s->transform.length) return PN_INTERNAL(diag, "a Fourier transform of another length");
  PN_TRY(pn_cuda_table_create(s->device, fft.chirp, (size_t)fft.size * sizeof *fft.chirp, &s->chirp, diag));
  return pn_cuda_table_create(s->device, fft.kernel, (size_t)fft.inner * sizeof *fft.kernel, &s->spectrum, diag);
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static pelton_status make_pass(const pn_problem *p, state *s, uint32_t i, pelton_diag *diag) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const transform *t = &s->transform;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  const uint32_t k = i % t->radix_count, radix = t->radices[k];
  const bool of_x = i == 0, of_y = i + 1 == t->pass_count;
  pass *one = &s->passes[i];
  pn_text head;
  one->radix = radix;
  one->done = k ? s->passes[i - 1].done * s->passes[i - 1].radix : 1;
  for (uint32_t q = 0; q < radix; q++) {
    const pn_complex r = root(q, radix);
    one->root[2 * q] = r.re;
    one->root[2 * q + 1] = r.im;
  }
  pn_text_init(&head, s->device->allocator);
  pn_text_printf(&head,
                 "#define RADIX %u\n#define FIRST %d\n#define OF_X %d\n#define OF_Y %d\n#define SPECTRUM %d\n"
                 "#define LINES_ARE_FAST %d\n",
                 (unsigned)radix, k == 0, of_x, of_y, !of_y && k + 1 == t->radix_count, t->inner > 1);
  if (of_x || of_y) /* others do without, so that one compiled kernel serves more problems */
    pn_text_printf(&head,
                   "#define X %s\n#define X_PARTS %d\n#define Y %s\n#define Y_FORM %s\n#define Y_PARTS %d\n"
                   "#define INVERSE %d\n#define HERMITIAN %d\n#define CHIRP %d\n",
                   pn_cuda_type_name(x->dtype), (int)x->dims[x->rank - 1], pn_cuda_type_name(y->dtype),
                   pn_cuda_form_name(y->dtype), (int)y->dims[y->rank - 1], (int)attrs->inverse,
                   attrs->onesided && attrs->inverse, s->chirp != NULL);
  pn_cuda_source source = {head.data, "fft.cu", "fft", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(s->device, &source, &one->function, diag);
  pn_text_deinit(&head);
  return status;
}

static void release_state(void *memory) {
  const state *s = memory;
  if (!s->device) return;
  pn_cuda_table_release(s->device, s->roots);
  pn_cuda_table_release(s->device, s->chirp);
  pn_cuda_table_release(s->device, s->spectrum);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  state *s = memory;
  transform *t = &s->transform;
  (void)config;
  if (!read_problem(p, t, NULL)) return PN_INTERNAL(diag, "dft changed after it was accepted");
  const int64_t extent = pn_problem_input(p, 0, 0)->dims[t->axis];
  const bool hermitian = attrs->onesided && attrs->inverse;
  s->device = device;
  s->arguments = (struct fft_arguments){
      .length = (unsigned)t->length,
      .size = (unsigned)t->size,
      .given = (unsigned)pn_min_i64(extent, hermitian ? t->size / 2 + 1 : t->size),
      .x_extent = (unsigned)extent,
      .y_extent = (unsigned)pn_problem_output(p, 0, 0)->dims[t->axis],
      .inner = pn_cuda_divider(t->inner),
      .scale = attrs->inverse ? 1 / (double)t->size : 1,
  };
  pn_arena arena;
  pn_arena_init(&arena, device->allocator);
  pelton_status status = make_roots(s, &arena, diag);
  if (!status && t->pass_count > t->radix_count) status = make_chirp(s, &arena, diag);
  pn_arena_deinit(&arena);
  for (uint32_t i = 0; i < t->pass_count && !status; i++) status = make_pass(p, s, i, diag);
  if (status) release_state(s);
  return status;
}

static pelton_status run_pass(const pn_step *step, const state *s, uint32_t i, int64_t first_line, int64_t lines,
                              pn_stream *stream, pelton_diag *diag) {
  const transform *t = &s->transform;
  const pass *one = &s->passes[i];
  const pn_problem_node *node = &step->problem->nodes[0];
  const size_t buffer_bytes = (size_t)(t->round * t->length) * sizeof(pn_complex);
  struct fft_arguments a = s->arguments;
  a.lines = (unsigned)lines;
  a.first_line = (unsigned)first_line;
  a.part = (unsigned)t->length / one->radix;
  a.count = a.lines * a.part;
  a.fast = pn_cuda_divider(t->inner > 1 ? lines : (int64_t)a.part);
  a.done = pn_cuda_divider(one->done);
  a.step = a.part / one->done;
  memcpy(a.root, one->root, sizeof a.root);
  a.roots = s->roots;
  a.chirp = s->chirp;
  a.spectrum = s->spectrum;
  a.source = i == 0 ? step->operands[node->inputs[0]] : (char *)step->workspace + (i - 1) % 2 * buffer_bytes;
  a.target = i + 1 == t->pass_count ? step->operands[node->outputs[0]] : (char *)step->workspace + i % 2 * buffer_bytes;
  return pn_cuda_launch(stream, one->function, pn_cuda_blocks(s->device, a.count), 1, 1, PN_CUDA_BLOCK, &a, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const transform *t = &s->transform;
  const int64_t lines = t->outer * t->inner;
  for (int64_t first = 0; first < lines; first += t->round)
    for (uint32_t i = 0; i < t->pass_count; i++)
      PN_TRY(run_pass(step, s, i, first, pn_min_i64(t->round, lines - first), stream, diag));
  return PELTON_OK;
}

static size_t held_bytes(const void *memory) { return table_bytes(&((const state *)memory)->transform); }

const pn_tactic pn_tactic_cuda_fft = {
    .name = "cuda.fft",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .release_state = release_state,
    .held_bytes = held_bytes,
    .run = run,
};
