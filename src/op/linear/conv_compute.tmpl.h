/* The loop of a convolution for one type of real numbers: REAL, with NAME(x) appending its suffix. One plane of outputs
   at a time, to which each tap of each channel adds a scaled, shifted plane of inputs, row by row. */

static void NAME(add_row)(REAL *to, const REAL *from, const pn_conv_tap *tap, REAL factor) {
  int64_t to_stride = tap->to_stride, from_stride = tap->from_stride;
  if (to_stride == 1 && from_stride == 1) NAME(pn_add_scaled)(to, from, tap->row, factor);
  else
    for (int64_t i = 0; i < tap->row; i++) to[i * to_stride] += from[i * from_stride] * factor;
}

static void NAME(compute)(const pn_conv *conv, const REAL *x, const REAL *w, const REAL *bias, REAL *y) {
  int64_t planes = conv->groups * conv->out_channels;
  for (int64_t plane = 0; plane < conv->batch * planes; plane++) {
    int64_t n = plane / planes, m = plane % planes, group = m / conv->out_channels;
    const REAL *filter = w + group * conv->w_group_stride + m % conv->out_channels * conv->w_out_stride;
    REAL *to = y + plane * conv->out_plane;
    for (int64_t i = 0; i < conv->out_plane; i++) to[i] = bias ? bias[m] : 0;
    for (int64_t c = 0; c < conv->in_channels; c++) {
      const REAL *from = x + ((n * conv->groups + group) * conv->in_channels + c) * conv->in_plane;
      const REAL *taps = filter + c * conv->w_in_stride;
      for (int64_t t = 0; t < conv->taps; t++) {
        pn_walk *walk = &conv->tap[t].walk;
        if (conv->tap[t].row == 0 || !pn_walk_begin(walk)) continue;
        do NAME(add_row)(to + walk->to, from + walk->from, &conv->tap[t], taps[t]);
        while (pn_walk_next(walk));
      }
    }
  }
}

#undef REAL
#undef NAME
