/* Sums of products over axes that the result lacks: einsum, and the matrix products that tiles do not take. A result a
   thread. FACTORS is the product of operands at |at|; S the form of sums; LAST terms lie along the innermost summed
   axis, ROUNDS times. */
KERNEL(contract, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    int first[OPERANDS], at[OPERANDS];
    u32 rest = i;
    S sum = 0;
    for (int k = 0; k < OPERANDS; k++) first[k] = 0;
    for (int d = KEPT - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, DIMS(d)) : 0;
      int place = (int)(rest - outer * DIMS(d).divisor);
      for (int k = 0; k < OPERANDS; k++) first[k] += place * STRIDES(k * AXES + d);
      rest = outer;
    }
    for (u32 round = 0; round < (u32)ROUNDS; round++) {
      rest = round;
      for (int k = 0; k < OPERANDS; k++) at[k] = first[k];
      for (int d = AXES - 2; d >= KEPT; d--) {
        u32 outer = divide(rest, DIMS(d));
        int place = (int)(rest - outer * DIMS(d).divisor);
        for (int k = 0; k < OPERANDS; k++) at[k] += place * STRIDES(k * AXES + d);
        rest = outer;
      }
      for (int last = 0; last < LAST; last++) {
        sum += FACTORS;
        for (int k = 0; k < OPERANDS; k++) at[k] += STRIDES(k * AXES + AXES - 1);
      }
    }
    STORE(Y_TYPE, Y, i, RESULT(sum));
  }
}
