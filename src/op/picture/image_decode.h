/* The one thing that an operator asks of the library around it: to read a picture's file. Decoders are no part of the
   runtime library, so that it depends on no image library; which of the two definitions is linked decides:
   src/api/picture.c (libpelton) or src/api/alone_picture.c (libpelton_rt alone: it says what is missing). */
#ifndef PN_OP_IMAGE_DECODE_H
#define PN_OP_IMAGE_DECODE_H

#include "op/op.h"

/* Decodes the file |data| into |channels| (1 grey, 3 RGB) of 8 bits. |give| is called once with the picture's extents,
   height, width, channels, and returns where the pixels go, row after row without gaps; or null after an error, which
   it has put into |diag|. */
pelton_status pn_picture_decode(const void *data, size_t bytes, uint32_t channels, const pelton_allocator *allocator,
                                void *(*give)(void *self, const int64_t dims[3], pelton_diag *diag), void *self,
                                pelton_diag *diag) PN_CHECKED;

#endif
