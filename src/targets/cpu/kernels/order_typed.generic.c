/* order_typed for the instructions of generic. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/order_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_order_typed_generic = {
    .name = "order_typed.generic", .isa = SIMD_ISA, .order_typed = &table};
