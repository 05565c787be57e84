/* Operators that look between or beyond elements: grids, regions of interest, wandering convolutions, unpooling. */
#include "harness.h"
#include "op_case.h"

#define PICTURE "f32[1,1,2,2]{1,2,3,4} "

TEST(grid_sample) {
  op_gives("grid_sample", "align_corners=true", PICTURE "f32[1,1,3,2]{-1,-1,1,1,0,0}", "f32[1,1,1,3]{1,4,2.5}");
  op_gives("grid_sample", "", PICTURE "f32[1,1,2,2]{-1,-1,-3,0}", "f32[1,1,1,2]{0.25,0}");
  op_gives("grid_sample", "padding=border", PICTURE "f32[1,1,2,2]{-1,-1,-3,0}", "f32[1,1,1,2]{1,2}");
  op_gives("grid_sample", "padding=reflection", PICTURE "f32[1,1,1,2]{-3,0}", "f32[1,1,1,1]{3}");
  op_gives("grid_sample", "mode=nearest", PICTURE "f32[1,1,2,2]{-1,-1,0.5,-0.5}", "f32[1,1,1,2]{1,2}");
  op_gives("grid_sample", "align_corners=true", "f32[1,1,2,2,2]{0,1,2,3,4,5,6,7} f32[1,1,1,1,3]{1,-1,0}",
           "f32[1,1,1,1,1]{3}");
  op_gives("grid_sample", "", "f16[1,2,2]{1,2,10,20} f64[1,1,1]{0}", "f16[1,2,1]{1.5,15}");
}

/* At 0.5 the outer weights are -0.09375, the inner 0.59375; at 1.25 the first is -0.105469. */
TEST(grid_sample_cubic) {
  op_gives("grid_sample", "mode=cubic align_corners=true", "f32[1,1,2]{0,8} f32[1,1,1]{0}", "f32[1,1,1]{4.75}");
  op_gives("grid_sample", "mode=cubic align_corners=true padding=border", "f32[1,1,2]{0,8} f32[1,2,1]{0,1.5}",
           "f32[1,1,2]{4,8.84375}");
  op_gives("grid_sample", "mode=cubic align_corners=true padding=reflection", "f32[1,1,2]{0,8} f32[1,1,1]{0}",
           "f32[1,1,1]{4}");
}

TEST(grid_sample_far_away) {
  op_gives("grid_sample", "", PICTURE "f32[1,1,3,2]{nan,0,inf,0,0,-1e30}", "f32[1,1,1,3]{nan,0,0}");
  op_gives("grid_sample", "padding=border", PICTURE "f32[1,1,2,2]{inf,0,0,-1e30}", "f32[1,1,1,2]{3,1.5}");
  op_gives("grid_sample", "padding=reflection mode=nearest", PICTURE "f32[1,1,2,2]{-inf,-1,3,-1}",
           "f32[1,1,1,2]{1,1}");
  op_gives("grid_sample", "padding=reflection align_corners=true", "f32[1,1,1]{5} f32[1,2,1]{-2,0}",
           "f32[1,1,2]{5,5}");
  op_gives("grid_sample", "padding=border", "f32[1,1,0]{} f32[1,2,1]{0,nan}", "f32[1,1,2]{0,0}");
}

TEST(grid_sample_infers) {
  op_infers("grid_sample", "", "f32[n,c,h,w] f32[n,p,q,2]", "f32[n,c,p,q]");
  op_infers("grid_sample", "", "f32[n,c,h,w] f32[*]", "f32[n,c,?3,?4]");
  op_infers("grid_sample", "", "f32[*] f32[n,p,q,2]", "f32[n,?2,p,q]");
  op_refuses("grid_sample", "", "f32[1,1,2,2] f32[1,3,3,3]", "3 coordinates a point");
  op_refuses("grid_sample", "", "f32[1,1,2,2] f32[2,3,3,2]", "batches");
  op_refuses("grid_sample", "", "f32[1,1,2,2] f32[1,3,2]", "grid has rank 3");
  op_refuses("grid_sample", "", "i32[1,1,2,2] f32[1,3,3,2]", "type i32");
}

