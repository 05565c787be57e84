/* The processor time that the control groups of this process allow, for pn_cpu_count. */
#ifndef PN_BASE_CPU_QUOTA_H
#define PN_BASE_CPU_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* Thousandths of a processor, the least that any group from the process's own up to the root allows; 0 when there is no
   limit. |root| is put in front of every path that is read: "" for the machine, a made-up tree in tests. */
uint64_t pn_cpu_quota(const char *root);

/* The numbers of a list such as "0-3,8,10-11", in order, until |visit| returns false. */
void pn_cpu_list_parse(const char *text, bool (*visit)(void *self, uint32_t number), void *self);

/* The start of a file of /proc or /sys as a NUL-terminated string without its last line feed; false when there is
   none. */
bool pn_system_read(const char *path, char *out, uint32_t out_bytes);

#endif
