/* peak_f32 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/peak_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_peak_f32_avx512 = {.name = "peak_f32.avx512", .isa = SIMD_ISA, .peak_f32 = &table};
