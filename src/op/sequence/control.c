/* if, loop, scan: the operators that run subgraphs. What a subgraph gives for operands of given types is asked of the
   caller (call->subgraph, in ir/infer.c), for graphs are not known here; the runtime executes them.

   A loop's body sees values that change from one iteration to the next, so the types of what it carries are a fixed
   point: they start as the types at the first iteration, and where the body gives something else, a dimension becomes a
   symbol of its own, at last the whole shape unknown. What is carried unchanged keeps its shape. */
#include "op/op.h"

/* ---- shared ---------------------------------------------------------------------------------------------------- */

static pelton_status ask(const pn_infer *c, struct pn_graph *graph, const pn_fact *in, uint32_t in_count, pn_fact *out,
                         uint32_t out_count) {
  if (!c->subgraph) return PN_INTERNAL(c->diag, "a control operator is inferred without its subgraphs");
  return c->subgraph(c->subgraph_self, graph, in, in_count, out, out_count, c->diag);
}

/* A truth value of one element that is known now. */
static bool known_bool(const pn_fact *fact, bool *out) {
  if (!fact->present || !fact->data || fact->type.dtype != PELTON_DTYPE_BOOL) return false;
  *out = *(const uint8_t *)fact->data != 0;
  return true;
}

static pelton_status wants_one(const pn_infer *c, const char *op, uint32_t i, const char *name, bool boolean) {
  if (!pn_infer_has(c, i)) return PELTON_OK;
  const pn_type *type = &c->in[i].type;
  const bool fits = boolean ? type->dtype == PELTON_DTYPE_BOOL
                            : type->dtype == PELTON_DTYPE_I64 || type->dtype == PELTON_DTYPE_I32;
  if (!fits)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: %s is %s; it must be %s", op, name,
                   pelton_dtype_name(type->dtype), boolean ? "bool" : "i64");
  for (int32_t k = 0; k < type->rank; k++)
    if (pn_dim_is_number(type->dims[k]) && type->dims[k].number != 1)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: %s has %lld elements; it must have one", op, name,
                     (long long)type->dims[k].number);
  return PELTON_OK;
}

static pelton_status wants_present(const pn_infer *c, const char *op, uint32_t first, uint32_t end) {
  for (uint32_t i = first; i < end; i++)
    if (!pn_infer_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: operand %u is missing", op, i);
  return PELTON_OK;
}

static pelton_status wants_count(const pn_infer *c, const char *op, const char *name, int64_t count) {
  if (count >= 0 && count <= PN_MANY) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: %s is %lld; it must be in [0, %d]", op, name, (long long)count,
                 PN_MANY);
}

static pn_fact *new_facts(const pn_infer *c, size_t count) { return PN_NEW_ARRAY(c->arena, pn_fact, count + 1); }

/* A result that nobody asked for stays absent. */
static void give(const pn_infer *c, uint32_t i, const pn_fact *fact) {
  if (!c->out[i].present) return;
  c->out[i] = *fact;
  c->out[i].present = true;
}

static pn_fact fact_of_type(const pn_type *type) { return (pn_fact){.present = true, .type = *type}; }

static pelton_status fail_dtype(const pn_infer *c, const char *op, const char *name, uint32_t i, pelton_dtype is,
                                pelton_dtype was) {
  return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: %s %u is %s at first and %s then; its type must not change", op,
                 name, i, pelton_dtype_name(was), pelton_dtype_name(is));
}

/* ---- if -------------------------------------------------------------------------------------------------------- */

pelton_status pn_check_if(const pn_infer *c) {
  const pn_attrs_if *attrs = c->attrs;
  if (!attrs->then_graph || !attrs->else_graph)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "if: then_graph and else_graph must both be given");
  PN_TRY(wants_present(c, "if", 0, c->input_count));
  return wants_one(c, "if", 0, "the condition", true);
}

