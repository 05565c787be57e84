/* Strings: borrowed views inside the library (parsers work on mapped files), NUL-terminated only at the API's edge.
   And a growing text for everything that prints. */
#ifndef PN_BASE_STR_H
#define PN_BASE_STR_H

#include "base/alloc.h"
#include "base/bytes.h"

typedef struct pn_str {
  const char *data;
  size_t size;
} pn_str;

#define PN_STR(literal) ((pn_str){"" literal, sizeof(literal) - 1})
/* For printf's "%.*s". */
#define PN_STR_ARG(s) ((int)((s).size > 4096 ? 4096 : (s).size)), ((s).data ? (s).data : "")

pn_str pn_str_from(const char *text); /* null gives the empty string */
bool pn_str_equal(pn_str a, pn_str b);
/* Negative, 0 or positive in the order of bytes. */
int pn_str_compare(pn_str a, pn_str b);
bool pn_str_is(pn_str a, const char *b);
bool pn_str_starts(pn_str a, const char *prefix);
/* A NUL-terminated copy in |arena|; null when memory is out. */
const char *pn_str_copy(pn_arena *arena, pn_str s) PN_CHECKED;
const char *pn_str_printf(pn_arena *arena, const char *format, ...) PN_PRINTF(2, 3) PN_CHECKED;
/* The whole of |s| as a number; false when it is none or overflows. */
bool pn_str_to_i64(pn_str s, int64_t *out) PN_CHECKED;
bool pn_str_to_f64(pn_str s, double *out) PN_CHECKED;

/* A text that grows. After a failed allocation it stays as it was and |failed| is set: print freely, check once. */
typedef struct pn_text {
  const pelton_allocator *allocator;
  char *data; /* NUL-terminated once anything was added */
  size_t size, capacity;
  bool failed;
} pn_text;

void pn_text_init(pn_text *text, const pelton_allocator *allocator);
void pn_text_deinit(pn_text *text);
void pn_text_add(pn_text *text, pn_str s);
void pn_text_printf(pn_text *text, const char *format, ...) PN_PRINTF(2, 3);
/* The shortest decimal that reads back as the same float, with a '.' or 'e' in it; inf, -inf, nan. */
void pn_text_f32(pn_text *text, float value);
/* |s| in double quotes on one line, with \" \\ \xNN; bytes above 0x7f as they are. */
void pn_text_quoted(pn_text *text, pn_str s);
/* The text in quotes at the front of |rest|, which moves behind it; in |arena|. On PELTON_INVALID_DATA |*wanted| says
   what was expected, and |rest| stays where it was. */
pelton_status pn_str_unquote(pn_str *rest, pn_arena *arena, pn_str *out, const char **wanted) PN_CHECKED;

#endif
