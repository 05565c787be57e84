/* pelton classify: images through a network, the highest scores. The scores are the network's output as it is. */
#include "data/files.h"
#include "data/inputs.h"
#include "pelton/vision.h"
#include "text/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct classify {
  load_options load;
  const char *labels_path, *interpolation, *order;
  size_pair resize, crop;
  number_triple mean, std;
  double scale;
  int64_t top;
  bool json;
  file_bytes label_text;
  text_list labels;
} classify;

typedef struct network {
  pelton_engine *engine;
  pelton_context *context;
  pelton_io_info input;
  pelton_tensor *outputs;
  uint32_t output_count;
  uint32_t layout, channels;
  int64_t height, width; /* -1: any */
} network;

/* ---- what it wants -------------------------------------------------------------------------------------------------
 */

/* [N,C,H,W], or [N,H,W,C] where only the last dim can be of channels. */
static int read_input(network *n) {
  const pelton_shape *s = &n->input.shape;
  if (pelton_engine_input_count(n->engine) != 1 || pelton_engine_input(n->engine, 0, &n->input)) {
    print_error("the network has %u inputs; classify is for those with one", pelton_engine_input_count(n->engine));
    return EXIT_USAGE;
  }
  if (n->input.dtype != PELTON_DTYPE_F32 && n->input.dtype != PELTON_DTYPE_U8) {
    print_error("input '%s' is %s; classify is for f32 and u8", n->input.name, pelton_dtype_name(n->input.dtype));
    return EXIT_USAGE;
  }
  if (!n->input.rank_known || s->rank != 4) {
    print_error("input '%s' is %s; classify is for [N,C,H,W]", n->input.name, format_shape(s).text);
    return EXIT_USAGE;
  }
  const bool last = (s->dims[3] == 1 || s->dims[3] == 3) && s->dims[1] != 1 && s->dims[1] != 3;
  const int64_t channels = s->dims[last ? 3 : 1];
  n->layout = last ? PELTON_IMAGE_NHWC : PELTON_IMAGE_NCHW;
  n->height = s->dims[last ? 1 : 2];
  n->width = s->dims[last ? 2 : 3];
  n->channels = channels == 1 ? 1 : 3;
  if ((channels != -1 && channels != 1 && channels != 3) || (s->dims[0] != -1 && s->dims[0] != 1)) {
    print_error("input '%s' is %s; classify gives one image of 1 or 3 channels", n->input.name, format_shape(s).text);
    return EXIT_USAGE;
  }
  return EXIT_DONE;
}

static pelton_image_tensor_options image_options(const classify *c, const network *n) {
  pelton_image_tensor_options o = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  const char *how = c->interpolation ? c->interpolation : "linear";
  o.interpolation = !strcmp(how, "nearest") ? PELTON_INTERPOLATION_NEAREST
                    : !strcmp(how, "cubic") ? PELTON_INTERPOLATION_CUBIC
                                            : PELTON_INTERPOLATION_LINEAR;
  o.resize_width = c->resize.width;
  o.resize_height = c->resize.height;
  o.crop_width = c->crop.width;
  o.crop_height = c->crop.height;
  if (!o.resize_width && !o.crop_width && n->width > 0 && n->height > 0) {
    o.resize_width = (uint32_t)n->width;
    o.resize_height = (uint32_t)n->height;
  }
  o.channels = n->channels;
  o.layout = n->layout;
  o.order = c->order && !strcmp(c->order, "bgr") ? PELTON_IMAGE_BGR : PELTON_IMAGE_RGB;
  o.scale = (float)c->scale;
  for (int i = 0; i < 3; i++) {
    o.mean[i] = (float)c->mean.value[i];
    o.std[i] = (float)c->std.value[i];
  }
  return o;
}

/* ---- one image -----------------------------------------------------------------------------------------------------
 */

