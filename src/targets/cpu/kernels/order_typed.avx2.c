/* order_typed for the instructions of avx2. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/order_typed.tmpl.h"

const pn_cpu_kernels pn_cpu_kernels_order_typed_avx2 = {
    .name = "order_typed.avx2", .isa = SIMD_ISA, .order_typed = &table};
