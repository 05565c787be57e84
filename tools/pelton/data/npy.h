/* NumPy's .npy files, versions 1 to 3, of all of Pelton's types. NumPy has no bfloat16: it is written as two opaque
   bytes ("|V2", what NumPy itself makes of it); view it as uint16 for the bits. Nor has it what Pelton keeps in a byte:
   low floats are written as their bits ("|u1"), integers of 4 and 2 bits as int8 and uint8. Texts: see npy_text.h. */
#ifndef NPY_H
#define NPY_H

#include "data/tensor.h"

/* The tensor in the file at |path|, for tensor_release. False with the reason in |reason| (256 bytes). */
bool npy_read(const char *path, pelton_tensor *out, char *reason);
bool npy_write(const char *path, const pelton_tensor *t, char *reason);

#endif
