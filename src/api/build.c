/* pelton_engine_build: clone, passes, plan for the profile's shapes, and the pieces of an engine. */
#include "api/model.h"
#include "api/precision.h"
#include "base/clock.h"
#include "base/json.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "plan/timing.h"
#include "runtime/host_nodes.h"

#include <stdio.h>

typedef struct build {
  pelton_build_options options;
  const pelton_allocator *allocator;
  pelton_engine *engine;
  pn_image *image;
  pn_graph *graph;
  pn_timing_cache cache;
  pn_text report;
  pn_json json;
  pelton_shape *shapes; /* of the inputs, as planned */
  bool guessed;         /* some dims are not the model's nor a profile's */
  uint32_t planned;     /* nodes of the first segment, which the plan has; the rest is planned by contexts */
  pn_counted counted;   /* of the node where that ends */
  double passes_seconds, plan_seconds;
  char budget_note[200]; /* what it left out; empty: nothing */
  bool stopped;
} build;

static void progress(build *b, double done, const char *what) {
  if (b->options.progress && b->options.progress(b->options.progress_self, done, what)) b->stopped = true;
}

static void plan_progress(void *self, uint32_t done, uint32_t total) {
  progress(self, 0.2 + 0.7 * (double)done / (double)(total ? total : 1), "choosing tactics");
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static const pelton_input_profile *profile_of(const build *b, pn_str name) {
  for (uint32_t i = 0; i < b->options.profile_count; i++)
    if (pn_str_is(name, b->options.profiles[i].name)) return &b->options.profiles[i];
  return NULL;
}

static pelton_status apply_profile(build *b, const pn_value *input, const pelton_input_profile *profile,
                                   pelton_shape *shape, pelton_diag *diag) {
  const pn_type *type = &input->type;
  if (type->rank != PN_RANK_UNKNOWN && profile->opt.rank != (uint32_t)type->rank)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' has rank %d, the shape given for it %u",
                   PN_STR_ARG(input->name), type->rank, profile->opt.rank);
  *shape = profile->opt;
  for (int32_t d = 0; d < type->rank; d++) {
    int64_t low = profile->min.rank ? profile->min.dims[d] : 0,
            high = profile->max.rank ? profile->max.dims[d] : INT64_MAX;
    int64_t opt = profile->opt.dims[d];
    if (pn_dim_is_number(type->dims[d]) && type->dims[d].number != opt)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "input '%.*s': dim %d is %lld in the model, not %lld; it is not dynamic", PN_STR_ARG(input->name),
                     d, (long long)type->dims[d].number, (long long)opt);
    if (opt < low || opt > high)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s': dim %d is %lld, outside of its bounds %lld to %lld",
                     PN_STR_ARG(input->name), d, (long long)opt, (long long)low, (long long)high);
    if (!pn_dim_is_number(type->dims[d]) && (low > 0 || high < INT64_MAX))
      PN_TRY(pn_symbol_bound(b->graph->symbols, type->dims[d], low, high, diag));
  }
  return PELTON_OK;
}

/* A shape for every input: its profile's, else what the model says; dynamic dims without a profile are taken as 1 when
   they stand first (a batch), as |guess| elsewhere, within their bounds. */
