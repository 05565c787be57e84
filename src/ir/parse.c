/* Text to a graph; the grammar is in text.h by example. A value must be defined above its use, so that what is read is
   in order and without cycles. Texts may be hostile: nothing is allocated that the text is not long enough to fill
   (random constants have a limit of their own), subgraphs nest to a limit. */
#include "ir/text.h"

#include "ir/elements.h"
#include "ir/infer.h"
#include "ir/lexer.h"
#include "ir/verify.h"
#include "ir/walk.h"
#include "op/schema.h"

#define MAX_RANDOM_BYTES ((size_t)256 << 20)

/* A type that the text states: compared with the inferred one at the end. */
typedef struct stated_type {
  pn_graph *graph;
  pn_value_id value;
  pn_type type;
  const char *place;
} stated_type;

typedef struct parser {
  pn_lexer lexer;
  pn_arena *arena;
  pn_symbols *symbols;
  pelton_diag *diag;
  PN_LIST(stated_type) stated;
  size_t random_bytes;
  uint32_t depth;
  bool in_head; /* of the outermost graph */
} parser;

typedef struct result {
  pn_str name; /* empty: absent */
  pn_type type;
  bool typed;
  const char *place;
} result;
typedef PN_LIST(result) result_list;

static pelton_status fail_memory(parser *p) { return pn_fail_memory(p->diag, "a graph from text"); }

static pelton_status expect(parser *p, const char *text, const char *where) {
  return pn_lexer_accept(&p->lexer, text) ? PELTON_OK : pn_lexer_expected(&p->lexer, "'%s' %s", text, where);
}

/* ---- types ----------------------------------------------------------------------------------------------------- */

static pelton_status parse_plain_dim(parser *p, pn_dim *out) {
  const uint32_t mark = pn_diag_mark(p->diag), fresh = p->symbols->fresh_count;
  pn_lexer_skip_blank(&p->lexer);
  const pn_str text = p->lexer.rest;
  PN_TRY(pn_lexer_located(&p->lexer, mark, pn_dim_parse_front(p->symbols, &p->lexer.rest, out, p->diag)));
  /* Of an expression that is too long to name a fresh symbol is left: nothing that an input could be made of. */
  const size_t bytes = text.size - p->lexer.rest.size;
  if (p->in_head && p->symbols->fresh_count > fresh && !memchr(text.data, '?', bytes))
    return pn_lexer_fail(&p->lexer, "the expression of a dimension is too long");
  return PELTON_OK;
}

static pelton_status parse_bound(parser *p, int64_t *out) {
  pn_dim bound;
  PN_TRY(parse_plain_dim(p, &bound));
  if (!pn_dim_is_number(bound) || bound.number < 0) return pn_lexer_fail(&p->lexer, "a bound is a number from 0");
  *out = bound.number;
  return PELTON_OK;
}

/* 3, n, n<=32, 1<=n, 1<=n<=32, (h+1)/2 */
static pelton_status parse_dim(parser *p, pn_dim *out) {
  int64_t min = 0, max = INT64_MAX;
  PN_TRY(parse_plain_dim(p, out));
  bool bounded = pn_lexer_accept(&p->lexer, "<=");
  if (bounded && pn_dim_is_number(*out)) {
    min = out->number;
    PN_TRY(parse_plain_dim(p, out));
    if (pn_lexer_accept(&p->lexer, "<=")) PN_TRY(parse_bound(p, &max));
  } else if (bounded) {
    PN_TRY(parse_bound(p, &max));
  }
  if (bounded) {
    const uint32_t mark = pn_diag_mark(p->diag);
    PN_TRY(pn_lexer_located(&p->lexer, mark, pn_symbol_bound(p->symbols, *out, min, max, p->diag)));
  } else if (pn_dim_is_number(*out) && out->number < 0) {
    return pn_lexer_fail(&p->lexer, "a type has dimensions from 0, not %lld", (long long)out->number);
  }
  return PELTON_OK;
}

