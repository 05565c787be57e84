/* A graph while it is built: its values' types and contents follow each node that is added, so that operator functions
   can ask for ranks and types, and shape arithmetic is folded on the way. Only what is new is inferred. */
#include "import/onnx/scope.h"
#include "ir/infer_walk.h"

static bool facts_grow(pn_onnx_importer *importer, pn_onnx_area *area) {
  const uint32_t count = area->graph->values.count;
  if (count <= area->facts.count) return true;
  if (count > area->fact_capacity) {
    const uint32_t capacity = count > UINT32_MAX / 2 ? count : count * 2;
    pn_fact *data = PN_NEW_ARRAY(&importer->scratch, pn_fact, capacity);
    if (!data) return false;
    if (area->facts.count > 0) memcpy(data, area->facts.data, area->facts.count * sizeof *data);
    area->facts.data = data;
    area->fact_capacity = capacity;
  }
  for (uint32_t i = area->facts.count; i < count; i++) {
    const pn_value *value = &area->graph->values.data[i];
    const bool given = value->type.dtype != PELTON_DTYPE_NONE;
    area->facts.data[i] = (pn_fact){.present = given, .type = value->type, .data = value->data};
  }
  area->facts.count = count;
  return true;
}

pn_fact *pn_onnx_area_fact(pn_onnx_importer *importer, pn_onnx_area *area, pn_value_id value) {
  return facts_grow(importer, area) ? &area->facts.data[value.v] : NULL;
}

pelton_status pn_onnx_area_infer(pn_onnx_importer *importer, pn_onnx_area *area) {
  pn_graph *graph = area->graph;
  const uint32_t first = area->inferred_nodes;
  if (!facts_grow(importer, area)) return pn_fail_memory(importer->diag, "types of values");
  if (first == graph->nodes.count) return PELTON_OK;
  area->inferred_nodes = graph->nodes.count; /* also after a failure: a node is asked once */
  while (area->inputs.count < graph->inputs.count) {
    const pn_value_id id = graph->inputs.data[area->inputs.count];
    if (!pn_list_push(&importer->scratch, &area->inputs, area->facts.data[id.v]))
      return pn_fail_memory(importer->diag, "types of values");
  }
  const pn_infer_options options = {.inputs = area->inputs.data, .first_node = first, .arena = &importer->scratch};
  const pelton_status status = pn_infer_walk_run(importer->walk, graph, &options, &area->facts, NULL, importer->diag);
  if (status) return status == PELTON_INVALID_ARGUMENT ? PELTON_INVALID_DATA : status;
  for (uint32_t i = first; i < graph->nodes.count; i++)
    for (uint32_t k = 0; k < graph->nodes.data[i].outputs.count; k++) {
      const pn_value_id id = graph->nodes.data[i].outputs.data[k];
      if (pn_value_valid(id)) pn_graph_value(graph, id)->type = area->facts.data[id.v].type;
    }
  return pn_symbols_status(graph->symbols, importer->diag);
}
