/* The time of each step of an engine, from contexts that measure themselves. */
#ifndef LAYERS_H
#define LAYERS_H

#include "data/inputs.h"

/* Runs |engine| some times and writes a JSON array, the least time of each step, to |*out| (for free()). An exit code. */
int layers_measure(pelton_engine *engine, const tensors *inputs, char **out);
/* |json| as a table, the longest first. */
void layers_print(const char *json);

#endif
