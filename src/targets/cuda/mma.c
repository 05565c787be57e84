#include "targets/cuda/mma.h"

#include "targets/cuda/ranking.h"
#include "targets/cuda/wgmma.h"

#include <math.h>
#include <string.h>

/* Warps of 64 x 64 read the least of shared memory for their products; smaller ones are for small problems. Steps of
   128 bytes meet half as often as those of 64, and want twice the memory. */
typedef struct tile {
  bool tensor;
  uint16_t rows, columns;
  uint8_t down, across, pieces, stages, resident; /* warps; 16 bytes of a step; blocks of a multiprocessor */
} tile;
static const tile tiles[] = {
    {true, 128, 128, 2, 2, 4, 4, 2},  {true, 256, 128, 4, 2, 4, 4, 1}, {true, 128, 64, 2, 2, 4, 4, 3},
    {true, 64, 128, 2, 2, 4, 4, 3},   {true, 64, 64, 2, 2, 4, 4, 4},   {true, 64, 32, 2, 2, 4, 4, 5},
    {false, 128, 128, 4, 2, 4, 4, 1}, {false, 64, 128, 2, 2, 4, 3, 3}, {false, 64, 64, 2, 2, 4, 4, 5},
    {false, 128, 128, 2, 2, 4, 4, 2}, {true, 128, 128, 2, 2, 8, 3, 2}, {true, 128, 128, 2, 2, 8, 2, 2},
    {true, 64, 64, 2, 2, 8, 3, 4},
};
enum { MOST_SPLITS = 16, PASS_ROWS = 64, SUM_THREADS = 256 };
enum { TILE, SPLITS }; /* what config values mean */

static bool is_half(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16; }

bool pn_mma_accepts(const pn_device *device, const pn_problem *p, bool tensor, pn_reason *why) {
  pelton_dtype x = pn_problem_input(p, 0, 0)->dtype, y = pn_problem_output(p, p->node_count - 1, 0)->dtype;
  if (!pn_cuda_is_f32_form(y)) return pn_refuse(why, "the result is no float of up to 32 bits");
  if (x != PELTON_DTYPE_F32 && y != x) return pn_refuse(why, "the result is of another type");
  if (!tensor) return x == PELTON_DTYPE_F32 || pn_refuse(why, "f32 only");
  if (device->capability < 75) return pn_refuse(why, "the device has no tensor cores of this kind");
  if (x == PELTON_DTYPE_F32 && !device->tf32)
    return pn_refuse(why, "f32 is not to be shortened: TF32 was not asked for");
  if (device->capability < 80 && x != PELTON_DTYPE_F16)
    return pn_refuse(why, "the device's tensor cores take f16 only");
  return true;
}

/* ---- configs and estimates -----------------------------------------------------------------------------------------
 */

static const tile *tile_of(const pn_config *config, bool tensor) {
  uint32_t k = (uint32_t)config->value[TILE];
  return k < PN_COUNT(tiles) && tiles[k].tensor == tensor ? &tiles[k] : &tiles[tensor ? 0 : 6];
}

static int64_t splits_of(const pn_config *config) { return config->value[SPLITS] > 0 ? config->value[SPLITS] : 1; }

static int64_t blocks_of(const pn_mma *m, const tile *t) {
  return pn_div_up(m->rows, t->rows) * pn_div_up(m->columns, t->columns) * m->batches;
}

static int64_t steps_of(const pn_mma *m, const tile *t) {
  return pn_div_up(m->depth, t->pieces * pn_mma_piece(m->dtype));
}

static uint32_t shared_bytes_of(const tile *t) {
  uint32_t ring = (uint32_t)t->stages * (uint32_t)(t->rows + t->columns) * 16u * t->pieces;
  uint32_t rows = t->rows > PASS_ROWS ? PASS_ROWS : t->rows, pass = rows * (t->columns + 8u) * 4;
  return ring > pass ? ring : pass;
}

/* Blocks of a multiprocessor, as far as its shared memory goes; a kilobyte of it is each block's beside. */
static double resident_of(const tile *t, const pn_device *device) {
  uint32_t room = (pn_cuda_most_shared_bytes(device) + 1024) / (shared_bytes_of(t) + 1024);
  return room < t->resident ? room > 0 ? room : 1 : t->resident;
}

/* Multiply-adds of a multiprocessor in a cycle. Hopper's tensor cores were measured to reach a third of their rate by
   these instructions; where f32 has 128 units, shared memory is what they wait for. */
static double rate_of(const pn_mma *m, const pn_device *device) {
  int c = device->capability;
  if (!m->tensor) return c <= 80 ? 0.85 * 64 : 0.62 * 128;
  double half = c == 80 ? 820 : c == 90 || c == 100 || c == 103 ? 700 : 410;
  return is_half(m->dtype) ? half : half / 2;
}

/* Cycles for what is done to a result. Operands as large as it are waited for, the longer the larger a tile is. */
static double put_of(const pn_mma *m, double elements) {
  double cycles = 2 / 15.0 + m->work / 128;
  for (uint32_t i = 0; i < m->epilogue.operand_count; i++)
    cycles += m->epilogue.strides[i][2] ? 0.15 + elements / 60000 : 0.05;
  return cycles;
}

