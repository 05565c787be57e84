/* Quantizing with a scale that the elements decide: dynamic_range leaves the least and the greatest of each block's
   share in the workspace, dynamic_quantize takes all of them together. */
#define PARTS ((f32 *)a.workspace)

KERNEL(dynamic_range, struct each_arguments) {
  f32 least = 0, greatest = 0; /* the range takes in 0 */
  for (u32 i = BLOCK_X * THREADS + THREAD; i < (u32)ELEMENTS; i += BLOCKS_X * THREADS) {
    f32 x = ((const f32 *)X)[i];
    least = x < least ? x : least;
    greatest = x > greatest ? x : greatest;
  }
  BLOCK_REDUCE(f32, least, LESSER_OF);
  BLOCK_REDUCE(f32, greatest, GREATER_OF);
  if (THREAD == 0) {
    PARTS[2 * BLOCK_X] = least;
    PARTS[2 * BLOCK_X + 1] = greatest;
  }
}

DEVICE u8 saturate(f32 quotient, f64 zero) {
  f64 rounded = quotient != quotient ? zero : rint((f64)quotient) + zero;
  return (u8)(rounded < 0 ? 0 : rounded > 255 ? 255 : rounded);
}

KERNEL(dynamic_quantize, struct each_arguments) {
  f32 least = 0, greatest = 0;
  for (u32 i = 0; i < (u32)PART_COUNT; i++) {
    least = LESSER_OF(least, PARTS[2 * i]);
    greatest = GREATER_OF(greatest, PARTS[2 * i + 1]);
  }
  f32 scale = (greatest == least ? 1.0f : greatest - least) / 255.0f;
  u8 zero = saturate(-least / scale, 0);
  if (WITH_Y)
    for (u32 i = BLOCK_X * THREADS + THREAD; i < (u32)ELEMENTS; i += BLOCKS_X * THREADS)
      ((u8 *)Y)[i] = saturate(((const f32 *)X)[i] / scale, (f64)zero);
  if (BLOCK_X == 0 && THREAD == 0) {
    if (WITH_SCALE) ((f32 *)SCALE)[0] = scale;
    if (WITH_ZERO) ((u8 *)ZERO)[0] = zero;
  }
}
