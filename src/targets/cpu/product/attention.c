#include "targets/cpu/product/attention.h"

#include "base/bytes.h"
#include "targets/cpu/product/attention_bias.h"
#include "targets/cpu/product/gemm.h"

#include <math.h>

/* 128 rows and 256 keys keep the scores (128 KiB), both packed blocks and the rows' sums in a second cache of 512 KiB
   for depths up to 128. */
enum { ROW_BLOCK = 128, KEY_BLOCK = 256, STREAMED_ROWS = 8, STREAMED_KEYS = 256, LEAST_ROWS = 32 };

/* ---- plan -------------------------------------------------------------------------------------------------------- */

/* A pitch for rows of |n| floats whose multiples do not share a set of the first cache. */
static int64_t pitch_of(int64_t n) {
  int64_t pitch = pn_div_up(n, 16) * 16;
  return pitch % 256 ? pitch : pitch + 16;
}

void pn_attention_plan(const pn_device *device, pn_attention *a) {
  int64_t rows = a->queries * (a->q_heads / a->kv_heads), heads = a->batches * a->kv_heads;
  a->gemm = device->gemm;
  a->gemv = pn_cpu_gemv_f32_best(device->isa);
  a->dot = pn_cpu_dotconv_f32_best(device->isa);
  a->vec = device->vec;
  a->reduce = device->reduce;
  a->transpose = device->transpose;
  a->streamed = rows <= STREAMED_ROWS;
  a->row_blocks = pn_div_up(rows, ROW_BLOCK);
  int64_t wanted = device->threads > 1 ? 2 * (int64_t)device->threads : 1;
  if (heads * a->row_blocks < wanted && !a->streamed)
    a->row_blocks = pn_min_i64(pn_div_up(rows, LEAST_ROWS), pn_div_up(wanted, heads));
  a->row_block = pn_div_up(rows, a->row_blocks);
  a->row_blocks = pn_div_up(rows, a->row_block);
  a->score_width = *pn_cpu_gemm_f32_width_for(device->gemm, a->row_block, a->keys);
  a->value_width = *pn_cpu_gemm_f32_width_for(device->gemm, a->row_block, a->value_depth);
  int64_t unit = a->score_width.nr, most = a->streamed ? STREAMED_KEYS : KEY_BLOCK;
  int64_t blocks = pn_div_up(a->keys, most);
  a->key_block = pn_div_up(pn_div_up(a->keys, blocks), unit) * unit;
  a->q_pitch = pitch_of(a->depth);
  a->score_pitch = pitch_of(a->key_block);
  a->y_pitch = pitch_of(a->value_depth);
  int64_t value_columns = pn_div_up(a->value_depth, a->value_width.nr) * a->value_width.nr;
  a->k_floats = a->streamed ? (size_t)(PN_CPU_DOTCONV_OUTPUTS * a->key_block) : (size_t)(a->key_block * a->depth);
  a->v_floats = a->streamed ? 0 : (size_t)(a->key_block * value_columns);
  size_t floats = (size_t)(a->row_block * (a->q_pitch + a->score_pitch + a->y_pitch + 2)) +
                  pn_align_up(a->k_floats, 16) + pn_align_up(a->v_floats, 16) +
                  pn_attention_bias_floats(a->key_block);
  a->thread_bytes = pn_align_up(floats * sizeof(float) + 64, 64);
}

double pn_attention_estimate(const pn_device *device, const pn_attention *a, double bytes) {
  double seen = (double)a->keys / (a->causal ? 2 : 1);
  if (a->left_keys && (a->causal || a->right_keys)) /* and what whole blocks see besides */
    seen = fmin(seen, (double)a->left_keys + (double)a->right_keys + (double)a->row_block);
  double scores = (double)(a->batches * a->q_heads * a->queries) * seen;
  int64_t rows = a->queries * (a->q_heads / a->kv_heads);
  double efficiency = rows <= STREAMED_ROWS ? 0.3 : 0.85;
  return pn_cpu_estimate(device, scores * ((double)(a->depth + a->value_depth) + 16), bytes, efficiency);
}

/* ---- a task ------------------------------------------------------------------------------------------------------ */

typedef struct block {
  const pn_attention_call *call;
  int64_t batch, kv_head, group, first_row, rows; /* row: query * group + head in its group */
  float *q, *scores, *sums, *greatest, *total, *k, *v, *bias;
  int64_t key, keys; /* of the block at hand */
} block;

static void share_memory(block *b, char *memory) {
  const pn_attention *a = b->call->attention;
  float *at = (float *)(void *)memory;
  b->q = at;
  b->scores = b->q + a->row_block * a->q_pitch;
  b->sums = b->scores + a->row_block * a->score_pitch;
  b->k = b->sums + a->row_block * a->y_pitch;
  b->v = b->k + pn_align_up(a->k_floats, 16);
  b->bias = b->v + pn_align_up(a->v_floats, 16);
  b->greatest = b->bias + pn_attention_bias_floats(a->key_block);
  b->total = b->greatest + a->row_block;
}

