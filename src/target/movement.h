/* Operators that only move elements, as copies of boxes under strides: what every target with a strided copy needs to
   run transposition and its relatives. Strides are taken from the operands' layouts, so every combination of layouts is
   the same work; and converting a layout is a transposition whose axes stay. */
#ifndef PN_TARGET_MOVEMENT_H
#define PN_TARGET_MOVEMENT_H

#include "target/tactic.h"

enum { PN_MOVE_RANK = 2 * PN_MAX_RANK }; /* tiling splits each axis in two */

/* A box of elements: for each axis how far the destination and the source move. 0 in the source repeats, negative goes
   backwards. */
typedef struct pn_move {
  uint32_t rank;
  uint32_t element_bytes; /* 1, 2, 4 or 8 */
  int64_t dims[PN_MOVE_RANK];
  int64_t to[PN_MOVE_RANK], from[PN_MOVE_RANK]; /* strides in elements */
  int64_t to_offset, from_offset;               /* of the first element */
  uint16_t to_operand, from_operand;            /* of the problem; PN_NO_OPERAND: zeros */
} pn_move;

PN_INLINE void pn_move_axis(pn_move *move, int64_t dim, int64_t to, int64_t from) {
  move->dims[move->rank] = dim;
  move->to[move->rank] = to;
  move->from[move->rank++] = from;
}

/* Puts axis |from| at place |to|; those between shift. */
void pn_move_axis_to(pn_move *move, uint32_t from, uint32_t to);
/* Axes in the order in which the destination lies in memory, those of one element dropped, neighbours that move alike
   merged; at least one is left. */
void pn_move_normalize(pn_move *move);

/* Whether |move| spans more than |most| elements on one side, from the first that it touches to the last. Then |move|
   is left with one part of its box and |rest| has the other: until none is too wide, there are few. */
bool pn_move_cut(pn_move *move, int64_t most, pn_move *rest);

/* The moves that node 0 of |problem| is, in their order (a later one may read what an earlier one wrote): transpose,
   depth_to_space, space_to_depth, slice, split, concat, pad, expand, tile. They are written |stride| bytes apart, so
   that a target may keep them within a struct of its own; |moves| null: only counts. False for another
   operator, and, with the reason, for one that is not known well enough. */
bool pn_movement_describe(const pn_problem *problem, pn_move *moves, size_t stride, uint32_t *count, pn_reason *why);

/* Element |i| of a constant i64 or i32 operand. */
int64_t pn_operand_number(const pn_operand *o, int64_t i);

#endif
