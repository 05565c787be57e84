/* What the processor can do, as one implication-closed set (avx512f implies avx2 implies avx ...), found once, and
   lowerable, so that every variant of every kernel is tested on one machine. */
#ifndef PN_BASE_CPU_H
#define PN_BASE_CPU_H

#include "base/diag.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Levels that kernels are written for. A kernel file's suffix names one: gemm_f32.avx2.c. */
typedef enum pn_isa_bit {
  PN_ISA_AVX2 = 1u << 0,        /* avx2, fma, f16c, bmi2 */
  PN_ISA_AVX512 = 1u << 1,      /* f, bw, vl, dq, cd (Skylake server); implies AVX2 */
  PN_ISA_AVX512_VNNI = 1u << 2, /* implies AVX512 */
  PN_ISA_AVX512_BF16 = 1u << 3, /* implies AVX512 */
  PN_ISA_AVX_VNNI = 1u << 4,    /* implies AVX2 */
  PN_ISA_AMX = 1u << 5          /* tile, int8, bf16; implies AVX512_VNNI and AVX512_BF16 */
} pn_isa_bit;
typedef uint32_t pn_isa_set; /* closed under implication; 0 is the portable path */

/* What this machine has (and the operating system saves on a switch). */
pn_isa_set pn_cpu_isa(void);
/* |text|: "portable", "avx2", "avx512", "vnni", "bf16", "avx-vnni", "amx" or "native"; the set with all it implies, cut
   to what this machine has. False for another word. */
bool pn_cpu_isa_parse(pn_str text, pn_isa_set *out) PN_CHECKED;
/* The highest level's name in |set|, as pn_cpu_isa_parse reads it. */
const char *pn_cpu_isa_name(pn_isa_set set);

/* How many threads this process should use: cores in the affinity mask, cut by the cgroup's quota (rounded up), at
   least 1. Hardware threads of one core count once where the system tells. */
uint32_t pn_cpu_count(void);
/* The processors of the affinity mask in the order in which threads should be bound to them: one of each core first,
   then the cores' other hardware threads. Writes at most |room|; gives how many it wrote (0 where the system does not
   tell). */
uint32_t pn_cpu_list(uint32_t *out, uint32_t room);
/* Bytes of data cache at |level| (1, 2, 3) for one core; a usual value where the system does not tell. */
size_t pn_cpu_cache_bytes(int level);
/* The processor's name for reports and keys ("AMD EPYC ..."), static storage. */
const char *pn_cpu_name(void);

#endif
