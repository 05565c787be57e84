/* What an engine's device reaches at most. */
#include "api/peaks.h"

#include "runtime/engine.h"

pelton_status pn_json_peaks(pn_json *json, const char *name, const pn_target *target, pn_device *device,
                            pelton_diag *diag) {
  pn_peaks peaks = {0};
  void *was = pn_target_enter(target, device);
  pelton_status status = target->peaks ? target->peaks(device, &peaks, diag) : PELTON_OK;
  pn_target_leave(target, device, was);
  PN_TRY(status);
  pn_json_array_begin(json, name);
  for (uint32_t i = 0; i < peaks.count; i++) {
    const pn_peak *peak = &peaks.peak[i];
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "name", pn_str_from(peak->name));
    pn_json_string(json, "unit", pn_str_from(peak->unit));
    pn_json_f64(json, "one", peak->one);
    pn_json_f64(json, "all", peak->all);
    if (peak->bytes > 0) pn_json_f64(json, "bytes", peak->bytes);
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
  return PELTON_OK;
}

pelton_status pelton_engine_peaks_json(pelton_engine *engine, char **out, pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_peaks_json: engine and out must not be null");
  pn_text text;
  pn_json json;
  *out = NULL;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pelton_status status = pn_json_peaks(&json, NULL, engine->target, engine->device, diag);
  if (!status && text.failed) status = pn_fail_memory(diag, "the device's peaks");
  if (status) {
    pn_text_deinit(&text);
    return status;
  }
  *out = text.data;
  return PELTON_OK;
}
