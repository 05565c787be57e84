/* src/vision: every kind of file that is read, at full length and cut at every byte; resizing against the formula
   written plainly; crop and tensor by hand. The files are made by tests/fuzz/make_images.py, with these pixels: */
#include "harness.h"

#include "base/file.h"
#include "pelton/vision.h"

#include <math.h>
#include <stdio.h>

enum { W = 13, H = 9 };
static const char folder[] = "tests/fuzz/corpus/image/";

static int colour_at(int x, int y, int c) { return c == 0 ? x * 19 : c == 1 ? y * 28 : (x * 7 + y * 11) % 256; }
static int grey_at(int x, int y) { return (x * 13 + y * 9) % 256; }
static int index_at(int x, int y, int count) { return (x + 3 * y) % count; }
static int palette_at(int i, int count, int c) {
  int ramp = i * 255 / (count - 1);
  return c == 0 ? ramp : c == 1 ? 255 - ramp : i * 7 % 256;
}

static int max_int(int a, int b) { return a > b ? a : b; }
static uint32_t random_state = 2463534242u;
static uint32_t next_random(uint32_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state % below;
}

static pn_file map_file(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s%s", folder, name);
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file file;
  REQUIRE_OK(pn_file_map(path, &file, &diag), &diag);
  return file;
}

/* An image of random pixels whose rows have a gap, to be freed with free(image.pixels). */
static pelton_image random_image(uint32_t width, uint32_t height, uint32_t channels) {
  pelton_image image = PELTON_IMAGE_INIT;
  image.width = width;
  image.height = height;
  image.channels = channels;
  image.row_bytes = width * channels + 5;
  image.pixels = malloc(image.row_bytes * height);
  REQUIRE(image.pixels != NULL);
  for (size_t i = 0; i < image.row_bytes * height; i++) image.pixels[i] = (uint8_t)next_random(256);
  return image;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

typedef enum picture_kind { COLOUR, GREY, BILEVEL, PALETTE } picture_kind;

static const struct picture {
  const char *name;
  picture_kind kind;
  int count;     /* of the palette */
  int tolerance; /* of each value */
  size_t spare;  /* bytes at the end that nobody misses: of a number the last digit, of a tag what is not read */
} pictures[] = {
    {"rgb.png", COLOUR, 0, 0, 0},
    {"rgb-interlaced.png", COLOUR, 0, 0, 0},
    {"rgb-16.png", COLOUR, 0, 0, 0},
    {"rgb-alpha.png", COLOUR, 0, 0, 0},
    {"grey.png", GREY, 0, 0, 0},
    {"grey-alpha.png", GREY, 0, 0, 0},
    {"grey-1.png", BILEVEL, 2, 0, 0},
    {"palette-4.png", PALETTE, 16, 0, 0},
    {"palette-1.bmp", PALETTE, 2, 0, 0},
    {"palette-4.bmp", PALETTE, 16, 0, 0},
    {"palette-8.bmp", PALETTE, 256, 0, 0},
    {"palette-4-core.bmp", PALETTE, 16, 0, 0},
    {"rgb-24.bmp", COLOUR, 0, 0, 0},
    {"rgb-24-top-down.bmp", COLOUR, 0, 0, 0},
    {"rgb-32.bmp", COLOUR, 0, 0, 0},
    {"rgb-32-masks.bmp", COLOUR, 0, 0, 0},
    {"rgb-16-masks.bmp", COLOUR, 0, 8, 0},
    {"rgb.jpg", COLOUR, 0, 10, 0},
    {"rgb-progressive.jpg", COLOUR, 0, 10, 0},
    {"rgb-420.jpg", COLOUR, 0, 90, 0},
    {"cmyk.jpg", COLOUR, 0, 10, 0},
    {"grey.jpg", GREY, 0, 6, 0},
    {"bilevel-text.pbm", BILEVEL, 2, 0, 0},
    {"grey-text.pgm", GREY, 0, 0, 4},
    {"rgb-text.ppm", COLOUR, 0, 0, 4},
    {"bilevel.pbm", BILEVEL, 2, 0, 0},
    {"grey.pgm", GREY, 0, 0, 0},
    {"grey-16.pgm", GREY, 0, 0, 0},
    {"rgb.ppm", COLOUR, 0, 0, 0},
    {"rgb.webp", COLOUR, 0, 90, 0},
    {"rgb-lossless.webp", COLOUR, 0, 0, 0},
    {"rgb-alpha.webp", COLOUR, 0, 0, 0},
    {"rgb.tif", COLOUR, 0, 0, 0},
    {"rgb-lzw.tif", COLOUR, 0, 0, 0},
    {"rgb-deflate.tif", COLOUR, 0, 0, 0},
    {"rgb-alpha.tif", COLOUR, 0, 0, 0},
    {"grey-packbits.tif", GREY, 0, 0, 4},
    {"bilevel-g4.tif", BILEVEL, 2, 0, 4},
    {"palette-8.tif", PALETTE, 16, 0, 0},
    {"rgb.jp2", COLOUR, 0, 0, 0},
    {"rgb-alpha.jp2", COLOUR, 0, 0, 0},
    {"rgb-lossy.jp2", COLOUR, 0, 12, 0},
    {"grey.j2k", GREY, 0, 0, 0},
};
enum { PICTURES = sizeof pictures / sizeof pictures[0] };

static int expected_at(const struct picture *picture, int x, int y, int c) {
  if (picture->kind == COLOUR) return colour_at(x, y, c);
  if (picture->kind == GREY) return grey_at(x, y);
  if (picture->kind == BILEVEL) return index_at(x, y, 2) * 255;
  return palette_at(index_at(x, y, picture->count), picture->count, c);
}

static int largest_difference(const struct picture *picture, const pelton_image *image) {
  int worst = 0;
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++)
      for (int c = 0; c < (int)image->channels; c++) {
        int value = image->pixels[(size_t)y * image->row_bytes + (size_t)x * image->channels + (size_t)c];
        worst = max_int(worst, abs(value - expected_at(picture, x, y, c)));
      }
  return worst;
}