static pelton_status choose_shapes(build *b, int64_t guess, pelton_diag *diag) {
  const pn_graph *g = b->graph;
  b->shapes = PN_NEW_ARRAY(&b->image->arena, pelton_shape, g->inputs.count + 1);
  if (!b->shapes) return pn_fail_memory(diag, "the build");
  for (uint32_t i = 0; i < b->options.profile_count; i++) {
    bool known = false;
    for (uint32_t k = 0; k < g->inputs.count; k++)
      known |= pn_str_is(g->values.data[g->inputs.data[k].v].name, b->options.profiles[i].name);
    if (!known)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the model has no input '%s'", b->options.profiles[i].name);
  }
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_value *input = &g->values.data[g->inputs.data[i].v];
    const pelton_input_profile *profile = profile_of(b, input->name);
    if (profile) PN_TRY(apply_profile(b, input, profile, &b->shapes[i], diag));
  }
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_value *input = &g->values.data[g->inputs.data[i].v];
    if (profile_of(b, input->name)) continue;
    b->shapes[i].rank = input->type.rank > 0 ? (uint32_t)input->type.rank : 0;
    for (int32_t d = 0; d < input->type.rank; d++) {
      pn_dim dim = input->type.dims[d];
      int64_t n = d == 0 ? 1 : guess;
      n = pn_min_i64(pn_max_i64(n, pn_dim_lower(g->symbols, dim)), pn_dim_upper(g->symbols, dim));
      b->guessed |= !pn_dim_is_number(dim);
      for (uint32_t k = 0; k < g->inputs.count && !pn_dim_is_number(dim);
           k++) { /* a name that a profile fixed elsewhere */
        const pn_value *other = &g->values.data[g->inputs.data[k].v];
        for (int32_t e = 0; profile_of(b, other->name) && e < other->type.rank; e++)
          if (pn_dim_equal(other->type.dims[e], dim)) n = b->shapes[k].dims[e];
      }
      b->shapes[i].dims[d] = n;
    }
  }
  return PELTON_OK;
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

/* The first segment, as a frame would make it: what the shapes alone determine. */
static pelton_status plan_first_segment(build *b, pelton_diag *diag) {
  const pn_graph *g = b->graph;
  pn_arena arena;
  pn_arena_init(&arena, b->allocator);
  pn_symbols symbols;
  pn_symbols_init(&symbols, &arena);
  pn_facts facts;
  pn_fact *inputs = PN_NEW_ARRAY(&arena, pn_fact, g->inputs.count + 1);
  uint32_t stopped = 0, end = 0;
  while (end < g->nodes.count && !pn_op_is_host(g->nodes.data[end].op)) end++;
  pelton_status status = inputs ? pn_facts_create(g, &arena, &facts, diag) : pn_fail_memory(diag, "the build");
  for (uint32_t i = 0; i < g->inputs.count && !status; i++) {
    const pn_type *type = &g->values.data[g->inputs.data[i].v].type;
    inputs[i] = (pn_fact){.present = true, .type = pn_type_make(type->dtype, b->shapes[i].rank, b->shapes[i].dims)};
    pn_type_take_elements(&inputs[i].type, type);
  }
  pn_infer_options infer = {inputs, 0, end, true, &arena, &symbols};
  if (!status && end) status = pn_graph_infer(g, &infer, &facts, &stopped, diag); /* an end of 0 would mean all */
  for (uint32_t i = 0; i < g->inputs.count && !status && !end; i++) facts.data[g->inputs.data[i].v] = inputs[i];
  if (stopped > end) stopped = end;
  if (!status && stopped == end && end < g->nodes.count) {
    status = pn_plan_count(g, end, b->engine->target, b->engine->device, &facts, &arena, &b->counted, diag);
    stopped += b->counted.takes;
  }
  pn_value_list outputs = {0};
  uint8_t *wanted =
      status ? NULL : PN_NEW_ARRAY(&arena, uint8_t, g->values.count); /* outputs, and what is used later */
  if (!status && !wanted) status = pn_fail_memory(diag, "the build");
  for (uint32_t i = 0; i < g->outputs.count && !status; i++) wanted[g->outputs.data[i].v] = 1;
  for (uint32_t n = stopped; n < g->nodes.count && !status; n++)
    for (uint32_t i = 0; i < g->nodes.data[n].inputs.count; i++)
      if (pn_value_valid(g->nodes.data[n].inputs.data[i])) wanted[g->nodes.data[n].inputs.data[i].v] = 1;
  for (uint32_t n = 0; n < stopped && !status; n++) {
    for (uint32_t i = 0; i < g->nodes.data[n].outputs.count && !status; i++) {
      pn_value_id v = g->nodes.data[n].outputs.data[i];
      if (pn_value_valid(v) && wanted[v.v] && facts.data[v.v].present && !pn_list_push(&arena, &outputs, v))
        status = pn_fail_memory(diag, "the build");
    }
  }
  if (!status && stopped) {
    pn_plan_request request = {g, &facts, 0, stopped, g->inputs.data, g->inputs.count, outputs.data, outputs.count};
    pn_plan_options options = {.target = b->engine->target,
                               .device = b->engine->device,
                               .level = b->options.level,
                               .budget_seconds = b->options.budget_seconds,
                               .weight_limit_bytes = (size_t)b->options.weight_limit_bytes,
                               .cache = &b->cache,
                               .keep_report = true,
                               .progress = plan_progress,
                               .progress_self = b};
    status = pn_plan_create(&request, &options, b->allocator, &b->engine->built, diag);
  }
  if (!status) b->planned = stopped;
  pn_arena_deinit(&arena);
  return status;
}