static pelton_status merge_results(const pn_infer *c, uint32_t i, const pn_type *a, const pn_type *b) {
  if (!pn_type_same_elements(a, b))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "if: result %u is %s from then_graph and %s from else_graph%s", i,
                   pelton_dtype_name(a->dtype), pelton_dtype_name(b->dtype),
                   a->dtype == b->dtype ? ", of other items" : "");
  pn_fact fact = fact_of_type(a);
  fact.type.boxes.optional = a->boxes.optional || b->boxes.optional;
  if (a->rank != b->rank) fact.type.rank = PN_RANK_UNKNOWN;
  for (int32_t k = 0; k < fact.type.rank; k++)
    if (!pn_dim_equal(a->dims[k], b->dims[k])) fact.type.dims[k] = pn_dim_fresh(c->symbols);
  give(c, i, &fact);
  return PELTON_OK;
}

pelton_status pn_infer_if(const pn_infer *c) {
  const pn_attrs_if *attrs = c->attrs;
  const uint32_t captures = c->input_count - 1;
  pn_fact *a = new_facts(c, c->output_count), *b = new_facts(c, c->output_count);
  bool condition;
  if (!a || !b) return pn_fail_memory(c->diag, "types of subgraphs");
  if (known_bool(&c->in[0], &condition)) {
    PN_TRY(ask(c, condition ? attrs->then_graph : attrs->else_graph, c->in + 1, captures, a, c->output_count));
    for (uint32_t i = 0; i < c->output_count; i++) give(c, i, &a[i]);
    return PELTON_OK;
  }
  PN_TRY(ask(c, attrs->then_graph, c->in + 1, captures, a, c->output_count));
  PN_TRY(ask(c, attrs->else_graph, c->in + 1, captures, b, c->output_count));
  for (uint32_t i = 0; i < c->output_count; i++) PN_TRY(merge_results(c, i, &a[i].type, &b[i].type));
  return PELTON_OK;
}

pelton_status pn_reference_if(const pn_call *call) { return PN_INTERNAL(call->diag, "the runtime executes if"); }

/* ---- values carried from one iteration to the next --------------------------------------------------------------- */

enum {
  EXACT_ROUNDS = 3,  /* then what still changes loses its rank, */
  LENIENT_ROUNDS = 5 /* and then everything does: nested loops multiply the rounds */
};

typedef struct carried {
  pn_type first; /* at the first iteration */
  pn_type now;   /* in every iteration: the fixed point */
  bool changes[PN_MAX_RANK];
} carried;

/* Nothing of its shape is known any more; but that a sequence has one dimension. */
static void forget_shape(pn_symbols *symbols, carried *value) {
  if (value->now.dtype != PELTON_DTYPE_TENSOR) {
    value->now.rank = PN_RANK_UNKNOWN;
  } else if (!value->changes[0]) {
    value->changes[0] = true;
    value->now.dims[0] = pn_dim_fresh(symbols);
  }
}

/* Widens |value| so that it covers |result|, what the body gave for it. */
static bool widen(pn_symbols *symbols, carried *value, const pn_type *result, uint32_t round) {
  bool changed = false;
  if (value->now.rank == PN_RANK_UNKNOWN) return false;
  if (result->rank != value->now.rank) {
    value->now.rank = PN_RANK_UNKNOWN;
    return true;
  }
  for (int32_t k = 0; k < value->now.rank; k++) {
    if (value->changes[k] || pn_dim_equal(result->dims[k], value->now.dims[k])) continue;
    value->changes[k] = changed = true;
    value->now.dims[k] = pn_dim_fresh(symbols);
  }
  if (result->boxes.optional && !value->now.boxes.optional) changed = value->now.boxes.optional = true;
  if (changed && round >= EXACT_ROUNDS) forget_shape(symbols, value);
  return changed;
}

/* Infers |body| until the types of the |count| carried values hold for every iteration. They are body inputs
   |first_in|... and results |first_out|...; the other inputs are set by the caller. */
