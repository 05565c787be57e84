/* An einsum's equation, read: for each operand and for the output a list of labels, one an axis. Letters are labels 0
   to 51 in the order of the alphabet, capitals first; the axes of "..." are 52 and on, counted from the right, so that
   they broadcast. */
#ifndef PN_OP_EINSUM_H
#define PN_OP_EINSUM_H

#include "op/op.h"

enum { PN_EINSUM_LETTERS = 52, PN_EINSUM_LABELS = PN_EINSUM_LETTERS + PN_MAX_RANK, PN_EINSUM_OPERANDS = 32 };

typedef struct pn_einsum_labels {
  uint32_t count;
  uint8_t label[PN_MAX_RANK];
} pn_einsum_labels;

typedef struct pn_einsum_equation {
  pn_einsum_labels in[PN_EINSUM_OPERANDS], out;
} pn_einsum_equation;

/* Ranks of PN_RANK_UNKNOWN are taken to be what the letters say. |*open| is set when that leaves a "..." undetermined.
 */
pelton_status pn_einsum_read(pelton_diag *diag, pn_str text, uint32_t operand_count, const int32_t *ranks,
                             pn_einsum_equation *e, bool *open) PN_CHECKED;

/* An equation as loops: all labels with their extents, those of the output first, and each operand's stride along them,
   0 where it lacks the label or broadcasts. */
typedef struct pn_einsum_loops {
  uint32_t count, out_count; /* of labels; of those of the output */
  int64_t dims[PN_EINSUM_LABELS], index[PN_EINSUM_LABELS];
  int64_t strides[PN_EINSUM_OPERANDS][PN_EINSUM_LABELS], at[PN_EINSUM_OPERANDS];
} pn_einsum_loops;

/* For |operand_count| dense operands, whose data is not looked at. */
pelton_status pn_einsum_plan(pn_str equation, uint32_t operand_count, const pn_tensor *operands, pn_einsum_loops *out,
                             pelton_diag *diag) PN_CHECKED;

#endif