/* Rows are read once and scaled on the way: that is cheaper than to scale the scores. */
static void load_queries(const block *b) {
  const pn_attention *a = b->call->attention;
  for (int64_t r = 0; r < b->rows; r++) {
    int64_t row = b->first_row + r, head = b->kv_head * b->group + row % b->group;
    const float *from = b->call->q + b->batch * a->q.batch + head * a->q.head + row / b->group * a->q.row;
    a->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)a->depth, from, &a->scale, b->q + r * a->q_pitch);
    b->greatest[r] = -INFINITY;
    b->total[r] = 0;
  }
}

/* Panels of k's transpose. */
static void pack_keys(const block *b, const float *k) {
  const pn_attention *a = b->call->attention;
  int64_t nr = a->score_width.nr;
  if (a->k.row == 1 && a->k.element != 1) {
    a->gemm->pack_b(k, a->k.element, (size_t)a->depth, (size_t)b->keys, (size_t)nr, b->k);
    return;
  }
  for (int64_t j = 0; j < b->keys; j += nr) {
    int64_t columns = pn_min_i64(nr, b->keys - j);
    float *to = b->k + j * a->depth;
    a->transpose->transpose(k + j * a->k.row, a->k.row, (size_t)columns, (size_t)a->depth, to, nr);
    for (int64_t d = 0; d < a->depth && columns < nr; d++)
      for (int64_t c = columns; c < nr; c++) to[d * nr + c] = 0;
  }
}

static void multiply_keys(const block *b, const float *k) {
  const pn_attention *a = b->call->attention;
  pack_keys(b, k);
  pn_cpu_product product = {.a = b->q,
                            .a_stride = a->q_pitch,
                            .rows = b->rows,
                            .k = a->depth,
                            .b = b->k,
                            .n = b->keys,
                            .c = b->scores,
                            .c_stride = a->score_pitch};
  pn_cpu_product_run(&a->score_width, &product);
}

/* Some rows at a time against keys that stay in the second cache. */
static void stream_keys(const block *b, const float *k) {
  static const float no_bias[PN_CPU_DOTCONV_OUTPUTS] = {0};
  const pn_attention *a = b->call->attention;
  if (a->k.row == 1 && a->k.element != 1) {
    for (int64_t r = 0; r < b->rows; r += PN_CPU_GEMV_ROWS) {
      pn_cpu_gemv_f32_run run = {.x = b->q + r * a->q_pitch,
                                 .x_stride = a->q_pitch,
                                 .b = k,
                                 .b_stride = a->k.element,
                                 .y = b->scores + r * a->score_pitch,
                                 .y_stride = a->score_pitch,
                                 .rows = (size_t)pn_min_i64(PN_CPU_GEMV_ROWS, b->rows - r),
                                 .k = (size_t)a->depth,
                                 .n = (size_t)b->keys};
      a->gemv->run(&run);
    }
    return;
  }
  for (int64_t r = 0; r < b->rows; r += PN_CPU_DOTCONV_OUTPUTS) {
    int64_t count = pn_min_i64(PN_CPU_DOTCONV_OUTPUTS, b->rows - r);
    float *to = b->scores + r * a->score_pitch;
    pn_cpu_dotconv_f32_run run = {.rows = &k,
                                  .row_count = 1,
                                  .k = (size_t)a->depth,
                                  .pixel_stride = a->k.row,
                                  .weights = b->q + r * a->q_pitch,
                                  .weight_output_stride = a->q_pitch,
                                  .bias = no_bias,
                                  .lo = -INFINITY,
                                  .hi = INFINITY,
                                  .out = count == 1 ? to : b->k,
                                  .width = (size_t)b->keys,
                                  .output_count = (size_t)count};
    a->dot->run(&run);
    if (count > 1) a->transpose->transpose(b->k, count, (size_t)b->keys, (size_t)count, to, a->score_pitch);
  }
}

/* Scores of row |r| become weights, of keys [start, seen) of the block; what was summed before is rescaled. */
static void weigh(const block *b, int64_t r, int64_t start, int64_t seen, bool first) {
  const pn_attention *a = b->call->attention;
  float *scores = b->scores + r * a->score_pitch, *sums = b->sums + r * a->y_pitch;
  if (start > 0) memset(scores, 0, (size_t)start * sizeof *scores);
  if (seen > start) {
    size_t n = (size_t)(seen - start);
    float *own = scores + start, greatest = a->reduce->max(n, own), before = b->greatest[r];
    if (!(greatest > before) && greatest == greatest) greatest = before; /* NaN stays */
    if (!(greatest == before) && !first) {
      float rescale = before == -INFINITY ? 0 : expf(before - greatest);
      a->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)a->value_depth, sums, &rescale, sums);
      b->total[r] *= rescale;
    }
    b->greatest[r] = greatest;
    b->total[r] += a->reduce->exp_sum(n, own, greatest == -INFINITY ? 0 : greatest, own);
  }
  if (seen < b->keys) memset(scores + seen, 0, (size_t)(b->keys - seen) * sizeof *scores);
}

