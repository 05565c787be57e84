/* What runs along sequences: recurrent layers (the inputs' part of all gates at once, then a block for each sequence
   and direction), linear attention (a column of a head's state a thread), rotary embeddings (an element a thread). */
#include "op/sequence/recurrent.h"
#include "targets/cuda/each.h"

#include <math.h>

/* The form of sums and what computes in it. */
static void add_forms(pn_cuda_each *e, pelton_dtype dtype) {
  bool wide = dtype == PELTON_DTYPE_F64;
  pn_cuda_each_word(e, "S", wide ? "f64" : "f32");
  pn_cuda_each_word(e, "EXP", wide ? "exp" : "expf");
  pn_cuda_each_word(e, "TANH", wide ? "tanh" : "tanhf");
  pn_cuda_each_word(e, "LOG1P", wide ? "log1p" : "log1pf");
  e->fused = true;
}

static size_t form_bytes(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F64 ? 8 : 4; }

/* ---- recurrent --------------------------------------------------------------------------------------------------- */

typedef struct layer {
  int64_t steps, batch, inputs, hidden, directions, gates;
} layer;

static layer layer_of(const pn_problem *p) {
  const pn_attrs_recurrent *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  return (layer){.steps = x->dims[attrs->batch_first ? 1 : 0],
                 .batch = x->dims[attrs->batch_first ? 0 : 1],
                 .inputs = x->dims[2],
                 .hidden = attrs->hidden,
                 .directions = attrs->direction == PN_DIRECTION_BOTH ? 2 : 1,
                 .gates = attrs->kind == PN_RECURRENT_LSTM  ? 4
                          : attrs->kind == PN_RECURRENT_GRU ? 3
                                                            : 1};
}

static size_t recurrent_workspace(const pn_problem *p, const pn_device *device) {
  layer l = layer_of(p);
  (void)device;
  return (size_t)(l.directions * l.batch * l.hidden * (l.steps * l.gates + 4)) *
         form_bytes(pn_problem_input(p, 0, 0)->dtype);
}

static bool has_dims(const pn_operand *o, int64_t a, int64_t b, int64_t c) {
  return !o || (o->dims[0] == a && (o->rank < 2 || o->dims[1] == b) && (o->rank < 3 || o->dims[2] == c));
}

static bool accepts_recurrent(const pn_problem *p, pn_reason *why) {
  const pn_attrs_recurrent *attrs = p->nodes[0].attrs;
  layer l = layer_of(p);
  pn_activation act[2][3];
  int64_t rows = l.gates * l.hidden, d = l.directions, first = attrs->batch_first ? l.batch : d,
          second = attrs->batch_first ? d : l.batch;
  if (!has_dims(pn_problem_input(p, 0, 1), d, rows, l.inputs) ||
      !has_dims(pn_problem_input(p, 0, 2), d, rows, l.hidden) || !has_dims(pn_problem_input(p, 0, 3), d, 2 * rows, 0) ||
      !has_dims(pn_problem_input(p, 0, 4), l.batch, 0, 0) ||
      !has_dims(pn_problem_input(p, 0, 5), first, second, l.hidden) ||
      !has_dims(pn_problem_input(p, 0, 6), first, second, l.hidden) ||
      !has_dims(pn_problem_input(p, 0, 7), d, 3 * l.hidden, 0) || pn_recurrent_activations(NULL, attrs, act))
    return pn_refuse(why, "operands that do not fit");
  if ((double)d * (double)l.batch * (double)rows * (double)(l.steps + 4) > INT32_MAX)
    return pn_refuse(why, "more than 2^31 gates");
  return true;
}

static pelton_status add_recurrent(const pn_problem *p, const pn_device *device, pn_cuda_work *work, bool inputs_part,
                                   pelton_diag *diag) {
  static const char *const inputs[] = {"X", "W", "R", "B", "LENGTHS", "H0", "C0", "P"};
  static const char *const outputs[] = {"Y", "LAST_H", "LAST_C"};
  const pn_attrs_recurrent *attrs = p->nodes[0].attrs;
  layer l = layer_of(p);
  pn_activation act[2][3] = {{{PN_ACTIVATION_TANH, 0, 0}}};
  int64_t kinds[6], rows = l.gates * l.hidden;
  pn_cuda_each e;
  PN_TRY(pn_recurrent_activations(diag, attrs, act));
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  add_forms(&e, pn_problem_input(p, 0, 0)->dtype);
  pn_cuda_each_constant(&e, "RECURRENT", 1);
  pn_cuda_each_constant(&e, "GATES", l.gates);
  pn_cuda_each_constant(&e, "BATCH_FIRST", attrs->batch_first);
  pn_cuda_each_constant(&e, "REVERSE", attrs->direction == PN_DIRECTION_REVERSE);
  pn_cuda_each_constant(&e, "LINEAR_BEFORE_RESET", attrs->linear_before_reset);
  pn_cuda_each_constant(&e, "INPUT_FORGET", attrs->input_forget);
  pn_cuda_each_number(&e, "DIRECTIONS", l.directions);
  pn_cuda_each_number(&e, "SEQUENCES", l.batch);
  pn_cuda_each_number(&e, "STEPS", l.steps);
  pn_cuda_each_number(&e, "INPUTS", l.inputs);
  pn_cuda_each_number(&e, "HIDDEN", l.hidden);
  pn_cuda_each_number(&e, "ROWS", rows);
  pn_cuda_each_divider(&e, "ROW", rows);
  pn_cuda_each_divider(&e, "STEP", l.steps);
  pn_cuda_each_real(&e, "CLIP", (double)attrs->clip);
  for (uint32_t i = 0; i < 6; i++) kinds[i] = act[i / 3][i % 3].kind;
  pn_cuda_each_numbers(&e, "KIND", kinds, 6);
  pn_text_printf(&e.head, "#define ALPHA(i) (a.real[%u + (i)])\n#define BETA(i) (a.real[%u + (i)])\n",
                 (unsigned)e.reals, (unsigned)e.reals + 6);
  for (uint32_t i = 0; i < 6; i++) {
    e.stage->arguments.real[e.reals + i] = act[i / 3][i % 3].alpha;
    e.stage->arguments.real[e.reals + 6 + i] = act[i / 3][i % 3].beta;
  }
  if (inputs_part)
    return pn_cuda_each_end(&e, "sequence.cu", "recurrent_inputs", l.directions * l.batch * l.steps * rows, 1, diag);
  return pn_cuda_each_end(&e, "sequence.cu", "recurrent", l.directions * l.batch, l.hidden > 64 ? 256 : 64, diag);
}