/* A step costs a multiprocessor its products, or what goes through shared memory for them, or what comes from the
   second-level cache; a tile what is done to its results. A block alone waits for each step besides. */
double pn_mma_estimate(const pn_mma *m, const pn_device *device, double bytes, const pn_config *config) {
  const tile *t = tile_of(config, m->tensor);
  double splits = (double)splits_of(config), units = device->multiprocessors, elements = (double)t->rows * t->columns;
  double clock = device->fma_per_second / units / (device->capability <= 80 ? 64 : 128);
  double depth = (double)(t->pieces * pn_mma_piece(m->dtype)), stage = (t->rows + t->columns) * 16.0 * t->pieces;
  double bands = (t->rows * t->across + t->columns * t->down) * 16.0 * t->pieces;
  double multiply = elements * depth / rate_of(m, device), pass = (stage + bands) / 128, bring = stage / 50;
  double step = multiply > pass ? multiply : pass, wait = m->tensor ? 170 + 40 * t->pieces : 450;
  if (bring > step) step = bring;
  if (m->source == PN_MMA_GATHERED || m->a_loose || m->b_loose) {
    double gather = (double)(t->rows + t->columns) * depth * 18 / 128;
    step += gather;
    wait += is_half(m->dtype) ? 5000 : 200; /* ViT's and ResNet's first layers on an H200: 3,000 to 8,600 a step */
  }
  double steps = ceil((double)steps_of(m, t) / splits), blocks = (double)blocks_of(m, t) * splits;
  double each = ceil(blocks / units), put = elements * put_of(m, elements);
  double alone = steps * (step > wait ? step : wait) + 1800 + put, together = each * (steps * step + put + 1000);
  double waves = ceil(each / resident_of(t, device)) * alone;
  double cycles = each > 1 && together > waves ? together : waves, seconds = cycles / clock;
  if (splits > 1)
    seconds += 2.5e-6 + 8 * (double)(m->rows * m->columns * m->batches) * splits / device->bytes_per_second;
  double memory = bytes / (0.7 * device->bytes_per_second);
  return 1.8e-6 + (seconds > memory ? seconds : memory);
}

static bool is_useful(const pn_mma *m, const pn_device *device, const tile *t, int64_t splits) {
  if (t->tensor != m->tensor || shared_bytes_of(t) > pn_cuda_most_shared_bytes(device)) return false;
  if (t->columns > 32 && t->columns / 2 >= m->columns && t->tensor) return false;
  if (t->columns > 64 && t->columns / 2 >= m->columns) return false;
  if (t->rows > 64 && t->rows / 2 >= m->rows) return false;
  return splits == 1 || (splits * 16 <= steps_of(m, t) * t->pieces &&
                         blocks_of(m, t) * splits <= 4 * (int64_t)device->multiprocessors);
}

uint32_t pn_mma_configs(const pn_mma *m, const pn_device *device, double bytes, pn_config *out, uint32_t max) {
  pn_ranking ranking = {0};
  for (uint32_t k = 0; k < PN_COUNT(tiles); k++)
    for (int64_t splits = 1; splits <= MOST_SPLITS; splits *= 2) {
      const pn_config one = {{(int32_t)k, (int32_t)splits}};
      if (is_useful(m, device, &tiles[k], splits))
        pn_ranking_add(&ranking, one, pn_mma_estimate(m, device, bytes, &one));
    }
  return pn_ranking_take(&ranking, out, max);
}

void pn_mma_sizes(const pn_mma *m, const pn_config *config, pn_sizes *out) {
  int64_t splits = splits_of(config);
  out->state_bytes = sizeof(pn_mma);
  if (m->constant)
    out->packed_bytes = (size_t)(m->batches * m->columns * pn_mma_padded(m)) * pelton_dtype_bytes(m->dtype);
  if (splits > 1) out->workspace_bytes = (size_t)(m->batches * m->rows * m->columns * splits) * sizeof(float);
}

void pn_mma_shorten(const pn_mma *m, void *packed, int64_t count) {
  uint32_t *at = packed;
  if (!m->tensor || m->dtype != PELTON_DTYPE_F32) return;
  for (int64_t i = 0; i < count; i++)
    if ((at[i] & 0x7f800000u) != 0x7f800000u) at[i] = (at[i] + 0x1000u) & ~0x1fffu;
}

/* ---- prepare --------------------------------------------------------------------------------------------------------
 */

