/* reduce_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/reduce_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_reduce_f32_generic = {
    .name = "reduce_f32.generic", .isa = SIMD_ISA, .reduce_f32 = &table};