TEST(affine_grid) {
  op_gives("affine_grid", "", "f32[1,2,3]{1,0,0,0,1,0} i64[4]{1,1,1,2}", "f32[1,1,2,2]{-0.5,0,0.5,0}");
  op_gives("affine_grid", "align_corners=true", "f32[1,2,3]{1,0,0,0,1,0} i64[4]{1,1,1,2}", "f32[1,1,2,2]{-1,0,1,0}");
  op_gives("affine_grid", "", "f32[1,3,4]{0,0,1,0.5,0,1,0,0,1,0,0,0} i64[5]{1,1,2,1,1}",
           "f32[1,2,1,1,3]{0,0,0,1,0,0}");
  op_infers("affine_grid", "", "f32[n,2,3] i64[4]{n,c,h,w}", "f32[n,h,w,2]");
  op_infers("affine_grid", "", "f32[n,2,3] i64[4]", "f32[n,?2,?3,2]");
  op_infers("affine_grid", "", "f32[n,2,3] i64[k]", "f32[n,?2,?3,2]");
  op_infers("affine_grid", "", "f32[*] i64[k]", "f32[*]");
  op_infers("affine_grid", "", "f32[*] i64[4]{n,c,h,w}", "f32[n,h,w,2]");
  op_refuses("affine_grid", "", "f32[1,2,3] i64[3]{1,1,1}", "1 spatial axes");
  op_refuses("affine_grid", "", "f32[1,3,4] i64[4]{1,1,2,2}", "2 x 3");
  op_refuses("affine_grid", "", "f32[1,2,3] i64[4]{2,1,2,2}", "batches");
  op_refuses("affine_grid", "", "f32[1,2,3] i64[4]{1,1,2,-2}", "size[3] is -2");
}

TEST(roi_align) {
  op_gives("roi_align", "", PICTURE "f32[1,4]{0,0,2,2} i64[1]{0}", "f32[1,1,1,1]{2.5}");
  op_gives("roi_align", "coordinates=output_half_pixel", PICTURE "f32[1,4]{0,0,2,2} i64[1]{0}", "f32[1,1,1,1]{3.25}");
  op_gives("roi_align", "spatial_scale=0.5", PICTURE "f32[1,4]{0,0,4,4} i64[1]{-1}", "f32[1,1,1,1]{2.5}");
  op_gives("roi_align", "mode=max", PICTURE "f32[1,4]{0,0,2,2} i64[1]{0}", "f32[1,1,1,1]{4}");
  op_gives("roi_align", "mode=max sampling_ratio=1", PICTURE "f32[1,4]{0,0,2,2} i64[1]{0}", "f32[1,1,1,1]{1}");
  op_gives("roi_align", "output_height=2 output_width=2", PICTURE "f32[1,4]{0,0,2,2} i64[1]{0}",
           "f32[1,1,2,2]{1,2,3,4}");
  op_gives("roi_align", "", PICTURE "f32[2,4]{1,1,1,1,9,9,10,10} i64[2]{0,0}", "f32[2,1,1,1]{0,0}");
  op_infers("roi_align", "output_height=2", "f32[n,c,h,w] f32[r,4] i64[r]", "f32[r,c,2,1]");
  op_infers("roi_align", "", "f32[n,c,h,w] f32[*] i64[r]", "f32[r,c,1,1]");
  op_refuses("roi_align", "", PICTURE "f32[1,4]{0,0,2,2} i64[1]{1}", "index 1");
  op_refuses("roi_align", "", PICTURE "f32[1,4]{nan,0,2,2} i64[1]{0}", "a region from nan");
  op_refuses("roi_align", "", PICTURE "f32[1,4]{0,0,2,1e30} i64[1]{0}", "1e+30");
  op_refuses("roi_align", "", "f32[1,1,2,2] f32[1,5] i64[1]", "5 numbers a region");
  op_refuses("roi_align", "", "f32[1,1,2,2] f32[1,4] i64[2]", "1 regions");
  op_refuses("roi_align", "output_width=0", "f32[1,1,2,2] f32[1,4] i64[1]", "output_width 0");
}