static int make_input(const classify *c, const network *n, const char *path, pelton_tensor *out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  const pelton_image_tensor_options options = image_options(c, n);
  pelton_shape shape;
  pelton_status status = pelton_image_load(path, NULL, &image, &diag);
  if (!status) status = pelton_image_tensor_shape(&image, &options, &shape, &diag);
  if (!status && !tensor_create(out, PELTON_DTYPE_F32, &shape)) status = PELTON_OUT_OF_MEMORY;
  if (!status) status = pelton_image_to_tensor(&image, &options, out->data, out->bytes / sizeof(float), &diag);
  pelton_image_release(&image);
  if (status) return print_failure(status, &diag, status == PELTON_INVALID_ARGUMENT ? path : NULL);
  if (n->input.dtype == PELTON_DTYPE_F32) return EXIT_DONE;
  pelton_tensor bytes;
  if (!tensor_convert(&bytes, n->input.dtype, out)) return EXIT_RESOURCE;
  tensor_release(out);
  *out = bytes;
  return EXIT_DONE;
}

typedef struct score {
  size_t index;
  double value;
} score;

static int compare_scores(const void *a, const void *b) {
  const score *x = a, *y = b;
  if (x->value != y->value && !(isnan(x->value) && isnan(y->value)))
    return isnan(x->value) ? 1 : isnan(y->value) ? -1 : x->value < y->value ? 1 : -1;
  return x->index > y->index ? 1 : -1; /* the first of equals first */
}

static void tell_top(const classify *c, const char *path, const pelton_tensor *scores, json_writer *json) {
  const size_t count = tensor_count(&scores->shape), top = count < (size_t)c->top ? count : (size_t)c->top;
  score *all = memory_new(count, sizeof *all);
  for (size_t i = 0; i < count; i++) all[i] = (score){i, tensor_get(scores, i)};
  qsort(all, count, sizeof *all, compare_scores);
  if (c->json) {
    json_begin(json, NULL, '{');
    json_text(json, "file", path);
    json_begin(json, "top", '[');
  } else {
    printf("%s\n", path);
  }
  for (size_t i = 0; i < top; i++) {
    const char *label = all[i].index < c->labels.count ? c->labels.data[all[i].index] : NULL;
    if (!c->json) {
      printf("  %10.6g  %5zu  %s\n", all[i].value, all[i].index, label ? label : "");
      continue;
    }
    json_begin(json, NULL, '{');
    json_integer(json, "class", (int64_t)all[i].index);
    json_text(json, "label", label);
    json_number(json, "score", all[i].value);
    json_end(json, '}');
  }
  if (c->json) {
    json_end(json, ']');
    json_end(json, '}');
  }
  free(all);
}

static int classify_image(const classify *c, network *n, const char *path, json_writer *json) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_tensor input = {PELTON_DTYPE_NONE, {0, {0}}, NULL, 0};
  int code = make_input(c, n, path, &input);
  if (!code) {
    memset(n->outputs, 0, n->output_count * sizeof *n->outputs);
    const pelton_status status = pelton_context_run(n->context, &input, 1, n->outputs, n->output_count, &diag);
    if (status)
      code = print_failure(status, &diag, path);
    else
      tell_top(c, path, &n->outputs[0], json);
  }
  tensor_release(&input);
  return code;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------
 */

/* One label a line. */
static int read_labels(classify *c) {
  if (!c->labels_path) return EXIT_DONE;
  if (!file_read(c->labels_path, &c->label_text, NULL)) return EXIT_INPUT;
  for (char *line = (char *)c->label_text.data; *line;) {
    const size_t size = strcspn(line, "\n");
    const bool more = line[size] != 0;
    line[size] = 0;
    if (size && line[size - 1] == '\r') line[size - 1] = 0;
    text_list_add(&c->labels, line);
    line += size + more;
  }
  return EXIT_DONE;
}

