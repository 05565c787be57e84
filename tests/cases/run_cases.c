/* Runs problems written one a line against every tactic that accepts them, and compares with the operator's reference:

     conv f32[2,16,15,15] f32[17,16,3,3] const strides=[2,2] pads=[1,1,1,1]
     gather f32[7,4] i64[3]<7 axis=0
     slice f32[9,5] i64[1]{2} i64[1]{8} i64[1]{0}
     conv_transpose f32[1,8,4,4] f32[8,4,2,2] const strides=[2,2] ; pointwise $ f32[4,1,1] const expr="relu(add(x0,x1))"

   An operand is dtype[extents], followed by {elements} (a constant), by <bound (integers in [0, bound)) or by nothing
   (random), and by the word const when it is known while planning; "_" is an absent one, "$" the result of the node
   before, "$0" that of the first one, and so on. "-> n" in front of the attributes asks for n results, "-> n _i _k" for
   those but numbers i and k (from 0). Lines that begin with '#' are comments; "no " in front of a problem says that on
   the cpu only the reference does it, "fails " that it fails, as tactics then must. Every line runs with every
   combination of layouts, every config of a tactic, at each level of instructions, with one thread and with two; lines
   that no tactic of the cpu accepts fail. Of operators whose results have a size that only the run tells, tactics get
   results as large as they can be; the count is compared, and what there is.

   PELTON_CASES_TARGET runs them on another target, with the tactics that have a word of PELTON_CASES_TACTIC in their
   names and none of PELTON_CASES_WITHOUT (between commas); PELTON_CASES_LIBRARIES, _CAPABILITY, _TF32: its device's
   options. */
#include "base/file.h"
#include "base/format.h"
#include "op/schema.h"
#include "target/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 8, MAX_OPERANDS = 48, MAX_LAYOUT_OPERANDS = 5, MAX_CONFIGS = 16 };

typedef struct value {
  pn_operand operand;
  void *plain;   /* the elements, or the reference's */
  int64_t bound; /* of random integers; 0: none */
  bool last;     /* a result that is compared */
  int64_t found; /* elements that it has, where only the run tells and the operand's are the most; -1: all */
} value;

typedef struct problem_case {
  pn_arena arena;
  value values[MAX_OPERANDS];
  uint32_t value_count, node_count;
  pn_problem_node nodes[MAX_NODES];
  uint16_t inputs[MAX_NODES][MAX_OPERANDS], outputs[MAX_NODES][MAX_OPERANDS];
  bool reference_only, fails;
  int32_t axes[PN_MOST_COUNTED]; /* of an operator that counts */
  int64_t counted;               /* what it finds; -1: it does not count */
} problem_case;

static uint64_t random_state;
static uint32_t checked, failures, unaccepted;
static const char *line_text;
static int line_number;

static uint32_t next_random(void) {
  random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(random_state >> 33);
}

static void complain(const char *what, const char *detail) {
  if (failures++ < 20) printf("line %d: %s\n  %s: %s\n", line_number, line_text, what, detail);
}

static void complain_diag(const char *what, const pelton_diag *diag) {
  complain(what, diag->count ? pelton_diag_message(diag, diag->count - 1) : "no reason given");
}

/* ---- reading a line ---------------------------------------------------------------------------------------------- */

static void skip_blanks(pn_str *t) {
  while (t->size && *t->data == ' ') t->data++, t->size--;
}

static bool take(pn_str *t, const char *what) {
  if (!pn_str_starts(*t, what)) return false;
  t->data += strlen(what);
  t->size -= strlen(what);
  return true;
}

static pn_str take_until(pn_str *t, const char *ends) {
  pn_str word = {t->data, 0};
  while (t->size && !strchr(ends, *t->data)) t->data++, t->size--, word.size++;
  return word;
}

static bool read_number(pn_str *t, double *out) {
  pn_str word = take_until(t, ",]} ");
  return pn_str_to_f64(word, out);
}

