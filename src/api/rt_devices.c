/* What there is to run on: devices of every target, and memory of an engine's device. */
#include "api/peaks.h"
#include "runtime/engine.h"

typedef struct listing {
  pn_json *json;
  const pn_target *target;
  const pn_device_options *options;
  uint32_t count;
} listing;

static void begin_device(listing *l, const pn_device_info *info) {
  l->count++;
  pn_json_object_begin(l->json, NULL);
  pn_json_string(l->json, "target", pn_str_from(l->target->name));
  pn_json_i64(l->json, "index", info->index);
  pn_json_string(l->json, "name", pn_str_from(info->name));
  if (info->memory_bytes) pn_json_i64(l->json, "memory_bytes", (int64_t)info->memory_bytes);
  if (info->detail[0]) pn_json_string(l->json, "detail", pn_str_from(info->detail));
  pn_json_bool(l->json, "usable", !info->refusal[0]);
  if (info->refusal[0]) pn_json_string(l->json, "reason", pn_str_from(info->refusal));
  if (!info->library_count) return;
  pn_json_array_begin(l->json, "libraries");
  for (uint32_t i = 0; i < info->library_count; i++) {
    const pn_library_info *library = &info->libraries[i];
    pn_json_object_begin(l->json, NULL);
    pn_json_string(l->json, "name", pn_str_from(library->name));
    pn_json_bool(l->json, "usable", !library->reason[0]);
    if (library->version[0]) pn_json_string(l->json, "version", pn_str_from(library->version));
    if (library->reason[0]) pn_json_string(l->json, "reason", pn_str_from(library->reason));
    pn_json_object_end(l->json);
  }
  pn_json_array_end(l->json);
}

/* A device stays in the list whatever hinders the measuring. */
static void add_peaks(listing *l, pn_device *device, pelton_status status, pelton_diag *reasons) {
  if (!status) status = pn_json_peaks(l->json, "peaks", l->target, device, reasons);
  if (status)
    pn_json_string(l->json, "peaks_reason",
                   pn_str_from(reasons->count ? pelton_diag_message(reasons, 0) : pelton_status_name(status)));
}

static void add_device(void *self, const pn_device_info *info) {
  listing *l = self;
  begin_device(l, info);
  if (l->target->peaks && !info->refusal[0] && info->index == l->options->index) {
    pelton_diag reasons = PELTON_DIAG_INIT;
    pn_device *device = NULL;
    const pelton_status status = l->target->device_open(l->options, &device, &reasons);
    add_peaks(l, device, status, &reasons);
    if (device) l->target->device_close(device);
  }
  pn_json_object_end(l->json);
}

/* A target without a list has the device that it opens. */
static pelton_status open_and_add(listing *l, pelton_diag *diag) {
  pn_device *device;
  pn_device_info info = {.index = 0};
  PN_TRY(l->target->device_open(l->options, &device, diag));
  pn_str name = pn_str_from(l->target->fingerprint(device));
  for (size_t i = 0; i < name.size && i + 1 < sizeof info.name; i++) info.name[i] = name.data[i];
  begin_device(l, &info);
  add_peaks(l, device, PELTON_OK, diag);
  pn_json_object_end(l->json);
  l->target->device_close(device);
  return PELTON_OK;
}

/* The reason why a target has no device stands where its devices would. */
static void add_absence(listing *l, const char *reason) {
  pn_json_object_begin(l->json, NULL);
  pn_json_string(l->json, "target", pn_str_from(l->target->name));
  pn_json_bool(l->json, "usable", false);
  pn_json_string(l->json, "reason", pn_str_from(reason));
  pn_json_object_end(l->json);
}

