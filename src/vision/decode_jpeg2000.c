/* JPEG 2000 through OpenJPEG: JP2 files and bare codestreams. Components of any precision, signed or not, and
   subsampled ones are brought to 8 bits on the full grid. Colours must be grey or RGB: what the file calls otherwise is
   refused, not guessed. */
#include "vision/image.h"

#if defined(PELTON_HAVE_JPEG2000)

#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

typedef struct jp2_reader {
  const pn_picture_source *source;
  size_t at;
  char message[160];
} jp2_reader;

static void on_error(const char *message, void *self) {
  jp2_reader *r = self;
  if (r->message[0]) return;
  snprintf(r->message, sizeof r->message, "%s", message);
  r->message[strcspn(r->message, "\r\n")] = 0;
}

static void on_other(const char *message, void *self) { (void)message, (void)self; }

static OPJ_SIZE_T read_bytes(void *to, OPJ_SIZE_T bytes, void *self) {
  jp2_reader *r = self;
  const size_t left = r->source->size - r->at, count = bytes < left ? bytes : left;
  if (!count) return (OPJ_SIZE_T)-1;
  memcpy(to, r->source->data + r->at, count);
  r->at += count;
  return count;
}

static OPJ_OFF_T skip(OPJ_OFF_T bytes, void *self) {
  jp2_reader *r = self;
  const size_t left = r->source->size - r->at;
  if (bytes < 0) return -1;
  const size_t count = (uint64_t)bytes < left ? (size_t)bytes : left;
  r->at += count;
  return count || !bytes ? (OPJ_OFF_T)count : -1;
}

static OPJ_BOOL seek(OPJ_OFF_T to, void *self) {
  jp2_reader *r = self;
  if (to < 0 || (uint64_t)to > r->source->size) return OPJ_FALSE;
  r->at = (size_t)to;
  return OPJ_TRUE;
}

static pelton_status fail_broken(const jp2_reader *r, pelton_diag *diag) {
  return pn_fail(diag, PELTON_INVALID_DATA, "a broken JPEG 2000 file, or one cut off (%zu bytes): %s", r->source->size,
                 r->message[0] ? r->message : "OpenJPEG does not say why");
}

/* ---- pixels ---------------------------------------------------------------------------------------------------- */

/* A sample of |c| as 8 bits, rounded. */
static uint8_t sample(const opj_image_comp_t *c, size_t i) {
  int64_t value = (int64_t)c->data[i] + (c->sgnd ? (int64_t)1 << (c->prec - 1) : 0);
  if (c->prec > 8)
    value = (value + ((int64_t)1 << (c->prec - 9))) >> (c->prec - 8);
  else if (c->prec < 8)
    value = value * 255 / (((int64_t)1 << c->prec) - 1);
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static pelton_status copy_component(const opj_image_t *image, uint32_t which, pelton_image *out, pelton_diag *diag) {
  const opj_image_comp_t *c = &image->comps[which];
  if (!c->data || !c->w || !c->h || !c->dx || !c->dy || c->prec < 1 || c->prec > 31)
    return pn_fail(diag, PELTON_INVALID_DATA, "a broken JPEG 2000 file: component %u is empty or of %u bits", which,
                   c->prec);
  for (uint32_t y = 0; y < out->height; y++) {
    const uint32_t from_y = y / c->dy < c->h ? y / c->dy : c->h - 1;
    uint8_t *to = out->pixels + (size_t)y * out->row_bytes + which;
    for (uint32_t x = 0; x < out->width; x++) {
      const uint32_t from_x = x / c->dx < c->w ? x / c->dx : c->w - 1;
      to[(size_t)x * out->channels] = sample(c, (size_t)from_y * c->w + from_x);
    }
  }
  return PELTON_OK;
}

static pelton_status check_image(const jp2_reader *r, const opj_image_t *image, pelton_diag *diag) {
  if (image->x1 <= image->x0 || image->y1 <= image->y0 || image->numcomps < 1)
    return pn_fail(diag, PELTON_INVALID_DATA, "a broken JPEG 2000 file: it claims no pixels");
  PN_TRY(pn_picture_check_claim(r->source, image->x1 - image->x0, image->y1 - image->y0, diag));
  if (image->numcomps > 4)
    return pn_fail(diag, PELTON_UNSUPPORTED, "a JPEG 2000 file of %u components: up to 4 are read", image->numcomps);
  return PELTON_OK;
}

static pelton_status check_colours(const opj_image_t *image, pelton_diag *diag) {
  switch (image->color_space) {
  case OPJ_CLRSPC_UNKNOWN:
  case OPJ_CLRSPC_UNSPECIFIED:
  case OPJ_CLRSPC_SRGB:
  case OPJ_CLRSPC_GRAY: return PELTON_OK;
  case OPJ_CLRSPC_SYCC:
  case OPJ_CLRSPC_EYCC:
  case OPJ_CLRSPC_CMYK: break;
  }
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a JPEG 2000 file whose colours are YCC or CMYK: convert it to RGB, or to PNG");
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static pelton_status decode(jp2_reader *r, opj_codec_t *codec, opj_stream_t *stream, opj_image_t **image,
                            pelton_image *out, pelton_diag *diag) {
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_set_error_handler(codec, on_error, r);
  opj_set_warning_handler(codec, on_other, r);
  opj_set_info_handler(codec, on_other, r);
  if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, image)) return fail_broken(r, diag);
  PN_TRY(check_image(r, *image, diag));
  if (!opj_decode(codec, stream, *image) || !opj_end_decompress(codec, stream)) return fail_broken(r, diag);
  PN_TRY(check_image(r, *image, diag));
  PN_TRY(check_colours(*image, diag));
  const uint32_t channels = (*image)->numcomps < 3 ? 1 : 3; /* a second or a fourth component is alpha */
  PN_TRY(pn_picture_create(r->source->allocator, (*image)->x1 - (*image)->x0, (*image)->y1 - (*image)->y0, channels,
                           out, diag));
  for (uint32_t i = 0; i < channels; i++) PN_TRY(copy_component(*image, i, out, diag));
  return PELTON_OK;
}

pelton_status pn_decode_jpeg2000(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  jp2_reader r = {.source = source};
  opj_image_t *image = NULL;
  const bool bare = source->data[0] == 0xff;
  opj_codec_t *codec = opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
  opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
  pelton_status status;
  if (codec && stream) {
    opj_stream_set_user_data(stream, &r, NULL);
    opj_stream_set_user_data_length(stream, source->size);
    opj_stream_set_read_function(stream, read_bytes);
    opj_stream_set_skip_function(stream, skip);
    opj_stream_set_seek_function(stream, seek);
    status = decode(&r, codec, stream, &image, out, diag);
  } else {
    status = pn_fail_memory(diag, "OpenJPEG's scratch");
  }
  if (image) opj_image_destroy(image);
  if (stream) opj_stream_destroy(stream);
  if (codec) opj_destroy_codec(codec);
  return status;
}

#else

pelton_status pn_decode_jpeg2000(const pn_picture_source *source, pelton_image *out, pelton_diag *diag) {
  (void)source, (void)out;
  return pn_fail(diag, PELTON_UNSUPPORTED,
                 "a JPEG 2000 file, but this build of Pelton has no libopenjp2: install its development "
                 "files and build again, or convert the picture to PNG");
}

#endif
