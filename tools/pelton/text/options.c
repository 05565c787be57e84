#include "text/options.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void text_list_add(text_list *list, const char *text) {
  list->data = memory_grow(list->data, list->count + 1u, sizeof *list->data);
  list->data[list->count++] = text;
}

uint32_t word_distance(const char *a, const char *b) {
  enum { LONGEST = 63 };
  uint32_t row[LONGEST + 1];
  const size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (uint32_t j = 0; j <= m; j++) row[j] = j;
  for (uint32_t i = 1; i <= n; i++) {
    uint32_t diagonal = row[0];
    row[0] = i;
    for (uint32_t j = 1; j <= m; j++) {
      uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[m];
}

/* ---- help ----------------------------------------------------------------------------------------------------------
 */

void options_print_help(const option_table *table, FILE *file) {
  fprintf(file, "usage: pelton %s\n\n%s\n", table->usage, table->summary);
  if (table->count) fputs("\noptions:\n", file);
  for (uint32_t i = 0; i <= table->count; i++) {
    static const option help = {"help", 'h', OPTION_FLAG, NULL, NULL, "print this", 0, 0};
    const option *o = i < table->count ? &table->rows[i] : &help;
    char left[96], letter[8] = "";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    const int width =
        snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    if (width > 30)
      fprintf(file, "%s\n%32s%s\n", left, "", o->help);
    else
      fprintf(file, "%-32s%s\n", left, o->help);
  }
}

/* ---- values --------------------------------------------------------------------------------------------------------
 */

static bool in_range(const option *o, double value) {
  return (o->low == 0 && o->high == 0) || (value >= o->low && value <= o->high);
}

static bool read_integer(const option *o, const char *text) {
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || !in_range(o, (double)value)) return false;
  *(int64_t *)o->target = value;
  return true;
}

static bool read_number(const char *text, char **end, double *out) {
  errno = 0;
  *out = strtod(text, end);
  return *end != text && isfinite(*out);
}

/* 30, 30s, 500ms, 2m, 1h. |unit| is what a bare number counts, in seconds. */
static bool read_seconds(const option *o, const char *text, double unit) {
  static const struct {
    const char *name;
    double seconds;
  } units[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
  char *end;
  double value;
  if (!read_number(text, &end, &value) || value < 0) return false;
  bool known = !*end;
  for (size_t i = 0; i < sizeof units / sizeof units[0] && !known; i++)
    if (!strcmp(end, units[i].name)) known = true, unit = units[i].seconds;
  if (!known || !in_range(o, value * unit)) return false;
  *(double *)o->target = value * unit;
  return true;
}

static bool read_choice(const option *o, const char *text) {
  const size_t n = strlen(text);
  for (const char *word = o->value; *word;) {
    const size_t m = strcspn(word, "|");
    if (n == m && !memcmp(word, text, n)) {
      *(const char **)o->target = text;
      return true;
    }
    word += m + (word[m] == '|');
  }
  return false;
}

static bool read_size(const option *o, const char *text) {
  char *end, *rest;
  errno = 0;
  const long width = strtol(text, &end, 10);
  if (errno || end == text || *end != 'x') return false;
  const long height = strtol(end + 1, &rest, 10);
  if (errno || rest == end + 1 || *rest || width < 1 || height < 1 || width > 65536 || height > 65536) return false;
  *(size_pair *)o->target = (size_pair){(uint32_t)width, (uint32_t)height};
  return true;
}

static bool read_triple(const option *o, const char *text) {
  number_triple out;
  char *end;
  uint32_t count = 0;
  for (;; text = end + 1) {
    if (count == 3 || !read_number(text, &end, &out.value[count])) return false;
    count++;
    if (*end != ',') break;
  }
  if (*end || count == 2) return false;
  if (count == 1) out.value[1] = out.value[2] = out.value[0];
  *(number_triple *)o->target = out;
  return true;
}

static bool read_value(const option *o, const char *text) {
  char *end;
  double number;
  switch (o->kind) {
  case OPTION_FLAG: break;
  case OPTION_TEXT: *(const char **)o->target = text; return *text != 0;
  case OPTION_LIST: text_list_add(o->target, text); return *text != 0;
  case OPTION_INTEGER: return read_integer(o, text);
  case OPTION_NUMBER:
    if (!read_number(text, &end, &number) || *end || !in_range(o, number)) return false;
    *(double *)o->target = number;
    return true;
  case OPTION_SECONDS: return read_seconds(o, text, 1);
  case OPTION_MILLISECONDS: return read_seconds(o, text, 1e-3);
  case OPTION_CHOICE: return read_choice(o, text);
  case OPTION_SIZE: return read_size(o, text);
  case OPTION_TRIPLE: return read_triple(o, text);
  }
  return false;
}

static int refuse_value(const option *o, const char *text) {
  static const char *const forms[] = {[OPTION_FLAG] = "no value",
                                      [OPTION_TEXT] = "a text",
                                      [OPTION_LIST] = "a text",
                                      [OPTION_INTEGER] = "an integer",
                                      [OPTION_NUMBER] = "a number",
                                      [OPTION_SECONDS] = "a time such as 30s",
                                      [OPTION_MILLISECONDS] = "a time such as 200ms",
                                      [OPTION_CHOICE] = "one of its words",
                                      [OPTION_SIZE] = "a size such as 224x224",
                                      [OPTION_TRIPLE] = "one number or three such as 104,117,123"};
  if (o->kind == OPTION_CHOICE)
    print_error("--%s takes %s, not '%s'", o->name, o->value, text);
  else if (o->low != 0 || o->high != 0)
    print_error("--%s takes %s from %g to %g, not '%s'", o->name, forms[o->kind], o->low, o->high, text);
  else
    print_error("--%s takes %s, not '%s'", o->name, forms[o->kind], text);
  return EXIT_USAGE;
}

/* ---- parsing -------------------------------------------------------------------------------------------------------
 */

static const char *command_word(const option_table *table, size_t *size) {
  *size = strcspn(table->usage, " ");
  return table->usage;
}

static int refuse_option(const option_table *table, const char *given, size_t size) {
  char name[64];
  const size_t n = size < sizeof name - 1 ? size : sizeof name - 1;
  memcpy(name, given, n);
  name[n] = 0;
  const char *nearest = NULL;
  uint32_t best = (uint32_t)(n / 3 + 2);
  for (uint32_t i = 0; i < table->count; i++) {
    const uint32_t distance = word_distance(name, table->rows[i].name);
    if (distance < best) best = distance, nearest = table->rows[i].name;
  }
  size_t word_size;
  const char *word = command_word(table, &word_size);
  if (nearest)
    print_error("%.*s has no option --%s; did you mean --%s?", (int)word_size, word, name, nearest);
  else
    print_error("%.*s has no option --%s; `pelton %.*s --help` lists them", (int)word_size, word, name, (int)word_size,
                word);
  return EXIT_USAGE;
}

static const option *find_option(const option_table *table, const char *name, size_t size, char letter) {
  for (uint32_t i = 0; i < table->count; i++) {
    const option *o = &table->rows[i];
    if (letter ? o->letter == letter : strlen(o->name) == size && !memcmp(o->name, name, size)) return o;
  }
  return NULL;
}

/* The option in argv[*at], which begins with '-'; steps over its value. */
static int parse_option(const option_table *table, int argc, char **argv, int *at) {
  const char *text = argv[*at];
  const bool is_long = text[1] == '-';
  const char *name = text + (is_long ? 2 : 1);
  const size_t size = is_long ? strcspn(name, "=") : 1;
  const option *o = find_option(table, name, size, is_long ? 0 : *name);
  if (!o && ((is_long && size == 4 && !memcmp(name, "help", 4)) || !strcmp(text, "-h"))) {
    options_print_help(table, stdout);
    return EXIT_DONE;
  }
  if (!o) {
    if (is_long) return refuse_option(table, name, size);
    size_t word_size;
    const char *word = command_word(table, &word_size);
    print_error("%.*s has no option %s; `pelton %.*s --help` lists them", (int)word_size, word, text, (int)word_size,
                word);
    return EXIT_USAGE;
  }
  const char *value = name[size] == '=' ? name + size + 1 : NULL;
  if (!is_long && name[1]) value = name + 1;
  if (o->kind == OPTION_FLAG) {
    if (value) return refuse_value(o, value);
    *(bool *)o->target = true;
    return OPTIONS_GO_ON;
  }
  if (!value && *at + 1 >= argc) {
    print_error("--%s wants a value: --%s %s", o->name, o->name, o->value);
    return EXIT_USAGE;
  }
  if (!value) value = argv[++*at];
  return read_value(o, value) ? OPTIONS_GO_ON : refuse_value(o, value);
}

int options_parse(const option_table *table, int argc, char **argv, text_list *words) {
  *words = (text_list){NULL, 0};
  bool only_words = false;
  for (int i = 0; i < argc; i++) {
    if (!only_words && !strcmp(argv[i], "--")) {
      only_words = true;
    } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
      const int code = parse_option(table, argc, argv, &i);
      if (code != OPTIONS_GO_ON) return code;
    } else {
      text_list_add(words, argv[i]);
    }
  }
  if (words->count >= table->min_words && words->count <= table->max_words) return OPTIONS_GO_ON;
  if (words->count > table->max_words)
    print_error("unexpected '%s'", words->data[table->max_words]);
  else
    print_error("too few arguments");
  fprintf(stderr, "usage: pelton %s\n", table->usage);
  return EXIT_USAGE;
}
