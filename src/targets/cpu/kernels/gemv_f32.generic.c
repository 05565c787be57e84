/* gemv_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/gemv_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_gemv_f32_generic = {
    .name = "gemv_f32.generic", .isa = SIMD_ISA, .gemv_f32 = &table};
