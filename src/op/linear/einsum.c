/* einsum: products of operands, summed over the labels that the output lacks. "ij,jk->ik", "...ii->...i", "i,i".

   A label that stands twice in one operand walks its diagonal: its strides add up. */
#include "op/linear/einsum.h"
#include "op/operand.h"

enum { LETTERS = PN_EINSUM_LETTERS, LABELS = PN_EINSUM_LABELS, OPERANDS_LIMIT = PN_EINSUM_OPERANDS };

typedef pn_einsum_labels labels;
typedef pn_einsum_equation equation;

/* ---- the equation */

static pelton_status refuse(pelton_diag *diag, pn_str text, const char *why) {
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "einsum: equation \"%.*s\": %s", PN_STR_ARG(text), why);
}

static bool letter_of(char c, uint8_t *label) {
  if (c >= 'A' && c <= 'Z')
    *label = (uint8_t)(c - 'A');
  else if (c >= 'a' && c <= 'z')
    *label = (uint8_t)(c - 'a' + 26);
  else
    return false;
  return true;
}

/* Reads labels up to ',', '-' or the end, and moves |at| there. "..." stands for |ellipsis| axes; -1: it is an error.
 */
static pelton_status read_term(pelton_diag *diag, pn_str text, size_t *at, int32_t ellipsis, bool *has_ellipsis,
                               labels *out) {
  *has_ellipsis = false;
  out->count = 0;
  for (; *at < text.size && text.data[*at] != ',' && text.data[*at] != '-'; (*at)++) {
    char c = text.data[*at];
    uint8_t label = 0;
    if (c == ' ') continue;
    if (c == '.') {
      bool whole = text.size - *at >= 3 && text.data[*at + 1] == '.' && text.data[*at + 2] == '.';
      if (!whole || *has_ellipsis) return refuse(diag, text, "\"...\" must be three dots, once a term");
      *has_ellipsis = true;
      *at += 2;
      for (int32_t i = ellipsis; i-- > 0;) {
        if (out->count == PN_MAX_RANK) return refuse(diag, text, "a term has more axes than tensors may");
        out->label[out->count++] = (uint8_t)(LETTERS + i);
      }
      continue;
    }
    if (!letter_of(c, &label)) return refuse(diag, text, "labels are letters, \",\", \"->\" and \"...\"");
    if (out->count == PN_MAX_RANK) return refuse(diag, text, "a term has more axes than tensors may");
    out->label[out->count++] = label;
  }
  return PELTON_OK;
}

/* Letters of the term at |at|: its axes without those of "...". */
static int32_t term_letters(pn_str text, size_t at) {
  int32_t letters = 0;
  uint8_t label;
  for (; at < text.size && text.data[at] != ',' && text.data[at] != '-'; at++)
    letters += letter_of(text.data[at], &label);
  return letters;
}

/* Without "->": "..." and every label that stands once, in alphabetical order. */
static pelton_status implicit_output(pelton_diag *diag, pn_str text, uint32_t operand_count, int32_t ellipsis,
                                     equation *e) {
  uint32_t times[LABELS] = {0};
  for (uint32_t i = 0; i < operand_count; i++)
    for (uint32_t k = 0; k < e->in[i].count; k++) times[e->in[i].label[k]]++;
  e->out.count = 0;
  for (int32_t i = ellipsis; i-- > 0;) e->out.label[e->out.count++] = (uint8_t)(LETTERS + i);
  for (uint8_t label = 0; label < LETTERS; label++) {
    if (times[label] != 1) continue;
    if (e->out.count == PN_MAX_RANK) return refuse(diag, text, "the output has more axes than tensors may");
    e->out.label[e->out.count++] = label;
  }
  return PELTON_OK;
}

static pelton_status check_output(pelton_diag *diag, pn_str text, uint32_t operand_count, const equation *e) {
  uint32_t seen[LABELS] = {0};
  for (uint32_t i = 0; i < operand_count; i++)
    for (uint32_t k = 0; k < e->in[i].count; k++) seen[e->in[i].label[k]] = 1;
  for (uint32_t k = 0; k < e->out.count; k++) {
    if (seen[e->out.label[k]] == 0 && e->out.label[k] < LETTERS)
      return refuse(diag, text, "the output has a label that no operand has");
    if (seen[e->out.label[k]] == 2) return refuse(diag, text, "the output has a label twice");
    seen[e->out.label[k]] = 2;
  }
  return PELTON_OK;
}