static void fill_random(value *v) {
  pn_tensor t = {.dtype = v->operand.dtype, .data = v->plain};
  int64_t n = pn_operand_elements(&v->operand);
  for (int64_t i = 0; i < n; i++) {
    double real = (double)next_random() / 2147483648.0 * 2 - 1;
    if (v->bound)
      pn_tensor_set_i64(&t, i, next_random() % v->bound);
    else if (pn_dtype_is_float(t.dtype))
      pn_tensor_set_f64(&t, i, real);
    else
      pn_tensor_set_i64(&t, i, t.dtype == PELTON_DTYPE_BOOL ? next_random() & 1 : next_random() & 63);
  }
}

static void *exact(problem_case *c, const pn_operand *o) {
  return pn_arena_alloc(&c->arena, pn_operand_bytes(o) + 1, 64);
}

/* dtype[extents]{elements} const */
static bool read_operand(problem_case *c, pn_str *t, uint16_t *index) {
  value *v = &c->values[c->value_count];
  double number;
  memset(v, 0, sizeof *v);
  if (!pn_dtype_parse(take_until(t, "["), &v->operand.dtype) || !take(t, "[")) return false;
  while (!take(t, "]")) {
    if (v->operand.rank == PN_MAX_RANK || !read_number(t, &number)) return false;
    v->operand.dims[v->operand.rank++] = (int64_t)number;
    (void)take(t, ",");
  }
  v->plain = exact(c, &v->operand);
  if (take(t, "{")) {
    pn_tensor tensor = {.dtype = v->operand.dtype, .data = v->plain};
    for (int64_t i = 0; !take(t, "}"); i++) {
      if (i >= pn_operand_elements(&v->operand) || !read_number(t, &number)) return false;
      pn_tensor_set_f64(&tensor, i, number);
      (void)take(t, ",");
    }
    v->operand.role = PN_OPERAND_CONSTANT;
  } else {
    if (take(t, "<")) {
      if (!read_number(t, &number)) return false;
      v->bound = (int64_t)number;
    }
    fill_random(v);
  }
  skip_blanks(t);
  if (take(t, "const ") || (t->size == 5 && take(t, "const"))) v->operand.role = PN_OPERAND_CONSTANT;
  if (take(t, "input ") || (t->size == 5 && take(t, "input"))) v->operand.role = PN_OPERAND_INPUT;
  if (v->operand.role == PN_OPERAND_CONSTANT) v->operand.data = v->plain;
  *index = (uint16_t)c->value_count++;
  return true;
}

static bool looks_like_operand(pn_str t) {
  pelton_dtype dtype;
  pn_str word = take_until(&t, "[= ");
  return t.size && *t.data == '[' && pn_dtype_parse(word, &dtype);
}

static bool read_node(problem_case *c, pn_str text, pelton_diag *diag) {
  uint32_t at = c->node_count++, outputs = 1;
  pn_problem_node *node = &c->nodes[at];
  pn_op op;
  memset(node, 0, sizeof *node);
  if (!pn_op_find(take_until(&text, " "), &op))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "no such operator"), false;
  node->op = op;
  for (;;) {
    uint16_t *to = &c->inputs[at][node->input_count];
    skip_blanks(&text);
    if (take(&text, "_ "))
      *to = PN_NO_OPERAND;
    else if (at && (take(&text, "$ ") || (text.size == 1 && take(&text, "$"))))
      *to = c->outputs[at - 1][0];
    else if (text.size > 1 && text.data[0] == '$' && text.data[1] >= '0' && (uint32_t)(text.data[1] - '0') < at)
      *to = c->outputs[take_until(&text, " ").data[1] - '0'][0];
    else if (!looks_like_operand(text))
      break;
    else if (!read_operand(c, &text, to))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "operand %u cannot be read", (unsigned)node->input_count), false;
    node->input_count++;
  }
  if (take(&text, "-> ")) outputs = (uint32_t)strtoul(take_until(&text, " ").data, NULL, 10);
  for (skip_blanks(&text); take(&text, "_"); skip_blanks(&text)) {
    uint32_t absent = (uint32_t)strtoul(take_until(&text, " ").data, NULL, 10);
    if (absent < MAX_OPERANDS) c->outputs[at][absent] = PN_NO_OPERAND;
  }
  void *attrs;
  if (pn_attrs_parse(op, &text, NULL, &c->arena, &attrs, diag)) return false;
  node->attrs = attrs;
  node->inputs = c->inputs[at];
  node->outputs = c->outputs[at];
  node->output_count = outputs;
  return true;
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

