/* The table behind pn_op_get. */
#ifndef PN_OP_TABLE_H
#define PN_OP_TABLE_H

#include "op/op.h"

/* Indexed by pn_op. */
extern const pn_op_info pn_op_table[PN_OP_COUNT];

#endif
