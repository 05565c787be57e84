/* Which format a file is of, by its content; extensions only lend weight where bytes cannot tell. */
#include "import/import.h"

#include "ir/text.h"

typedef struct format {
  const char *name, *extension;
  bool (*is)(pn_span file);
  pelton_status (*import)(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag);
  /* Null: described and checked by importing it. */
  pelton_status (*describe)(pn_model *model, const pn_file *file, const char *folder, pn_json *json, pelton_diag *diag);
  pelton_status (*check)(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag);
} format;

/* A ModelProto begins with the key of one of its fields: nearly always 1, the IR version, as a small number. */
static bool is_onnx(pn_span file) {
  static const uint8_t keys[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
  if (file.size < 2) return false;
  if (file.data[0] == 0x08) return file.data[1] > 0 && file.data[1] < 0x80;
  for (size_t i = 0; i < sizeof keys; i++)
    if (file.data[0] == keys[i]) return true;
  return false;
}

/* Blanks and comments, then "graph ". */
static bool is_text(pn_span file) {
  size_t i = 0;
  for (; i < file.size; i++) {
    const uint8_t c = file.data[i];
    if (c == '#')
      while (i + 1 < file.size && file.data[i + 1] != '\n') i++;
    else if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
      break;
  }
  return file.size - i >= 6 && memcmp(file.data + i, "graph ", 6) == 0;
}

static pelton_status import_text(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag) {
  (void)folder;
  pn_file mine = *file;
  const pelton_status status =
      pn_graph_parse((pn_str){(const char *)file->data, file->size}, &model->arena, &model->graph, diag);
  if (!pn_list_push(&model->arena, &model->files, mine)) {
    pn_file_unmap(&mine);
    return pn_fail_memory(diag, "a model");
  }
  model->format = "pelton text";
  return status;
}

static const format formats[] = {
    {"ONNX", ".onnx", is_onnx, pn_import_onnx, pn_describe_onnx, pn_check_onnx},
    {"Pelton text", ".pir", is_text, import_text, NULL, NULL},
};

static bool ends_with(const char *path, const char *extension) {
  const size_t n = strlen(path), m = strlen(extension);
  return n >= m && memcmp(path + n - m, extension, m) == 0;
}

static const format *find_format(const char *path, pn_span file) {
  for (size_t i = 0; i < PN_COUNT(formats); i++)
    if (ends_with(path, formats[i].extension)) return &formats[i];
  for (size_t i = PN_COUNT(formats); i-- > 0;)
    if (formats[i].is(file)) return &formats[i];
  return NULL;
}

static pelton_status fail_format(pelton_diag *diag) {
  char known[256] = "";
  size_t size = 0;
  for (size_t i = 0; i < PN_COUNT(formats); i++) {
    const char *parts[] = {i ? ", " : "", formats[i].name, " (", formats[i].extension, ")"};
    for (size_t k = 0; k < PN_COUNT(parts); k++) {
      const size_t n = strlen(parts[k]);
      if (size + n >= sizeof known) continue;
      memcpy(known + size, parts[k], n + 1);
      size += n;
    }
  }
  return pn_fail(diag, PELTON_INVALID_DATA, "it is no model of a format that Pelton reads: %s", known);
}

/* What is asked of a file. */
typedef enum reading { IMPORT, DESCRIBE, CHECK } reading;

static void describe_value(const pn_graph *g, const pn_value *value, pn_json *json) {
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "name", value->name);
  pn_json_string(json, "type", PN_STR("tensor"));
  pn_json_string(json, "dtype", pn_str_from(pelton_dtype_name(value->type.dtype)));
  if (value->type.rank == PN_RANK_UNKNOWN) pn_json_null(json, "shape");
  else pn_json_array_begin(json, "shape");
  for (int32_t i = 0; i < value->type.rank; i++) {
    const pn_dim d = value->type.dims[i];
    if (pn_dim_is_number(d)) pn_json_i64(json, NULL, d.number);
    else pn_json_string(json, NULL, g->symbols->list.data[d.symbol - 1].name);
  }
  if (value->type.rank != PN_RANK_UNKNOWN) pn_json_array_end(json);
  pn_json_object_end(json);
}