pelton_status pelton_devices_json(const pelton_run_options *given, char **out, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_devices_json: out must not be null");
  pelton_run_options run = pn_run_options(given);
  pn_device_options options = {.allocator = run.allocator ? run.allocator : &pn_allocator_default,
                               .threads = run.threads,
                               .tf32 = true, /* what the device could, if it were allowed to */
                               .libraries = run.device_libraries};
  const pn_target *const *targets;
  uint32_t count = pn_target_list(&targets);
  pn_text text;
  pn_json json;
  pelton_diag reasons = PELTON_DIAG_INIT;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_array_begin(&json, NULL);
  for (uint32_t i = 0; i < count; i++) {
    listing l = {&json, targets[i], &options, 0};
    pelton_diag_init(&reasons);
    pelton_status status = targets[i]->device_list ? targets[i]->device_list(&options, add_device, &l, &reasons)
                                                   : open_and_add(&l, &reasons);
    if (status && !l.count)
      add_absence(&l, reasons.count ? pelton_diag_message(&reasons, 0) : pelton_status_name(status));
  }
  pn_json_array_end(&json);
  *out = text.data;
  if (!text.failed) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return pn_fail_memory(diag, "the list of devices");
}

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

pelton_status pelton_memory_create(pelton_engine *engine, size_t bytes, void **out, pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_memory_create: engine and out must not be null");
  void *was = pn_engine_enter(engine);
  pelton_status status = engine->target->memory_alloc(engine->device, bytes, "the caller", out, diag);
  pn_engine_leave(engine, was);
  return status;
}

void pelton_memory_release(pelton_engine *engine, void *memory) {
  if (!engine || !memory) return;
  void *was = pn_engine_enter(engine);
  engine->target->memory_release(engine->device, memory);
  pn_engine_leave(engine, was);
}

pelton_status pelton_host_memory_create(pelton_engine *engine, size_t bytes, void **out, pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_host_memory_create: engine and out must not be null");
  const pn_target *target = engine->target;
  if (!target->host_alloc) {
    *out = pn_alloc_raw(engine->allocator, bytes, 64);
    return *out ? PELTON_OK : pn_fail(diag, PELTON_OUT_OF_MEMORY, "no memory for the caller: %zu bytes wanted", bytes);
  }
  void *was = pn_engine_enter(engine);
  pelton_status status = target->host_alloc(engine->device, bytes, out, diag);
  pn_engine_leave(engine, was);
  return status;
}

void pelton_host_memory_release(pelton_engine *engine, void *memory) {
  if (!engine || !memory) return;
  void *was = pn_engine_enter(engine);
  if (engine->target->host_release)
    engine->target->host_release(engine->device, memory);
  else
    pn_release(engine->allocator, memory);
  pn_engine_leave(engine, was);
}

static pelton_status copy_through_stream(pelton_engine *engine, void *to, const void *from, size_t bytes, bool up,
                                         pelton_diag *diag) {
  pn_stream *stream;
  PN_TRY(engine->target->stream_create(engine->device, &stream, diag));
  pelton_status status = up ? engine->target->upload(stream, to, from, bytes, diag)
                            : engine->target->download(stream, to, from, bytes, diag);
  if (!status) status = engine->target->stream_synchronize(stream, diag);
  engine->target->stream_release(stream);
  return status;
}

static pelton_status copy(pelton_engine *engine, void *to, const void *from, size_t bytes, bool up, pelton_diag *diag) {
  if (!engine || ((!to || !from) && bytes))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a copy: engine and memory must not be null");
  if (!bytes) return PELTON_OK;
  void *was = pn_engine_enter(engine);
  pelton_status status = copy_through_stream(engine, to, from, bytes, up, diag);
  pn_engine_leave(engine, was);
  return status;
}

pelton_status pelton_memory_write(pelton_engine *engine, void *to, const void *from_host, size_t bytes,
                                  pelton_diag *diag) {
  return copy(engine, to, from_host, bytes, true, diag);
}

pelton_status pelton_memory_read(pelton_engine *engine, void *to_host, const void *from, size_t bytes,
                                 pelton_diag *diag) {
  return copy(engine, to_host, from, bytes, false, diag);
}
