/* strassen_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/strassen_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_strassen_f32_generic = {
    .name = "strassen_f32.generic", .isa = SIMD_ISA, .strassen_f32 = &table};
