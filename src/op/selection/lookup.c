/* lookup: each element becomes the value of the key that it equals, or the default. Keys are numbers or texts; the last
   of equal keys counts, every NaN is one key, and so are both zeros. The keys are hashed once a call. */
#include "op/operand.h"
#include "op/text/strings.h"

#include <math.h>

pelton_status pn_check_lookup(const pn_infer *c) {
  PN_TRY(pn_operand_wants_type_of(c, "lookup", 1, "keys", 0));
  PN_TRY(pn_operand_wants_rank(c, "lookup", 1, "keys", 1, 1));
  PN_TRY(pn_operand_wants_rank(c, "lookup", 2, "values", 1, 1));
  PN_TRY(pn_operand_wants_type_of(c, "lookup", 3, "default", 2));
  PN_TRY(pn_operand_wants_scalar(c, "lookup", 3, "default"));
  pn_dim count;
  if (c->in[1].type.rank != 1 || c->in[2].type.rank != 1 ||
      pn_dim_unify(c->in[1].type.dims[0], c->in[2].type.dims[0], &count))
    return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "lookup: there are %lld keys and %lld values; each key has one",
                 (long long)c->in[1].type.dims[0].number, (long long)c->in[2].type.dims[0].number);
}

pelton_status pn_infer_lookup(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.dtype = c->in[2].type.dtype;
  return PELTON_OK;
}

/* What the map is asked for: a text's bytes, or a number's, of which |storage| is the memory. */
static pn_str key_of(const pn_tensor *x, int64_t i, uint64_t *storage) {
  if (x->dtype == PELTON_DTYPE_STRING) return pn_tensor_str(x, i);
  if (pn_dtype_is_float(x->dtype)) {
    double value = pn_tensor_get_f64(x, i);
    if (isnan(value)) value = (double)NAN;
    if (value == 0) value = 0;
    memcpy(storage, &value, sizeof value);
  } else {
    const int64_t value = pn_tensor_get_i64(x, i);
    memcpy(storage, &value, sizeof value);
  }
  return (pn_str){(const char *)storage, sizeof *storage};
}

pelton_status pn_reference_lookup(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *keys = &call->in[1], *values = &call->in[2], *y = &call->out[0];
  const int64_t count = pn_tensor_elements(keys), elements = pn_tensor_elements(x);
  const size_t bytes = pelton_dtype_bytes(y->dtype);
  pn_map map;
  if (count != pn_tensor_elements(values) || count > UINT32_MAX || pn_tensor_elements(&call->in[3]) != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "lookup: %lld keys, %lld values and %lld defaults do not fit",
                   (long long)count, (long long)pn_tensor_elements(values),
                   (long long)pn_tensor_elements(&call->in[3]));
  pn_map_init(&map, call->scratch);
  uint64_t *storage = PN_NEW_ARRAY(call->scratch, uint64_t, (size_t)count + 1);
  bool memory = storage != NULL;
  for (int64_t i = 0; i < count && memory; i++) memory = pn_map_set(&map, key_of(keys, i, &storage[i]), (uint32_t)i);
  if (!memory) return pn_fail_memory(call->diag, "lookup's keys");
  for (int64_t i = 0; i < elements; i++) {
    uint32_t found;
    const void *from = call->in[3].data;
    if (pn_map_get(&map, key_of(x, i, &storage[count]), &found)) from = (const char *)values->data + found * bytes;
    memcpy((char *)y->data + (size_t)i * bytes, from, bytes);
  }
  return PELTON_OK;
}
