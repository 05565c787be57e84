/* unique: the distinct elements of a tensor, or its distinct slices along an axis; where each first stood, which one
   each became, and how often each came.

   Single numbers become unsigned keys, which are sorted digit by digit. Other slices are compared element by element, in
   row-major order. Their indices are sorted (merge sort: equal slices stay
   in the order of the operand, so that the first of a group is its first occurrence); groups are then numbered by
   value, or by first occurrence when the result need not be sorted. */
#include "op/operand.h"
#include "op/selection/scalar.h"

#include <math.h>

pelton_status pn_check_unique(const pn_infer *c) {
  const pn_attrs_unique *attrs = c->attrs;
  return pn_operand_wants_rank(c, "unique", 0, "the operand", attrs->flat ? 0 : 1, PN_MAX_RANK);
}

pelton_status pn_infer_unique(const pn_infer *c) {
  const pn_attrs_unique *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_dim found = pn_dim_fresh(c->symbols), elements = found;
  uint32_t axis;
  if (attrs->flat) {
    c->out[0].type = (pn_type){.dtype = x->dtype, .rank = 1, .dims = {found}};
    if (x->rank != PN_RANK_UNKNOWN) elements = pn_type_elements(c->symbols, x);
  } else {
    pn_infer_same(c, 0);
    if (x->rank != PN_RANK_UNKNOWN) {
      PN_TRY(pn_axes_resolve(c->diag, "unique", &attrs->axis, 1, x->rank, &axis));
      elements = x->dims[axis];
      c->out[0].type.dims[axis] = found;
    }
  }
  if (x->rank == PN_RANK_UNKNOWN) elements = pn_dim_fresh(c->symbols);
  for (uint32_t i = 1; i < c->output_count; i++)
    c->out[i].type = (pn_type){.dtype = PELTON_DTYPE_I64, .rank = 1, .dims = {i == 2 ? elements : found}};
  return PELTON_OK;
}

/* The operand as [outer, extent, inner]; slice i is all of [:, i, :]. */
typedef struct slices {
  const pn_tensor *x;
  int64_t outer, extent, inner;
} slices;

static int slice_compare(const slices *s, int64_t a, int64_t b) {
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->inner; i++) {
      int order =
          pn_element_compare(s->x, (o * s->extent + a) * s->inner + i, s->x, (o * s->extent + b) * s->inner + i);
      if (order != 0) return order;
    }
  return 0;
}

/* Sorts |list| by slices, merging runs of doubling length between it and |other|; the sorted one of the two. */
static int64_t *sort_slices(const slices *s, int64_t *list, int64_t *other) {
  for (int64_t run = 1; run < s->extent; run *= 2) {
    for (int64_t first = 0; first < s->extent; first += 2 * run) {
      int64_t middle = pn_min_i64(first + run, s->extent), end = pn_min_i64(first + 2 * run, s->extent);
      int64_t a = first, b = middle;
      for (int64_t to = first; to < end; to++) {
        bool take_a = a < middle && (b == end || slice_compare(s, list[a], list[b]) <= 0);
        other[to] = take_a ? list[a++] : list[b++];
      }
    }
    int64_t *swap = list;
    list = other;
    other = swap;
  }
  return list;
}

/* A number as an unsigned key of the same order: NaN above all, the zeros equal. */
static uint64_t key_of(const pn_tensor *x, int64_t i) {
  const uint64_t sign = UINT64_C(1) << 63;
  uint64_t bits;
  if (!pn_dtype_is_float(x->dtype)) {
    const uint64_t number = (uint64_t)pn_tensor_get_i64(x, i);
    return x->dtype == PELTON_DTYPE_U64 ? number : number ^ sign;
  }
  const double number = pn_tensor_get_f64(x, i) + 0.0;
  if (isnan(number)) return UINT64_MAX;
  memcpy(&bits, &number, sizeof bits);
  return bits & sign ? ~bits : bits | sign;
}

typedef struct keyed {
  uint64_t key;
  int64_t index;
} keyed;

/* Sorts by the digits in which keys differ, from the lowest on; the sorted one of the two lists. */
static keyed *sort_keys(int64_t count, keyed *list, keyed *other) {
  uint64_t differ = 0;
  for (int64_t i = 1; i < count; i++) differ |= list[i].key ^ list[0].key;
  for (uint32_t shift = 0; shift < 64; shift += 8) {
    int64_t places[256] = {0}, place = 0;
    if (!(differ >> shift & 255)) continue;
    for (int64_t i = 0; i < count; i++) places[list[i].key >> shift & 255]++;
    for (uint32_t d = 0; d < 256; d++) {
      int64_t here = places[d];
      places[d] = place;
      place += here;
    }
    for (int64_t i = 0; i < count; i++) other[places[list[i].key >> shift & 255]++] = list[i];
    keyed *swap = list;
    list = other;
    other = swap;
  }
  return list;
}