TEST(max_roi_pool) {
  op_gives("max_roi_pool", "output_height=2 output_width=2", "f32[1,1,3,3]{1,2,3,4,5,6,7,8,9} f32[1,5]{0,0,0,2,2}",
           "f32[1,1,2,2]{5,6,8,9}");
  op_gives("max_roi_pool", "spatial_scale=0.5", "f32[1,1,3,3]{1,2,3,4,5,6,7,8,9} f32[2,5]{0,0,0,2,2,0,20,20,30,30}",
           "f32[2,1,1,1]{5,0}");
  op_gives("max_roi_pool", "", "f32[2,1,1,2]{1,2,nan,3} f32[2,5]{1,0,0,1,0,0,1,0,0,0}", "f32[2,1,1,1]{nan,2}");
  op_infers("max_roi_pool", "output_width=3", "f32[n,c,h,w] f32[r,5]", "f32[r,c,1,3]");
  op_refuses("max_roi_pool", "", "f32[1,1,1,1]{1} f32[1,5]{2,0,0,1,1}", "index 2");
  op_refuses("max_roi_pool", "", "f32[1,1,1,1]{1} f32[1,5]{0,0,0,inf,1}", "inf");
  op_refuses("max_roi_pool", "", "f32[1,1,1,1] f32[1,4]", "4 numbers a region");
}

TEST(max_unpool) {
  op_gives("max_unpool", "kernel=[2,2] strides=[2,2]", "f32[1,1,1,2]{5,6} i64[1,1,1,2]{0,7}",
           "f32[1,1,2,4]{5,0,0,0,0,0,0,6}");
  op_gives("max_unpool", "kernel=[2,2] strides=[2,2]", "f32[1,1,1,2]{5,6} i64[1,1,1,2]{0,7} i64[4]{1,1,3,5}",
           "f32[1,1,3,5]{5,0,0,0,0,0,0,0,6,0,0,0,0,0,0}");
  op_gives("max_unpool", "kernel=[3] strides=[2] pads=[1,0]", "u8[1,2,1]{5,6} i64[1,2,1]{1,2}",
           "u8[1,2,2]{0,5,6,0}");
  op_infers("max_unpool", "kernel=[2,2] strides=[2,2]", "f32[n,c,h,w] i64[n,c,h,w]", "f32[n,c,h*2,w*2]");
  op_infers("max_unpool", "kernel=[2]", "f32[n,c,h] i64[n,c,h] i64[3]{n,c,k}", "f32[n,c,k]");
  op_refuses("max_unpool", "kernel=[2,2] strides=[2,2]", "f32[1,1,1,2]{5,6} i64[1,1,1,2]{0,8}", "index 8");
  op_refuses("max_unpool", "kernel=[2]", "f32[1,1,1]{5} i64[1,1,1]{1} i64[3]{1,1,1}", "index 1");
  op_refuses("max_unpool", "kernel=[2]", "f32[1,1,1] i64[1,1,2]", "indices 2");
  op_refuses("max_unpool", "kernel=[1] pads=[1,1]", "f32[1,1,1] i64[1,1,1]", "extent of -1");
  op_refuses("max_unpool", "kernel=[2]", "f32[1,1,1] i64[1,1,1] i64[2]{1,1}", "output_shape has 2");
  op_refuses("max_unpool", "", "f32[1,1,1] i64[1,1,1]", "kernel has 0");
}

