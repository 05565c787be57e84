/* Quantizing to integers of up to 16 bits and back, with scales and zero points for the whole tensor, along an axis or
   in blocks, and quantizing with a scale that the elements themselves decide. The elements are walked in runs along
   which the scale is either one number or a run of its own; a run is brought to f32, worked on in L1, and stored. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { PIECE = 1024, X = 0, SCALE = 1, ZERO = 2 };

/* Runs of |length| elements; run r takes scale (r / |every|) % |scales| when it is one number, else the run of
   scales that begins at (r / |every|) % |scales| * |length|. */
typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_vec_typed *typed;
  const pn_cpu_reduce_f32 *reduce;
  pn_op op;
  pelton_dtype from, to, scale;
  bool has_zero, scale_runs;
  float least, greatest;
  int64_t runs, length, every, scales, pieces;
  int64_t together; /* short runs with a scale each that are done at once; 0: runs are not short */
  int64_t units; /* of work */
  uint32_t parts;
} state;

/* ---- types ---------------------------------------------------------------------------------------------------------
 */

static bool is_whole(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_U8 || dtype == PELTON_DTYPE_I8 || dtype == PELTON_DTYPE_U16 || dtype == PELTON_DTYPE_I16;
}
static bool is_real(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F32 || dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16;
}

static pn_cpu_form form_of(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_U8: return PN_CPU_FORM_u8;
  case PELTON_DTYPE_I8: return PN_CPU_FORM_i8;
  case PELTON_DTYPE_U16: return PN_CPU_FORM_u16;
  case PELTON_DTYPE_I16: return PN_CPU_FORM_i16;
  case PELTON_DTYPE_I32: return PN_CPU_FORM_i32;
  default: return PN_CPU_FORM_f32;
  }
}

static const void *load(const state *s, pelton_dtype dtype, size_t n, const void *x, float *spare) {
  if (dtype == PELTON_DTYPE_F32) return x;
  if (dtype == PELTON_DTYPE_F16)
    s->typed->f32_from_f16(n, x, spare);
  else if (dtype == PELTON_DTYPE_BF16)
    s->typed->f32_from_bf16(n, x, spare);
  else
    s->typed->convert[form_of(dtype)][PN_CPU_FORM_f32](n, x, spare);
  return spare;
}