static pelton_status infer_body(const pn_infer *c, const char *op, struct pn_graph *body, carried *values,
                                uint32_t count, pn_fact *in, uint32_t in_count, uint32_t first_in, pn_fact *out,
                                uint32_t out_count, uint32_t first_out) {
  for (uint32_t round = 1;; round++) {
    bool changed = false;
    for (uint32_t i = 0; i < count; i++) in[first_in + i] = fact_of_type(&values[i].now);
    PN_TRY(ask(c, body, in, in_count, out, out_count));
    for (uint32_t i = 0; i < count; i++) {
      const pn_type *result = &out[first_out + i].type;
      if (!pn_type_same_elements(result, &values[i].first))
        return fail_dtype(c, op, "carried value", i, result->dtype, values[i].first.dtype);
      changed = widen(c->symbols, &values[i], result, round) || changed;
    }
    if (!changed) return PELTON_OK;
    for (uint32_t i = 0; round >= LENIENT_ROUNDS && i < count; i++) forget_shape(c->symbols, &values[i]);
  }
}

static carried *new_carried(const pn_infer *c, uint32_t first, uint32_t count) {
  carried *values = PN_NEW_ARRAY(c->arena, carried, (size_t)count + 1);
  for (uint32_t i = 0; values && i < count; i++) values[i].first = values[i].now = c->in[first + i].type;
  return values;
}

/* What is left in result |i| after the last iteration: an extent that changes is some other one then. */
static void give_carried(const pn_infer *c, uint32_t i, const carried *value) {
  pn_fact fact = fact_of_type(&value->first);
  fact.type.rank = value->now.rank;
  fact.type.boxes = value->now.boxes;
  for (int32_t k = 0; k < fact.type.rank; k++)
    if (value->changes[k]) fact.type.dims[k] = pn_dim_fresh(c->symbols);
  give(c, i, &fact);
}

/* By symbol: whether it depends on one that inference of the body made, and so on the iteration. */
static bool *inner_symbols(const pn_infer *c, uint32_t mark) {
  const pn_symbols *symbols = c->symbols;
  bool *inner = PN_NEW_ARRAY(c->arena, bool, (size_t)symbols->list.count + 1);
  for (uint32_t i = mark; inner && i < symbols->list.count; i++) {
    const pn_symbol *s = &symbols->list.data[i];
    if (s->kind == PN_SYMBOL_NAMED || s->kind == PN_SYMBOL_FRESH) inner[i] = true;
    else inner[i] = (s->a.symbol && inner[s->a.symbol - 1]) || (s->b.symbol && inner[s->b.symbol - 1]);
  }
  return inner;
}

/* Result |i|: what every iteration gives, |element|, one after another along |axis|. */
static pelton_status give_stacked(const pn_infer *c, const char *op, uint32_t i, const pn_type *element,
                                  const bool *inner, uint32_t inner_count, pn_dim length, int64_t axis) {
  pn_fact fact = fact_of_type(element);
  uint32_t at;
  if (element->dtype == PELTON_DTYPE_TENSOR)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "%s: result %u would collect sequences; only tensors are collected",
                   op, i);
  if (element->rank != PN_RANK_UNKNOWN) {
    if (element->rank == PN_MAX_RANK)
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "%s: result %u would have rank %d; the limit is %d", op, i,
                     PN_MAX_RANK + 1, PN_MAX_RANK);
    PN_TRY(pn_infer_axis(c, axis, element->rank + 1, &at));
    fact.type.rank = element->rank + 1;
    for (int32_t k = 0, from = 0; k < fact.type.rank; k++) {
      const pn_dim dim = (uint32_t)k == at ? length : element->dims[from++];
      const bool varies = (uint32_t)k != at && dim.symbol > 0 && dim.symbol <= inner_count && inner[dim.symbol - 1];
      fact.type.dims[k] = varies ? pn_dim_fresh(c->symbols) : dim;
    }
  }
  give(c, i, &fact);
  return PELTON_OK;
}

/* ---- loop ------------------------------------------------------------------------------------------------------ */

pelton_status pn_check_loop(const pn_infer *c) {
  const pn_attrs_loop *attrs = c->attrs;
  if (!attrs->body) return pn_fail(c->diag, PELTON_INVALID_DATA, "loop: body must be given");
  PN_TRY(wants_count(c, "loop", "carried_count", attrs->carried_count));
  PN_TRY(wants_one(c, "loop", 0, "the trip count", false));
  PN_TRY(wants_one(c, "loop", 1, "the condition", true));
  const uint32_t end = 2 + (uint32_t)attrs->carried_count;
  if (attrs->carried_count > 0 && c->input_count < end)
    return pn_fail(c->diag, PELTON_INVALID_DATA,
                   "loop: %u operands, too few for trip count, condition and %u carried values", c->input_count,
                   end - 2);
  if (c->output_count < (uint32_t)attrs->carried_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "loop: %u results, too few for %u carried values", c->output_count,
                   end - 2);
  return wants_present(c, "loop", 2, c->input_count);
}

