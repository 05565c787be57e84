/* The ONNX importer on any bytes: parse them as a model, then decode every tensor in it; parse them as each kind of
   value that stands alone in a file; and import them whole. What decodes must be exactly as large as its shape says,
   and every byte of it readable; what is imported must verify. */
#include "base/diag.h"
#include "import/import.h"
#include "import/onnx/attribute.h"
#include "import/onnx/value.h"
#include "ir/verify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sparse tensors may ask for a gigabyte of zeros, which would be all that the fuzzer does. */
enum { MAX_SPARSE_ELEMENTS = 1 << 16 };

typedef struct walk {
  pn_onnx_source source;
  pn_arena *arena;
  uint64_t sum; /* so that reading is not optimised away */
} walk;

static void must(bool condition) {
  if (!condition) abort();
}

static void walk_str(walk *w, pn_str s) {
  for (size_t i = 0; i < s.size; i++) w->sum += (uint8_t)s.data[i];
}

static void walk_data(walk *w, const pn_onnx_data *d) {
  if (d->elem == PN_ONNX_STRING)
    must(d->bytes.size == 0);
  else if (d->dtype != PELTON_DTYPE_NONE)
    must(d->bytes.size == d->count * pelton_dtype_bytes(d->dtype));
  else
    must(d->bytes.size == (d->count * pn_onnx_elem_bits(d->elem) + 7) / 8);
  must(d->elem != PN_ONNX_STRING || d->count == 0 || d->strings);
  for (size_t i = 0; i < d->bytes.size; i++) w->sum += d->bytes.data[i];
  for (uint64_t i = 0; d->strings && i < d->count; i++) walk_str(w, d->strings[i]);
}

static void walk_tensor(walk *w, const pn_onnx_tensor *t) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_onnx_data d;
  pelton_status status = pn_onnx_tensor_data(t, &w->source, 0, w->arena, &d, &diag);
  must((status == PELTON_OK) == (diag.count == 0));
  if (status == PELTON_OK) walk_data(w, &d);
}

static void walk_sparse(walk *w, const pn_onnx_sparse_tensor *t) {
  int64_t count = 1;
  for (uint32_t i = 0; i < t->dims.count; i++)
    if (!pn_mul_i64(count, t->dims.data[i], &count) || count > MAX_SPARSE_ELEMENTS) return;
  pn_onnx_data d;
  if (pn_onnx_sparse_tensor_data(t, &w->source, w->arena, &d, NULL) == PELTON_OK) walk_data(w, &d);
}

static void walk_type(walk *w, const pn_onnx_type *type) {
  for (; type; type = type->sequence ? type->sequence->elem : type->optional ? type->optional->elem : NULL) {
    w->sum += (uint64_t)pn_onnx_type_kind_of(type);
    const pn_onnx_shape *shape = type->tensor ? type->tensor->shape : NULL;
    for (uint32_t i = 0; shape && i < shape->dims.count; i++) walk_str(w, shape->dims.data[i].param);
  }
}

static void walk_infos(walk *w, const pn_onnx_value_infos *infos) {
  for (uint32_t i = 0; i < infos->count; i++) {
    walk_str(w, infos->data[i].name);
    walk_type(w, infos->data[i].type);
  }
}

static void walk_graph(walk *w, const pn_onnx_graph *graph);

static void walk_attribute(walk *w, const pn_onnx_attribute *a) {
  walk_str(w, a->name);
  walk_str(w, a->s);
  walk_type(w, a->tp);
  if (a->t) walk_tensor(w, a->t);
  if (a->g) walk_graph(w, a->g);
  if (a->sparse_tensor) walk_sparse(w, a->sparse_tensor);
  for (uint32_t i = 0; i < a->tensors.count; i++) walk_tensor(w, &a->tensors.data[i]);
  for (uint32_t i = 0; i < a->graphs.count; i++) walk_graph(w, &a->graphs.data[i]);
  for (uint32_t i = 0; i < a->sparse_tensors.count; i++) walk_sparse(w, &a->sparse_tensors.data[i]);
  for (uint32_t i = 0; i < a->type_protos.count; i++) walk_type(w, &a->type_protos.data[i]);
  for (uint32_t i = 0; i < a->ints.count; i++) w->sum += (uint64_t)a->ints.data[i];
  for (uint32_t i = 0; i < a->floats.count; i++) w->sum += a->floats.data[i] > 0;
  for (uint32_t i = 0; i < a->strings.count; i++) walk_str(w, a->strings.data[i]);
}

static void walk_nodes(walk *w, const pn_onnx_nodes *nodes) {
  for (uint32_t i = 0; i < nodes->count; i++) {
    const pn_onnx_node *node = &nodes->data[i];
    pelton_diag diag = PELTON_DIAG_INIT;
    int64_t axis;
    if (pn_onnx_attr_i64(node, "axis", 0, &axis, &diag)) must(diag.count == 1);
    walk_str(w, node->op_type);
    for (uint32_t k = 0; k < node->inputs.count; k++) walk_str(w, node->inputs.data[k]);
    for (uint32_t k = 0; k < node->outputs.count; k++) walk_str(w, node->outputs.data[k]);
    for (uint32_t k = 0; k < node->attributes.count; k++) walk_attribute(w, &node->attributes.data[k]);
  }
}

