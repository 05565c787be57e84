/* order_typed for the instructions of avx512. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/order_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_order_typed_avx512 = {
    .name = "order_typed.avx512", .isa = SIMD_ISA, .order_typed = &table};
