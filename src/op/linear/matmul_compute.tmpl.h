/* The loops of a product of matrices for one type of real numbers: REAL, with NAME(x) appending its suffix. Rows of b
   are added, scaled, to a row of the result; when b is transposed its rows are the columns, and a dot product each. */

static void NAME(multiply_row)(const product *p, const REAL *a, const REAL *b, REAL *y) {
  if (p->trans_b) {
    for (int64_t j = 0; j < p->columns; j++) y[j] = NAME(pn_dot)(a, b + j * p->inner, p->inner);
    return;
  }
  for (int64_t j = 0; j < p->columns; j++) y[j] = 0;
  for (int64_t k = 0; k < p->inner; k++) NAME(pn_add_scaled)(y, b + k * p->columns, p->columns, a[k]);
}

/* |row| is room for |inner| numbers. */
static void NAME(multiply)(product *p, const REAL *a, const REAL *b, REAL *row, REAL *y) {
  if (!pn_walk_begin(&p->stack)) return;
  do {
    const REAL *from_a = a + p->stack.to * p->rows * p->inner, *from_b = b + p->stack.from * p->inner * p->columns;
    for (int64_t i = 0; i < p->rows; i++, y += p->columns) {
      for (int64_t k = 0; k < p->inner; k++) row[k] = from_a[p->trans_a ? k * p->rows + i : i * p->inner + k];
      NAME(multiply_row)(p, row, from_b, y);
    }
  } while (pn_walk_next(&p->stack));
}

#undef REAL
#undef NAME
