/* sample_f32 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/sample_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_sample_f32_avx512 = {
    .name = "sample_f32.avx512", .isa = SIMD_ISA, .sample_f32 = &table};
