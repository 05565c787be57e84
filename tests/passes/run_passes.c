/* Runs one file of pass tests, tests/passes/<pass>.pir:

     case what is shown
     input
     graph ... end
     expect            or "expect unchanged", without a graph
     graph ... end

   The pass is the one the file is named after, or "pipeline" for all of them. Each case is held to this: the pass turns
   the input into the expected graph; the result verifies and survives being printed and read; a second run changes
   nothing; each allocation may fail; both graphs compute the same from random inputs, within 1e-4 (in 16 bits some of
   their steps), by the reference functions (where they have no subgraphs). `run_passes --print FILE` prints what the
   pass makes of each input. */
#include "harness.h"

#include "base/file.h"
#include "base/json.h"
#include "ir/elements.h"
#include "ir/evaluate.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"

#include <math.h>
#include <stdio.h>

typedef struct pass_case {
  pn_str title, input, expect;
  bool unchanged;
} pass_case;

typedef struct suite {
  const pn_pass *pass; /* null: the pipeline */
  uint32_t failed, count;
  bool print;
} suite;

static void show_diag(const pelton_diag *diag) {
  for (uint32_t i = 0; i < diag->count; i++) fprintf(stderr, "    %s\n", diag->text + diag->offset[i]);
}

static bool fail(suite *s, const pass_case *c, const char *what, const pelton_diag *diag) {
  fprintf(stderr, "FAILED %.*s: %s\n", PN_STR_ARG(c->title), what);
  if (diag) show_diag(diag);
  s->failed++;
  return false;
}

static void show_graph(const char *what, const pn_graph *g) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_graph_print(g, 0, &text);
  fprintf(stderr, "%s\n%s\n", what, text.data);
  pn_text_deinit(&text);
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

static int64_t dim_number(const pn_graph *g, pn_dim dim) {
  int64_t values[256], out = 1;
  if (pn_dim_is_number(dim)) return dim.number;
  for (uint32_t i = 0; i < g->symbols->list.count && i < PN_COUNT(values); i++) {
    const pn_symbol *symbol = &g->symbols->list.data[i];
    values[i] = pn_max_i64(symbol->min, pn_min_i64(symbol->max, 2 + symbol->name.data[0] % 3));
  }
  if (g->symbols->list.count > PN_COUNT(values) || !pn_dim_evaluate(g->symbols, dim, values, &out)) return 1;
  return out;
}

static bool random_inputs(const pn_graph *g, pn_arena *arena, pn_fact *inputs) {
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_type *type = &pn_graph_value(g, g->inputs.data[i])->type;
    int64_t dims[PN_MAX_RANK], count;
    if (type->rank < 0) return false;
    for (int32_t d = 0; d < type->rank; d++) dims[d] = dim_number(g, type->dims[d]);
    inputs[i] = (pn_fact){.present = true, .type = pn_type_make(type->dtype, (uint32_t)type->rank, dims)};
    if (!pn_dims_elements((uint32_t)type->rank, dims, pelton_dtype_bytes(type->dtype), &count)) return false;
    void *data = pn_arena_alloc(arena, (size_t)count * pelton_dtype_bytes(type->dtype) + 1, 64);
    if (!data) return false;
    pn_elements_random(type->dtype, count, 77 + i, data);
    inputs[i].data = data;
  }
  return true;
}

/* Facts of all values with their elements; |*whole| false when a node cannot be computed by a reference. */
static pelton_status evaluate(const pn_graph *g, const pn_fact *inputs, pn_arena *arena, pn_facts *facts, bool *whole,
                              pelton_diag *diag) {
  PN_TRY(pn_facts_create(g, arena, facts, diag));
  *whole = true;
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    const pn_infer_options options = {.inputs = inputs, .first_node = n, .end_node = n + 1, .arena = arena};
    pn_fact in[64] = {0}, out[64] = {0};
    bool done;
    PN_TRY(pn_graph_infer(g, &options, facts, NULL, diag));
    if (node->inputs.count > PN_COUNT(in) || node->outputs.count > PN_COUNT(out)) return *whole = false, PELTON_OK;
    for (uint32_t i = 0; i < node->inputs.count; i++)
      if (pn_value_valid(node->inputs.data[i])) in[i] = facts->data[node->inputs.data[i].v];
    for (uint32_t i = 0; i < node->outputs.count; i++)
      if (pn_value_valid(node->outputs.data[i])) out[i] = facts->data[node->outputs.data[i].v];
    const pn_evaluation e = {.op = node->op,
                             .attrs = node->attrs,
                             .in = in,
                             .out = out,
                             .in_count = node->inputs.count,
                             .out_count = node->outputs.count,
                             .arena = arena,
                             .max_elements = 1 << 24};
    if (!pn_can_evaluate(&e)) return *whole = false, PELTON_OK;
    PN_TRY(pn_evaluate(&e, &done, diag));
    for (uint32_t i = 0; i < node->outputs.count; i++)
      if (pn_value_valid(node->outputs.data[i])) facts->data[node->outputs.data[i].v] = out[i];
  }
  if (g->nodes.count == 0) { /* inputs and constants alone */
    const pn_infer_options options = {.inputs = inputs, .arena = arena};
    PN_TRY(pn_graph_infer(g, &options, facts, NULL, diag));
  }
  return PELTON_OK;
}

