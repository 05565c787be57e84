/* dotconv_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/dotconv_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_dotconv_f32_generic = {
    .name = "dotconv_f32.generic", .isa = SIMD_ISA, .dotconv_f32 = &table};