/* How many iterations there are, when that is known: the body must give a condition that holds, whatever happens. */
static bool loop_trips(const pn_infer *c, const pn_fact *condition_out, pn_dim *out) {
  const pn_dim *trip;
  uint32_t count;
  bool goes_on = false, condition = true;
  const bool limited = pn_infer_content(c, 0, &trip, &count) && count == 1;
  const bool condition_known = !pn_infer_has(c, 1) || known_bool(&c->in[1], &condition);
  *out = pn_dim_of(0);
  if (!condition) return true;
  if (limited && pn_dim_is_number(*trip) && trip->number <= 0) return true;
  if (!limited || !condition_known || !known_bool(condition_out, &goes_on) || !goes_on) return false;
  *out = pn_dim_max(c->symbols, *trip, pn_dim_of(0));
  return true;
}

pelton_status pn_infer_loop(const pn_infer *c) {
  static const uint8_t holds = 1;
  const pn_attrs_loop *attrs = c->attrs;
  const uint32_t count = (uint32_t)attrs->carried_count, stacked = c->output_count - count;
  const uint32_t in_count = c->input_count > 2 ? c->input_count : 2, out_count = 1 + c->output_count;
  const uint32_t mark = c->symbols->list.count;
  pn_fact *in = new_facts(c, in_count), *out = new_facts(c, out_count);
  carried *values = new_carried(c, 2, count);
  pn_dim trips;
  if (!in || !out || !values) return pn_fail_memory(c->diag, "types of a loop");
  for (uint32_t i = 2; i < in_count; i++) in[i] = c->in[i];
  in[0] = (pn_fact){.present = true, .type = pn_type_make(PELTON_DTYPE_I64, 0, NULL)};
  in[1] = (pn_fact){.present = true, .type = pn_type_make(PELTON_DTYPE_BOOL, 0, NULL)};
  if (pn_infer_has(c, 1)) in[1].type = c->in[1].type;
  in[1].data = &holds; /* or the iteration would not run */
  PN_TRY(infer_body(c, "loop", attrs->body, values, count, in, in_count, 2, out, out_count, 1));
  const bool known = loop_trips(c, &out[0], &trips);
  const bool *inner = inner_symbols(c, mark);
  const uint32_t inner_count = c->symbols->list.count;
  if (!inner) return pn_fail_memory(c->diag, "types of a loop");
  for (uint32_t i = 0; i < count; i++) {
    if (known && pn_dim_is(trips, 0)) give(c, i, &c->in[2 + i]);
    else give_carried(c, i, &values[i]);
  }
  if (!known && stacked > 0) trips = pn_dim_fresh(c->symbols);
  for (uint32_t i = count; i < c->output_count; i++)
    PN_TRY(give_stacked(c, "loop", i, &out[1 + i].type, inner, inner_count, trips, 0));
  return PELTON_OK;
}

pelton_status pn_reference_loop(const pn_call *call) { return PN_INTERNAL(call->diag, "the runtime executes loop"); }

/* ---- scan ------------------------------------------------------------------------------------------------------ */

static pelton_status wants_list(const pn_infer *c, const char *name, const pn_i64s *list, uint32_t count, bool flags) {
  if (list->count != 0 && list->count != count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: %s has %u entries; it must have %u or none", name, list->count,
                   count);
  for (uint32_t i = 0; flags && i < list->count; i++)
    if (list->data[i] != 0 && list->data[i] != 1)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: %s has an entry %lld; entries are 0 or 1", name,
                     (long long)list->data[i]);
  return PELTON_OK;
}

