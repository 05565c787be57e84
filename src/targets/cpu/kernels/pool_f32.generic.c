/* pool_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/pool_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_pool_f32_generic = {
    .name = "pool_f32.generic", .isa = SIMD_ISA, .pool_f32 = &table};