/* A build without a library says so; the pictures that it cannot read are passed over. */
static bool unsupported(const char *name, pelton_status status, const pelton_diag *diag) {
  const char *text = pelton_diag_message(diag, 0);
  if (status != PELTON_UNSUPPORTED || !strstr(text, "this build of Pelton has no lib")) return false;
  EXPECT(strstr(name, ".bmp") == NULL);
  EXPECT_HAS(text, "install");
  return true;
}

TEST(every_kind_of_file_decodes) {
  for (int i = 0; i < PICTURES; i++) {
    const struct picture *picture = &pictures[i];
    char path[256];
    snprintf(path, sizeof path, "%s%s", folder, picture->name);
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_image image = PELTON_IMAGE_INIT;
    pelton_status status = pelton_image_load(path, NULL, &image, &diag);
    if (unsupported(picture->name, status, &diag)) continue;
    REQUIRE_OK(status, &diag);
    EXPECT_EQ(image.width, W);
    EXPECT_EQ(image.height, H);
    EXPECT_EQ(image.channels, picture->kind == GREY || picture->kind == BILEVEL ? 1 : 3);
    int difference = largest_difference(picture, &image);
    if (difference > picture->tolerance) fprintf(stderr, "%s: off by %d\n", picture->name, difference);
    EXPECT(difference <= picture->tolerance);
    pelton_image_release(&image);
    EXPECT(image.pixels == NULL);
  }
}

TEST(channels_are_converted) {
  pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  pn_file file = map_file("rgb-24.bmp");
  options.channels = 1;
  REQUIRE_OK(pelton_image_decode(file.data, file.size, &options, &image, &diag), &diag);
  EXPECT_EQ(image.channels, 1);
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) {
      double grey = 0.299 * colour_at(x, y, 0) + 0.587 * colour_at(x, y, 1) + 0.114 * colour_at(x, y, 2);
      EXPECT_NEAR(image.pixels[(size_t)y * image.row_bytes + (size_t)x], grey, 0.51);
    }
  pelton_image_release(&image);
  pn_file_unmap(&file);

  file = map_file("grey.png");
  options.channels = 3;
  pelton_status status = pelton_image_decode(file.data, file.size, &options, &image, &diag);
  if (!unsupported("grey.png", status, &diag)) {
    REQUIRE_OK(status, &diag);
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(largest_difference(&(struct picture){"", GREY, 0, 0, 0}, &image), 0);
  }
  pelton_image_release(&image);
  pn_file_unmap(&file);
}

