/* sample_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/sample_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_sample_f32_generic = {
    .name = "sample_f32.generic", .isa = SIMD_ISA, .sample_f32 = &table};
