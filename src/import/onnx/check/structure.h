/* Whether an ONNX model is one, as the standard defines it: versions, names, types, operators' surfaces, stored
   tensors. The importer asks less (it takes what it can make sense of) and more (that Pelton has the operators); this
   is for those who ask whether the file itself is right. */
#ifndef PN_IMPORT_ONNX_CHECK_STRUCTURE_H
#define PN_IMPORT_ONNX_CHECK_STRUCTURE_H

#include "import/onnx/model.h"

/* Notes everything that is wrong, each with its node or value, in |diag|, and returns PELTON_INVALID_DATA if anything
   is. Stored elements are read through |source| into |arena|. */
pelton_status pn_onnx_check_structure(const pn_onnx_model *model, pn_onnx_source *source, pn_arena *arena,
                                      pelton_diag *diag) PN_CHECKED;

#endif
