/* What the files of src/vision share: a new image within limits, the decoders, options of any age, and the checks of
   what a caller passes. */
#ifndef PN_VISION_IMAGE_H
#define PN_VISION_IMAGE_H

#include "base/alloc.h"
#include "pelton/vision.h"

/* An encoded picture and what its decoder must know. */
typedef struct pn_picture_source {
  const uint8_t *data;
  size_t size;
  uint64_t max_pixels;
  const pelton_allocator *allocator;
} pn_picture_source;

/* Each makes |*out| with pn_picture_create, in 1 channel where the file is grey and 3 otherwise. After a failure |*out|
   may hold pixels still; pelton_image_decode releases them. The first bytes are known to be the format's. */
pelton_status pn_decode_bmp(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_jpeg(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_jpeg2000(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_png(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_pnm(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_tiff(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_decode_webp(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) PN_CHECKED;

/* Checks the size that a file claims against the limits: before any memory is taken. */
pelton_status pn_picture_check_claim(const pn_picture_source *source, uint64_t width, uint64_t height,
                                     pelton_diag *diag) PN_CHECKED;

/* Pixels for |width| x |height| x |channels|, not zeroed, rows without a gap. */
pelton_status pn_picture_create(const pelton_allocator *allocator, uint32_t width, uint32_t height, uint32_t channels,
                                pelton_image *out, pelton_diag *diag) PN_CHECKED;

/* An image that a caller passes: pixels there, 1 or 3 channels, rows that do not overlap. */
pelton_status pn_picture_check(const pelton_image *image, pelton_diag *diag) PN_CHECKED;

/* Lays |given|, a size-first struct of an older or a newer caller, over |known|, which holds the defaults. Null keeps
   them. What a newer caller sets beyond our end is refused. |name| is the macro that starts the struct. */
pelton_status pn_options_read(const void *given, void *known, size_t known_bytes, const char *name,
                              pelton_diag *diag) PN_CHECKED;

/* BT.601, as vision.h says. */
PN_INLINE uint8_t pn_grey_of(const uint8_t *rgb) {
  return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

#endif
