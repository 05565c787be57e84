/* Attention in 16 bits on Hopper's tensor cores (kernels/attention_wgmma.cu): heads whose elements lie together, in
   pieces of 16 bytes. */
#include "targets/cuda/attention.h"
#include "targets/cuda/ranking.h"

#include <math.h>
#include <string.h>

/* Keys of a tile at most: all scores of 64 queries with them are in a warpgroup's registers, two tiles of keys and
   values in shared memory. */
enum { MOST_KEYS = 208, MOST_KEYS_DEEP = 128, BOX = 64, ROW_BYTES = 128, MOST_ROUNDS = 4, SHARED_ALIGN = 1024 };
enum { MOST_SHARED = 232448, SHARED_OF_ALL = 233472, RESERVED = 1024 }; /* of a block, of all, and of each for itself */
enum { WARPGROUPS, ROUNDS };                                            /* what config values mean */

typedef struct map {
  uint64_t dims[4], strides[3]; /* element, row, head, batch; strides in bytes */
  uint32_t rows;                /* of a box */
} map;

typedef struct state {
  pn_cuda_attention form;
  uint32_t warpgroups, rounds, keys, stages, resident, shared_bytes, grid;
  bool single, plain;
  map q, k, v;
  struct attention_wgmma_arguments arguments;
  pn_cu_function *function;
} state;

static uint32_t sixteens(int64_t n) { return (uint32_t)pn_div_up(n, 16) * 16; }
static uint32_t boxes_of(int64_t depth) { return (uint32_t)pn_div_up(depth, BOX); }

static bool describe(const pn_problem *p, const pn_device *device, pn_cuda_attention *f, pn_reason *why) {
  if (!pn_cuda_attention_accepts(p, f, why)) return false;
  if (device->capability != 90 || device->lowered) return pn_refuse(why, "the device has no warpgroup products");
  return f->aligned || pn_refuse(why, "extents and strides that are no multiples of 8 elements");
}

static uint32_t tiles_of(const pn_cuda_attention *f) {
  const bool deep = f->depth > BOX || f->value_depth > BOX;
  return (uint32_t)pn_div_up(f->arguments.keys, deep ? MOST_KEYS_DEEP : MOST_KEYS);
}
static uint32_t keys_of(const pn_cuda_attention *f) { return sixteens(pn_div_up(f->arguments.keys, tiles_of(f))); }

/* Whether scores are products times a scale, and every query sees every key. */
static bool is_plain(const pn_cuda_attention *f) {
  const struct attention_tensor_arguments *a = &f->arguments;
  return f->mask == PN_NO_OPERAND && !f->expression && !f->capped && a->scale > 0 && (uint32_t)a->right >= a->keys &&
         (uint32_t)a->left >= a->queries;
}

/* What a config makes of it. */
static void choose(const pn_cuda_attention *f, const pn_config *config, state *s) {
  const uint32_t tiles = tiles_of(f);
  s->single = tiles == 1;
  s->plain = is_plain(f);
  s->keys = keys_of(f);
  s->warpgroups = config->value[WARPGROUPS] == 2 ? 2 : 1;
  s->rounds = s->single && config->value[ROUNDS] > 0 ? (uint32_t)config->value[ROUNDS] : 1;
  s->stages = s->single ? 1 : 2;
  const uint32_t q = (s->rounds > 1 ? 2 : 1) * s->warpgroups * boxes_of(f->depth) * BOX * ROW_BYTES;
  s->shared_bytes =
      q + s->stages * (boxes_of(f->depth) + boxes_of(f->value_depth)) * s->keys * ROW_BYTES + SHARED_ALIGN;
  /* A thread's registers: its scores and results, and what is around them. */
  const uint32_t registers = s->keys / 2 + sixteens(f->value_depth) / 2 + (s->single && s->plain ? 25 : 60);
  s->resident = (registers <= 128 ? 4 : registers <= 168 ? 3 : 2) / s->warpgroups;
  while (s->resident > 1 && s->resident * (s->shared_bytes + RESERVED) > SHARED_OF_ALL) s->resident--;
  if (!s->resident) s->resident = 1;
  s->grid = (uint32_t)pn_div_up(f->arguments.queries, (int64_t)BOX * s->warpgroups * s->rounds);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_cuda_attention f;
  return describe(p, device, &f, why);
}