/* Plans for the profile's shapes. Where dims had to be guessed, a guess that the network does not take (a picture
   smaller than a filter) is followed by the next; when none fits, contexts plan once they know, and the report says
   so. */
static pelton_status plan_some_shapes(build *b, pelton_diag *diag) {
  static const int64_t guesses[] = {64, 224, 512, 2048, 1};
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = PELTON_OK;
  for (size_t i = 0; i < PN_COUNT(guesses); i++) {
    PN_TRY(choose_shapes(b, guesses[i], diag));
    status = plan_first_segment(b, diag);
    if (!status || !b->guessed || status == PELTON_OUT_OF_MEMORY || status == PELTON_DEVICE_ERROR ||
        status == PELTON_INTERNAL)
      return status;
    if (i + 1 < PN_COUNT(guesses)) pn_diag_rewind(diag, mark);
  }
  pn_json_string(&b->json, "not_planned", pn_str_from(pelton_diag_message(diag, mark)));
  pn_diag_rewind(diag, mark);
  return PELTON_OK;
}

/* A budget that ended before all was timed says so. */
static void note_budget(build *b) {
  const pn_plan *plan = b->engine->built;
  const pelton_log *log = &b->engine->log;
  if (!plan || !plan->untimed_count) return;
  char compiling[64] = "";
  if (plan->budget_ahead_seconds > 0)
    (void)snprintf(compiling, sizeof compiling, ", %.2g s of it on compiling ahead", plan->budget_ahead_seconds);
  (void)snprintf(b->budget_note, sizeof b->budget_note,
                 "the budget of %.3g s was spent%s: %u of %u measurements made, what was not timed is chosen by estimate",
                 b->options.budget_seconds, compiling, plan->timed_count, plan->timed_count + plan->untimed_count);
  if (log->write) log->write(log->self, PELTON_LOG_WARNING, b->budget_note);
}