/* What was found: |first|[g] and |count|[g] of each group, |group|[i] of each slice. */
typedef struct groups {
  int64_t count_of_groups;
  int64_t *first, *count, *group;
} groups;

static pelton_status find_groups(const pn_call *call, const slices *s, bool sorted, groups *out) {
  size_t n = (size_t)s->extent;
  int64_t *list = PN_NEW_ARRAY(call->scratch, int64_t, n), *other = PN_NEW_ARRAY(call->scratch, int64_t, n);
  int64_t *first = PN_NEW_ARRAY(call->scratch, int64_t, n), *count = PN_NEW_ARRAY(call->scratch, int64_t, n);
  int64_t *group = PN_NEW_ARRAY(call->scratch, int64_t, n), *number = PN_NEW_ARRAY(call->scratch, int64_t, n);
  if (!list || !other || !first || !count || !group || !number) return pn_fail_memory(call->diag, "unique's order");
  int64_t groups_found = 0;
  if (s->outer * s->inner == 1 && s->x->dtype != PELTON_DTYPE_STRING) {
    keyed *keys = PN_NEW_ARRAY(call->scratch, keyed, n), *spare = PN_NEW_ARRAY(call->scratch, keyed, n);
    if (!keys || !spare) return pn_fail_memory(call->diag, "unique's keys");
    for (int64_t i = 0; i < s->extent; i++) keys[i] = (keyed){key_of(s->x, i), i};
    keys = sort_keys(s->extent, keys, spare);
    for (int64_t i = 0; i < s->extent; i++) {
      if (i == 0 || keys[i - 1].key != keys[i].key) first[groups_found++] = keys[i].index;
      group[keys[i].index] = groups_found - 1;
    }
  } else {
    for (int64_t i = 0; i < s->extent; i++) list[i] = i;
    list = sort_slices(s, list, other);
    for (int64_t i = 0; i < s->extent; i++) {
      if (i == 0 || slice_compare(s, list[i - 1], list[i]) != 0) first[groups_found++] = list[i];
      group[list[i]] = groups_found - 1;
    }
  }
  if (!sorted) { /* renumber as they are met */
    int64_t met = 0;
    for (int64_t g = 0; g < groups_found; g++) number[g] = -1;
    for (int64_t i = 0; i < s->extent; i++) {
      if (number[group[i]] < 0) {
        number[group[i]] = met;
        first[met++] = i;
      }
      group[i] = number[group[i]];
    }
  }
  for (int64_t i = 0; i < s->extent; i++) count[group[i]]++;
  *out = (groups){groups_found, first, count, group};
  return PELTON_OK;
}

static pelton_status give_list(const pn_call *call, uint32_t i, const int64_t *list, int64_t count) {
  if (i >= call->output_count) return PELTON_OK;
  PN_TRY(pn_call_resize(call, i, 1, &count));
  if (call->out[i].data && count > 0) memcpy(call->out[i].data, list, (size_t)count * sizeof *list);
  return PELTON_OK;
}

pelton_status pn_reference_unique(const pn_call *call) {
  const pn_attrs_unique *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  slices s = {x, 1, pn_tensor_elements(x), 1};
  int64_t dims[PN_MAX_RANK] = {0};
  uint32_t axis = 0, rank = attrs->flat ? 1 : x->rank;
  groups found = {0};
  if (!attrs->flat) {
    PN_TRY(pn_axes_resolve(call->diag, "unique", &attrs->axis, 1, x->rank, &axis));
    memcpy(dims, x->dims, sizeof dims);
    s.extent = x->dims[axis];
    for (uint32_t i = 0; i < x->rank; i++)
      if (i != axis) *(i < axis ? &s.outer : &s.inner) *= x->dims[i];
  }
  PN_TRY(find_groups(call, &s, attrs->sorted, &found));
  dims[axis] = found.count_of_groups;
  PN_TRY(pn_call_resize(call, 0, rank, dims));
  size_t run = (size_t)s.inner * pelton_dtype_bytes(x->dtype);
  char *to = call->out[0].data;
  for (int64_t o = 0; to && run > 0 && o < s.outer; o++)
    for (int64_t g = 0; g < found.count_of_groups; g++, to += run)
      memcpy(to, (const char *)x->data + (size_t)(o * s.extent + found.first[g]) * run, run);
  PN_TRY(give_list(call, 1, found.first, found.count_of_groups));
  PN_TRY(give_list(call, 2, found.group, s.extent));
  return give_list(call, 3, found.count, found.count_of_groups);
}