/* In a block of its own length, so that a sanitizer sees a read past the end. */
TEST(files_cut_at_every_byte_are_refused) {
  for (int i = 0; i < PICTURES; i++) {
    pn_file file = map_file(pictures[i].name);
    for (size_t size = 0; size < file.size - pictures[i].spare; size++) {
      uint8_t *data = malloc(size ? size : 1);
      REQUIRE(data != NULL);
      memcpy(data, file.data, size);
      pelton_diag diag = PELTON_DIAG_INIT;
      pelton_image image = PELTON_IMAGE_INIT;
      pelton_status status = pelton_image_decode(data, size, NULL, &image, &diag);
      if (!unsupported(pictures[i].name, status, &diag)) {
        const char *text = pelton_diag_message(&diag, 0);
        if (status != PELTON_INVALID_DATA) fprintf(stderr, "%s cut to %zu: %s\n", pictures[i].name, size, text);
        EXPECT_EQ(status, PELTON_INVALID_DATA);
        if (size > 16 && !strstr(text, "cut off")) fprintf(stderr, "%s cut to %zu\n", pictures[i].name, size);
        if (size > 16) EXPECT_HAS(text, "cut off");
      }
      EXPECT(image.pixels == NULL);
      free(data);
    }
    pn_file_unmap(&file);
  }
}

TEST(changed_bytes_never_crash) {
  for (int i = 0; i < PICTURES; i++) {
    pn_file file = map_file(pictures[i].name);
    uint8_t *data = malloc(file.size);
    REQUIRE(data != NULL);
    pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
    options.max_pixels = 1 << 16;
    for (size_t at = 0; at < file.size; at++) {
      memcpy(data, file.data, file.size);
      data[at] = (uint8_t)(data[at] ^ (1u << next_random(8)));
      pelton_diag diag = PELTON_DIAG_INIT;
      pelton_image image = PELTON_IMAGE_INIT;
      pelton_status status = pelton_image_decode(data, file.size, &options, &image, &diag);
      EXPECT_EQ(image.pixels != NULL, status == PELTON_OK);
      EXPECT_EQ(diag.count != 0, status != PELTON_OK);
      pelton_image_release(&image);
    }
    free(data);
    pn_file_unmap(&file);
  }
}

TEST(every_allocation_may_fail) {
  for (int i = 0; i < PICTURES; i++) {
    pn_file file = map_file(pictures[i].name);
    harness_allocator a;
    uint64_t n = 0;
    bool absent = false;
    do {
      pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
      options.allocator = harness_allocator_init(&a, ++n);
      options.channels = 3;
      pelton_diag diag = PELTON_DIAG_INIT;
      pelton_image image = PELTON_IMAGE_INIT;
      pelton_status status = pelton_image_decode(file.data, file.size, &options, &image, &diag);
      absent = unsupported(pictures[i].name, status, &diag);
      if (!absent) EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      pelton_image_release(&image);
      EXPECT_EQ(a.live, 0);
    } while (a.failed && !absent);
    pn_file_unmap(&file);
  }
}

static void expect_refused(const void *data, size_t size, pelton_status expected, const char *part) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  EXPECT_EQ(pelton_image_decode(data, size, NULL, &image, &diag), expected);
  EXPECT_HAS(pelton_diag_message(&diag, 0), part);
  EXPECT(image.pixels == NULL);
}

