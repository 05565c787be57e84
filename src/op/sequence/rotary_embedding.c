/* rotary_embedding: pairs of elements of each head turned by an angle that depends on the token's position, given as
   tables of cosines and sines.

   x is [N,heads,S,D], or [N,S,heads*D] with |heads| given. Only the first |dim| elements of a head turn (0: all). Pairs
   are neighbours when interleaved, else the first half goes with the second. The tables are [places,dim/2] with
   positions[N,S] into them, or [N,S,dim/2] without. */
#include "op/linear/line.h"
#include "op/operand.h"

static const char op[] = "rotary_embedding";

pelton_status pn_check_rotary_embedding(const pn_infer *c) {
  const pn_attrs_rotary_embedding *attrs = c->attrs;
  int32_t table_rank = pn_infer_has(c, 3) ? 2 : 3;
  PN_TRY(pn_operand_wants_float(c, op, 0, "x"));
  PN_TRY(pn_operand_wants_type_of(c, op, 1, "cos", 0));
  PN_TRY(pn_operand_wants_type_of(c, op, 2, "sin", 0));
  PN_TRY(pn_operand_wants_indices(c, op, 3, "positions"));
  PN_TRY(pn_operand_wants_rank(c, op, 0, "x", 3, 4));
  PN_TRY(pn_operand_wants_rank(c, op, 1, "cos", table_rank, table_rank));
  PN_TRY(pn_operand_wants_rank(c, op, 2, "sin", table_rank, table_rank));
  PN_TRY(pn_operand_wants_rank(c, op, 3, "positions", 2, 2));
  if (attrs->heads < 0 || attrs->heads > INT32_MAX || (c->in[0].type.rank == 3 && attrs->heads == 0))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "%s: heads is %lld; it must be at least 1 for an x of rank 3, and at least 0 otherwise", op,
                   (long long)attrs->heads);
  if (attrs->dim < 0 || attrs->dim % 2 != 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: dim is %lld; it must be even, or 0 for whole heads", op,
                   (long long)attrs->dim);
  return PELTON_OK;
}

/* Extents that are known. */
typedef struct sizes {
  pn_dim batch, steps, heads, depth, half;
} sizes;

static pelton_status unify(pelton_diag *diag, pn_dim *a, pn_dim b, const char *operand, const char *what) {
  pn_dim both = pn_dim_of(0);
  if (!pn_dim_unify(*a, b, &both))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "%s: %s has %lld %s where %lld are wanted; they must be equal", op, operand, (long long)b.number,
                   what, (long long)a->number);
  *a = both;
  return PELTON_OK;
}

static pelton_status read_x(pelton_diag *diag, pn_symbols *symbols, const pn_attrs_rotary_embedding *attrs,
                            const pn_type *x, sizes *s) {
  *s = (sizes){.batch = x->dims[0]};
  if (x->rank == 4) {
    s->heads = x->dims[1];
    s->steps = x->dims[2];
    s->depth = x->dims[3];
  } else {
    pn_dim hidden = x->dims[2];
    if (attrs->heads < 1) return PN_INTERNAL(diag, "heads were not checked");
    if (pn_dim_is_number(hidden) && hidden.number % attrs->heads != 0)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "%s: x has an extent of %lld, which %lld heads do not divide evenly", op,
                     (long long)hidden.number, (long long)attrs->heads);
    s->heads = pn_dim_of(attrs->heads);
    s->steps = x->dims[1];
    s->depth = pn_dim_floor_div(symbols, hidden, s->heads);
  }
  if (!pn_dim_is_number(s->depth)) {
    s->half = attrs->dim > 0 ? pn_dim_of(attrs->dim / 2) : pn_dim_floor_div(symbols, s->depth, pn_dim_of(2));
    return PELTON_OK;
  }
  int64_t depth = s->depth.number, dim = attrs->dim > 0 ? attrs->dim : depth;
  s->half = pn_dim_of(dim / 2);
  if (dim <= depth && dim % 2 == 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "%s: %lld of a head's %lld elements cannot turn; give dim an even number up to that", op,
                 (long long)dim, (long long)depth);
}