/* Decisions and packed weights of the plan, for the file and for contexts. */
static pelton_status keep_plan(build *b, pelton_diag *diag) {
  const pn_plan *plan = b->engine->built;
  if (!plan) return PELTON_OK;
  pn_arena *arena = &b->image->arena;
  const char *fingerprint = pn_str_copy(arena, pn_str_from(b->engine->target->fingerprint(b->engine->device)));
  pn_plan_record record = {.target = pn_str_from(b->engine->target->name),
                           .fingerprint = pn_str_from(fingerprint),
                           .decisions = plan->decisions};
  bool ok = fingerprint != NULL;
  for (uint32_t i = 0; i < b->graph->inputs.count && ok; i++)
    ok = pn_list_push(arena, &record.input_shapes, b->shapes[i]);
  for (uint32_t i = 0; i < plan->steps.count && ok; i++) {
    const pn_plan_step *step = &plan->steps.data[i];
    pn_packed_entry entry = {step->packed_key, step->packed, step->packed_bytes};
    if (step->packed_bytes) ok = pn_list_push(arena, &b->image->packed.list, entry);
  }
  ok = ok && pn_list_push(arena, &b->image->records, record);
  if (!ok) return pn_fail_memory(diag, "the engine");
  b->engine->record = &b->image->records.data[0];
  return PELTON_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static pelton_status run_passes(build *b, pelton_diag *diag) {
  double start = pn_clock_seconds();
  pn_json_array_begin(&b->json, "passes");
  pelton_status status = PELTON_OK;
  if (!b->options.no_passes) {
    pn_pipeline_options options = {&b->json, false};
#ifndef NDEBUG
    options.verify = true;
#endif
    status = pn_passes_run(b->graph, &options, diag);
  }
  pn_json_array_end(&b->json);
  b->passes_seconds = pn_clock_seconds() - start;
  return status ? status : pn_graph_verify(b->graph, diag);
}

/* Layers that may be in 16 bits; what that put into the graph, casts above all, is tidied by the passes. */
static pelton_status run_precision(build *b, pelton_diag *diag) {
  pn_precision_request request;
  bool changed;
  PN_TRY(pn_precision_parse(&b->options, b->engine->target->name, &request, diag));
  PN_TRY(pn_precision_stage(b->graph, b->shapes, &b->options, &request, &b->json, &changed, diag));
  if (!changed || b->options.no_passes) return PELTON_OK;
  pn_pipeline_options options = {0};
  PN_TRY(pn_passes_run(b->graph, &options, diag));
  return pn_graph_verify(b->graph, diag);
}

/* What only targets like this one gain by. */
static pelton_status run_last_passes(build *b, pelton_diag *diag) {
  const pn_target *target = b->engine->target;
  if (b->options.no_passes || !target->splits_products || !target->splits_products(b->engine->device)) return PELTON_OK;
  pn_json_array_begin(&b->json, "target_passes");
  pn_pipeline_options options = {.report = &b->json};
  pelton_status status = pn_passes_finish(b->graph, &options, diag);
  pn_json_array_end(&b->json);
  return status ? status : pn_graph_verify(b->graph, diag);
}

static void report_warnings(build *b, const pn_model *model) {
  pn_json_array_begin(&b->json, "warnings");
  for (uint32_t i = 0; i < model->warnings.count; i++)
    pn_json_string(&b->json, NULL, pn_str_from(model->warnings.data[i]));
  pn_json_array_end(&b->json);
  if (model->more_warnings) pn_json_i64(&b->json, "more_warnings", model->more_warnings);
}

/* Kernels, and what of the build's time it took to compile them. */
static pelton_status report_kernels(build *b, pelton_diag *diag) {
  const pelton_engine *engine = b->engine;
  pn_binaries kernels;
  uint64_t bytes = 0;
  if (!engine->target->binaries) return PELTON_OK;
  PN_TRY(engine->target->binaries(engine->device, &b->image->arena, &kernels, diag));
  for (uint32_t i = 0; i < kernels.list.count; i++) bytes += kernels.list.data[i].bytes;
  pn_json_object_begin(&b->json, "kernels");
  pn_json_i64(&b->json, "count", kernels.list.count);
  pn_json_i64(&b->json, "bytes", (int64_t)bytes);
  if (kernels.list.count) pn_json_string(&b->json, "form", kernels.list.data[0].form);
  pn_json_i64(&b->json, "compiled", kernels.compiled);
  pn_json_i64(&b->json, "built_in", kernels.taken);
  pn_json_f64(&b->json, "compile_s", kernels.compile_seconds);
  pn_json_object_end(&b->json);
  return PELTON_OK;
}

static void finish_report(build *b) {
  const pn_plan *plan = b->engine->built;
  pn_json_f64(&b->json, "passes_s", b->passes_seconds);
  pn_json_f64(&b->json, "plan_s", b->plan_seconds);
  pn_json_string(&b->json, "target", pn_str_from(b->engine->target->name));
  pn_json_string(&b->json, "device", pn_str_from(b->engine->target->fingerprint(b->engine->device)));
  pn_json_i64(&b->json, "nodes", b->graph->nodes.count);
  pn_host_counts host;
  pn_host_nodes_json(b->engine, b->planned, &b->counted, &b->json, &host);
  pn_later_nodes_json(b->engine, b->planned, &b->counted, &b->json);
  pn_json_i64(&b->json, "fallbacks", (plan ? plan->fallback_count : 0) + (int64_t)host.fallbacks);
  if (plan) {
    pn_json_i64(&b->json, "timed", plan->timed_count);
    pn_json_f64(&b->json, "timed_s", plan->timed_seconds);
    pn_json_f64(&b->json, "ahead_s", plan->ahead_seconds);
    if (b->budget_note[0]) pn_json_string(&b->json, "budget", pn_str_from(b->budget_note));
    pn_json_i64(&b->json, "steps", plan->steps.count);
    pn_json_i64(&b->json, "activation_bytes", (int64_t)plan->arena_bytes);
    pn_json_i64(&b->json, "weight_bytes", (int64_t)plan->weight_bytes);
    pn_json_i64(&b->json, "workspace_bytes", (int64_t)plan->workspace_bytes);
    pn_json_raw(&b->json, "plan", (pn_str){plan->report.data, plan->report.size});
  }
  pn_json_object_end(&b->json);
}

static pelton_status check_options(const pelton_build_options *o, pelton_diag *diag) {
  const char *target = o->targets ? o->targets : "cpu";
  if (strchr(target, ','))
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "this version tunes for one target at a time, not '%s'; an engine runs on the others too", target);
  if (!pn_target_find(pn_str_from(target))) return pn_target_unknown(target, PELTON_UNSUPPORTED, diag);
  pn_precision_request precision;
  PN_TRY(pn_precision_parse(o, target, &precision, diag));
  if (!(o->error_bound >= 0 && o->error_bound <= 1))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "an error bound of %g is not in 0 to 1", o->error_bound);
  if (o->level < 0 || o->level > 5)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "level %d is not in 0 to 5", o->level);
  return PELTON_OK;
}

