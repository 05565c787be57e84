/* fft_f32 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/fft_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_fft_f32_generic = {.name = "fft_f32.generic", .isa = SIMD_ISA, .fft_f32 = &table};
