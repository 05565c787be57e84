/* pelton ops: the operators, from the library's own table. */
#include "load.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

static void print_range(const json_value *op, const char *low, const char *high) {
  const long long least = (long long)json_get_number(op, low, 0), most = (long long)json_get_number(op, high, 0);
  char text[48];
  if (most < 0)
    snprintf(text, sizeof text, "%lld..", least);
  else if (most == least)
    snprintf(text, sizeof text, "%lld", least);
  else
    snprintf(text, sizeof text, "%lld..%lld", least, most);
  printf(" %-6s", text);
}

static void print_default(const json_value *attribute) {
  const json_value *value = json_get(attribute, "default");
  if (!value) return;
  if (value->kind == JSON_TEXT)
    printf("=%s", value->text);
  else if (value->kind == JSON_BOOLEAN)
    printf("=%s", value->number != 0 ? "true" : "false");
  else if (value->kind == JSON_NUMBER)
    printf("=%g", value->number);
}

static void print_list(const json_value *list, const char *before) {
  for (const json_value *v = list ? list->first : NULL; v; v = v->next)
    printf("%s%s", v == list->first ? before : ",", v->text ? v->text : "");
}

/* A row: operator, operands, results, types of the first operand, targets, attributes. */
static void print_op(const json_value *op) {
  printf("%-20s", json_get_text(op, "op"));
  print_range(op, "min_inputs", "max_inputs");
  print_range(op, "min_outputs", "max_outputs");
  print_list(json_get(op, "types"), " ");
  print_list(json_get(op, "targets"), "  ");
  const json_value *attributes = json_get(op, "attributes");
  for (const json_value *a = attributes ? attributes->first : NULL; a; a = a->next) {
    printf("%s%s:%s", a == attributes->first ? "  " : " ", json_get_text(a, "name"), json_get_text(a, "type"));
    print_default(a);
  }
  putchar('\n');
}

static int print_table(const char *text, const text_list *words) {
  json_value *json = json_parse(text);
  int code = json ? EXIT_DONE : EXIT_BUG;
  if (!json) print_error("the library's table of operators is no JSON");
  for (uint32_t i = 0; i < words->count; i++) {
    bool known = false;
    for (const json_value *op = json ? json->first : NULL; op; op = op->next)
      known |= !strcmp(json_get_text(op, "op"), words->data[i]);
    if (known || !json) continue;
    print_error("there is no operator '%s'", words->data[i]);
    code = EXIT_USAGE;
  }
  if (!code) printf("%-20s %-6s %-6s types of the first operand  targets  attributes\n", "operator", "in", "out");
  for (const json_value *op = json && !code ? json->first : NULL; op; op = op->next) {
    bool wanted = words->count == 0;
    for (uint32_t i = 0; i < words->count; i++) wanted |= !strcmp(json_get_text(op, "op"), words->data[i]);
    if (wanted) print_op(op);
  }
  json_free(json);
  return code;
}

/* Rows of an operator whose versions differ stand one after another. */
static int print_onnx(const char *text, const text_list *words) {
  json_value *json = json_parse(text);
  int code = json ? EXIT_DONE : EXIT_BUG;
  if (!json) print_error("the library's table of operators is no JSON");
  for (const json_value *op = json ? json->first : NULL; op; op = op->next) {
    bool wanted = words->count == 0;
    for (uint32_t i = 0; i < words->count; i++) wanted |= !strcmp(json_get_text(op, "op"), words->data[i]);
    if (!wanted) continue;
    const char *domain = json_get_text(op, "domain");
    printf("%-28s %-16s %lld", json_get_text(op, "op"), *domain ? domain : "ai.onnx",
           (long long)json_get_number(op, "since", 0));
    if (json_get_number(op, "until", 0) > 0)
      printf(" to %lld\n", (long long)json_get_number(op, "until", 0));
    else
      printf("+\n");
  }
  for (uint32_t i = 0; i < words->count && json; i++) {
    bool known = false;
    for (const json_value *op = json->first; op; op = op->next) known |= !strcmp(json_get_text(op, "op"), words->data[i]);
    if (known) continue;
    print_error("ONNX operator '%s' is not imported", words->data[i]);
    code = EXIT_UNSUPPORTED;
  }
  json_free(json);
  return code;
}

int command_ops(int argc, char **argv) {
  bool as_json = false, onnx = false;
  const option rows[] = {{"onnx", 0, OPTION_FLAG, &onnx, NULL, "the ONNX operators that are imported, with versions", 0, 0},
                         {"json", 0, OPTION_FLAG, &as_json, NULL, "the whole table as JSON", 0, 0}};
  const option_table table = {
      "ops [OPERATOR...] [--onnx] [--json]",
      "The operators of Pelton's graphs: operands and results, types, targets, attributes with type and default.",
      rows,
      OPTION_COUNT(rows),
      0,
      1000};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    pelton_diag diag = PELTON_DIAG_INIT;
    char *text = NULL;
    const pelton_status status = onnx ? pelton_onnx_ops_json(&text, &diag) : pelton_ops_json(&text, &diag);
    if (status)
      code = print_failure(status, &diag, NULL);
    else if (as_json)
      code = puts(text) < 0 ? EXIT_RESOURCE : EXIT_DONE;
    else
      code = onnx ? print_onnx(text, &words) : print_table(text, &words);
    pelton_text_release(text);
  }
  free(words.data);
  return code;
}
