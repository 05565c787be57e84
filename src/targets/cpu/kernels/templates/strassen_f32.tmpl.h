/* strassen_f32: the additions of Strassen's product, one row at a time; see tactics/product/strassen.c for the sums. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

PN_INLINE vf load_part(const float *from, vhead head, int whole) {
  return whole ? vf_load(from) : vf_load_head(from, head);
}

PN_INLINE void store_part(float *to, vhead head, int whole, vf value) {
  if (whole)
    vf_store(to, value);
  else
    vf_store_head(to, head, value);
}

PN_INLINE void sums_part(const pn_cpu_strassen_f32_sums *r, size_t i, vhead head, int whole) {
  const vf a11 = load_part(r->a[0] + i, head, whole), a12 = load_part(r->a[1] + i, head, whole);
  const vf a21 = load_part(r->a[2] + i, head, whole), a22 = load_part(r->a[3] + i, head, whole);
  const vf s1 = vf_add(a21, a22), s2 = vf_sub(s1, a11);
  store_part(r->s[0] + i, head, whole, s1);
  store_part(r->s[1] + i, head, whole, s2);
  store_part(r->s[2] + i, head, whole, vf_sub(a11, a21));
  store_part(r->s[3] + i, head, whole, vf_sub(a12, s2));
}

static void sums(const pn_cpu_strassen_f32_sums *r) {
  size_t i = 0;
  for (; i + VL <= r->n; i += VL) sums_part(r, i, vf_head(VL), 1);
  if (i < r->n) sums_part(r, i, vf_head(r->n - i), 0);
}

PN_INLINE void result(const pn_cpu_strassen_f32_results *r, int which, size_t i, vhead head, int whole, vf value) {
  if (!r->out[which]) return;
  value = vf_add(value, load_part(r->bias[which % 2] + i, head, whole));
  if (r->residual[which]) value = vf_add(value, load_part(r->residual[which] + i, head, whole));
  store_part(r->out[which] + i, head, whole, vf_min(vf_set1(r->hi), vf_max(vf_set1(r->lo), value)));
}

PN_INLINE void results_part(const pn_cpu_strassen_f32_results *r, size_t i, vhead head, int whole) {
  vf p[7];
  PN_UNROLL
  for (int k = 0; k < 7; k++) p[k] = load_part(r->products + k * r->plane + i, head, whole);
  const vf u2 = vf_add(p[0], p[5]), u3 = vf_add(u2, p[6]);
  result(r, 0, i, head, whole, vf_add(p[0], p[1]));
  result(r, 1, i, head, whole, vf_add(vf_add(u2, p[4]), p[2]));
  result(r, 2, i, head, whole, vf_sub(u3, p[3]));
  result(r, 3, i, head, whole, vf_add(u3, p[4]));
}

static void results(const pn_cpu_strassen_f32_results *r) {
  size_t i = 0;
  for (; i + VL <= r->n; i += VL) results_part(r, i, vf_head(VL), 1);
  if (i < r->n) results_part(r, i, vf_head(r->n - i), 0);
}

static const pn_cpu_strassen_f32 table = {.sums = sums, .results = results};