/* ---- planning ------------------------------------------------------------------------------------------------------
 */

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_op op = p->nodes[0].op;
  if (op != PN_OP_QUANTIZE && op != PN_OP_DEQUANTIZE && op != PN_OP_DYNAMIC_QUANTIZE) return false;
  if (!pn_accepts_one(p, op, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_operand *y = pn_problem_output(p, 0, 0), *x = pn_problem_input(p, 0, X);
  if (op == PN_OP_DYNAMIC_QUANTIZE) return y || pn_refuse(why, "the integers are not wanted");
  const pn_operand *scale = pn_problem_input(p, 0, SCALE);
  if (!is_real(scale->dtype)) return pn_refuse(why, "scales of type %s", pelton_dtype_name(scale->dtype));
  const pn_attrs_quantize *q = p->nodes[0].attrs;
  const pn_attrs_dequantize *d = p->nodes[0].attrs;
  int64_t block = op == PN_OP_QUANTIZE ? q->block : d->block, axis = op == PN_OP_QUANTIZE ? q->axis : d->axis;
  if (block && x->dims[axis < 0 ? axis + x->rank : axis] % block) return pn_refuse(why, "a block that is cut");
  if (op == PN_OP_QUANTIZE)
    return (is_real(x->dtype) && is_whole(y->dtype)) ||
           pn_refuse(why, "from %s to %s", pelton_dtype_name(x->dtype), pelton_dtype_name(y->dtype));
  return ((is_whole(x->dtype) || (x->dtype == PELTON_DTYPE_I32 && !pn_problem_input(p, 0, ZERO))) &&
          is_real(y->dtype)) ||
         pn_refuse(why, "from %s to %s", pelton_dtype_name(x->dtype), pelton_dtype_name(y->dtype));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 6 * (double)pn_operand_elements(pn_problem_input(p, 0, X)), pn_cpu_operand_bytes(p),
                         0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = device->threads * (4 * PIECE * sizeof(float)) + device->threads * 64;
}

/* How the scales divide the elements. */
static void divide(state *s, const pn_operand *x, const pn_operand *scale, int64_t axis_in, int64_t block) {
  int64_t elements = pn_operand_elements(x), inner = 1;
  s->every = s->scales = 1;
  s->runs = 1;
  s->length = elements;
  if (pn_operand_elements(scale) == 1 && !block) return;
  uint32_t axis = (uint32_t)(axis_in < 0 ? axis_in + x->rank : axis_in);
  int64_t extent = x->dims[axis];
  for (uint32_t i = axis + 1; i < x->rank; i++) inner *= x->dims[i];
  if (block && inner == 1 && extent % block == 0) { /* a row of blocks, each with its scale */
    s->length = block;
    s->scales = elements / block;
  } else if (block) { /* a run of scales for every |block| rows */
    s->scale_runs = true;
    s->length = inner;
    s->every = block;
    s->scales = elements / (extent * inner) * (extent / block);
  } else if (inner == 1) {
    s->scale_runs = true;
    s->length = extent;
  } else {
    s->length = inner;
    s->scales = extent;
  }
  s->runs = s->length ? elements / s->length : 0;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  const pn_operand *x = pn_problem_input(p, 0, X), *y = pn_problem_output(p, 0, 0),
                   *scale = pn_problem_input(p, 0, SCALE);
  (void)config;
  (void)diag;
  s->op = p->nodes[0].op;
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->typed = pn_cpu_vec_typed_best(device->isa);
  s->from = x->dtype;
  s->to = y->dtype;
  s->has_zero = pn_problem_input(p, 0, ZERO) != NULL;
  if (s->op == PN_OP_DYNAMIC_QUANTIZE) {
    s->scale = PELTON_DTYPE_F32;
    s->runs = s->every = s->scales = 1;
    s->length = pn_operand_elements(x);
  } else {
    const pn_attrs_quantize *q = p->nodes[0].attrs;
    const pn_attrs_dequantize *d = p->nodes[0].attrs;
    bool back = s->op == PN_OP_DEQUANTIZE;
    s->scale = scale->dtype;
    divide(s, x, scale, back ? d->axis : q->axis, back ? d->block : q->block);
  }
  bool is_signed = pn_dtype_is_signed(s->to);
  int bits = (int)pn_dtype_bits(s->to);
  s->least = is_signed ? -ldexpf(1, bits - 1) : 0;
  s->greatest = ldexpf(1, bits - is_signed) - 1;
  s->pieces = pn_div_up(s->length, PIECE);
  bool own_scales = !s->scale_runs && s->every == 1 && s->scales == s->runs;
  if (s->op == PN_OP_QUANTIZE && own_scales && s->length > 0 && s->length <= PIECE / 2) s->together = PIECE / s->length;
  s->units = s->together ? pn_div_up(s->runs, s->together) : s->runs * s->pieces;
  s->parts = pn_cpu_parts(device, s->units, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

typedef struct job {
  const state *s;
  const char *x, *scale, *zero;
  char *y, *scratch;
  float *extremes; /* dynamic: two a part */
} job;

static void run_piece(const job *j, int64_t run, int64_t begin, size_t n, float *spare) {
  const state *s = j->s;
  pelton_dtype whole = s->op == PN_OP_DEQUANTIZE ? s->from : s->to;
  int64_t first = run * s->length + begin, at = run / s->every % s->scales;
  if (s->scale_runs) at = at * s->length + begin;
  size_t scales = s->scale_runs ? n : 1;
  const char *x = j->x + (size_t)first * pelton_dtype_bytes(s->from);
  char *y = j->y + (size_t)first * pelton_dtype_bytes(s->to);
  static const float none = 0;
  const float *scale = load(s, s->scale, scales, j->scale + (size_t)at * pelton_dtype_bytes(s->scale), spare + PIECE);
  const float *zero = &none;
  if (s->has_zero) zero = load(s, whole, scales, j->zero + (size_t)at * pelton_dtype_bytes(whole), spare + 2 * PIECE);
  int32_t *integers = (int32_t *)(void *)(spare + 3 * PIECE);
  const float *values = load(s, s->from, n, x, spare);
  if (s->op != PN_OP_DEQUANTIZE) {
    int runs = s->scale_runs ? 1 + 2 * s->has_zero : 0;
    s->typed->quantize(n, values, scale, zero, runs, s->least, s->greatest, integers);
    s->typed->convert[PN_CPU_FORM_i32][form_of(s->to)](n, integers, y);
    return;
  }
  pn_cpu_binary_form form = s->scale_runs ? PN_CPU_RUN_RUN : PN_CPU_RUN_ONE;
  bool halves = s->to != PELTON_DTYPE_F32;
  float *out = halves ? spare : (float *)(void *)y;
  if (s->has_zero && (s->scale_runs || *zero != 0)) {
    s->vec->binary[PN_CPU_BINARY_sub][form](n, values, zero, spare);
    values = spare;
  }
  s->vec->binary[PN_CPU_BINARY_mul][form](n, values, scale, out);
  if (halves)
    (s->to == PELTON_DTYPE_F16 ? s->typed->f16_from_f32 : s->typed->bf16_from_f32)(n, out, (uint16_t *)(void *)y);
}

/* Runs [run, run + count), each with a scale. */
static void run_short(const job *j, int64_t run, size_t count, float *spare) {
  const state *s = j->s;
  size_t first = (size_t)(run * s->length), n = count * (size_t)s->length;
  const float *values = load(s, s->from, n, j->x + first * pelton_dtype_bytes(s->from), spare);
  const float *zero = NULL, *scale = load(s, s->scale, count,
                                          j->scale + (size_t)run * pelton_dtype_bytes(s->scale), spare + PIECE);
  if (s->has_zero) zero = load(s, s->to, count, j->zero + (size_t)run * pelton_dtype_bytes(s->to), spare + 2 * PIECE);
  int32_t *integers = (int32_t *)(void *)(spare + 3 * PIECE);
  s->typed->quantize_blocks(count, (size_t)s->length, values, scale, zero, s->has_zero, s->least, s->greatest, integers);
  s->typed->convert[PN_CPU_FORM_i32][form_of(s->to)](n, integers, j->y + first * pelton_dtype_bytes(s->to));
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  float *spare = (float *)(void *)(j->scratch + (size_t)thread * 4 * PIECE * sizeof(float));
  int64_t unit, end;
  pn_cpu_share(s->units, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    if (s->together) {
      int64_t run = unit * s->together;
      run_short(j, run, (size_t)pn_min_i64(s->together, s->runs - run), spare);
      continue;
    }
    int64_t begin = unit % s->pieces * PIECE;
    run_piece(j, unit / s->pieces, begin, (size_t)pn_min_i64(PIECE, s->length - begin), spare);
  }
}

/* The range of one part's elements, which takes in 0 so that 0 is represented exactly. NaN is in no range. */
static void find_range(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const float *x = (const float *)(const void *)j->x;
  int64_t begin, end;
  float least = 0, greatest = 0;
  (void)thread;
  pn_cpu_share(s->length, PIECE, part, s->parts, &begin, &end);
  for (; begin < end; begin += PIECE) {
    size_t n = (size_t)pn_min_i64(PIECE, end - begin);
    float low = s->reduce->min(n, x + begin), high = s->reduce->max(n, x + begin);
    for (size_t i = 0; i < n && (isnan(low) || isnan(high)); i++) {
      least = x[begin + (int64_t)i] < least ? x[begin + (int64_t)i] : least;
      greatest = x[begin + (int64_t)i] > greatest ? x[begin + (int64_t)i] : greatest;
    }
    least = low < least ? low : least;
    greatest = high > greatest ? high : greatest;
  }
  j->extremes[2 * part] = least;
  j->extremes[2 * part + 1] = greatest;
}

static void *result_at(const pn_step *step, uint32_t i) {
  const pn_operand *y = pn_problem_output(step->problem, 0, i);
  return y ? step->operands[pn_operand_index(step->problem, y)] : NULL;
}

static pelton_status run_dynamic(const pn_step *step, pn_stream *stream, job *j) {
  const state *s = j->s;
  float least = 0, greatest = 0, zero;
  j->extremes = (float *)(void *)(j->scratch + stream->device->threads * (4 * PIECE * sizeof(float)));
  pn_pool_run(stream->device->pool, s->parts, find_range, j);
  for (uint32_t i = 0; i < s->parts; i++) {
    least = fminf(least, j->extremes[2 * i]);
    greatest = fmaxf(greatest, j->extremes[2 * i + 1]);
  }
  float scale = (greatest == least ? 1.0f : greatest - least) / 255.0f;
  zero = rintf(-least / scale);
  uint8_t zero_point = (uint8_t)(zero < 0 ? 0 : zero > 255 ? 255 : zero);
  state with_zero = *s;
  with_zero.has_zero = true;
  job each = *j;
  each.s = &with_zero;
  each.scale = (const char *)&scale;
  each.zero = (const char *)&zero_point;
  pn_pool_run(stream->device->pool, s->parts, task, &each);
  if (result_at(step, 1)) *(float *)result_at(step, 1) = scale;
  if (result_at(step, 2)) *(uint8_t *)result_at(step, 2) = zero_point;
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s, .x = step->operands[node->inputs[X]], .y = result_at(step, 0), .scratch = step->workspace};
  if (s->op == PN_OP_DYNAMIC_QUANTIZE) return run_dynamic(step, stream, &j);
  j.scale = step->operands[node->inputs[SCALE]];
  if (s->has_zero) j.zero = step->operands[node->inputs[ZERO]];
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_quantize = {
    .name = "cpu.quantize",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
