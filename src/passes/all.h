/* The passes' functions, for pipeline.c, which has their order. Each is described at the top of its file. */
#ifndef PN_PASSES_ALL_H
#define PN_PASSES_ALL_H

#include "passes/passes.h"

pn_pass_function pn_pass_drop_unused;
pn_pass_function pn_pass_rebatch;
pn_pass_function pn_pass_recognise_layer_norm;
pn_pass_function pn_pass_recognise_group_norm;
pn_pass_function pn_pass_lower_einsum;
pn_pass_function pn_pass_eliminate_transposes;
pn_pass_function pn_pass_fold_constants;
pn_pass_function pn_pass_fold_dequantize;
pn_pass_function pn_pass_fold_shapes;
pn_pass_function pn_pass_fold_pad;
pn_pass_function pn_pass_common_subexpressions;
pn_pass_function pn_pass_lower_batch_norm;
pn_pass_function pn_pass_fold_scale;
pn_pass_function pn_pass_fuse_pointwise;
pn_pass_function pn_pass_recognise_activations;
pn_pass_function pn_pass_merge_products;

#endif
