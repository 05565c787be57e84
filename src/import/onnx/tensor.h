/* ONNX tensors: what a TensorProto says, and its elements as dense little-endian bytes.

   Elements lie in the file in one of several ways (raw bytes, lists of numbers, a file of their own); callers see one:
   pn_onnx_tensor_data gives a view, in place where the file's bytes already are the elements, else an arena copy.
   Shape, type and the number of bytes are checked against one another before anything is allocated. */
#ifndef PN_IMPORT_ONNX_TENSOR_H
#define PN_IMPORT_ONNX_TENSOR_H

#include "base/file.h"
#include "base/hash.h"
#include "import/wire/protobuf.h"

/* ---- element types --------------------------------------------------------------------------------------------- */

/* TensorProto.DataType, the numbers in files. */
typedef enum pn_onnx_elem {
  PN_ONNX_UNDEFINED = 0,
  PN_ONNX_FLOAT = 1,
  PN_ONNX_UINT8 = 2,
  PN_ONNX_INT8 = 3,
  PN_ONNX_UINT16 = 4,
  PN_ONNX_INT16 = 5,
  PN_ONNX_INT32 = 6,
  PN_ONNX_INT64 = 7,
  PN_ONNX_STRING = 8,
  PN_ONNX_BOOL = 9,
  PN_ONNX_FLOAT16 = 10,
  PN_ONNX_DOUBLE = 11,
  PN_ONNX_UINT32 = 12,
  PN_ONNX_UINT64 = 13,
  PN_ONNX_COMPLEX64 = 14,
  PN_ONNX_COMPLEX128 = 15,
  PN_ONNX_BFLOAT16 = 16,
  PN_ONNX_FLOAT8E4M3FN = 17,
  PN_ONNX_FLOAT8E4M3FNUZ = 18,
  PN_ONNX_FLOAT8E5M2 = 19,
  PN_ONNX_FLOAT8E5M2FNUZ = 20,
  PN_ONNX_UINT4 = 21,
  PN_ONNX_INT4 = 22,
  PN_ONNX_FLOAT4E2M1 = 23,
  PN_ONNX_FLOAT8E8M0 = 24,
  PN_ONNX_UINT2 = 25,
  PN_ONNX_INT2 = 26,
  PN_ONNX_FLOAT6E2M3 = 27,
  PN_ONNX_FLOAT6E3M2 = 28,
  PN_ONNX_ELEM_COUNT = 29
} pn_onnx_elem;

/* "float16", "int4", ...; "undefined" for what is none. Static storage. */
const char *pn_onnx_elem_name(int32_t elem);
/* Bits of one element; 0 for strings and for what is none. Elements below 8 bits are packed, the first in the low bits.
 */
uint32_t pn_onnx_elem_bits(int32_t elem);
/* Pelton's type of the same elements; PELTON_DTYPE_NONE where it has none. */
pelton_dtype pn_onnx_elem_dtype(int32_t elem);

/* ---- messages -------------------------------------------------------------------------------------------------- */

/* StringStringEntryProto. */
typedef struct pn_onnx_entry {
  pn_str key, value;
} pn_onnx_entry;

typedef struct pn_onnx_segment {
  int64_t begin, end;
} pn_onnx_segment;

typedef struct pn_onnx_tensor {
  pn_str name;
  int32_t elem; /* pn_onnx_elem */
  PN_LIST(int64_t) dims;
  int32_t location; /* 1: |external| says where the data are */
  pn_span raw;
  pn_pb_lazy floats, int32s, int64s, doubles, uint64s; /* float_data, int32_data, ... */
  PN_LIST(pn_str) strings;
  PN_LIST(pn_onnx_entry) external;
  pn_onnx_segment *segment;
} pn_onnx_tensor;

/* Elements |values| at |indices| of a tensor of |dims| that is zero elsewhere. */
typedef struct pn_onnx_sparse_tensor {
  pn_onnx_tensor *values;
  pn_onnx_tensor *indices; /* int64: [N] into the flattened tensor, or [N, rank] */
  PN_LIST(int64_t) dims;
} pn_onnx_sparse_tensor;

extern const pn_pb_message pn_onnx_tensor_message, pn_onnx_sparse_tensor_message, pn_onnx_entry_message;

/* ---- where external data come from ----------------------------------------------------------------------------- */

/* The folder of a model, and the files of external data mapped from it, each once. Views into them live until deinit.
 */
typedef struct pn_onnx_source {
  const char *folder; /* null: a model from memory, which can have no external data */
  pn_arena *arena;
  pn_map by_location;
  PN_LIST(pn_file) files;
} pn_onnx_source;

/* |folder| is borrowed. Opens nothing yet. */
void pn_onnx_source_init(pn_onnx_source *source, const char *folder, pn_arena *arena);
void pn_onnx_source_deinit(pn_onnx_source *source);

/* ---- elements -------------------------------------------------------------------------------------------------- */

typedef struct pn_onnx_data {
  int32_t elem;
  pelton_dtype dtype; /* PELTON_DTYPE_NONE where Pelton has no such type: |bytes| are then as ONNX lays them out */
  uint32_t rank;
  const int64_t *dims;
  uint64_t count;        /* elements */
  pn_span bytes;         /* dense, row-major, little-endian, a byte for elements of fewer bits; empty for texts */
  const pn_str *strings; /* |count| of them for PN_ONNX_STRING, else null */
} pn_onnx_data;

/* The elements of |tensor|. |align| is the alignment that the caller needs of |bytes.data|: 1 for one who only copies
   them, 0 for the element's own; what lies otherwise in the file is copied to |arena|. Bools are 0 or 1 in the view.
   |source| may be null: external data are then refused. Complaints name the tensor. */
pelton_status pn_onnx_tensor_data(const pn_onnx_tensor *tensor, pn_onnx_source *source, size_t align, pn_arena *arena,
                                  pn_onnx_data *out, pelton_diag *diag) PN_CHECKED;

/* The same of a sparse tensor, made dense in |arena|. For element types of whole bytes. */
pelton_status pn_onnx_sparse_tensor_data(const pn_onnx_sparse_tensor *sparse, pn_onnx_source *source, pn_arena *arena,
                                         pn_onnx_data *out, pelton_diag *diag) PN_CHECKED;

#endif
