/* Chains of convolutions of few channels as kernels/conv_chain*.cu run them: a first layer with any window, layers of
   single places, and a last one, which may be transposed, whose few outputs times the columns of its filter ("few
   columns") are sums of their own for each place, until neighbours are added; each of the three may be missing.
   depth_to_space may follow one of few columns. */
#ifndef PN_TARGETS_CUDA_CHAIN_H
#define PN_TARGETS_CUDA_CHAIN_H

#include "targets/cuda/window.h"

/* Shared bytes, where the device gives a block as many: two blocks fit a multiprocessor, from sm_90 on. */
enum { PN_CHAIN_LAYERS = 4, PN_CHAIN_CHANNELS = 64, PN_CHAIN_IMAGE_CHANNELS = 4, PN_CHAIN_SHARED_BYTES = 96 << 10 };

/* Where the first layer's operands come from, as in the kernels: the last layer's own, from the source as it is;
   windows of a picture, kept in shared memory; windows read where they lie. */
typedef enum pn_chain_source { PN_CHAIN_RAW, PN_CHAIN_IMAGE, PN_CHAIN_WINDOW } pn_chain_source;

typedef struct pn_chain_layer {
  pn_problem problem; /* its part of the chain */
  pn_cuda_epilogue epilogue;
  pn_window y, x;
  const pn_operand *filter, *bias;
  int64_t inputs, outputs;
  bool transposed, few, relu;
  uint32_t placed; /* a bit for each operand of the last expression that is read at the result's place */
  /* What a tactic lays out, in words: in all that is packed, and behind the weights; and how many columns. */
  uint32_t weights_at, numbers_at, columns;
  uint32_t steps, tiles;
} pn_chain_layer;

typedef struct pn_chain {
  pn_chain_source source;
  uint32_t count;
  pn_chain_layer layers[PN_CHAIN_LAYERS];
  uint32_t depth_block; /* of the depth_to_space that follows; 1: none */
  bool depth_first;     /* its mode is dcr */
  uint32_t weight_words, packed_words;
  struct conv_chain_arguments arguments;
} pn_chain;

/* Whether |problem| is such a chain, of type |dtype|; |source| and places in what is packed are the tactic's. A last
   layer of up to |most| few columns times rows of its filter, in eights of columns when |eights|, is one of few. */
bool pn_chain_read(const pn_problem *problem, pn_chain *out, int64_t most, bool eights, pn_reason *why);
PN_INLINE pn_chain_layer *pn_chain_last(pn_chain *chain) { return &chain->layers[chain->count - 1]; }
PN_INLINE int64_t pn_chain_few_columns(const pn_chain_layer *l) { return l->outputs * l->x.kernel; }

/* With |places| beside each other in a block: those whose results are the block's (0: the last filter reaches beyond
   them all, and such blocks cannot be), and blocks beside each other. */
uint32_t pn_chain_own_places(pn_chain *chain, uint32_t places);
int64_t pn_chain_blocks_across(pn_chain *chain, uint32_t places);
/* Rows of a block, so that no multiprocessor waits long for the others, |at_once| blocks on each; |waited| (may be
   null) is the rows that one goes through, each twice when two blocks come after each other. */
int64_t pn_chain_rows(pn_chain *chain, const pn_device *device, uint32_t places, int64_t at_once, int64_t batch,
                      double *waited);

/* Words of shared memory for rows of a picture (|image_row| of each, 0: none) in two sets, and sums in two sets (|sums|
   for each row of places): as many rows at once as |device| has room for. False: none. */
bool pn_chain_share(const pn_chain *chain, const pn_device *device, uint32_t image_row, uint32_t sums, uint32_t *rows,
                    uint32_t *group, uint32_t *bytes);

/* The filter's element as the layer is computed: a convolution of few columns turned around, as if transposed; 0
   outside. An index into the constant's elements, or -1. */
int64_t pn_chain_element(const pn_chain_layer *l, int64_t out, int64_t in, int64_t y, int64_t x);
/* A bias, or what an expression reads: of channel |m|. */
float pn_chain_number(const pn_operand *o, int64_t m);
/* Operand |k| of the layer's numbers: the bias, then those of the expression; null: zeros, or what is read elsewhere.
 */
const pn_operand *pn_chain_operand(const pn_chain_layer *l, uint32_t k);

/* Prints macros for the shape, finish_<layer>(params, column, value) for each layer but the last, and finish_last. */
void pn_chain_render(pn_chain *chain, pn_text *out);
/* What a chain is launched with. */
typedef struct pn_chain_launch {
  pn_cu_function *function;
  uint32_t grid[3];
} pn_chain_launch;
/* |places| beside each other in a block, |at_once| blocks on a multiprocessor, pictures in the batch. */
typedef struct pn_chain_blocks {
  uint32_t places, shared_bytes;
  int64_t at_once, batch;
} pn_chain_blocks;
/* The grid, and kernel |name| of kernels/<name>.cu with |head| in front, which is released. */
pelton_status pn_chain_prepare(pn_chain *chain, const pn_device *device, const pn_chain_blocks *blocks,
                               const char *name, pn_text *head, pn_chain_launch *out, pelton_diag *diag) PN_CHECKED;
/* Pointers into |a|, all but the weights. */
void pn_chain_bind(const pn_chain *chain, const pn_step *step, struct conv_chain_arguments *a);

#endif
