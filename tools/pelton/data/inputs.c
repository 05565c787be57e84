#include "data/inputs.h"

#include "data/files.h"
#include "data/low_bits.h"
#include "data/npy.h"
#include "data/tensor_pb.h"
#include "pelton/vision.h"

#include <stdlib.h>
#include <string.h>

void tensors_release(tensors *t) {
  for (uint32_t i = 0; i < t->count; i++) tensor_release(&t->data[i]);
  free(t->data);
  *t = (tensors){NULL, 0};
}

/* An image as it is for an input of four dims: [1,C,H,W], RGB, 0 to 255. Resized to what the network wants. */
static int read_image(const char *path, const pelton_io_info *input, pelton_tensor *out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_image image = PELTON_IMAGE_INIT;
  pelton_image_tensor_options options = PELTON_IMAGE_TENSOR_OPTIONS_INIT;
  if (!input->rank_known || input->shape.rank != 4) {
    print_error("%s: input '%s' takes no image: it does not have four dims", path, input->name);
    return EXIT_USAGE;
  }
  options.channels = input->shape.dims[1] == 1 ? 1 : 3;
  if (input->shape.dims[2] > 0 && input->shape.dims[3] > 0) {
    options.resize_height = (uint32_t)input->shape.dims[2];
    options.resize_width = (uint32_t)input->shape.dims[3];
  }
  pelton_tensor pixels = {PELTON_DTYPE_F32, {0, {0}}, NULL, 0};
  pelton_status status = pelton_image_load(path, NULL, &image, &diag);
  if (!status) status = pelton_image_tensor_shape(&image, &options, &pixels.shape, &diag);
  if (!status && tensor_create(&pixels, PELTON_DTYPE_F32, &pixels.shape))
    status = pelton_image_to_tensor(&image, &options, pixels.data, pixels.bytes / sizeof(float), &diag);
  pelton_image_release(&image);
  if (status) {
    tensor_release(&pixels);
    return print_failure(status, &diag, NULL);
  }
  *out = pixels;
  return EXIT_DONE;
}

/* A sequence is in files as `pelton run` writes it: NAME.npy stands for NAME_0.npy, NAME_1.npy and so on; where items are
   sequences themselves, for NAME_0_0.npy and so on. */
static bool read_items(const char *path, uint32_t depth, pelton_tensor *out, char *reason) {
  const int stem = (int)strlen(path) - 4;
  bool ok = true;
  *out = (pelton_tensor){PELTON_DTYPE_TENSOR, {1, {0}}, NULL, 0};
  for (size_t i = 0; ok; i++) {
    char *first = memory_format("%.*s_%zu%s.npy", stem, path, i, depth > 1 ? "_0" : "");
    char *item_path = memory_format("%.*s_%zu.npy", stem, path, i);
    const bool there = path_exists(first);
    pelton_tensor item;
    if (there) ok = depth > 1 ? read_items(item_path, depth - 1, &item, reason) : npy_read(item_path, &item, reason);
    if (there && ok) tensor_add_item(out, &item);
    if (!there && i == 0) {
      snprintf(reason, 256, "%.200s: there is no such file, for the first item", first);
      ok = false;
    }
    free(first);
    free(item_path);
    if (!there) break;
  }
  if (!ok) tensor_release(out);
  return ok;
}

static int read_file(const char *path, const pelton_io_info *input, pelton_tensor *out) {
  char reason[256], *name = NULL;
  bool ok;
  const bool boxed = input->dtype == PELTON_DTYPE_TENSOR;
  if (text_ends_with(path, ".npy"))
    ok = boxed ? read_items(path, input->item_depth, out, reason) : npy_read(path, out, reason);
  else if (text_ends_with(path, ".pb"))
    ok = tensor_pb_read(path, boxed, out, &name, reason) == PB_READ;
  else
    return read_image(path, input, out);
  free(name);
  if (!ok) print_error("%s", reason);
  return ok ? EXIT_DONE : EXIT_INPUT;
}

/* Files are often of a near type (NumPy's default is 64 bits wide): converted, and said. */
static int fit_type(const pelton_io_info *input, pelton_tensor *t) {
  if (t->dtype == PELTON_DTYPE_TENSOR && input->dtype == PELTON_DTYPE_TENSOR) {
    pelton_io_info item = *input;
    if (--item.item_depth == 0) item.dtype = input->item;
    int code = EXIT_DONE;
    for (size_t i = 0; i < tensor_item_count(t) && !code; i++) code = fit_type(&item, ((pelton_tensor **)t->data)[i]);
    return code;
  }
  if (t->dtype == input->dtype) return EXIT_DONE;
  if (t->dtype == PELTON_DTYPE_TENSOR || input->dtype == PELTON_DTYPE_TENSOR) {
    print_error("input '%s' is %s; its file has %s", input->name,
                input->dtype == PELTON_DTYPE_TENSOR ? "a sequence" : pelton_dtype_name(input->dtype),
                t->dtype == PELTON_DTYPE_TENSOR ? "a sequence" : pelton_dtype_name(t->dtype));
    return EXIT_INPUT;
  }
  pelton_tensor converted;
  if (t->dtype == PELTON_DTYPE_U16 && input->dtype == PELTON_DTYPE_BF16) { /* the bits, for want of a type */
    t->dtype = PELTON_DTYPE_BF16;
    return EXIT_DONE;
  }
  if (t->dtype == PELTON_DTYPE_U8 && is_low_float(input->dtype)) { /* as npy_write has them */
    t->dtype = input->dtype;
    return EXIT_DONE;
  }
  const bool texts = t->dtype == PELTON_DTYPE_STRING || input->dtype == PELTON_DTYPE_STRING;
  if (texts || (dtype_is_float(t->dtype) && !dtype_is_float(input->dtype))) {
    print_error("input '%s' is %s; its file has %s", input->name, pelton_dtype_name(input->dtype),
                pelton_dtype_name(t->dtype));
    return EXIT_INPUT;
  }
  if (!tensor_convert(&converted, input->dtype, t)) return EXIT_INPUT;
  const size_t count = tensor_count(&t->shape);
  for (size_t i = 0; i < count && !dtype_is_float(input->dtype); i++) {
    if (tensor_get(t, i) == tensor_get(&converted, i)) continue;
    print_error("input '%s' is %s, which cannot hold its file's %.17g", input->name, pelton_dtype_name(input->dtype),
                tensor_get(t, i));
    tensor_release(&converted);
    return EXIT_INPUT;
  }
  print_note("input '%s' is converted from %s to %s", input->name, pelton_dtype_name(t->dtype),
             pelton_dtype_name(input->dtype));
  tensor_release(t);
  *t = converted;
  return EXIT_DONE;
}

