/* A device's measured peaks as JSON, for whoever lists devices or judges times. */
#ifndef PN_API_PEAKS_H
#define PN_API_PEAKS_H

#include "base/json.h"
#include "target/target.h"

/* An array named |name| (null: none): name, unit, rates of one core and of all, bytes of reads. Empty where the target
   measures nothing. */
pelton_status pn_json_peaks(pn_json *json, const char *name, const pn_target *target, pn_device *device,
                            pelton_diag *diag) PN_CHECKED;

#endif
