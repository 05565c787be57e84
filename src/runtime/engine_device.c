/* Which device an engine runs on: of the target that its caller names, else of the first that it was tuned for and that
   opens, else the CPU. What the caller asks for (a target, a device's index, its libraries, an instruction set) is had
   or refused. Where nothing was asked for the log hears what runs it instead, and why. */
#include "runtime/engine.h"

#include "base/format.h"
#include "runtime/builtin.h"

#include <stdio.h>
#include <string.h>

/* The bound that the engine was built with; 0 when it was not given. A file's nonsense is none. */
static double error_bound(const pn_image *image) {
  char text[32] = "";
  pn_str value = pn_image_metadata(image, PN_METADATA_ERROR_BOUND);
  if (value.size < sizeof text) memcpy(text, value.data ? value.data : "", value.size);
  double bound = pn_parse_f64(text, NULL);
  return bound > 0 && bound <= 1 ? bound : 0;
}

/* ---- instruction sets --------------------------------------------------------------------------------------------
 */

/* "80" of "sm_80". */
static bool parse_capability(const char *digits, int *out) {
  *out = 0;
  for (const char *c = digits; *c; c++) {
    if (*c < '0' || *c > '9' || *out > 99) return false;
    *out = *out * 10 + (*c - '0');
  }
  return *out >= 50;
}

static pelton_status parse_isa(const char *isa, pn_device_options *out, pelton_diag *diag) {
  if (!isa) return PELTON_OK;
  if (!strncmp(isa, "sm_", 3)) {
    if (parse_capability(isa + 3, &out->capability)) return PELTON_OK;
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "no compute capability '%s'; sm_80 is one", isa);
  }
  out->isa_lowered = true;
  if (pn_cpu_isa_parse(pn_str_from(isa), &out->isa)) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "unknown instruction set '%s'; use portable, avx2, avx512, vnni, bf16, avx-vnni, amx or native of a "
                 "CPU, sm_70, sm_80 and so on of a GPU",
                 isa);
}

/* Whether the instruction set that is asked for, if any, is of the kind that |target| has. */
static bool knows_isa(const pn_target *target, const pn_device_options *options) {
  const bool gpu = !strcmp(target->name, "cuda"), cpu = !strcmp(target->name, "cpu");
  return !(options->capability && cpu) && !(options->isa_lowered && gpu);
}

/* A device that is used as an older one has that in its fingerprint. */
static bool became(const char *fingerprint, const char *isa) {
  const size_t size = strlen(isa);
  for (const char *at = fingerprint; (at = strstr(at, isa)); at += size)
    if (at > fingerprint && at[-1] == ' ' && (at[size] == ' ' || !at[size])) return true;
  return false;
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

/* Opens the device of |target|, as it is asked for. */
static pelton_status open_on(pelton_engine *engine, const pn_target *target, const char *isa, pelton_diag *diag) {
  const pn_device_options *device = &engine->device_options;
  PN_TRY(pn_target_has_index(target, device->index, diag));
  if (!knows_isa(target, device))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   device->capability ? "'%s' is a capability of GPUs, the target is %s; use portable, avx2 and so on"
                                      : "'%s' is an instruction set of CPUs, the target is %s; use sm_80 and so on",
                   isa, target->name);
  PN_TRY(target->device_open(device, &engine->device, diag));
  engine->target = target;
  const char *fingerprint = target->fingerprint(engine->device);
  if (!device->capability || !strcmp(target->name, "null") || became(fingerprint, isa)) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "device %u cannot be used as '%s', only as what it is or older, from sm_70 on: it is '%s'",
                 device->index, isa, fingerprint);
}

/* Fallbacks are told: a target that was tuned for and is not used, and why. */
static void tell(const pelton_engine *engine, const char *tuned, const char *instead, const char *why) {
  char text[640];
  if (!engine->log.write) return;
  (void)snprintf(text, sizeof text, "the engine was tuned for %s and runs on %s instead: %s", tuned, instead, why);
  engine->log.write(engine->log.self, PELTON_LOG_WARNING, text);
}

/* The first target that the engine was tuned for and that opens, into engine->target; null when none does. Then |why|
   has the reasons. */
static pelton_status open_tuned(pelton_engine *engine, const char *isa, pelton_diag *why) {
  pelton_status first = PELTON_OK;
  for (uint32_t i = 0; i < engine->image->records.count; i++) {
    const pn_str name = engine->image->records.data[i].target;
    const pn_target *target = pn_target_find(name);
    pelton_status status = target ? open_on(engine, target, isa, why)
                                  : pn_fail(why, PELTON_DEVICE_ERROR, "this build of Pelton has no target '%.*s'",
                                            PN_STR_ARG(name));
    if (!status) return PELTON_OK;
    if (engine->device) engine->target->device_close(engine->device);
    engine->device = NULL;
    engine->target = NULL;
    if (!first) first = status;
  }
  return first;
}

/* Where no target is named. */
static pelton_status open_any(pelton_engine *engine, const pelton_run_options *options, pelton_diag *diag) {
  pelton_diag why = PELTON_DIAG_INIT;
  const pn_target *const *targets, *floor = pn_target_find(PN_STR("cpu"));
  const pn_device_options *device = &engine->device_options;
  const pelton_status status = open_tuned(engine, options->cpu_isa, &why);
  if (engine->target) return PELTON_OK;
  if (!floor && pn_target_list(&targets)) floor = targets[0];
  if (!floor) return pn_fail(diag, PELTON_DEVICE_ERROR, "this build of Pelton has no target at all");
  char tuned[16] = "";
  if (status) {
    const pn_str name = engine->image->records.data[0].target;
    (void)snprintf(tuned, sizeof tuned, "%.*s", PN_STR_ARG(name));
  }
  if (status && (device->index || device->libraries || device->capability)) {
    const bool where = device->libraries && !device->index;
    for (uint32_t i = 0; i < why.count; i++)
      (void)pn_fail(diag, status, "the engine was tuned for %s and is asked to run there on device %u%s%s%s: %s", tuned,
                    device->index, where ? ", with libraries in '" : "", where ? device->libraries : "",
                    where ? "'" : "", pelton_diag_message(&why, i));
    return status;
  }
  PN_TRY(open_on(engine, floor, options->cpu_isa, diag));
  if (status) tell(engine, tuned, floor->name, pelton_diag_message(&why, 0));
  return PELTON_OK;
}

pelton_status pn_engine_open_device(pelton_engine *engine, const pelton_run_options *options, pelton_diag *diag) {
  pn_device_options *device = &engine->device_options;
  *device = (pn_device_options){.allocator = engine->allocator,
                                .index = options->device_index,
                                .threads = options->threads,
                                .tf32 = pn_str_is(pn_image_metadata(engine->image, PN_METADATA_TF32), "1"),
                                .pin_threads = options->pin_threads != 0,
                                .error_bound = error_bound(engine->image),
                                .binaries = options->compile_kernels ? NULL : &engine->image->binaries,
                                .built_in = pn_builtin_binaries,
                                .log = &engine->log};
  if (options->device_libraries) {
    device->libraries = pn_str_copy(&engine->image->arena, pn_str_from(options->device_libraries));
    if (!device->libraries) return pn_fail_memory(diag, "an engine");
  }
  PN_TRY(parse_isa(options->cpu_isa, device, diag));
  if (!options->target) return open_any(engine, options, diag);
  const pn_target *target = pn_target_find(pn_str_from(options->target));
  if (!target) return pn_target_unknown(options->target, PELTON_INVALID_ARGUMENT, diag);
  return open_on(engine, target, options->cpu_isa, diag);
}
