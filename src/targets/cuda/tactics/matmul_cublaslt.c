/* Matrix products by cuBLASLt, in strict f32 (TF32 where it was asked for) or 16 bits with f32 sums, with what it can
   append: bias along the columns, a residual, relu. Its heuristic's first choices are the configs. */
#include "targets/cuda/product.h"
#include "targets/cuda/sum.h"

#include <math.h>
#include <string.h>

enum { CHOICES = 4, WORKSPACE_BYTES = 32 << 20, ALIGNMENT = 16 };
enum { /* of cublasLt.h, cublas_api.h and library_types.h */
       COMPUTE_32F = 68,
       COMPUTE_32F_PEDANTIC = 69,
       COMPUTE_32F_FAST_TF32 = 77,
       R_32F = 0,
       R_16F = 2,
       R_16BF = 14,
       DESC_TRANSA = 3,
       DESC_TRANSB = 4,
       DESC_EPILOGUE = 7,
       DESC_BIAS_POINTER = 8,
       DESC_BIAS_TYPE = 26,
       EPILOGUE_DEFAULT = 1,
       EPILOGUE_RELU = 2,
       EPILOGUE_BIAS = 4,
       LAYOUT_BATCH_COUNT = 5,
       LAYOUT_BATCH_STRIDE = 6,
       PREFERENCE_WORKSPACE = 1,
       PREFERENCE_REDUCTIONS = 3, /* of sums that are split: a bit each */
       PREFERENCE_ALIGNMENTS = 5 /* to 8: of a, b, c, d */,
       REDUCTION_COMPUTE_TYPE = 2, /* parts of a sum stay in f32 until they are added; else some are rounded to 16 bits */
       OPERATION_N = 0,
       OPERATION_T = 1
};

typedef struct state {
  const pn_device *device;
  pn_lt_matmul *desc;
  pn_lt_layout *a, *b, *d;          /* theirs, by columns: a is our b */
  pn_lt_algorithm algorithm, loose; /* the second for operands that are aligned to their elements only */
  bool has_loose;
  pn_cuda_sum sum;
} state;

static int type_of(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F32 ? R_32F : dtype == PELTON_DTYPE_F16 ? R_16F : R_16BF;
}

