#include "targets/cuda/wgmma.h"

#include "targets/cuda/ranking.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Tiles of |bands| times 64 rows a warpgroup. Two blocks on a multiprocessor hide each other's beginning and end;
   232,448 bytes of shared memory are a block's most, 233,472 a multiprocessor's. Those with short rings are for sums of
   few steps, whose time is that of memory: many such blocks fit, and hide each other's waiting. Where warpgroups
   |alternate|, each has tiles of its own, and one finishes while the other multiplies; |copied| results leave by the
   copy engine, for which there is room beside the ring;
   |kept| columns stay in shared memory with all their steps. */
typedef struct tile {
  uint8_t warpgroups, bands;
  uint16_t columns;
  uint8_t stages, resident;
  bool alternate, copied, kept;
} tile;
static const tile tiles[] = {{2, 1, 128, 3, 2, false, false, false}, {2, 1, 256, 4, 1, false, false, false},
                             {2, 1, 64, 4, 2, false, false, false},  {1, 1, 128, 4, 2, false, false, false},
                             {1, 1, 64, 4, 3, false, false, false},  {1, 1, 32, 6, 3, false, false, false},
                             {1, 1, 64, 1, 5, false, false, false},  {1, 1, 64, 2, 5, false, false, false},
                             {1, 1, 128, 1, 4, false, false, false}, {1, 1, 128, 2, 4, false, false, false},
                             {2, 1, 192, 4, 1, false, false, false}, {1, 1, 192, 4, 1, false, false, false},
                             {2, 2, 128, 7, 1, true, false, false},  {2, 2, 128, 5, 1, true, true, false},
                             {2, 2, 64, 8, 1, true, true, false},    {2, 1, 256, 3, 1, false, true, false},
                             {2, 2, 64, 4, 1, false, false, false},  {2, 2, 64, 7, 1, true, true, true},
                             {2, 2, 192, 3, 1, true, true, false},   {2, 2, 192, 5, 1, true, false, false}};
enum {
  GATHER_TILE = 2,
  WIDE_TILE = 11,
  MOST_SPLITS = 8,
  SHARED_ALIGN = 1024,
  MOST_SHARED = 232448,
  ROW_BYTES = 2 * PN_WGMMA_DEPTH
};
enum { TILE, SPLITS }; /* what config values mean */

double pn_wgmma_work(const pn_problem *p) {
  double work = 0;
  if (p->node_count == 1) return 0;
  const pn_expr *expr = ((const pn_attrs_pointwise *)p->nodes[1].attrs)->expr;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    pn_expr_op op = expr->steps[i].op;
    bool plain = op == PN_EXPR_INPUT || op == PN_EXPR_CONSTANT;
    bool cheap = op == PN_EXPR_ADD || op == PN_EXPR_SUB || op == PN_EXPR_MUL || op == PN_EXPR_RELU ||
                 op == PN_EXPR_CLIP || op == PN_EXPR_FMA || op == PN_EXPR_MAX || op == PN_EXPR_MIN;
    work += plain ? 0 : cheap ? 1.5 : 6;
  }
  return work;
}

bool pn_wgmma_accepts(const pn_device *device, const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, p->node_count - 1, 0);
  if (device->capability != 90 || device->lowered) return pn_refuse(why, "the device has no warpgroup products");
  if (x->dtype != PELTON_DTYPE_F16 && x->dtype != PELTON_DTYPE_BF16) return pn_refuse(why, "16 bits only");
  if (y->dtype != x->dtype) return pn_refuse(why, "the result is of another type");
  return true;
}

/* ---- configs and estimates -----------------------------------------------------------------------------------------
 */

static int64_t rows_of(const tile *t) { return 64 * (int64_t)t->bands * (t->alternate ? 1 : t->warpgroups); }

/* Of one batch. */
static int64_t tile_count_of(const pn_wgmma *w, const tile *t) {
  return pn_div_up(w->rows, rows_of(t)) * pn_div_up(w->columns, t->columns);
}
static int64_t blocks_of(const pn_wgmma *w, const tile *t) { return tile_count_of(w, t) * w->batches; }

/* Blocks that the device runs at the same time. */
static int64_t at_once_of(const pn_device *device, const tile *t) {
  return (int64_t)device->multiprocessors * t->resident;
}

static int64_t splits_of(const pn_config *config) { return config->value[SPLITS] > 0 ? config->value[SPLITS] : 1; }

static const tile *tile_of(const pn_config *config) {
  uint32_t k = (uint32_t)config->value[TILE];
  return &tiles[k < PN_COUNT(tiles) ? k : 0];
}

