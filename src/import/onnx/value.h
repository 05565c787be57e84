/* Values stored alone in a file, as the data sets of ONNX test cases are: a TensorProto, SequenceProto, OptionalProto
   or MapProto. */
#ifndef PN_IMPORT_ONNX_VALUE_H
#define PN_IMPORT_ONNX_VALUE_H

#include "import/onnx/model.h"

struct pn_onnx_value;

/* SequenceProto: one of the lists, as |elem| says (SequenceProto.DataType: 1 tensor, 2 sparse, 3 sequence, 4 map, 5
 * optional). */
typedef struct pn_onnx_sequence {
  pn_str name;
  int32_t elem;
  PN_LIST(pn_onnx_tensor) tensors;
  PN_LIST(pn_onnx_sparse_tensor) sparse_tensors;
  PN_LIST(struct pn_onnx_sequence) sequences;
  PN_LIST(struct pn_onnx_map) maps;
  PN_LIST(struct pn_onnx_optional) optionals;
} pn_onnx_sequence;

typedef struct pn_onnx_map {
  pn_str name;
  int32_t key; /* pn_onnx_elem: a string or an integer type */
  pn_onnx_i64s keys;
  pn_onnx_strs string_keys;
  pn_onnx_sequence *values;
} pn_onnx_map;

/* OptionalProto: all pointers null when it holds nothing. */
typedef struct pn_onnx_optional {
  pn_str name;
  int32_t elem; /* as pn_onnx_sequence.elem */
  pn_onnx_tensor *tensor;
  pn_onnx_sparse_tensor *sparse_tensor;
  pn_onnx_sequence *sequence;
  pn_onnx_map *map;
  struct pn_onnx_optional *optional;
} pn_onnx_optional;

/* One of these, by |kind|. */
typedef struct pn_onnx_value {
  pn_onnx_type_kind kind; /* TENSOR, SEQUENCE, OPTIONAL, MAP or SPARSE_TENSOR */
  pn_str name;
  pn_onnx_tensor *tensor;
  pn_onnx_sparse_tensor *sparse_tensor;
  pn_onnx_sequence *sequence;
  pn_onnx_optional *optional;
  pn_onnx_map *map;
} pn_onnx_value;

/* Parses |file| as a value of |kind|, in |arena|, with views into |file|. The messages do not say what they are, and
   some bytes read well as several of them (a sequence of one tensor and an optional tensor are the same); so give the
   kind where it is known, from the model's input or output. PN_ONNX_TYPE_NONE tries tensor, sequence and optional, in
   this order. */
pelton_status pn_onnx_value_parse(pn_span file, pn_onnx_type_kind kind, pn_arena *arena, pn_onnx_value *out,
                                  pelton_diag *diag) PN_CHECKED;

#endif
