/* No attribute of an ONNX node is ignored in silence: what was read is marked, what was not is refused or warned of, and
   every attribute that the standard gives an operator Pelton imports is read by its function or known to be idle. */
#include "harness.h"

#include "import/onnx/check/schema.h"
#include "import/onnx/scope.h"
#include "ir/infer_walk.h"

#include <stdio.h>

/* ---- one node, called directly ----------------------------------------------------------------------------------- */

enum { MOST_INPUTS = 10, MOST_ATTRIBUTES = 24 };

/* What a node's operands are taken to be. */
typedef enum arrangement { ALIKE, SEQUENCES, FIRST_LEFT_OUT, SECOND_OF_INDICES, ARRANGEMENT_COUNT } arrangement;
typedef struct operands {
  pelton_dtype dtype;
  uint32_t rank, count;
  arrangement arrangement;
} operands;

typedef struct world {
  pelton_diag diag;
  pn_model *model;
  pn_onnx_model onnx;
  pn_onnx_graph graph;
  pn_onnx_source source;
  pn_onnx_importer importer;
  pn_infer_walk walk;
  pn_onnx_area area;
  pn_onnx_scope scope;
  pn_onnx_node node;
  pn_onnx_attribute attributes[MOST_ATTRIBUTES];
  bool read[MOST_ATTRIBUTES];
  pn_str names[MOST_INPUTS];
  pn_value_id inputs[MOST_INPUTS], outputs[MOST_INPUTS];
  pn_onnx_call call;
} world;

static void world_init(world *w, const char *domain, const char *op, int64_t opset) {
  memset(w, 0, sizeof *w);
  pelton_diag_init(&w->diag);
  w->model = pn_model_create(NULL);
  REQUIRE(w->model != NULL);
  w->importer = (pn_onnx_importer){.model = w->model, .onnx = &w->onnx, .source = &w->source, .diag = &w->diag};
  pn_arena_init(&w->importer.scratch, NULL);
  pn_map_init(&w->importer.unsupported_ops, &w->importer.scratch);
  pn_onnx_source_init(&w->source, "", &w->model->arena);
  w->walk.arena = &w->importer.scratch;
  w->importer.walk = &w->walk;
  w->onnx.graph = &w->graph;
  w->area.graph = pn_graph_create(&w->model->arena, NULL, PN_STR("g"));
  REQUIRE(w->area.graph != NULL);
  w->walk.symbols = w->area.graph->symbols;
  pn_onnx_scope_init(&w->importer, &w->scope, &w->area);
  w->scope.onnx = &w->graph;
  w->scope.opsets = &w->onnx.opsets;
  w->importer.scope = &w->scope;
  w->node.op_type = pn_str_from(op);
  w->node.domain = pn_str_from(domain);
  w->node.name = PN_STR("n");
  w->node.attributes.data = w->attributes;
  w->node.attributes_read = w->read;
  w->call = (pn_onnx_call){.importer = &w->importer,
                           .graph = w->area.graph,
                           .node = &w->node,
                           .opset = opset,
                           .name = PN_STR("n"),
                           .inputs = w->inputs,
                           .outputs = w->outputs,
                           .diag = &w->diag};
}

static void world_deinit(world *w) {
  pn_onnx_source_deinit(&w->source);
  pn_arena_deinit(&w->importer.scratch);
  pn_model_release(w->model);
}

static pn_onnx_attribute *add(world *w, pn_str name, int32_t type) {
  REQUIRE(w->node.attributes.count < MOST_ATTRIBUTES);
  pn_onnx_attribute *a = &w->attributes[w->node.attributes.count++];
  *a = (pn_onnx_attribute){.name = name, .type = type};
  return a;
}

static void add_int(world *w, const char *name, int64_t value) { add(w, pn_str_from(name), PN_ONNX_ATTR_INT)->i = value; }

/* ---- the mechanism ----------------------------------------------------------------------------------------------- */

