#include "runtime/engine.h"

pelton_run_options pn_run_options(const pelton_run_options *options) {
  pelton_run_options out = PELTON_RUN_OPTIONS_INIT;
  if (options) memcpy(&out, options, options->size < sizeof out ? options->size : sizeof out);
  out.size = (uint32_t)sizeof out;
  return out;
}

/* The record tuned on just this device, else on another of its kind. */
static const pn_plan_record *find_record(const pelton_engine *engine) {
  const pn_plan_record *found = NULL;
  const char *fingerprint = engine->target->fingerprint(engine->device);
  for (uint32_t i = 0; i < engine->image->records.count; i++) {
    const pn_plan_record *record = &engine->image->records.data[i];
    if (!pn_str_is(record->target, engine->target->name)) continue;
    if (pn_str_is(record->fingerprint, fingerprint)) return record;
    if (!found) found = record;
  }
  return found;
}

static pelton_status name_io(pelton_engine *engine, const pn_value_list *list, const pn_io_names **out,
                             pelton_diag *diag) {
  const pn_graph *g = engine->image->graph;
  pn_io_names *names = PN_NEW_ARRAY(&engine->image->arena, pn_io_names, list->count + 1);
  bool ok = names != NULL;
  for (uint32_t i = 0; i < list->count && ok; i++) {
    const pn_value *v = &g->values.data[list->data[i].v];
    names[i].name = pn_str_copy(&engine->image->arena, v->name);
    ok = names[i].name != NULL;
    for (int32_t d = 0; d < v->type.rank && ok; d++) {
      if (pn_dim_is_number(v->type.dims[d])) continue;
      names[i].dims[d] = pn_str_copy(&engine->image->arena, g->symbols->list.data[v->type.dims[d].symbol - 1].name);
      ok = names[i].dims[d] != NULL;
    }
  }
  *out = names;
  return ok ? PELTON_OK : pn_fail_memory(diag, "an engine");
}

pelton_status pn_engine_create(pn_image *image, const pelton_run_options *given, pelton_engine **out,
                               pelton_diag *diag) {
  pelton_run_options options = pn_run_options(given);
  const pelton_allocator *allocator = options.allocator ? options.allocator : &pn_allocator_default;
  *out = NULL;
  pelton_engine *engine = pn_alloc(allocator, sizeof *engine, _Alignof(pelton_engine));
  if (!engine) {
    pn_image_release(image);
    return pn_fail_memory(diag, "an engine");
  }
  engine->allocator = allocator;
  engine->image = image;
  if (options.log) engine->log = *options.log;
  atomic_init(&engine->references, 1);
  engine->shared = pn_packed_shared_create(allocator);
  pelton_status status = engine->shared ? PELTON_OK : pn_fail_memory(diag, "an engine");
  if (!status) status = pn_residents_init(&engine->residents, allocator, diag);
  if (!status) status = pn_engine_open_device(engine, &options, diag);
  if (!status) status = name_io(engine, &image->graph->inputs, &engine->input_names, diag);
  if (!status) status = name_io(engine, &image->graph->outputs, &engine->output_names, diag);
  if (status) {
    pelton_engine_release(engine);
    return status;
  }
  engine->record = find_record(engine);
  *out = engine;
  return PELTON_OK;
}

pelton_status pelton_engine_open(const char *path, const pelton_run_options *given, pelton_engine **out,
                                 pelton_diag *diag) {
  if (!path || !out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_open: path and out must not be null");
  *out = NULL;
  pelton_run_options options = pn_run_options(given);
  pn_image *image;
  PN_TRY(pn_image_open(path, options.allocator, &image, diag));
  return pn_engine_create(image, &options, out, diag);
}

pelton_status pelton_engine_open_memory(const void *data, size_t bytes, const pelton_run_options *given,
                                        pelton_engine **out, pelton_diag *diag) {
  if (!data || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_open_memory: data and out must not be null");
  *out = NULL;
  pelton_run_options options = pn_run_options(given);
  pn_image *image;
  PN_TRY(pn_image_open_memory(data, bytes, options.allocator, &image, diag));
  return pn_engine_create(image, &options, out, diag);
}

pelton_status pelton_engine_on_device(pelton_engine *engine, uint32_t device_index, pelton_engine **out,
                                      pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_on_device: engine and out must not be null");
  *out = NULL;
  const pelton_allocator *allocator = engine->allocator;
  pelton_engine *origin = engine->origin ? engine->origin : engine;
  pelton_engine *other = pn_alloc(allocator, sizeof *other, _Alignof(pelton_engine));
  if (!other) return pn_fail_memory(diag, "an engine");
  atomic_fetch_add_explicit(&origin->references, 1, memory_order_relaxed);
  atomic_init(&other->references, 1);
  other->allocator = allocator;
  other->log = origin->log;
  other->origin = origin;
  other->image = origin->image;
  other->shared = origin->shared;
  other->input_names = origin->input_names;
  other->output_names = origin->output_names;
  other->target = origin->target;
  other->device_options = origin->device_options;
  other->device_options.index = device_index;
  other->device_options.sibling = origin->device;
  pelton_status status = pn_residents_init(&other->residents, allocator, diag);
  if (!status) status = pn_target_has_index(other->target, device_index, diag);
  if (!status) status = other->target->device_open(&other->device_options, &other->device, diag);
  other->device_options.sibling = NULL;
  if (status) {
    pelton_engine_release(other);
    return status;
  }
  other->record = find_record(other);
  *out = other;
  return PELTON_OK;
}

void pelton_engine_release(pelton_engine *engine) {
  if (!engine || atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) != 1) return;
  const pelton_allocator *allocator = engine->allocator;
  pelton_engine *origin = engine->origin;
  void *was = pn_engine_enter(engine);
  pn_plan_release(engine->built);
  pn_residents_deinit(&engine->residents, engine->target, engine->device);
  pn_engine_leave(engine, was);
  if (origin) { /* the rest is its */
    if (engine->device) engine->target->device_close(engine->device);
    pn_release(allocator, engine);
    pelton_engine_release(origin);
    return;
  }
  pn_packed_shared_release(engine->shared);
  if (engine->device) engine->target->device_close(engine->device);
  pn_image_release(engine->image);
  if (engine->release_source) engine->release_source(engine->source);
  pn_release(allocator, engine->report);
  pn_release(allocator, engine);
}
