/* Sequences and optionals at the edge of a run: what a caller gives is checked and copied, for outputs may hand on its
   items and live longer than they. */
#ifndef PN_RUNTIME_BOXES_H
#define PN_RUNTIME_BOXES_H

#include "op/type.h"

/* |given|, whose own dtype, shape and bytes are checked, with all its items in |arena|. |name| is the input's. */
pelton_status pn_boxes_take(pn_arena *arena, pn_str name, const pn_type *type, const pelton_tensor *given,
                            pn_tensor *out, pelton_diag *diag) PN_CHECKED;

#endif
