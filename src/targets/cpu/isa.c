/* The kernel rows of this build, and the best of a family for a set of instructions. The list is made from the file
   names in kernels/ by cmake/kernels.cmake, so that a kernel is one file. */
#include "targets/cpu/kernels.h"

#include <string.h>

#define PN_CPU_KERNELS(symbol) extern const pn_cpu_kernels symbol;
#include "cpu_kernels_list.inc"
#undef PN_CPU_KERNELS

#define PN_CPU_KERNELS(symbol) &symbol,
static const pn_cpu_kernels *const rows[] = {
#include "cpu_kernels_list.inc"
};
#undef PN_CPU_KERNELS

size_t pn_cpu_kernels_count(void) { return PN_COUNT(rows); }
const pn_cpu_kernels *pn_cpu_kernels_at(size_t index) { return rows[index]; }

/* The pointer at |offset| of the allowed row with the highest instruction level: pn_isa_bit rises with the level. */
static const void *best(pn_isa_set isa, size_t offset) {
  const void *found = NULL;
  pn_isa_set level = 0;
  for (size_t i = 0; i < PN_COUNT(rows); i++) {
    const void *family;
    memcpy(&family, (const char *)rows[i] + offset, sizeof family);
    if (!family || (rows[i]->isa & ~isa) || (found && rows[i]->isa < level)) continue;
    found = family;
    level = rows[i]->isa;
  }
  return found;
}

#define FAMILY(name)                                                                                                   \
  const pn_cpu_##name *pn_cpu_##name##_best(pn_isa_set isa) { return best(isa, offsetof(pn_cpu_kernels, name)); }
PN_CPU_FAMILIES(FAMILY)
