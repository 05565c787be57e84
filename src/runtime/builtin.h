/* Kernels that were compiled with Pelton itself (PELTON_CUDA_FATBINS of its build): engine files inside of the library,
   of which only the kernels are of use. A build without them has none. */
#ifndef PN_RUNTIME_BUILTIN_H
#define PN_RUNTIME_BUILTIN_H

#include "base/binary.h"

typedef struct pn_builtin_image {
  const unsigned char *begin, *end; /* aligned to 64 bytes */
} pn_builtin_image;
extern const pn_builtin_image pn_builtin_images[]; /* by the build; ended by null */

/* All of them, read when first asked for; empty when there are none. */
const pn_binary_list *pn_builtin_binaries(void);

#endif
