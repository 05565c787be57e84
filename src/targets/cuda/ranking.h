/* The configs that a tactic offers, by estimate: the best few of all that it looks at. */
#ifndef PN_TARGETS_CUDA_RANKING_H
#define PN_TARGETS_CUDA_RANKING_H

#include "target/tactic.h"

enum { PN_MOST_RANKED = 8 };

typedef struct pn_ranking {
  uint32_t count;
  double seconds[PN_MOST_RANKED];
  pn_config configs[PN_MOST_RANKED];
} pn_ranking;

/* Of equal ones the first stays in front. */
PN_INLINE void pn_ranking_add(pn_ranking *r, pn_config config, double seconds) {
  if (r->count == PN_MOST_RANKED && seconds >= r->seconds[PN_MOST_RANKED - 1]) return;
  uint32_t i = r->count < PN_MOST_RANKED ? r->count++ : PN_MOST_RANKED - 1;
  for (; i > 0 && seconds < r->seconds[i - 1]; i--) {
    r->seconds[i] = r->seconds[i - 1];
    r->configs[i] = r->configs[i - 1];
  }
  r->seconds[i] = seconds;
  r->configs[i] = config;
}

/* Up to |max| of them into |out|; how many. */
PN_INLINE uint32_t pn_ranking_take(const pn_ranking *r, pn_config *out, uint32_t max) {
  uint32_t count = r->count < max ? r->count : max;
  for (uint32_t i = 0; i < count; i++) out[i] = r->configs[i];
  return count;
}

#endif
