/* vec_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/vec_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_vec_f32_generic = {.name = "vec_f32.generic", .isa = SIMD_ISA, .vec_f32 = &table};