static pelton_status infer_node(problem_case *c, uint32_t at, pelton_diag *diag) {
  pn_problem_node *node = &c->nodes[at];
  pn_fact in[MAX_OPERANDS] = {0}, out[MAX_OPERANDS] = {0};
  pn_symbols symbols;
  pn_symbols_init(&symbols, &c->arena);
  for (uint32_t i = 0; i < node->input_count; i++) {
    if (node->inputs[i] == PN_NO_OPERAND) continue;
    const value *v = &c->values[node->inputs[i]];
    in[i] = (pn_fact){
        .present = true, .type = pn_type_make(v->operand.dtype, v->operand.rank, v->operand.dims), .data = v->plain};
  }
  for (uint32_t i = 0; i < node->output_count; i++) out[i].present = c->outputs[at][i] != PN_NO_OPERAND;
  pn_infer infer = {.attrs = node->attrs,
                    .input_count = node->input_count,
                    .output_count = node->output_count,
                    .in = in,
                    .out = out,
                    .symbols = &symbols,
                    .arena = &c->arena,
                    .diag = diag};
  PN_TRY(pn_op_check(node->op, &infer));
  PN_TRY(pn_op_get(node->op)->infer(&infer));
  const bool counts = pn_op_get(node->op)->flags & PN_OP_DATA_SHAPE;
  for (uint32_t i = 1; counts && i < node->input_count; i++) /* which are known while planning decides how many */
    if (node->inputs[i] != PN_NO_OPERAND && c->values[node->inputs[i]].operand.role != PN_OPERAND_CONSTANT)
      in[i].data = NULL;
  if (counts && !pn_op_bound(node->op, &infer, c->axes))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the operator's results have no bound");
  for (uint32_t i = 0; i < node->output_count; i++) {
    if (c->outputs[at][i] == PN_NO_OPERAND) continue;
    value *v = &c->values[c->value_count];
    memset(v, 0, sizeof *v);
    if (!pn_type_is_static(&out[i].type))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a result's shape is not known");
    v->found = -1;
    v->operand.role = PN_OPERAND_OUTPUT;
    v->operand.dtype = out[i].type.dtype;
    v->operand.rank = (uint32_t)out[i].type.rank;
    for (uint32_t d = 0; d < v->operand.rank; d++) v->operand.dims[d] = out[i].type.dims[d].number;
    v->plain = exact(c, &v->operand);
    c->outputs[at][i] = (uint16_t)c->value_count++;
  }
  return PELTON_OK;
}

static pn_tensor tensor_of(const problem_case *c, uint16_t index) {
  pn_tensor t = {0};
  if (index == PN_NO_OPERAND) return t;
  const value *v = &c->values[index];
  t = (pn_tensor){.dtype = v->operand.dtype, .rank = v->operand.rank, .data = v->plain};
  memcpy(t.dims, v->operand.dims, sizeof t.dims);
  return t;
}

static pelton_status resize_output(pn_call *call, uint32_t index, uint32_t rank, const int64_t *dims) {
  problem_case *c = call->self;
  const uint16_t place = c->outputs[c->node_count - 1][index];
  if (place == PN_NO_OPERAND) return PELTON_OK;
  value *v = &c->values[place];
  bool fits = rank == v->operand.rank;
  v->found = 1;
  for (uint32_t d = 0; d < rank && fits; d++) {
    v->found *= dims[d];
    fits = (int32_t)d == c->axes[index] ? dims[d] <= v->operand.dims[d] : dims[d] == v->operand.dims[d];
  }
  if (fits && c->axes[index] >= 0) c->counted = dims[c->axes[index]];
  if (!fits) return pn_fail(call->diag, PELTON_INTERNAL, "result %u is not within its bound", index);
  memcpy(call->out[index].dims, dims, sizeof *dims * rank);
  return PELTON_OK;
}

