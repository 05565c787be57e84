/* What the stage of precision tells: its object in the build report, and the failures of strict. */
#ifndef PN_API_PRECISION_REPORT_H
#define PN_API_PRECISION_REPORT_H

#include "api/precision.h"
#include "base/json.h"

/* What the caller should know of a build that goes on: for the log and the report. */
typedef PN_LIST(const char *) pn_notes;

/* |without|: why nothing was observed; null when something was. */
void pn_precision_report(const pn_graph *g, const pelton_build_options *options, const pn_precision_request *request,
                         const pn_precision_choices *choices, const pn_ranges *ranges, const char *without,
                         const pn_notes *notes, pn_json *json);
/* Of a build in which no layer was to be converted: the types stay, what products may do is told. */
void pn_precision_report_idle(const pelton_build_options *options, const pn_precision_request *request,
                              const pn_notes *notes, pn_json *json);
/* Fails where a layer stays that was not allowed to, or where evidence lacks for one that is converted. */
pelton_status pn_precision_check_strict(const pn_graph *g, const pn_precision_choices *choices, const pn_ranges *ranges,
                                        const pelton_build_options *options, const char *without,
                                        pelton_diag *diag) PN_CHECKED;

#endif
