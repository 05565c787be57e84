/* Expressions under change. */
#ifndef PN_PASSES_EXPR_RULES_H
#define PN_PASSES_EXPR_RULES_H

#include "op/expr.h"

/* Appends a copy of |step|, whose arguments are |moved| to other steps. */
uint16_t pn_expr_copy_step(pn_expr_builder *b, const pn_expr_step *step, const uint16_t *moved);
/* |expr| in its simplest form: what an exporter spelled out gets its name (silu, gelu, hard_swish, clip), what does
   nothing goes. The same pointer when there is nothing to simplify; null when memory is out. |types| are the operands'.
 */
const pn_expr *pn_expr_simplify(const pn_expr *expr, const pelton_dtype *types, pn_arena *arena) PN_CHECKED;

#endif
