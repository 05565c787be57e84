/* Tensors that the command owns, and their elements as numbers. A tensor of texts has their bytes behind its elements,
   in one piece of memory. */
#ifndef TENSOR_H
#define TENSOR_H

#include "command.h"

/* Zeroed memory for |dtype| and |shape|, for tensor_release. False, with a message, when that is more than memory can
   address. */
bool tensor_create(pelton_tensor *out, pelton_dtype dtype, const pelton_shape *shape);
/* The same for texts of |text_bytes| bytes together, whose place is |*text|: elements are for the caller to set. */
bool tensor_create_texts(pelton_tensor *out, const pelton_shape *shape, size_t text_bytes, char **text);
void tensor_release(pelton_tensor *t);
bool tensor_copy(pelton_tensor *out, const pelton_tensor *from);

/* A sequence or an optional (PELTON_DTYPE_TENSOR): how many items it has, 0 of a tensor; one of them; and |item| put
   behind them, whose memory goes over to |t|. An empty one has data null. */
size_t tensor_item_count(const pelton_tensor *t);
const pelton_tensor *tensor_item(const pelton_tensor *t, size_t index);
void tensor_add_item(pelton_tensor *t, const pelton_tensor *item);

size_t tensor_count(const pelton_shape *shape);
bool shape_equal(const pelton_shape *a, const pelton_shape *b);
bool dtype_is_float(pelton_dtype dtype);

/* Element |index| as a number; 64-bit integers beyond 2^53 are rounded. */
double tensor_get(const pelton_tensor *t, size_t index);
/* |value| in |t|'s type: floats rounded to nearest even, integers rounded and saturated. */
void tensor_set(pelton_tensor *t, size_t index, double value);
/* |from|'s values in |dtype|; false, with a message, when one of them is of texts and the other is not. */
bool tensor_convert(pelton_tensor *out, pelton_dtype dtype, const pelton_tensor *from);

/* Seeded: uniform in [-1, 1) for floats, the whole range for integers of 8 bits and fewer, 0 to 3 for
   others, 0 or 1 for booleans; short English words for texts. */
void tensor_fill_random(pelton_tensor *t, uint64_t seed);

/* What a table of results says of one: over the elements that are numbers. */
typedef struct tensor_summary {
  double min, max, mean;
  size_t not_finite;
} tensor_summary;
tensor_summary tensor_summarize(const pelton_tensor *t);

/* "1x3x224x224", "scalar"; negative dims print as "?". Borrowed from |out|. */
typedef struct shape_text {
  char text[192];
} shape_text;
shape_text format_shape(const pelton_shape *shape);

/* |name| as the name of a file: characters outside A-Za-z0-9._- become '_'. New memory. */
char *file_name_of(const char *name);

#endif
