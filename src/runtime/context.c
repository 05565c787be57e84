/* A context: the root frame, a stream, the memory of one run at a time. Checks what the caller gives, then runs. */
#include "runtime/frame.h"

#include "base/json.h"
#include "op/text/strings.h"
#include "runtime/boxes.h"
#include "runtime/server.h"
#include "target/work.h"

struct pelton_context {
  pelton_engine *engine;
  pn_machine machine;
  pn_frame *frame;
  pn_tensor *in, *out;
  pn_sink *sinks; /* by output */
};

pelton_status pelton_context_create(pelton_engine *engine, const pelton_context_options *options, pelton_context **out,
                                    pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_context_create: engine and out must not be null");
  *out = NULL;
  pelton_context *context = pn_alloc(engine->allocator, sizeof *context, _Alignof(pelton_context));
  if (!context) return pn_fail_memory(diag, "a context");
  atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
  context->engine = engine;
  context->machine.engine = engine;
  context->machine.profile = options && options->size >= sizeof *options && options->profile;
  pn_arena_init(&context->machine.scratch, engine->allocator);
  pn_arena_init(&context->machine.lasting, engine->allocator);
  pn_arena_init(&context->machine.profile_arena, engine->allocator);
  const pn_graph *g = engine->image->graph;
  void *was = pn_engine_enter(engine);
  pelton_status status = engine->target->stream_create(engine->device, &context->machine.stream, diag);
  if (!status) status = pn_frame_create(&context->machine, g, &context->frame, diag);
  if (!status) {
    context->in = PN_NEW_ARRAY(&context->frame->arena, pn_tensor, g->inputs.count + 1);
    context->out = PN_NEW_ARRAY(&context->frame->arena, pn_tensor, g->outputs.count + 1);
    context->sinks = PN_NEW_ARRAY(&context->frame->arena, pn_sink, g->outputs.count + 1);
    if (!context->in || !context->out || !context->sinks) status = pn_fail_memory(diag, "a context");
  }
  for (uint32_t i = 0; i < g->outputs.count && !status; i++) {
    context->sinks[i] = (pn_sink){.index = i, .name = engine->output_names[i].name};
    context->frame->sinks[i] = &context->sinks[i];
  }
  if (status)
    pelton_context_release(context);
  else
    *out = context;
  pn_engine_leave(engine, was);
  return status;
}

void pelton_context_release(pelton_context *context) {
  if (!context) return;
  pelton_engine *engine = context->engine;
  void *was = pn_engine_enter(engine);
  pn_frame_release(context->frame);
  pn_machine_forget_times(&context->machine);
  engine->target->memory_release(engine->device, context->machine.arena);
  if (context->machine.stream) engine->target->stream_release(context->machine.stream);
  pn_engine_leave(engine, was);
  pn_arena_deinit(&context->machine.scratch);
  pn_arena_deinit(&context->machine.lasting);
  pn_arena_deinit(&context->machine.profile_arena);
  pn_release(engine->allocator, context);
  pelton_engine_release(engine);
}

pelton_status pelton_context_set_output_allocator(pelton_context *context, uint32_t index,
                                                  const pelton_output_allocator *allocator, pelton_diag *diag) {
  if (!context)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_context_set_output_allocator: context must not be null");
  uint32_t count = context->engine->image->graph->outputs.count;
  if (index >= count && index != PELTON_ALL_OUTPUTS)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "there is no output %u: the engine has %u", index, count);
  for (uint32_t i = 0; i < count; i++)
    if (i == index || index == PELTON_ALL_OUTPUTS)
      context->sinks[i].allocator = allocator ? *allocator : (pelton_output_allocator){NULL, NULL};
  return PELTON_OK;
}

