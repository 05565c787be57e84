/* Status and reasons. A function that can fail returns a pelton_status and leaves its reason in the caller's
   pelton_diag; callers pass failures on with PN_TRY. Messages name the thing, its value and the remedy. */
#ifndef PN_BASE_DIAG_H
#define PN_BASE_DIAG_H

#include "base/compiler.h"
#include "pelton/base.h"

#include <stdarg.h>

/* Adds an entry to |diag| (may be null) and returns |status|, so that `return pn_fail(...)` reads as it acts. Long
   messages are cut; entries beyond the sink's room are counted in |dropped|. */
pelton_status pn_fail(pelton_diag *diag, pelton_status status, const char *format, ...) PN_PRINTF(3, 4);
pelton_status pn_failv(pelton_diag *diag, pelton_status status, const char *format, va_list arguments) PN_PRINTF(3, 0);

/* Out of memory while making |what|; no formatting of sizes that may themselves be hostile. */
pelton_status pn_fail_memory(pelton_diag *diag, const char *what);

/* Puts "|prefix|: " in front of every entry added since |first_entry| (a former diag->count): how an outer function
   names the node or file that an inner one could not know. */
void pn_diag_prefix(pelton_diag *diag, uint32_t first_entry, const char *format, ...) PN_PRINTF(3, 4);
PN_INLINE uint32_t pn_diag_mark(const pelton_diag *diag) { return diag ? diag->count : 0; }

/* Forgets the entries added since |first_entry|: for a refusal that was only a question. */
void pn_diag_rewind(pelton_diag *diag, uint32_t first_entry);

#define PN_TRY(expression)                          \
  do {                                              \
    pelton_status pn_try_status = (expression);     \
    if (PN_UNLIKELY(pn_try_status)) return pn_try_status; \
  } while (0)

/* For our own invariants only: the condition cannot be made false by any input. */
#define PN_INTERNAL(diag, message)                                                                                     \
  pn_fail(diag, PELTON_INTERNAL, "internal error at %s:%d: %s", PN_FILE, __LINE__, message)

#endif