TEST(what_is_read_is_marked) {
  world w;
  int64_t value;
  world_init(&w, "", "Gather", 13);
  add_int(&w, "other", 4);
  add_int(&w, "axis", 1);
  EXPECT(pn_onnx_attr_find(&w.node, "axis") != NULL);
  REQUIRE_OK(pn_onnx_attr_require(&w.node, "axis", &w.diag), &w.diag);
  EXPECT(!w.read[1]);
  REQUIRE_OK(pn_onnx_attr_i64(&w.node, "axis", 0, &value, &w.diag), &w.diag);
  EXPECT(w.read[1] && !w.read[0] && value == 1);
  world_deinit(&w);
}

TEST(what_the_operator_has_and_nobody_read_is_refused) {
  world w;
  int64_t list[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  pn_str texts[2] = {PN_STR("a"), PN_STR("b\"")};
  world_init(&w, "", "Attention", 25);
  add_int(&w, "left_window_size", 4);
  add_int(&w, "is_causal", 1);
  add(&w, PN_STR("scale"), PN_ONNX_ATTR_FLOAT)->f = 0.5f;
  w.read[1] = true;
  EXPECT_EQ(pn_onnx_attributes_settle(&w.call), PELTON_UNSUPPORTED);
  EXPECT_EQ(w.diag.count, 2);
  EXPECT_HAS(pelton_diag_message(&w.diag, 0), "attribute \"left_window_size\" is 4, which Pelton does not look at");
  EXPECT_HAS(pelton_diag_message(&w.diag, 1), "attribute \"scale\" is 0.5, ");
  EXPECT_EQ(w.model->warnings.count, 0);
  world_deinit(&w);

  world_init(&w, "", "TfIdfVectorizer", 9);
  pn_onnx_attribute *a = add(&w, PN_STR("pool_int64s"), PN_ONNX_ATTR_INTS);
  a->ints = (pn_onnx_i64s){list, 9, 9};
  a = add(&w, PN_STR("pool_strings"), PN_ONNX_ATTR_STRINGS);
  a->strings = (pn_onnx_strs){texts, 2, 2};
  a = add(&w, PN_STR("mode"), PN_ONNX_ATTR_STRING);
  a->s = PN_STR("TF");
  add(&w, PN_STR("weights"), PN_ONNX_ATTR_TENSOR);
  EXPECT_EQ(pn_onnx_attributes_settle(&w.call), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&w.diag, 0), "is [1,2,3,4,5,6,7,8,...], ");
  EXPECT_HAS(pelton_diag_message(&w.diag, 1), "is [\"a\",\"b\\\"\"], ");
  EXPECT_HAS(pelton_diag_message(&w.diag, 2), "is \"TF\", ");
  EXPECT_HAS(pelton_diag_message(&w.diag, 3), "is of type TENSOR, ");
  world_deinit(&w);
}

TEST(what_makes_no_difference_is_let_through) {
  world w;
  world_init(&w, "", "Dropout", 12);
  add_int(&w, "seed", 4);
  add_int(&w, "__note", 4);
  REQUIRE_OK(pn_onnx_attributes_settle(&w.call), &w.diag);
  EXPECT_EQ(w.model->warnings.count, 0);
  world_deinit(&w);
  world_init(&w, "", "Conv", 1); /* idle for Dropout only */
  add_int(&w, "seed", 4);
  REQUIRE_OK(pn_onnx_attributes_settle(&w.call), &w.diag);
  EXPECT_EQ(w.model->warnings.count, 1);
  world_deinit(&w);
}