static void walk_graph(walk *w, const pn_onnx_graph *graph) {
  walk_nodes(w, &graph->nodes);
  walk_infos(w, &graph->inputs);
  walk_infos(w, &graph->outputs);
  walk_infos(w, &graph->value_infos);
  for (uint32_t i = 0; i < graph->initializers.count; i++) walk_tensor(w, &graph->initializers.data[i]);
  for (uint32_t i = 0; i < graph->sparse_initializers.count; i++) walk_sparse(w, &graph->sparse_initializers.data[i]);
}

static void walk_sequence(walk *w, const pn_onnx_sequence *s) {
  for (uint32_t i = 0; i < s->tensors.count; i++) walk_tensor(w, &s->tensors.data[i]);
  for (uint32_t i = 0; i < s->sequences.count; i++) walk_sequence(w, &s->sequences.data[i]);
}

static void try_model(walk *w, pn_span file) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_onnx_model *model;
  pelton_status status = pn_onnx_model_parse(file, w->arena, &model, &diag);
  must((status == PELTON_OK) == (diag.count == 0) && (status == PELTON_OK) == (model != NULL));
  if (!model) return;
  walk_graph(w, model->graph);
  for (uint32_t i = 0; i < model->functions.count; i++) {
    walk_nodes(w, &model->functions.data[i].nodes);
    walk_infos(w, &model->functions.data[i].value_infos);
  }
}

static void try_value(walk *w, pn_span file, pn_onnx_type_kind kind) {
  pn_onnx_value value;
  if (pn_onnx_value_parse(file, kind, w->arena, &value, NULL)) return;
  if (value.tensor) walk_tensor(w, value.tensor);
  if (value.sparse_tensor) walk_sparse(w, value.sparse_tensor);
  if (value.sequence) walk_sequence(w, value.sequence);
  if (value.optional && value.optional->tensor) walk_tensor(w, value.optional->tensor);
  if (value.map && value.map->values) walk_sequence(w, value.map->values);
}

/* ---- the whole import -------------------------------------------------------------------------------------------- */

/* A file may ask for much with few bytes; what is larger than this is refused as a full machine would. */
enum { MAX_BYTES = 256 << 20 };

typedef struct limited {
  pelton_allocator allocator;
  size_t bytes;
} limited;

static void *limited_alloc(void *self, size_t bytes, size_t align) {
  limited *l = self;
  if (bytes > MAX_BYTES - l->bytes) return NULL;
  l->bytes += bytes;
  return pn_alloc_raw(NULL, bytes, align);
}
static void limited_release(void *self, void *pointer) {
  (void)self;
  pn_release(NULL, pointer);
}

static void try_import(const uint8_t *data, size_t size) {
  limited l = {.allocator = {&l, limited_alloc, limited_release}};
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_model *model = pn_model_create(&l.allocator);
  const pn_file file = {data, size};
  must(model != NULL);
  const pelton_status status = pn_import_onnx(model, &file, NULL, &diag);
  must(status != PELTON_INTERNAL && (status == PELTON_OK) == (diag.count == 0) &&
       (status == PELTON_OK) == (model->graph != NULL));
  if (status == PELTON_OK) must(pn_graph_verify(model->graph, NULL) == PELTON_OK);
  model->files.count = 0; /* not mapped: the bytes are the fuzzer's */
  pn_model_release(model);
}

/* The same file described, or checked. */
static void try_survey(const uint8_t *data, size_t size, bool check) {
  limited l = {.allocator = {&l, limited_alloc, limited_release}};
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_model *model = pn_model_create(&l.allocator);
  const pn_file file = {data, size};
  pn_text text;
  pn_json json;
  must(model != NULL);
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  const pelton_status status =
      check ? pn_check_onnx(model, &file, NULL, &diag) : pn_describe_onnx(model, &file, NULL, &json, &diag);
  pn_json_object_end(&json);
  must(status != PELTON_INTERNAL && (status == PELTON_OK) == (diag.count == 0));
  pn_text_deinit(&text);
  model->files.count = 0;
  pn_model_release(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try_import(data, size);
  try_survey(data, size, false);
  try_survey(data, size, true);
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  walk w = {.arena = &arena};
  pn_onnx_source_init(&w.source, NULL, &arena);
  try_model(&w, (pn_span){data, size});
  for (int kind = PN_ONNX_TYPE_NONE; kind <= PN_ONNX_TYPE_OPAQUE; kind++)
    try_value(&w, (pn_span){data, size}, (pn_onnx_type_kind)kind);
  pn_onnx_source_deinit(&w.source);
  pn_arena_deinit(&arena);
  return 0;
}