static pelton_status check_sizes(pelton_diag *diag, sizes *s, const pn_type *cos, const pn_type *sin,
                                 const pn_type *positions) {
  const pn_type *const tables[2] = {cos, sin};
  static const char *const names[2] = {"cos", "sin"};
  pn_dim places = positions ? cos->dims[0] : pn_dim_of(0);
  for (uint32_t i = 0; i < 2; i++) {
    const pn_type *table = tables[i];
    if (table->rank != (positions ? 2 : 3)) return PN_INTERNAL(diag, "tables were not checked");
    PN_TRY(unify(diag, &s->half, table->dims[table->rank - 1], names[i], "elements a position"));
    if (positions) PN_TRY(unify(diag, &places, table->dims[0], names[i], "positions"));
    else PN_TRY(unify(diag, &s->batch, table->dims[0], names[i], "batches"));
    if (!positions) PN_TRY(unify(diag, &s->steps, table->dims[1], names[i], "steps"));
  }
  if (!positions) return PELTON_OK;
  PN_TRY(unify(diag, &s->batch, positions->dims[0], "positions", "batches"));
  return unify(diag, &s->steps, positions->dims[1], "positions", "steps");
}

pelton_status pn_infer_rotary_embedding(const pn_infer *c) {
  const pn_type *positions = pn_infer_has(c, 3) ? &c->in[3].type : NULL;
  sizes s;
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(read_x(c->diag, c->symbols, c->attrs, &c->in[0].type, &s));
  for (uint32_t i = 1; i < c->input_count; i++)
    if (pn_infer_has(c, i) && c->in[i].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  return check_sizes(c->diag, &s, &c->in[1].type, &c->in[2].type, positions);
}

/* The head |x| of |count| elements, of which pairs turn. */
static void turn(double *x, const double *cos, const double *sin, int64_t half, bool interleaved) {
  for (int64_t i = 0; i < half; i++) {
    double *a = x + (interleaved ? 2 * i : i), *b = interleaved ? a + 1 : a + half;
    double real = cos[i] * *a - sin[i] * *b, imaginary = sin[i] * *a + cos[i] * *b;
    *a = real;
    *b = imaginary;
  }
}

pelton_status pn_reference_rotary_embedding(const pn_call *call) {
  const pn_attrs_rotary_embedding *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *positions = pn_call_has(call, 3) ? &call->in[3] : NULL;
  pn_type types[4] = {{.rank = 0}};
  sizes s;
  double *head, *cos, *sin;
  for (uint32_t i = 0; i < call->input_count; i++)
    types[i] = pn_type_make(call->in[i].dtype, call->in[i].rank, call->in[i].dims);
  PN_TRY(read_x(call->diag, NULL, attrs, &types[0], &s));
  PN_TRY(check_sizes(call->diag, &s, &types[1], &types[2], positions ? &types[3] : NULL));
  PN_TRY(pn_call_wants_result(call, op, 0, x->rank, x->dims));
  int64_t batch = s.batch.number, steps = s.steps.number, heads = s.heads.number;
  int64_t depth = s.depth.number, half = s.half.number, places = call->in[1].dims[0];
  PN_TRY(pn_call_room(call, depth, &head));
  PN_TRY(pn_call_room(call, half, &cos));
  PN_TRY(pn_call_room(call, half, &sin));
  for (int64_t i = 0; i < batch * steps; i++) {
    int64_t place = i;
    if (positions) PN_TRY(pn_index_resolve(call->diag, op, pn_tensor_get_i64(positions, i), places, &place));
    pn_line_load(&call->in[1], place * half, 1, half, cos);
    pn_line_load(&call->in[2], place * half, 1, half, sin);
    for (int64_t h = 0; h < heads; h++) {
      int64_t row = x->rank == 4 ? (i / steps * heads + h) * steps + i % steps : i * heads + h;
      pn_line_load(x, row * depth, 1, depth, head);
      turn(head, cos, sin, half, attrs->interleaved);
      pn_line_store(&call->out[0], row * depth, 1, depth, head);
    }
  }
  return PELTON_OK;
}
