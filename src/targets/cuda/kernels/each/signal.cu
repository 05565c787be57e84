/* Fourier transforms and determinants, in f64. */
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if DFT
/* A term of the spectrum a thread, which sums over the line. An axis and a length are read here. */
KERNEL(dft, struct each_arguments) {
  i64 axis = RANK - 2;
#if WITH_AXIS
  axis = (i64)LOAD(AXIS_TYPE, AXIS, 0);
  if (axis < 0) axis += RANK;
  if (axis < 0 || axis >= RANK - 1) {
    TELL(FAULT_AXIS, GIVEN(axis, RANK), RANK - 1);
    return;
  }
#endif
  u32 inner_size = 1, x_extent = (u32)X_DIMS(axis), y_extent = (u32)Y_DIMS(axis);
  for (int d = (int)axis + 1; d < RANK - 1; d++) inner_size *= (u32)X_DIMS(d);
  i64 asked = HERMITIAN ? 2 * ((i64)x_extent - 1) : (i64)x_extent;
#if WITH_TAKEN
  asked = (i64)LOAD(TAKEN_TYPE, TAKEN, 0);
#endif
  if (asked < 1 || asked > 65536 || (u32)(ONESIDED && !INVERSE ? asked / 2 + 1 : asked) != y_extent) {
    TELL(FAULT_OPERAND, 0, 0);
    return;
  }
  u32 length = (u32)asked, half = length / 2, given = HERMITIAN ? half + 1 : length;
  if (given > x_extent) given = x_extent;
  EACH(i) {
    u32 row = i / inner_size, inner = i - row * inner_size, outer = row / y_extent;
    u32 term = row - outer * y_extent, angle = 0, first = (outer * x_extent * inner_size + inner) * X_PARTS;
    f64 real = 0, imaginary = 0;
    for (u32 k = 0; k < length; k++) {
      u32 from = HERMITIAN && k > half ? length - k : k; /* the other half is conjugate */
      if (from < given) {
        u32 at = first + from * inner_size * X_PARTS;
        f64 x = (f64)LOAD(X_TYPE, X, at), y = X_PARTS == 2 ? (f64)LOAD(X_TYPE, X, at + 1) : 0;
        f64 turn = 6.28318530717958647692 * angle / length;
        f64 cosine = cos(turn), sine = INVERSE ? sin(turn) : -sin(turn);
        if (from != k) y = -y;
        real += x * cosine - y * sine;
        imaginary += x * sine + y * cosine;
      }
      angle += term;
      if (angle >= length) angle -= length;
    }
    STORE(Y_TYPE, Y, i * Y_PARTS, (Y_FORM)(INVERSE ? real / length : real));
    if (Y_PARTS == 2) STORE(Y_TYPE, Y, i * Y_PARTS + 1, (Y_FORM)(INVERSE ? imaginary / length : imaginary));
  }
}
#else
/* A matrix a thread, worn down to a triangle with the greatest pivot of each column. */
KERNEL(det, struct each_arguments) {
  u32 n = (u32)ORDER;
  EACH(i) {
    f64 *m = (f64 *)a.workspace + i * n * n, product = 1;
    for (u32 k = 0; k < n * n; k++) m[k] = (f64)LOAD(X_TYPE, X, i * n * n + k);
    for (u32 k = 0; k < n; k++) {
      u32 pivot = k;
      for (u32 row = k + 1; row < n; row++)
        if (fabs(m[row * n + k]) > fabs(m[pivot * n + k])) pivot = row;
      if (m[pivot * n + k] == 0) {
        product = 0;
        break;
      }
      for (u32 column = k; pivot != k && column < n; column++) {
        f64 swap = m[k * n + column];
        m[k * n + column] = m[pivot * n + column];
        m[pivot * n + column] = swap;
      }
      product *= pivot != k ? -m[k * n + k] : m[k * n + k];
      for (u32 row = k + 1; row < n; row++) {
        f64 factor = m[row * n + k] / m[k * n + k];
        for (u32 column = k; column < n; column++) m[row * n + column] -= factor * m[k * n + column];
      }
    }
    STORE(Y_TYPE, Y, i, (Y_FORM)product);
  }
}
#endif
