/* A constant's elements as text, both ways: "[1, 2.5, -3]" for few, "0x..." (bytes as they lie in memory) for many and
   for what numbers cannot say (the payload of a nan). Bits survive. Texts are a list of any length: ["a", "b\x0a"]. */
#ifndef PN_IR_ELEMENTS_H
#define PN_IR_ELEMENTS_H

#include "op/type.h"

enum { PN_ELEMENTS_LIST = 64 }; /* longer constants print as hex */

void pn_elements_print(pelton_dtype dtype, const void *data, size_t bytes, pn_text *out);

/* Reads |count| elements of |dtype| from the front of |text| and moves it on; |*out| is in |arena|. Messages say what
   was wrong, not where: the caller prefixes. No memory is taken that |text| is not long enough to fill. */
pelton_status pn_elements_parse(pelton_dtype dtype, int64_t count, pn_str *text, pn_arena *arena, const void **out,
                                pelton_diag *diag) PN_CHECKED;

/* |count| values from |seed|, the same on every machine: floats with mean 0 and deviation 1 (a sum of twelve uniform
   ones), integers the same times 16 (unsigned: their size), bool the sign. */
void pn_elements_random(pelton_dtype dtype, int64_t count, uint64_t seed, void *out);

#endif