/* A warpgroup's tile of keys: products at the tensor cores' rate, and some twelve instructions a score, of which the
   exponential is at a quarter of the rate; warpgroups of one multiprocessor hide half of each other's. */
static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cuda_attention f;
  state s;
  if (!describe(p, device, &f, NULL)) return 1;
  choose(&f, config, &s);
  double units = device->multiprocessors, clock = device->fma_per_second / units / 128;
  double tiles = tiles_of(&f) * (f.arguments.right == 0 ? 0.55 : 1);
  double scores = s.keys * (s.plain ? 8.0 : f.expression ? 30 : 20);
  double multiply = s.keys * (sixteens(f.depth) + sixteens(f.value_depth)) / 32;
  double blocks = (double)s.grid * f.heads * f.batches, at_once = units * s.resident;
  double each = s.rounds * s.warpgroups * tiles, alone = s.rounds * tiles * (scores + multiply) + 3000;
  double together = ceil(blocks / units) * (each * fmax(scores * 0.6, multiply) + 800);
  double cycles = fmax(together, ceil(blocks / at_once) * alone);
  double memory = pn_cuda_operand_bytes(p) / (0.7 * device->bytes_per_second);
  return 1.5e-6 + fmax(cycles / clock, memory);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  pn_ranking ranking = {0};
  pn_cuda_attention f;
  if (!describe(p, device, &f, NULL)) return 0;
  const int64_t tiles = pn_div_up(f.arguments.queries, BOX);
  for (int32_t warpgroups = 1; warpgroups <= 2; warpgroups++)
    for (int32_t rounds = 1; rounds <= MOST_ROUNDS; rounds++) {
      const pn_config one = {{warpgroups, rounds}};
      if (rounds > 1 && (tiles_of(&f) > 1 || warpgroups > 1)) continue;
      if (rounds * warpgroups > tiles || (rounds > 2 && rounds < tiles && rounds < MOST_ROUNDS)) continue;
      pn_ranking_add(&ranking, one, estimate(p, device, &one));
    }
  return pn_ranking_take(&ranking, out, max);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

/* ---- prepare ----------------------------------------------------------------------------------------------------- */

/* What lies at |strides| of batch, head and row; one that does not move has one place. */
static void describe_map(const pn_cuda_attention *f, const int *strides, int64_t depth, uint32_t rows, uint32_t heads,
                         uint32_t box_rows, map *out, unsigned *moves) {
  const int head = strides[OF_HEAD], batch = strides[OF_BATCH];
  moves[0] = batch != 0;
  moves[1] = head != 0;
  *out = (map){.dims = {(uint64_t)depth, rows, head ? heads : 1, batch ? f->batches : 1},
               .strides = {2 * (uint64_t)strides[OF_ROW], 2 * (uint64_t)(head ? head : strides[OF_ROW]),
                           2 * (uint64_t)(batch ? batch : strides[OF_ROW])},
               .rows = box_rows};
}

/* multiply_NAME(): a product of 64 rows and |columns|. Its left side is in shared memory, or four registers a thread;
   its right side lies along the sums, or |turned| along the columns. */
static void render_multiply(const char *name, const char *type, unsigned columns, bool turned, pn_text *out) {
  const unsigned sums = columns / 2, lefts = turned ? 4 : 1, right = sums + lefts;
  pn_text_printf(out,
                 "DEVICE void multiply_%s(f32 (&sum)[%u], %s a, u32 b, u32 adds) {\n  asm volatile(\"{\\n.reg .pred "
                 "more;\\n.reg .b64 left, right;\\nsetp.ne.u32 more, %%%u, 0;\\n\"\n",
                 name, sums, turned ? "const u32 *" : "u32", right + 1);
  if (!turned) pn_text_printf(out, "               \"mov.b64 left, {%%%u, \" DESCRIPTOR_HIGH \"};\\n\"\n", sums);
  pn_text_printf(out,
                 "               \"mov.b64 right, {%%%u, \" DESCRIPTOR_HIGH \"};\\n"
                 "wgmma.mma_async.sync.aligned.m64n%uk16.f32.%s.%s {",
                 right, columns, type, type);
  for (unsigned i = 0; i < sums; i++) pn_text_printf(out, "%s%%%u", i ? ", " : "", i);
  if (turned)
    pn_text_printf(out, "}, {%%%u, %%%u, %%%u, %%%u}, right, more, 1, 1, 1;\\n}\"\n      : ", sums, sums + 1, sums + 2,
                   sums + 3);
  else
    pn_text_printf(out, "}, left, right, more, 1, 1, 0, 0;\\n}\"\n      : ");
  for (unsigned i = 0; i < sums; i++) pn_text_printf(out, "%s\"+f\"(sum[%u])", i ? ", " : "", i);
  pn_text_printf(out, "\n      : %s, \"r\"(b), \"r\"(adds));\n}\n",
                 turned ? "\"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3])" : "\"r\"(a)");
}

