/* transpose_typed for the instructions of generic. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/transpose_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_transpose_typed_generic = {
    .name = "transpose_typed.generic", .isa = SIMD_ISA, .transpose_typed = &table};