static pelton_status run_reference(problem_case *c, uint32_t at, pelton_diag *diag) {
  pn_problem_node *node = &c->nodes[at];
  pn_tensor in[MAX_OPERANDS], out[MAX_OPERANDS];
  pn_arena scratch;
  for (uint32_t i = 0; i < node->input_count; i++) in[i] = tensor_of(c, node->inputs[i]);
  for (uint32_t i = 0; i < node->output_count; i++) out[i] = tensor_of(c, node->outputs[i]);
  pn_arena_init(&scratch, NULL);
  pn_call call = {.attrs = node->attrs,
                  .input_count = node->input_count,
                  .output_count = node->output_count,
                  .in = in,
                  .out = out,
                  .scratch = &scratch,
                  .diag = diag,
                  .resize_output = resize_output,
                  .self = c};
  pelton_status status = pn_op_get(node->op)->reference(&call);
  pn_arena_deinit(&scratch);
  return status;
}

static bool read_case(problem_case *c, const char *line, pelton_diag *diag) {
  pn_str text = pn_str_from(line);
  c->reference_only = take(&text, "no ");
  c->fails = take(&text, "fails ");
  c->counted = -1;
  while (text.size) {
    pn_str node = {text.data, text.size};
    const char *end = strstr(text.data, " ; ");
    if (end) node.size = (size_t)(end - text.data);
    text.data += node.size;
    text.size -= node.size;
    (void)take(&text, " ; ");
    if (!read_node(c, node, diag) || infer_node(c, c->node_count - 1, diag)) return false;
    bool failed = run_reference(c, c->node_count - 1, diag) != PELTON_OK;
    if (failed && !c->fails) return false;
    if (!failed && c->fails) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the reference does not fail"), false;
  }
  for (uint32_t i = 0; i < c->node_count; i++)
    for (uint32_t k = 0; k < c->nodes[i].output_count; k++) {
      if (c->outputs[i][k] == PN_NO_OPERAND) continue;
      value *v = &c->values[c->outputs[i][k]];
      v->last = i + 1 == c->node_count;
      v->operand.role = v->last ? PN_OPERAND_OUTPUT : PN_OPERAND_INTERNAL;
    }
  return true;
}

/* ---- tactics ----------------------------------------------------------------------------------------------------- */

/* Elements from plain to the operand's layout, or back. */
static void convert(const pn_operand *o, const void *from, void *to, bool back) {
  int64_t n = pn_operand_elements(o), strides[PN_MAX_RANK] = {0}, stored[PN_MAX_RANK], own[PN_MAX_RANK];
  size_t bytes = pelton_dtype_bytes(o->dtype);
  pn_layout_stored_dims(o->layout, o->rank, o->dims, stored);
  pn_dims_strides(o->rank, stored, own);
  for (uint32_t d = 0; d < o->rank; d++) {
    bool last = o->layout == PN_LAYOUT_CHANNELS_LAST && o->rank >= 3;
    strides[d] = own[!last || d == 0 ? d : d == 1 ? o->rank - 1 : d - 1];
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t at = 0, left = i;
    for (uint32_t d = o->rank; d-- > 0;) {
      at += left % o->dims[d] * strides[d];
      left /= o->dims[d];
    }
    if (back)
      memcpy((char *)to + (size_t)i * bytes, (const char *)from + (size_t)at * bytes, bytes);
    else
      memcpy((char *)to + (size_t)at * bytes, (const char *)from + (size_t)i * bytes, bytes);
  }
}

/* A chain in one step, attention, and a convolution with its bias may round between their parts where the reference
   does not, and the other way round; sums may then cancel: in 16 bits that is two steps of the greatest result. */
static bool rounds_between(const problem_case *c) {
  const pn_problem_node *first = &c->nodes[0];
  return c->node_count > 1 || first->op == PN_OP_ATTENTION || (first->op == PN_OP_CONV && first->input_count > 2);
}

