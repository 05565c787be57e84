/* An ONNX model into a graph: versions, inputs, nodes, outputs; then the graph is put in order, typed and verified as
   every other one. */
#include "import/onnx/check/structure.h"
#include "import/onnx/check/survey.h"
#include "import/onnx/scope.h"
#include "ir/infer_walk.h"
#include "ir/verify.h"

#include <inttypes.h>

enum { OLDEST_IR_VERSION = 3 };

/* ---- types ----------------------------------------------------------------------------------------------------- */

/* |d| null: the length of a sequence, of which files say nothing. */
static pelton_status import_dim(pn_onnx_importer *importer, const pn_onnx_value_info *info, const pn_onnx_dim *d,
                                uint32_t i, bool symbols_named, pn_dim *out) {
  pn_symbols *symbols = importer->scope->area->graph->symbols;
  if (d && d->has_value && d->value >= 0) {
    *out = pn_dim_of(d->value);
  } else if (!symbols_named) {
    *out = pn_dim_fresh(symbols);
  } else if (d && d->param.size > 0) {
    *out = pn_dim_named(symbols, d->param);
  } else if (importer->survey) {
    *out = pn_dim_fresh(symbols);
  } else {
    const char *name = pn_str_printf(&importer->scratch, "%.*s_d%u", PN_STR_ARG(info->name), i);
    if (!name) return pn_fail_memory(importer->diag, "a dimension's name");
    *out = pn_dim_named(symbols, pn_str_from(name));
  }
  return pn_symbols_status(symbols, importer->diag);
}

pelton_status pn_onnx_elements_import(pn_onnx_importer *importer, pn_str name, const pn_onnx_type *type, pn_type *out) {
  const pn_onnx_type_kind kind = pn_onnx_type_kind_of(type);
  *out = (pn_type){.rank = PN_RANK_UNKNOWN};
  if (kind == PN_ONNX_TYPE_NONE)
    return pn_fail(importer->diag, PELTON_INVALID_DATA, "\"%.*s\" has no type in the file", PN_STR_ARG(name));
  if (kind == PN_ONNX_TYPE_SEQUENCE || kind == PN_ONNX_TYPE_OPTIONAL) {
    const bool optional = kind == PN_ONNX_TYPE_OPTIONAL;
    pn_type item;
    PN_TRY(pn_onnx_elements_import(importer, name, optional ? type->optional->elem : type->sequence->elem, &item));
    if (pn_type_box(&item, pn_dim_of(0), optional, out)) return PELTON_OK;
    return pn_fail(importer->diag, PELTON_UNSUPPORTED, "\"%.*s\" has sequences within sequences, more than %d levels",
                   PN_STR_ARG(name), PN_MAX_BOXES);
  }
  if (kind != PN_ONNX_TYPE_TENSOR)
    return pn_fail(importer->diag, PELTON_UNSUPPORTED,
                   "\"%.*s\" is of type %s; Pelton has dense tensors, sequences and optionals", PN_STR_ARG(name),
                   pn_onnx_type_kind_name(kind));
  out->dtype = pn_onnx_elem_dtype(type->tensor->elem);
  if (out->dtype != PELTON_DTYPE_NONE) return PELTON_OK;
  return pn_fail(importer->diag, PELTON_UNSUPPORTED, "\"%.*s\" has elements of type %s, which Pelton does not have",
                 PN_STR_ARG(name), pn_onnx_elem_name(type->tensor->elem));
}