/* Whether sums are finished from registers, by blocks that go from tile to tile. */
static bool is_direct(const pn_wgmma *w, int64_t splits) { return w->source != PN_WGMMA_GATHERED && splits == 1; }

/* Blocks that go from tile to tile have a fixed share of them. Two of one multiprocessor may both have the longest, so
   these go so only where the shares are nearly even; else the device hands tiles out as blocks end. */
static bool is_persistent(const pn_wgmma *w, const pn_device *device, const tile *t, int64_t splits) {
  int64_t tile_count = tile_count_of(w, t), at_once = at_once_of(device, t);
  if (t->alternate) return true;
  if (!is_direct(w, splits) || w->source == PN_WGMMA_DEPTHWISE || w->batches != 1 || tile_count <= at_once)
    return false;
  return t->resident == 1 || pn_div_up(tile_count, at_once) * at_once * 7 <= tile_count * 8;
}

/* Cycles of a multiprocessor for a step of DEPTHWISE, fitted to MobileNetV2's pairs on an H200, to a fifth: some 3,000
   for 64 places, 64 channels and 9 taps, a third of it arithmetic, the rest loads through the first cache. */
static double computing(const pn_wgmma *w, double tile_rows) {
  return tile_rows * (double)w->eights * 8 * (9.5 * (double)w->taps + 12) / 128;
}

/* Cycles of finishing a tile by all of a block's warpgroups: its results, what is read with them, the expression. */
static double finishing(const pn_wgmma *w, const tile *t) {
  double elements = (double)(rows_of(t) * t->columns), operands = w->epilogue.operand_count;
  if (t->copied) return elements * ((1.2 + 0.5 * operands) / 15 + w->work / 90);
  return elements * (((w->plain ? 8 : 2) + 2 * operands) / 15 + w->work / 128);
}

/* Fitted to some 600 timings of layers on an H200, to a fifth of the time: a step costs a multiprocessor the tensor
   cores' time or that of bringing it from the second-level cache, a tile what is done to its results and what another
   block does not hide, a cluster its meetings. */
double pn_wgmma_estimate(const pn_wgmma *w, const pn_device *device, double bytes, const pn_config *config) {
  const tile *t = tile_of(config);
  double splits = (double)splits_of(config), units = device->multiprocessors, tile_rows = (double)rows_of(t);
  double clock = device->fma_per_second / units / 128, elements = tile_rows * t->columns;
  double multiply = elements / 32 / 0.93, bring = (tile_rows + (t->kept ? 0 : t->columns)) * ROW_BYTES / 55;
  double gathering = w->pairs ? 250 : 700;
  double step = w->source == PN_WGMMA_GATHERED ? gathering : multiply > bring ? multiply : bring;
  if (w->source == PN_WGMMA_DEPTHWISE) step = fmax(multiply, computing(w, tile_rows));
  double steps = ceil((double)w->steps / splits), blocks = (double)blocks_of(w, t) * splits,
         each = ceil(blocks / units), put = finishing(w, t);
  double crowd = t->resident > 3 ? 3.0 / t->resident : 1;
  double alone = steps * (step > 295 ? step : 295) + 1320 + put;
  double together = each * (steps * step + put + 980 * crowd);
  double waves = ceil(each / t->resident) * alone;
  if (t->alternate) { /* a warpgroup finishes in twice the time, while the other multiplies */
    together = each * fmax(steps * step + 150, (steps * step + 2 * put + 900) / 2) + 2 * put + 1320;
    waves = together;
  } else if (is_persistent(w, device, t, splits_of(config))) { /* blocks that go from tile to tile begin once */
    together = each * (steps * step + put + 250 * crowd);
    waves = together + 1320;
  }
  double cycles = each > 1 && together > waves ? together : waves;
  if (t->alternate || t->copied) cycles *= 1.12; /* so busy, the clock falls */
  double seconds = cycles / clock + (splits > 1 ? 0.9e-6 + 0.17e-6 * splits * elements / 4096 : 0);
  double memory = bytes / ((t->copied ? 0.8 : crowd < 1 ? 0.75 : 0.6) * device->bytes_per_second);
  return 1.3e-6 + (seconds > memory ? seconds : memory);
}

/* A thread finishes pieces of 32 columns, and what is copied out is one result's. */
static bool is_copied_whole(const pn_wgmma *w, const tile *t) {
  for (uint32_t i = 0; i < w->parts; i++)
    if (w->part_columns[i] % t->columns) return false;
  return !w->plain && w->columns % 32 == 0;
}

