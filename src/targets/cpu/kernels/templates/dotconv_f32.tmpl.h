/* dotconv_f32: dot products of runs of the input with few filters, VL sums at a time.

   A tile is P pixels by O outputs with one accumulator each, P * O as near to VL as it gets: each vector of weights
   serves P pixels, each of the input O outputs. At the end a tree of shuffles adds up the lanes of all of them into one
   vector, which lies in the order of the result: 45 instructions for 16 sums, where one after another would take 120.
   What is left of a row shorter than a tile goes through smaller tiles. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"
#include "targets/cpu/rows.h"

PN_INLINE void dot_step(vf *acc, const row_bases *rows, const float *w, ptrdiff_t w_stride, int pixels, int outputs,
                        int cut, vhead head) {
  vf wv[PN_CPU_DOTCONV_OUTPUTS];
  PN_UNROLL
  for (int o = 0; o < outputs; o++) wv[o] = cut ? vf_load_head(w + o * w_stride, head) : vf_load(w + o * w_stride);
  PN_UNROLL
  for (int p = 0; p < pixels; p++) {
    const float *a = row_address(rows, p);
    const vf x = cut ? vf_load_head(a, head) : vf_load(a);
    PN_UNROLL
    for (int o = 0; o < outputs; o++) acc[p * outputs + o] = vf_fma(x, wv[o], acc[p * outputs + o]);
  }
}

PN_INLINE void dot_tile(const pn_cpu_dotconv_f32_run *r, size_t first, int pixels, int outputs) {
  vf acc[VL];
  float bias[VL];
  PN_UNROLL
  for (int i = 0; i < VL; i++) acc[i] = vf_zero();
  PN_UNROLL
  for (int i = 0; i < VL; i++) bias[i] = r->bias[i % outputs];
  const vhead head = vf_head(r->k % VL);
  for (size_t row = 0; row < r->row_count; row++) {
    const float *w = r->weights + (ptrdiff_t)row * r->weight_row_stride;
    row_bases rows = row_bases_at(r->rows[row] + (ptrdiff_t)first * r->pixel_stride,
                                  r->pixel_stride * (ptrdiff_t)sizeof(float), pixels);
    for (size_t k = r->k / VL; k; k--) {
      dot_step(acc, &rows, w, r->weight_output_stride, pixels, outputs, 0, head);
      w += VL;
      row_bases_advance(&rows, VL * sizeof(float), pixels);
    }
    if (r->k % VL) dot_step(acc, &rows, w, r->weight_output_stride, pixels, outputs, 1, head);
  }
  vf sums = vf_add(vf_sum_rows(acc), vf_load(bias));
  sums = vf_min(vf_set1(r->hi), vf_max(vf_set1(r->lo), sums));
  float *out = r->out + first * (size_t)outputs;
  if (pixels * outputs == VL)
    vf_store(out, sums);
  else
    vf_store_head(out, vf_head((size_t)(pixels * outputs)), sums);
}

PN_INLINE void dot_run(const pn_cpu_dotconv_f32_run *r, int outputs) {
  const int most = VL / outputs, some = most > 7 ? 4 : most > 3 ? 2 : 1;
  size_t x = 0;
  for (; x + (size_t)most <= r->width; x += (size_t)most) dot_tile(r, x, most, outputs);
  if (some > 1)
    for (; x + (size_t)some <= r->width; x += (size_t)some) dot_tile(r, x, some, outputs);
  for (; x < r->width; x++) dot_tile(r, x, 1, outputs);
}

static void run_1(const pn_cpu_dotconv_f32_run *r) { dot_run(r, 1); }
static void run_2(const pn_cpu_dotconv_f32_run *r) { dot_run(r, 2); }
static void run_3(const pn_cpu_dotconv_f32_run *r) { dot_run(r, 3); }
static void run_4(const pn_cpu_dotconv_f32_run *r) { dot_run(r, 4); }

static void run_any(const pn_cpu_dotconv_f32_run *r) {
  switch (r->output_count) {
  case 1: run_1(r); break;
  case 2: run_2(r); break;
  case 3: run_3(r); break;
  default: run_4(r); break;
  }
}

static const pn_cpu_dotconv_f32 table = {.lanes = VL, .run = run_any};
