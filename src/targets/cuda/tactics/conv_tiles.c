/* Convolutions as matrix products by tiles in shared memory, whose right side is gathered from the source: any spatial
   rank up to three, groups, dilation, layouts, 16- and 32-bit floats with f32 sums (no tensor cores), and an expression
   that follows. The config says into how many pieces the sums are split, so that small pictures fill the device too. */
#include "targets/cuda/window.h"

#include <string.h>

enum { TILE = 64 }; /* of conv_tiles.cu */

typedef struct state {
  pn_cu_function *function, *sum;
  pn_cuda_epilogue epilogue;
  struct conv_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  (void)device;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &epilogue, why)) return false;
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  return groups < 65536 || pn_refuse(why, "more than 65,535 groups");
}

typedef struct tiles {
  int64_t blocks, depth, results;
} tiles;

static tiles tiles_of(const pn_problem *p) {
  const pn_operand *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group, outputs = y->dims[1] / groups;
  int64_t columns = pn_operand_elements(y) / y->dims[1];
  return (tiles){pn_div_up(outputs, TILE) * pn_div_up(columns, TILE) * groups, pn_operand_elements(w) / w->dims[0],
                 pn_operand_elements(y)};
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  tiles t = tiles_of(p);
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  int64_t most = pn_min_i64(2 * (int64_t)device->multiprocessors / t.blocks, t.depth / 64);
  uint32_t count = 0;
  most = pn_min_i64(most, pn_min_i64(64, 65535 / groups));
  for (int64_t splits = most; splits > 1 && count + 1 < max && count < 2; splits /= 2)
    out[count++] = (pn_config){{(int32_t)splits}};
  out[count++] = (pn_config){{1}};
  return count;
}

static int64_t splits_of(const pn_config *config) { return config->value[0] > 0 ? config->value[0] : 1; }

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  tiles t = tiles_of(p);
  int64_t splits = splits_of(config);
  double parts = splits > 1 ? 3e-6 + 8.0 * (double)t.results * (double)splits / device->bytes_per_second : 0;
  return pn_cuda_tile_estimate(device, (double)(t.blocks * splits), (double)pn_div_up(t.depth, splits),
                               pn_cuda_operand_bytes(p)) +
         parts;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  int64_t splits = splits_of(config);
  (void)device;
  out->state_bytes = sizeof(state);
  if (splits > 1) out->workspace_bytes = (size_t)(tiles_of(p).results * splits) * sizeof(float);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_window windows[PN_MAX_RANK];
  pn_text head;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  pn_cuda_conv_fill(p, windows, &s->arguments);
  pn_cuda_epilogue_fill(&s->epilogue, &s->arguments.epilogue);
  s->arguments.splits = (unsigned)splits_of(config);
  pn_text_init(&head, device->allocator);
  pn_cuda_conv_head(p, &s->epilogue, &head);
  pn_cuda_source source = {head.data, "conv_tiles.cu", "conv_tiles", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  source.entry = "conv_sum";
  if (!status && s->arguments.splits > 1) status = pn_cuda_function(device, &source, &s->sum, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct conv_arguments a = s->arguments;
  pn_cuda_conv_bind(step, &s->epilogue, &a);
  a.partial = step->workspace;
  uint32_t across = (uint32_t)pn_div_up((int64_t)a.batch * a.places, TILE),
           down = (uint32_t)pn_div_up(a.out_channels, TILE);
  PN_TRY(pn_cuda_launch(stream, s->function, across, down, a.groups * a.splits, PN_CUDA_BLOCK, &a, diag));
  if (!s->sum) return PELTON_OK;
  uint32_t grid = pn_cuda_blocks(stream->device, (int64_t)a.batch * a.groups * a.out_channels * a.places);
  return pn_cuda_launch(stream, s->sum, grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_conv_tiles = {
    .name = "cuda.conv_tiles",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
