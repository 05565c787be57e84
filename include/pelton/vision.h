/* pelton/vision.h: from a picture's file to a network's input.

   Decode (JPEG, PNG, BMP, PNM, WebP, TIFF, JPEG 2000), resize, crop, normalise; pelton_image_to_tensor does the last
   three in one call. Pixels are 8 bits a channel, rows from the top, RGB interleaved or grey. All functions may be
   called from several threads at once as long as they do not share an image that one of them writes. Nothing here needs
   an engine. */
#ifndef PELTON_VISION_H
#define PELTON_VISION_H

#include "pelton/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- images ---------------------------------------------------------------------------------------------------- */

/* A picture in host memory. Decoding and resizing make one that owns its pixels; a caller's own pixels (a camera's
   frame) become one by filling in the fields, with |owned| null. Start with PELTON_IMAGE_INIT. */
typedef struct pelton_image {
  uint32_t size; /* sizeof(pelton_image) */
  uint32_t width, height;
  uint32_t channels;                 /* 1: grey, 3: RGB */
  size_t row_bytes;                  /* from one row to the next; at least width * channels */
  uint8_t *pixels;                   /* of the top row */
  void *owned;                       /* what pelton_image_release gives back; null when the pixels are someone else's */
  const pelton_allocator *allocator; /* where |owned| came from; null: malloc and free */
} pelton_image;
#define PELTON_IMAGE_INIT                                                                                              \
  { (uint32_t)sizeof(pelton_image), 0, 0, 0, 0, NULL, NULL, NULL }

typedef struct pelton_decode_options {
  uint32_t size;                     /* sizeof(pelton_decode_options) */
  uint32_t channels;                 /* 1 or 3: convert to grey or RGB; 0: grey stays grey, all else becomes RGB */
  uint64_t max_pixels;               /* larger pictures are refused before any memory is taken; 0: 2^26 (67 million) */
  const pelton_allocator *allocator; /* must outlive the image; null: malloc and free */
} pelton_decode_options;
#define PELTON_DECODE_OPTIONS_INIT                                                                                     \
  { (uint32_t)sizeof(pelton_decode_options), 0, 0, NULL }

/* Decodes the picture in |bytes| bytes at |data|; the format is told by its first bytes, not by a name. |options| may
   be null. |data| is not needed afterwards. Release with pelton_image_release; on failure |*out| is empty.

   An alpha channel is dropped, not blended; 16-bit channels are scaled to 8; an orientation in EXIF data is not applied
   and colour profiles are not; of several pages or frames the first is read. Grey is (19595 R + 38470 G + 7471 B) / 65536, rounded (BT.601). The scratch
   memory of libjpeg, libwebp, libtiff and OpenJPEG comes from malloc, everything else from the allocator.

   PELTON_INVALID_DATA: no picture, broken, cut off, or larger than |max_pixels|. PELTON_UNSUPPORTED: a format that
   Pelton does not read, or that this build was made without. */
PELTON_API pelton_status pelton_image_decode(const void *data, size_t bytes, const pelton_decode_options *options,
                                             pelton_image *out, pelton_diag *diag) PELTON_CHECKED;

/* Decodes the file at |path|; messages begin with the path. */
PELTON_API pelton_status pelton_image_load(const char *path, const pelton_decode_options *options, pelton_image *out,
                                           pelton_diag *diag) PELTON_CHECKED;

/* Gives back what |image| owns and empties it. |image| may be null or empty. */
PELTON_API void pelton_image_release(pelton_image *image);

/* ---- steps ----------------------------------------------------------------------------------------------------- */

/* How a resized pixel is read from the source. Centres of pixels are at half coordinates (x + 0.5) and the border is
   repeated. A fixed number of source pixels is read whatever the factor: nothing is averaged when a picture shrinks. */
typedef enum pelton_interpolation {
  PELTON_INTERPOLATION_LINEAR = 0,  /* 2 x 2 pixels, as OpenCV's INTER_LINEAR */
  PELTON_INTERPOLATION_NEAREST = 1, /* the pixel that holds the centre, as Pillow's NEAREST */
  PELTON_INTERPOLATION_CUBIC = 2    /* 4 x 4 pixels with a = -0.75, as OpenCV's INTER_CUBIC */
} pelton_interpolation;