static pelton_status parse_type(parser *p, pn_type *out) {
  *out = (pn_type){.rank = PN_RANK_UNKNOWN};
  pn_lexer_skip_blank(&p->lexer);
  if (!pn_type_parse_elements(&p->lexer.rest, out)) return pn_lexer_expected(&p->lexer, "a type as f32[2,n]");
  PN_TRY(expect(p, "[", "after the name of a type"));
  if (pn_lexer_accept(&p->lexer, "*")) return expect(p, "]", "after '*'");
  out->rank = 0;
  if (pn_lexer_accept(&p->lexer, "]")) return PELTON_OK;
  do {
    if (out->rank == PN_MAX_RANK) return pn_lexer_fail(&p->lexer, "a type has at most %d dimensions", PN_MAX_RANK);
    PN_TRY(parse_dim(p, &out->dims[out->rank]));
    out->rank++;
  } while (pn_lexer_accept(&p->lexer, ","));
  return expect(p, "]", "or ',' in a type");
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static pelton_status parse_value_name(parser *p, pn_str *out) {
  if (!pn_lexer_accept(&p->lexer, "%")) return pn_lexer_expected(&p->lexer, "a value as %%x");
  if (p->lexer.rest.size > 0 && strchr(" \t\r\n#", *p->lexer.rest.data))
    return pn_lexer_expected(&p->lexer, "a name after '%%'");
  return pn_lexer_name(&p->lexer, p->arena, "a value's name", out);
}

/* "_" alone, not the begin of a word. */
static bool accept_absent(parser *p) {
  if (!pn_str_is(pn_lexer_peek_word(&p->lexer), "_")) return false;
  pn_lexer_advance(&p->lexer, 1);
  return true;
}

static pelton_status define_value(parser *p, pn_graph *g, const result *r, pn_value_id *out) {
  if (pn_graph_find_value(g, r->name, out))
    return pn_lexer_fail(&p->lexer, "%%%.*s is defined twice", PN_STR_ARG(r->name));
  *out = pn_graph_add_value(g, r->name, r->typed ? &r->type : NULL);
  if (!pn_value_valid(*out)) return fail_memory(p);
  if (!r->typed) return PELTON_OK;
  const stated_type stated = {g, *out, r->type, r->place};
  return pn_list_push(p->arena, &p->stated, stated) ? PELTON_OK : fail_memory(p);
}

static pelton_status parse_result(parser *p, result *out) {
  pn_lexer_skip_blank(&p->lexer);
  *out = (result){.place = p->lexer.rest.data};
  if (accept_absent(p)) return PELTON_OK;
  PN_TRY(parse_value_name(p, &out->name));
  if (!pn_lexer_accept(&p->lexer, ":")) return PELTON_OK;
  out->typed = true;
  return parse_type(p, &out->type);
}

static pelton_status parse_operand(parser *p, pn_graph *g, pn_value_id *out) {
  pn_str name;
  *out = PN_NO_VALUE;
  if (accept_absent(p)) return PELTON_OK;
  PN_TRY(parse_value_name(p, &name));
  if (!pn_graph_find_value(g, name, out))
    return pn_lexer_fail(&p->lexer, "%%%.*s is not defined above", PN_STR_ARG(name));
  return PELTON_OK;
}

static pelton_status parse_operands(parser *p, pn_graph *g, const char *op, pn_value_list *out) {
  pn_value_id id;
  if (!pn_lexer_accept(&p->lexer, "(")) return pn_lexer_expected(&p->lexer, "'(' after %s", op);
  if (pn_lexer_accept(&p->lexer, ")")) return PELTON_OK;
  do {
    if (out->count == PN_MANY) return pn_lexer_fail(&p->lexer, "%s has more than %d operands", op, PN_MANY);
    PN_TRY(parse_operand(p, g, &id));
    if (!pn_list_push(p->arena, out, id)) return fail_memory(p);
  } while (pn_lexer_accept(&p->lexer, ","));
  return pn_lexer_accept(&p->lexer, ")") ? PELTON_OK
                                         : pn_lexer_expected(&p->lexer, "')' after the operands of %s", op);
}

/* ---- constants ------------------------------------------------------------------------------------------------- */

static pelton_status parse_random(parser *p, const pn_type *type, int64_t count, const void **out) {
  const size_t bytes = (size_t)count * pelton_dtype_bytes(type->dtype);
  pn_dim seed;
  pn_lexer_advance(&p->lexer, strlen("random"));
  if (pn_dtype_points(type->dtype)) return pn_lexer_fail(&p->lexer, "random constants are numbers, not texts");
  PN_TRY(expect(p, "(", "after random"));
  PN_TRY(parse_plain_dim(p, &seed));
  PN_TRY(expect(p, ")", "after a random constant's seed"));
  if (!pn_dim_is_number(seed)) return pn_lexer_fail(&p->lexer, "a random constant's seed is a number");
  if (bytes > MAX_RANDOM_BYTES - p->random_bytes)
    return pn_lexer_fail(&p->lexer, "random constants of one text have at most %zu bytes", MAX_RANDOM_BYTES);
  p->random_bytes += bytes;
  void *data = pn_arena_alloc(p->arena, bytes, 64);
  if (!data) return fail_memory(p);
  pn_elements_random(type->dtype, count, (uint64_t)seed.number, data);
  *out = data;
  return PELTON_OK;
}

static pelton_status parse_constant(parser *p, pn_graph *g, const result_list *results) {
  const result *r = &results->data[0];
  int64_t dims[PN_MAX_RANK], count = 0;
  const void *data = NULL;
  pn_value_id id;
  if (results->count != 1 || r->name.size == 0 || !r->typed || !pn_type_is_static(&r->type))
    return pn_lexer_fail(&p->lexer, "a constant is one value with a type of numbers: %%w: f32[2] = const [1, 2]");
  if (r->type.dtype == PELTON_DTYPE_TENSOR)
    return pn_lexer_fail(&p->lexer, "%%%.*s is a sequence, and those are no constants: make it of constants with box",
                         PN_STR_ARG(r->name));
  const size_t element_bytes = pelton_dtype_bytes(r->type.dtype);
  for (int32_t i = 0; i < r->type.rank; i++) dims[i] = r->type.dims[i].number;
  if (!pn_dims_elements((uint32_t)r->type.rank, dims, element_bytes, &count))
    return pn_lexer_fail(&p->lexer, "%%%.*s is too large", PN_STR_ARG(r->name));
  pn_lexer_skip_blank(&p->lexer);
  if (pn_str_starts(p->lexer.rest, "..."))
    return pn_lexer_fail(&p->lexer, "the bytes of %%%.*s were left out when this text was printed",
                         PN_STR_ARG(r->name));
  if (pn_str_starts(p->lexer.rest, "random")) {
    PN_TRY(parse_random(p, &r->type, count, &data));
  } else {
    const uint32_t mark = pn_diag_mark(p->diag);
    PN_TRY(pn_lexer_located(&p->lexer, mark,
                            pn_elements_parse(r->type.dtype, count, &p->lexer.rest, p->arena, &data, p->diag)));
  }
  if (pn_graph_find_value(g, r->name, &id))
    return pn_lexer_fail(&p->lexer, "%%%.*s is defined twice", PN_STR_ARG(r->name));
  id = pn_graph_add_constant(g, r->name, &r->type, data, (size_t)count * element_bytes);
  return pn_value_valid(id) ? PELTON_OK : fail_memory(p);
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static pelton_status parse_graph(parser *p, pn_graph **out);

/* pn_attrs_io.parse_graph: "graph ... end" between braces, at the front of |text|, a part of the text being read. */
static pelton_status parse_subgraph(void *self, pn_str *text, struct pn_graph **out, pelton_diag *diag) {
  parser *p = self;
  const pn_str outer = p->lexer.rest;
  (void)diag; /* the parser's own */
  p->lexer.rest = *text;
  if (p->depth == PN_MAX_GRAPH_DEPTH)
    return pn_lexer_fail(&p->lexer, "subgraphs nest at most %d levels deep", PN_MAX_GRAPH_DEPTH);
  p->depth++;
  PN_TRY(parse_graph(p, out));
  p->depth--;
  if (pn_lexer_peek(&p->lexer) != '}') return pn_lexer_expected(&p->lexer, "'}' after a subgraph");
  *text = p->lexer.rest;
  p->lexer.rest = outer;
  return PELTON_OK;
}

static pelton_status parse_attrs(parser *p, pn_op op, void **out) {
  const pn_attrs_io io = {.self = p, .parse_graph = parse_subgraph};
  const uint32_t mark = pn_diag_mark(p->diag);
  pn_lexer_skip_space(&p->lexer);
  pn_str text = {p->lexer.rest.data, pn_lexer_statement_bytes(&p->lexer)};
  const size_t bytes = text.size;
  PN_TRY(pn_lexer_located(&p->lexer, mark, pn_attrs_parse(op, &text, &io, p->arena, out, p->diag)));
  pn_lexer_advance(&p->lexer, bytes - text.size);
  pn_lexer_skip_space(&p->lexer);
  if (p->lexer.rest.data < text.data + text.size)
    return pn_lexer_expected(&p->lexer, "an attribute of %s or the end of the line", pn_op_get(op)->name);
  return PELTON_OK;
}

/* Whether |word| and a string come next on this line. */
static bool accept_label(parser *p, const char *word) {
  const pn_str before = p->lexer.rest;
  pn_lexer_skip_space(&p->lexer);
  if (pn_str_starts(p->lexer.rest, word)) {
    pn_lexer_advance(&p->lexer, strlen(word));
    pn_lexer_skip_space(&p->lexer);
    if (p->lexer.rest.size > 0 && *p->lexer.rest.data == '"') return true;
  }
  p->lexer.rest = before;
  return false;
}

/* The comment at a node's end: # name "..." from "...", "...". Any other is only a comment. */
static pelton_status parse_labels(parser *p, pn_graph *g, pn_node_id node) {
  if (p->lexer.rest.size == 0 || *p->lexer.rest.data != '#') return PELTON_OK;
  const pn_lexer comment = p->lexer;
  pn_str text;
  pn_lexer_advance(&p->lexer, 1);
  if (accept_label(p, "name")) PN_TRY(pn_lexer_string(&p->lexer, p->arena, &pn_graph_node(g, node)->name));
  if (accept_label(p, "from")) {
    do {
      PN_TRY(pn_lexer_string(&p->lexer, p->arena, &text));
      if (!pn_list_push(p->arena, &pn_graph_node(g, node)->provenance, text)) return fail_memory(p);
      pn_lexer_skip_space(&p->lexer);
    } while (p->lexer.rest.size > 0 && *p->lexer.rest.data == ',' && pn_lexer_accept(&p->lexer, ","));
  }
  p->lexer.rest = comment.rest; /* whatever else stands there is skipped as any comment is */
  return PELTON_OK;
}

static pelton_status check_counts(parser *p, pn_op op, uint32_t inputs, uint32_t outputs) {
  const pn_op_info *info = pn_op_get(op);
  if (inputs > info->max_inputs)
    return pn_lexer_fail(&p->lexer, "%s has at most %u operands, here are %u", info->name, info->max_inputs, inputs);
  if (outputs < info->min_outputs || outputs > info->max_outputs)
    return pn_lexer_fail(&p->lexer, "%s has %u to %u results, here are %u", info->name, info->min_outputs,
                         info->max_outputs, outputs);
  return PELTON_OK;
}

static pelton_status parse_node(parser *p, pn_graph *g, const result_list *results) {
  pn_value_list inputs = {0}, outputs = {0};
  void *attrs = NULL;
  pn_str name = PN_STR("");
  pn_op op;
  const pn_str word = pn_lexer_peek_word(&p->lexer);
  if (word.size == 0) return pn_lexer_expected(&p->lexer, "an operator or const");
  if (!pn_op_find(word, &op)) return pn_lexer_fail(&p->lexer, "there is no operator '%.*s'", PN_STR_ARG(word));
  pn_lexer_advance(&p->lexer, word.size);
  PN_TRY(parse_operands(p, g, pn_op_get(op)->name, &inputs));
  PN_TRY(check_counts(p, op, inputs.count, results->count));
  PN_TRY(parse_attrs(p, op, &attrs));
  for (uint32_t i = 0; i < results->count; i++) {
    const result *r = &results->data[i];
    pn_value_id id = PN_NO_VALUE;
    if (r->name.size > 0) PN_TRY(define_value(p, g, r, &id));
    if (name.size == 0) name = r->name;
    if (!pn_list_push(p->arena, &outputs, id)) return fail_memory(p);
  }
  const pn_node_id node = pn_graph_add_node_to(g, op, attrs, name, inputs.data, inputs.count, outputs.data,
                                               outputs.count);
  return pn_node_valid(node) ? parse_labels(p, g, node) : fail_memory(p);
}

static pelton_status parse_statement(parser *p, pn_graph *g) {
  result_list results = {0};
  result r;
  do {
    if (results.count == PN_MANY) return pn_lexer_fail(&p->lexer, "a node has more than %d results", PN_MANY);
    PN_TRY(parse_result(p, &r));
    if (!pn_list_push(p->arena, &results, r)) return fail_memory(p);
  } while (pn_lexer_accept(&p->lexer, ","));
  PN_TRY(expect(p, "=", "after the results of a node"));
  if (!pn_str_is(pn_lexer_peek_word(&p->lexer), "const")) return parse_node(p, g, &results);
  pn_lexer_advance(&p->lexer, strlen("const"));
  return parse_constant(p, g, &results);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

static pelton_status parse_inputs(parser *p, pn_graph *g) {
  pn_value_id id;
  result r;
  PN_TRY(expect(p, "(", "before the inputs of a graph"));
  if (pn_lexer_accept(&p->lexer, ")")) return PELTON_OK;
  do {
    PN_TRY(parse_result(p, &r));
    if (r.name.size == 0) return pn_lexer_fail(&p->lexer, "an input of a graph is a value, not '_'");
    if (!r.typed && p->depth == 0) return pn_lexer_expected(&p->lexer, "':' and a type after an input's name");
    PN_TRY(define_value(p, g, &r, &id));
    if (!pn_list_push(p->arena, &g->inputs, id)) return fail_memory(p);
  } while (pn_lexer_accept(&p->lexer, ","));
  return expect(p, ")", "or ',' after an input of a graph");
}

static pelton_status parse_output_names(parser *p, pn_str_list *out) {
  pn_str name;
  PN_TRY(expect(p, "->", "after the inputs of a graph"));
  PN_TRY(expect(p, "(", "before the outputs of a graph"));
  if (pn_lexer_accept(&p->lexer, ")")) return PELTON_OK;
  do {
    PN_TRY(parse_value_name(p, &name));
    if (!pn_list_push(p->arena, out, name)) return fail_memory(p);
  } while (pn_lexer_accept(&p->lexer, ","));
  return expect(p, ")", "or ',' after an output of a graph");
}

static pelton_status parse_where(parser *p) {
  pn_dim dim;
  if (!pn_str_is(pn_lexer_peek_word(&p->lexer), "where")) return PELTON_OK;
  pn_lexer_advance(&p->lexer, strlen("where"));
  do PN_TRY(parse_dim(p, &dim));
  while (pn_lexer_accept(&p->lexer, ","));
  return PELTON_OK;
}

static pelton_status parse_graph(parser *p, pn_graph **out) {
  pn_str_list outputs = {0};
  pn_str name;
  if (!pn_str_is(pn_lexer_peek_word(&p->lexer), "graph")) return pn_lexer_expected(&p->lexer, "'graph'");
  pn_lexer_advance(&p->lexer, strlen("graph"));
  if (pn_lexer_peek(&p->lexer) == '"') PN_TRY(pn_lexer_string(&p->lexer, p->arena, &name)); /* may be empty */
  else PN_TRY(pn_lexer_name(&p->lexer, p->arena, "the graph's name", &name));
  pn_graph *g = *out = pn_graph_create(p->arena, p->symbols, name);
  if (!g) return fail_memory(p);
  p->in_head = p->depth == 0;
  PN_TRY(parse_inputs(p, g));
  PN_TRY(parse_output_names(p, &outputs));
  const pn_lexer head = p->lexer;
  PN_TRY(parse_where(p));
  p->in_head = false;
  for (;;) {
    const char next = pn_lexer_peek(&p->lexer);
    if (pn_str_is(pn_lexer_peek_word(&p->lexer), "end")) break;
    if (next != '%' && next != '_')
      return pn_lexer_expected(&p->lexer, "a statement as %%y = conv(%%x, %%w), or 'end'");
    PN_TRY(parse_statement(p, g));
  }
  pn_lexer_advance(&p->lexer, strlen("end"));
  for (uint32_t i = 0; i < outputs.count; i++) {
    pn_value_id id;
    if (!pn_graph_find_value(g, outputs.data[i], &id)) {
      p->lexer = head;
      return pn_lexer_fail(&p->lexer, "the graph's output %%%.*s is not defined in it", PN_STR_ARG(outputs.data[i]));
    }
    if (!pn_graph_add_output(g, id)) return fail_memory(p);
  }
  return PELTON_OK;
}

/* ---- stated types ---------------------------------------------------------------------------------------------- */

static bool dims_agree(const pn_symbols *symbols, pn_dim stated, pn_dim inferred) {
  if (pn_dim_equal(stated, inferred)) return true;
  /* What is known only at run time has a name of its own making, which need not be the text's. */
  return !pn_dim_is_number(inferred) && symbols->list.data[inferred.symbol - 1].kind != PN_SYMBOL_NAMED &&
         !pn_dim_is_number(stated) && symbols->list.data[stated.symbol - 1].kind != PN_SYMBOL_NAMED;
}

static bool types_agree(const pn_symbols *symbols, const pn_type *stated, const pn_type *inferred) {
  if (inferred->dtype == PELTON_DTYPE_NONE) return true; /* in a branch that is never taken */
  if (!pn_type_same_elements(stated, inferred) || stated->boxes.optional != inferred->boxes.optional) return false;
  if (stated->rank == PN_RANK_UNKNOWN) return true;
  if (stated->rank != inferred->rank) return false;
  for (int32_t i = 0; i < stated->rank; i++)
    if (!dims_agree(symbols, stated->dims[i], inferred->dims[i])) return false;
  return true;
}

static pelton_status check_stated(parser *p, const stated_type *stated) {
  const pn_value *value = pn_graph_value(stated->graph, stated->value);
  if (types_agree(p->symbols, &stated->type, &value->type)) return PELTON_OK;
  pn_text text;
  pn_text_init(&text, p->arena->allocator);
  pn_type_print(p->symbols, &stated->type, &text);
  pn_text_add(&text, PN_STR(", but it is "));
  pn_type_print(p->symbols, &value->type, &text);
  p->lexer.rest = (pn_str){stated->place, 0};
  pn_lexer_skip_blank(&p->lexer);
  const pelton_status status =
      text.failed ? fail_memory(p)
                  : pn_lexer_fail(&p->lexer, "%%%.*s is stated as %s", PN_STR_ARG(value->name), text.data);
  pn_text_deinit(&text);
  return status;
}

pelton_status pn_graph_parse(pn_str text, pn_arena *arena, pn_graph **out, pelton_diag *diag) {
  parser p = {.lexer = {.rest = text, .base = text.data, .diag = diag}, .arena = arena, .diag = diag};
  *out = NULL;
  pn_graph *g;
  p.symbols = PN_NEW(arena, pn_symbols);
  if (!p.symbols) return fail_memory(&p);
  pn_symbols_init(p.symbols, arena);
  PN_TRY(parse_graph(&p, &g));
  if (pn_lexer_peek(&p.lexer)) return pn_lexer_expected(&p.lexer, "nothing after the graph's end");
  PN_TRY(pn_graph_infer_types(g, diag));
  for (uint32_t i = 0; i < p.stated.count; i++) PN_TRY(check_stated(&p, &p.stated.data[i]));
  PN_TRY(pn_graph_verify(g, diag));
  *out = g;
  return PELTON_OK;
}
