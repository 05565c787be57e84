/* A small network for tests of everything behind the graph: a convolution with its epilogue, a residual, pooling, a
   product, a shape computation and a dynamic batch; built in memory from Pelton's text. */
#ifndef PN_TESTS_NETWORK_H
#define PN_TESTS_NETWORK_H

#include "pelton/build.h"

#include <stdlib.h>
#include <string.h>

static const char network_text[] = "graph network(%x: f32[n<=64,3,12,12]) -> (%y, %m)\n"
                                   "  %w1: f32[8,3,3,3] = const random(1)\n"
                                   "  %b1: f32[8] = const random(2)\n"
                                   "  %c1 = conv(%x, %w1, %b1) pads=[1,1,1,1]\n"
                                   "  %r1 = pointwise(%c1) expr=\"relu(x0)\"\n"
                                   "  %w2: f32[8,1,3,3] = const random(3)\n"
                                   "  %c2 = conv(%r1, %w2) pads=[1,1,1,1] group=8\n"
                                   "  %r2 = pointwise(%c2, %r1) expr=\"relu(add(x0,x1))\"\n"
                                   "  %p = pool(%r2) kernel=[2,2] strides=[2,2]\n"
                                   "  %f = flatten(%p)\n"
                                   "  %w3: f32[288,10] = const random(4)\n"
                                   "  %g = matmul(%f, %w3)\n"
                                   "  %b3: f32[10] = const random(5)\n"
                                   "  %h = pointwise(%g, %b3) expr=\"add(x0,x1)\"\n"
                                   "  %y = softmax(%h)\n"
                                   "  %axes: i64[2] = const [2, 3]\n"
                                   "  %m = reduce(%p, %axes) kind=mean keep_dims=false\n"
                                   "end\n";

enum { NETWORK_INPUT = 3 * 12 * 12, NETWORK_CLASSES = 10, NETWORK_MEANS = 8 };

/* Values in [-0.5, 0.5) for |batch| pictures; the same for the same |seed|. For free(). */
static inline float *network_input(uint32_t batch, uint32_t seed) {
  float *data = malloc(sizeof(float) * NETWORK_INPUT * batch);
  for (uint32_t i = 0; data && i < NETWORK_INPUT * batch; i++) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = (float)(seed >> 16) / 65536.0f - 0.5f;
  }
  return data;
}

static inline pelton_tensor network_tensor(float *data, uint32_t batch) {
  pelton_tensor t = {PELTON_DTYPE_F32, {4, {batch, 3, 12, 12}}, data, sizeof(float) * NETWORK_INPUT * batch};
  return t;
}

#endif