static bool near(const pn_fact *a, const pn_fact *b) {
  pn_tensor x, y;
  if (!pn_type_equal(&a->type, &b->type) || !a->data || !b->data) return false;
  if (!pn_fact_tensor(a, &x) || !pn_fact_tensor(b, &y)) return false;
  const double slack = x.dtype == PELTON_DTYPE_F16 ? 4e-3 : x.dtype == PELTON_DTYPE_BF16 ? 3e-2 : 1e-4;
  for (int64_t i = 0; i < pn_tensor_elements(&x); i++) {
    const double u = pn_tensor_get_f64(&x, i), v = pn_tensor_get_f64(&y, i);
    if (isnan(u) && isnan(v)) continue;
    if (u != v && !(fabs(u - v) <= slack * (1 + fabs(u)))) return false;
  }
  return true;
}

static bool computes_the_same(suite *s, const pass_case *c, const pn_graph *a, const pn_graph *b, pn_arena *arena,
                              pelton_diag *diag) {
  pn_fact inputs[64];
  pn_facts x, y;
  bool a_whole, b_whole;
  if (a->inputs.count > PN_COUNT(inputs) || !random_inputs(a, arena, inputs)) return true;
  if (evaluate(a, inputs, arena, &x, &a_whole, diag)) return fail(s, c, "the input graph cannot be computed", diag);
  if (evaluate(b, inputs, arena, &y, &b_whole, diag)) return fail(s, c, "the result cannot be computed", diag);
  if (!a_whole || !b_whole) return true;
  for (uint32_t i = 0; i < a->outputs.count; i++)
    if (!near(&x.data[a->outputs.data[i].v], &y.data[b->outputs.data[i].v]))
      return fail(s, c, "the result computes something else", NULL);
  return true;
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

static pelton_status apply(const suite *s, pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  if (s->pass) return s->pass->run(g, changed, diag);
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_array_begin(&json, NULL);
  const size_t empty = text.size;
  const pn_pipeline_options options = {.report = &json, .verify = true};
  const pelton_status status = pn_passes_run(g, &options, diag);
  *changed = text.size > empty;
  pn_text_deinit(&text);
  return status;
}

static bool survives_text(const pn_graph *g, pn_arena *arena, pelton_diag *diag) {
  pn_text text;
  pn_graph *copy = NULL;
  pn_text_init(&text, NULL);
  pn_graph_print(g, 0, &text);
  const bool same =
      pn_graph_parse((pn_str){text.data, text.size}, arena, &copy, diag) == PELTON_OK && pn_graph_equal(g, copy);
  pn_text_deinit(&text);
  return same;
}

static bool same_interface(const pn_graph *a, const pn_graph *b) {
  if (a->outputs.count != b->outputs.count || a->inputs.count != b->inputs.count) return false;
  for (uint32_t i = 0; i < a->outputs.count; i++) {
    const pn_value *v = pn_graph_value(a, a->outputs.data[i]), *w = pn_graph_value(b, b->outputs.data[i]);
    if (!pn_str_equal(v->name, w->name) || v->type.dtype != w->type.dtype) return false;
  }
  return true;
}

static bool check(suite *s, const pass_case *c, pn_arena *arena) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph *before, *g, *expect;
  uint32_t changed = 0, again = 0;
  if (pn_graph_parse(c->input, arena, &before, &diag)) return fail(s, c, "the input is wrong", &diag);
  if (pn_graph_parse(c->input, arena, &g, &diag)) return fail(s, c, "the input is wrong", &diag);
  if (apply(s, g, &changed, &diag)) return fail(s, c, "the pass failed", &diag);
  if (s->print) {
    fprintf(stderr, "case %.*s (%u changes)\n", PN_STR_ARG(c->title), changed);
    show_graph("", g);
  }
  if (pn_graph_verify(g, &diag)) return fail(s, c, "the result does not verify", &diag);
  if (!survives_text(g, arena, &diag)) return fail(s, c, "the result does not survive being printed and read", &diag);
  if (!same_interface(before, g)) return fail(s, c, "inputs or outputs have changed", NULL);
  if (!computes_the_same(s, c, before, g, arena, &diag)) {
    show_graph("the result:", g);
    return false;
  }
  if (apply(s, g, &again, &diag)) return fail(s, c, "the second run failed", &diag);
  if (again) return fail(s, c, "a second run changes something", NULL);
  if (s->print) return true;
  if (c->unchanged) {
    if (!changed && pn_graph_equal(g, before)) return true;
    show_graph("the result:", g);
    return fail(s, c, "it should not have changed", NULL);
  }
  if (pn_graph_parse(c->expect, arena, &expect, &diag)) return fail(s, c, "what is expected is wrong", &diag);
  if (changed && pn_graph_equal(g, expect)) return true;
  show_graph("expected:", expect);
  show_graph("the result:", g);
  return fail(s, c, "the result is another", NULL);
}

