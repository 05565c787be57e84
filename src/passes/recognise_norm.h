/* Scales and shifts behind a normalisation, which recognise_layer_norm and recognise_group_norm take into it. */
#ifndef PN_PASSES_RECOGNISE_NORM_H
#define PN_PASSES_RECOGNISE_NORM_H

#include "passes/rewrite.h"

/* A pointwise node that is |norm| (its result 0, used by it alone) times another operand, or plus one. |*other| is that
   operand. */
bool pn_norm_find_affine(const pn_rewrite *r, const pn_node *pointwise, const pn_node **norm, pn_value_id *other,
                         bool *is_product);
/* |pointwise| becomes |norm| with its operand 1 (scale) or 2 (bias) set to |vector|. */
pelton_status pn_norm_take_affine(pn_rewrite *r, pn_node *pointwise, const pn_node *norm, bool is_product,
                                  pn_value_id vector) PN_CHECKED;

#endif
