/* fft_f32 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/fft_f32.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_fft_f32_avx512 = {.name = "fft_f32.avx512", .isa = SIMD_ISA, .fft_f32 = &table};
