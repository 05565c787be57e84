/* What the processor has, asked once and kept. cpuid says what the processor could do; XCR0 says what the operating
   system saves when it switches threads, without which a wider register loses its content. */
#define _GNU_SOURCE 1 /* sched_getaffinity */
#include "base/cpu.h"

#include "base/cpu_quota.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

enum { CPUS_MAX = 8192, CACHE_LEVELS = 3 };

static struct {
  pn_isa_set isa;
  size_t cache_bytes[CACHE_LEVELS];
  char name[128];
} facts;

/* ---- levels ---------------------------------------------------------------------------------------------------- */

/* Each level with what it implies, from low to high: the order of pn_cpu_isa_name. */
static const struct {
  const char *name;
  pn_isa_set bit, closure;
} levels[] = {
    {"avx2", PN_ISA_AVX2, PN_ISA_AVX2},
    {"avx-vnni", PN_ISA_AVX_VNNI, PN_ISA_AVX_VNNI | PN_ISA_AVX2},
    {"avx512", PN_ISA_AVX512, PN_ISA_AVX512 | PN_ISA_AVX2},
    {"vnni", PN_ISA_AVX512_VNNI, PN_ISA_AVX512_VNNI | PN_ISA_AVX512 | PN_ISA_AVX2},
    {"bf16", PN_ISA_AVX512_BF16, PN_ISA_AVX512_BF16 | PN_ISA_AVX512 | PN_ISA_AVX2},
    {"amx", PN_ISA_AMX, PN_ISA_AMX | PN_ISA_AVX512_VNNI | PN_ISA_AVX512_BF16 | PN_ISA_AVX512 | PN_ISA_AVX2},
};

/* |set| without the levels of which something implied is missing: a hypervisor may hide any bit. */
static pn_isa_set set_close(pn_isa_set set) {
  pn_isa_set closed = 0;
  for (size_t i = 0; i < PN_COUNT(levels); i++)
    if ((set & levels[i].closure) == levels[i].closure) closed |= levels[i].bit;
  return closed;
}

#if defined(__x86_64__) || defined(__i386__)

static bool has_all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

/* Linux gives the tiles' 8 KiB of state only to processes that ask. */
static bool tiles_request(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  return syscall(SYS_arch_prctl, (long)REQUEST_PERMISSION, (long)TILE_DATA) == 0;
#else
  return false;
#endif
}

static pn_isa_set isa_detect(void) {
  uint32_t a, b, c, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0, low, high;
  enum { FMA = 1 << 12, OSXSAVE = 1 << 27, AVX = 1 << 28, F16C = 1 << 29 };
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has_all(c, FMA | OSXSAVE | AVX | F16C)) return 0;
  PN_XGETBV(low, high);
  (void)high;
  if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) && a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);

  enum { YMM_STATE = 0x06, ZMM_STATE = 0xe6, TILE_STATE = 0x60000 };
  pn_isa_set set = 0;
  if (!has_all(low, YMM_STATE)) return 0;
  if (has_all(b7, 1u << 5 | 1u << 8)) set |= PN_ISA_AVX2; /* avx2, bmi2 */
  if (a71 & 1u << 4) set |= PN_ISA_AVX_VNNI;
  if (has_all(low, ZMM_STATE)) {
    if (has_all(b7, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31)) set |= PN_ISA_AVX512; /* f dq cd bw vl */
    if (c7 & 1u << 11) set |= PN_ISA_AVX512_VNNI;
    if (a71 & 1u << 5) set |= PN_ISA_AVX512_BF16;
    if (has_all(low, TILE_STATE) && has_all(d7, 1u << 22 | 1u << 24 | 1u << 25) && tiles_request())
      set |= PN_ISA_AMX; /* bf16, tile, int8 */
  }
  return set_close(set);
}

static bool name_detect(char *out, size_t out_bytes) {
  uint32_t words[12];
  for (uint32_t i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]))
      return false;
  if (out_bytes <= sizeof words) return false;
  memcpy(out, words, sizeof words);
  out[sizeof words] = 0;
  return out[0] != 0;
}

#else

static pn_isa_set isa_detect(void) { return set_close(0); }

static bool name_detect(char *out, size_t out_bytes) {
  return pn_system_read("/sys/firmware/devicetree/base/model", out, (uint32_t)out_bytes) && out[0];
}

#endif

/* ---- facts ----------------------------------------------------------------------------------------------------- */

/* The name with its runs of blanks made one. */
static void blanks_squeeze(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++)
    if (*from != ' ' || (to > text && to[-1] != ' ')) *to++ = *from;
  if (to > text && to[-1] == ' ') to--;
  *to = 0;
}

static bool number_count(void *self, uint32_t number) {
  (void)number;
  ++*(uint32_t *)self;
  return true;
}

/* Reads one cache of |cpu|: its level, bytes and how many hardware threads share it. False when there is none. */
static bool cache_read(uint32_t cpu, int index, int *level, size_t *bytes, uint32_t *sharers) {
  char path[128], text[256];
  char unit = 0;
  unsigned long long size;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cache/index%d/type", cpu, index);
  if (!pn_system_read(path, text, sizeof text)) return false;
  bool holds_data = strcmp(text, "Instruction") != 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cache/index%d/level", cpu, index);
  if (!pn_system_read(path, text, sizeof text)) return false;
  *level = holds_data ? (int)strtol(text, NULL, 10) : 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cache/index%d/size", cpu, index);
  if (!pn_system_read(path, text, sizeof text) || sscanf(text, "%llu%c", &size, &unit) < 1) return false;
  int shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
  *bytes = size < 1u << 24 ? (size_t)size << shift : 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cache/index%d/shared_cpu_list", cpu, index);
  *sharers = 0;
  if (pn_system_read(path, text, sizeof text)) pn_cpu_list_parse(text, number_count, sharers);
  if (!*sharers) *sharers = 1;
  return true;
}