static pelton_status check_input(const pn_graph *g, uint32_t index, const pelton_tensor *given, pn_arena *lasting,
                                 pn_tensor *out, pelton_diag *diag) {
  const pn_value *value = &g->values.data[g->inputs.data[index].v];
  const pn_type *type = &value->type;
  int64_t elements;
  if (given->dtype != type->dtype)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' is %s, not %s", PN_STR_ARG(value->name),
                   pelton_dtype_name(type->dtype), pelton_dtype_name(given->dtype));
  if (given->shape.rank > PN_MAX_RANK || (type->rank != PN_RANK_UNKNOWN && given->shape.rank != (uint32_t)type->rank))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' has rank %d, not %u", PN_STR_ARG(value->name),
                   type->rank, given->shape.rank);
  for (uint32_t d = 0; d < given->shape.rank && type->rank != PN_RANK_UNKNOWN; d++) {
    int64_t dim = given->shape.dims[d];
    int64_t low = pn_dim_lower(g->symbols, type->dims[d]), high = pn_dim_upper(g->symbols, type->dims[d]);
    if (dim < low || dim > high)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s': dim %u is %lld, the engine takes %lld%s",
                     PN_STR_ARG(value->name), d, (long long)dim, (long long)low,
                     low == high ? "" : " or more, within its bounds");
    for (uint32_t i = 0; i <= index; i++) { /* one name is one number in all inputs */
      const pn_type *other = &g->values.data[g->inputs.data[i].v].type;
      for (int32_t k = 0; k < other->rank && !pn_dim_is_number(type->dims[d]); k++) {
        int64_t first = i == index ? given->shape.dims[k] : out[(int64_t)i - index].dims[k];
        if (!pn_dim_equal(other->dims[k], type->dims[d]) || first == dim) continue;
        return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s': dim %u is %lld, but '%.*s' is %lld elsewhere",
                       PN_STR_ARG(value->name), d, (long long)dim,
                       PN_STR_ARG(g->symbols->list.data[type->dims[d].symbol - 1].name), (long long)first);
      }
    }
  }
  if (!pn_dims_elements(given->shape.rank, given->shape.dims, pelton_dtype_bytes(given->dtype), &elements))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "input '%.*s': its shape has a negative dim or more elements than memory can hold",
                   PN_STR_ARG(value->name));
  size_t bytes = (size_t)elements * pelton_dtype_bytes(given->dtype);
  if (given->bytes < bytes || (!given->data && bytes))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' needs %zu bytes, %zu are given",
                   PN_STR_ARG(value->name), bytes, given->data ? given->bytes : 0);
  if (type->dtype == PELTON_DTYPE_TENSOR) return pn_boxes_take(lasting, value->name, type, given, out, diag);
  const size_t broken = given->dtype == PELTON_DTYPE_STRING ? pn_strings_broken(given->data, (size_t)elements) : 0;
  if (given->dtype == PELTON_DTYPE_STRING && broken < (size_t)elements)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s': text %zu has a length but no bytes",
                   PN_STR_ARG(value->name), broken);
  static uint64_t nothing; /* a present tensor of no elements has an address */
  *out = (pn_tensor){.dtype = given->dtype, .rank = given->shape.rank, .data = given->data ? given->data : &nothing};
  memcpy(out->dims, given->shape.dims, sizeof out->dims[0] * out->rank);
  return PELTON_OK;
}

/* Texts of a result may be the caller's, pieces of an input: they become the context's. Elements stay where they are
   only in memory that the caller gave for them; elsewhere they may be a constant's, which other threads read. */
static pelton_status keep_texts(pelton_context *context, pn_tensor *t, const void *given, pelton_diag *diag) {
  const size_t count = (size_t)pn_tensor_elements(t);
  if (t->dtype != PELTON_DTYPE_STRING || !count) return PELTON_OK;
  pelton_string *texts = pn_strings_copy(&context->machine.lasting, t->data, count);
  if (!texts) return pn_fail_memory(diag, "an output's texts");
  if (given)
    memcpy(t->data, texts, count * sizeof *texts);
  else
    t->data = texts;
  return PELTON_OK;
}

/* All outputs get their types and shapes, also those after one whose buffer is too small. */
static pelton_status deliver(pelton_context *context, pelton_tensor *outputs, pelton_diag *diag) {
  pelton_status status = PELTON_OK;
  uint32_t count = context->engine->image->graph->outputs.count;
  for (uint32_t i = 0; i < count && (!status || status == PELTON_INVALID_ARGUMENT); i++) {
    pn_tensor *t = &context->out[i];
    pelton_status one = pn_sink_deliver(&context->sinks[i], t, diag);
    if (!one) one = keep_texts(context, t, context->sinks[i].memory, diag);
    if (one) status = one;
    outputs[i].dtype = t->dtype;
    outputs[i].shape.rank = t->rank;
    memcpy(outputs[i].shape.dims, t->dims, sizeof t->dims[0] * t->rank);
  }
  for (uint32_t i = 0; i < count && !status; i++) { /* else the shape tells how large a buffer must be */
    const pn_tensor *t = &context->out[i];
    outputs[i].data = t->data;
    outputs[i].bytes = (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype);
  }
  return status;
}

/* What the caller gives for a run: counts, inputs, memory for outputs. */
static pelton_status begin(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                           const pelton_tensor *outputs, uint32_t output_count, pelton_diag *diag) {
  const pn_graph *g = context->engine->image->graph;
  if (input_count != g->inputs.count || output_count != g->outputs.count || (!inputs && input_count) ||
      (!outputs && output_count))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the engine has %u inputs and %u outputs; %u and %u are given",
                   g->inputs.count, g->outputs.count, inputs ? input_count : 0, outputs ? output_count : 0);
  pn_arena_reset(&context->machine.lasting);
  for (uint32_t i = 0; i < input_count; i++)
    PN_TRY(check_input(g, i, &inputs[i], &context->machine.lasting, &context->in[i], diag));
  for (uint32_t i = 0; i < output_count; i++) {
    pn_sink_begin(&context->sinks[i], outputs[i].data, outputs[i].bytes);
    context->out[i] = (pn_tensor){0};
  }
  pn_machine_forget_times(&context->machine);
  return PELTON_OK;
}

/* Errors that steps met on the device come up without a name where the stream is waited for. */
static void name_fault(pelton_context *context, uint32_t mark, pelton_diag *diag) {
  const pn_target *target = context->engine->target;
  const uint32_t number = target->stream_fault ? target->stream_fault(context->machine.stream) : 0;
  const pn_plan_step *step = number ? pn_frame_find_step(context->frame, number) : NULL;
  if (step)
    pn_diag_prefix(diag, mark, "step '%.*s': %s", PN_STR_ARG(step->name), pn_op_get(step->problem->nodes[0].op)->name);
}

