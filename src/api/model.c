#include "api/model.h"

#include "base/format.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "op/schema.h"
#include "op/text/strings.h"

static pelton_import_options import_options(const pelton_import_options *given) {
  pelton_import_options out = PELTON_IMPORT_OPTIONS_INIT;
  if (given) memcpy(&out, given, given->size < sizeof out ? given->size : sizeof out);
  if (!out.allocator) out.allocator = &pn_allocator_default;
  return out;
}

/* Wraps |model|, which it owns from now on, also on failure. */
static pelton_status wrap(pn_model *model, const pelton_allocator *allocator, pelton_model **out, pelton_diag *diag) {
  pelton_model *handle = model ? pn_alloc(allocator, sizeof *handle, _Alignof(pelton_model)) : NULL;
  if (!handle) {
    pn_model_release(model);
    return pn_fail_memory(diag, "a model");
  }
  handle->allocator = allocator;
  handle->model = model;
  atomic_init(&handle->references, 1);
  *out = handle;
  return PELTON_OK;
}

void pn_model_retain(const pelton_model *model) {
  atomic_fetch_add_explicit(&((pelton_model *)(uintptr_t)model)->references, 1, memory_order_relaxed);
}

void pelton_model_release(pelton_model *model) {
  if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1) return;
  const pelton_allocator *allocator = model->allocator;
  pn_model_release(model->model);
  pn_release(allocator, model);
}

static void log_warnings(const pn_model *model, const pelton_log *log) {
  char more[64];
  if (!log || !log->write) return;
  for (uint32_t i = 0; i < model->warnings.count; i++)
    log->write(log->self, PELTON_LOG_WARNING, model->warnings.data[i]);
  pn_formatf(more, sizeof more, "%u more warnings like these", model->more_warnings);
  if (model->more_warnings) log->write(log->self, PELTON_LOG_WARNING, more);
}

pelton_status pelton_model_import(const char *path, const pelton_import_options *given, pelton_model **out,
                                  pelton_diag *diag) {
  if (!path || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_import: path and out must not be null");
  *out = NULL;
  pelton_import_options options = import_options(given);
  pn_model *model;
  if (options.override_count && !options.overrides)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_import: %u overrides, but no names",
                   options.override_count);
  PN_TRY(pn_model_import_overriding(path, options.allocator, options.overrides, options.override_count, &model, diag));
  log_warnings(model, options.log);
  return wrap(model, options.allocator, out, diag);
}

pelton_status pelton_model_check(const char *path, const pelton_import_options *given, pelton_diag *diag) {
  if (!path) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_check: path must not be null");
  return pn_model_check(path, import_options(given).allocator, diag);
}

pelton_status pelton_model_describe(const char *path, const pelton_import_options *given, char **out,
                                    pelton_diag *diag) {
  if (!path || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_describe: path and out must not be null");
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  pelton_status status = pn_model_describe(path, import_options(given).allocator, &json, diag);
  pn_json_object_end(&json);
  if (status == PELTON_OK && text.failed) status = pn_fail_memory(diag, "the description of a model");
  *out = text.data;
  if (status == PELTON_OK) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return status;
}

pelton_status pelton_model_parse(const char *text, size_t bytes, const pelton_import_options *given, pelton_model **out,
                                 pelton_diag *diag) {
  if (!text || !out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_parse: text and out must not be null");
  *out = NULL;
  pelton_import_options options = import_options(given);
  pelton_model *handle;
  PN_TRY(wrap(pn_model_create(options.allocator), options.allocator, &handle, diag));
  pelton_status status = pn_graph_parse((pn_str){text, bytes}, &handle->model->arena, &handle->model->graph, diag);
  if (status)
    pelton_model_release(handle);
  else
    *out = handle;
  return status;
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

/* Values of the public interface are ids + 1, so that 0 is none. */
static pelton_status value_in(const pelton_model *model, pelton_value value, pn_value_id *out, pelton_diag *diag) {
  *out = value ? (pn_value_id){value - 1} : PN_NO_VALUE;
  if (value <= model->model->graph->values.count) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "there is no value %u in this model; it has %u", value,
                 model->model->graph->values.count);
}

pelton_status pelton_model_create(const char *name, const pelton_import_options *given, pelton_model **out,
                                  pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_create: out must not be null");
  *out = NULL;
  pelton_import_options options = import_options(given);
  pelton_model *handle;
  PN_TRY(wrap(pn_model_create(options.allocator), options.allocator, &handle, diag));
  handle->model->graph = pn_graph_create(&handle->model->arena, NULL, pn_str_from(name ? name : "network"));
  handle->model->format = "";
  if (!handle->model->graph) {
    pelton_model_release(handle);
    return pn_fail_memory(diag, "a model");
  }
  *out = handle;
  return PELTON_OK;
}

static pelton_status parse_shape(pn_graph *g, const char *text, pn_type *type, pelton_diag *diag) {
  pn_str rest = pn_str_from(text);
  type->rank = 0;
  while (rest.size) {
    const char *comma = memchr(rest.data, ',', rest.size);
    pn_str one = {rest.data, comma ? (size_t)(comma - rest.data) : rest.size};
    if (type->rank == PN_MAX_RANK)
      return pn_fail(diag, PELTON_UNSUPPORTED, "shape \"%s\" has more than %d dims", text, PN_MAX_RANK);
    PN_TRY(pn_dim_parse(g->symbols, one, &type->dims[type->rank++], diag));
    rest.data += one.size + (comma != NULL);
    rest.size -= one.size + (comma != NULL);
  }
  return PELTON_OK;
}

pelton_status pelton_model_add_input(pelton_model *model, const char *name, pelton_dtype dtype, const char *shape,
                                     pelton_value *out, pelton_diag *diag) {
  if (!model || !name || !shape || !out || !pelton_dtype_bytes(dtype))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "pelton_model_add_input: model, name, shape and out must not be null, and the type be one");
  if (dtype == PELTON_DTYPE_TENSOR)
    return pn_fail(
        diag, PELTON_UNSUPPORTED,
        "input '%s': what a sequence or an optional holds cannot be said here; write the model as text, with an "
        "input as %%x: tensor<f32>[n]",
        name);
  pn_type type = {.dtype = dtype};
  PN_TRY(parse_shape(model->model->graph, shape, &type, diag));
  pn_value_id v = pn_graph_add_input(model->model->graph, pn_str_from(name), &type);
  *out = v.v + 1;
  return pn_value_valid(v) ? PELTON_OK : pn_fail_memory(diag, "an input");
}

pelton_status pelton_model_add_constant(pelton_model *model, const char *name, const pelton_tensor *tensor,
                                        pelton_value *out, pelton_diag *diag) {
  int64_t elements;
  if (!model || !tensor || !out || tensor->shape.rank > PN_MAX_RANK || !pelton_dtype_bytes(tensor->dtype))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "pelton_model_add_constant: model, tensor and out must not be null, and the type and rank be valid");
  if (tensor->dtype == PELTON_DTYPE_TENSOR)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "constant '%s': sequences are no constants; add the items, and a box of them", name ? name : "");
  if (!pn_dims_elements(tensor->shape.rank, tensor->shape.dims, pelton_dtype_bytes(tensor->dtype), &elements) ||
      tensor->bytes < (size_t)elements * pelton_dtype_bytes(tensor->dtype) || (!tensor->data && elements))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "constant '%s': %zu bytes are not enough for its shape",
                   name ? name : "", tensor->bytes);
  if (tensor->dtype == PELTON_DTYPE_STRING && pn_strings_broken(tensor->data, (size_t)elements) < (size_t)elements)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "constant '%s': text %zu has a length but no bytes", name ? name : "",
                   pn_strings_broken(tensor->data, (size_t)elements));
  pn_type type = pn_type_make(tensor->dtype, tensor->shape.rank, tensor->shape.dims);
  pn_value_id v =
      pn_graph_add_constant_copy(model->model->graph, pn_str_from(name), &type, tensor->data ? tensor->data : "");
  *out = v.v + 1;
  return pn_value_valid(v) ? PELTON_OK : pn_fail_memory(diag, "a constant");
}

