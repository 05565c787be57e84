#include "target/layout.h"

static const char *const names[PN_LAYOUT_COUNT] = {"plain", "channels_last"};

const char *pn_layout_name(pn_layout layout) { return names[layout]; }

bool pn_layout_parse(pn_str text, pn_layout *out) {
  for (unsigned i = 0; i < PN_LAYOUT_COUNT; i++) {
    if (!pn_str_is(text, names[i])) continue;
    *out = (pn_layout)i;
    return true;
  }
  return false;
}

void pn_layout_stored_dims(pn_layout layout, uint32_t rank, const int64_t *dims, int64_t *stored) {
  if (layout == PN_LAYOUT_PLAIN || rank < 3) {
    for (uint32_t i = 0; i < rank; i++) stored[i] = dims[i];
    return;
  }
  stored[0] = dims[0];
  for (uint32_t i = 2; i < rank; i++) stored[i - 1] = dims[i];
  stored[rank - 1] = dims[1];
}

bool pn_layout_same(pn_layout a, pn_layout b, uint32_t rank, const int64_t *dims) {
  if (a == b || rank < 3) return true;
  int64_t pixels = 1;
  for (uint32_t i = 2; i < rank; i++) pixels *= dims[i];
  return dims[1] == 1 || pixels == 1;
}