/* GATHERED steps are all there at once. */
static uint32_t stages_of(const pn_wgmma *w, const tile *t) {
  return w->source == PN_WGMMA_GATHERED ? (uint32_t)w->steps : t->stages;
}

/* Memory of a block: its ring, what results and kept columns want, or all sums on their way to other threads. */
static uint32_t shared_bytes_of(const pn_wgmma *w, const tile *t, int64_t splits) {
  const uint32_t rows = (uint32_t)rows_of(t), columns = t->columns;
  uint32_t ring = stages_of(w, t) * (rows + (t->kept ? 0 : columns)) * ROW_BYTES, sums = rows * (columns + 8) * 4;
  if (t->copied) ring += rows * columns * 2 * (t->alternate ? t->warpgroups : 1u);
  if (t->kept) ring += (uint32_t)w->steps * columns * ROW_BYTES;
  return (ring > sums || is_direct(w, splits) ? ring : sums) + SHARED_ALIGN;
}

static bool is_useful(const pn_wgmma *w, const pn_device *device, uint32_t k, int64_t splits) {
  const tile *t = &tiles[k];
  if (w->source == PN_WGMMA_GATHERED) return k == GATHER_TILE && splits == 1;
  /* Twice the threads: registers are for few blocks, and their columns few. */
  if (w->source == PN_WGMMA_DEPTHWISE ? t->warpgroups > 1 || t->resident > 3 : k == WIDE_TILE) return false;
  if (t->columns > 32 && t->columns / 2 >= w->columns) return false;
  const bool direct = is_direct(w, splits) && w->source != PN_WGMMA_DEPTHWISE;
  if ((t->alternate || t->copied || t->bands > 1) && !direct) return false;
  /* Each warpgroup has a tile at least. */
  if (t->alternate && (w->batches != 1 || tile_count_of(w, t) < 2 * at_once_of(device, t))) return false;
  if (t->copied && !is_copied_whole(w, t)) return false;
  if (t->kept && (!w->constant || w->columns > t->columns || shared_bytes_of(w, t, splits) > MOST_SHARED)) return false;
  /* A short ring would wait at every step. */
  if (t->stages < 3 && pn_div_up(w->steps, splits) > t->stages * t->stages) return false;
  const int64_t least = w->source == PN_WGMMA_DEPTHWISE ? 1 : 2; /* steps of a block; those are long */
  return splits == 1 ||
         (splits * least <= w->steps && blocks_of(w, t) * splits <= 3 * (int64_t)device->multiprocessors);
}

uint32_t pn_wgmma_configs(const pn_wgmma *w, const pn_device *device, double bytes, pn_config *out, uint32_t max) {
  pn_ranking ranking = {0};
  for (uint32_t k = 0; k < PN_COUNT(tiles); k++)
    for (int64_t splits = 1; splits <= MOST_SPLITS; splits *= 2) {
      const pn_config one = {{(int32_t)k, (int32_t)splits}};
      if (is_useful(w, device, k, splits)) pn_ranking_add(&ranking, one, pn_wgmma_estimate(w, device, bytes, &one));
    }
  return pn_ranking_take(&ranking, out, max);
}

/* ---- prepare --------------------------------------------------------------------------------------------------------
 */

/* Where those that multiply gather all, there is room for one block more. */
static uint32_t resident_of(const pn_wgmma *w, const tile *t) {
  if (w->source == PN_WGMMA_DEPTHWISE) return t->resident < 2 ? t->resident : 2u;
  return w->source == PN_WGMMA_GATHERED && w->steps <= t->warpgroups ? t->resident + 1u : t->resident;
}

/* Threads that bring or compute what the others multiply. */
static uint32_t fetchers_of(const pn_wgmma *w, const tile *t, bool direct) {
  if (w->source == PN_WGMMA_DEPTHWISE) return 128u * t->warpgroups;
  if (w->source == PN_WGMMA_GATHERED) return w->steps > t->warpgroups ? 128 : 32;
  return direct && t->resident == 1 && t->warpgroups == 2 ? 128 : 32; /* as the kernel's UNEQUAL says */
}

/* The first operand of the epilogue that lies as the result does, -1 if none. */
static int whole_operand(const pn_wgmma *w, const pn_problem *p) {
  const int64_t pitch = w->columns, each = pitch * (w->places ? w->arguments.by_place.divisor : w->rows);
  for (uint32_t k = 0; k < w->epilogue.operand_count; k++) {
    const int *s = w->epilogue.strides[k];
    if (p->operands[w->epilogue.operands[k]].dtype == w->dtype && s[1] == 1 && s[2] == pitch && s[0] == each)
      return (int)k;
  }
  return -1;
}