/* One core's share of each level: a last-level cache is divided among the cores that fill it together. Threads of one
   core are those that share its first level. */
static void caches_detect(void) {
  static const size_t usual[CACHE_LEVELS] = {32u << 10, 512u << 10, 2u << 20};
  uint32_t cpu = 0, core_threads = 1;
  if (!pn_cpu_list(&cpu, 1)) cpu = 0;
  for (int index = 0; index < 16; index++) {
    int level;
    size_t bytes;
    uint32_t sharers;
    if (!cache_read(cpu, index, &level, &bytes, &sharers)) break;
    if (level < 1 || level > CACHE_LEVELS || !bytes) continue;
    if (level == 1) core_threads = sharers;
    uint32_t cores = sharers > core_threads ? sharers / core_threads : 1;
    facts.cache_bytes[level - 1] = bytes / cores;
  }
  for (int i = 0; i < CACHE_LEVELS; i++)
    if (!facts.cache_bytes[i]) facts.cache_bytes[i] = usual[i];
}

static void facts_detect(void) {
  facts.isa = isa_detect();
  if (!name_detect(facts.name, sizeof facts.name)) strcpy(facts.name, "unknown processor");
  blanks_squeeze(facts.name);
  caches_detect();
}

static void facts_need(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, facts_detect);
}

pn_isa_set pn_cpu_isa(void) {
  facts_need();
  return facts.isa;
}

bool pn_cpu_isa_parse(pn_str text, pn_isa_set *out) {
  pn_isa_set native = pn_cpu_isa();
  if (pn_str_is(text, "native") || pn_str_is(text, "portable")) {
    *out = pn_str_is(text, "native") ? native : 0;
    return true;
  }
  for (size_t i = 0; i < PN_COUNT(levels); i++)
    if (pn_str_is(text, levels[i].name)) {
      *out = levels[i].closure & native;
      return true;
    }
  return false;
}

const char *pn_cpu_isa_name(pn_isa_set set) {
  for (size_t i = PN_COUNT(levels); i-- > 0;)
    if (set & levels[i].bit) return levels[i].name;
  return "portable";
}

size_t pn_cpu_cache_bytes(int level) {
  facts_need();
  return level >= 1 && level <= CACHE_LEVELS ? facts.cache_bytes[level - 1] : 0;
}

const char *pn_cpu_name(void) {
  facts_need();
  return facts.name;
}

/* ---- processors ------------------------------------------------------------------------------------------------ */

#if defined(__linux__)

typedef struct cpu_mask {
  cpu_set_t sets[CPUS_MAX / CPU_SETSIZE];
} cpu_mask;

static bool mask_holds(const cpu_mask *mask, uint32_t cpu) {
  return cpu < CPUS_MAX && CPU_ISSET_S(cpu, sizeof mask->sets, mask->sets);
}

typedef struct leader_search {
  const cpu_mask *mask;
  uint32_t cpu;
} leader_search;

static bool leader_visit(void *self, uint32_t number) {
  leader_search *search = self;
  if (number < search->cpu && mask_holds(search->mask, number)) search->cpu = number;
  return true;
}

/* Whether |cpu| is the first of its core's hardware threads that we may use. */
static bool leads_core(const cpu_mask *mask, uint32_t cpu) {
  char path[128], text[1024];
  leader_search search = {mask, cpu};
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
  if (pn_system_read(path, text, sizeof text)) pn_cpu_list_parse(text, leader_visit, &search);
  return search.cpu == cpu;
}

/* Writes the mask's processors, leaders first; gives how many were written and, in |leaders|, how many lead. */
static uint32_t cpus_list(uint32_t *out, uint32_t room, uint32_t *leaders) {
  cpu_mask mask, followers;
  uint32_t count = 0;
  CPU_ZERO_S(sizeof mask.sets, mask.sets);
  CPU_ZERO_S(sizeof followers.sets, followers.sets);
  *leaders = 0;
  if (sched_getaffinity(0, sizeof mask.sets, mask.sets)) return 0;
  for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++) {
    if (!mask_holds(&mask, cpu)) continue;
    if (!leads_core(&mask, cpu)) {
      CPU_SET_S(cpu, sizeof followers.sets, followers.sets);
      continue;
    }
    ++*leaders;
    if (count < room) out[count++] = cpu;
  }
  for (uint32_t cpu = 0; cpu < CPUS_MAX && count < room; cpu++)
    if (mask_holds(&followers, cpu)) out[count++] = cpu;
  return count;
}

#else

static uint32_t cpus_list(uint32_t *out, uint32_t room, uint32_t *leaders) {
  (void)out, (void)room;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  *leaders = online > 0 && online <= CPUS_MAX ? (uint32_t)online : 1;
  return 0;
}

#endif

uint32_t pn_cpu_list(uint32_t *out, uint32_t room) {
  uint32_t leaders;
  return cpus_list(out, room, &leaders);
}

uint32_t pn_cpu_count(void) {
  uint32_t unused, cores;
  cpus_list(&unused, 0, &cores);
  uint64_t quota = pn_cpu_quota("");
  uint64_t allowed = quota / 1000 + (quota % 1000 != 0);
  if (quota && allowed < cores) cores = (uint32_t)allowed;
  return cores ? cores : 1;
}
