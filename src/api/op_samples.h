/* A small use of each operator, and what runs it: what `pelton ops` and the pages made of it say of types and tactics
   is asked of the library, not written down. */
#ifndef PN_API_OP_SAMPLES_H
#define PN_API_OP_SAMPLES_H

#include "base/str.h"
#include "op/op.h"
#include "target/target.h"

enum { PN_SAMPLE_TACTICS = 16 };

/* Appends the sample of |op| with elements of |dtype|, as text that parses. |index| counts the operator's samples from
   0; false when there are no more. */
bool pn_op_sample_print(pn_op op, uint32_t index, pelton_dtype dtype, pn_text *out) PN_CHECKED;

/* Whether |op| takes |dtype|: as the type of its data, where operands have several types. */
bool pn_op_sample_valid(pn_op op, pelton_dtype dtype) PN_CHECKED;

/* The tactics of |target| that take a sample of |op| with |dtype| in some layout, other than the reference; at most
   PN_SAMPLE_TACTICS. */
uint32_t pn_op_sample_tactics(pn_op op, pelton_dtype dtype, const pn_target *target, pn_device *device,
                              const pn_tactic **out);

#endif
