/* pelton check: whether model files are what their format's definition asks of them, and every reason why not. */
#include "text/json.h"
#include "text/options.h"

#include "pelton/build.h"

#include <stdlib.h>

static void write_file(json_writer *json, const char *path, bool valid, const pelton_diag *diag) {
  json_begin(json, NULL, '{');
  json_text(json, "file", path);
  json_boolean(json, "valid", valid);
  json_begin(json, "reasons", '[');
  for (uint32_t i = 0; i < diag->count; i++) json_text(json, NULL, pelton_diag_message(diag, i));
  json_end(json, ']');
  json_end(json, '}');
}

int command_check(int argc, char **argv) {
  bool as_json = false;
  const option rows[] = {{"json", 0, OPTION_FLAG, &as_json, NULL, "an array of {file, valid, reasons}", 0, 0}};
  const option_table table = {
      "check MODEL... [--json]",
      "Whether each file is a valid model: names, versions, types, attributes, stored tensors. Exit code 3, with "
      "every\n"
      "reason, if one is not. A valid model may hold operators that Pelton does not have; `pelton build` says so.",
      rows,
      OPTION_COUNT(rows),
      1,
      UINT32_MAX};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    json_writer json = {stdout, false};
    code = EXIT_DONE;
    if (as_json) json_begin(&json, NULL, '[');
    for (uint32_t i = 0; i < words.count; i++) {
      pelton_diag diag = PELTON_DIAG_INIT;
      const pelton_status status = pelton_model_check(words.data[i], NULL, &diag);
      const int this_code = status ? print_failure(status, &diag, NULL) : EXIT_DONE;
      if (as_json)
        write_file(&json, words.data[i], status == PELTON_OK, &diag);
      else
        printf("%s: %s\n", words.data[i], status ? "not valid" : "valid");
      if (this_code > code) code = this_code;
    }
    if (as_json) json_end(&json, ']');
  }
  free(words.data);
  return code;
}