static pelton_status keep_option(build *b, const char *name, const char *text, pelton_diag *diag) {
  const char *kept = pn_str_copy(&b->image->arena, pn_str_from(text));
  pn_metadata_entry entry = {pn_str_from(name), pn_str_from(kept)};
  bool ok = kept && pn_list_push(&b->image->arena, &b->image->metadata, entry);
  return ok ? PELTON_OK : pn_fail_memory(diag, "an engine");
}

/* What later plans of the engine have to know. */
static pelton_status keep_options(build *b, const char *target, pelton_diag *diag) {
  pn_precision_request precision;
  char text[32];
  PN_TRY(pn_precision_parse(&b->options, target, &precision, diag));
  if (precision.tf32) PN_TRY(keep_option(b, PN_METADATA_TF32, "1", diag));
  if (b->options.error_bound == 0) return PELTON_OK;
  (void)snprintf(text, sizeof text, "%.9g", b->options.error_bound);
  return keep_option(b, PN_METADATA_ERROR_BOUND, text, diag);
}

static void release_model(void *model) { pelton_model_release(model); }

/* The engine's own graph, with its device. */
static pelton_status compile(build *b, const pelton_model *model, pelton_diag *diag) {
  report_warnings(b, model->model);
  progress(b, 0.0, "optimising the graph");
  PN_TRY(choose_shapes(b, 1, diag)); /* bounds of profiles first: passes may use them */
  PN_TRY(run_passes(b, diag));
  PN_TRY(run_precision(b, diag));
  PN_TRY(run_last_passes(b, diag));
  if (b->options.timing_cache) PN_TRY(pn_timing_load(&b->cache, b->options.timing_cache, diag));
  double start = pn_clock_seconds();
  PN_TRY(plan_some_shapes(b, diag));
  b->plan_seconds = pn_clock_seconds() - start;
  note_budget(b);
  PN_TRY(keep_plan(b, diag));
  if (b->options.timing_cache) PN_TRY(pn_timing_save(&b->cache, b->options.timing_cache, diag));
  if (b->stopped) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the build was stopped by its caller");
  PN_TRY(report_kernels(b, diag));
  finish_report(b);
  if (b->report.failed) return pn_fail_memory(diag, "the report");
  b->engine->report = b->report.data;
  b->report.data = NULL;
  progress(b, 1.0, "done");
  return PELTON_OK;
}