/* |error| is the tactic's own, relative to the largest. */
static bool compare(const value *v, bool between, const void *got, double error, char *message, size_t room) {
  pn_tensor a = {.dtype = v->operand.dtype, .data = v->plain}, b = a;
  int64_t n = v->found >= 0 ? v->found : pn_operand_elements(&v->operand);
  double scale = 0;
  b.data = (void *)(uintptr_t)got;
  bool real = pn_dtype_is_float(a.dtype);
  for (int64_t i = 0; i < n && real; i++) {
    double x = fabs(pn_tensor_get_f64(&a, i));
    if (x > scale && isfinite(x)) scale = x;
  }
  for (int64_t i = 0; i < n; i++) {
    double x = real ? pn_tensor_get_f64(&a, i) : (double)pn_tensor_get_i64(&a, i);
    double y = real ? pn_tensor_get_f64(&b, i) : (double)pn_tensor_get_i64(&b, i);
    if (x == y || (isnan(x) && isnan(y))) continue;
    double step = a.dtype == PELTON_DTYPE_F16 ? 0x1p-10 : a.dtype == PELTON_DTYPE_BF16 ? 0x1p-7 : 0;
    /* Tensor cores cut off what they add: of 8,192 products of 16 bits that was 5e-6 of the greatest sum. */
    if (real && fabs(x - y) <= (step > 0 ? 1e-5 : 4e-6) * (fabs(x) + scale) + 2 * error * scale + 1e-7) continue;
    /* One step of a half float: rounding of nearly equal numbers may fall on both sides of a tie. */
    if (fabs(x - y) <= step * (fabs(x) + (between ? 2 * scale : 0))) continue;
    (void)snprintf(message, room, "element %lld of %lld is %.9g, should be %.9g", (long long)i, (long long)n, y, x);
    return false;
  }
  const size_t bytes = pn_operand_bytes(&v->operand);
  for (size_t i = (size_t)n * pelton_dtype_bytes(a.dtype); i < bytes; i++) { /* try_tactic has filled it */
    if (((const unsigned char *)got)[i] == 0xff) continue;
    (void)snprintf(message, room, "something is written behind its %lld elements", (long long)n);
    return false;
  }
  return true;
}

typedef struct attempt {
  problem_case *c;
  const pn_target *target;
  pn_device *device;
  pn_stream *stream;
  const pn_tactic *tactic;
  pn_config config;
  pn_problem problem;
  pn_operand operands[MAX_OPERANDS];
} attempt;

/* Memory for what a tactic sizes itself, with a guard behind it. */
enum { GUARD_BYTES = 64, GUARD_VALUE = 0xa5 };

static unsigned char *block(size_t bytes) {
  unsigned char *memory = pn_alloc_raw(NULL, bytes + GUARD_BYTES, 64);
  if (!memory) exit(70);
  memset(memory, GUARD_VALUE, bytes + GUARD_BYTES);
  return memory;
}

static void release_block(const char *tactic, const char *what, unsigned char *memory, size_t bytes) {
  for (size_t i = 0; i < GUARD_BYTES; i++)
    if (memory[bytes + i] != GUARD_VALUE) {
      complain(tactic, what);
      break;
    }
  pn_release(NULL, memory);
}

static void *device_block(const attempt *a, size_t bytes) {
  void *memory;
  if (a->target->memory_alloc(a->device, bytes + GUARD_BYTES, "a case", &memory, NULL)) exit(70);
  return memory;
}

