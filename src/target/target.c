/* The targets of this build: their list is written at configure time from the folders under src/targets. */
#include "target/target.h"

#include <stdio.h>
#include <string.h>

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

pelton_status pn_target_unknown(const char *name, pelton_status status, pelton_diag *diag) {
  char names[128] = "";
  size_t used = 0;
  for (size_t i = 0; i < PN_COUNT(targets) && used < sizeof names; i++)
    if (strcmp(targets[i]->name, "null") != 0) /* the tests' */
      used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", targets[i]->name);
  return pn_fail(diag, status, "this build of Pelton has no target '%s'; it has %s", name, names);
}

pelton_status pn_target_has_index(const pn_target *target, uint32_t index, pelton_diag *diag) {
  if (target->device_list || !index) return PELTON_OK;
  return pn_fail(diag, PELTON_DEVICE_ERROR, "target %s has one device, 0: there is no device %u", target->name, index);
}