pelton_status pelton_model_add_node(pelton_model *model, const char *op_name, const char *attributes, const char *name,
                                    const pelton_value *inputs, uint32_t input_count, pelton_value *outputs,
                                    uint32_t output_count, pelton_diag *diag) {
  if (!model || !op_name || (!inputs && input_count) || (!outputs && output_count) || input_count > PN_MANY ||
      output_count > PN_MANY)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "pelton_model_add_node: model, op, inputs and outputs must not be null");
  pn_graph *g = model->model->graph;
  pn_op op;
  void *attrs;
  if (!pn_op_find(pn_str_from(op_name), &op))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "there is no operator '%s'; `pelton ops` lists them", op_name);
  pn_str text = pn_str_from(attributes);
  PN_TRY(pn_attrs_parse(op, &text, NULL, g->arena, &attrs, diag));
  if (text.size)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: cannot read attributes from \"%.*s\" on", op_name,
                   PN_STR_ARG(text));
  pn_value_id *ids = PN_NEW_ARRAY(g->arena, pn_value_id, input_count + 1);
  if (!ids) return pn_fail_memory(diag, "a node");
  for (uint32_t i = 0; i < input_count; i++) PN_TRY(value_in(model, inputs[i], &ids[i], diag));
  pn_node_id node = pn_graph_add_node(g, op, attrs, pn_str_from(name), ids, input_count, output_count);
  if (!pn_node_valid(node)) return pn_fail_memory(diag, "a node");
  PN_TRY(
      pn_graph_infer_types(g, diag)); /* all of it: networks built by hand are small, and constants' contents matter */
  for (uint32_t i = 0; i < output_count; i++) outputs[i] = pn_graph_result(g, node, i).v + 1;
  return PELTON_OK;
}

pelton_status pelton_model_add_output(pelton_model *model, pelton_value value, const char *name, pelton_diag *diag) {
  if (!model || !value)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_add_output: model must not be null, nor value 0");
  pn_graph *g = model->model->graph;
  pn_value_id v;
  PN_TRY(value_in(model, value, &v, diag));
  if (name && !pn_str_is(pn_graph_value(g, v)->name, name)) {
    pn_value_id other;
    if (pn_graph_find_value(g, pn_str_from(name), &other))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "there is already a value called '%s'", name);
    const char *copy = pn_str_copy(g->arena, pn_str_from(name));
    if (!copy) return pn_fail_memory(diag, "an output");
    pn_map_remove(&g->value_names, pn_graph_value(g, v)->name);
    pn_graph_value(g, v)->name = pn_str_from(copy);
    if (!pn_map_set(&g->value_names, pn_str_from(copy), v.v)) return pn_fail_memory(diag, "an output");
  }
  return pn_graph_add_output(g, v) ? PELTON_OK : pn_fail_memory(diag, "an output");
}

pelton_status pelton_model_print(const pelton_model *model, size_t max_constant_bytes, char **out, pelton_diag *diag) {
  if (!model || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_model_print: model and out must not be null");
  pn_text text;
  pn_text_init(&text, NULL);
  pn_graph_print(model->model->graph, max_constant_bytes, &text);
  *out = text.data;
  if (!text.failed) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return pn_fail_memory(diag, "the text");
}
