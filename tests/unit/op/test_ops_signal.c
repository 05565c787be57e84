/* Operators of signals and of recurrences: dft, col2im, linear_attention, what a recurrent layer clips; and the Fourier
   transform itself, against the sum that defines it. */
#include "harness.h"
#include "op_case.h"

#include "op/signal/fft.h"

#include <math.h>

/* ---- the transform of any length --------------------------------------------------------------------------------- */

/* Errors grow with the logarithm of the length; the definition's own with its square root. */
static double greatest_error(int64_t size, pn_arena *arena) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_complex *x = PN_NEW_ARRAY(arena, pn_complex, (size_t)size), *y = PN_NEW_ARRAY(arena, pn_complex, (size_t)size);
  double greatest = 0;
  uint32_t seed = 12345;
  pn_fft fft;
  REQUIRE(x && y);
  for (int64_t i = 0; i < size; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = y[i] = (pn_complex){(double)(seed >> 16) / 65536 - 0.5, (double)(seed & 0xffff) / 65536 - 0.5};
  }
  REQUIRE_OK(pn_fft_init(&fft, size, arena, &diag), &diag);
  for (int run = 0; run < 2; run++) { /* a plan serves any number of times */
    memcpy(y, x, (size_t)size * sizeof *y);
    pn_fft_run(&fft, y);
  }
  for (int64_t k = 0; k < size; k++) {
    pn_complex sum = {0, 0};
    for (int64_t n = 0; n < size; n++) {
      const double angle = -2 * 3.14159265358979323846 * (double)(k * n % size) / (double)size;
      const pn_complex term = pn_complex_mul(x[n], (pn_complex){cos(angle), sin(angle)});
      sum.re += term.re;
      sum.im += term.im;
    }
    greatest = fmax(greatest, fmax(fabs(sum.re - y[k].re), fabs(sum.im - y[k].im)));
  }
  return greatest;
}

TEST(transforms_of_any_length) {
  static const int64_t large[] = {64, 97, 120, 127, 210, 31 * 31, 37 * 8, 499, 512};
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  for (int64_t size = 1; size <= 48; size++) EXPECT(greatest_error(size, &arena) < 1e-12);
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) EXPECT(greatest_error(large[i], &arena) < 1e-11);
  pn_arena_deinit(&arena);
}

/* ---- dft --------------------------------------------------------------------------------------------------------- */

TEST(dft) {
  op_gives("dft", "", "f32[3,1]{1,2,3}", "f32[3,2]{6,0,-1.5,0.866025,-1.5,-0.866025}");
  op_gives("dft", "", "f64[2,2]{1,2,3,4}", "f64[2,2]{4,6,-2,-2}");
  op_gives("dft", "inverse=true", "f32[2,2]{4,6,-2,-2}", "f32[2,2]{1,2,3,4}");
  op_gives("dft", "", "f32[2,2,1]{1,2,3,4} - i64[]{0}", "f32[2,2,2]{4,0,6,0,-2,0,-2,0}");
  op_gives("dft", "", "f16[1,1]{3}", "f16[1,2]{3,0}");
}

TEST(dft_of_another_length) {
  op_gives("dft", "", "f32[2,1]{1,2} i64[]{4}", "f32[4,2]{3,0,1,-2,-1,0,1,2}");
  op_gives("dft", "", "f32[4,1]{1,2,9,9} i32[1]{2}", "f32[2,2]{3,0,-1,0}");
  op_gives("dft", "onesided=true", "f32[4,1]{1,2,9,9} i64[]{2}", "f32[2,2]{3,0,-1,0}");
}

/* The imaginary parts of elements that are their own conjugates do not count. */
TEST(dft_onesided) {
  op_gives("dft", "onesided=true", "f32[4,1]{1,2,0,0}", "f32[3,2]{3,0,1,-2,-1,0}");
  op_gives("dft", "onesided=true", "f32[3,1]{1,2,3}", "f32[2,2]{6,0,-1.5,0.866025}");
  op_gives("dft", "onesided=true inverse=true", "f32[3,2]{3,0,1,-2,-1,0}", "f32[4,1]{1,2,0,0}");
  op_gives("dft", "onesided=true inverse=true", "f32[3,2]{3,9,1,-2,-1,9}", "f32[4,1]{1,2,0,0}");
  op_gives("dft", "onesided=true inverse=true", "f32[2,2]{6,0,-1.5,0.866025} i64[]{3}", "f32[3,1]{1,2,3}");
}

