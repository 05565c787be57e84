/* batch_norm: (x - mean) / sqrt(var + epsilon) * scale + bias, with statistics of each channel: given ones, or in
   training those of the batch, of which the running ones then take their share. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

static const char *const names[] = {"x", "scale", "bias", "mean", "var"};

pelton_status pn_check_batch_norm(const pn_infer *c) {
  const pn_attrs_batch_norm *attrs = c->attrs;
  for (uint32_t i = 0; i < 5; i++) {
    if (!pn_infer_has(c, i))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "batch_norm: %s is absent; give all five operands", names[i]);
    PN_TRY(pn_operand_wants_float(c, "batch_norm", i, names[i]));
    PN_TRY(pn_operand_wants_rank(c, "batch_norm", i, names[i], 1, i == 0 ? (int32_t)PN_MAX_RANK : 1));
  }
  for (uint32_t i = 1; c->out && !attrs->training && i < c->output_count; i++)
    if (c->out[i].present)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "batch_norm: result %u is asked for, but running statistics come from training=true only",
                     (unsigned)i);
  return PELTON_OK;
}

pelton_status pn_infer_batch_norm(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  pn_dim channels = x->rank > 1 ? x->dims[1] : x->rank == 1 ? pn_dim_of(1) : pn_dim_fresh(c->symbols);
  for (uint32_t i = 1; i < 5; i++)
    if (c->in[i].type.rank == 1 && !pn_dim_unify(channels, c->in[i].type.dims[0], &channels))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "batch_norm: %s has %lld elements for %lld channels; they must be equal",
                     names[i], (long long)c->in[i].type.dims[0].number, (long long)channels.number);
  pn_infer_same(c, 0);
  for (uint32_t i = 1; i < c->output_count; i++) {
    c->out[i].type = (pn_type){.dtype = c->in[i + 2].type.dtype, .rank = 1};
    c->out[i].type.dims[0] = channels;
  }
  return PELTON_OK;
}

typedef struct planes {
  int64_t batch, channels, plane;
} planes;

/* Mean and variance of channel |channel|; |line| is room for a plane. */
static void measure_channel(const pn_tensor *x, const planes *p, int64_t channel, double *line, double *mean,
                            double *var) {
  double count = (double)(p->batch * p->plane), sums[2] = {0, 0};
  for (int pass = 0; pass < 2; pass++)
    for (int64_t n = 0; n < p->batch; n++) {
      pn_line_load(x, (n * p->channels + channel) * p->plane, 1, p->plane, line);
      for (int64_t i = 0; i < p->plane; i++) {
        double v = line[i] - (pass ? *mean : 0);
        sums[pass] += pass ? v * v : v;
      }
      *mean = sums[0] / count;
    }
  *mean = sums[0] / count;
  *var = sums[1] / count;
}

/* What of the running statistic |operand| remains, and what this batch adds. */
static void update_running(const pn_call *call, uint32_t result, uint32_t operand, int64_t channel, double current) {
  const pn_attrs_batch_norm *attrs = call->attrs;
  if (result >= call->output_count || !call->out[result].data) return;
  double momentum = (double)attrs->momentum, old = pn_tensor_get_f64(&call->in[operand], channel);
  pn_tensor_set_f64(&call->out[result], channel, old * momentum + current * (1 - momentum));
}

pelton_status pn_reference_batch_norm(const pn_call *call) {
  const pn_attrs_batch_norm *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  planes p = {.batch = x->rank > 0 ? x->dims[0] : 1, .channels = x->rank > 1 ? x->dims[1] : 1, .plane = 1};
  double *line;
  for (uint32_t i = 2; i < x->rank; i++) p.plane *= x->dims[i];
  PN_TRY(pn_call_wants_result(call, "batch_norm", 0, x->rank, x->dims));
  for (uint32_t i = 1; i < 5; i++) PN_TRY(pn_call_wants_elements(call, "batch_norm", i, names[i], p.channels));
  for (uint32_t i = 1; i < call->output_count; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, "batch_norm", i, 1, &p.channels));
  PN_TRY(pn_call_room(call, p.plane, &line));
  for (int64_t c = 0; c < p.channels; c++) {
    double mean = pn_tensor_get_f64(&call->in[3], c), var = pn_tensor_get_f64(&call->in[4], c);
    if (attrs->training) {
      measure_channel(x, &p, c, line, &mean, &var);
      update_running(call, 1, 3, c, mean);
      update_running(call, 2, 4, c, var);
    }
    double scale = pn_tensor_get_f64(&call->in[1], c) / sqrt(var + (double)attrs->epsilon);
    double bias = pn_tensor_get_f64(&call->in[2], c);
    for (int64_t n = 0; n < p.batch; n++) {
      int64_t start = (n * p.channels + c) * p.plane;
      pn_line_load(x, start, 1, p.plane, line);
      for (int64_t i = 0; i < p.plane; i++) line[i] = (line[i] - mean) * scale + bias;
      pn_line_store(&call->out[0], start, 1, p.plane, line);
    }
  }
  return PELTON_OK;
}
