/* Elements of 8 bits and fewer as the library lays them out, a byte each, and as files of ONNX pack them. */
#ifndef LOW_BITS_H
#define LOW_BITS_H

#include "command.h"

bool is_low_float(pelton_dtype dtype);
/* 4 or 2 for types that files pack, else 0. */
uint32_t packed_bits(pelton_dtype dtype);

double low_float_get(pelton_dtype dtype, uint8_t bits);
/* The nearest, ties to even; the end of the range for what lies outside, but infinity where the type has it. */
uint8_t low_float_set(pelton_dtype dtype, double value);

/* From the packed elements at |from|, the first in the low bits, to |count| bytes. */
void unpack_elements(pelton_dtype dtype, const uint8_t *from, size_t count, uint8_t *to);

#endif
