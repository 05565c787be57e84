/* Fourier transforms and determinants, in f64. */
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if DFT
/* A term of the spectrum a thread, which sums over the line; the table holds the unit circle in LENGTH steps. */
KERNEL(dft, struct each_arguments) {
  const f64 *circle = (const f64 *)a.table;
  EACH(i) {
    u32 row = divide(i, INNER), inner = i - row * INNER.divisor, outer = divide(row, Y_EXTENT);
    u32 term = row - outer * Y_EXTENT.divisor, length = (u32)LENGTH, angle = 0, half = length / 2;
    u32 first = (outer * (u32)X_EXTENT * INNER.divisor + inner) * X_PARTS;
    f64 real = 0, imaginary = 0;
    for (u32 k = 0; k < length; k++) {
      u32 from = HERMITIAN && k > half ? length - k : k; /* the other half is conjugate */
      if (from < (u32)GIVEN) {
        u32 at = first + from * INNER.divisor * X_PARTS;
        f64 x = (f64)LOAD(X_TYPE, X, at), y = X_PARTS == 2 ? (f64)LOAD(X_TYPE, X, at + 1) : 0;
        f64 cosine = circle[2 * angle], sine = INVERSE ? circle[2 * angle + 1] : -circle[2 * angle + 1];
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
