/* The build report: what of it the command prints, and the file that it is kept in. */
#ifndef REPORT_H
#define REPORT_H

#include "command.h"

typedef struct report_facts {
  int64_t steps, fallbacks, host_nodes; /* -1: the report does not say */
  double passes_seconds, plan_seconds;
} report_facts;

report_facts report_read(const char *report);
/* Names the steps that run by the plain definition and the nodes that the host runs beside a device, on stderr. */
void report_print_fallbacks(const char *report);
/* |report| as it is, or as a page for people when |path| ends with .html. False with a message. */
bool report_save(const char *path, const char *report);

#endif
