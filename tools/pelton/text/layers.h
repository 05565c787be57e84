/* The time of each step of an engine, from contexts that measure themselves. */
#ifndef LAYERS_H
#define LAYERS_H

#include "data/inputs.h"

/* Runs |engine| some times and writes a JSON array to |*out| (for free()): of each step the least time, the arithmetic
   of its definition, the type of its products, the bytes of its operands, and the time that the device's measured peaks allow (its limit). Winograd
   and the like need less arithmetic than the definition and may pass the limit. An exit code. */
int layers_measure(pelton_engine *engine, const tensors *inputs, char **out);
/* |json| as a table, the longest first. */
void layers_print(const char *json);

#endif