TEST(what_is_no_picture_is_named) {
  expect_refused(NULL, 0, PELTON_INVALID_DATA, "empty");
  expect_refused("hello, world", 12, PELTON_INVALID_DATA, "no picture: it begins with bytes 68 65");
  expect_refused("GIF89a......", 12, PELTON_UNSUPPORTED, "GIF");
  expect_refused("\0\0\0\x1c""ftypavif", 12, PELTON_UNSUPPORTED, "convert it to PNG");
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  EXPECT_EQ(pelton_image_load("tests/unit/vision/test_vision.c", NULL, &image, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "tests/unit/vision/test_vision.c");
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_image_load("no/such/picture.png", NULL, &image, &diag), PELTON_IO_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "no/such/picture.png");
}

/* A BMP file that claims |width| x |height| at |bits|, with no pixels; compression and mask as given. */
static size_t make_bmp(uint8_t out[66], uint32_t width, uint32_t height, uint32_t bits, uint32_t compression) {
  memset(out, 0, 66);
  memcpy(out, "BM", 2);
  out[10] = 66;
  out[14] = 40;
  memcpy(out + 18, &width, 4);
  memcpy(out + 22, &height, 4);
  out[26] = 1;
  out[28] = (uint8_t)bits;
  out[30] = (uint8_t)compression;
  out[54] = 5; /* as a mask: not one run of bits */
  return 66;
}

TEST(claims_are_checked_before_memory) {
  uint8_t bmp[66];
  expect_refused(bmp, make_bmp(bmp, 0, 5, 24, 0), PELTON_INVALID_DATA, "empty");
  expect_refused(bmp, make_bmp(bmp, 0x7fffffff, 0x7fffffff, 24, 0), PELTON_INVALID_DATA, "limit");
  expect_refused(bmp, make_bmp(bmp, 0xffffffff, 0x80000000, 32, 0), PELTON_INVALID_DATA, "limit");
  expect_refused(bmp, make_bmp(bmp, 8192, 8192, 24, 0), PELTON_INVALID_DATA, "cut off in its pixels");
  expect_refused(bmp, make_bmp(bmp, 4, 4, 7, 0), PELTON_INVALID_DATA, "7 bits");
  expect_refused(bmp, make_bmp(bmp, 4, 4, 8, 1), PELTON_UNSUPPORTED, "compression 1");
  expect_refused(bmp, make_bmp(bmp, 4, 4, 32, 3), PELTON_INVALID_DATA, "mask 00000005");
  harness_allocator a;
  pelton_decode_options options = PELTON_DECODE_OPTIONS_INIT;
  options.allocator = harness_allocator_init(&a, 0);
  options.max_pixels = W * H - 1;
  for (int i = 0; i < PICTURES; i++) {
    pn_file file = map_file(pictures[i].name);
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_image image = PELTON_IMAGE_INIT;
    pelton_status status = pelton_image_decode(file.data, file.size, &options, &image, &diag);
    if (!unsupported(pictures[i].name, status, &diag)) {
      EXPECT_EQ(status, PELTON_INVALID_DATA);
      EXPECT_HAS(pelton_diag_message(&diag, 0), "13 x 9 pixels: more than the limit of 116");
    }
    EXPECT_EQ(a.live, 0);
    pn_file_unmap(&file);
  }
}

/* ---- resize and crop ------------------------------------------------------------------------------------------- */

static double cubic_weight(double d) {
  const double a = -0.75;
  d = fabs(d);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
}

static double weight_of(uint32_t interpolation, double d) {
  if (interpolation == PELTON_INTERPOLATION_CUBIC) return cubic_weight(d);
  return fabs(d) < 1 ? 1 - fabs(d) : 0;
}

/* The formula in two dimensions: every source pixel near the centre, its weight, the border repeated. */
static double resized_value(const pelton_image *image, const pelton_resize_options *o, int x, int y, int c) {
  double cx = (x + 0.5) * image->width / o->width - 0.5, cy = (y + 0.5) * image->height / o->height - 0.5, sum = 0;
  for (int sy = (int)floor(cy) - 2; sy <= (int)floor(cy) + 3; sy++)
    for (int sx = (int)floor(cx) - 2; sx <= (int)floor(cx) + 3; sx++) {
      int inside_x = sx < 0 ? 0 : sx >= (int)image->width ? (int)image->width - 1 : sx;
      int inside_y = sy < 0 ? 0 : sy >= (int)image->height ? (int)image->height - 1 : sy;
      double weight = weight_of(o->interpolation, sx - cx) * weight_of(o->interpolation, sy - cy);
      sum +=
          weight * image->pixels[(size_t)inside_y * image->row_bytes + (size_t)inside_x * image->channels + (size_t)c];
    }
  return sum < 0 ? 0 : sum > 255 ? 255 : sum;
}

