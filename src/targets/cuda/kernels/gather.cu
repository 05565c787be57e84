/* Slices along an axis by index. WORD is the element. An index out of range sets the fault and gives zeros. */
KERNEL(gather, struct gather_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 row = divide(i, a.inner), inner = i - row * a.inner.divisor, outer = divide(row, a.indices);
    u32 which = row - outer * a.indices.divisor;
    i64 index = a.wide ? ((const i64 *)a.index)[which] : (i64)((const i32 *)a.index)[which];
    if (index < 0) index += a.extent;
    if (index < 0 || index >= (i64)a.extent) {
      TELL(FAULT_INDEX, GIVEN(index, (i64)a.extent), (i64)a.extent);
      ((WORD *)a.target)[i] = 0;
    } else {
      ((WORD *)a.target)[i] = ((const WORD *)a.source)[(outer * a.extent + (u32)index) * a.inner.divisor + inner];
    }
  }
}