static pelton_status enqueue(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                             pelton_tensor *outputs, uint32_t output_count, void *stream, pelton_diag *diag) {
  PN_TRY(begin(context, inputs, input_count, outputs, output_count, diag));
  PN_TRY(pn_frame_enqueue(context->frame, context->in, context->out, stream, diag));
  for (uint32_t i = 0; i < output_count; i++) {
    const pn_tensor *t = &context->out[i];
    outputs[i].dtype = t->dtype;
    outputs[i].shape.rank = t->rank;
    memcpy(outputs[i].shape.dims, t->dims, sizeof t->dims[0] * t->rank);
    outputs[i].bytes = (size_t)pn_tensor_elements(t) * pelton_dtype_bytes(t->dtype);
  }
  return PELTON_OK;
}

pelton_status pelton_context_enqueue(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                                     pelton_tensor *outputs, uint32_t output_count, void *stream, pelton_diag *diag) {
  if (!context) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_context_enqueue: context must not be null");
  const pn_target *target = context->engine->target;
  if (!target->stream_lend)
    return pn_fail(diag, PELTON_UNSUPPORTED, "target %s has no streams of callers; use pelton_context_run",
                   target->name);
  void *was = pn_engine_enter(context->engine);
  const uint32_t mark = pn_diag_mark(diag);
  pelton_status status = enqueue(context, inputs, input_count, outputs, output_count, stream, diag);
  if (status) name_fault(context, mark, diag);
  pn_engine_leave(context->engine, was);
  return status;
}

static pelton_status run(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                         pelton_tensor *outputs, uint32_t output_count, pelton_diag *diag) {
  PN_TRY(begin(context, inputs, input_count, outputs, output_count, diag));
  const uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pn_frame_run(context->frame, context->in, context->out, diag);
  if (status) { /* nobody shall still read the caller's inputs */
    name_fault(context, mark, diag);
    (void)context->engine->target->stream_synchronize(context->machine.stream, NULL);
    name_fault(context, 0, NULL); /* of what nobody is told */
    return status;
  }
  return deliver(context, outputs, diag);
}

pelton_status pelton_context_run(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                                 pelton_tensor *outputs, uint32_t output_count, pelton_diag *diag) {
  if (!context) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_context_run: context must not be null");
  void *was = pn_engine_enter(context->engine);
  pelton_status status = run(context, inputs, input_count, outputs, output_count, diag);
  pn_engine_leave(context->engine, was);
  return status;
}

pelton_status pn_context_probe(pelton_context *context, pelton_diag *diag) {
  return context->engine->target->stream_synchronize(context->machine.stream, diag);
}

static void profile_time(pn_json *json, const pn_step_time *time) {
  const pn_plan_step *step = time->step;
  const pn_str *sources = step ? step->sources : time->node->provenance.data;
  const uint32_t source_count = step ? step->source_count : time->node->provenance.count;
  const pn_work work = step ? pn_problem_work(step->problem) : (pn_work){.bytes = time->bytes};
  pn_text problem;
  pn_text_init(&problem, NULL);
  if (step)
    pn_problem_print(step->problem, &problem);
  else
    pn_text_printf(&problem, "%s", pn_op_get(time->node->op)->name);
  pn_json_string(json, "step", step ? step->name : time->node->name);
  pn_json_array_begin(json, "sources");
  for (uint32_t k = 0; k < source_count; k++) pn_json_string(json, NULL, sources[k]);
  pn_json_array_end(json);
  pn_json_string(json, "tactic", pn_str_from(step ? step->tactic->name : "host"));
  pn_json_f64(json, "us", 1e6 * time->seconds);
  pn_json_f64(json, "flops", work.flops);
  if (work.products > 0) {
    pn_json_f64(json, "products", work.products);
    pn_json_string(json, "type", pn_str_from(pelton_dtype_name(work.type)));
  }
  pn_json_f64(json, "bytes", work.bytes);
  pn_json_string(json, "problem", (pn_str){problem.data, problem.size});
  json->text->failed |= problem.failed;
  pn_text_deinit(&problem);
}

pelton_status pelton_context_profile_json(const pelton_context *context, char **out, pelton_diag *diag) {
  if (!context || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_context_profile_json: context and out must not be null");
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_array_begin(&json, NULL);
  for (uint32_t i = 0; i < context->machine.times.count; i++) {
    pn_json_object_begin(&json, NULL);
    profile_time(&json, &context->machine.times.data[i]);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  *out = NULL;
  if (text.failed) {
    pn_text_deinit(&text);
    return pn_fail_memory(diag, "the profile");
  }
  *out = text.data;
  return PELTON_OK;
}

uint64_t pelton_context_plan_count(const pelton_context *context) { return context ? context->machine.plans_made : 0; }

uint64_t pelton_context_bytes(const pelton_context *context) { return context ? context->machine.bytes : 0; }
