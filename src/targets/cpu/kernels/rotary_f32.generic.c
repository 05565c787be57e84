/* rotary_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/rotary_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_rotary_f32_generic = {
    .name = "rotary_f32.generic", .isa = SIMD_ISA, .rotary_f32 = &table};
