#include "targets/cuda/convolution.h"

#include "target/strides.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { /* of cudnn_graph.h */
       TYPE_HANDLE = 0,
       TYPE_DATA_TYPE = 1,
       TYPE_BOOLEAN = 2,
       TYPE_INT64 = 3,
       TYPE_FLOAT = 4,
       TYPE_DOUBLE = 5,
       TYPE_CONVOLUTION_MODE = 7,
       TYPE_HEUR_MODE = 8,
       TYPE_NUMERICAL_NOTE = 11,
       TYPE_POINTWISE_MODE = 14,
       TYPE_DESCRIPTOR = 15,
       POINTWISE = 0,
       CONVOLUTION = 1,
       ENGINE = 2,
       ENGINE_CONFIG = 3,
       HEURISTIC = 4,
       EXECUTION_PLAN = 5,
       OPERATION_CONVOLUTION = 10,
       OPERATION_POINTWISE = 13,
       OPERATION_GRAPH = 15,
       TENSOR = 17,
       POINTWISE_MODE = 0,
       POINTWISE_PRECISION = 1,
       POINTWISE_RELU_LOWER = 3,
       POINTWISE_RELU_UPPER = 4,
       CONVOLUTION_TYPE = 100,
       CONVOLUTION_MODE = 101,
       CONVOLUTION_DILATIONS = 102,
       CONVOLUTION_STRIDES = 103,
       CONVOLUTION_POST_PADS = 104,
       CONVOLUTION_PRE_PADS = 105,
       CONVOLUTION_SPATIAL = 106,
       HEURISTIC_MODE = 200,
       HEURISTIC_GRAPH = 201,
       HEURISTIC_RESULTS = 202,
       CONFIG_ENGINE = 300,
       PLAN_HANDLE = 400,
       PLAN_CONFIG = 401,
       PLAN_WORKSPACE = 402,
       FORWARD_ALPHA = 700,
       FORWARD_BETA = 701,
       FORWARD_CONVOLUTION = 702,
       FORWARD_W = 703,
       FORWARD_X = 704,
       FORWARD_Y = 705,
       OPERATION_POINTWISE_DESC = 750,
       OPERATION_POINTWISE_X = 751,
       OPERATION_POINTWISE_B = 752,
       OPERATION_POINTWISE_Y = 753,
       GRAPH_HANDLE = 800,
       GRAPH_OPERATIONS = 801,
       TENSOR_ALIGNMENT = 900,
       TENSOR_TYPE = 901,
       TENSOR_DIMS = 902,
       TENSOR_STRIDES = 903,
       TENSOR_ID = 906,
       TENSOR_VIRTUAL = 907,
       ENGINE_NOTES = 1303,
       MODE_ADD = 0,
       MODE_RELU = 100,
       MODE_A = 3,
       MODE_FALLBACK = 2,
       DATA_FLOAT = 0,
       DATA_HALF = 2,
       DATA_BFLOAT16 = 9,
       NOTE_TENSOR_CORE = 0,
       NOTE_DOWN_CONVERT = 1,
       NOTE_REDUCED_REDUCTION = 2
};
enum { MOST_DESCRIPTORS = 96, MOST_CONFIGS = 24, MOST_OPERATIONS = 4, MOST_WORKSPACE = 256 << 20, ALIGNMENT = 16 };

struct pn_dnn_kept {
  struct pn_dnn_kept *next;
  uint32_t count;
  pn_dnn_descriptor *all[MOST_DESCRIPTORS];
};

/* One question to cuDNN. A plan refers to its configuration and graph, so these are kept beside it. */
typedef struct asking {
  const pn_cuda_api *api;
  pn_dnn_handle *handle;
  const pn_problem *problem;
  const pn_window *windows;
  int type;
  bool tf32, failed;
  struct pn_dnn_kept *kept;
  pn_dnn_descriptor *operations[MOST_OPERATIONS];
  uint32_t operation_count;
  int64_t next_id;
} asking;

static pn_dnn_descriptor *create(asking *a, int type) {
  pn_dnn_descriptor *d = NULL;
  if (a->failed || a->kept->count == MOST_DESCRIPTORS || a->api->cudnnBackendCreateDescriptor(type, &d))
    a->failed = true;
  if (d) a->kept->all[a->kept->count++] = d;
  return d;
}
static void set(asking *a, pn_dnn_descriptor *d, int name, int type, int64_t count, const void *values) {
  if (!a->failed && a->api->cudnnBackendSetAttribute(d, name, type, count, values)) a->failed = true;
}
static void finalize(asking *a, pn_dnn_descriptor *d) {
  if (!a->failed && a->api->cudnnBackendFinalize(d)) a->failed = true;
}

