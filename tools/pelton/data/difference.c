#include "data/difference.h"

#include "data/low_bits.h"

#include <math.h>
#include <string.h>

static void say_where(const pelton_tensor *t, size_t element, char *out, size_t bytes) {
  int64_t index[PELTON_MAX_RANK];
  size_t rest = element, n = 0;
  for (uint32_t d = t->shape.rank; d-- > 0;) {
    index[d] = (int64_t)(rest % (size_t)t->shape.dims[d]);
    rest /= (size_t)t->shape.dims[d];
  }
  out[0] = 0;
  for (uint32_t d = 0; d < t->shape.rank && n < bytes; d++)
    n += (size_t)snprintf(out + n, bytes - n, "%s%lld", d ? "," : "", (long long)index[d]);
}

/* Texts are equal or they are not. */
static bool measure_texts(const pelton_tensor *got, const pelton_tensor *wanted, difference *out) {
  const pelton_string *a = got->data, *b = wanted->data;
  size_t first = 0;
  out->count = tensor_count(&got->shape);
  for (size_t i = 0; i < out->count; i++)
    if ((a[i].bytes != b[i].bytes || (a[i].bytes && memcmp(a[i].data, b[i].data, (size_t)a[i].bytes))) && !out->apart++)
      first = i;
  if (!out->apart) {
    out->max_abs = out->max_rel = 0;
    out->cosine = 1;
    out->sqnr = INFINITY;
    return true;
  }
  char where[160];
  const int got_bytes = a[first].bytes < 40 ? (int)a[first].bytes : 40,
            wanted_bytes = b[first].bytes < 40 ? (int)b[first].bytes : 40;
  say_where(got, first, where, sizeof where);
  snprintf(out->reason, sizeof out->reason, "%zu of %zu texts differ, first at [%.80s]: \"%.*s\", expected \"%.*s\"",
           out->apart, out->count, where, got_bytes, got_bytes ? a[first].data : "", wanted_bytes,
           wanted_bytes ? b[first].data : "");
  return false;
}

/* The worse of two, of which one may not be known. */
static double worse(double a, double b, bool larger) {
  return isnan(a) || isnan(b) ? NAN : larger ? fmax(a, b) : fmin(a, b);
}

/* Item by item: the worst of them, and the reason of the first that is apart. */
static bool measure_items(const pelton_tensor *got, const pelton_tensor *wanted, double rtol, double atol,
                          bool exact_integers, difference *out) {
  out->max_abs = out->max_rel = 0;
  out->cosine = 1;
  out->sqnr = INFINITY;
  bool ok = true;
  for (size_t i = 0; i < tensor_item_count(got); i++) {
    difference one;
    const bool fits =
        difference_measure(tensor_item(got, i), tensor_item(wanted, i), rtol, atol, exact_integers, &one);
    if (ok && !fits) snprintf(out->reason, sizeof out->reason, "item %zu: %.220s", i, one.reason);
    ok &= fits;
    out->max_abs = worse(out->max_abs, one.max_abs, true);
    out->max_rel = worse(out->max_rel, one.max_rel, true);
    out->cosine = worse(out->cosine, one.cosine, false);
    out->sqnr = worse(out->sqnr, one.sqnr, false);
    out->count += one.count;
    out->apart += one.apart;
  }
  return ok;
}

bool difference_measure(const pelton_tensor *got, const pelton_tensor *wanted, double rtol, double atol,
                        bool exact_integers, difference *out) {
  *out = (difference){.max_abs = NAN, .max_rel = NAN, .cosine = NAN, .sqnr = NAN};
  if (got->dtype != wanted->dtype) {
    snprintf(out->reason, sizeof out->reason, "its type is %s, expected %s", pelton_dtype_name(got->dtype),
             pelton_dtype_name(wanted->dtype));
    return false;
  }
  if (!shape_equal(&got->shape, &wanted->shape)) {
    snprintf(out->reason, sizeof out->reason, "its shape is %.100s, expected %.100s", format_shape(&got->shape).text,
             format_shape(&wanted->shape).text);
    return false;
  }
  if (got->dtype == PELTON_DTYPE_TENSOR) return measure_items(got, wanted, rtol, atol, exact_integers, out);
  if (got->dtype == PELTON_DTYPE_STRING) return measure_texts(got, wanted, out);
  const bool exact = exact_integers && (!dtype_is_float(got->dtype) || is_low_float(got->dtype));
  const size_t size = pelton_dtype_bytes(got->dtype);
  double dot = 0, got_norm = 0, wanted_norm = 0, noise = 0, max_abs = 0, max_rel = 0;
  size_t first = 0;
  bool known = true;
  out->count = tensor_count(&got->shape);
  for (size_t i = 0; i < out->count; i++) {
    const double a = tensor_get(got, i), b = tensor_get(wanted, i);
    bool apart;
    if (exact && is_low_float(got->dtype)) /* as numbers: NaN has several codes, and 0 may have two */
      apart = !(isnan(a) && isnan(b)) && !(a == b);
    else if (exact)
      apart = memcmp((const char *)got->data + i * size, (const char *)wanted->data + i * size, size) != 0;
    else if (!isfinite(a) || !isfinite(b))
      apart = !(isnan(a) && isnan(b)) && !(a == b);
    else
      apart = !(fabs(a - b) <= atol + rtol * fabs(b));
    if (apart && !out->apart++) first = i;
    if (!isfinite(a) || !isfinite(b)) {
      known = known && ((isnan(a) && isnan(b)) || a == b);
      continue;
    }
    const double error = fabs(a - b);
    max_abs = fmax(max_abs, error);
    if (error > 0) max_rel = fmax(max_rel, b != 0 ? error / fabs(b) : INFINITY);
    dot += a * b;
    got_norm += a * a;
    wanted_norm += b * b;
    noise += error * error;
  }
  if (known) {
    out->max_abs = max_abs;
    out->max_rel = max_rel;
    out->cosine = got_norm > 0 && wanted_norm > 0 ? dot / (sqrt(got_norm) * sqrt(wanted_norm))
                  : got_norm == wanted_norm       ? 1
                                                  : 0;
    out->sqnr = noise > 0 ? 10 * log10(wanted_norm / noise) : INFINITY;
  }
  if (!out->apart) return true;
  char where[160];
  say_where(got, first, where, sizeof where);
  snprintf(out->reason, sizeof out->reason,
           "%zu of %zu elements out of tolerance, first at [%.80s]: %.9g, expected %.9g", out->apart, out->count, where,
           tensor_get(got, first), tensor_get(wanted, first));
  return false;
}
