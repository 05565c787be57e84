/* vec_typed for the instructions of avx2. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/vec_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_vec_typed_avx2 = {.name = "vec_typed.avx2", .isa = SIMD_ISA, .vec_typed = &table};