/* ---- tensors -------------------------------------------------------------------------------------------------------
 */

/* At least two spatial axes: cuDNN knows no rank 3. */
static pn_dnn_descriptor *tensor_of(asking *a, int64_t id, int type, uint32_t rank, const int64_t *dims,
                                    const int64_t *strides, bool between) {
  int64_t d[PN_MAX_RANK], s[PN_MAX_RANK], alignment = ALIGNMENT;
  uint32_t wide = rank == 3 ? 4 : rank;
  for (uint32_t i = 0; i < wide; i++) {
    bool added = rank == 3 && i == 2;
    uint32_t from = rank == 3 && i > 2 ? i - 1 : i;
    d[i] = added ? 1 : dims[from];
    s[i] = added ? dims[2] * strides[2] : strides[from];
  }
  pn_dnn_descriptor *t = create(a, TENSOR);
  set(a, t, TENSOR_TYPE, TYPE_DATA_TYPE, 1, &type);
  set(a, t, TENSOR_DIMS, TYPE_INT64, wide, d);
  set(a, t, TENSOR_STRIDES, TYPE_INT64, wide, s);
  set(a, t, TENSOR_ID, TYPE_INT64, 1, &id);
  set(a, t, TENSOR_ALIGNMENT, TYPE_INT64, 1, &alignment);
  if (between) set(a, t, TENSOR_VIRTUAL, TYPE_BOOLEAN, 1, &between);
  finalize(a, t);
  return t;
}

static pn_dnn_descriptor *operand_tensor(asking *a, int64_t id, const pn_operand *o, pn_layout layout) {
  pn_operand as = *o;
  int64_t strides[PN_MAX_RANK];
  as.layout = layout;
  pn_operand_axis_strides(&as, strides);
  return tensor_of(a, id, a->type, o->rank, o->dims, strides, false);
}

/* The result before the next operation: in f32, in registers. */
static pn_dnn_descriptor *between(asking *a) {
  const pn_operand *y = pn_problem_output(a->problem, 0, 0);
  pn_operand as = *y;
  int64_t strides[PN_MAX_RANK];
  as.layout = pn_problem_output(a->problem, a->problem->node_count - 1, 0)->layout;
  pn_operand_axis_strides(&as, strides);
  return tensor_of(a, a->next_id++, DATA_FLOAT, y->rank, y->dims, strides, true);
}

static pn_dnn_descriptor *result(asking *a) {
  const pn_operand *y = pn_problem_output(a->problem, a->problem->node_count - 1, 0);
  return operand_tensor(a, PN_DNN_Y, y, y->layout);
}

static pn_dnn_descriptor *bias_tensor(asking *a) {
  const pn_operand *y = pn_problem_output(a->problem, 0, 0);
  int64_t dims[PN_MAX_RANK], strides[PN_MAX_RANK];
  for (uint32_t i = 0; i < y->rank; i++) dims[i] = strides[i] = 1;
  dims[1] = strides[0] = y->dims[1];
  return tensor_of(a, PN_DNN_BIAS, a->type, y->rank, dims, strides, false);
}

/* ---- operations -----------------------------------------------------------------------------------------------------
 */

static void add_operation(asking *a, pn_dnn_descriptor *operation) {
  if (a->operation_count == MOST_OPERATIONS) a->failed = true;
  if (!a->failed) a->operations[a->operation_count++] = operation;
}

