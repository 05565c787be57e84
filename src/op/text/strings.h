/* Elements of texts. A tensor of texts is an array of pelton_string whose bytes lie elsewhere: moving elements copies
   only the pairs, and whoever keeps a tensor longer than what it points at copies both. */
#ifndef PN_OP_TEXT_STRINGS_H
#define PN_OP_TEXT_STRINGS_H

#include "base/hash.h"
#include "op/type.h"

PN_INLINE pn_str pn_string_str(pelton_string s) { return (pn_str){s.data ? s.data : "", (size_t)s.bytes}; }
PN_INLINE pelton_string pn_string_of(pn_str s) { return (pelton_string){s.data, s.size}; }
PN_INLINE pelton_string *pn_tensor_strings(const pn_tensor *t) { return t->data; }
/* Element |i| of a tensor of texts. */
PN_INLINE pn_str pn_tensor_str(const pn_tensor *t, int64_t i) { return pn_string_str(pn_tensor_strings(t)[i]); }

bool pn_strings_equal(const pelton_string *a, const pelton_string *b, size_t count);
uint64_t pn_strings_hash(const pelton_string *texts, size_t count, uint64_t seed);
/* Elements and bytes in |arena|; null when memory is out. */
pelton_string *pn_strings_copy(pn_arena *arena, const pelton_string *from, size_t count) PN_CHECKED;
/* The first element that has a length but no bytes; |count| when all are whole. For what a caller gives. */
size_t pn_strings_broken(const pelton_string *texts, size_t count);

/* ---- as bytes of a file ---------------------------------------------------------------------------------------- */

/* The lengths of all texts (u64 each), then their bytes. */
void pn_strings_store(const pelton_string *texts, size_t count, pn_text *out);
/* |count| elements in |arena| that point into |bytes|, which must hold just so many. False with |*memory| false when
   they do not, and with true when memory is out. */
bool pn_strings_load(pn_span bytes, uint64_t count, pn_arena *arena, pelton_string **out, bool *memory) PN_CHECKED;

#endif
