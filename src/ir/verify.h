/* The one gate before every consumer of a graph; verify.c opens with the numbered invariants. Runs after each pass in
   debug builds and in every test. Every broken invariant is reported with its number. */
#ifndef PN_IR_VERIFY_H
#define PN_IR_VERIFY_H
#include "ir/graph.h"
pelton_status pn_graph_verify(const pn_graph *g, pelton_diag *diag) PN_CHECKED;
#endif
