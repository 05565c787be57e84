/* Boxes: elements of dtype TENSOR are const pelton_tensor *, and what they point at never changes once it is made, so
   that sequences share their items. Boxes and their bytes are in arenas (pn_call.lasting during a run); nobody frees a
   single one. What a box says of itself (dtype, shape) is true at run time; a graph's types are what a file claims. */
#ifndef PN_OP_BOXED_BOX_H
#define PN_OP_BOXED_BOX_H

#include "op/operand.h"

/* A box with a copy of |tensor|: its elements, and the bytes of texts; boxes in it are shared. Null: memory is out. */
const pelton_tensor *pn_box_new(pn_arena *arena, const pn_tensor *tensor) PN_CHECKED;
/* A box with room for a dense tensor, all of it zero. Null: memory is out; dims must have been checked. */
pelton_tensor *pn_box_empty(pn_arena *arena, pelton_dtype dtype, uint32_t rank, const int64_t *dims) PN_CHECKED;
/* Gives texts of |box| bytes of their own in |arena|; other dtypes stay as they are. */
bool pn_box_keep_texts(pn_arena *arena, pelton_tensor *box) PN_CHECKED;
/* What is in |box|, in its place: to be read only. */
pn_tensor pn_box_open(const pelton_tensor *box);
/* The boxes of operand |i|. An error when it has none, whatever the graph said. */
pelton_status pn_call_boxes(const pn_call *call, const char *op, uint32_t i, const pelton_tensor *const **out,
                            int64_t *count) PN_CHECKED;
/* The one number of operand |i|; |*out| stays when it is absent. Whether there is one may be known only now. */
pelton_status pn_call_position(const pn_call *call, const char *op, uint32_t i, int64_t *out) PN_CHECKED;
/* Result |i| as |count| boxes, to be filled in. */
pelton_status pn_call_resize_boxes(const pn_call *call, uint32_t i, int64_t count,
                                   const pelton_tensor ***out) PN_CHECKED;
/* Operand |i| must have boxes. */
pelton_status pn_operand_wants_boxes(const pn_infer *c, const char *op, uint32_t i) PN_CHECKED;

#endif
