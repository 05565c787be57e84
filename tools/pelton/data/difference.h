/* How far two tensors are apart. */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include "data/tensor.h"

typedef struct difference {
  /* Over elements that are both finite, rel being |got - wanted| / |wanted|; not-a-number, all four, where elements
     differ of which one is not finite: nobody knows by how much. */
  double max_abs, max_rel;
  double cosine;           /* 1: the same direction */
  double sqnr;             /* signal to noise, in dB; infinite when equal */
  size_t count, apart;     /* elements, and those out of tolerance */
  char reason[256];        /* what is wrong first, or "" */
} difference;

/* Sequences and optionals are compared item by item. |got - wanted| <= atol + rtol * |wanted|; not-a-numbers are equal, and infinities of one sign. Types and shapes must
   be the same, texts, and integers and booleans too when |exact_integers|. True when within tolerance. */
bool difference_measure(const pelton_tensor *got, const pelton_tensor *wanted, double rtol, double atol,
                        bool exact_integers, difference *out);

#endif