pelton_status pn_onnx_type_import(pn_onnx_importer *importer, const pn_onnx_value_info *info, bool symbols_named,
                                  pn_type *out) {
  PN_TRY(pn_onnx_elements_import(importer, info->name, info->type, out));
  if (out->dtype == PELTON_DTYPE_TENSOR) {
    PN_TRY(import_dim(importer, info, NULL, 0, symbols_named, &out->dims[0]));
    if (!out->boxes.optional || !symbols_named) return PELTON_OK;
    return pn_symbol_bound(importer->scope->area->graph->symbols, out->dims[0], 0, 1, importer->diag);
  }
  const pn_onnx_tensor_type *tensor = info->type->tensor;
  if (!tensor->shape) return PELTON_OK;
  if (tensor->shape->dims.count > PN_MAX_RANK)
    return pn_fail(importer->diag, PELTON_UNSUPPORTED, "\"%.*s\" has %u dimensions; Pelton has at most %d",
                   PN_STR_ARG(info->name), tensor->shape->dims.count, PN_MAX_RANK);
  out->rank = (int32_t)tensor->shape->dims.count;
  for (uint32_t i = 0; i < tensor->shape->dims.count; i++)
    PN_TRY(import_dim(importer, info, &tensor->shape->dims.data[i], i, symbols_named, &out->dims[i]));
  return PELTON_OK;
}

/* ---- the root graph -------------------------------------------------------------------------------------------- */

static pelton_status check_versions(const pn_onnx_model *onnx, pelton_diag *diag) {
  int64_t opset;
  if (onnx->ir_version < OLDEST_IR_VERSION)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "the file is of ONNX IR version %" PRId64
                   "; Pelton reads %d and newer: save it again with a newer onnx package",
                   onnx->ir_version, OLDEST_IR_VERSION);
  if (pn_onnx_opset_version(&onnx->opsets, PN_STR(""), &opset) && opset < 1)
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "the file imports version %" PRId64 " of ONNX's operators; the first is 1", opset);
  return PELTON_OK;
}

/* A graph's input that is also an initializer is a constant, in files that list every one (before IR version 4) as in
   those that list what may be replaced, unless the caller wants it as an input: then it is none of the initializers. */
static pelton_status import_inputs(pn_onnx_importer *importer, pn_onnx_scope *scope) {
  const pn_onnx_value_infos *inputs = &scope->onnx->inputs;
  for (uint32_t i = 0; i < inputs->count; i++) {
    const pn_onnx_value_info *info = &inputs->data[i];
    pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE, .value = PN_NO_VALUE};
    pn_type type;
    uint32_t at;
    if (info->name.size == 0)
      return pn_fail(importer->diag, PELTON_INVALID_DATA, "input %u of the graph has no name", i);
    if (pn_map_get(&scope->names, info->name, &at) && scope->entries.data[at].kind != PN_ONNX_NAME_VALUE) {
      if (importer->survey) PN_TRY(pn_onnx_survey_input(importer, scope, info));
      continue;
    }
    const uint32_t mark = pn_diag_mark(importer->diag);
    const pn_onnx_type_kind kind = pn_onnx_type_kind_of(info->type);
    if (importer->survey && kind != PN_ONNX_TYPE_NONE && kind != PN_ONNX_TYPE_TENSOR) {
      PN_TRY(pn_onnx_survey_input(importer, scope, info));
      continue;
    }
    const pelton_status status = pn_onnx_type_import(importer, info, true, &type);
    if (status == PELTON_UNSUPPORTED) {
      importer->unsupported_count++;
      entry.kind = PN_ONNX_NAME_UNKNOWN;
      if (importer->survey) {
        PN_TRY(pn_onnx_survey_refuse(importer, mark));
        PN_TRY(pn_onnx_survey_input(importer, scope, info));
        continue;
      }
    } else if (status) {
      return status;
    } else {
      entry.value = pn_graph_add_input(scope->area->graph, info->name, &type);
      if (!pn_value_valid(entry.value)) return pn_fail_memory(importer->diag, "a graph");
    }
    PN_TRY(pn_onnx_scope_define(importer, scope, info->name, "input", entry));
  }
  return PELTON_OK;
}

