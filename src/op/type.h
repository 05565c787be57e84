/* What a value is (pn_type, dims may be symbols) and what a tensor in memory is (pn_tensor, numbers only). */
#ifndef PN_OP_TYPE_H
#define PN_OP_TYPE_H

#include "op/dim.h"
#include "op/quantisation/low_bits.h"

enum { PN_MAX_RANK = PELTON_MAX_RANK, PN_RANK_UNKNOWN = -1 };

/* Boxes within boxes: a sequence is one level, an optional of a sequence two. */
enum { PN_MAX_BOXES = 4 };

/* What the elements of a tensor of dtype TENSOR are: boxes, each of a tensor. A sequence is a tensor of rank 1 of them;
   an optional one of no or one element. Shapes of what is in the boxes differ, and are known only at run time. */
typedef struct pn_boxes {
  uint8_t depth;     /* boxes to open until |item|, from 1; 0: of any other dtype */
  bool optional;     /* at most one element: an optional and not a sequence */
  pelton_dtype item; /* of the innermost tensors */
} pn_boxes;

typedef struct pn_type {
  pelton_dtype dtype; /* NONE: not known yet */
  int32_t rank;       /* PN_RANK_UNKNOWN: not known before run time; 1 of dtype TENSOR */
  pn_dim dims[PN_MAX_RANK];
  pn_boxes boxes;
} pn_type;

/* A dense row-major tensor of numbers. |data| null: the operand is absent (an optional input or output). */
typedef struct pn_tensor {
  pelton_dtype dtype;
  uint32_t rank;
  int64_t dims[PN_MAX_RANK];
  void *data;
} pn_tensor;

pn_type pn_type_make(pelton_dtype dtype, uint32_t rank, const int64_t *dims);
bool pn_type_equal(const pn_type *a, const pn_type *b);
/* Whether elements are of one type: what is in boxes counts, whether a box is optional does not. */
bool pn_type_same_elements(const pn_type *a, const pn_type *b);
/* Gives |type| the type of |from|'s elements: dtype and boxes. */
void pn_type_take_elements(pn_type *type, const pn_type *from);
/* |length| boxes of tensors whose elements are |item|'s. False when they would nest deeper than PN_MAX_BOXES. */
bool pn_type_box(const pn_type *item, pn_dim length, bool optional, pn_type *out) PN_CHECKED;
/* What is in the boxes of |type|, which has some: a sequence of unknown length, or a tensor of unknown shape. */
pn_type pn_type_unbox(pn_symbols *symbols, const pn_type *type);
/* A type that follows these rules: dtype TENSOR means boxes of a dtype, and rank 1; others have none. */
bool pn_type_boxes_valid(const pn_type *type);
/* "f32", "tensor<f32>" for a sequence, "optional<tensor<f32>>" for an optional one. */
void pn_type_print_elements(const pn_type *type, pn_text *out);
/* Reads that from the front of |text| and moves it on; |out| gets dtype and boxes, and is left alone otherwise. */
bool pn_type_parse_elements(pn_str *text, pn_type *out) PN_CHECKED;
/* True when rank and every dim are numbers. */
bool pn_type_is_static(const pn_type *type);
/* Number of elements as a dim (a symbol when one of the extents is). */
pn_dim pn_type_elements(pn_symbols *symbols, const pn_type *type);
/* Elements of a tensor; its dims are known to be non-negative and their product to fit (checked where they were made).
   A scalar has one. */
int64_t pn_tensor_elements(const pn_tensor *tensor);
/* Product of |dims|; false on a negative dim or when elements * element_bytes passes 2^62. */
bool pn_dims_elements(uint32_t rank, const int64_t *dims, size_t element_bytes, int64_t *out) PN_CHECKED;
/* Row-major strides in elements. */
void pn_dims_strides(uint32_t rank, const int64_t *dims, int64_t *strides);
/* "f32[n,3,224,224]", "i64[]", "f32[*]" for an unknown rank, "tensor<f32>[n]". */
void pn_type_print(const pn_symbols *symbols, const pn_type *type, pn_text *out);

bool pn_dtype_is_float(pelton_dtype dtype);      /* f64 f32 f16 bf16 and the low floats */
bool pn_dtype_is_wide_float(pelton_dtype dtype); /* f64 f32 f16 bf16 */
bool pn_dtype_is_signed(pelton_dtype dtype);     /* floats (not f8e8m0) and signed integers */
bool pn_dtype_is_integer(pelton_dtype dtype);    /* not bool */
/* Whether elements point at memory of their own (texts, boxes): their bytes are neither their value nor good in a
   file. */
bool pn_dtype_points(pelton_dtype dtype);
bool pn_dtype_parse(pn_str text, pelton_dtype *out) PN_CHECKED;

/* One element as the widest type of its kind; for references, which are written for clarity. Float types convert
   through double (stores round to nearest even; low floats saturate, see pn_low_float_nearest), integers through int64
   (u64 by bits); stores of doubles to integers truncate and wrap as C does after saturating to the int64 range (u64: to
   its own range). A text or a box is 0 and stays what it is. */
double pn_tensor_get_f64(const pn_tensor *tensor, int64_t index);
void pn_tensor_set_f64(pn_tensor *tensor, int64_t index, double value);
int64_t pn_tensor_get_i64(const pn_tensor *tensor, int64_t index);
void pn_tensor_set_i64(pn_tensor *tensor, int64_t index, int64_t value);
/* |value| as the nearest of a float type's, as a store and a load would make it. */
double pn_dtype_round(pelton_dtype dtype, double value);
/* Truncated towards zero, saturated to the range; NaN gives 0. */
int64_t pn_i64_from_f64(double value);
uint64_t pn_u64_from_f64(double value);

float pn_f16_to_f32(uint16_t bits);
uint16_t pn_f16_from_f32(float value);
float pn_bf16_to_f32(uint16_t bits);
uint16_t pn_bf16_from_f32(float value);
uint16_t pn_f16_from_f64(double value); /* one rounding */
uint16_t pn_bf16_from_f64(double value);

#endif
