/* reduce_typed for the instructions of avx512. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/reduce_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_reduce_typed_avx512 = {
    .name = "reduce_typed.avx512", .isa = SIMD_ISA, .reduce_typed = &table};