static void describe_graph(const pn_model *model, pn_json *json) {
  pn_json_string(json, "format", pn_str_from(model->format));
  pn_json_array_begin(json, "values");
  for (uint32_t i = 0; i < model->graph->values.count; i++)
    describe_value(model->graph, &model->graph->values.data[i], json);
  pn_json_array_end(json);
  pn_json_array_begin(json, "refused");
  pn_json_array_end(json);
}

static pelton_status read_as(const format *reader, reading purpose, pn_model *model, const pn_file *file,
                             const char *folder, pn_json *json, pelton_diag *diag) {
  if (purpose == DESCRIBE && reader->describe) return reader->describe(model, file, folder, json, diag);
  if (purpose == CHECK && reader->check) return reader->check(model, file, folder, diag);
  PN_TRY(reader->import(model, file, folder, diag));
  if (purpose == DESCRIBE) describe_graph(model, json);
  return PELTON_OK;
}

static pelton_status import_file(pn_model *model, const char *path, reading purpose, pn_json *json, pelton_diag *diag) {
  pn_file file;
  char folder[4096];
  if (!pn_path_folder(path, folder, sizeof folder))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the path of the model is longer than %zu bytes", sizeof folder);
  PN_TRY(pn_file_map(path, &file, diag));
  const pn_span bytes = {file.data, file.size};
  const format *reader = file.size > 0 ? find_format(path, bytes) : NULL;
  const uint8_t first = file.size > 0 ? file.data[0] : 0; /* the reader takes the mapping over */
  const uint32_t mark = pn_diag_mark(diag);
  pelton_status status;
  if (reader) {
    status = read_as(reader, purpose, model, &file, folder, json, diag);
    const bool guessed = first != 0x08 && !ends_with(path, reader->extension);
    if (status == PELTON_INVALID_DATA && reader->import == pn_import_onnx && guessed) {
      pn_diag_rewind(diag, mark); /* what a reader of ONNX says of a picture helps nobody */
      status = fail_format(diag);
    }
  } else {
    pn_file_unmap(&file);
    status = bytes.size > 0 ? fail_format(diag) : pn_fail(diag, PELTON_INVALID_DATA, "the file is empty");
  }
  if (status) pn_diag_prefix(diag, mark, "%s", path);
  return status;
}

pelton_status pn_model_import(const char *path, const pelton_allocator *allocator, pn_model **out, pelton_diag *diag) {
  return pn_model_import_overriding(path, allocator, NULL, 0, out, diag);
}

pelton_status pn_model_import_overriding(const char *path, const pelton_allocator *allocator,
                                         const char *const *overrides, uint32_t count, pn_model **out,
                                         pelton_diag *diag) {
  *out = NULL;
  pn_model *model = pn_model_create(allocator);
  if (!model) return pn_fail_memory(diag, "a model");
  model->overrides = overrides;
  model->override_count = count;
  const pelton_status status = import_file(model, path, IMPORT, NULL, diag);
  model->overrides = NULL; /* the caller's */
  model->override_count = 0;
  if (status) {
    pn_model_release(model);
    return status;
  }
  *out = model;
  return PELTON_OK;
}

static pelton_status read_only(const char *path, const pelton_allocator *allocator, reading purpose, pn_json *json,
                               pelton_diag *diag) {
  pn_model *model = pn_model_create(allocator);
  if (!model) return pn_fail_memory(diag, "a model");
  const pelton_status status = import_file(model, path, purpose, json, diag);
  pn_model_release(model);
  return status;
}

pelton_status pn_model_describe(const char *path, const pelton_allocator *allocator, pn_json *json, pelton_diag *diag) {
  return read_only(path, allocator, DESCRIBE, json, diag);
}

pelton_status pn_model_check(const char *path, const pelton_allocator *allocator, pelton_diag *diag) {
  return read_only(path, allocator, CHECK, NULL, diag);
}