/* Each of the pass's allocations fails once: it says so, and leaves nothing behind. */
static bool survives_lack_of_memory(suite *s, const pass_case *c) {
  for (uint64_t n = 1;; n++) {
    harness_allocator allocator;
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena arena;
    pn_graph *g;
    uint32_t changed = 0;
    pn_arena_init(&arena, harness_allocator_init(&allocator, 0));
    pelton_status status = pn_graph_parse(c->input, &arena, &g, &diag);
    allocator.fail_at = allocator.count + n;
    if (!status) status = apply(s, g, &changed, &diag);
    pn_arena_deinit(&arena);
    if (allocator.live > 0) return fail(s, c, "memory is left behind", NULL);
    if (!allocator.failed) return status == PELTON_OK;
    if (status != PELTON_OUT_OF_MEMORY) return fail(s, c, "a failed allocation was not reported", &diag);
  }
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static pn_str next_line(pn_str *text) {
  pn_str line = {text->data, 0};
  while (line.size < text->size && line.data[line.size] != '\n') line.size++;
  const size_t taken = line.size < text->size ? line.size + 1 : line.size;
  text->data += taken;
  text->size -= taken;
  return line;
}

static void run_case(suite *s, pass_case *c) {
  if (!c->title.data) return;
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  s->count++;
  if (check(s, c, &arena)) survives_lack_of_memory(s, c);
  pn_arena_deinit(&arena);
}

static void run_file(suite *s, pn_str text) {
  pass_case c = {0};
  pn_str *part = NULL; /* what the lines belong to */
  while (text.size > 0) {
    const pn_str line = next_line(&text);
    if (pn_str_starts(line, "case ")) {
      run_case(s, &c);
      c = (pass_case){.title = {line.data + 5, line.size - 5}};
      part = NULL;
    } else if (pn_str_is(line, "input")) {
      part = &c.input;
    } else if (pn_str_is(line, "expect")) {
      part = &c.expect;
    } else if (pn_str_is(line, "expect unchanged")) {
      c.unchanged = true;
      part = NULL;
    } else if (part) {
      if (!part->data) part->data = line.data;
      part->size = (size_t)(line.data + line.size - part->data);
    }
  }
  run_case(s, &c);
}

int main(int argc, char **argv) {
  suite s = {.print = argc == 3 && !strcmp(argv[1], "--print")};
  const char *path = argv[argc - 1];
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file file;
  if (argc != 2 && !s.print) {
    fprintf(stderr, "usage: run_passes [--print] tests/passes/PASS.pir\n");
    return 2;
  }
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  const pn_str stem = {name, strcspn(name, ".")};
  s.pass = pn_pass_find(stem);
  if (!s.pass && !pn_str_is(stem, "pipeline")) {
    fprintf(stderr, "%s: there is no pass of that name\n", path);
    return 1;
  }
  if (pn_file_map(path, &file, &diag)) {
    show_diag(&diag);
    return 1;
  }
  run_file(&s, (pn_str){(const char *)file.data, file.size});
  pn_file_unmap(&file);
  printf("%s: %u cases, %u failed\n", path, s.count, s.failed);
  return s.failed || !s.count;
}