static pelton_status build_engine(build *b, const pelton_model *model, pelton_diag *diag) {
  b->image = pn_image_create(b->allocator, NULL);
  if (!b->image) return pn_fail_memory(diag, "an engine");
  b->image->omit_packed = b->options.omit_packed != 0;
  b->image->graph = b->graph = pn_graph_clone(model->model->graph, &b->image->arena);
  pelton_run_options run = PELTON_RUN_OPTIONS_INIT;
  run.target = b->options.targets ? b->options.targets : "cpu";
  run.device_libraries = b->options.device_libraries;
  run.device_index = b->options.device_index;
  run.cpu_isa = b->options.cpu_isa;
  run.threads = b->options.threads;
  run.allocator = b->allocator;
  run.log = b->options.log;
  if (!b->graph) {
    pn_image_release(b->image);
    return pn_fail_memory(diag, "an engine");
  }
  pelton_status kept = keep_options(b, run.target, diag);
  if (kept) {
    pn_image_release(b->image);
    return kept;
  }
  PN_TRY(pn_engine_create(b->image, &run, &b->engine, diag));
  b->image->only_binaries = b->options.only_kernels != 0;
  if (b->image->only_binaries && b->engine->target->binaries_keep)
    b->engine->target->binaries_keep(b->engine->device, true);
  pn_model_retain(model);
  b->engine->source = (void *)(uintptr_t)model;
  b->engine->release_source = release_model;
  void *was = pn_engine_enter(b->engine);
  pelton_status status = compile(b, model, diag);
  pn_engine_leave(b->engine, was);
  return status;
}

pelton_status pelton_engine_build(const pelton_model *model, const pelton_build_options *options, pelton_engine **out,
                                  pelton_diag *diag) {
  if (!model || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_build: model and out must not be null");
  *out = NULL;
  build b = {.options = PELTON_BUILD_OPTIONS_INIT};
  if (options) memcpy(&b.options, options, options->size < sizeof b.options ? options->size : sizeof b.options);
  PN_TRY(check_options(&b.options, diag));
  b.allocator = b.options.allocator ? b.options.allocator : &pn_allocator_default;
  pn_timing_init(&b.cache, b.allocator);
  pn_text_init(&b.report, b.allocator);
  pn_json_init(&b.json, &b.report);
  pn_json_object_begin(&b.json, NULL);
  pn_json_string(&b.json, "pelton", pn_str_from(pelton_version()));
  pelton_status status = build_engine(&b, model, diag);
  pn_text_deinit(&b.report);
  pn_timing_deinit(&b.cache);
  if (status)
    pelton_engine_release(b.engine);
  else
    *out = b.engine;
  return status;
}

pelton_status pelton_engine_save(const pelton_engine *engine, const char *path, pelton_diag *diag) {
  if (!engine || !path)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_save: engine and path must not be null");
  pn_image image = *engine->image; /* with the kernels of this device's plans so far, those of others as they are */
  pn_arena arena;
  pn_binaries made = {.compiled = 0};
  pn_arena_init(&arena, engine->allocator);
  memset(&image.binaries, 0, sizeof image.binaries);
  pelton_status status =
      engine->target->binaries ? engine->target->binaries(engine->device, &arena, &made, diag) : PELTON_OK;
  for (uint32_t k = 0; k < 2 && !status; k++) {
    const pn_binary_list *from = k ? &engine->image->binaries : &made.list;
    for (uint32_t i = 0; i < from->count && !status; i++) {
      const pn_binary *p = &from->data[i];
      if (!pn_binary_find(&image.binaries, p->key, p->form) && !pn_list_push(&arena, &image.binaries, *p))
        status = pn_fail_memory(diag, "the engine");
    }
  }
  if (image.only_binaries) {
    /* The least graph that is one. */
    image.graph = pn_graph_create(&arena, NULL, PN_STR("kernels"));
    pn_value_id y = image.graph ? pn_graph_add_scalar(image.graph, PN_STR("y"), PELTON_DTYPE_F32, 0) : PN_NO_VALUE;
    if (!pn_value_valid(y) || !pn_graph_add_output(image.graph, y)) image.graph = NULL;
    memset(&image.records, 0, sizeof image.records);
    memset(&image.packed.list, 0, sizeof image.packed.list);
    if (!image.graph) status = pn_fail_memory(diag, "the engine");
  }
  if (!status) status = pn_image_write(&image, path, diag);
  pn_arena_deinit(&arena);
  return status;
}

const char *pelton_engine_report(const pelton_engine *engine) { return engine && engine->report ? engine->report : ""; }
