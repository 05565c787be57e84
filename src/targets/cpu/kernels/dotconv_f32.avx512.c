/* dotconv_f32 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/dotconv_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_dotconv_f32_avx512 = {
    .name = "dotconv_f32.avx512", .isa = SIMD_ISA, .dotconv_f32 = &table};