pelton_status pn_einsum_read(pelton_diag *diag, pn_str text, uint32_t operand_count, const int32_t *ranks, equation *e,
                             bool *open) {
  size_t at = 0;
  int32_t longest = 0;
  bool has_ellipsis;
  *open = false;
  for (uint32_t i = 0; i < operand_count; i++) {
    int32_t ellipsis = ranks[i] == PN_RANK_UNKNOWN ? 0 : ranks[i] - term_letters(text, at);
    PN_TRY(read_term(diag, text, &at, ellipsis, &has_ellipsis, &e->in[i]));
    if (has_ellipsis && ranks[i] == PN_RANK_UNKNOWN) *open = true;
    if (has_ellipsis && ellipsis > longest) longest = ellipsis;
    if (ranks[i] != PN_RANK_UNKNOWN && e->in[i].count != (uint32_t)ranks[i])
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "einsum: equation \"%.*s\": operand %u has rank %d, its term %u labels", PN_STR_ARG(text),
                     (unsigned)i, ranks[i], (unsigned)e->in[i].count);
    bool more = at < text.size && text.data[at] == ',';
    if (more != (i + 1 < operand_count)) return refuse(diag, text, "there must be one term for each operand");
    at += more;
  }
  if (at == text.size) return implicit_output(diag, text, operand_count, longest, e);
  if (text.size - at < 2 || text.data[at + 1] != '>') return refuse(diag, text, "the output follows \"->\"");
  at += 2;
  PN_TRY(read_term(diag, text, &at, longest, &has_ellipsis, &e->out));
  if (at != text.size) return refuse(diag, text, "there is one output");
  return check_output(diag, text, operand_count, e);
}

pelton_status pn_check_einsum(const pn_infer *c) {
  const pn_attrs_einsum *attrs = c->attrs;
  if (c->input_count > OPERANDS_LIMIT)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "einsum: %u operands; the limit is %d", (unsigned)c->input_count,
                   OPERANDS_LIMIT);
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!c->in[i].present) return refuse(c->diag, attrs->equation, "an operand is absent");
    if (c->in[i].type.dtype == PELTON_DTYPE_BOOL)
      return refuse(c->diag, attrs->equation, "operands must be numbers, not bool");
    PN_TRY(pn_operand_wants_type_of(c, "einsum", i, "an operand", 0));
  }
  return PELTON_OK;
}

/* ---- infer */

