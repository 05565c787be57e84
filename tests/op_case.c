/* See op_case.h. */
#include "op_case.h"

#include "harness.h"
#include "op/schema.h"

#include <math.h>

enum { CASE_TENSORS = 8 };

typedef struct op_case {
  pn_arena arena;
  pn_symbols symbols;
  pelton_diag diag;
  const pn_op_info *info;
  void *attrs;
  uint32_t input_count, output_count;
  pn_fact in[CASE_TENSORS], out[CASE_TENSORS];
  pn_tensor operands[CASE_TENSORS], results[CASE_TENSORS];
} op_case;

/* ---- reading */

/* The text up to the next |end| or ',' outside of parentheses, with |text| moved beyond it. */
static pn_str next_item(const char **text, char end) {
  const char *start = *text;
  int depth = 0;
  for (; **text && (depth > 0 || (**text != ',' && **text != end)); (*text)++)
    depth += (**text == '(') - (**text == ')');
  pn_str item = {start, (size_t)(*text - start)};
  if (**text == ',') (*text)++;
  return item;
}

static void read_extents(op_case *t, const char **text, pn_type *type) {
  REQUIRE(*(*text)++ == '[');
  type->rank = 0;
  while (**text != ']') {
    pn_str item = next_item(text, ']');
    if (pn_str_is(item, "*"))
      type->rank = PN_RANK_UNKNOWN;
    else
      REQUIRE_OK(pn_dim_parse(&t->symbols, item, &type->dims[type->rank++], &t->diag), &t->diag);
  }
  (*text)++;
}

/* {1,2,n}: as data when all are numbers, as content when one is a symbol. */
static void read_elements(op_case *t, const char **text, pn_fact *fact, pn_tensor *tensor) {
  int64_t elements, at = 0;
  bool numbers = true;
  for (uint32_t i = 0; i < tensor->rank; i++) tensor->dims[i] = fact->type.dims[i].number;
  REQUIRE(pn_dims_elements(tensor->rank, tensor->dims, 8, &elements));
  tensor->data = pn_arena_alloc(&t->arena, (size_t)elements * 8 + 1, 16);
  pn_dim *content = PN_NEW_ARRAY(&t->arena, pn_dim, (size_t)elements);
  REQUIRE(tensor->data && content);
  for ((*text)++; **text && **text != '}'; at++) {
    pn_str item = next_item(text, '}');
    REQUIRE(at < elements);
    if (pn_dtype_is_float(tensor->dtype)) {
      pn_tensor_set_f64(tensor, at, strtod(item.data, NULL));
      continue;
    }
    if (pn_str_to_i64(item, &content[at].number))
      pn_tensor_set_i64(tensor, at, content[at].number);
    else
      REQUIRE_OK(pn_dim_parse(&t->symbols, item, &content[at], &t->diag), &t->diag);
    numbers = numbers && pn_dim_is_number(content[at]);
  }
  (*text)++;
  REQUIRE(at == elements);
  if (numbers)
    fact->data = tensor->data;
  else
    fact->content = content;
}

/* A list of tensors; their number. */
static uint32_t read_tensors(op_case *t, const char *text, pn_fact *facts, pn_tensor *tensors) {
  uint32_t count = 0;
  for (; *text; count++) {
    while (*text == ' ') text++;
    REQUIRE(count < CASE_TENSORS);
    if (*text == '-') {
      text++;
      continue;
    }
    pn_fact *fact = &facts[count];
    const char *bracket = strchr(text, '[');
    REQUIRE(bracket);
    REQUIRE(pn_dtype_parse((pn_str){text, (size_t)(bracket - text)}, &fact->type.dtype));
    text = bracket;
    read_extents(t, &text, &fact->type);
    fact->present = true;
    tensors[count] = (pn_tensor){.dtype = fact->type.dtype, .rank = (uint32_t)fact->type.rank};
    if (*text == '{') read_elements(t, &text, fact, &tensors[count]);
  }
  return count;
}

/* ---- printing */

static void print_number(double value, pn_text *out) {
  if (isnan(value))
    pn_text_add(out, PN_STR("nan"));
  else
    pn_text_printf(out, "%.6g", value);
}

static void print_tensor(const pn_tensor *x, pn_text *out) {
  pn_type type = pn_type_make(x->dtype, x->rank, x->dims);
  pn_type_print(NULL, &type, out);
  pn_text_add(out, PN_STR("{"));
  for (int64_t i = 0; i < pn_tensor_elements(x); i++) {
    if (i > 0) pn_text_add(out, PN_STR(","));
    if (pn_dtype_is_float(x->dtype))
      print_number(pn_tensor_get_f64(x, i), out);
    else if (x->dtype == PELTON_DTYPE_U64)
      pn_text_printf(out, "%llu", (unsigned long long)pn_tensor_get_i64(x, i));
    else
      pn_text_printf(out, "%lld", (long long)pn_tensor_get_i64(x, i));
  }
  pn_text_add(out, PN_STR("}"));
}

static void print_fact(const pn_symbols *symbols, const pn_fact *fact, pn_text *out) {
  pn_type_print(symbols, &fact->type, out);
  if (!fact->content) return;
  int64_t count = fact->type.rank == 0 ? 1 : fact->type.dims[0].number;
  pn_text_add(out, PN_STR("{"));
  for (int64_t i = 0; i < count; i++) {
    if (i > 0) pn_text_add(out, PN_STR(","));
    pn_dim_print(symbols, fact->content[i], out);
  }
  pn_text_add(out, PN_STR("}"));
}