static void convolve(asking *a, pn_dnn_descriptor *y) {
  const pn_operand *x = pn_problem_input(a->problem, 0, 0), *w = pn_problem_input(a->problem, 0, 1);
  int64_t strides[WINDOW_AXES], dilations[WINDOW_AXES], before[WINDOW_AXES], after[WINDOW_AXES], axes = 0;
  int compute = DATA_FLOAT, mode = 1;
  const float one = 1, zero = 0;
  if (x->rank == 3) {
    strides[0] = dilations[0] = 1;
    before[0] = after[0] = 0;
    axes = 1;
  }
  for (uint32_t i = 0; i < x->rank - 2; i++, axes++) {
    strides[axes] = a->windows[i].stride;
    dilations[axes] = a->windows[i].dilation;
    before[axes] = a->windows[i].pad_begin;
    after[axes] = a->windows[i].pad_end;
  }
  pn_dnn_descriptor *c = create(a, CONVOLUTION);
  set(a, c, CONVOLUTION_TYPE, TYPE_DATA_TYPE, 1, &compute);
  set(a, c, CONVOLUTION_MODE, TYPE_CONVOLUTION_MODE, 1, &mode);
  set(a, c, CONVOLUTION_SPATIAL, TYPE_INT64, 1, &axes);
  set(a, c, CONVOLUTION_DILATIONS, TYPE_INT64, axes, dilations);
  set(a, c, CONVOLUTION_STRIDES, TYPE_INT64, axes, strides);
  set(a, c, CONVOLUTION_PRE_PADS, TYPE_INT64, axes, before);
  set(a, c, CONVOLUTION_POST_PADS, TYPE_INT64, axes, after);
  finalize(a, c);
  pn_dnn_descriptor *from = operand_tensor(a, PN_DNN_X, x, x->layout),
                    *filter = operand_tensor(a, PN_DNN_W, w, x->layout);
  pn_dnn_descriptor *o = create(a, OPERATION_CONVOLUTION);
  set(a, o, FORWARD_X, TYPE_DESCRIPTOR, 1, &from);
  set(a, o, FORWARD_W, TYPE_DESCRIPTOR, 1, &filter);
  set(a, o, FORWARD_Y, TYPE_DESCRIPTOR, 1, &y);
  set(a, o, FORWARD_CONVOLUTION, TYPE_DESCRIPTOR, 1, &c);
  set(a, o, FORWARD_ALPHA, TYPE_FLOAT, 1, &one);
  set(a, o, FORWARD_BETA, TYPE_FLOAT, 1, &zero);
  finalize(a, o);
  add_operation(a, o);
}

/* |b| null: of one operand. */
static void apply(asking *a, int mode, pn_dnn_descriptor *x, pn_dnn_descriptor *b, pn_dnn_descriptor *y, double upper) {
  int precision = DATA_FLOAT;
  const double lower = 0;
  pn_dnn_descriptor *p = create(a, POINTWISE);
  set(a, p, POINTWISE_MODE, TYPE_POINTWISE_MODE, 1, &mode);
  set(a, p, POINTWISE_PRECISION, TYPE_DATA_TYPE, 1, &precision);
  if (mode == MODE_RELU && upper < (double)INFINITY) {
    set(a, p, POINTWISE_RELU_LOWER, TYPE_DOUBLE, 1, &lower);
    set(a, p, POINTWISE_RELU_UPPER, TYPE_DOUBLE, 1, &upper);
  }
  finalize(a, p);
  pn_dnn_descriptor *o = create(a, OPERATION_POINTWISE);
  set(a, o, OPERATION_POINTWISE_DESC, TYPE_DESCRIPTOR, 1, &p);
  set(a, o, OPERATION_POINTWISE_X, TYPE_DESCRIPTOR, 1, &x);
  if (b) set(a, o, OPERATION_POINTWISE_B, TYPE_DESCRIPTOR, 1, &b);
  set(a, o, OPERATION_POINTWISE_Y, TYPE_DESCRIPTOR, 1, &y);
  finalize(a, o);
  add_operation(a, o);
}

/* Convolution, residual, bias, relu: the order of the patterns that cuDNN has kernels for. */
static void build_operations(asking *a, const pn_cuda_sum *sum, bool bias) {
  bool residual = sum && sum->residual != PN_NO_OPERAND, relu = sum && sum->relu;
  uint32_t left = (uint32_t)residual + (uint32_t)bias + (uint32_t)relu;
  pn_dnn_descriptor *at = left ? between(a) : result(a), *next;
  convolve(a, at);
  if (residual) {
    const pn_operand *r = &a->problem->operands[sum->residual];
    next = --left ? between(a) : result(a);
    apply(a, MODE_ADD, at, operand_tensor(a, PN_DNN_RESIDUAL, r, r->layout), next, 0);
    at = next;
  }
  if (bias) {
    next = --left ? between(a) : result(a);
    apply(a, MODE_ADD, at, bias_tensor(a), next, 0);
    at = next;
  }
  if (relu) apply(a, MODE_RELU, at, NULL, result(a), sum->upper);
}

