/* What an engine says of itself: inputs, outputs, memory, text. */
#include "base/json.h"
#include "ir/text.h"
#include "op/schema.h"
#include "runtime/host_nodes.h"

uint32_t pelton_engine_input_count(const pelton_engine *engine) {
  return engine ? engine->image->graph->inputs.count : 0;
}
uint32_t pelton_engine_output_count(const pelton_engine *engine) {
  return engine ? engine->image->graph->outputs.count : 0;
}

const char *pelton_engine_target(const pelton_engine *engine) { return engine ? engine->target->name : ""; }

/* Names of values and symbols are views into the engine's file; the API's strings end with NUL. They are made when the
   engine is created (pn_engine_create), so that this function allocates nothing. */
static pelton_status describe(const pelton_engine *engine, const pn_io_names *names, const pn_value_list *list,
                              uint32_t index, pelton_io_info *out) {
  if (!engine || !out || index >= list->count) return PELTON_INVALID_ARGUMENT;
  const pn_graph *g = engine->image->graph;
  const pn_type *type = &g->values.data[list->data[index].v].type;
  *out = (pelton_io_info){.name = names[index].name,
                          .dtype = type->dtype,
                          .rank_known = type->rank != PN_RANK_UNKNOWN,
                          .optional = type->boxes.optional,
                          .item_depth = type->boxes.depth,
                          .item = type->boxes.item};
  for (uint32_t d = 0; d < PELTON_MAX_RANK; d++) out->dim_names[d] = names[index].dims[d] ? names[index].dims[d] : "";
  out->shape.rank = type->rank > 0 ? (uint32_t)type->rank : 0;
  for (int32_t d = 0; d < type->rank; d++)
    out->shape.dims[d] = pn_dim_is_number(type->dims[d]) ? type->dims[d].number : -1;
  return PELTON_OK;
}

pelton_status pelton_engine_input(const pelton_engine *engine, uint32_t index, pelton_io_info *out) {
  if (!engine) return PELTON_INVALID_ARGUMENT;
  return describe(engine, engine->input_names, &engine->image->graph->inputs, index, out);
}

pelton_status pelton_engine_output(const pelton_engine *engine, uint32_t index, pelton_io_info *out) {
  if (!engine) return PELTON_INVALID_ARGUMENT;
  return describe(engine, engine->output_names, &engine->image->graph->outputs, index, out);
}

pelton_status pelton_engine_memory(const pelton_engine *engine, pelton_memory_info *out) {
  if (!engine || !out) return PELTON_INVALID_ARGUMENT;
  *out = (pelton_memory_info){.file_bytes = engine->image->file.size};
  const pn_graph *g = engine->image->graph;
  for (uint32_t v = 0; v < g->values.count; v++) out->weight_bytes += g->values.data[v].data_bytes;
  for (uint32_t i = 0; i < engine->image->packed.list.count; i++)
    out->weight_bytes += engine->image->packed.list.data[i].bytes;
  out->weight_bytes += pn_packed_shared_bytes(engine->shared);
  if (engine->built) out->context_bytes = engine->built->arena_bytes + engine->built->workspace_bytes;
  return PELTON_OK;
}

static pelton_status give(pn_text *text, char **out, pelton_diag *diag) {
  *out = text->data;
  if (!text->failed) return PELTON_OK;
  pn_text_deinit(text);
  *out = NULL;
  return pn_fail_memory(diag, "the text");
}

pelton_status pelton_engine_text(const pelton_engine *engine, size_t max_constant_bytes, char **out,
                                 pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_text: engine and out must not be null");
  pn_text text;
  pn_text_init(&text, NULL);
  pn_graph_print(engine->image->graph, max_constant_bytes, &text);
  return give(&text, out, diag);
}

/* ---- json -----------------------------------------------------------------------------------------------------------
 */

static void json_type(pn_json *json, const char *key, const pelton_engine *engine, const pn_type *type) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_type_print(engine->image->graph->symbols, type, &text);
  pn_json_string(json, key, (pn_str){text.data, text.size});
  pn_text_deinit(&text);
}

