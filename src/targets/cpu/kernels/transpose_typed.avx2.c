/* transpose_typed for the instructions of avx2. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/transpose_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_transpose_typed_avx2 = {
    .name = "transpose_typed.avx2", .isa = SIMD_ISA, .transpose_typed = &table};