TEST(resize_follows_the_formula) {
  for (int round = 0; round < 60; round++) {
    pelton_image image = random_image(1 + next_random(40), 1 + next_random(40), next_random(2) ? 3 : 1), out;
    pelton_resize_options options = PELTON_RESIZE_OPTIONS_INIT;
    options.width = 1 + next_random(50);
    options.height = 1 + next_random(50);
    options.interpolation = next_random(2) ? PELTON_INTERPOLATION_CUBIC : PELTON_INTERPOLATION_LINEAR;
    pelton_diag diag = PELTON_DIAG_INIT;
    REQUIRE_OK(pelton_image_resize(&image, &options, &out, &diag), &diag);
    double worst = 0;
    for (int y = 0; y < (int)options.height; y++)
      for (int x = 0; x < (int)options.width; x++)
        for (int c = 0; c < (int)image.channels; c++) {
          double value = out.pixels[(size_t)y * out.row_bytes + (size_t)x * out.channels + (size_t)c];
          worst = fmax(worst, fabs(value - resized_value(&image, &options, x, y, c)));
        }
    EXPECT(worst <= 0.5001);
    pelton_image_release(&out);
    free(image.pixels);
  }
}

static void expect_row(const uint8_t *from, uint32_t from_count, pelton_interpolation interpolation, const uint8_t *to,
                       uint32_t to_count) {
  uint8_t pixels[16];
  memcpy(pixels, from, from_count);
  pelton_image image = PELTON_IMAGE_INIT, out;
  image.width = from_count;
  image.height = image.channels = 1;
  image.row_bytes = from_count;
  image.pixels = pixels;
  pelton_resize_options options = PELTON_RESIZE_OPTIONS_INIT;
  options.width = to_count;
  options.height = 1;
  options.interpolation = interpolation;
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(pelton_image_resize(&image, &options, &out, &diag), &diag);
  for (uint32_t i = 0; i < to_count; i++) EXPECT_EQ(out.pixels[i], to[i]);
  pelton_image_release(&out);
}

TEST(resize_by_hand) {
  expect_row((uint8_t[]){0, 100}, 2, PELTON_INTERPOLATION_LINEAR, (uint8_t[]){0, 25, 75, 100}, 4);
  expect_row((uint8_t[]){10, 20, 30, 40}, 4, PELTON_INTERPOLATION_LINEAR, (uint8_t[]){15, 35}, 2);
  expect_row((uint8_t[]){1, 2, 3, 4, 5, 6}, 6, PELTON_INTERPOLATION_NEAREST, (uint8_t[]){2, 5}, 2);
  expect_row((uint8_t[]){1, 2, 3}, 3, PELTON_INTERPOLATION_NEAREST, (uint8_t[]){1, 1, 2, 2, 3, 3}, 6);
  /* Shares at t = 0.75: -0.0352, 0.2617, 0.8789, -0.1055; over- and undershoot are cut. */
  expect_row((uint8_t[]){0, 0, 255, 255}, 4, PELTON_INTERPOLATION_CUBIC, (uint8_t[]){0, 0, 0, 58, 197, 255, 255, 255},
             8);
}

