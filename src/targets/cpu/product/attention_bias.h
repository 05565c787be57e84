/* What stands between the scores and the softmax of an attention: which keys a query sees, softcap, a mask, or any
   expression. */
#ifndef PN_TARGETS_CPU_ATTENTION_BIAS_H
#define PN_TARGETS_CPU_ATTENTION_BIAS_H

#include "targets/cpu/product/attention.h"

/* Where a row of scores stands. */
typedef struct pn_attention_place {
  const pn_attention_call *call;
  int64_t batch, first_head, group;
  float *scratch; /* pn_attention_bias_floats of a block */
} pn_attention_place;

size_t pn_attention_bias_floats(int64_t key_block);
/* Query |i| may see keys from its start on up to its reach, at most. */
int64_t pn_attention_start(const pn_attention_place *place, int64_t query);
int64_t pn_attention_reach(const pn_attention_place *place, int64_t query);
/* Applies all of it to the scores of |count| keys from |key| on; |head| of the group. */
void pn_attention_apply_bias(const pn_attention_place *place, int64_t query, int64_t head, int64_t key, int64_t count,
                             float *scores);

#endif
