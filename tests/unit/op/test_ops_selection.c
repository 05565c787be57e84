/* Operators that make tensors from shapes and numbers, or choose among elements. */
#include "harness.h"
#include "op_case.h"

#include <math.h>
#include <stdio.h>

TEST(shapes_as_data) {
  op_gives("shape_of", "start=-2", "f32[1,2,3]{1,2,3,4,5,6}", "i64[2]{2,3}");
  op_infers("shape_of", "", "f32[n,3,h]", "i64[3]{n,3,h}");
  op_infers("shape_of", "start=2 end=-2", "f32[n,3,h]", "i64[0]{}");
  op_infers("shape_of", "", "f32[*]", "i64[?1]");
  op_gives("size_of", "", "f32[2,2]{1,2,3,4}", "i64[]{4}");
  op_infers("size_of", "", "f32[n,3]", "i64[]{n*3}");
  op_gives("fill", "", "i64[2]{2,1} f16[1]{1.5}", "f16[2,1]{1.5,1.5}");
  op_infers("fill", "", "i64[2]{n,2} f32[1]", "f32[n,2]");
  op_infers("fill", "", "i64[1]{2} i64[1]{7}", "i64[2]{7,7}");
  op_refuses("fill", "", "i64[1]{-1} f32[1]", "extent -1");
}

TEST(range) {
  op_gives("range", "", "i64[]{10} i64[]{4} i64[]{-4}", "i64[2]{10,6}");
  op_gives("range", "", "f32[]{1} f32[]{2} f32[]{0.5}", "f32[2]{1,1.5}");
  op_gives("range", "", "u64[]{0} u64[]{-1} u64[]{9223372036854775807}",
           "u64[3]{0,9223372036854775807,18446744073709551614}");
  op_gives("range", "", "i8[]{3} i8[]{3} i8[]{1}", "i8[0]{}");
  op_infers("range", "", "i64[]{0} i64[]{n} i64[]{1}", "i64[n]");
  op_infers("range", "", "i64[]{2} i64[]{5} i64[]{2}", "i64[2]{2,4}");
  op_infers("range", "", "f32[] f32[] f32[]", "f32[?1]");
  op_refuses("range", "", "i64[]{0} i64[]{1} i64[]{0}", "delta is 0");
  op_refuses("range", "", "i64[]{0} i64[]{9223372036854775807} i64[]{1}", "2^31");
}

TEST(diagonals) {
  op_gives("eye_like", "k=1 dtype=i8", "f32[2,3]{0,0,0,0,0,0}", "i8[2,3]{0,1,0,0,0,1}");
  op_gives("trilu", "", "i8[2,3]{1,2,3,4,5,6} i64[]{1}", "i8[2,3]{0,2,3,0,0,6}");
  op_gives("trilu", "upper=false", "i8[2,2]{1,2,3,4} i64[]{-9223372036854775808}", "i8[2,2]{0,0,0,0}");
}

TEST(one_hot) {
  op_gives("one_hot", "", "i64[3]{0,-1,7} i64[]{3} f32[2]{0,5}", "f32[3,3]{5,0,0,0,0,5,0,0,0}");
  op_gives("one_hot", "axis=0", "f32[2]{1,0} f32[1]{2} i8[2]{0,1}", "i8[2,2]{0,1,1,0}");
  op_infers("one_hot", "", "i64[n] i64[]{4} f32[2]", "f32[n,4]");
}

TEST(topk) {
  op_gives("topk", "", "f32[5]{1,3,2,3,nan} i64[1]{3}", "f32[3]{nan,3,3} i64[3]{4,1,3}");
  op_gives("topk", "axis=0 largest=false", "u64[3,1]{-1,0,0} i64[1]{2}", "u64[2,1]{0,0} i64[2,1]{1,2}");
  op_infers("topk", "axis=0", "f32[n,2] i64[1]", "f32[?1,2] i64[?1,2]");
  op_refuses("topk", "", "f32[2] i64[1]{3}", "k is 3");
}

