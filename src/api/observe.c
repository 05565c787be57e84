/* Running a network in f32 to see how large its values become: a copy of the graph with those values as outputs, in as
   many runs as memory wants. */
#include "api/precision.h"
#include "runtime/engine.h"

#include <math.h>
#include <string.h>

enum { RUN_BYTES = 1 << 29 }; /* of values that are kept at once */

typedef struct observer {
  const pn_graph *g;
  const pelton_shape *shapes;
  const pelton_build_options *options;
  const pelton_allocator *allocator;
  pn_ranges *ranges;
  uint8_t *wanted; /* by value: an f32 value that a node computes */
  double *bytes;   /* by value */
  pelton_diag *diag;
} observer;

/* The sizes of all values, as far as they follow from the inputs' shapes. */
static pelton_status find_sizes(observer *o, pn_arena *arena) {
  const pn_graph *g = o->g;
  pn_symbols symbols;
  pn_symbols_init(&symbols, arena);
  pn_facts facts;
  pn_fact *inputs = PN_NEW_ARRAY(arena, pn_fact, g->inputs.count + 1u);
  o->wanted = PN_NEW_ARRAY(arena, uint8_t, g->values.count + 1u);
  o->bytes = PN_NEW_ARRAY(arena, double, g->values.count + 1u);
  if (!inputs || !o->wanted || !o->bytes) return pn_fail_memory(o->diag, "samples");
  PN_TRY(pn_facts_create(g, arena, &facts, o->diag));
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_type *type = &g->values.data[g->inputs.data[i].v].type;
    inputs[i] = (pn_fact){.present = true, .type = pn_type_make(type->dtype, o->shapes[i].rank, o->shapes[i].dims)};
    pn_type_take_elements(&inputs[i].type, type);
  }
  pn_infer_options infer = {inputs, 0, 0, true, arena, &symbols};
  PN_TRY(pn_graph_infer(g, &infer, &facts, NULL, o->diag));
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    for (uint32_t i = 0; i < node->outputs.count; i++) {
      const pn_value_id v = node->outputs.data[i];
      if (!pn_value_valid(v) || g->values.data[v.v].type.dtype != PELTON_DTYPE_F32) continue;
      const pn_type *type = &facts.data[v.v].type;
      double elements = 1;
      for (int32_t d = 0; facts.data[v.v].present && d < type->rank; d++)
        elements *= pn_dim_is_number(type->dims[d]) ? (double)type->dims[d].number : 1;
      o->wanted[v.v] = 1;
      o->bytes[v.v] = elements * sizeof(float);
    }
  }
  return PELTON_OK;
}

/* An engine whose outputs are the wanted values from |*at| on, as many as fit; |*at| moves behind them. */
static pelton_status make_engine(observer *o, uint32_t *at, pelton_engine **out, pn_value_list *seen, pn_arena *arena) {
  pn_image *image = pn_image_create(o->allocator, NULL);
  if (!image) return pn_fail_memory(o->diag, "samples");
  pn_graph *g = image->graph = pn_graph_clone(o->g, &image->arena);
  bool ok = g != NULL;
  double bytes = 0;
  seen->count = 0;
  for (uint32_t i = 0; ok && i < o->g->outputs.count; i++) ok = pn_list_push(arena, seen, o->g->outputs.data[i]);
  for (; ok && *at < o->g->values.count && (bytes == 0 || bytes + o->bytes[*at] <= RUN_BYTES); (*at)++) {
    const pn_value_id v = {*at};
    bool listed = false;
    for (uint32_t i = 0; i < o->g->outputs.count; i++) listed = listed || pn_value_same(o->g->outputs.data[i], v);
    if (!o->wanted[v.v] || listed) continue;
    bytes += o->bytes[v.v];
    ok = pn_graph_add_output(g, v) && pn_list_push(arena, seen, v);
  }
  if (!ok) {
    pn_image_release(image);
    return pn_fail_memory(o->diag, "samples");
  }
  pelton_run_options run = PELTON_RUN_OPTIONS_INIT;
  run.target = "cpu";
  run.threads = o->options->threads;
  run.allocator = o->allocator;
  return pn_engine_create(image, &run, out, o->diag);
}

static int64_t elements_of(const pelton_shape *shape) {
  int64_t n = 1;
  for (uint32_t d = 0; d < shape->rank; d++) n *= shape->dims[d];
  return n;
}

