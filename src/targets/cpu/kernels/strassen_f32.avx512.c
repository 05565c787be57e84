/* strassen_f32 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/strassen_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_strassen_f32_avx512 = {
    .name = "strassen_f32.avx512", .isa = SIMD_ISA, .strassen_f32 = &table};
