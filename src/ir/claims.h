/* Whether the types that a graph from a file claims are those that its operators give. The runtime sizes and reads
   results by the stored dtype (a text is a pointer), so that a claim is believed only when inference finds the same.

   Call it once pn_graph_verify has accepted |g|, which is not changed. A claim may say more than inference finds (dims
   that were known when the engine was built) or less (no rank); dtype, what boxes hold, ranks and numbers must not
   contradict. */
#ifndef PN_IR_CLAIMS_H
#define PN_IR_CLAIMS_H
#include "ir/graph.h"
pelton_status pn_graph_check_claims(const pn_graph *g, pelton_diag *diag) PN_CHECKED;
#endif
