/* What a recurrent layer's attributes say, for its definition and for whoever computes it. */
#ifndef PN_OP_RECURRENT_H
#define PN_OP_RECURRENT_H

#include "op/op.h"

typedef enum pn_activation_kind {
  PN_ACTIVATION_SIGMOID, PN_ACTIVATION_TANH, PN_ACTIVATION_RELU, PN_ACTIVATION_AFFINE, PN_ACTIVATION_LEAKY_RELU,
  PN_ACTIVATION_THRESHOLDED_RELU, PN_ACTIVATION_SCALED_TANH, PN_ACTIVATION_HARD_SIGMOID, PN_ACTIVATION_ELU,
  PN_ACTIVATION_SOFTSIGN, PN_ACTIVATION_SOFTPLUS, PN_ACTIVATION_COUNT
} pn_activation_kind;

typedef struct pn_activation {
  pn_activation_kind kind;
  double alpha, beta;
} pn_activation;

/* f, g, h of each direction. One direction's list serves both. */
pelton_status pn_recurrent_activations(pelton_diag *diag, const pn_attrs_recurrent *attrs,
                                       pn_activation out[2][3]) PN_CHECKED;

#endif