TEST(data_shapes) {
  op_gives("non_zero", "", "f32[2,2]{0,1,2,0}", "i64[2,2]{0,1,1,0}");
  op_gives("non_zero", "", "bool[2]{0,0}", "i64[1,0]{}");
  op_gives("compress", "axis=1", "i8[2,3]{1,2,3,4,5,6} bool[2]{0,1}", "i8[2,1]{2,5}");
  op_gives("compress", "flat=true", "i8[2,2]{1,2,3,4} bool[4]{1,0,0,1}", "i8[2]{1,4}");
  op_refuses("compress", "axis=0", "i8[1]{1} bool[2]{0,1}", "condition 1 holds");
  op_gives("unique", "", "i8[4]{3,1,3,2}", "i8[3]{1,2,3} i64[3]{1,3,0} i64[4]{2,0,2,1} i64[3]{1,1,2}");
  op_gives("unique", "sorted=false", "i8[4]{3,1,3,2}", "i8[3]{3,1,2} - - i64[3]{2,1,1}");
  op_gives("unique", "flat=false axis=1", "i8[2,3]{2,1,2,5,4,5}", "i8[2,2]{1,2,4,5} - i64[3]{1,0,1}");
  op_infers("unique", "", "f32[n,2]", "f32[?1] i64[?1] i64[n*2]");
}

TEST(non_max_suppression) {
  const char *boxes = "f32[1,3,4]{0,0,1,1,0,0.1,1,1.1,0,5,1,6} f32[1,1,3]{0.5,0.9,0.7} i64[1]{3} f32[1]{0.5} f32[1]{0}";
  op_gives("non_max_suppression", "", boxes, "i64[2,3]{0,0,1,0,0,2}");
  op_gives("non_max_suppression", "", "f32[1,1,4]{0,0,1,1} f32[1,1,1]{1}", "i64[0,3]{}");
  op_gives("non_max_suppression", "center_point_box=true",
           "f32[1,2,4]{0,0,2,2,0,0,2,2.1} f32[1,1,2]{1,1} i64[]{9} f32[]{0.5}", "i64[1,3]{0,0,0}");
}

/* Boxes that do not touch are all chosen, in the order of their scores: more of them than are sorted by insertion, with
   scores of both signs, equal ones, both zeros, infinities and no numbers. */
static void expect_order(const char *dtype, const char *const *texts, const double *scores, int count) {
  char operands[16384], results[16384];
  int order[128], ranked = 0, at = 0, to;
  for (int i = 0; i < count; i++) {
    int place = ranked;
    if (scores[i] != scores[i]) continue;
    while (place > 0 && scores[order[place - 1]] < scores[i]) order[place] = order[place - 1], place--;
    order[place] = i;
    ranked++;
  }
  at += snprintf(operands, sizeof operands, "f32[1,%d,4]{", count);
  for (int i = 0; i < count; i++)
    at += snprintf(operands + at, sizeof operands - (size_t)at, "%s0,%d,1,%d.5", i ? "," : "", i, i);
  at += snprintf(operands + at, sizeof operands - (size_t)at, "} %s[1,1,%d]{", dtype, count);
  for (int i = 0; i < count; i++)
    at += snprintf(operands + at, sizeof operands - (size_t)at, "%s%s", i ? "," : "", texts[i]);
  (void)snprintf(operands + at, sizeof operands - (size_t)at, "} i64[]{1000} f32[]{0.5}");
  to = snprintf(results, sizeof results, "i64[%d,3]{", ranked);
  for (int i = 0; i < ranked; i++)
    to += snprintf(results + to, sizeof results - (size_t)to, "%s0,0,%d", i ? "," : "", order[i]);
  (void)snprintf(results + to, sizeof results - (size_t)to, "}");
  op_gives("non_max_suppression", "", operands, results);
}

TEST(non_max_suppression_order) {
  static const char *const dtypes[] = {"f32", "f64", "f16"};
  static const char *const special[] = {"nan", "inf", "-inf", "-0.0", "0"};
  static const double values[] = {NAN, INFINITY, -INFINITY, -0.0, 0};
  const char *texts[100];
  char numbers[100][16];
  double scores[100];
  for (int i = 0; i < 100; i++) {
    int quarters = i * 37 % 80 - 40;
    scores[i] = quarters / 4.0;
    (void)snprintf(numbers[i], sizeof numbers[i], "%.2f", scores[i]);
    texts[i] = numbers[i];
    if (i % 9 == 4) scores[i] = values[i / 9 % 5], texts[i] = special[i / 9 % 5];
  }
  for (int k = 0; k < 3; k++) {
    expect_order(dtypes[k], texts, scores, 100);
    expect_order(dtypes[k], texts, scores, 30);
  }
}

TEST_MAIN(T(shapes_as_data), T(range), T(diagonals), T(one_hot), T(topk), T(data_shapes), T(non_max_suppression),
          T(non_max_suppression_order))