static void render_head(pn_wgmma *w, const pn_problem *p, const tile *t, int64_t splits, pn_text *head) {
  const char *type = pn_cuda_type_name(w->dtype);
  bool whole = w->columns % 8 == 0;
  pn_text_printf(head, "#define X %s\n#define Y %s\n#define COLUMNS %u\n#define WARPGROUPS %u\n#define STAGES %u\n",
                 type, type, (unsigned)t->columns, (unsigned)t->warpgroups, (unsigned)stages_of(w, t));
  pn_text_printf(head,
                 "#define DIRECT %d\n#define BANDS %u\n#define ALTERNATE %d\n#define COPIED %d\n#define FETCHED "
                 "%d\n#define KEPT %d\n",
                 (int)is_direct(w, splits), (unsigned)t->bands, (int)t->alternate, (int)w->copied,
                 (int)(w->fetched >= 0), (int)t->kept);
  pn_text_printf(head,
                 "#define SPLITS %u\n#define RESIDENT %u\n#define MATRIX 0\n#define PICTURES 1\n#define GATHERED 2\n"
                 "#define DEPTHWISE 3\n",
                 (unsigned)splits, (unsigned)resident_of(w, t));
  pn_text_printf(head,
                 "#define SPREAD COPIED\n#define SOURCE %d\n#define PLACES %d\n#define PLAIN %d\n#define WHOLE "
                 "%d\n#define CONSTANT "
                 "%d\n%s#define HALF 1\n"
                 "#include \"eight.cuh\"\n#include \"wgmma.cuh\"\n",
                 (int)w->source, (int)w->places, (int)w->plain, (int)whole, (int)w->constant, w->head);
  int64_t begin = 0;
  pn_text_printf(head, "#define PARTS %u\n#define PART_BEGINS 0", (unsigned)(w->parts ? w->parts : 1));
  for (uint32_t i = 0; i < w->parts; i++) pn_text_printf(head, ", %" PRId64, begin += w->part_columns[i]);
  pn_text_printf(head, "\n");
  if (w->front) pn_cuda_render_between(w->front, "between", head);
  const pn_operand *copied = w->fetched < 0 ? NULL : &p->operands[w->epilogue.operands[w->fetched]];
  w->together = pn_cuda_epilogue_render_eight(p, &w->epilogue, w->bias, whole, copied, head);
}

static pelton_status find_function(pn_wgmma *w, const pn_device *device, const pn_problem *p, const tile *t,
                                   int64_t splits, pelton_diag *diag) {
  pn_text head;
  pn_text_init(&head, device->allocator);
  render_head(w, p, t, splits, &head);
  pn_cuda_source source = {head.data, "wgmma.cu", "wgmma", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &w->function, diag);
  pn_text_deinit(&head);
  if (status) return status;
  return pn_cuda_allow_shared(device, w->function, w->shared_bytes, diag);
}

pelton_status pn_wgmma_prepare(pn_wgmma *w, const pn_device *device, const pn_problem *p, const pn_config *config,
                               pelton_diag *diag) {
  const tile *t = tile_of(config);
  int64_t splits = splits_of(config), tile_count = tile_count_of(w, t);
  const bool direct = is_direct(w, splits);
  w->copied = t->copied;
  w->fetched = t->copied ? whole_operand(w, p) : -1;
  w->tile_rows = (uint32_t)rows_of(t);
  w->tile_columns = t->columns;
  w->grid[0] = (uint32_t)(is_persistent(w, device, t, splits) ? at_once_of(device, t) : tile_count);
  w->grid[1] = (uint32_t)w->batches;
  w->grid[2] = (uint32_t)splits;
  w->threads = 128u * t->warpgroups + fetchers_of(w, t, direct);
  w->shared_bytes = shared_bytes_of(w, t, splits);
  w->arguments.rows = (unsigned)w->rows;
  w->arguments.columns = (unsigned)w->columns;
  w->arguments.steps = (unsigned)w->steps;
  w->arguments.tile_count = (unsigned)tile_count;
  w->arguments.tiles = pn_cuda_divider(pn_div_up(w->columns, t->columns));
  pn_cuda_epilogue_fill(&w->epilogue, &w->arguments.epilogue);
  return find_function(w, device, p, t, splits, diag);
}

/* ---- run ------------------------------------------------------------------------------------------------------------
 */

