/* Numbers and system messages as the C locale writes them, whatever locale the host program has set: a text that one
   process printed must be readable by every other. */
#ifndef PN_BASE_FORMAT_H
#define PN_BASE_FORMAT_H

#include "base/compiler.h"

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf in the C locale. */
int pn_format(char *out, size_t out_bytes, const char *format, va_list arguments) PN_PRINTF(3, 0);
int pn_formatf(char *out, size_t out_bytes, const char *format, ...) PN_PRINTF(3, 4);
/* strtod and strtof in the C locale. |text| is NUL-terminated; |end| may be null. */
double pn_parse_f64(const char *text, char **end);
float pn_parse_f32(const char *text, char **end);
/* The system's word for |error| (an errno), in English. Lives until this thread's next call. */
const char *pn_system_reason(int error);

#endif
