/* What a run reads and gives: the inputs from files or random numbers, and the run itself. */
#ifndef INPUTS_H
#define INPUTS_H

#include "load.h"

typedef struct tensors {
  pelton_tensor *data;
  uint32_t count;
} tensors;
void tensors_release(tensors *t);

/* One tensor an input of |engine|, in its order: from |files| ("NAME=FILE", a .npy, a .pb or an image), otherwise from
   |folder| (may be null) when that holds NAME.npy, otherwise random numbers from |seed|. An exit code; messages are
   printed. */
int inputs_make(const pelton_engine *engine, const load_options *options, const text_list *files, const char *folder,
                uint64_t seed, tensors *out);

/* Whether --shapes names inputs that |engine| has; else a message. */
bool inputs_are_known(const pelton_engine *engine, const load_options *options);

/* Runs |engine| once in a context of its own; |outputs| are copies. An exit code. */
int engine_run_once(pelton_engine *engine, const tensors *inputs, tensors *outputs);

#endif