static void render_head(pn_mma *m, const pn_device *device, const pn_problem *p, const tile *t, int64_t splits,
                        pn_text *head) {
  bool whole = m->columns % 8 == 0;
  pn_text_printf(head, "#define X %s\n#define Y %s\n#define HALF %d\n#define TENSOR %d\n", pn_cuda_type_name(m->dtype),
                 pn_cuda_type_name(m->result), is_half(m->result), m->tensor);
  pn_text_printf(head,
                 "#define ROWS %u\n#define COLUMNS %u\n#define WARPS_DOWN %u\n#define WARPS_ACROSS %u\n"
                 "#define STAGES %u\n#define RESIDENT %u\n#define PIECES %u\n#define SPLITS %u\n",
                 (unsigned)t->rows, (unsigned)t->columns, (unsigned)t->down, (unsigned)t->across, (unsigned)t->stages,
                 (unsigned)t->resident, (unsigned)t->pieces, (unsigned)splits);
  pn_text_printf(head,
                 "#define MATRIX 0\n#define PICTURES 1\n#define GATHERED 2\n#define SOURCE %d\n#define A_ELEMENTS %d\n"
                 "#define B_ELEMENTS %d\n#define CONSTANT %d\n#define BATCH_AXES %u\n",
                 (int)m->source, m->a_loose, m->b_loose, m->constant, (unsigned)m->batch_axes);
  pn_text_printf(head,
                 "#define PLACES %d\n#define PLAIN %d\n#define WHOLE %d\n#define EARLY %d\n#include \"eight.cuh\"\n",
                 m->places, m->plain, whole, device->launches_early);
  m->together = pn_cuda_epilogue_render_eight(p, &m->epilogue, m->bias, whole, NULL, head);
}

static pelton_status find_functions(pn_mma *m, const pn_device *device, const pn_problem *p, const tile *t,
                                    int64_t splits, pelton_diag *diag) {
  pn_text head;
  pn_text_init(&head, device->allocator);
  render_head(m, device, p, t, splits, &head);
  pn_cuda_source source = {head.data, "mma.cu", "mma", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &m->function, diag);
  source.entry = "mma_sum";
  if (!status && splits > 1) status = pn_cuda_function(device, &source, &m->sum, diag);
  pn_text_deinit(&head);
  if (status) return status;
  PN_TRY(pn_cuda_enter(device, diag));
  return pn_cuda_check(
      device, device->api.cuFuncSetAttribute(m->function, PN_CU_FUNCTION_MOST_SHARED_BYTES, (int)m->shared_bytes),
      "asking for shared memory", diag);
}

pelton_status pn_mma_prepare(pn_mma *m, const pn_device *device, const pn_problem *p, const pn_config *config,
                             pelton_diag *diag) {
  const tile *t = tile_of(config, m->tensor);
  int64_t splits = splits_of(config), across = pn_div_up(m->columns, t->columns), eights = pn_div_up(m->columns, 8);
  m->grid[0] = (uint32_t)(pn_div_up(m->rows, t->rows) * across);
  m->grid[1] = (uint32_t)m->batches;
  m->grid[2] = (uint32_t)splits;
  m->threads = 32u * t->down * t->across;
  m->shared_bytes = shared_bytes_of(t);
  m->sum_blocks = pn_cuda_blocks(device, m->batches * m->rows * eights);
  struct mma_arguments *a = &m->arguments;
  a->rows = (unsigned)m->rows;
  a->columns = (unsigned)m->columns;
  a->depth = (unsigned)m->depth;
  a->batches = (unsigned)m->batches;
  a->steps = (unsigned)steps_of(m, t);
  a->tiles = pn_cuda_divider(across);
  a->eights = pn_cuda_divider(eights);
  a->by_rows = pn_cuda_divider(m->rows);
  pn_cuda_epilogue_fill(&m->epilogue, &a->epilogue);
  return find_functions(m, device, p, t, splits, diag);
}

/* ---- run ------------------------------------------------------------------------------------------------------------
 */

static bool is_aligned(const pn_mma *m, const struct mma_arguments *a) {
  uintptr_t all = 0;
  if (m->source != PN_MMA_GATHERED && !m->a_loose) all |= (uintptr_t)a->source;
  if (!m->b_loose) all |= (uintptr_t)a->filter;
  if (m->columns % 8 == 0) all |= (uintptr_t)a->bias;
  if (m->columns % 8 == 0 && !m->plain) all |= (uintptr_t)a->target;
  for (uint32_t k = 0; k < m->epilogue.operand_count; k++)
    if (m->together >> k & 1) all |= (uintptr_t)a->epilogue.operands[k];
  return !(all & 15);
}

pelton_status pn_mma_run(const pn_mma *m, const pn_step *step, const void *a, const void *b, pn_stream *stream,
                         pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const pn_operand *bias = m->bias ? pn_problem_input(p, 0, 2) : NULL;
  struct mma_arguments arguments = m->arguments;
  arguments.source = a;
  arguments.filter = b;
  arguments.bias = bias ? step->operands[pn_operand_index(p, bias)] : NULL;
  arguments.target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  arguments.partial = step->workspace;
  pn_cuda_epilogue_bind(&m->epilogue, step->operands, &arguments.epilogue);
  if (!is_aligned(m, &arguments))
    return pn_fail(diag, PELTON_DEVICE_ERROR, "an operand of %s is not aligned to 16 bytes: give memory that is",
                   pn_op_get(p->nodes[0].op)->name);
  PN_TRY(pn_cuda_launch_shared(stream, m->function, m->grid, m->threads, m->shared_bytes, &arguments, diag));
  if (!m->sum) return PELTON_OK;
  return pn_cuda_launch(stream, m->sum, m->sum_blocks, 1, 1, SUM_THREADS, &arguments, diag);
}