static bool is_input(const pelton_engine *engine, const char *name, size_t size) {
  pelton_io_info info;
  for (uint32_t i = 0; i < pelton_engine_input_count(engine) && !pelton_engine_input(engine, i, &info); i++)
    if (strlen(info.name) == size && !memcmp(info.name, name, size)) return true;
  print_error("there is no input '%.*s'", (int)size, name);
  for (uint32_t i = 0; i < pelton_engine_input_count(engine) && !pelton_engine_input(engine, i, &info); i++)
    print_note("input '%s': %s %s", info.name, pelton_dtype_name(info.dtype), format_shape(&info.shape).text);
  return false;
}

bool inputs_are_known(const pelton_engine *engine, const load_options *options) {
  for (uint32_t i = 0; i < options->profile_count; i++)
    if (!is_input(engine, options->profiles[i].name, strlen(options->profiles[i].name))) return false;
  return true;
}

static int check_names(const pelton_engine *engine, const load_options *options, const text_list *files) {
  if (!inputs_are_known(engine, options)) return EXIT_USAGE;
  for (uint32_t i = 0; i < files->count; i++) {
    const char *end = strchr(files->data[i], '=');
    if (!end) print_error("--input takes NAME=FILE, not '%s'", files->data[i]);
    if (!end || !is_input(engine, files->data[i], (size_t)(end - files->data[i]))) return EXIT_USAGE;
  }
  return EXIT_DONE;
}

static int make_input(const load_options *options, const pelton_io_info *info, const text_list *files,
                      const char *folder, uint64_t seed, pelton_tensor *out) {
  const size_t size = strlen(info->name);
  const char *path = NULL;
  char *owned = NULL;
  for (uint32_t i = 0; i < files->count; i++)
    if (!strncmp(files->data[i], info->name, size) && files->data[i][size] == '=') path = files->data[i] + size + 1;
  if (!path && folder) {
    char *name = file_name_of(info->name);
    owned = memory_format("%s/%s.npy", folder, name);
    char *first = info->dtype == PELTON_DTYPE_TENSOR
                      ? memory_format("%s/%s_0%s.npy", folder, name, info->item_depth > 1 ? "_0" : "")
                      : memory_text(owned);
    if (path_exists(first)) path = owned;
    free(first);
    free(name);
  }
  int code = EXIT_DONE;
  if (path) {
    code = read_file(path, info, out);
    if (!code) code = fit_type(info, out);
  } else if (info->dtype == PELTON_DTYPE_TENSOR) {
    print_error("input '%s' is %s, of which there are no random ones: give --input %s=FILE.pb, or FILE.npy for "
                "FILE_0.npy, FILE_1.npy ...",
                info->name, info->optional ? "an optional" : "a sequence", info->name);
    code = EXIT_USAGE;
  } else {
    pelton_shape shape;
    if (!load_input_shape(options, info, &shape))
      code = EXIT_USAGE;
    else if (!tensor_create(out, info->dtype, &shape))
      code = EXIT_USAGE;
    else
      tensor_fill_random(out, seed);
  }
  free(owned);
  return code;
}

int inputs_make(const pelton_engine *engine, const load_options *options, const text_list *files, const char *folder,
                uint64_t seed, tensors *out) {
  *out = (tensors){memory_new(pelton_engine_input_count(engine), sizeof *out->data), pelton_engine_input_count(engine)};
  int code = check_names(engine, options, files);
  for (uint32_t i = 0; i < out->count && !code; i++) {
    pelton_io_info info;
    const pelton_status status = pelton_engine_input(engine, i, &info);
    code = status ? EXIT_BUG : make_input(options, &info, files, folder, seed * 1000003u + i, &out->data[i]);
  }
  if (code) tensors_release(out);
  return code;
}

int engine_run_once(pelton_engine *engine, const tensors *inputs, tensors *outputs) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context = NULL;
  const uint32_t count = pelton_engine_output_count(engine);
  pelton_tensor *views = memory_new(count, sizeof *views);
  *outputs = (tensors){memory_new(count, sizeof *views), 0};
  pelton_status status = pelton_context_create(engine, NULL, &context, &diag);
  if (!status) status = pelton_context_run(context, inputs->data, inputs->count, views, count, &diag);
  int code = status ? print_failure(status, &diag, NULL) : EXIT_DONE;
  for (uint32_t i = 0; i < count && !code; i++)
    if (tensor_copy(&outputs->data[outputs->count], &views[i]))
      outputs->count++;
    else
      code = EXIT_RESOURCE;
  pelton_context_release(context);
  free(views);
  if (code) tensors_release(outputs);
  return code;
}
