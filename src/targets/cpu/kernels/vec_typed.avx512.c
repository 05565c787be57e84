/* vec_typed for the instructions of avx512. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/vec_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_vec_typed_avx512 = {
    .name = "vec_typed.avx512", .isa = SIMD_ISA, .vec_typed = &table};
