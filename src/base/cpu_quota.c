/* Control groups, both versions. /proc/self/cgroup names the process's group in each hierarchy, /proc/self/mountinfo
   where the hierarchy is mounted and which group its mount shows as its root (in a container often not the real one).
   A limit of any group on the way up holds, so all are read and the least taken. */
#define _GNU_SOURCE 1 /* O_CLOEXEC */
#include "base/cpu_quota.h"

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* ---- files of /proc and /sys ----------------------------------------------------------------------------------- */

/* Lines of a file through a fixed buffer; the rest of a longer line is skipped. */
typedef struct line_reader {
  int descriptor;
  uint32_t begin, end;
  char buffer[2048];
} line_reader;

static bool lines_open(line_reader *lines, const char *path) {
  lines->begin = lines->end = 0;
  lines->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  return lines->descriptor >= 0;
}

static int lines_character(line_reader *lines) {
  if (lines->begin == lines->end) {
    ssize_t bytes;
    do bytes = read(lines->descriptor, lines->buffer, sizeof lines->buffer);
    while (bytes < 0 && errno == EINTR);
    if (bytes <= 0) return -1;
    lines->begin = 0;
    lines->end = (uint32_t)bytes;
  }
  return (unsigned char)lines->buffer[lines->begin++];
}

static bool lines_next(line_reader *lines, char *out, uint32_t out_bytes) {
  uint32_t length = 0;
  int c = lines_character(lines);
  if (c < 0) return false;
  for (; c >= 0 && c != '\n'; c = lines_character(lines))
    if (length + 1 < out_bytes) out[length++] = (char)c;
  out[length] = 0;
  return true;
}

bool pn_system_read(const char *path, char *out, uint32_t out_bytes) {
  line_reader lines;
  out[0] = 0;
  if (!lines_open(&lines, path)) return false;
  bool found = lines_next(&lines, out, out_bytes);
  close(lines.descriptor);
  return found;
}

void pn_cpu_list_parse(const char *text, bool (*visit)(void *self, uint32_t number), void *self) {
  while (*text >= '0' && *text <= '9') {
    char *end;
    unsigned long first = strtoul(text, &end, 10), last = first;
    if (*end == '-') last = strtoul(end + 1, &end, 10);
    if (last > 1u << 20) return; /* no machine; and the loop must end */
    for (; first <= last; first++)
      if (!visit(self, (uint32_t)first)) return;
    text = *end == ',' ? end + 1 : end;
  }
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

typedef struct hierarchy {
  bool version2, found;
  char group[PATH_BYTES]; /* the process's group, from the hierarchy's real root */
  char root[PATH_BYTES];  /* the group that the mount shows as its root */
  char mount[PATH_BYTES];
} hierarchy;

/* Whether the comma-separated |list|, ended by NUL or |end|, holds |word|. */
static bool list_holds(const char *list, char end, const char *word) {
  size_t length = strlen(word);
  for (;;) {
    size_t item = 0;
    while (list[item] && list[item] != ',' && list[item] != end) item++;
    if (item == length && !memcmp(list, word, length)) return true;
    if (list[item] != ',') return false;
    list += item + 1;
  }
}

/* Lines "hierarchy:controllers:group"; version 2 is "0::group". */
static bool group_find(const char *root, hierarchy *h) {
  char line[PATH_BYTES + 256];
  line_reader lines;
  int length = snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
  if (length < 0 || (size_t)length >= sizeof line || !lines_open(&lines, line)) return false;
  bool found = false;
  while (!found && lines_next(&lines, line, sizeof line)) {
    const char *controllers = strchr(line, ':');
    const char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    size_t bytes = group ? strlen(group + 1) + 1 : 0;
    if (!bytes || bytes > sizeof h->group) continue;
    found = h->version2 ? !strncmp(line, "0::", 3) : list_holds(controllers + 1, ':', "cpu");
    if (found) memcpy(h->group, group + 1, bytes);
  }
  close(lines.descriptor);
  return found;
}

/* Lines "id parent device root mount options... - type source superoptions". */
static bool mount_find(const char *root, hierarchy *h) {
  char line[2 * PATH_BYTES];
  line_reader lines;
  int length = snprintf(line, sizeof line, "%s/proc/self/mountinfo", root);
  if (length < 0 || (size_t)length >= sizeof line || !lines_open(&lines, line)) return false;
  bool found = false;
  while (!found && lines_next(&lines, line, sizeof line)) {
    const char *tail = strstr(line, " - ");
    char options[512];
    if (!tail) continue;
    if (h->version2) {
      found = !strncmp(tail + 3, "cgroup2 ", 8);
    } else if (sscanf(tail + 3, "cgroup %*s %511s", options) == 1) {
      found = list_holds(options, 0, "cpu");
    }
    if (found) found = sscanf(line, "%*s %*s %*s %4095s %4095s", h->root, h->mount) == 2;
  }
  close(lines.descriptor);
  return found;
}

/* Thousandths of a processor that the group in |folder| allows by itself; 0: no limit. */
static uint64_t group_quota(const hierarchy *h, const char *folder) {
  char path[2 * PATH_BYTES + 64], text[128];
  long long quota = 0, period = 0;
  if (h->version2) {
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!pn_system_read(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
  } else {
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!pn_system_read(path, text, sizeof text) || sscanf(text, "%lld", &quota) != 1) return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!pn_system_read(path, text, sizeof text) || sscanf(text, "%lld", &period) != 1) return 0;
  }
  if (quota <= 0 || period <= 0 || quota > INT64_MAX / 1000) return 0; /* version 2 says "max", version 1 -1 */
  uint64_t thousandths = (uint64_t)quota * 1000 / (uint64_t)period;
  return thousandths ? thousandths : 1;
}

static uint64_t hierarchy_quota(const char *root, bool version2) {
  hierarchy h = {.version2 = version2};
  if (!group_find(root, &h) || !mount_find(root, &h)) return 0;
  /* The part of the group below what the mount shows; the group itself where the two do not fit, which in a container
     happens and then only the mount's root exists. */
  const char *group = h.group;
  size_t root_length = strlen(h.root);
  if (root_length > 1 && !strncmp(group, h.root, root_length) && (group[root_length] == '/' || !group[root_length]))
    group += root_length;

  char folder[2 * PATH_BYTES];
  int length = snprintf(folder, sizeof folder, "%s%s%s", root, h.mount, strcmp(group, "/") ? group : "");
  if (length < 0 || (size_t)length >= sizeof folder) return 0;
  size_t mount_length = strlen(root) + strlen(h.mount);
  uint64_t least = 0;
  for (;;) {
    uint64_t quota = group_quota(&h, folder);
    if (quota && (!least || quota < least)) least = quota;
    char *slash = strrchr(folder + mount_length, '/');
    if (!slash) return least;
    *slash = 0;
  }
}

uint64_t pn_cpu_quota(const char *root) {
  uint64_t a = hierarchy_quota(root, false), b = hierarchy_quota(root, true);
  return !a ? b : !b ? a : a < b ? a : b;
}
