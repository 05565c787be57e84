/* The targets of this build: their list is written at configure time from the folders under src/targets. */
#include "target/target.h"

#define PN_TARGET(symbol) extern const pn_target symbol;
#include "targets_list.inc"
#undef PN_TARGET

#define PN_TARGET(symbol) &symbol,
static const pn_target *const targets[] = {
#include "targets_list.inc"
};

uint32_t pn_target_list(const pn_target *const **out) {
  *out = targets;
  return (uint32_t)PN_COUNT(targets);
}

const pn_target *pn_target_find(pn_str name) {
  for (size_t i = 0; i < PN_COUNT(targets); i++)
    if (pn_str_is(name, targets[i]->name)) return targets[i];
  return NULL;
}
