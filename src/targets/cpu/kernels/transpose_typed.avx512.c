/* transpose_typed for the instructions of avx512. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/transpose_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_transpose_typed_avx512 = {
    .name = "transpose_typed.avx512", .isa = SIMD_ISA, .transpose_typed = &table};