static void add_values(const block *b, const float *v, bool first) {
  const pn_attention *a = b->call->attention;
  if (a->streamed) {
    for (int64_t r = 0; r < b->rows; r += PN_CPU_GEMV_ROWS) {
      pn_cpu_gemv_f32_run run = {.x = b->scores + r * a->score_pitch,
                                 .x_stride = a->score_pitch,
                                 .b = v,
                                 .b_stride = a->v.row,
                                 .y = b->sums + r * a->y_pitch,
                                 .y_stride = a->y_pitch,
                                 .rows = (size_t)pn_min_i64(PN_CPU_GEMV_ROWS, b->rows - r),
                                 .k = (size_t)b->keys,
                                 .n = (size_t)a->value_depth,
                                 .add = !first};
      a->gemv->run(&run);
    }
    return;
  }
  a->gemm->pack_b(v, a->v.row, (size_t)b->keys, (size_t)a->value_depth, a->value_width.nr, b->v);
  pn_cpu_product product = {.a = b->scores,
                            .a_stride = a->score_pitch,
                            .rows = b->rows,
                            .k = b->keys,
                            .b = b->v,
                            .n = a->value_depth,
                            .c = b->sums,
                            .c_stride = a->y_pitch,
                            .add = !first};
  pn_cpu_product_run(&a->value_width, &product);
}

static void store(const block *b, bool any) {
  const pn_attention *a = b->call->attention;
  for (int64_t r = 0; r < b->rows; r++) {
    int64_t row = b->first_row + r, head = b->kv_head * b->group + row % b->group;
    float *to = b->call->y + b->batch * a->y.batch + head * a->y.head + row / b->group * a->y.row;
    if (any && !(b->greatest[r] == -INFINITY)) {
      float scale = 1 / b->total[r];
      a->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)a->value_depth, b->sums + r * a->y_pitch, &scale, to);
    } else {
      a->vec->fill((size_t)a->value_depth, a->zero_when_empty ? 0 : NAN, to);
    }
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const pn_attention_call *call = argument;
  const pn_attention *a = call->attention;
  block b = {.call = call, .group = a->q_heads / a->kv_heads};
  /* The last queries first: with causality theirs are the long tasks. */
  b.first_row = (a->row_blocks - 1 - index % a->row_blocks) * a->row_block;
  b.rows = pn_min_i64(a->row_block, a->queries * b.group - b.first_row);
  b.kv_head = index / a->row_blocks % a->kv_heads;
  b.batch = index / a->row_blocks / a->kv_heads;
  share_memory(&b, call->workspace + a->thread_bytes * thread);
  load_queries(&b);
  const float *k = call->k + b.batch * a->k.batch + b.kv_head * a->k.head;
  const float *v = call->v + b.batch * a->v.batch + b.kv_head * a->v.head;
  pn_attention_place place = {call, b.batch, b.kv_head * b.group, b.group, b.bias};
  /* Blocks of keys that no row sees are left out. */
  int64_t reach = pn_attention_reach(&place, (b.first_row + b.rows - 1) / b.group);
  int64_t first = pn_attention_start(&place, b.first_row / b.group);
  for (b.key = first; b.key < reach; b.key += a->key_block) {
    b.keys = pn_min_i64(a->key_block, reach - b.key);
    (a->streamed ? stream_keys : multiply_keys)(&b, k + b.key * a->k.row);
    for (int64_t r = 0; r < b.rows; r++) {
      int64_t row = b.first_row + r, seen = pn_attention_reach(&place, row / b.group) - b.key;
      int64_t start = pn_attention_start(&place, row / b.group) - b.key;
      seen = seen < 0 ? 0 : pn_min_i64(seen, b.keys);
      start = start < 0 ? 0 : pn_min_i64(start, seen);
      pn_attention_apply_bias(&place, row / b.group, row % b.group, b.key + start, seen - start,
                              b.scores + r * a->score_pitch + start);
      weigh(&b, r, start, seen, b.key == first);
    }
    add_values(&b, v + b.key * a->v.row, b.key == first);
  }
  store(&b, reach > first);
}

void pn_attention_run(pn_pool *pool, const pn_attention_call *call) {
  const pn_attention *a = call->attention;
  int64_t tasks = a->batches * a->kv_heads * a->row_blocks;
  pn_pool_run(pool, (uint32_t)tasks, task, (void *)(uintptr_t)call);
}
