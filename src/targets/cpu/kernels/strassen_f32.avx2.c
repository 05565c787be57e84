/* strassen_f32 on simd/avx2.h. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/strassen_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_strassen_f32_avx2 = {
    .name = "strassen_f32.avx2", .isa = SIMD_ISA, .strassen_f32 = &table};
