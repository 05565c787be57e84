/* pelton devices: what there is to run on, usable or not, and why. */
#include "load.h"
#include "text/json.h"

#include <stdlib.h>

static void print_device(const json_value *device) {
  const json_value *usable = json_get(device, "usable"), *index = json_get(device, "index");
  const double bytes = json_get_number(device, "memory_bytes", 0);
  printf("%-6s", json_get_text(device, "target"));
  if (index) printf(" %d", (int)json_get_number(device, "index", 0));
  if (*json_get_text(device, "name")) printf("  %s", json_get_text(device, "name"));
  if (bytes > 0) printf(", %s", format_bytes((uint64_t)bytes).text);
  if (*json_get_text(device, "detail")) printf(", %s", json_get_text(device, "detail"));
  if (usable && usable->number == 0) printf("%snot usable: %s", index ? ": " : " ", json_get_text(device, "reason"));
  putchar('\n');
  const json_value *libraries = json_get(device, "libraries");
  for (const json_value *library = libraries ? libraries->first : NULL; library; library = library->next) {
    const json_value *works = json_get(library, "usable");
    if (works && works->number == 0)
      printf("        %s\n", json_get_text(library, "reason"));
    else
      printf("        with %s %s\n", json_get_text(library, "name"), json_get_text(library, "version"));
  }
  const json_value *peaks = json_get(device, "peaks");
  for (const json_value *peak = peaks ? peaks->first : NULL; peak; peak = peak->next) {
    const double one = 1e-9 * json_get_number(peak, "one", 0), all = 1e-9 * json_get_number(peak, "all", 0);
    if (one > 0)
      printf("        %-12s %9.1f G%s a core, %9.1f all\n", json_get_text(peak, "name"), one,
             json_get_text(peak, "unit"), all);
    else
      printf("        %-12s %9.1f G%s\n", json_get_text(peak, "name"), all, json_get_text(peak, "unit"));
  }
  if (*json_get_text(device, "peaks_reason"))
    printf("        what it reaches at most is not known: %s\n", json_get_text(device, "peaks_reason"));
}

int command_devices(int argc, char **argv) {
  bool as_json = false;
  const char *libraries = NULL;
  const option rows[] = {
      {"device-libraries", 0, OPTION_TEXT, &libraries, "DIRS", "where drivers and libraries are, if not installed", 0,
       0},
      {"json", 0, OPTION_FLAG, &as_json, NULL, "as JSON", 0, 0},
  };
  const option_table table = {"devices [--json]",
                              "What there is to run on: each target's devices with what they reach at most, measured, or why it has none.",
                              rows,
                              OPTION_COUNT(rows),
                              0,
                              0};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
    char *text = NULL;
    options.device_libraries = libraries;
    const pelton_status status = pelton_devices_json(&options, &text, &diag);
    json_value *json = status || as_json ? NULL : json_parse(text);
    code = status ? print_failure(status, &diag, NULL) : EXIT_DONE;
    if (!status && as_json && puts(text) < 0) code = EXIT_RESOURCE;
    for (const json_value *device = json ? json->first : NULL; device; device = device->next) print_device(device);
    json_free(json);
    pelton_text_release(text);
  }
  free(words.data);
  return code;
}