TEST(what_the_operator_does_not_have_is_warned_of) {
  world w;
  world_init(&w, "", "Attention", 24);
  add_int(&w, "left_window_size", 4); /* of version 25 */
  add_int(&w, "stray", 7);
  w.read[1] = true;
  REQUIRE_OK(pn_onnx_attributes_settle(&w.call), &w.diag);
  EXPECT_EQ(w.diag.count, 0);
  REQUIRE(w.model->warnings.count == 2);
  EXPECT_HAS(w.model->warnings.data[0], "node \"n\" (Attention, ai.onnx, opset 24): attribute \"left_window_size\" is 4, ");
  EXPECT_HAS(w.model->warnings.data[0], "; it is ignored");
  EXPECT_HAS(w.model->warnings.data[1], "attribute \"stray\" is 7, which the operator does not have in this version; it counts");
  world_deinit(&w);

  world_init(&w, "com.microsoft", "Gelu", 1); /* an operator that the standard does not have */
  for (int i = 0; i < 4; i++) add_int(&w, i < 2 ? "read" : "stray", i);
  w.node.attributes.count = 3;
  w.read[0] = w.read[1] = true;
  REQUIRE_OK(pn_onnx_attributes_settle(&w.call), &w.diag);
  EXPECT_EQ(w.model->warnings.count, 1);
  for (int i = 0; i < 100; i++) REQUIRE_OK(pn_onnx_attributes_settle(&w.call), &w.diag);
  EXPECT_EQ(w.model->warnings.count, 64);
  EXPECT_EQ(w.model->more_warnings, 37);
  world_deinit(&w);
}

TEST(the_first_version_counts_before_it) {
  world w;
  world_init(&w, "", "LayerNormalization", 13);
  add_int(&w, "axis", 4);
  EXPECT_EQ(pn_onnx_attributes_settle(&w.call), PELTON_UNSUPPORTED);
  world_deinit(&w);
}

TEST(twice_is_invalid) {
  world w;
  world_init(&w, "", "Gather", 13);
  add_int(&w, "axis", 0);
  add_int(&w, "axis", 1);
  w.read[0] = true;
  EXPECT_EQ(pn_onnx_attributes_settle(&w.call), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&w.diag, 0), "attribute \"axis\" is given twice");
  world_deinit(&w);
}

/* ---- every attribute of every operator --------------------------------------------------------------------------- */

/* Words that a function must understand before it reads on. */
static const struct {
  const char *op, *attribute, *word;
} words[] = {
    {"TfIdfVectorizer", "mode", "TF"}, {"Momentum", "mode", "standard"}, {"BitShift", "direction", "LEFT"}};

/* What a function wants though the standard does not insist. */
static bool is_wanted(const world *w, pn_str attribute) {
  if (pn_str_is(w->node.op_type, "LabelEncoder"))
    return pn_str_is(attribute, "keys_int64s") || pn_str_is(attribute, "values_int64s");
  return pn_str_is(w->node.op_type, "LpPool") && pn_str_is(attribute, "kernel_shape");
}

static pn_onnx_graph empty_graph;
static uint8_t zeros[16];

/* A value of the right kind. */
static void add_some(world *w, const pn_onnx_formal *formal) {
  static int64_t numbers[2] = {0, 1};
  static int64_t dims[1] = {1};
  static float floats[1] = {1};
  static pn_onnx_type elements = {.tensor = NULL};
  static pn_onnx_tensor_type f32 = {.elem = PN_ONNX_FLOAT};
  const char kind = formal->type.data[0];
  pn_onnx_attribute *a = add(w, formal->name, pn_onnx_formal_attr_type(kind));
  const bool bytes = pn_str_is(formal->name, "nodes_modes");
  pn_onnx_tensor *tensor = PN_NEW(&w->importer.scratch, pn_onnx_tensor);
  pn_str *text = PN_NEW(&w->importer.scratch, pn_str);
  REQUIRE(tensor && text);
  elements.tensor = &f32;
  a->has_i = kind == 'i';
  a->i = 1;
  a->f = 1.0f;
  a->s = PN_STR("");
  for (size_t i = 0; i < PN_COUNT(words); i++)
    if (pn_str_is(w->node.op_type, words[i].op) && pn_str_is(formal->name, words[i].attribute))
      a->s = pn_str_from(words[i].word);
  const bool leaf = pn_str_is(formal->name, "nodes_trueleafs") || pn_str_is(formal->name, "nodes_falseleafs");
  a->ints = (pn_onnx_i64s){numbers + leaf, 1, 1};
  if (pn_str_is(formal->name, "pooled_shape")) a->ints = (pn_onnx_i64s){numbers, 2, 2};
  a->floats = (pn_onnx_f32s){floats, 1, 1};
  a->strings = (pn_onnx_strs){text, 1, 1};
  tensor->elem = bytes ? PN_ONNX_UINT8 : PN_ONNX_FLOAT;
  tensor->dims.data = dims;
  tensor->dims.count = 1;
  tensor->raw = (pn_span){zeros, bytes ? 1 : 4};
  a->t = tensor;
  a->g = &empty_graph;
  a->tp = &elements;
}