static bool find(const pn_problem *p, pn_cuda_product *product, pn_cuda_sum *sum, pn_reason *why) {
  if (!pn_cuda_product_accepts(p, product, why)) return false;
  const pn_operand *y = pn_problem_output(p, p->node_count - 1, 0);
  if (y->dtype != pn_problem_input(p, 0, 0)->dtype) return pn_refuse(why, "the result is of another type");
  if (product->batch_axes > 1) return pn_refuse(why, "batches broadcast against each other");
  if (!product->k) return pn_refuse(why, "nothing to sum");
  if (!pn_cuda_sum_find(p, pn_cuda_product_epilogue_strides, sum))
    return pn_refuse(why, "the expression is more than bias, residual and relu");
  if (sum->upper < (double)INFINITY) return pn_refuse(why, "the relu is cut above");
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_cuda_product product;
  pn_cuda_sum sum;
  if (p->nodes[0].op != PN_OP_MATMUL) return false;
  if (!device->lt) return pn_refuse(why, "%s", device->lt_why);
  return find(p, &product, &sum, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  (void)p;
  (void)device;
  for (uint32_t i = 0; i < CHOICES && i < max; i++) out[i] = (pn_config){{(int32_t)i}};
  return CHOICES < max ? CHOICES : max;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cuda_product product;
  pn_cuda_sum sum;
  if (!find(p, &product, &sum, NULL)) return 1;
  double work = (double)product.m * (double)product.n * (double)product.k * (double)product.batches;
  bool full = pn_problem_input(p, 0, 0)->dtype == PELTON_DTYPE_F32;
  double tensor = 0.6 * device->half_fma_per_second / device->fma_per_second;
  double rate = !full ? tensor : device->tf32 ? tensor / 2 : 0.7;
  return pn_cuda_estimate(device, work, pn_cuda_operand_bytes(p), rate) * (1 + 0.02 * config->value[0]) + 1e-6;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = WORKSPACE_BYTES + PN_CUDA_WORKSPACE_ALIGN;
}

static void release_state(void *memory) {
  state *s = memory;
  if (!s->device) return;
  const pn_cuda_api *api = &s->device->api;
  if (s->desc) (void)api->cublasLtMatmulDescDestroy(s->desc);
  if (s->a) (void)api->cublasLtMatrixLayoutDestroy(s->a);
  if (s->b) (void)api->cublasLtMatrixLayoutDestroy(s->b);
  if (s->d) (void)api->cublasLtMatrixLayoutDestroy(s->d);
}

/* |rows| x |columns| by columns, |batches| of them |stride| apart. */
static int make_layout(const pn_cuda_api *api, pn_lt_layout **out, int type, int64_t rows, int64_t columns,
                       int64_t batches, int64_t stride) {
  int32_t count = (int32_t)batches;
  int error = api->cublasLtMatrixLayoutCreate(out, type, (uint64_t)rows, (uint64_t)columns, rows);
  if (!error && batches > 1)
    error = api->cublasLtMatrixLayoutSetAttribute(*out, LAYOUT_BATCH_COUNT, &count, sizeof count);
  if (!error && batches > 1)
    error = api->cublasLtMatrixLayoutSetAttribute(*out, LAYOUT_BATCH_STRIDE, &stride, sizeof stride);
  return error;
}

static int describe(const pn_problem *p, const pn_cuda_product *product, state *s) {
  const pn_cuda_api *api = &s->device->api;
  pelton_dtype dtype = pn_problem_input(p, 0, 0)->dtype;
  int exact = s->device->tf32 ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F_PEDANTIC;
  int type = type_of(dtype), compute = dtype == PELTON_DTYPE_F32 ? exact : COMPUTE_32F;
  bool a_turned = product->a_column != 1, b_turned = product->b_column != 1; /* stored the other way round */
  if (product->k == 1) a_turned = product->a_row != 1;
  if (product->n == 1 && product->b_row == 1) b_turned = true;
  int32_t op_a = b_turned ? OPERATION_T : OPERATION_N, op_b = a_turned ? OPERATION_T : OPERATION_N;
  int32_t epilogue = (s->sum.relu ? EPILOGUE_RELU : 0) | (s->sum.bias != PN_NO_OPERAND ? EPILOGUE_BIAS : 0);
  if (!epilogue) epilogue = EPILOGUE_DEFAULT;
  int64_t m = product->m, n = product->n, k = product->k, batches = product->batches;
  int64_t a_step = product->batch_axes ? product->a_batch[0] : 0,
          b_step = product->batch_axes ? product->b_batch[0] : 0;
  int error = api->cublasLtMatmulDescCreate(&s->desc, compute, R_32F);
  if (!error) error = api->cublasLtMatmulDescSetAttribute(s->desc, DESC_TRANSA, &op_a, sizeof op_a);
  if (!error) error = api->cublasLtMatmulDescSetAttribute(s->desc, DESC_TRANSB, &op_b, sizeof op_b);
  if (!error) error = api->cublasLtMatmulDescSetAttribute(s->desc, DESC_EPILOGUE, &epilogue, sizeof epilogue);
  if (!error) error = make_layout(api, &s->a, type, b_turned ? k : n, b_turned ? n : k, batches, b_step);
  if (!error) error = make_layout(api, &s->b, type, a_turned ? m : k, a_turned ? k : m, batches, a_step);
  if (!error) error = make_layout(api, &s->d, type, n, m, batches, m * n);
  return error;
}

/* The |which|-th of the heuristic's algorithms for operands at |alignment|, or the last that there is; false: none. */
static bool choose(const state *s, uint32_t which, uint32_t alignment, pn_lt_algorithm *out) {
  const pn_cuda_api *api = &s->device->api;
  const uint32_t reductions = REDUCTION_COMPUTE_TYPE;
  pn_lt_preference *preference = NULL;
  pn_lt_heuristic results[CHOICES];
  size_t room = WORKSPACE_BYTES;
  int found = 0;
  memset(results, 0, sizeof results);
  int error = api->cublasLtMatmulPreferenceCreate(&preference);
  if (!error) error = api->cublasLtMatmulPreferenceSetAttribute(preference, PREFERENCE_WORKSPACE, &room, sizeof room);
  if (!error)
    error = api->cublasLtMatmulPreferenceSetAttribute(preference, PREFERENCE_REDUCTIONS, &reductions, sizeof reductions);
  for (int i = 0; i < 4 && !error; i++)
    error =
        api->cublasLtMatmulPreferenceSetAttribute(preference, PREFERENCE_ALIGNMENTS + i, &alignment, sizeof alignment);
  if (!error)
    error = api->cublasLtMatmulAlgoGetHeuristic(s->device->lt, s->desc, s->a, s->b, s->d, s->d, preference, CHOICES,
                                                results, &found);
  if (preference) (void)api->cublasLtMatmulPreferenceDestroy(preference);
  if (error || found < 1) return false;
  uint32_t k = which < (uint32_t)found ? which : (uint32_t)found - 1;
  *out = results[k].algorithm;
  return results[k].state == 0;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  pn_cuda_product product;
  state *s = memory;
  s->device = device;
  if (!find(p, &product, &s->sum, NULL)) return PN_INTERNAL(diag, "a product changed after it was accepted");
  PN_TRY(pn_cuda_enter(device, diag));
  int error = describe(p, &product, s);
  bool found = !error && choose(s, (uint32_t)config->value[0], ALIGNMENT, &s->algorithm);
  if (found) {
    s->has_loose = choose(s, 0, (uint32_t)pelton_dtype_bytes(pn_problem_input(p, 0, 0)->dtype), &s->loose);
    return PELTON_OK;
  }
  release_state(s);
  return pn_fail(diag, PELTON_DEVICE_ERROR, "cuBLASLt has no algorithm for a product of %lld x %lld x %lld (error %d)",
                 (long long)product.m, (long long)product.n, (long long)product.k, error);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  const pn_cuda_api *api = &s->device->api;
  const float one = 1, beta = s->sum.residual != PN_NO_OPERAND ? 1 : 0;
  void *y = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  const void *c = s->sum.residual != PN_NO_OPERAND ? step->operands[s->sum.residual] : y;
  const void *a = step->operands[p->nodes[0].inputs[0]], *b = step->operands[p->nodes[0].inputs[1]];
  bool aligned = !(((uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)y) % ALIGNMENT);
  pn_lt_matmul *desc = s->desc;
  if (!aligned && !s->has_loose)
    return pn_fail(diag, PELTON_DEVICE_ERROR, "cuBLASLt has no algorithm for operands at these addresses");
  PN_TRY(pn_cuda_enter(s->device, diag));
  int error = 0;
  if (s->sum.bias !=
      PN_NO_OPERAND) { /* a description holds the pointer: two contexts must not share it while they run */
    const void *bias = step->operands[s->sum.bias];
    (void)pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&s->device->lock);
    error = api->cublasLtMatmulDescSetAttribute(desc, DESC_BIAS_POINTER, &bias, sizeof bias);
  }
  if (!error)
    error = api->cublasLtMatmul(s->device->lt, desc, &one, b, s->a, a, s->b, &beta, c, s->d, y, s->d,
                                aligned ? &s->algorithm : &s->loose, pn_cuda_workspace(step), WORKSPACE_BYTES,
                                stream->stream);
  if (s->sum.bias != PN_NO_OPERAND) (void)pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&s->device->lock);
  return error ? pn_fail(diag, PELTON_DEVICE_ERROR, "cuBLASLt fails with error %d", error) : PELTON_OK;
}

const pn_tactic pn_tactic_cuda_matmul_cublaslt = {
    .name = "cuda.matmul_cublaslt",
    .version = 2,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .error = pn_cuda_product_error,
    .sizes = sizes,
    .prepare = prepare,
    .release_state = release_state,
    .run = run,
    .library = true,
};
