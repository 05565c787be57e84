/* What a tactic's time on a device was: measured once, remembered under (problem, device, tactic, version, config).

   The file is text, one measurement a line, fields apart by tabs:
       pelton timing cache 1
       <seconds> <tactic> <version> <config a,b,c> <device> <problem>
   Lines of other devices or unknown tactics are kept as they are. Files may be concatenated: the later line holds. */
#ifndef PN_PLAN_TIMING_H
#define PN_PLAN_TIMING_H

#include "base/hash.h"
#include "target/target.h"

typedef struct pn_timing_cache {
  pn_arena arena;
  pn_map by_key; /* "tactic\tversion\tconfig\tdevice\tproblem" -> index */
  PN_LIST(double) seconds;
  PN_LIST(pn_str) keys;
  PN_LIST(uint32_t) measured; /* indices of what no file holds yet */
} pn_timing_cache;

void pn_timing_init(pn_timing_cache *cache, const pelton_allocator *allocator);
void pn_timing_deinit(pn_timing_cache *cache);
/* Adds the lines of the file at |path|; a file that does not exist is empty, one that is no cache is an error. */
pelton_status pn_timing_load(pn_timing_cache *cache, const char *path, pelton_diag *diag) PN_CHECKED;
/* Adds what was measured since it was created or last saved to the end of the file at |path|, which other builds may be
   extending at the same time. */
pelton_status pn_timing_save(pn_timing_cache *cache, const char *path, pelton_diag *diag) PN_CHECKED;

bool pn_timing_find(const pn_timing_cache *cache, const pn_tactic *tactic, const pn_config *config, const char *device,
                    pn_str problem, double *seconds) PN_CHECKED;
bool pn_timing_add(pn_timing_cache *cache, const pn_tactic *tactic, const pn_config *config, const char *device,
                   pn_str problem, double seconds) PN_CHECKED;

/* Runs |tactic| on random operands on the device: the least time of several runs within about |budget| seconds. |unfit|
   comes with an error when it is the tactic's alone: its run failed, and the device goes on. */
pelton_status pn_timing_measure(const pn_target *target, pn_device *device, const pn_problem *problem,
                                const pn_tactic *tactic, const pn_config *config, double budget,
                                const pelton_allocator *allocator, double *seconds, bool *unfit,
                                pelton_diag *diag) PN_CHECKED;

#endif
