/* Copies of boxes under strides: every operator that only moves elements. AXES axes, elements of type WORD; threads go
   along the target's order, so that its writes are coalesced. QUADS: elements are 16 bytes, several that lie together on
   both sides. TOGETHER: several boxes of AXES axes each. */
#if TOGETHER
KERNEL(moves, struct moves_arguments) {
  u32 k = BLOCK_Y;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.move[k].count; i += BLOCKS_X * THREADS) {
    u32 rest = i;
    int to = 0, from = 0;
    UNROLL
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, a.move[k].dims[d]) : 0;
      int at = (int)(rest - outer * a.move[k].dims[d].divisor);
      to += at * a.move[k].to[d];
      from += at * a.move[k].from[d];
      rest = outer;
    }
#if QUADS
    store_quad(a.move[k].target, (u32)to, load_quad(a.move[k].source, (u32)from, a.move[k].aligned), a.move[k].aligned);
#else
    ((WORD *)a.move[k].target)[to] = ((const WORD *)a.move[k].source)[from];
#endif
  }
}
#else
KERNEL(move, struct move_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 rest = i;
    int to = 0, from = 0;
    UNROLL
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, a.dims[d]) : 0;
      int at = (int)(rest - outer * a.dims[d].divisor);
      to += at * a.to[d];
      from += at * a.from[d];
      rest = outer;
    }
#if QUADS
    quad all = {0, 0, 0, 0};
    if (a.source) all = load_quad((const quad *)a.source + from, 0, a.aligned); /* a step backwards is below 0 */
    store_quad(a.target, (u32)to, all, a.aligned);
#else
    ((WORD *)a.target)[to] = a.source ? ((const WORD *)a.source)[from] : (WORD)0;
#endif
  }
}
#endif
