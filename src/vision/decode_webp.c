/* WebP through libwebp, lossy and lossless. The header is read first, so that the limits hold before memory is taken;
   the pixels go straight to the image. Animations are refused. */
#include "vision/image.h"

#if defined(PELTON_HAVE_WEBP)

#include <webp/decode.h>

pelton_status pn_decode_webp(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  WebPBitstreamFeatures features;
  const VP8StatusCode header = WebPGetFeatures(source->data, source->size, &features);
  if (header == VP8_STATUS_NOT_ENOUGH_DATA)
    return pn_fail(diag, PELTON_INVALID_DATA, "a WebP file cut off: its %zu bytes end before the picture does",
                   source->size);
  if (header != VP8_STATUS_OK)
    return pn_fail(diag, PELTON_INVALID_DATA, "a broken WebP file, or another RIFF file (status %d)", (int)header);
  if (features.width < 1 || features.height < 1)
    return pn_fail(diag, PELTON_INVALID_DATA, "a broken WebP file of %d x %d pixels", features.width, features.height);
  PN_TRY(pn_picture_check_claim(source, (uint64_t)features.width, (uint64_t)features.height, diag));
  if (features.has_animation)
    return pn_fail(diag, PELTON_UNSUPPORTED, "an animated WebP file: save one of its pictures alone");
  PN_TRY(pn_picture_create(source->allocator, (uint32_t)features.width, (uint32_t)features.height, 3, out, diag));
  if (!WebPDecodeRGBInto(source->data, source->size, out->pixels, out->row_bytes * out->height, (int)out->row_bytes))
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "a broken WebP file, or one cut off, or too little memory to decode it: it has %zu bytes",
                   source->size);
  return PELTON_OK;
}

#else

pelton_status pn_decode_webp(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  (void)source, (void)out;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a WebP file, but this build of Pelton has no libwebp: install libwebp's development files and "
                 "build again, or convert the picture to PNG");
}

#endif
