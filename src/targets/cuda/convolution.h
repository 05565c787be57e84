/* Convolutions by cuDNN's graph interface: a convolution, alone or with bias, residual and relu, becomes execution
   plans, each with its workspace. They are asked for once a problem and kept with the device. */
#ifndef PN_TARGETS_CUDA_CONVOLUTION_H
#define PN_TARGETS_CUDA_CONVOLUTION_H

#include "targets/cuda/sum.h"
#include "targets/cuda/window.h"

enum { PN_DNN_PLANS = 6 };

typedef struct pn_dnn_plan {
  pn_dnn_descriptor *plan;
  size_t workspace_bytes;
  bool fused; /* with all that follows; else the convolution alone */
} pn_dnn_plan;

typedef struct pn_dnn_convolution {
  struct pn_dnn_convolution *next;
  char *key;
  uint32_t plan_count;
  pn_dnn_plan plans[PN_DNN_PLANS]; /* the heuristic's order, fused ones and others in turn */
  struct pn_dnn_kept *kept;        /* descriptors that plans are made of, which live as long */
} pn_dnn_convolution;

/* Identifiers of tensors in variant packs. */
enum { PN_DNN_X = 1, PN_DNN_W, PN_DNN_Y, PN_DNN_BIAS, PN_DNN_RESIDUAL, PN_DNN_BETWEEN };

/* The plans for |problem|, whose windows and epilogue are given (|sum| null: the expression is none that cuDNN has);
   null when memory is out or cuDNN has none. */
const pn_dnn_convolution *pn_dnn_convolution_find(const pn_device *device, const pn_problem *problem,
                                                  const pn_window *windows, const pn_cuda_sum *sum);
void pn_dnn_convolutions_release(pn_device *device);

#endif
