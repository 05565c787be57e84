/* reduce_typed for the instructions of avx2. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/reduce_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_reduce_typed_avx2 = {
    .name = "reduce_typed.avx2", .isa = SIMD_ISA, .reduce_typed = &table};