static void json_values(pn_json *json, const char *key, const pelton_engine *engine, const pn_value_list *list) {
  pn_json_array_begin(json, key);
  for (uint32_t i = 0; i < list->count; i++) {
    const pn_value *v = &engine->image->graph->values.data[list->data[i].v];
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "name", v->name);
    json_type(json, "type", engine, &v->type);
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
}

static void json_ids(pn_json *json, const char *key, const pn_graph *g, const pn_value_list *list) {
  pn_json_array_begin(json, key);
  for (uint32_t i = 0; i < list->count; i++) {
    if (pn_value_valid(list->data[i]))
      pn_json_string(json, NULL, g->values.data[list->data[i].v].name);
    else
      pn_json_null(json, NULL);
  }
  pn_json_array_end(json);
}

static void json_nodes(pn_json *json, const pn_graph *g) {
  pn_json_array_begin(json, "nodes");
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *n = &g->nodes.data[i];
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "name", n->name);
    pn_json_string(json, "op", pn_str_from(pn_op_get(n->op)->name));
    json_ids(json, "inputs", g, &n->inputs);
    json_ids(json, "outputs", g, &n->outputs);
    pn_json_object_begin(json, "attributes");
    pn_attrs_json(n->op, n->attrs, json);
    pn_json_object_end(json);
    pn_json_array_begin(json, "sources");
    for (uint32_t k = 0; k < n->provenance.count; k++) pn_json_string(json, NULL, n->provenance.data[k]);
    pn_json_array_end(json);
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
}

static void json_kernels(pn_json *json, const pn_image *image) {
  pn_json_array_begin(json, "kernels");
  for (uint32_t i = 0; i < image->binaries.count; i++) {
    const pn_binary *p = &image->binaries.data[i];
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "name", p->name);
    pn_json_string(json, "form", p->form);
    pn_json_string(json, "compiler", p->compiler);
    pn_json_i64(json, "bytes", (int64_t)p->bytes);
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
}

static void json_records(pn_json *json, const pn_image *image) {
  pn_json_array_begin(json, "plans");
  for (uint32_t i = 0; i < image->records.count; i++) {
    const pn_plan_record *record = &image->records.data[i];
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "target", record->target);
    pn_json_string(json, "device", record->fingerprint);
    pn_json_array_begin(json, "decisions");
    for (uint32_t k = 0; k < record->decisions.list.count; k++) {
      const pn_decision *d = &record->decisions.list.data[k];
      pn_json_object_begin(json, NULL);
      pn_json_i64(json, "first_node", d->first_node);
      pn_json_i64(json, "nodes", d->node_count);
      pn_json_string(json, "in_layout", d->in_layout);
      pn_json_string(json, "out_layout", d->out_layout);
      pn_json_string(json, "tactic", d->tactic);
      pn_json_i64(json, "version", d->version);
      pn_json_object_end(json);
    }
    pn_json_array_end(json);
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
}

pelton_status pelton_engine_json(const pelton_engine *engine, char **out, pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_json: engine and out must not be null");
  const pn_graph *g = engine->image->graph;
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  pn_json_string(&json, "name", g->name);
  json_values(&json, "inputs", engine, &g->inputs);
  json_values(&json, "outputs", engine, &g->outputs);
  pn_section_info sections[16];
  uint32_t count = pn_image_sections(engine->image, sections, 16);
  pn_json_array_begin(&json, "sections");
  for (uint32_t i = 0; i < count; i++) {
    pn_json_object_begin(&json, NULL);
    pn_json_string(&json, "kind", pn_str_from(sections[i].kind));
    pn_json_i64(&json, "offset", (int64_t)sections[i].offset);
    pn_json_i64(&json, "bytes", (int64_t)sections[i].bytes);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  json_kernels(&json, engine->image);
  json_records(&json, engine->image);
  pn_host_counts host;
  pn_host_nodes_json(engine, 0, NULL, &json, &host);
  json_nodes(&json, g);
  pn_json_object_end(&json);
  return give(&text, out, diag);
}

void pelton_text_release(char *text) { pn_release(NULL, text); }