/* ---- running */

static void case_init(op_case *t, const char *name, const char *attributes, const char *operands) {
  memset(t, 0, sizeof *t);
  pn_arena_init(&t->arena, NULL);
  pn_symbols_init(&t->symbols, &t->arena);
  pelton_diag_init(&t->diag);
  pn_op op;
  REQUIRE(pn_op_find(pn_str_from(name), &op));
  t->info = pn_op_get(op);
  pn_str text = pn_str_from(attributes);
  REQUIRE_OK(pn_attrs_parse(op, &text, NULL, &t->arena, &t->attrs, &t->diag), &t->diag);
  t->input_count = read_tensors(t, operands, t->in, t->operands);
}

/* As many results as |text| has words; "-" is one that nobody wants. */
static void case_expect(op_case *t, const char *text) {
  for (const char *at = text; at; at = strchr(at, ' ')) {
    if (*at == ' ') at++;
    REQUIRE(t->output_count < CASE_TENSORS);
    t->out[t->output_count++].present = *at != '-';
  }
}

static pelton_status run_infer(op_case *t) {
  pn_infer call = {.attrs = t->attrs,
                   .input_count = t->input_count,
                   .output_count = t->output_count,
                   .in = t->in,
                   .out = t->out,
                   .symbols = &t->symbols,
                   .arena = &t->arena,
                   .diag = &t->diag};
  PN_TRY(t->info->check(&call));
  return t->info->infer(&call);
}

static pelton_status resize_result(pn_call *call, uint32_t index, uint32_t rank, const int64_t *dims) {
  op_case *t = call->self;
  pn_tensor *y = &call->out[index];
  int64_t elements;
  if (!pn_dims_elements(rank, dims, 8, &elements)) return PN_INTERNAL(call->diag, "a result is too large");
  y->rank = rank;
  for (uint32_t i = 0; i < rank; i++) y->dims[i] = dims[i];
  if (t->out[index].present) y->data = pn_arena_alloc(&t->arena, (size_t)elements * 8 + 1, 16);
  return PELTON_OK;
}

/* The reference, its scratch from |allocator|. */
static pelton_status run_reference(op_case *t, const pelton_allocator *allocator) {
  pn_arena scratch;
  pn_arena_init(&scratch, allocator);
  pn_call call = {.attrs = t->attrs,
                  .input_count = t->input_count,
                  .output_count = t->output_count,
                  .in = t->operands,
                  .out = t->results,
                  .scratch = &scratch,
                  .diag = &t->diag,
                  .resize_output = resize_result,
                  .self = t,
                  .lasting = &t->arena};
  for (uint32_t i = 0; i < t->output_count; i++) {
    const pn_type *type = &t->out[i].type;
    t->results[i] = (pn_tensor){.dtype = type->dtype};
    if (!t->out[i].present || t->info->flags & (PN_OP_DATA_SHAPE | PN_OP_LASTING)) continue;
    int64_t dims[PN_MAX_RANK];
    REQUIRE(pn_type_is_static(type));
    for (int32_t k = 0; k < type->rank; k++) dims[k] = type->dims[k].number;
    REQUIRE_OK(resize_result(&call, i, (uint32_t)type->rank, dims), &t->diag);
  }
  pelton_status status = t->info->reference(&call);
  pn_arena_deinit(&scratch);
  return status;
}

void op_gives(const char *op, const char *attributes, const char *operands, const char *results) {
  op_case t;
  case_init(&t, op, attributes, operands);
  case_expect(&t, results);
  REQUIRE_OK(run_infer(&t), &t.diag);
  harness_allocator a;
  uint64_t n = 0;
  do {
    pelton_status status = run_reference(&t, harness_allocator_init(&a, ++n));
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
    if (status && !a.failed) EXPECT_STR(pelton_diag_message(&t.diag, 0), "");
  } while (a.failed);
  pn_text text;
  pn_text_init(&text, NULL);
  for (uint32_t i = 0; i < t.output_count; i++) {
    if (i > 0) pn_text_add(&text, PN_STR(" "));
    if (t.out[i].present)
      print_tensor(&t.results[i], &text);
    else
      pn_text_add(&text, PN_STR("-"));
  }
  EXPECT_STR(text.data, results);
  pn_text_deinit(&text);
  pn_arena_deinit(&t.arena);
}

void op_infers(const char *op, const char *attributes, const char *operands, const char *results) {
  op_case t;
  case_init(&t, op, attributes, operands);
  case_expect(&t, results);
  REQUIRE_OK(run_infer(&t), &t.diag);
  pn_text text;
  pn_text_init(&text, NULL);
  for (uint32_t i = 0; i < t.output_count; i++) {
    if (i > 0) pn_text_add(&text, PN_STR(" "));
    print_fact(&t.symbols, &t.out[i], &text);
  }
  EXPECT_STR(text.data, results);
  pn_text_deinit(&text);
  pn_arena_deinit(&t.arena);
}

void op_refuses(const char *op, const char *attributes, const char *operands, const char *message) {
  op_case t;
  case_init(&t, op, attributes, operands);
  t.output_count = t.info->min_outputs;
  for (uint32_t i = 0; i < t.output_count; i++) t.out[i].present = true;
  pelton_status status = run_infer(&t);
  if (!status) status = run_reference(&t, NULL);
  EXPECT(status == PELTON_INVALID_ARGUMENT || status == PELTON_INVALID_DATA || status == PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&t.diag, 0), message);
  pn_arena_deinit(&t.arena);
}