static void render_head(const pn_problem *p, const state *s, pn_text *out) {
  const pn_cuda_attention *f = &s->form;
  const char *type = pn_cuda_type_name(p->operands[f->q].dtype);
  pn_text_printf(out, "#define X %s\n#include \"wgmma.cuh\"\n", type);
  pn_cuda_attention_render(p, f, out);
  pn_text_printf(out,
                 "#define KEYS %u\n#define WARPGROUPS %u\n#define RESIDENT %u\n#define SINGLE %d\n#define ROUNDS %u\n"
                 "#define PLAIN %d\n#if TENSOR_CORES\n",
                 s->keys, s->warpgroups, s->resident, (int)s->single, s->rounds, (int)s->plain);
  render_multiply("scores", type, s->keys, false, out);
  render_multiply("values", type, sixteens(f->value_depth), true, out);
  pn_text_printf(out, "#endif\n");
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_cuda_attention *f = &s->form;
  memset(s, 0, sizeof *s);
  if (!describe(p, device, f, NULL)) return PN_INTERNAL(diag, "an attention changed after it was accepted");
  choose(f, config, s);
  const struct attention_tensor_arguments *a = &f->arguments;
  const uint32_t kv_heads = f->heads / a->share;
  describe_map(f, a->q_strides, f->depth, a->queries, f->heads, BOX, &s->q, s->arguments.q_moves);
  describe_map(f, a->k_strides, f->depth, a->keys, kv_heads, s->keys, &s->k, s->arguments.k_moves);
  describe_map(f, a->v_strides, f->value_depth, a->keys, kv_heads, s->keys, &s->v, s->arguments.v_moves);
  pn_text head;
  pn_text_init(&head, device->allocator);
  render_head(p, s, &head);
  pn_cuda_source source = {head.data, "attention_wgmma.cu", "attention_wgmma", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  if (status) return status;
  return pn_cuda_allow_shared(device, s->function, s->shared_bytes, diag);
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

static int encode(const pn_cuda_api *api, int type, const map *m, const void *address, struct tensor_map *out) {
  const uint32_t ones[4] = {1, 1, 1, 1}, box[4] = {BOX, m->rows, 1, 1};
  void *there = (void *)(uintptr_t)address; /* the driver only keeps it */
  return api->cuTensorMapEncodeTiled(out, type, 4, there, m->dims, m->strides, box, ones, 0, PN_CU_SWIZZLE_128_BYTES,
                                     PN_CU_PROMOTION_256_BYTES, 0);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_cuda_attention *f = &s->form;
  const pn_cuda_api *api = &stream->device->api;
  const int type = step->problem->operands[f->q].dtype == PELTON_DTYPE_F16 ? PN_CU_TYPE_F16 : PN_CU_TYPE_BF16;
  struct attention_wgmma_arguments arguments = s->arguments;
  arguments.of = pn_cuda_attention_bind(f, step);
  const struct attention_tensor_arguments *a = &arguments.of;
  if (!pn_cuda_aligned(a->q) || !pn_cuda_aligned(a->k) || !pn_cuda_aligned(a->v) || !pn_cuda_aligned(a->target))
    return pn_fail(diag, PELTON_DEVICE_ERROR,
                   "an operand of attention is not aligned to 16 bytes: give memory that is");
  PN_TRY(pn_cuda_enter(stream->device, diag));
  int error = encode(api, type, &s->q, a->q, &arguments.q);
  if (!error) error = encode(api, type, &s->k, a->k, &arguments.k);
  if (!error) error = encode(api, type, &s->v, a->v, &arguments.v);
  PN_TRY(pn_cuda_check(stream->device, error, "describing an operand", diag));
  const uint32_t grid[3] = {s->grid, f->heads, f->batches};
  return pn_cuda_launch_shared(stream, s->function, grid, s->warpgroups * 128, s->shared_bytes, &arguments, diag);
}

const pn_tactic pn_tactic_cuda_attention_wgmma = {
    .name = "cuda.attention_wgmma",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
