/* Reading between elements: taps of an axis, each an element (-1: none) and a weight, as op/picture/sample has them. In
   f64, since what is nearest hangs on every bit. */
struct sample_axis {
  int at[4];
  f64 weight[4];
};

/* The place below |*x|, which is brought near the axis first so that it fits. */
DEVICE int sample_floor(f64 *x, int extent) {
  *x = fmax(fmin(*x, (f64)extent + 2), -3.0);
  return (int)floor(*x);
}

/* The sum over all combinations of |taps| taps on |axes| axes, the first the outermost. */
DEVICE f64 sample_read(const struct sample_axis *axis, int axes, int taps, const int *extents, const void *x,
                       u32 first) {
  f64 sum = 0;
  int combinations = 1;
  for (int d = 0; d < axes; d++) combinations *= taps;
  for (int i = 0; i < combinations; i++) {
    int rest = i, offset = 0, stride = 1, inside = 1;
    f64 weight = 1;
    for (int d = axes - 1; d >= 0; d--, rest /= taps) {
      int tap = rest % taps;
      inside = inside && axis[d].at[tap] >= 0;
      offset += axis[d].at[tap] * stride;
      weight *= axis[d].weight[tap];
      stride *= extents[d];
    }
    if (inside) sum += weight * (f64)LOAD(X_TYPE, x, first + (u32)offset);
  }
  return sum;
}