/* The tactic on a device of its own memory: everything that run sees is there. */
static pelton_status run_on_device(attempt *a, const void *packed, size_t packed_bytes, const void *state,
                                   size_t workspace_bytes, void *const *operands, pelton_diag *diag) {
  const pn_target *target = a->target;
  void *there[MAX_OPERANDS] = {0}, *packed_there = device_block(a, packed_bytes),
       *workspace = device_block(a, workspace_bytes), *count_there = device_block(a, sizeof(int64_t));
  int64_t count = -1;
  pelton_status status = target->upload(a->stream, packed_there, packed, packed_bytes, diag);
  for (uint32_t i = 0; i < a->c->value_count && !status; i++) {
    const pn_operand *o = &a->operands[i];
    if (o->role == PN_OPERAND_INTERNAL || (o->role == PN_OPERAND_CONSTANT && a->tactic->host_constants)) continue;
    there[i] = device_block(a, pn_operand_bytes(o));
    status = target->upload(a->stream, there[i], operands[i], pn_operand_bytes(o), diag);
  }
  pn_step step = {&a->problem, a->config, state, packed_there, workspace, there, count_there, 0};
  for (int again = 0; again < 2 && !status; again++) status = a->tactic->run(&step, a->stream, diag);
  if (!status) status = target->stream_synchronize(a->stream, diag);
  for (uint32_t i = 0; i < a->c->value_count; i++) {
    const pn_operand *o = &a->operands[i];
    if (!status && o->role == PN_OPERAND_OUTPUT)
      status = target->download(a->stream, operands[i], there[i], pn_operand_bytes(o), diag);
    target->memory_release(a->device, there[i]);
  }
  if (!status && a->c->counted >= 0) status = target->download(a->stream, &count, count_there, sizeof count, diag);
  if (!status && count != a->c->counted)
    status = pn_fail(diag, PELTON_INTERNAL, "it counts %lld, not %lld", (long long)count, (long long)a->c->counted);
  target->memory_release(a->device, count_there);
  target->memory_release(a->device, packed_there);
  target->memory_release(a->device, workspace);
  return status;
}

static pelton_status prepare_and_run(attempt *a, void *const *operands, pelton_diag *diag) {
  const pn_tactic *t = a->tactic;
  pn_config config = a->config;
  pn_sizes sizes = {0};
  if (!(t->estimate(&a->problem, a->device, &config) > 0)) complain(t->name, "an estimate that is not positive");
  if (t->sizes) t->sizes(&a->problem, a->device, &config, &sizes);
  unsigned char *packed = block(sizes.packed_bytes), *state = block(sizes.state_bytes),
                *workspace = block(a->target->host_memory ? sizes.workspace_bytes : 0);
  memset(state, 0, sizes.state_bytes);
  pelton_status status = t->pack ? t->pack(&a->problem, a->device, &config, packed, diag) : PELTON_OK;
  if (!status && t->prepare) status = t->prepare(&a->problem, a->device, &config, state, diag);
  bool prepared = !status;
  if (a->target->host_memory) {
    pn_step step = {.problem = &a->problem,
                    .config = config,
                    .state = state,
                    .packed = packed,
                    .workspace = workspace,
                    .operands = operands};
    for (int again = 0; again < 2 && !status; again++) status = t->run(&step, a->stream, diag);
  } else if (!status) {
    status = run_on_device(a, packed, sizes.packed_bytes, state, sizes.workspace_bytes, operands, diag);
  }
  if (t->release_state && prepared) t->release_state(state);
  release_block(t->name, "writes behind its packed weights", packed, sizes.packed_bytes);
  release_block(t->name, "writes behind its state", state, sizes.state_bytes);
  release_block(t->name, "writes behind its workspace", workspace, a->target->host_memory ? sizes.workspace_bytes : 0);
  return status;
}