/* An entry for every image, so that the array can be read beside the list of files. */
static void tell_nothing(const char *path, json_writer *json) {
  json_begin(json, NULL, '{');
  json_text(json, "file", path);
  json_begin(json, "top", '[');
  json_end(json, ']');
  json_end(json, '}');
}

/* A broken image is told and the others are still classified. */
static int classify_images(const classify *c, network *n, const text_list *words) {
  json_writer json = {stdout, false};
  int code = EXIT_DONE;
  if (c->json) json_begin(&json, NULL, '[');
  for (uint32_t i = 1; i < words->count; i++) {
    const int one = classify_image(c, n, words->data[i], &json);
    if (one && c->json) tell_nothing(words->data[i], &json);
    if (!code) code = one;
  }
  if (c->json) {
    json_end(&json, ']');
    putchar('\n');
  }
  return code;
}

static int classify_with(classify *c, const text_list *words) {
  pelton_diag diag = PELTON_DIAG_INIT;
  loaded it = {.engine = NULL};
  network n = {.engine = NULL};
  pelton_status status = load_engine(words->data[0], &c->load, &it, &diag);
  if (status) return print_failure(status, &diag, NULL);
  n.engine = it.engine;
  n.output_count = pelton_engine_output_count(n.engine);
  n.outputs = memory_new(n.output_count, sizeof *n.outputs);
  int code = read_input(&n);
  if (!code && !n.output_count) {
    print_error("the network has no output");
    code = EXIT_USAGE;
  }
  if (!code) {
    status = pelton_context_create(n.engine, NULL, &n.context, &diag);
    code = status ? print_failure(status, &diag, NULL) : classify_images(c, &n, words);
  }
  pelton_context_release(n.context);
  pelton_engine_release(n.engine);
  free(n.outputs);
  return code;
}

int command_classify(int argc, char **argv) {
  classify c = {.load = LOAD_OPTIONS_INIT, .scale = 1, .std = {{1, 1, 1}}, .top = 5};
  const option rows[] = {
      {"labels", 0, OPTION_TEXT, &c.labels_path, "FILE", "names of the classes, one a line", 0, 0},
      {"top", 0, OPTION_INTEGER, &c.top, "N", "how many classes (5)", 1, 1e6},
      {"resize", 0, OPTION_SIZE, &c.resize, "WxH", "first; without it and --crop: to the network's size", 0, 0},
      {"interpolation", 0, OPTION_CHOICE, &c.interpolation, "nearest|linear|cubic", "of --resize (linear)", 0, 0},
      {"crop", 0, OPTION_SIZE, &c.crop, "WxH", "then the middle", 0, 0},
      {"scale", 0, OPTION_NUMBER, &c.scale, "F", "value = (pixel 0...255 * scale - mean) / std", 0, 0},
      {"mean", 0, OPTION_TRIPLE, &c.mean, "A,B,C", "of the channels in --order", 0, 0},
      {"std", 0, OPTION_TRIPLE, &c.std, "A,B,C", "of the channels in --order", 0, 0},
      {"order", 0, OPTION_CHOICE, &c.order, "rgb|bgr", "of the channels (rgb)", 0, 0},
      LOAD_ROWS(c.load),
      {"json", 0, OPTION_FLAG, &c.json, NULL, "an array, an object an image", 0, 0},
  };
  const option_table table = {
      "classify ENGINE|MODEL IMAGE... [options]",
      "The highest scores that an image network gives each image; the scores are its first output as it is.",
      rows,
      OPTION_COUNT(rows),
      2,
      1000000};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON && (c.std.value[0] == 0 || c.std.value[1] == 0 || c.std.value[2] == 0)) {
    print_error("--std divides: it must not be 0");
    code = EXIT_USAGE;
  }
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&c.load);
    if (!code) code = read_labels(&c);
    if (!code) code = classify_with(&c, &words);
  }
  load_release(&c.load);
  free(c.labels.data);
  free(c.label_text.data);
  free(words.data);
  return code;
}
