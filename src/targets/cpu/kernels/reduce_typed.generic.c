/* reduce_typed for the instructions of generic. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/reduce_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_reduce_typed_generic = {
    .name = "reduce_typed.generic", .isa = SIMD_ISA, .reduce_typed = &table};