/* Every name that the caller overrides must be one that the file offers. */
static pelton_status check_overrides(const pn_onnx_importer *importer) {
  const pn_onnx_value_infos *inputs = &importer->onnx->graph->inputs;
  for (uint32_t k = 0; k < importer->model->override_count; k++) {
    const char *name = importer->model->overrides[k];
    bool found = false;
    for (uint32_t i = 0; i < inputs->count && name; i++) found |= pn_str_is(inputs->data[i].name, name);
    if (!found)
      return pn_fail(importer->diag, PELTON_INVALID_ARGUMENT,
                     "\"%s\" shall be an input instead of a constant, but the model does not list it among its inputs",
                     name ? name : "");
  }
  return PELTON_OK;
}

static void sum_up(const pn_onnx_importer *importer) {
  enum { LISTED = 4 }; /* as node.c lists */
  for (uint32_t i = 0; i < importer->unsupported_ops.capacity; i++) {
    const pn_map_slot *slot = &importer->unsupported_ops.slots[i];
    if (slot->used && slot->value > LISTED)
      pn_fail(importer->diag, PELTON_UNSUPPORTED, "%u more nodes of operator %.*s", slot->value - LISTED,
              PN_STR_ARG(slot->key));
  }
}

static pelton_status import_root(pn_onnx_importer *importer) {
  const pn_onnx_model *onnx = importer->onnx;
  pn_onnx_area area = {.graph = pn_graph_create(&importer->model->arena, NULL, onnx->graph->name)};
  pn_onnx_scope scope;
  bool known;
  if (!area.graph) return pn_fail_memory(importer->diag, "a graph");
  importer->walk->symbols = area.graph->symbols;
  pn_onnx_scope_init(importer, &scope, &area);
  scope.onnx = onnx->graph;
  scope.opsets = &onnx->opsets;
  importer->scope = &scope;
  PN_TRY(check_overrides(importer));
  PN_TRY(pn_onnx_scope_initializers(importer, &scope));
  PN_TRY(import_inputs(importer, &scope));
  PN_TRY(pn_onnx_import_nodes(importer, &scope, &onnx->graph->nodes));
  if (onnx->graph->outputs.count == 0)
    return pn_fail(importer->diag, PELTON_INVALID_DATA, "the graph has no outputs");
  PN_TRY(pn_onnx_import_outputs(importer, &scope, &onnx->graph->outputs, true, &known));
  if (importer->unsupported_count > 0) {
    sum_up(importer);
    return PELTON_UNSUPPORTED;
  }
  PN_TRY(pn_graph_compact(area.graph, importer->diag));
  PN_TRY(pn_graph_infer_types(area.graph, importer->diag));
  PN_TRY(pn_graph_verify(area.graph, importer->diag));
  importer->model->graph = area.graph;
  importer->model->format = "onnx";
  return PELTON_OK;
}

/* The files of external data live as long as the model, whose constants may lie in them. */
static pelton_status keep_files(pn_model *model, pn_onnx_source *source, pelton_diag *diag) {
  if (!pn_list_reserve(&model->arena, &model->files, source->files.count))
    return pn_fail_memory(diag, "files of external data");
  for (uint32_t i = 0; i < source->files.count; i++) model->files.data[model->files.count++] = source->files.data[i];
  source->files.count = 0;
  return PELTON_OK;
}

/* One reading of a file: what all readers have in common. */
typedef struct reading {
  pn_onnx_source source;
  pn_onnx_importer importer;
  pn_infer_walk walk;
} reading;

/* Takes |file| over, also when it fails; reading_end is due in any case. */
static pelton_status reading_begin(reading *r, pn_model *model, const pn_file *file, const char *folder,
                                   pelton_diag *diag) {
  pn_onnx_model *onnx;
  *r = (reading){.importer = {.model = model, .diag = diag}};
  pn_arena_init(&r->importer.scratch, model->arena.allocator);
  pn_map_init(&r->importer.unsupported_ops, &r->importer.scratch);
  pn_onnx_source_init(&r->source, folder, &model->arena);
  r->walk.arena = &r->importer.scratch;
  r->importer.source = &r->source;
  r->importer.walk = &r->walk;
  if (!pn_list_push(&model->arena, &model->files, *file)) {
    pn_file mine = *file;
    pn_file_unmap(&mine);
    return pn_fail_memory(diag, "a model");
  }
  PN_TRY(pn_onnx_model_parse((pn_span){file->data, file->size}, &r->importer.scratch, &onnx, diag));
  r->importer.onnx = onnx;
  return PELTON_OK;
}

