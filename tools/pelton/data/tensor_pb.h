/* ONNX's TensorProto, SequenceProto or OptionalProto as a file of its own: input_0.pb of a conformance case. */
#ifndef TENSOR_PB_H
#define TENSOR_PB_H

#include "data/tensor.h"

typedef enum pb_result {
  PB_READ,
  PB_BROKEN,     /* no file, or not of this kind */
  PB_UNSUPPORTED /* of a type that Pelton does not have */
} pb_result;

/* The tensor in the file at |path|, or, when |boxed|, the sequence or optional (the bytes do not say which of them they
   are), for tensor_release; and its name (for free(); may be empty). Otherwise |reason| (256 bytes) says why. */
pb_result tensor_pb_read(const char *path, bool boxed, pelton_tensor *out, char **name, char *reason);

#endif