static void try_tactic(attempt *a) {
  void *operands[MAX_OPERANDS] = {0};
  problem_case *c = a->c;
  char message[512], what[512];
  static pelton_diag diag;
  pelton_diag_init(&diag);
  for (uint32_t i = 0; i < c->value_count; i++) {
    const pn_operand *o = &a->operands[i];
    if (o->role == PN_OPERAND_INTERNAL) continue;
    size_t bytes = pn_operand_bytes(o);
    operands[i] = malloc(bytes ? bytes : 1); /* of exact size, for address sanitizers */
    if (!operands[i]) exit(70);
    if (o->role == PN_OPERAND_OUTPUT)
      memset(operands[i], 0xff, bytes);
    else
      convert(o, c->values[i].plain, operands[i], false);
  }
  pelton_status status = prepare_and_run(a, operands, &diag);
  int used = snprintf(what, sizeof what, "%s (%d, %d) on %s:", a->tactic->name, (int)a->config.value[0],
                      (int)a->config.value[1], a->target->fingerprint(a->device));
  for (uint32_t i = 0; i < c->value_count && used < 400; i++)
    if (a->operands[i].role != PN_OPERAND_INTERNAL)
      used += snprintf(what + used, sizeof what - (size_t)used, " %s", pn_layout_name(a->operands[i].layout));
  double error = a->tactic->error ? a->tactic->error(&a->problem, a->device, &a->config) : 0;
  checked++;
  if (status && !c->fails) complain_diag(what, &diag);
  if (!status && c->fails) complain(what, "does not fail where the reference does");
  for (uint32_t i = 0; i < c->value_count; i++) {
    if (a->operands[i].role == PN_OPERAND_OUTPUT && !status && !c->fails) {
      void *back = malloc(pn_operand_bytes(&a->operands[i]) + 1);
      convert(&a->operands[i], operands[i], back, true);
      if (!compare(&c->values[i], rounds_between(c), back, error, message, sizeof message)) complain(what, message);
      free(back);
    }
    free(operands[i]);
  }
}

static void try_configs(attempt *a) {
  pn_config configs[MAX_CONFIGS] = {{{0}}};
  uint32_t count = 1;
  if (a->tactic->configs) count = a->tactic->configs(&a->problem, a->device, configs, MAX_CONFIGS);
  if (!count || count > MAX_CONFIGS) complain(a->tactic->name, "a count of configs out of range");
  for (uint32_t i = 0; i < count && i < MAX_CONFIGS; i++) {
    a->config = configs[i];
    try_tactic(a);
  }
}

/* Every combination of layouts of the operands that have several, internal ones as the last result; counts the accepted
   ones. */
static uint32_t try_layouts(attempt *a, pn_reason *why) {
  problem_case *c = a->c;
  uint32_t choice[MAX_LAYOUT_OPERANDS], choices = 0, accepted = 0;
  for (uint32_t i = 0; i < c->value_count; i++) {
    const pn_operand *o = &c->values[i].operand;
    a->operands[i] = *o;
    bool free = o->role == PN_OPERAND_INPUT || o->role == PN_OPERAND_OUTPUT;
    if (o->rank >= 3 && free && choices < MAX_LAYOUT_OPERANDS) choice[choices++] = i;
  }
  a->problem = (pn_problem){c->node_count, c->nodes, c->value_count, a->operands, false};
  for (uint32_t mask = 0; mask < 1u << choices; mask++) {
    for (uint32_t k = 0; k < choices; k++)
      a->operands[choice[k]].layout = mask >> k & 1 ? PN_LAYOUT_CHANNELS_LAST : PN_LAYOUT_PLAIN;
    for (uint32_t i = 0; i < c->value_count; i++)
      if (a->operands[i].role == PN_OPERAND_INTERNAL && a->operands[i].rank >= 3)
        a->operands[i].layout = pn_problem_output(&a->problem, c->node_count - 1, 0)->layout;
    if (!a->tactic->accepts(&a->problem, a->device, why)) continue;
    accepted++;
    try_configs(a);
  }
  return accepted;
}

/* Whether |name| has one of the words of |list|, between commas; |otherwise| where there is no list. */
static bool is_named(const char *name, const char *list, bool otherwise) {
  if (!list) return otherwise;
  while (*list) {
    const size_t size = strcspn(list, ",");
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)size, list);
    if (size && strstr(name, word)) return true;
    list += size + (list[size] == ',');
  }
  return false;
}