static void add_operands(world *w, const operands *o) {
  const int64_t dims[PN_MAX_RANK] = {2, 2, 2, 2, 2, 2, 2, 2};
  pn_type type = pn_type_make(o->dtype, o->rank, dims), item = type;
  if (o->arrangement == SEQUENCES) REQUIRE(pn_type_box(&item, pn_dim_of(2), false, &type));
  for (uint32_t i = 0; i < o->count; i++) {
    char name[16];
    if (i == 0 && o->arrangement == FIRST_LEFT_OUT) {
      w->inputs[i] = PN_NO_VALUE;
      continue;
    }
    if (i == 1 && o->arrangement == SECOND_OF_INDICES) type.dtype = PELTON_DTYPE_I64;
    snprintf(name, sizeof name, "x%u", i);
    w->inputs[i] = pn_graph_add_input(w->area.graph, pn_str_from(pn_str_copy(&w->importer.scratch, pn_str_from(name))), &type);
    REQUIRE(pn_value_valid(w->inputs[i]));
    w->names[i] = pn_graph_value(w->area.graph, w->inputs[i])->name;
  }
  w->node.inputs = (pn_onnx_strs){w->names, o->count, o->count};
  w->call.input_count = o->count;
}

/* Whether |op|'s function reads attribute |wanted| of a node over operands |o| that has it and those it must have. */
static bool reads(const pn_onnx_op *op, const pn_onnx_schema *schema, int64_t opset, const pn_onnx_formal *wanted,
                  const operands *o) {
  static pn_str result = {"y", 1};
  pn_onnx_formal formal;
  world w;
  world_init(&w, op->domain, op->name, opset);
  add_some(&w, wanted);
  for (const char *rest = schema->attributes; pn_onnx_formal_next(&rest, &formal);)
    if ((formal.required || is_wanted(&w, formal.name)) && !pn_str_equal(formal.name, wanted->name)) add_some(&w, &formal);
  add_operands(&w, o);
  w.node.outputs = (pn_onnx_strs){&result, 1, 1};
  w.call.output_count = 1;
  w.outputs[0] = PN_NO_VALUE;
  (void)(op->import(&w.call) == PELTON_OK); /* that it fails further on is nothing to this test */
  const bool read = w.read[0];
  world_deinit(&w);
  return read;
}

/* Tries kinds of operands until one makes the function read |wanted|. */
static bool reads_somehow(const pn_onnx_op *op, const pn_onnx_schema *schema, int64_t opset, const pn_onnx_formal *wanted) {
  static const pelton_dtype dtypes[] = {PELTON_DTYPE_F32, PELTON_DTYPE_I64, PELTON_DTYPE_STRING, PELTON_DTYPE_U8,
                                        PELTON_DTYPE_BOOL};
  static const uint32_t ranks[] = {4, 3, 2, 1, 0};
  uint32_t least, most;
  pn_onnx_formal_counts(schema->inputs, &least, &most);
  if (most > least + 4) most = least + 4;
  for (uint32_t count = least; count <= most && count <= MOST_INPUTS; count++)
    for (int how = ALIKE; how < ARRANGEMENT_COUNT; how++)
      for (size_t d = 0; d < PN_COUNT(dtypes); d++)
        for (size_t r = 0; r < PN_COUNT(ranks); r++)
          if (reads(op, schema, opset, wanted, &(operands){dtypes[d], ranks[r], count, (arrangement)how}))
            return true;
  return false;
}

