/* Texts as NumPy's arrays hold them: cells of one size, filled up with zeros. "<U5" has five code points of four bytes,
   "|S5" five bytes. A byte that is not UTF-8 is the code point 0xdc00 plus the byte, as Python's surrogateescape has
   it. Zeros at a text's end are lost, as NumPy loses them. */
#ifndef NPY_TEXT_H
#define NPY_TEXT_H

#include "data/tensor.h"

/* Whether |descr|, without its byte order, is a type of texts: "U5" has cells of 5 units of 4 bytes, "S12" 12 of 1. */
bool npy_text_cell(const char *descr, size_t *cell, size_t *unit);
/* |shape| texts out of |cells|; |swapped| when their code points have their high byte first. */
bool npy_texts_read(const uint8_t *cells, const pelton_shape *shape, size_t cell, size_t unit, bool swapped,
                    pelton_tensor *out);
/* Code points of the longest text, at least 1. */
size_t npy_texts_longest(const pelton_tensor *t);
/* Cells of |cell| code points, low byte first. */
bool npy_texts_write(FILE *file, const pelton_tensor *t, size_t cell);

#endif
