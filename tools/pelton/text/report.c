#define _POSIX_C_SOURCE 200809L
#include "text/report.h"

#include "data/files.h"
#include "text/json.h"

#include <errno.h>
#include <string.h>

report_facts report_read(const char *report) {
  json_value *json = json_parse(report);
  const report_facts facts = {(int64_t)json_get_number(json, "steps", -1),
                              (int64_t)json_get_number(json, "fallbacks", -1),
                              (int64_t)json_get_number(json, "host_nodes", -1), json_get_number(json, "passes_s", 0),
                              json_get_number(json, "plan_s", 0)};
  json_free(json);
  return facts;
}

enum { SHOWN = 10 };

/* Where the host is the device, nothing is beside it. */
static void print_host_nodes(const json_value *json) {
  const json_value *host = json_get(json, "host"), *later = json_get(json, "planned_later");
  uint32_t count = 0;
  if (!strcmp(json_get_text(json, "target"), "cpu")) return;
  for (const json_value *node = host ? host->first : NULL; node; node = node->next)
    if (count++ < SHOWN)
      print_note("the host runs '%s' (%s): %s", json_get_text(node, "node"), json_get_text(node, "op"),
                 json_get_text(node, "reason"));
  if (count > SHOWN) print_note("and %u more nodes; see --report", count - SHOWN);
  if (json_count(later))
    print_note("planned when a run knows their sizes: %u nodes, of which '%s' (%s) waits for %s", json_count(later),
               json_get_text(later->first, "node"), json_get_text(later->first, "op"),
               json_get_text(later->first, "waits_for"));
}

void report_print_fallbacks(const char *report) {
  json_value *json = json_parse(report);
  const json_value *plan = json_get(json, "plan");
  uint32_t count = 0;
  for (const json_value *step = plan ? plan->first : NULL; step; step = step->next) {
    if (json_get_number(step, "fallback", 0) == 0) continue;
    if (count++ < SHOWN)
      print_note("no fast way for '%s': %s", json_get_text(step, "step"), json_get_text(step, "problem"));
  }
  if (count > SHOWN) print_note("and for %u more; see --report", count - SHOWN);
  print_host_nodes(json);
  json_free(json);
}

/* ---- html ----------------------------------------------------------------------------------------------------------
 */

static void put_escaped(FILE *file, const char *text) {
  for (; *text; text++) {
    if (*text == '<')
      fputs("&lt;", file);
    else if (*text == '>')
      fputs("&gt;", file);
    else if (*text == '&')
      fputs("&amp;", file);
    else
      fputc(*text, file);
  }
}

static void put_cell(FILE *file, const char *text) {
  fputs("<td>", file);
  put_escaped(file, text);
  fputs("</td>", file);
}

static void put_value(FILE *file, const json_value *value) {
  if (!value) return;
  if (value->kind == JSON_TEXT)
    put_escaped(file, value->text);
  else if (value->kind == JSON_NUMBER)
    fprintf(file, "%.6g", value->number);
  else if (value->kind == JSON_BOOLEAN)
    fputs(value->number != 0 ? "yes" : "", file);
  for (const json_value *m = value->first; m; m = m->next) {
    put_value(file, m);
    if (m->next) fputs(", ", file);
  }
}

/* One row a member, for those that are no tables. */
static void put_facts(FILE *file, const json_value *json) {
  fputs("<table>\n", file);
  for (const json_value *m = json->first; m; m = m->next) {
    if (m->kind == JSON_ARRAY || m->kind == JSON_OBJECT) continue;
    fputs("<tr>", file);
    put_cell(file, m->key);
    fputs("<td>", file);
    put_value(file, m);
    fputs("</td></tr>\n", file);
  }
  fputs("</table>\n", file);
}

