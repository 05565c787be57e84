/* dwconv_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/dwconv_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_dwconv_f32_generic = {
    .name = "dwconv_f32.generic", .isa = SIMD_ISA, .dwconv_f32 = &table};