TEST(crop_borrows_the_middle) {
  pelton_image image = random_image(10, 7, 3), out;
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(pelton_image_crop(&image, 5, 4, &out, &diag), &diag);
  EXPECT(out.pixels == image.pixels + 1 * image.row_bytes + 2 * 3);
  EXPECT_EQ(out.row_bytes, image.row_bytes);
  EXPECT(out.owned == NULL);
  EXPECT_EQ(pelton_image_crop(&image, 11, 4, &out, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "11 x 4");
  EXPECT_EQ(pelton_image_crop(&image, 0, 4, &out, &diag), PELTON_INVALID_ARGUMENT);
  free(image.pixels);
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

TEST(tensor_in_all_layouts_and_orders) {
  pelton_image image = random_image(5, 4, 3);
  for (uint32_t layout = 0; layout < 2; layout++)
    for (uint32_t order = 0; order < 2; order++) {
      pelton_image_tensor_options options = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
      options.layout = layout;
      options.order = order;
      options.scale = 1.0f / 255;
      for (int c = 0; c < 3; c++) {
        options.mean[c] = 0.4f + 0.1f * (float)c;
        options.std[c] = 0.2f + 0.01f * (float)c;
      }
      float out[3 * 5 * 4];
      pelton_diag diag = PELTON_DIAG_INIT;
      REQUIRE_OK(pelton_image_normalize(&image, &options, out, 60, &diag), &diag);
      for (size_t y = 0; y < 4; y++)
        for (size_t x = 0; x < 5; x++)
          for (size_t c = 0; c < 3; c++) {
            double pixel = image.pixels[y * image.row_bytes + 3 * x + (order == PELTON_IMAGE_BGR ? 2 - c : c)];
            double value = (pixel * (double)options.scale - (double)options.mean[c]) / (double)options.std[c];
            EXPECT_NEAR(out[layout == PELTON_IMAGE_NCHW ? c * 20 + y * 5 + x : (y * 5 + x) * 3 + c], value, 1e-6);
          }
    }
  free(image.pixels);
}

TEST(tensor_channels) {
  pelton_image colour = random_image(3, 2, 3), plain = random_image(3, 2, 1);
  pelton_image_tensor_options options = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  float out[18];
  options.channels = 1;
  REQUIRE_OK(pelton_image_normalize(&colour, &options, out, 6, &diag), &diag);
  const uint8_t *last = colour.pixels + colour.row_bytes + 6;
  EXPECT_NEAR(out[5], 0.299 * last[0] + 0.587 * last[1] + 0.114 * last[2], 0.51);
  options.channels = 3;
  REQUIRE_OK(pelton_image_normalize(&plain, &options, out, 18, &diag), &diag);
  for (int c = 0; c < 3; c++) EXPECT_EQ(out[6 * c + 5], plain.pixels[plain.row_bytes + 2]);
  free(colour.pixels);
  free(plain.pixels);
}

TEST(one_call_equals_the_steps) {
  pelton_image image = random_image(31, 23, 3), resized, cropped;
  pelton_image_tensor_options options = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  options.resize_width = 20;
  options.resize_height = 18;
  options.crop_width = options.crop_height = 16;
  options.interpolation = PELTON_INTERPOLATION_CUBIC;
  options.order = PELTON_IMAGE_BGR;
  options.mean[1] = 117;
  pelton_resize_options resize = PELTON_RESIZE_OPTIONS_INIT;
  resize.width = 20;
  resize.height = 18;
  resize.interpolation = PELTON_INTERPOLATION_CUBIC;
  float a[3 * 256], b[3 * 256];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_shape shape;
  REQUIRE_OK(pelton_image_tensor_shape(&image, &options, &shape, &diag), &diag);
  EXPECT(shape.rank == 4 && shape.dims[0] == 1 && shape.dims[1] == 3 && shape.dims[2] == 16 && shape.dims[3] == 16);
  REQUIRE_OK(pelton_image_to_tensor(&image, &options, a, 3 * 256, &diag), &diag);
  REQUIRE_OK(pelton_image_resize(&image, &resize, &resized, &diag), &diag);
  REQUIRE_OK(pelton_image_crop(&resized, 16, 16, &cropped, &diag), &diag);
  REQUIRE_OK(pelton_image_normalize(&cropped, &options, b, 3 * 256, &diag), &diag);
  EXPECT(!memcmp(a, b, sizeof a));
  pelton_image_release(&resized);

  harness_allocator allocator;
  uint64_t n = 0;
  do {
    options.allocator = harness_allocator_init(&allocator, ++n);
    pelton_status status = pelton_image_to_tensor(&image, &options, a, 3 * 256, NULL);
    EXPECT_EQ(status, allocator.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(allocator.live, 0);
  } while (allocator.failed);
  EXPECT_EQ(n, 3); /* the resized image and its rows, and then none to fail */
  free(image.pixels);
}

/* ---- wrong calls ----------------------------------------------------------------------------------------------- */

static void expect_tensor_refused(const pelton_image *image, const pelton_image_tensor_options *options, size_t room,
                                  const char *part) {
  float out[64];
  pelton_diag diag = PELTON_DIAG_INIT;
  EXPECT_EQ(pelton_image_to_tensor(image, options, out, room, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), part);
}

TEST(wrong_tensor_options_are_named) {
  const pelton_image_tensor_options start = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  pelton_image image = random_image(4, 4, 3), bad = image;
  pelton_image_tensor_options o = start;
  expect_tensor_refused(&image, &o, 47, "room for 47 values");
  o.std[1] = 0;
  expect_tensor_refused(&image, &o, 48, "std[1] is 0");
  o = start, o.scale = (float)NAN;
  expect_tensor_refused(&image, &o, 48, "scale is nan");
  o = start, o.channels = 2;
  expect_tensor_refused(&image, &o, 48, "2 channels");
  o = start, o.layout = 2;
  expect_tensor_refused(&image, &o, 48, "layout 2");
  o = start, o.resize_width = 3;
  expect_tensor_refused(&image, &o, 48, "give both sides");
  o = start, o.crop_width = o.crop_height = 5;
  expect_tensor_refused(&image, &o, 48, "crop of 5 x 5");
  o = start, o.resize_width = o.resize_height = 2, o.interpolation = 3;
  expect_tensor_refused(&image, &o, 48, "interpolation 3");
  o = start, o.size = 0;
  expect_tensor_refused(&image, &o, 48, "PELTON_IMAGE_TENSOR_OPTIONS_INIT");
  bad.row_bytes = 11;
  expect_tensor_refused(&bad, &start, 48, "row_bytes is 11");
  bad = image, bad.channels = 4;
  expect_tensor_refused(&bad, &start, 48, "4 channels");
  bad = image, bad.pixels = NULL;
  expect_tensor_refused(&bad, &start, 48, "empty");
  expect_tensor_refused(NULL, &start, 48, "null");
  free(image.pixels);
}

/* Structs of callers built with other versions: shorter ones keep our defaults, longer ones must not ask for more. */
TEST(options_of_other_versions) {
  pelton_image image = random_image(2, 2, 1);
  struct {
    pelton_image_tensor_options known;
    uint32_t later[2];
  } o = {PELTON_IMAGE_TENSOR_OPTIONS_INIT, {0, 0}};
  float out[4];
  pelton_diag diag = PELTON_DIAG_INIT;
  o.known.size = (uint32_t)sizeof o;
  REQUIRE_OK(pelton_image_normalize(&image, &o.known, out, 4, &diag), &diag);
  o.later[1] = 1;
  EXPECT_EQ(pelton_image_normalize(&image, &o.known, out, 4, &diag), PELTON_UNSUPPORTED);
  o.known.size = (uint32_t)offsetof(pelton_image_tensor_options, scale);
  o.known.scale = 100; /* beyond the struct's end */
  REQUIRE_OK(pelton_image_normalize(&image, &o.known, out, 4, &diag), &diag);
  EXPECT_EQ(out[0], image.pixels[0]);
  free(image.pixels);
}

TEST_MAIN(T(every_kind_of_file_decodes), T(channels_are_converted), T(files_cut_at_every_byte_are_refused),
          T(changed_bytes_never_crash), T(every_allocation_may_fail), T(what_is_no_picture_is_named),
          T(claims_are_checked_before_memory), T(resize_follows_the_formula), T(resize_by_hand),
          T(crop_borrows_the_middle), T(tensor_in_all_layouts_and_orders), T(tensor_channels),
          T(one_call_equals_the_steps), T(wrong_tensor_options_are_named), T(options_of_other_versions))