typedef struct pelton_resize_options {
  uint32_t size; /* sizeof(pelton_resize_options) */
  uint32_t width, height;
  uint32_t interpolation;            /* pelton_interpolation */
  const pelton_allocator *allocator; /* of the new image, which it must outlive; null: malloc and free */
} pelton_resize_options;
#define PELTON_RESIZE_OPTIONS_INIT                                                                                     \
  { (uint32_t)sizeof(pelton_resize_options), 0, 0, 0, NULL }

/* A new image of |options->width| x |options->height|, values rounded to the nearest. |out| must be another image than
   |image|. Release it with pelton_image_release. */
PELTON_API pelton_status pelton_image_resize(const pelton_image *image, const pelton_resize_options *options,
                                             pelton_image *out, pelton_diag *diag) PELTON_CHECKED;

/* The |width| x |height| pixels in the middle, half a pixel to the upper left when the margin is odd. |*out| borrows
   the pixels of |image| and must not outlive them; nothing is allocated. */
PELTON_API pelton_status pelton_image_crop(const pelton_image *image, uint32_t width, uint32_t height,
                                           pelton_image *out, pelton_diag *diag) PELTON_CHECKED;

/* ---- tensors --------------------------------------------------------------------------------------------------- */

typedef enum pelton_image_layout { PELTON_IMAGE_NCHW = 0, PELTON_IMAGE_NHWC = 1 } pelton_image_layout;
typedef enum pelton_image_order { PELTON_IMAGE_RGB = 0, PELTON_IMAGE_BGR = 1 } pelton_image_order;

/* From pixels to numbers: resize, crop the middle, then value = (pixel * scale - mean) / std with pixels of 0...255.
   Start with PELTON_IMAGE_TENSOR_OPTIONS_INIT, which changes nothing but the type. */
typedef struct pelton_image_tensor_options {
  uint32_t size;                        /* sizeof(pelton_image_tensor_options) */
  uint32_t resize_width, resize_height; /* both 0: as it is */
  uint32_t interpolation;               /* pelton_interpolation */
  uint32_t crop_width, crop_height;     /* both 0: all of it */
  uint32_t channels;                    /* 1 or 3; 0: as the image */
  uint32_t layout;                      /* pelton_image_layout */
  uint32_t order;                       /* pelton_image_order; of no effect on one channel */
  float scale;
  float mean[3], std[3];             /* by channel of the tensor: with PELTON_IMAGE_BGR, [0] is blue's */
  const pelton_allocator *allocator; /* of scratch memory; null: malloc and free */
} pelton_image_tensor_options;
#define PELTON_IMAGE_TENSOR_OPTIONS_INIT                                                                               \
  { (uint32_t)sizeof(pelton_image_tensor_options), 0, 0, 0, 0, 0, 0, 0, 0, 1.0f, {0, 0, 0}, {1, 1, 1}, NULL }

/* The shape of what pelton_image_to_tensor would write: [1, C, H, W] or [1, H, W, C]. |options| may be null. */
PELTON_API pelton_status pelton_image_tensor_shape(const pelton_image *image,
                                                   const pelton_image_tensor_options *options, pelton_shape *out,
                                                   pelton_diag *diag) PELTON_CHECKED;

/* Writes the tensor, dense, to |out|, which has room for |out_count| floats: at least C * H * W. One picture of a batch
   each call. |options| may be null. Equal to pelton_image_resize, pelton_image_crop and pelton_image_normalize one
   after another, in every bit. */
PELTON_API pelton_status pelton_image_to_tensor(const pelton_image *image, const pelton_image_tensor_options *options,
                                                float *out, size_t out_count, pelton_diag *diag) PELTON_CHECKED;

/* The last step alone: |options| without its resize and crop, which are not looked at. Allocates nothing. */
PELTON_API pelton_status pelton_image_normalize(const pelton_image *image, const pelton_image_tensor_options *options,
                                                float *out, size_t out_count, pelton_diag *diag) PELTON_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
