/* winograd_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/winograd_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_winograd_f32_generic = {
    .name = "winograd_f32.generic", .isa = SIMD_ISA, .winograd_f32 = &table};