TEST(every_attribute_is_read_or_idle) {
  uint32_t checked = 0, idle = 0, forgotten = 0;
  const pn_onnx_op *op;
  empty_graph.name = PN_STR("empty");
  for (uint32_t i = 0; (op = pn_onnx_op_at(i)) != NULL; i++) {
    const pn_onnx_node node = {.op_type = pn_str_from(op->name), .domain = pn_str_from(op->domain)};
    const int64_t last = op->until ? op->until : pn_onnx_schema_newest();
    const pn_onnx_schema *before = NULL;
    for (int64_t opset = op->since; opset <= last; opset++) {
      const pn_onnx_schema *schema = pn_onnx_schema_find(&node, opset, NULL);
      pn_onnx_formal formal;
      const char *reason;
      if (!schema || schema == before || pn_onnx_schema_withdrawn(schema)) continue;
      if (pn_onnx_op_find(&node, opset, &reason) != op) continue; /* an earlier row holds */
      before = schema;
      for (const char *rest = schema->attributes; pn_onnx_formal_next(&rest, &formal);) {
        checked++;
        if (pn_onnx_attribute_idle(&node, formal.name)) idle++;
        else if (!reads_somehow(op, schema, opset, &formal)) {
          printf("%s of opset %d: attribute \"%.*s\" is never read, and not listed as idle\n", op->name, (int)opset,
                 PN_STR_ARG(formal.name));
          forgotten++;
        }
      }
    }
  }
  EXPECT_EQ(forgotten, 0);
  EXPECT(checked > 500);
  EXPECT(idle > 20 && idle < 100);
}

/* ---- whole files ------------------------------------------------------------------------------------------------- */

TEST(a_stray_attribute_is_a_warning_of_the_model) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_model *model;
  REQUIRE_OK(pn_model_import("tests/import/attribute_stray.onnx", NULL, &model, &diag), &diag);
  REQUIRE(model->warnings.count == 2);
  EXPECT_HAS(model->warnings.data[0], "node \"pick\" (Gather, ai.onnx, opset 17): attribute \"batch_dims\" is 1, ");
  EXPECT_HAS(model->warnings.data[1], "node \"mean\" (ReduceMean, ai.onnx, opset 17): attribute \"noop_with_empty_axes\" is 1, ");
  EXPECT_HAS(model->warnings.data[1], "it counts all the same");
  pn_model_release(model);
}

TEST(a_contradiction_of_the_weights_is_refused) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_model *model;
  EXPECT_EQ(pn_model_import("tests/import/refused/attribute_kernel.onnx", NULL, &model, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "node \"conv\" (Conv, ai.onnx, opset 17): attribute \"kernel_shape\" does not say");
}

TEST(an_unread_attribute_ends_the_import) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_model *model;
  EXPECT_EQ(pn_model_import("tests/import/refused/attribute_unread.onnx", NULL, &model, &diag), PELTON_UNSUPPORTED);
  EXPECT(model == NULL);
  EXPECT_EQ(diag.count, 1);
  EXPECT_HAS(pelton_diag_message(&diag, 0),
             "attribute_unread.onnx: node \"both\" (Constant, ai.onnx, opset 17): attribute \"value_int\" is 3, which Pelton "
             "does not look at");
}

TEST_MAIN(T(what_is_read_is_marked), T(what_the_operator_has_and_nobody_read_is_refused),
          T(what_makes_no_difference_is_let_through), T(what_the_operator_does_not_have_is_warned_of),
          T(the_first_version_counts_before_it), T(twice_is_invalid), T(every_attribute_is_read_or_idle),
          T(a_stray_attribute_is_a_warning_of_the_model), T(a_contradiction_of_the_weights_is_refused),
          T(an_unread_attribute_ends_the_import))