TEST(dft_infers) {
  op_infers("dft", "", "f32[n,h,1]", "f32[n,h,2]");
  op_infers("dft", "onesided=true", "f32[n,h,1]", "f32[n,h/2+1,2]");
  op_infers("dft", "onesided=true inverse=true", "f32[n,h+1,2]", "f32[n,h*2,1]");
  op_infers("dft", "", "f32[n,h,1] i64[]{k}", "f32[n,k,2]");
  op_infers("dft", "onesided=true", "f32[n,10,1] - i64[]{0}", "f32[n/2+1,10,2]");
  op_infers("dft", "", "f32[n,h,1] - i64[]", "f32[n,h,2]");
  op_infers("dft", "", "f32[*]", "f32[*]");
  op_refuses("dft", "", "f32[2,3]", "last extent of 3");
  op_refuses("dft", "onesided=true", "f32[2,2]", "x is complex; a onesided transform takes real numbers");
  op_refuses("dft", "onesided=true inverse=true", "f32[2,1]", "x is real; a onesided inverse takes complex numbers");
  op_refuses("dft", "", "f32[2,1] - i64[]{-1}", "axis -1 is the last");
  op_refuses("dft", "", "f32[2,1] i64[]{0}", "a length of 0");
  op_refuses("dft", "", "f32[0,1]{}", "a length of 0");
  op_refuses("dft", "", "i32[2,1]", "i32");
}

/* ---- col2im ------------------------------------------------------------------------------------------------------ */

TEST(col2im) {
  op_gives("col2im", "", "f32[1,4,1]{1,2,3,4} i64[2]{2,2} i64[2]{2,2}", "f32[1,1,2,2]{1,2,3,4}");
  op_gives("col2im", "", "f32[1,2,2]{1,2,10,20} i64[1]{3} i64[1]{2}", "f32[1,1,3]{1,12,20}");
  op_gives("col2im", "strides=[2]", "i32[1,2,2]{1,2,10,20} i64[1]{4} i64[1]{2}", "i32[1,1,4]{1,10,2,20}");
  op_gives("col2im", "pads=[1,1]", "u8[1,2,3]{1,2,3,255,20,30} i64[1]{2} i64[1]{2}", "u8[1,1,2]{1,23}");
  op_gives("col2im", "dilations=[2]", "f16[2,2,1]{1,2,3,4} i32[1]{3} i32[1]{2}", "f16[2,1,3]{1,0,2,3,0,4}");
  op_gives("col2im", "", "f32[1,2,1]{1,2} i64[1]{1} i64[1]{1}", "f32[1,2,1]{1,2}");
  op_infers("col2im", "", "f32[n,c*4,l] i64[2]{h,w} i64[2]{2,2}", "f32[n,c,h,w]");
  op_infers("col2im", "", "f32[n,8,l] i64[2] i64[2]{2,2}", "f32[n,2,?3,?4]");
  op_refuses("col2im", "", "f32[1,3,1] i64[2]{2,2} i64[2]{2,2}", "x has 3 rows, which blocks of 4");
  op_refuses("col2im", "", "f32[1,4,2]{1,2,3,4,5,6,7,8} i64[2]{2,2} i64[2]{2,2}", "x has 2 blocks; 1 of them");
  op_refuses("col2im", "", "f32[1,4,1] i64[1]{2} i64[2]{2,2}", "image_shape has 1 numbers, block_shape 2");
  op_refuses("col2im", "", "f32[1,4,1] i64[2]{2,-2} i64[2]{2,2}", "image_shape[1] is -2");
  op_refuses("col2im", "strides=[0]", "f32[1,2,1] i64[1]{2} i64[1]{2}", "strides[0] is 0");
}

/* ---- linear_attention -------------------------------------------------------------------------------------------- */

