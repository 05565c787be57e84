/* dwconv_f32 on simd/avx2.h. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/dwconv_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_dwconv_f32_avx2 = {
    .name = "dwconv_f32.avx2", .isa = SIMD_ISA, .dwconv_f32 = &table};
