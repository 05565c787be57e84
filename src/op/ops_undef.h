/* Ends one reading of ops.def: every macro it uses is forgotten. No guard: included once a reading. */
#undef PN_OP
#undef PN_I64
#undef PN_F32
#undef PN_BOOL
#undef PN_DTYPE
#undef PN_ENUM
#undef PN_I64S
#undef PN_F32S
#undef PN_STRING
#undef PN_EXPR
#undef PN_GRAPH
#undef PN_OP_END