/* ---- plans ----------------------------------------------------------------------------------------------------------
 */

/* f32 stays f32, if it is not to be TF32: no tensor cores with shortened inputs. */
static bool is_exact(asking *a, pn_dnn_descriptor *config) {
  pn_dnn_descriptor *engine = create(a, ENGINE);
  int notes[16];
  int64_t count = 0;
  if (a->failed || a->api->cudnnBackendGetAttribute(config, CONFIG_ENGINE, TYPE_DESCRIPTOR, 1, &count, &engine))
    return false;
  if (a->api->cudnnBackendGetAttribute(engine, ENGINE_NOTES, TYPE_NUMERICAL_NOTE, 16, &count, notes)) return false;
  for (int64_t i = 0; i < count && i < 16; i++) {
    if (notes[i] == NOTE_REDUCED_REDUCTION) return false;
    if (notes[i] == NOTE_DOWN_CONVERT && !(a->type == DATA_FLOAT && a->tf32)) return false;
    if (notes[i] == NOTE_TENSOR_CORE && a->type == DATA_FLOAT && !a->tf32) return false;
  }
  return true;
}

static bool make_plan(asking *a, pn_dnn_descriptor *config, pn_dnn_plan *out) {
  pn_dnn_descriptor *plan = NULL;
  int64_t workspace = 0, count = 0;
  if (a->api->cudnnBackendCreateDescriptor(EXECUTION_PLAN, &plan)) return false;
  bool ok = !a->api->cudnnBackendSetAttribute(plan, PLAN_HANDLE, TYPE_HANDLE, 1, &a->handle) &&
            !a->api->cudnnBackendSetAttribute(plan, PLAN_CONFIG, TYPE_DESCRIPTOR, 1, &config) &&
            !a->api->cudnnBackendFinalize(plan) &&
            !a->api->cudnnBackendGetAttribute(plan, PLAN_WORKSPACE, TYPE_INT64, 1, &count, &workspace) &&
            workspace >= 0 && workspace <= MOST_WORKSPACE;
  if (!ok) {
    (void)a->api->cudnnBackendDestroyDescriptor(plan);
    return false;
  }
  out->plan = plan;
  out->workspace_bytes = (size_t)workspace;
  return true;
}

static void ask_heuristic(asking *a, pn_dnn_descriptor *graph, int mode, bool fused, uint32_t most,
                          pn_dnn_convolution *out) {
  pn_dnn_descriptor *configs[MOST_CONFIGS];
  int64_t count = 0;
  pn_dnn_descriptor *heuristic = create(a, HEURISTIC);
  set(a, heuristic, HEURISTIC_GRAPH, TYPE_DESCRIPTOR, 1, &graph);
  set(a, heuristic, HEURISTIC_MODE, TYPE_HEUR_MODE, 1, &mode);
  finalize(a, heuristic);
  for (uint32_t i = 0; i < MOST_CONFIGS; i++) configs[i] = create(a, ENGINE_CONFIG);
  if (a->failed ||
      a->api->cudnnBackendGetAttribute(heuristic, HEURISTIC_RESULTS, TYPE_DESCRIPTOR, MOST_CONFIGS, &count, configs))
    return;
  for (int64_t i = 0; i < count && i < MOST_CONFIGS && out->plan_count < most; i++) {
    pn_dnn_plan *plan = &out->plans[out->plan_count];
    plan->fused = fused;
    if (is_exact(a, configs[i]) && make_plan(a, configs[i], plan)) out->plan_count++;
  }
}

static void release_kept(const pn_device *device, struct pn_dnn_kept *kept) {
  while (kept && kept->count) (void)device->api.cudnnBackendDestroyDescriptor(kept->all[--kept->count]);
  pn_release(device->allocator, kept);
}

