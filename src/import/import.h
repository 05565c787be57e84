/* Model files in: one function a format, chosen by what the file's first bytes and name say. */
#ifndef PN_IMPORT_IMPORT_H
#define PN_IMPORT_IMPORT_H

#include "base/file.h"
#include "base/json.h"
#include "ir/graph.h"

/* An imported model: a verified graph, and the files that its constants are borrowed from. */
typedef struct pn_model {
  pn_arena arena;
  pn_graph *graph;
  PN_LIST(pn_file) files; /* mapped until the model is released */
  const char *format;     /* "onnx", "pelton text", "" (built by hand) */
  const char *const *overrides; /* while it is imported: names of constants that shall be inputs */
  uint32_t override_count;
  PN_LIST(const char *) warnings; /* of what was read: things that the file says and that make no difference */
  uint32_t more_warnings;         /* that found no room in the list */
} pn_model;

/* An empty model; null when memory is out. */
pn_model *pn_model_create(const pelton_allocator *allocator) PN_CHECKED;
void pn_model_release(pn_model *model);
/* Adds |text| to the model's warnings; false when memory is out. |text| lives as long as the model. */
bool pn_model_warn(pn_model *model, const char *text) PN_CHECKED;

/* Reads the model at |path|, whatever its format; PELTON_INVALID_DATA, with the known formats, when it is none. */
pelton_status pn_model_import(const char *path, const pelton_allocator *allocator, pn_model **out, pelton_diag *diag)
    PN_CHECKED;

/* The same, with the |count| constants that |overrides| names as inputs, where the format has such. */
pelton_status pn_model_import_overriding(const char *path, const pelton_allocator *allocator,
                                         const char *const *overrides, uint32_t count, pn_model **out,
                                         pelton_diag *diag) PN_CHECKED;
/* Writes what the model at |path| says into an object that is open in |json|: "format", "values" with the type of each
   under the name it has in the file, "refused" with the reasons why Pelton could not build it. */
pelton_status pn_model_describe(const char *path, const pelton_allocator *allocator, pn_json *json, pelton_diag *diag)
    PN_CHECKED;
/* Whether the file at |path| is a model as its format's definition has it; Pelton may yet be unable to build it. Every
   mistake is in |diag|. */
pelton_status pn_model_check(const char *path, const pelton_allocator *allocator, pelton_diag *diag) PN_CHECKED;

/* ---- the formats ------------------------------------------------------------------------------------------------- */

/* Reads |file|, an ONNX model from |folder| (for external data), into |model| and takes over the mapping. */
pelton_status pn_import_onnx(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag) PN_CHECKED;
/* The same for pn_model_describe and pn_model_check: |model| gets no graph. */
pelton_status pn_describe_onnx(pn_model *model, const pn_file *file, const char *folder, pn_json *json,
                               pelton_diag *diag) PN_CHECKED;
pelton_status pn_check_onnx(pn_model *model, const pn_file *file, const char *folder, pelton_diag *diag) PN_CHECKED;

#endif