TEST(deform_conv) {
  op_gives("deform_conv", "", "f32[1,1,1,3]{1,2,3} f32[1,1,1,1]{2} f32[1,2,1,3]{0,0,0,0.5,0,-0.25} f32[1]{1}",
           "f32[1,1,1,3]{4,5,6.5}");
  op_gives("deform_conv", "",
           "f32[1,1,1,3]{1,2,3} f32[1,1,1,1]{2} f32[1,2,1,3]{0,0,0,0.5,0,-0.25} f32[1]{1} f32[1,1,1,3]{1,0,2}",
           "f32[1,1,1,3]{4,1,12}");
  op_gives("deform_conv", "group=2 offset_group=2", "f32[1,2,2]{1,2,10,20} f32[2,1,2]{1,1,1,1} f32[1,4,1]{0,0,1,0}",
           "f32[1,2,1]{3,40}");
  op_gives("deform_conv", "pads=[1,1] strides=[2]", "f16[1,1,3]{1,2,3} f16[1,1,2]{1,1} f16[1,2,2]{0,0,0,0}",
           "f16[1,1,2]{1,5}");
  op_gives("deform_conv", "", "f32[1,1,3]{1,2,3} f32[1,1,1]{1} f32[1,1,3]{-0.5,1e30,nan}", "f32[1,1,3]{0.5,0,nan}");
  op_infers("deform_conv", "pads=[1,1,1,1]", "f32[n,4,h,w] f32[8,4,3,3] f32[n,18,h,w] - f32[n,9,h,w]",
            "f32[n,8,h,w]");
  op_infers("deform_conv", "", "f32[*] f32[8,4,3,3] f32[n,18,h,w]", "f32[?1,8,?3,?4]");
  op_refuses("deform_conv", "", "f32[1,1,3,3] f32[1,1,1,1] f32[1,3,3,3]", "offset has extent 3 on axis 1");
  op_refuses("deform_conv", "", "f32[1,1,3,3] f32[1,1,2,2] f32[1,8,3,3]", "offset has extent 3 on axis 2");
  op_refuses("deform_conv", "", "f32[1,1,3,3] f32[1,1,1,1] f32[1,2,3,3] - f32[1,2,3,3]", "mask has extent 2");
  op_refuses("deform_conv", "", "f32[1,1,3,3] f32[1,1,1,1] f32[1,2,3,3] f32[2]", "bias has 2");
  op_refuses("deform_conv", "offset_group=2", "f32[1,1,3,3] f32[1,1,1,1] f32[1,4,3,3]", "2 offset groups");
  op_refuses("deform_conv", "group=2", "f32[1,1,3,3] f32[2,1,1,1] f32[1,2,3,3]", "2 groups");
}

/* "P6 1 1 255", a line's end, one pixel. */
TEST(image_decode) {
  op_gives("image_decode", "", "u8[14]{80,54,32,49,32,49,32,50,53,53,10,9,8,7}", "u8[1,1,3]{9,8,7}");
  op_gives("image_decode", "pixel_format=bgr", "u8[14]{80,54,32,49,32,49,32,50,53,53,10,9,8,7}", "u8[1,1,3]{7,8,9}");
  op_gives("image_decode", "pixel_format=grayscale", "u8[14]{80,54,32,49,32,49,32,50,53,53,10,10,20,30}",
           "u8[1,1,1]{18}");
  op_infers("image_decode", "pixel_format=grayscale", "u8[n]", "u8[?1,?2,1]");
  op_refuses("image_decode", "", "u8[13]{80,54,32,49,32,49,32,50,53,53,10,9,8}", "cut off");
  op_refuses("image_decode", "", "u8[3]{1,2,3}", "no picture");
  op_refuses("image_decode", "", "i8[3]", "must be u8");
  op_refuses("image_decode", "", "u8[3,1]", "must have rank 1");
}

TEST_MAIN(T(grid_sample), T(grid_sample_cubic), T(grid_sample_far_away), T(grid_sample_infers), T(affine_grid),
          T(roi_align), T(max_roi_pool), T(max_unpool), T(deform_conv), T(image_decode))
