/* See pooling.h. */
#include "targets/cpu/pooling.h"

bool pn_cpu_pooling_accepts(const pn_problem *p, pn_reason *why) {
  if (!pn_accepts_one(p, PN_OP_POOL, why)) return false;
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t rows = 1;
  if (!y || x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (x->layout != y->layout) return pn_refuse(why, "wants one layout for operand and result");
  for (uint32_t i = 0; i + 1 < attrs->kernel.count; i++)
    if (attrs->kernel.data[i] > PN_POOLING_MAX_ROWS || (rows *= attrs->kernel.data[i]) > PN_POOLING_MAX_ROWS)
      return pn_refuse(why, "more than %d rows of a window", PN_POOLING_MAX_ROWS);
  return true;
}

pelton_status pn_cpu_pooling_init(const pn_problem *problem, pn_cpu_pooling *out, pelton_diag *diag) {
  const pn_attrs_pool *attrs = problem->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(problem, 0, 0);
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  *out = (pn_cpu_pooling){.outer = x->rank - 3, .count_include_pad = attrs->count_include_pad};
  PN_TRY(pn_window_resolve(diag, "pool", &spec, x->rank - 2, x->dims + 2, attrs->kernel.data, out->axis));
  out->in_rows = out->out_rows = 1;
  for (uint32_t i = 0; i < out->outer; i++) {
    out->in_rows *= out->axis[i].input;
    out->out_rows *= out->axis[i].output;
  }
  const pn_window *w = pn_cpu_pooling_row(out);
  for (int64_t i = 0; i < w->output; i++) {
    int64_t first, end;
    pn_window_taps(w, i, &first, &end);
    if (end - first != w->kernel) continue;
    if (out->inside_end == 0) out->inside_begin = i;
    out->inside_end = i + 1;
  }
  return PELTON_OK;
}

/* Where output row |row| is on each of the axes before the last. */
static void place(const pn_cpu_pooling *p, int64_t row, int64_t *at) {
  for (uint32_t i = p->outer; i-- > 1; row /= p->axis[i].output) at[i] = row % p->axis[i].output;
  if (p->outer) at[0] = row;
}

int64_t pn_cpu_pooling_rows(const pn_cpu_pooling *p, int64_t row, int64_t *rows) {
  int64_t at[PN_MAX_RANK], count = 1, first, end;
  place(p, row, at);
  rows[0] = 0;
  for (uint32_t i = 0; i < p->outer; i++) {
    const pn_window *w = &p->axis[i];
    pn_window_taps(w, at[i], &first, &end);
    int64_t taps = end - first, start = at[i] * w->stride - w->pad_begin + first * w->dilation;
    for (int64_t k = count; k-- > 0;) { /* from the back, so that each is read before its place is taken */
      int64_t row_start = rows[k] * w->input + start;
      for (int64_t t = taps; t-- > 0;) rows[k * taps + t] = row_start + t * w->dilation;
    }
    count *= taps;
  }
  return count;
}

static int64_t counted(const pn_window *w, bool include_pad, int64_t output) {
  pn_window padded = *w;
  int64_t first, end;
  if (include_pad) {
    padded.input += w->pad_begin + w->pad_end;
    padded.pad_begin = 0;
  }
  pn_window_taps(&padded, output, &first, &end);
  return end - first;
}

int64_t pn_cpu_pooling_counted_rows(const pn_cpu_pooling *p, int64_t row) {
  int64_t at[PN_MAX_RANK], count = 1;
  place(p, row, at);
  for (uint32_t i = 0; i < p->outer; i++) count *= counted(&p->axis[i], p->count_include_pad, at[i]);
  return count;
}

int64_t pn_cpu_pooling_counted(const pn_cpu_pooling *p, int64_t i) {
  return counted(pn_cpu_pooling_row(p), p->count_include_pad, i);
}
