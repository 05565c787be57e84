/* vec_typed for the instructions of generic. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/vec_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_vec_typed_generic = {
    .name = "vec_typed.generic", .isa = SIMD_ISA, .vec_typed = &table};
