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

static int read_file(const char *path, const pelton_io_info *input, pelton_tensor *out) {
  char reason[256], *name = NULL;
  bool ok;
  if (text_ends_with(path, ".npy"))
    ok = npy_read(path, out, reason);
  else if (text_ends_with(path, ".pb"))
    ok = tensor_pb_read(path, out, &name, reason) == PB_READ;
  else
    return read_image(path, input, out);
  free(name);
  if (!ok) print_error("%s", reason);
  return ok ? EXIT_DONE : EXIT_INPUT;
}

/* Files are often of a near type (NumPy's default is 64 bits wide): converted, and said. */
static int fit_type(const pelton_io_info *input, pelton_tensor *t) {
  if (t->dtype == input->dtype) return EXIT_DONE;
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

static int check_names(const pelton_engine *engine, const load_options *options, const text_list *files) {
  for (uint32_t i = 0; i < options->profile_count; i++)
    if (!is_input(engine, options->profiles[i].name, strlen(options->profiles[i].name))) return EXIT_USAGE;
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
    free(name);
    if (path_exists(owned)) path = owned;
  }
  int code = EXIT_DONE;
  if (path) {
    code = read_file(path, info, out);
    if (!code) code = fit_type(info, out);
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
