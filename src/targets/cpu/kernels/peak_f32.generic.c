/* peak_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/peak_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_peak_f32_generic = {
    .name = "peak_f32.generic", .isa = SIMD_ISA, .peak_f32 = &table};