/* One row an object. A column that no row has is left out. */
static void put_table(FILE *file, const json_value *rows, const char *const *columns) {
  bool used[16] = {false};
  for (const json_value *row = rows ? rows->first : NULL; row; row = row->next)
    for (uint32_t c = 0; columns[c] && c < 16; c++) used[c] |= json_get(row, columns[c]) != NULL;
  fputs("<table>\n<tr>", file);
  for (uint32_t c = 0; columns[c] && c < 16; c++)
    if (used[c]) fprintf(file, "<th>%s</th>", columns[c]);
  fputs("</tr>\n", file);
  for (const json_value *row = rows ? rows->first : NULL; row; row = row->next) {
    fputs(json_get_number(row, "fallback", 0) != 0 ? "<tr class=\"fallback\">" : "<tr>", file);
    for (uint32_t c = 0; columns[c] && c < 16; c++) {
      if (!used[c]) continue;
      const json_value *value = json_get(row, columns[c]);
      fputs(value && value->kind == JSON_NUMBER ? "<td class=\"number\">" : "<td>", file);
      put_value(file, value);
      fputs("</td>", file);
    }
    fputs("</tr>\n", file);
  }
  fputs("</table>\n", file);
}

static void put_others(FILE *file, const json_value *plan) {
  static const char *const columns[] = {"tactic",      "estimate_us", "measured_us", "refused",
                                        "passed_over", "failed",      NULL};
  for (const json_value *step = plan ? plan->first : NULL; step; step = step->next) {
    const json_value *others = json_get(step, "others");
    if (!json_count(others)) continue;
    fputs("<details><summary>", file);
    put_escaped(file, json_get_text(step, "step"));
    fputs(": ", file);
    put_escaped(file, json_get_text(step, "tactic"));
    fputs(" was taken, not</summary>\n", file);
    put_table(file, others, columns);
    fputs("</details>\n", file);
  }
}

static void put_page(FILE *file, const json_value *json) {
  static const char *const passes[] = {"pass", "changed", "seconds", "detail", NULL};
  static const char *const steps[] = {"step",         "ops",      "tactic", "measured_us", "estimate_us",
                                      "packed_bytes", "fallback", "elided", "not_elided",  "failed",
                                      "problem",      "sources",  NULL};
  static const char *const host[] = {"node", "op", "inside", "reason", "fallback", "sources", NULL};
  static const char *const later[] = {"node", "op", "waits_for", NULL};
  fputs(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pelton: build report</title>\n<style>\n"
      "body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; }\n"
      "table { border-collapse: collapse; margin: 0.5em 0 1.5em; }\n"
      "td, th { border-bottom: 1px solid #ddd; padding: 0.2em 0.7em; text-align: left; vertical-align: top; }\n"
      "td.number { text-align: right; }\ntr.fallback { background: #fdd; }\n"
      "</style></head><body>\n<h1>Build report</h1>\n",
      file);
  put_facts(file, json);
  fputs("<h2>Passes</h2>\n", file);
  put_table(file, json_get(json, "passes"), passes);
  fputs("<h2>Steps</h2>\n", file);
  put_table(file, json_get(json, "plan"), steps);
  if (json_count(json_get(json, "host"))) {
    fputs("<h2>Run by the host</h2>\n", file);
    put_table(file, json_get(json, "host"), host);
  }
  if (json_count(json_get(json, "planned_later"))) {
    fputs("<h2>Planned when a run knows their sizes</h2>\n", file);
    put_table(file, json_get(json, "planned_later"), later);
  }
  fputs("<h2>What else was considered</h2>\n", file);
  put_others(file, json_get(json, "plan"));
  fputs("</body></html>\n", file);
}

bool report_save(const char *path, const char *report) {
  FILE *file = fopen(path, "wb");
  if (!file) {
    print_error("%s: %s", path, strerror(errno));
    return false;
  }
  if (text_ends_with(path, ".html")) {
    json_value *json = json_parse(report);
    if (json) put_page(file, json);
    json_free(json);
  } else {
    fprintf(file, "%s\n", report);
  }
  const bool ok = !ferror(file);
  if (fclose(file) == 0 && ok) return true;
  print_error("%s: %s", path, strerror(errno));
  return false;
}
