/* Operators that only move elements, as copies of boxes under strides. Strides are taken from the operands' layouts, so
   every combination of layouts is the same work; and converting a layout is a transposition whose axes stay. */
#ifndef PN_TARGETS_CPU_MOVEMENT_H
#define PN_TARGETS_CPU_MOVEMENT_H

#include "targets/cpu/copy.h"

/* The copies that node 0 of |problem| is, in their order, not planned yet: transpose, depth_to_space, space_to_depth,
   slice, split, concat, pad, expand, tile. |copies| null: only counts. False, with the reason, for another
   operator or one that is not known well enough. */
bool pn_movement_describe(const pn_problem *problem, pn_copy *copies, uint32_t *count, pn_reason *why);

/* Element |i| of a constant i64 or i32 operand. */
int64_t pn_operand_number(const pn_operand *o, int64_t i);

#endif
