/* A build's progress: a bar with the time left on a terminal, nothing elsewhere. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "command.h"

typedef struct progress {
  double start, drawn_at;
  bool shown, drawn;
} progress;

void progress_start(progress *p, bool quiet);
/* For pelton_build_options. */
int progress_report(void *self, double done, const char *what);
/* Wipes the bar. */
void progress_end(progress *p);

#endif