/* One head, one row, two columns, two steps. log(0.5) is -0.693147. */
TEST(linear_attention_rules) {
#define STEPS "f32[1,2,1]{1,2} f32[1,2,1]{1,3} f32[1,2,2]{1,2,3,4}"
  op_gives("linear_attention", "rule=linear", STEPS, "f32[1,2,2]{1,2,20,28} f32[1,1,1,2]{10,14}");
  op_gives("linear_attention", "rule=linear scale=0.5", STEPS, "f32[1,2,2]{0.5,1,10,14} f32[1,1,1,2]{10,14}");
  op_gives("linear_attention", "rule=linear", STEPS " f32[1,1,1,2]{100,200}",
           "f32[1,2,2]{101,202,220,428} f32[1,1,1,2]{110,214}");
  op_gives("linear_attention", "rule=gated", STEPS " - f32[1,2,1]{0,-0.693147}",
           "f32[1,2,2]{1,2,19,26} f32[1,1,1,2]{9.5,13}");
  op_gives("linear_attention", "rule=delta", STEPS " - - f32[1,2,1]{1,0.5}",
           "f32[1,2,2]{1,2,2,-2} f32[1,1,1,2]{1,-1}");
  op_gives("linear_attention", "", STEPS " - f32[1,2,1]{0,-0.693147} f32[1,2,1]{1,0.5}",
           "f32[1,2,2]{1,2,5.5,5} f32[1,1,1,2]{2.75,2.5}");
#undef STEPS
}

/* Two heads of queries on one of keys; two heads with a decay for each of their two rows. */
TEST(linear_attention_heads) {
  op_gives("linear_attention", "rule=linear q_heads=2", "f32[1,1,2]{1,10} f32[1,1,1]{2} f32[1,1,1]{3}",
           "f32[1,1,2]{6,60} f32[1,1,1,1]{6}");
  op_gives("linear_attention", "rule=gated q_heads=2 kv_heads=2 scale=1",
           "f64[1,1,4]{1,1,1,1} f64[1,1,4]{0,0,0,0} f64[1,1,2]{0,0} f32[1,2,2,1]{1,2,4,8} "
           "f64[1,1,4]{0,-0.69314718056,0,0}",
           "f64[1,1,2]{2,12} f32[1,2,2,1]{1,1,4,8}");
  op_gives("linear_attention", "rule=linear", "f16[1,0,1]{} f16[1,0,1]{} f16[1,0,1]{} f32[1,1,1,1]{7}",
           "f16[1,0,1]{} f32[1,1,1,1]{7}");
  op_infers("linear_attention", "rule=linear q_heads=4 kv_heads=2", "f16[n,t,32] f16[n,t,16] f16[n,t,h*2]",
            "f16[n,t,h*4] f16[n,2,8,h]");
  op_refuses("linear_attention", "q_heads=3 kv_heads=2", "f32[1,1,6] f32[1,1,4] f32[1,1,4]",
             "q_heads is 3, kv_heads 2");
  op_refuses("linear_attention", "", "f32[1,1,1] f32[1,1,1] f32[1,1,1]", "decay is absent; the rule takes it");
  op_refuses("linear_attention", "rule=linear", "f32[1,1,1] f32[1,1,1] f32[1,1,1] - f32[1,1,1]", "decay is given");
  op_refuses("linear_attention", "rule=linear", "f32[1,1,2] f32[1,1,1] f32[1,1,1]", "k has 1 elements a head");
  op_refuses("linear_attention", "rule=linear q_heads=2 kv_heads=2", "f32[1,1,2] f32[1,1,2] f32[1,1,3]",
             "v has an extent of 3");
  op_refuses("linear_attention", "rule=gated q_heads=2 kv_heads=2", "f32[1,1,4] f32[1,1,4] f32[1,1,2] - f32[1,1,3]",
             "decay has a last extent of 3; it must be 2, or 4");
}

/* ---- recurrent --------------------------------------------------------------------------------------------------- */

/* All gates are 0.5 after the clip of 10; the cell, 0.5 * 8 + 0.5 * 0.5, goes into its activation as it is. */
TEST(clip_of_gates_alone) {
  op_gives("recurrent", "hidden=1 clip=0.5 activations=\"affine,affine,affine\"",
           "f32[1,1,1]{1} f32[1,4,1]{10,10,10,10} f32[1,4,1]{0,0,0,0} - - f32[1,1,1]{0} f32[1,1,1]{8}",
           "f32[1,1,1,1]{2.125} f32[1,1,1]{2.125} f32[1,1,1]{4.25}");
}

TEST_MAIN(T(transforms_of_any_length), T(dft), T(dft_of_another_length), T(dft_onesided), T(dft_infers), T(col2im),
          T(linear_attention_rules), T(linear_attention_heads), T(clip_of_gates_alone))
