/* How a tensor's elements lie in memory. Layouts exist only in plans: the graph knows nothing of them. */
#ifndef PN_TARGET_LAYOUT_H
#define PN_TARGET_LAYOUT_H

#include "op/type.h"

typedef enum pn_layout {
  PN_LAYOUT_PLAIN = 0,         /* row-major in the order of the dims */
  PN_LAYOUT_CHANNELS_LAST = 1, /* [N, C, spatial...] stored as [N, spatial..., C]; rank >= 3 */
  PN_LAYOUT_COUNT
} pn_layout;

/* "plain", "channels_last". */
const char *pn_layout_name(pn_layout layout);
bool pn_layout_parse(pn_str text, pn_layout *out) PN_CHECKED;
/* True when both layouts put the elements of a tensor of |dims| in the same places (one channel, or one pixel). */
bool pn_layout_same(pn_layout a, pn_layout b, uint32_t rank, const int64_t *dims);
/* The dims in storage order. */
void pn_layout_stored_dims(pn_layout layout, uint32_t rank, const int64_t *dims, int64_t *stored);

#endif