static void ask(const pn_device *device, const pn_problem *p, const pn_window *windows, const pn_cuda_sum *sum,
                bool fused, int mode, uint32_t most, pn_dnn_convolution *out) {
  asking a = {.api = &device->api,
              .handle = device->dnn,
              .problem = p,
              .windows = windows,
              .tf32 = device->tf32,
              .next_id = PN_DNN_BETWEEN};
  uint32_t before = out->plan_count;
  a.kept = pn_alloc(device->allocator, sizeof *a.kept, _Alignof(struct pn_dnn_kept));
  if (!a.kept) return;
  pelton_dtype dtype = pn_problem_input(p, 0, 0)->dtype;
  a.type = dtype == PELTON_DTYPE_F32 ? DATA_FLOAT : dtype == PELTON_DTYPE_F16 ? DATA_HALF : DATA_BFLOAT16;
  bool bias = pn_problem_input(p, 0, 2) || (sum && sum->bias != PN_NO_OPERAND);
  build_operations(&a, fused ? sum : NULL, fused && bias);
  pn_dnn_descriptor *graph = create(&a, OPERATION_GRAPH);
  set(&a, graph, GRAPH_HANDLE, TYPE_HANDLE, 1, &a.handle);
  set(&a, graph, GRAPH_OPERATIONS, TYPE_DESCRIPTOR, a.operation_count, a.operations);
  finalize(&a, graph);
  if (!a.failed) ask_heuristic(&a, graph, mode, fused, most, out);
  if (out->plan_count == before) {
    release_kept(device, a.kept);
    return;
  }
  a.kept->next = out->kept;
  out->kept = a.kept;
}

/* A fused plan and one of the convolution alone in turn: cuDNN's order says nothing of which is better, and only the
   first few are timed. */
static void take_turns(pn_dnn_convolution *c, uint32_t fused) {
  pn_dnn_plan ordered[PN_DNN_PLANS];
  uint32_t a = 0, b = fused;
  for (uint32_t i = 0; i < c->plan_count; i++) {
    bool first = b == c->plan_count || (a < fused && i % 2 == 0);
    ordered[i] = c->plans[first ? a++ : b++];
  }
  memcpy(c->plans, ordered, sizeof *ordered * c->plan_count);
}

static void find_plans(const pn_device *device, const pn_problem *p, const pn_window *windows, const pn_cuda_sum *sum,
                       pn_dnn_convolution *out) {
  bool bias = pn_problem_input(p, 0, 2) != NULL;
  bool both = bias && sum && sum->bias != PN_NO_OPERAND; /* two biases: not one pattern */
  bool follows = p->node_count > 1 || bias;
  if (follows && sum && !both) {
    ask(device, p, windows, sum, true, MODE_A, 2, out);
    if (!out->plan_count) ask(device, p, windows, sum, true, MODE_FALLBACK, 1, out);
  }
  uint32_t fused = out->plan_count;
  ask(device, p, windows, sum, !follows, MODE_A, fused + 3, out);
  if (out->plan_count == fused) ask(device, p, windows, sum, !follows, MODE_FALLBACK, fused + 1, out);
  take_turns(out, fused);
}

const pn_dnn_convolution *pn_dnn_convolution_find(const pn_device *device, const pn_problem *p,
                                                  const pn_window *windows, const pn_cuda_sum *sum) {
  pn_device *own = (pn_device *)(uintptr_t)device; /* the list is the device's own, under its lock */
  pn_dnn_convolution *c = NULL;
  pn_text key;
  pn_text_init(&key, device->allocator);
  pn_problem_print(p, &key);
  if (key.failed) return NULL;
  (void)pthread_mutex_lock(&own->dnn_lock);
  for (c = own->convolutions; c && strcmp(c->key, key.data); c = c->next) {}
  if (!c && !pn_cuda_enter(device, NULL)) {
    c = pn_alloc(device->allocator, sizeof *c, _Alignof(pn_dnn_convolution));
    if (c) {
      c->key = key.data;
      key = (pn_text){.allocator = device->allocator};
      find_plans(device, p, windows, sum, c);
      c->next = own->convolutions;
      own->convolutions = c;
    }
  }
  (void)pthread_mutex_unlock(&own->dnn_lock);
  pn_text_deinit(&key);
  return c && c->plan_count ? c : NULL;
}

void pn_dnn_convolutions_release(pn_device *device) {
  while (device->convolutions) {
    pn_dnn_convolution *c = device->convolutions;
    device->convolutions = c->next;
    for (uint32_t i = 0; i < c->plan_count; i++) (void)device->api.cudnnBackendDestroyDescriptor(c->plans[i].plan);
    for (struct pn_dnn_kept *kept = c->kept, *next; kept; kept = next) {
      next = kept->next;
      release_kept(device, kept);
    }
    pn_release(device->allocator, c->key);
    pn_release(device->allocator, c);
  }
}