static pelton_status prepare_recurrent(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                       pelton_diag *diag) {
  PN_TRY(add_recurrent(p, device, work, true, diag));
  return add_recurrent(p, device, work, false, diag);
}

/* ---- linear_attention -------------------------------------------------------------------------------------------- */

static size_t linear_attention_workspace(const pn_problem *p, const pn_device *device) {
  const pn_attrs_linear_attention *attrs = p->nodes[0].attrs;
  const pn_operand *k = pn_problem_input(p, 0, 1), *v = pn_problem_input(p, 0, 2);
  (void)device;
  return (size_t)(k->dims[0] * k->dims[2] * (v->dims[2] / attrs->kv_heads)) * form_bytes(k->dtype);
}

static bool accepts_linear_attention(const pn_problem *p, pn_reason *why) {
  const pn_attrs_linear_attention *attrs = p->nodes[0].attrs;
  const pn_operand *k = pn_problem_input(p, 0, 1), *v = pn_problem_input(p, 0, 2);
  if ((double)k->dims[0] * (double)k->dims[2] * (double)(v->dims[2] / attrs->kv_heads) > INT32_MAX)
    return pn_refuse(why, "more than 2^31 elements of states");
  return true;
}

static pelton_status prepare_linear_attention(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                              pelton_diag *diag) {
  static const char *const inputs[] = {"Q", "KEYS", "V", "STATE", "DECAY", "BETA"}, *const outputs[] = {"Y", "LAST"};
  const pn_attrs_linear_attention *attrs = p->nodes[0].attrs;
  const pn_operand *k = pn_problem_input(p, 0, 1), *v = pn_problem_input(p, 0, 2), *decay = pn_problem_input(p, 0, 4),
                   *beta = pn_problem_input(p, 0, 5);
  int64_t depth = k->dims[2] / attrs->kv_heads, columns = v->dims[2] / attrs->kv_heads;
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  add_forms(&e, k->dtype);
  pn_cuda_each_constant(&e, "LINEAR_ATTENTION", 1);
  pn_cuda_each_constant(&e, "DECAY_EACH", decay && decay->dims[2] == k->dims[2]);
  pn_cuda_each_constant(&e, "BETA_EACH", beta && beta->dims[2] != 1);
  pn_cuda_each_divider(&e, "COLUMNS", columns);
  pn_cuda_each_number(&e, "HEADS", attrs->kv_heads);
  pn_cuda_each_number(&e, "GROUP", attrs->q_heads / attrs->kv_heads);
  pn_cuda_each_number(&e, "DEPTH", depth);
  pn_cuda_each_number(&e, "STEPS", k->dims[1]);
  pn_cuda_each_real(&e, "SCALE", attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)pn_max_i64(depth, 1)));
  return pn_cuda_each_end(&e, "sequence.cu", "linear_attention", k->dims[0] * attrs->kv_heads * columns, 1, diag);
}

/* ---- rotary_embedding -------------------------------------------------------------------------------------------- */

static pelton_status prepare_rotary(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  static const char *const inputs[] = {"X", "COS", "SIN", "POSITIONS"}, *const outputs[] = {"Y"};
  const pn_attrs_rotary_embedding *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *cosines = pn_problem_input(p, 0, 1);
  bool by_heads = x->rank == 4;
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  add_forms(&e, x->dtype);
  pn_cuda_each_constant(&e, "ROTARY_EMBEDDING", 1);
  pn_cuda_each_constant(&e, "INTERLEAVED", attrs->interleaved);
  pn_cuda_each_constant(&e, "BY_HEADS", by_heads);
  pn_cuda_each_divider(&e, "DEPTH", by_heads ? x->dims[3] : x->dims[2] / attrs->heads);
  pn_cuda_each_divider(&e, "FIRST_SPLIT", by_heads ? x->dims[2] : attrs->heads);
  pn_cuda_each_divider(&e, "SECOND_SPLIT", by_heads ? x->dims[1] : 1);
  pn_cuda_each_number(&e, "HALF", cosines->dims[cosines->rank - 1]);
  pn_cuda_each_number(&e, "PLACES", cosines->dims[0]);
  return pn_cuda_each_end(&e, "sequence.cu", "rotary_embedding", pn_operand_elements(x), 1, diag);
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_RECURRENT, accepts_recurrent, recurrent_workspace, prepare_recurrent},
    {PN_OP_LINEAR_ATTENTION, accepts_linear_attention, linear_attention_workspace, prepare_linear_attention},
    {PN_OP_ROTARY_EMBEDDING, NULL, NULL, prepare_rotary},
};
PN_CUDA_EACH_TACTIC(sequence, ops);