pelton_status pn_check_scan(const pn_infer *c) {
  const pn_attrs_scan *attrs = c->attrs;
  if (!attrs->body) return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: body must be given");
  PN_TRY(wants_count(c, "scan", "state_count", attrs->state_count));
  PN_TRY(wants_count(c, "scan", "scan_count", attrs->scan_count));
  const uint32_t states = (uint32_t)attrs->state_count, scanned = (uint32_t)attrs->scan_count;
  if (scanned == 0) return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: scan_count is 0; something must be scanned");
  if (c->input_count < states + scanned)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: %u operands, too few for %u states and %u scanned values",
                   c->input_count, states, scanned);
  if (c->output_count < states)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: %u results, too few for %u states", c->output_count, states);
  PN_TRY(wants_present(c, "scan", 0, c->input_count));
  PN_TRY(wants_list(c, "input_axes", &attrs->input_axes, scanned, false));
  PN_TRY(wants_list(c, "input_reversed", &attrs->input_reversed, scanned, true));
  PN_TRY(wants_list(c, "output_axes", &attrs->output_axes, c->output_count - states, false));
  return wants_list(c, "output_reversed", &attrs->output_reversed, c->output_count - states, true);
}

/* The type of one step of a scanned operand; |length| is narrowed to the extent that all of them share. */
static pelton_status scan_slice(const pn_infer *c, uint32_t i, int64_t axis, pn_type *slice, pn_dim *length,
                                bool *known) {
  const pn_type *type = &c->in[i].type;
  uint32_t at;
  *slice = *type;
  if (type->dtype == PELTON_DTYPE_TENSOR)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: scanned operand %u is a sequence; only tensors are scanned", i);
  if (type->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(pn_infer_axis(c, axis, type->rank, &at));
  for (int32_t k = (int32_t)at; k + 1 < type->rank; k++) slice->dims[k] = type->dims[k + 1];
  slice->rank = type->rank - 1;
  slice->dims[slice->rank] = pn_dim_of(0);
  const pn_dim extent = type->dims[at];
  if (*known && pn_dim_is_number(*length) && pn_dim_is_number(extent) && length->number != extent.number)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "scan: scanned operands have %lld and %lld steps",
                   (long long)length->number, (long long)extent.number);
  if (!*known || pn_dim_is_number(extent)) *length = extent;
  *known = true;
  return PELTON_OK;
}

pelton_status pn_infer_scan(const pn_infer *c) {
  const pn_attrs_scan *attrs = c->attrs;
  const uint32_t states = (uint32_t)attrs->state_count, scanned = (uint32_t)attrs->scan_count;
  const uint32_t mark = c->symbols->list.count;
  pn_fact *in = new_facts(c, c->input_count), *out = new_facts(c, c->output_count);
  carried *values = new_carried(c, 0, states);
  pn_dim length = pn_dim_of(0);
  bool known = false;
  if (!in || !out || !values) return pn_fail_memory(c->diag, "types of a scan");
  for (uint32_t i = states; i < c->input_count; i++) in[i] = c->in[i];
  for (uint32_t i = 0; i < scanned; i++) {
    pn_type slice;
    const int64_t axis = attrs->input_axes.count > 0 ? attrs->input_axes.data[i] : 0;
    PN_TRY(scan_slice(c, states + i, axis, &slice, &length, &known));
    in[states + i] = fact_of_type(&slice);
  }
  PN_TRY(infer_body(c, "scan", attrs->body, values, states, in, c->input_count, 0, out, c->output_count, 0));
  const bool *inner = inner_symbols(c, mark);
  const uint32_t inner_count = c->symbols->list.count;
  if (!inner) return pn_fail_memory(c->diag, "types of a scan");
  for (uint32_t i = 0; i < states; i++) {
    if (known && pn_dim_is(length, 0)) give(c, i, &c->in[i]);
    else give_carried(c, i, &values[i]);
  }
  if (!known) length = pn_dim_fresh(c->symbols);
  for (uint32_t i = states; i < c->output_count; i++) {
    const int64_t axis = attrs->output_axes.count > 0 ? attrs->output_axes.data[i - states] : 0;
    PN_TRY(give_stacked(c, "scan", i, &out[i].type, inner, inner_count, length, axis));
  }
  return PELTON_OK;
}

pelton_status pn_reference_scan(const pn_call *call) { return PN_INTERNAL(call->diag, "the runtime executes scan"); }