pelton_status pn_infer_einsum(const pn_infer *c) {
  const pn_attrs_einsum *attrs = c->attrs;
  int32_t ranks[OPERANDS_LIMIT];
  equation e;
  bool open, known[LABELS] = {false};
  pn_dim extents[LABELS];
  for (uint32_t i = 0; i < c->input_count; i++) ranks[i] = c->in[i].type.rank;
  PN_TRY(pn_einsum_read(c->diag, attrs->equation, c->input_count, ranks, &e, &open));
  if (open) {
    pn_infer_unknown(c, 0, c->in[0].type.dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  for (uint32_t i = 0; i < c->input_count; i++)
    for (uint32_t k = 0; k < e.in[i].count && ranks[i] != PN_RANK_UNKNOWN; k++) {
      uint8_t label = e.in[i].label[k];
      pn_dim d = c->in[i].type.dims[k], *all = &extents[label];
      if (!known[label] || pn_dim_is(*all, 1))
        *all = d;
      else if (!pn_dim_is(d, 1) && !pn_dim_unify(*all, d, all))
        return pn_fail(
            c->diag, PELTON_INVALID_ARGUMENT,
            "einsum: equation \"%.*s\": operand %u has extent %lld on axis %u, an axis of the same label %lld",
            PN_STR_ARG(attrs->equation), (unsigned)i, (long long)d.number, (unsigned)k, (long long)all->number);
      known[label] = true;
    }
  pn_type y = {.dtype = c->in[0].type.dtype, .rank = (int32_t)e.out.count};
  for (uint32_t k = 0; k < e.out.count; k++) {
    uint8_t label = e.out.label[k];
    y.dims[k] = known[label] ? extents[label] : pn_dim_fresh(c->symbols);
  }
  c->out[0].type = y;
  return PELTON_OK;
}

/* ---- reference */

static pelton_status make_loops(uint32_t operand_count, const pn_tensor *operands, const equation *e,
                                pn_einsum_loops *l, pelton_diag *diag) {
  int32_t slot[LABELS];
  memset(l, 0, sizeof *l);
  for (uint32_t i = 0; i < LABELS; i++) slot[i] = -1;
  for (; l->count < e->out.count; l->count++) {
    slot[e->out.label[l->count]] = (int32_t)l->count;
    l->dims[l->count] = 1;
  }
  l->out_count = l->count;
  for (uint32_t i = 0; i < operand_count; i++) {
    const pn_tensor *x = &operands[i];
    int64_t strides[PN_MAX_RANK];
    pn_dims_strides(x->rank, x->dims, strides);
    for (uint32_t k = 0; k < x->rank; k++) {
      int32_t *s = &slot[e->in[i].label[k]];
      if (*s < 0) {
        *s = (int32_t)l->count;
        l->dims[l->count++] = 1;
      }
      int64_t *extent = &l->dims[*s];
      if (x->dims[k] == 1) continue; /* broadcast: it stands still */
      if (*extent != 1 && *extent != x->dims[k])
        return pn_fail(diag, PELTON_INVALID_DATA,
                       "einsum: operand %u has extent %lld on axis %u, an axis of the same label %lld", (unsigned)i,
                       (long long)x->dims[k], (unsigned)k, (long long)*extent);
      *extent = x->dims[k];
      l->strides[i][*s] += strides[k];
    }
  }
  return PELTON_OK;
}

pelton_status pn_einsum_plan(pn_str text, uint32_t operand_count, const pn_tensor *operands, pn_einsum_loops *out,
                             pelton_diag *diag) {
  int32_t ranks[OPERANDS_LIMIT];
  equation e;
  bool open;
  if (operand_count > OPERANDS_LIMIT) return PN_INTERNAL(diag, "einsum of too many operands");
  for (uint32_t i = 0; i < operand_count; i++) ranks[i] = (int32_t)operands[i].rank;
  PN_TRY(pn_einsum_read(diag, text, operand_count, ranks, &e, &open));
  return make_loops(operand_count, operands, &e, out, diag);
}

/* Moves labels [first, end) on by one; false after the last, with offsets as they began. */
static bool turn(pn_einsum_loops *l, uint32_t operand_count, uint32_t first, uint32_t end) {
  for (uint32_t axis = end; axis-- > first;) {
    bool wraps = ++l->index[axis] == l->dims[axis];
    int64_t steps = wraps ? 1 - l->dims[axis] : 1;
    for (uint32_t i = 0; i < operand_count; i++) l->at[i] += l->strides[i][axis] * steps;
    if (!wraps) return true;
    l->index[axis] = 0;
  }
  return false;
}

/* One element of the output: the sum over the labels it lacks. */
static void contract(const pn_call *call, pn_einsum_loops *l, uint32_t out_rank, int64_t to) {
  bool is_float = pn_dtype_is_float(call->out[0].dtype);
  double real_sum = 0;
  uint64_t sum = 0;
  do {
    double real = 1;
    uint64_t product = 1;
    for (uint32_t i = 0; i < call->input_count; i++)
      if (is_float)
        real *= pn_tensor_get_f64(&call->in[i], l->at[i]);
      else
        product *= (uint64_t)pn_tensor_get_i64(&call->in[i], l->at[i]);
    real_sum += real;
    sum += product;
  } while (turn(l, call->input_count, out_rank, l->count));
  if (is_float)
    pn_tensor_set_f64(&call->out[0], to, real_sum);
  else
    pn_tensor_set_i64(&call->out[0], to, (int64_t)sum);
}

pelton_status pn_reference_einsum(const pn_call *call) {
  const pn_attrs_einsum *attrs = call->attrs;
  bool empty = false;
  pn_einsum_loops *l = PN_NEW(call->scratch, pn_einsum_loops);
  if (!l) return pn_fail_memory(call->diag, "einsum's loops");
  PN_TRY(pn_einsum_plan(attrs->equation, call->input_count, call->in, l, call->diag));
  PN_TRY(pn_call_wants_result(call, "einsum", 0, l->out_count, l->dims));
  int64_t count = pn_tensor_elements(&call->out[0]);
  for (uint32_t axis = l->out_count; axis < l->count; axis++) empty = empty || l->dims[axis] == 0;
  if (empty) { /* sums of nothing */
    if (count > 0) memset(call->out[0].data, 0, (size_t)count * pelton_dtype_bytes(call->out[0].dtype));
    return PELTON_OK;
  }
  for (int64_t to = 0; to < count; to++) {
    contract(call, l, l->out_count, to);
    (void)turn(l, call->input_count, 0, l->out_count);
  }
  return PELTON_OK;
}