static void reading_end(reading *r) {
  pn_onnx_source_deinit(&r->source);
  pn_arena_deinit(&r->importer.scratch);
}

pelton_status pn_import_onnx(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag) {
  reading r;
  pelton_status status = reading_begin(&r, model, file, folder, diag);
  if (status == PELTON_OK) status = check_versions(r.importer.onnx, diag);
  if (status == PELTON_OK) status = import_root(&r.importer);
  if (status == PELTON_OK) status = keep_files(model, &r.source, diag);
  reading_end(&r);
  return status;
}

/* ---- surveys --------------------------------------------------------------------------------------------------- */

/* The outputs must be something; what they are has been completed already. */
static pelton_status survey_outputs(pn_onnx_importer *importer, pn_onnx_scope *scope) {
  const pn_onnx_value_infos *outputs = &scope->onnx->outputs;
  for (uint32_t i = 0; i < outputs->count; i++) {
    pn_onnx_name found;
    PN_TRY(pn_onnx_scope_find(importer, scope, outputs->data[i].name, &found));
    if (found.kind != PN_ONNX_NAME_MISSING) continue;
    pn_fail(importer->diag, PELTON_INVALID_DATA, "output \"%.*s\" of the graph is computed by no node",
            PN_STR_ARG(outputs->data[i].name));
    importer->survey->wrong++;
  }
  return PELTON_OK;
}

/* |json|, with an object open, may be null. */
static pelton_status survey_root(pn_onnx_importer *importer, pn_json *json) {
  const pn_onnx_model *onnx = importer->onnx;
  struct pn_onnx_survey survey = {.wrong = 0};
  pn_onnx_area area = {.graph = pn_graph_create(&importer->model->arena, NULL, onnx->graph->name)};
  pn_onnx_scope scope;
  if (!area.graph) return pn_fail_memory(importer->diag, "a graph");
  importer->survey = &survey;
  importer->walk->symbols = area.graph->symbols;
  pn_onnx_scope_init(importer, &scope, &area);
  scope.onnx = onnx->graph;
  scope.opsets = &onnx->opsets;
  importer->scope = &scope;
  PN_TRY(pn_onnx_scope_initializers(importer, &scope));
  PN_TRY(import_inputs(importer, &scope));
  PN_TRY(pn_onnx_import_nodes(importer, &scope, &onnx->graph->nodes));
  PN_TRY(survey_outputs(importer, &scope));
  if (survey.wrong == 0 && json) PN_TRY(pn_onnx_survey_write(importer, &scope, json));
  return survey.wrong > 0 ? PELTON_INVALID_DATA : PELTON_OK;
}

pelton_status pn_describe_onnx(pn_model *model, const pn_file *file, const char *folder, pn_json *json,
                               pelton_diag *diag) {
  reading r;
  pelton_status status = reading_begin(&r, model, file, folder, diag);
  if (status == PELTON_OK) status = check_versions(r.importer.onnx, diag);
  if (status == PELTON_OK) status = survey_root(&r.importer, json);
  reading_end(&r);
  return status;
}

pelton_status pn_check_onnx(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag) {
  reading r;
  pelton_status status = reading_begin(&r, model, file, folder, diag);
  if (status == PELTON_OK)
    status = pn_onnx_check_structure(r.importer.onnx, &r.source, &r.importer.scratch, diag);
  if (status == PELTON_OK && r.importer.onnx->ir_version >= OLDEST_IR_VERSION) status = survey_root(&r.importer, NULL);
  reading_end(&r);
  return status;
}
