/* transpose_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/transpose_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_transpose_f32_generic = {
    .name = "transpose_f32.generic", .isa = SIMD_ISA, .transpose_f32 = &table};
