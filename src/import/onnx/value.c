#include "import/onnx/value.h"

#include "base/diag.h"

static const pn_pb_message sequence_message, optional_message;

static const pn_pb_field map_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_map, name),
    PN_PB_ONE(2, "key_type", PN_PB_I32, pn_onnx_map, key),
    PN_PB_MANY(3, "keys", PN_PB_I64, pn_onnx_map, keys),
    PN_PB_MANY(4, "string_keys", PN_PB_STR, pn_onnx_map, string_keys),
    PN_PB_SUB(5, "values", pn_onnx_map, values, sequence_message),
};
static PN_PB_TABLE(map_message, pn_onnx_map, map_fields);

static const pn_pb_field sequence_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_sequence, name),
    PN_PB_ONE(2, "elem_type", PN_PB_I32, pn_onnx_sequence, elem),
    PN_PB_SUBS(3, "tensor_values", pn_onnx_sequence, tensors, pn_onnx_tensor_message),
    PN_PB_SUBS(4, "sparse_tensor_values", pn_onnx_sequence, sparse_tensors, pn_onnx_sparse_tensor_message),
    PN_PB_SUBS(5, "sequence_values", pn_onnx_sequence, sequences, sequence_message),
    PN_PB_SUBS(6, "map_values", pn_onnx_sequence, maps, map_message),
    PN_PB_SUBS(7, "optional_values", pn_onnx_sequence, optionals, optional_message),
};
static PN_PB_TABLE(sequence_message, pn_onnx_sequence, sequence_fields);

static const pn_pb_field optional_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_optional, name),
    PN_PB_ONE(2, "elem_type", PN_PB_I32, pn_onnx_optional, elem),
    PN_PB_SUB(3, "tensor_value", pn_onnx_optional, tensor, pn_onnx_tensor_message),
    PN_PB_SUB(4, "sparse_tensor_value", pn_onnx_optional, sparse_tensor, pn_onnx_sparse_tensor_message),
    PN_PB_SUB(5, "sequence_value", pn_onnx_optional, sequence, sequence_message),
    PN_PB_SUB(6, "map_value", pn_onnx_optional, map, map_message),
    PN_PB_SUB(7, "optional_value", pn_onnx_optional, optional, optional_message),
};
static PN_PB_TABLE(optional_message, pn_onnx_optional, optional_fields);

static pelton_status parse(const pn_pb_message *message, pn_span file, pn_arena *arena, void **out, pelton_diag *diag) {
  *out = pn_arena_alloc(arena, message->bytes, _Alignof(max_align_t));
  if (!*out) return pn_fail_memory(diag, "an ONNX value");
  return pn_pb_parse(message, file, arena, *out, diag);
}

static pelton_status parse_kind(pn_span file, pn_onnx_type_kind kind, pn_arena *arena, pn_onnx_value *out,
                                pelton_diag *diag) {
  void *parsed = NULL;
  *out = (pn_onnx_value){.kind = kind};
  switch (kind) {
  case PN_ONNX_TYPE_TENSOR:
    PN_TRY(parse(&pn_onnx_tensor_message, file, arena, &parsed, diag));
    out->tensor = parsed;
    out->name = out->tensor->name;
    return PELTON_OK;
  case PN_ONNX_TYPE_SEQUENCE:
    PN_TRY(parse(&sequence_message, file, arena, &parsed, diag));
    out->sequence = parsed;
    out->name = out->sequence->name;
    return PELTON_OK;
  case PN_ONNX_TYPE_OPTIONAL:
    PN_TRY(parse(&optional_message, file, arena, &parsed, diag));
    out->optional = parsed;
    out->name = out->optional->name;
    return PELTON_OK;
  case PN_ONNX_TYPE_MAP:
    PN_TRY(parse(&map_message, file, arena, &parsed, diag));
    out->map = parsed;
    out->name = out->map->name;
    return PELTON_OK;
  case PN_ONNX_TYPE_SPARSE_TENSOR:
    PN_TRY(parse(&pn_onnx_sparse_tensor_message, file, arena, &parsed, diag));
    out->sparse_tensor = parsed;
    if (out->sparse_tensor->values) out->name = out->sparse_tensor->values->name;
    return PELTON_OK;
  case PN_ONNX_TYPE_NONE:
  case PN_ONNX_TYPE_OPAQUE: break;
  }
  return pn_fail(diag, PELTON_UNSUPPORTED, "values of type %s are not stored in files", pn_onnx_type_kind_name(kind));
}

/* Whether what was read as |out->kind| can be meant so: a sequence read as a tensor has a "segment" (its first element)
   or a type but no data, and a tensor read as a sequence has an element type out of range. */
static bool plausible(const pn_onnx_value *v, pn_arena *arena) {
  if (v->kind == PN_ONNX_TYPE_TENSOR) {
    pn_onnx_data data;
    const pn_onnx_tensor *t = v->tensor;
    return !t->segment && (t->location != 0 || pn_onnx_tensor_data(t, NULL, 1, arena, &data, NULL) == PELTON_OK);
  }
  int32_t elem = v->kind == PN_ONNX_TYPE_SEQUENCE ? v->sequence->elem : v->optional->elem;
  return elem >= 0 && elem <= 5;
}

pelton_status pn_onnx_value_parse(pn_span file, pn_onnx_type_kind kind, pn_arena *arena, pn_onnx_value *out,
                                  pelton_diag *diag) {
  if (kind != PN_ONNX_TYPE_NONE) return parse_kind(file, kind, arena, out, diag);
  static const pn_onnx_type_kind tries[] = {PN_ONNX_TYPE_TENSOR, PN_ONNX_TYPE_SEQUENCE, PN_ONNX_TYPE_OPTIONAL};
  for (size_t i = 0; i < PN_COUNT(tries); i++) {
    pelton_status status = parse_kind(file, tries[i], arena, out, NULL);
    if (status == PELTON_OUT_OF_MEMORY) return pn_fail_memory(diag, "an ONNX value");
    if (status == PELTON_OK && plausible(out, arena)) return PELTON_OK;
  }
  /* The likeliest reading says best what is wrong. */
  pn_onnx_data data;
  PN_TRY(parse_kind(file, PN_ONNX_TYPE_TENSOR, arena, out, diag));
  PN_TRY(pn_onnx_tensor_data(out->tensor, NULL, 1, arena, &data, diag));
  return pn_fail(diag, PELTON_INVALID_DATA, "the file of %zu bytes is no TensorProto, SequenceProto or OptionalProto",
                 file.size);
}