static pelton_status observe_run(observer *o, pelton_context *context, const pelton_tensor *inputs,
                                 const pn_value_list *seen, bool first_time, pn_arena *arena) {
  pelton_tensor *outputs = PN_NEW_ARRAY(arena, pelton_tensor, seen->count + 1u);
  if (!outputs) return pn_fail_memory(o->diag, "samples");
  PN_TRY(pelton_context_run(context, inputs, o->g->inputs.count, outputs, seen->count, o->diag));
  for (uint32_t i = 0; i < seen->count; i++) {
    const bool output = i < o->g->outputs.count;
    if (outputs[i].dtype != PELTON_DTYPE_F32 || (output && !first_time)) continue;
    pn_range_observe(&o->ranges->data[seen->data[i].v], outputs[i].data, (int64_t)(outputs[i].bytes / sizeof(float)));
  }
  for (uint32_t i = 0; i < o->g->inputs.count && first_time; i++)
    if (inputs[i].dtype == PELTON_DTYPE_F32)
      pn_range_observe(&o->ranges->data[o->g->inputs.data[i].v], inputs[i].data, elements_of(&inputs[i].shape));
  return PELTON_OK;
}

static pelton_status observe_samples(observer *o, const pelton_tensor *samples, uint32_t count, pn_arena *arena) {
  uint32_t at = 0;
  pn_value_list seen = {0};
  do {
    const bool first_time = at == 0;
    pelton_engine *engine = NULL;
    pelton_context *context = NULL;
    pelton_status status = make_engine(o, &at, &engine, &seen, arena);
    if (!status) status = pelton_context_create(engine, NULL, &context, o->diag);
    for (uint32_t s = 0; s < count && !status; s++)
      status = observe_run(o, context, samples + (size_t)s * o->g->inputs.count, &seen, first_time, arena);
    pelton_context_release(context);
    pelton_engine_release(engine);
    if (status) return status;
  } while (at < o->g->values.count);
  return PELTON_OK;
}

static double uniform(uint64_t *state) { /* Marsaglia's xorshift64*, "Xorshift RNGs", 2003, with Vigna's multiplier */
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (double)((*state * UINT64_C(2685821657736338717)) >> 11) * 0x1p-53;
}

/* Box and Muller's. */
static double normal(uint64_t *state) {
  const double radius = sqrt(-2 * log(1 - uniform(state)));
  return radius * cos(6.283185307179586 * uniform(state));
}

/* The range that was given for input |i|; null: none, or one without an end. */
static const pelton_input_range *range_of(const observer *o, uint32_t i) {
  for (uint32_t r = 0; r < o->options->range_count; r++) {
    const pelton_input_range *range = &o->options->ranges[r];
    if (pn_str_is(o->g->values.data[o->g->inputs.data[i].v].name, range->name) && isfinite(range->lo) &&
        isfinite(range->hi))
      return range;
  }
  return NULL;
}

/* Numbers that are uniform in the input's range, normal ones where it has none; integers and truth values are 0 and 1 in
   turn, which are indices that most networks take. */
static pelton_status draw(observer *o, uint32_t count, pn_arena *arena, pelton_tensor **out) {
  const pn_graph *g = o->g;
  uint64_t state = 1;
  *out = PN_NEW_ARRAY(arena, pelton_tensor, (size_t)count * g->inputs.count + 1u);
  if (!*out) return pn_fail_memory(o->diag, "samples");
  for (uint32_t k = 0; k < count * g->inputs.count; k++) {
    const uint32_t i = k % g->inputs.count;
    const pn_type *type = &g->values.data[g->inputs.data[i].v].type;
    const pelton_input_range *range = range_of(o, i);
    pn_tensor t = {.dtype = type->dtype, .rank = o->shapes[i].rank};
    memcpy(t.dims, o->shapes[i].dims, sizeof t.dims);
    const int64_t elements = pn_tensor_elements(&t);
    const size_t bytes = (size_t)elements * pelton_dtype_bytes(t.dtype);
    if (pn_dtype_points(t.dtype)) return pn_fail(o->diag, PELTON_UNSUPPORTED, "inputs that are texts need samples");
    t.data = pn_arena_alloc(arena, bytes + 1, 64);
    if (!t.data) return pn_fail_memory(o->diag, "samples");
    for (int64_t e = 0; e < elements; e++) {
      if (pn_dtype_is_float(t.dtype))
        pn_tensor_set_f64(&t, e, range ? range->lo + (range->hi - range->lo) * uniform(&state) : normal(&state));
      else
        pn_tensor_set_i64(&t, e, e & 1);
    }
    (*out)[k] = (pelton_tensor){t.dtype, o->shapes[i], t.data, bytes};
  }
  return PELTON_OK;
}

pelton_status pn_observe_runs(const pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                              uint32_t random, pn_ranges *ranges, pelton_diag *diag) {
  pn_arena arena;
  observer o = {.g = g, .shapes = shapes, .options = options, .ranges = ranges, .diag = diag};
  o.allocator = options->allocator ? options->allocator : &pn_allocator_default;
  pn_arena_init(&arena, o.allocator);
  const pelton_tensor *samples = options->samples;
  pelton_tensor *drawn;
  pelton_status status = find_sizes(&o, &arena);
  if (!status && !options->sample_count) {
    status = draw(&o, random, &arena, &drawn);
    samples = drawn;
  }
  if (!status)
    status = observe_samples(&o, samples, options->sample_count ? options->sample_count : random, &arena);
  pn_arena_deinit(&arena);
  return status;
}
