#define _POSIX_C_SOURCE 200809L
#include "text/progress.h"

#include <string.h>
#include <unistd.h>

void progress_start(progress *p, bool quiet) {
  *p = (progress){.start = clock_now(), .shown = !quiet && isatty(STDERR_FILENO)};
}

int progress_report(void *self, double done, const char *what) {
  progress *p = self;
  const double now = clock_now(), passed = now - p->start;
  if (!p->shown || passed < 0.5 || now - p->drawn_at < 0.1) return 0; /* short builds need no bar */
  char bar[31];
  const size_t full = (size_t)((done < 0 ? 0 : done > 1 ? 1 : done) * 30);
  memset(bar, '.', 30);
  memset(bar, '#', full);
  bar[30] = 0;
  fprintf(stderr, "\r[%s] %3.0f%%", bar, 100 * done);
  if (done > 0.01) fprintf(stderr, ", %.0f s left", passed / done * (1 - done));
  fprintf(stderr, ", %s\033[K", what);
  fflush(stderr);
  p->drawn_at = now;
  p->drawn = true;
  return 0;
}

void progress_end(progress *p) {
  if (p->drawn) fputs("\r\033[K", stderr);
  p->drawn = false;
}