/* One device of another target; lines that none of its tactics takes are its reference's. */
static void run_case_on(problem_case *c, const char *name) {
  static pelton_diag diag;
  static pn_device *device; /* one for all lines: what it compiled stays */
  const pn_tactic *const *tactics;
  attempt a = {.c = c, .target = pn_target_find(pn_str_from(name))};
  const char *capability = getenv("PELTON_CASES_CAPABILITY");
  pn_device_options options = {.allocator = &pn_allocator_default,
                               .libraries = getenv("PELTON_CASES_LIBRARIES"),
                               .capability = capability ? (int)strtol(capability, NULL, 10) : 0,
                               .tf32 = getenv("PELTON_CASES_TF32") != NULL};
  pn_reason why = {""};
  uint32_t accepted = 0;
  pelton_diag_init(&diag);
  if (!a.target || (!device && a.target->device_open(&options, &device, &diag))) {
    fprintf(stderr, "no target %s: %s\n", name, diag.count ? pelton_diag_message(&diag, 0) : "not built");
    exit(1);
  }
  a.device = device;
  if (a.target->stream_create(a.device, &a.stream, &diag)) exit(70);
  uint32_t count = a.target->tactics(a.device, &tactics);
  const char *only = getenv("PELTON_CASES_TACTIC"), *without = getenv("PELTON_CASES_WITHOUT");
  for (uint32_t i = 0; i < count; i++) {
    a.tactic = tactics[i];
    if (a.tactic->is_reference || !is_named(a.tactic->name, only, true) || is_named(a.tactic->name, without, false))
      continue;
    accepted += try_layouts(&a, &why);
  }
  if (!accepted) printf("line %d: left to the reference: %s\n  %s\n", line_number, line_text, why.text);
  unaccepted += !accepted;
  a.target->stream_release(a.stream);
}

static void run_case(problem_case *c) {
  static const char *const levels[] = {"portable", "avx2", "avx512"};
  const pn_target *target = pn_target_find(PN_STR("cpu"));
  pn_isa_set done = UINT32_MAX;
  for (uint32_t l = 0; l < PN_COUNT(levels); l++) {
    pn_isa_set isa;
    if (!pn_cpu_isa_parse(pn_str_from(levels[l]), &isa) || isa == done) continue;
    done = isa;
    for (uint32_t threads = 1; threads <= 2; threads++) {
      static pelton_diag diag;
      const pn_tactic *const *tactics;
      attempt a = {.c = c, .target = target};
      pn_device_options options = {.threads = threads, .isa_lowered = true, .isa = isa};
      pn_reason why = {"no tactic knows the operator"};
      uint32_t accepted = 0;
      pelton_diag_init(&diag);
      if (target->device_open(&options, &a.device, &diag) || target->stream_create(a.device, &a.stream, &diag))
        exit(70);
      uint32_t count = target->tactics(a.device, &tactics);
      for (uint32_t i = 0; i < count; i++) {
        a.tactic = tactics[i];
        if (a.tactic->is_reference) continue;
        accepted += try_layouts(&a, &why);
      }
      if (!accepted != c->reference_only)
        complain(accepted ? "a tactic accepts it after all" : "no tactic accepts it", why.text);
      target->stream_release(a.stream);
      target->device_close(a.device);
    }
  }
}

int main(int argc, char **argv) {
  static char line[4096];
  const char *seed = getenv("PELTON_SEED"), *other = getenv("PELTON_CASES_TARGET");
  FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
  if (!file) {
    fprintf(stderr, "usage: run_cases FILE [TEXT]: runs the lines of FILE that hold TEXT\n");
    return 2;
  }
  uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
  uint32_t cases = 0;
  while (fgets(line, sizeof line, file)) {
    static problem_case c;
    static pelton_diag diag;
    line_number++;
    line[strcspn(line, "\r\n")] = 0;
    if (!line[0] || line[0] == '#' || (argc > 2 && !strstr(line, argv[2]))) continue;
    cases++;
    line_text = line;
    random_state = first * 1000003u + (uint64_t)line_number;
    memset(&c, 0, sizeof c);
    pn_arena_init(&c.arena, NULL);
    pelton_diag_init(&diag);
    if (!read_case(&c, line, &diag))
      complain_diag("not a problem", &diag);
    else if (other)
      run_case_on(&c, other);
    else
      run_case(&c);
    pn_arena_deinit(&c.arena);
  }
  (void)fclose(file);
  if (unaccepted) printf("%u left to the reference\n", unaccepted);
  printf("%u problems, %u runs of tactics, %u failures (seed %llu: PELTON_SEED)\n", cases, checked, failures,
         (unsigned long long)first);
  return failures || !cases ? 1 : 0;
}