static int encode(const pn_wgmma *w, const pn_cuda_api *api, const pn_wgmma_map *map, bool windows, uint32_t rows,
                  const void *address, struct tensor_map *out) {
  int type = w->dtype == PELTON_DTYPE_F16 ? PN_CU_TYPE_F16 : PN_CU_TYPE_BF16;
  void *there = (void *)(uintptr_t)address; /* the driver only keeps it */
  const uint32_t ones[4] = {1, 1, 1, 1}, box[4] = {PN_WGMMA_DEPTH, rows, 1, 1};
  const uint32_t steps[4] = {1, map->steps[0], map->steps[1], 1};
  if (!windows)
    return api->cuTensorMapEncodeTiled(out, type, map->rank, there, map->dims, map->strides, box, ones, 0,
                                       PN_CU_SWIZZLE_128_BYTES, PN_CU_PROMOTION_256_BYTES, 0);
  return api->cuTensorMapEncodeIm2col(out, type, map->rank, there, map->dims, map->strides, map->lower, map->upper,
                                      PN_WGMMA_DEPTH, rows, steps, 0, PN_CU_SWIZZLE_128_BYTES,
                                      PN_CU_PROMOTION_256_BYTES, 0);
}

/* Of the result of the columns' part |part|, or of an operand that lies so (parts are one then): boxes of 64 columns.
 */
static int encode_boxes(const pn_wgmma *w, const pn_cuda_api *api, uint32_t part, const void *address,
                        struct tensor_map *out) {
  const uint64_t columns = (uint64_t)(w->parts ? w->part_columns[part] : w->columns), rows = (uint64_t)w->rows;
  const pn_wgmma_map map = {
      .rank = 3, .dims = {columns, rows, (uint64_t)w->batches}, .strides = {2 * columns, 2 * columns * rows}};
  return encode(w, api, &map, false, w->tile_rows, address, out);
}

static bool is_aligned(const pn_wgmma *w, const struct wgmma_arguments *a, const void *left, const void *right) {
  uintptr_t all = (uintptr_t)right;
  all |= w->source != PN_WGMMA_GATHERED ? (uintptr_t)left : w->pairs ? (uintptr_t)left % 4 : 0;
  if (w->columns % 8 == 0) all |= (w->plain ? 0 : (uintptr_t)a->target) | (uintptr_t)a->bias;
  for (uint32_t i = 1; i < w->parts; i++) all |= (uintptr_t)a->more[i - 1];
  for (uint32_t k = 0; k < w->epilogue.operand_count; k++)
    if (w->together >> k & 1) all |= (uintptr_t)a->epilogue.operands[k];
  return !(all & 15);
}

pelton_status pn_wgmma_run(const pn_wgmma *w, const pn_step *step, const void *a, const void *b, pn_stream *stream,
                           pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const pn_cuda_api *api = &stream->device->api;
  const pn_operand *bias = w->bias ? pn_problem_input(p, 0, 2) : NULL;
  struct wgmma_arguments arguments = w->arguments;
  arguments.source = a;
  arguments.bias = bias ? step->operands[pn_operand_index(p, bias)] : NULL;
  const uint16_t *results = p->nodes[p->node_count - 1].outputs;
  arguments.target = step->operands[results[0]];
  for (uint32_t i = 1; i < w->parts; i++) arguments.more[i - 1] = step->operands[results[i]];
  pn_cuda_epilogue_bind(&w->epilogue, step->operands, &arguments.epilogue);
  if (!is_aligned(w, &arguments, a, b))
    return pn_fail(diag, PELTON_DEVICE_ERROR,
                   "an operand of %s is not aligned to 16 bytes (a plain picture: to 4): give memory that is",
                   pn_op_get(p->nodes[0].op)->name);
  PN_TRY(pn_cuda_enter(stream->device, diag));
  int error = encode(w, api, &w->b, false, w->tile_columns, b, &arguments.b);
  if (!error && (w->source == PN_WGMMA_MATRIX || w->source == PN_WGMMA_PICTURES))
    error = encode(w, api, &w->a, w->source == PN_WGMMA_PICTURES, w->tile_rows, a, &arguments.a);
  for (uint32_t i = 0; i < (w->parts ? w->parts : 1) && w->copied && !error; i++)
    error = encode_boxes(w, api, i, i ? arguments.more[i - 1] : arguments.target, &arguments.results[i]);
  if (!error && w->fetched >= 0)
    error = encode_boxes(w, api, 0, arguments.epilogue.operands[w->fetched], &arguments.operand);
  PN_TRY(pn_cuda_check(stream->device, error, "describing an operand", diag));
  return pn_cuda_launch_shared(stream, w->function, w->grid, w->threads, w->shared_bytes, &arguments, diag);
}
