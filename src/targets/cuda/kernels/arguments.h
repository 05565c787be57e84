/* The arguments of every kernel: one struct by value each, the same text for the host and for NVRTC. Strides and
   extents are in elements and fit 32 bits. */
#ifndef PN_TARGETS_CUDA_ARGUMENTS_H
#define PN_TARGETS_CUDA_ARGUMENTS_H

/* Division by a number known at launch: two instructions instead of some twenty (device.cuh: divide). */
struct divider {
  unsigned divisor, magic, shift;
};

/* What a kernel met that its operator cannot do with, and which numbers go with it: an index and the extent; a length
   and the most; an axis and the rank; anything else of an operand. */
enum { FAULT_INDEX = 1, FAULT_LENGTH, FAULT_AXIS, FAULT_OPERAND, FAULT_KIND_BITS = 8 };

enum { MOST_OPERANDS = 16, MOST_AXES = 8, MOST_MOVE_AXES = 16, MOST_EPILOGUE = 8, WINDOW_AXES = 3 };

struct pointwise_arguments {
  unsigned count;
  int aligned;                                 /* to 16 bytes, where it goes by vectors */
  struct divider dims[MOST_AXES];              /* of the result as stored, outermost first */
  int strides[MOST_OPERANDS + 1][MOST_AXES];   /* the result's last */
  void *operands[MOST_OPERANDS + 1];
};

struct move_arguments {
  unsigned count;
  struct divider dims[MOST_MOVE_AXES];
  int to[MOST_MOVE_AXES], from[MOST_MOVE_AXES];
  int aligned; /* to 16 bytes, where elements are these */
  void *target;
  const void *source; /* null: zeros */
};

/* Several moves that do not meet, of few axes, at once: blockIdx.y says which. */
enum { MOST_TOGETHER = 4, MOST_TOGETHER_AXES = 4 };
struct moves_arguments {
  struct {
    unsigned count;
    int aligned;
    struct divider dims[MOST_TOGETHER_AXES];
    int to[MOST_TOGETHER_AXES], from[MOST_TOGETHER_AXES];
    void *target;
    const void *source;
  } move[MOST_TOGETHER];
};

/* target[b][c][r] = source[b][r][c], with any distances between rows and batches. */
struct turn_arguments {
  unsigned rows, columns;
  int source_row, target_row;
  struct divider batch[MOST_MOVE_AXES]; /* the axes around, all of them in blockIdx.z */
  int batch_to[MOST_MOVE_AXES], batch_from[MOST_MOVE_AXES];
  int aligned; /* both, to 16 bytes */
  void *target;
  const void *source;
};

struct gather_arguments {
  unsigned count;            /* of the result */
  struct divider inner, indices; /* result = [outer, indices, inner] */
  unsigned extent;           /* of the axis */
  int wide;                  /* indices are i64, else i32 */
  int element_words, word_bytes;
  void *target;
  const void *source, *index;
  int *fault;
  int step; /* of which a fault tells */
};

/* A reduction: places of the result, and for each of them places along the reduced axes. */
struct reduce_arguments {
  unsigned count, length;
  struct divider kept[MOST_AXES], reduced[MOST_AXES];
  int kept_from[MOST_AXES], kept_to[MOST_AXES], reduced_from[MOST_AXES];
  double scale; /* of a mean */
  void *target;
  const void *source;
  int keep_last; /* arg_reduce: of equal elements the last */
  int aligned;   /* reduce_columns: to 16 bytes */
};

/* Rows along an axis: row r starts at (r / inner) * length * inner + r % inner and goes in steps of inner. */
struct rows_arguments {
  unsigned rows, length;
  struct divider inner;
  void *target;
  const void *source;
};

struct norm_arguments {
  unsigned rows, length;
  float epsilon;
  unsigned channels;                /* group_norm: of a group */
  int aligned;                      /* layer_norm_row: to 16 bytes */
  struct divider groups;            /* group_norm */
  void *target, *mean, *inverse;    /* the last two may be null */
  const void *source, *scale, *bias; /* the last two may be null */
};

struct lrn_arguments {
  unsigned count, channels;
  struct divider plane; /* elements from channel to channel, and channels */
  struct divider channel_count;
  int before, after;
  float alpha, beta, bias; /* alpha over size */
  void *target;
  const void *source;
};

/* A window of up to three spatial axes; axes that are not there have extents and strides of one. */
struct window_arguments {
  int input[WINDOW_AXES], kernel[WINDOW_AXES], stride[WINDOW_AXES], dilation[WINDOW_AXES], pad[WINDOW_AXES];
  int pad_end[WINDOW_AXES];
  struct divider output[WINDOW_AXES];
};

struct pool_arguments {
  unsigned count;
  struct window_arguments window;
  struct divider channels;
  int from_batch, from_channel, from_axis[WINDOW_AXES], to_batch, to_channel, to_axis[WINDOW_AXES];
  int count_pads;
  float power;
  int aligned; /* pool_vector: to 16 bytes */
  void *target;
  const void *source;
};

/* What follows a convolution or a product: operand k of its expression is read at n * s0 + m * s1 + p * s2, where n is
   the batch, m the channel (of a product: the column), p the place (of a product: the row). */
struct epilogue_arguments {
  const void *operands[MOST_EPILOGUE];
  int strides[MOST_EPILOGUE][3];
};

struct conv_arguments {
  unsigned batch, groups, out_channels, in_channels; /* of a group */
  unsigned places;                                   /* of the result, of one image */
  unsigned taps;
  struct window_arguments window;
  struct divider tap[WINDOW_AXES]; /* kernel extents */
  struct divider per_group, by_place, by_channel;
  int from_batch, from_channel, from_axis[WINDOW_AXES], to_batch, to_channel, to_place;
  int w_out, w_in; /* of the filter, from output to output and from input to input */
  unsigned splits;                 /* conv_tiles: pieces of the sums, each in a block of its own */
  float *partial;                  /* with more than one: [splits, batch, channels, places] */
  void *target;
  const void *source, *filter, *bias;
  struct epilogue_arguments epilogue;
};

/* conv_chain: places are those of the layers before the last. */
struct conv_chain_arguments {
  unsigned height, width;           /* of places */
  unsigned from_height, from_width; /* of the source */
  unsigned out_height, out_width;
  unsigned out_rows, rows; /* of places with results of their own; and of a block */
  int from_batch, from_channel, from_y, from_x, to_batch, to_channel, to_y, to_x;
  void *target;
  const void *source, *weights;
  struct epilogue_arguments epilogue; /* what the last expression reads of each result */
};

/* Counts of channels are of those that a thread takes at once. */
struct depthwise_arguments {
  unsigned count; /* of threads' works */
  struct divider channels, across, height; /* across: works beside each other in a row of results */
  unsigned width;
  int input_y, input_x, pad_y, pad_x;
  int aligned; /* to 16 bytes */
  void *target;
  const void *source, *filter, *bias; /* the last may be null */
  struct epilogue_arguments epilogue;
};

struct gemm_arguments {
  unsigned m, n, k;
  struct divider across; /* blockIdx.x: tiles along the columns; a grid has more of them along x than along y */
  int a_row, a_column, b_row, b_column;
  struct divider batch[MOST_AXES]; /* blockIdx.z */
  int a_batch[MOST_AXES], b_batch[MOST_AXES];
  void *target; /* dense [batch, m, n] */
  const void *a, *b;
  struct epilogue_arguments epilogue;
};

/* A tensor as the copy engine sees it (CUtensorMap): filled by the driver, read by its instructions. */
#ifdef __cplusplus
struct alignas(64) tensor_map {
  unsigned long long words[16];
};
#else
struct tensor_map {
  _Alignas(64) unsigned long long words[16];
};
#endif

/* target[batch][rows][columns] = a b^T in steps of 64: see wgmma.cu. */
enum { MOST_COLUMN_PARTS = 4 }; /* results that columns go to */
struct wgmma_arguments {
  struct tensor_map a, b;
  struct tensor_map operand, results[MOST_COLUMN_PARTS]; /* COPIED: as the targets lie, box by box */
  unsigned rows, columns, steps, tile_count;
  struct divider tiles;              /* along the columns */
  struct divider chunks, taps;       /* steps of a place of the filter, places of its row */
  struct divider by_place, by_width; /* places of a picture, and of a row of it */
  int stride[2], pad[2], dilation[2];
  unsigned a_moves, b_moves; /* 1: from batch to batch */
  int from_batch;            /* GATHERED */
  int picture[2], channels;  /* DEPTHWISE: the source's height and width, and channels */
  void *target, *more[MOST_COLUMN_PARTS - 1]; /* of the columns' first part, and of the others */
  const void *source, *bias, *numbers;
  struct epilogue_arguments epilogue;
};

/* mma.cu: target[batch][rows][columns] = a b^T. Strides in elements. */
struct mma_arguments {
  unsigned rows, columns, depth, steps, batches; /* depth: of the sums; batches: or groups */
  struct divider tiles;                          /* along the columns */
  struct divider eights, by_rows;                /* mma_sum: pieces of a row, and rows */
  struct divider chunks, across, down;           /* pieces of a place of the filter; its places in a row, its rows */
  struct divider by_place, by_width;             /* places of a picture, and of a row of it */
  int stride[2], pad[2], dilation[2], height, width;
  int from_batch, from_c, from_y, from_x, tap_y, tap_x; /* of the source; from tap to tap */
  int a_group, b_group;                                 /* from group to group */
  int a_row, a_column, b_row, b_column;                 /* along b's rows go the sums */
  int to_batch, to_channel, to_place;
  struct divider batch[MOST_AXES];
  int a_batch[MOST_AXES], b_batch[MOST_AXES];
  float *partial; /* with splits: [splits, batches, rows, columns] */
  void *target;
  const void *source, *filter, *bias;
  struct epilogue_arguments epilogue;
};

/* An axis of resize: tap t of output o reads input index[o * taps + t] with weight[o * taps + t]. */
struct resize_arguments {
  unsigned count;
  struct divider dims[MOST_AXES]; /* of the result as stored */
  int to[MOST_AXES], from[MOST_AXES];
  int taps[MOST_AXES];
  const void *index[MOST_AXES], *weight[MOST_AXES];
  float extrapolation;
  void *target;
  const void *source;
};

/* A pass of a Fourier transform, over some of the lines: radix sums for every |part|-th element each. */
enum { MOST_RADIX = 31 };
struct fft_arguments {
  unsigned count;               /* lines * part */
  struct divider fast;          /* what goes from thread to thread: lines, or the parts of a line */
  unsigned lines, first_line;   /* of this round; its first one among all */
  unsigned length, part;        /* of what is taken apart; length / radix */
  struct divider done;          /* the radices of the passes before, multiplied */
  unsigned step, fine_bits;     /* of the table of roots: length / (done * radix); 2^fine_bits near ones come first */
  unsigned size, given;         /* terms of the transform, and of them those that x has */
  unsigned x_extent, y_extent;
  struct divider inner;         /* elements from term to term */
  double scale;
  double root[2 * MOST_RADIX];  /* exp(-2 pi i k / radix) */
  const void *roots, *chirp, *spectrum;
  const void *source; /* x, or the last pass's terms */
  void *target;
};

/* Kernels whose problems have numbers of their own: each.h names the places, so that a kernel reads EXTENT and not
   number[3]. */
enum { EACH_OPERANDS = 12, EACH_NUMBERS = 96, EACH_DIVIDERS = 32, EACH_REALS = 16 };
struct each_arguments {
  unsigned count; /* pieces of work */
  int number[EACH_NUMBERS];
  struct divider divider[EACH_DIVIDERS];
  int step; /* of which a fault tells */
  double real[EACH_REALS];
  void *operand[EACH_OPERANDS]; /* null where absent */
  void *workspace;
  const void *table;
  int *fault;
  long long *found; /* of a tactic that counts: how many results there are */
};

struct attention_arguments {
  unsigned heads, kv_heads, queries, keys, depth, value_depth;
  int q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, y_batch, y_head, y_row;
  int mask_batch, mask_head, mask_row, mask_column;
  int causal, causal_offset;
  float scale, softcap;
  void *target;
  const void *q, *k, *v, *mask;
};

/* attention_tensor: strides of batch, head and row, elements of a row lie together. */
enum { OF_BATCH, OF_HEAD, OF_ROW, OF_COLUMN, MOST_SCORE_OPERANDS = 8 };
struct attention_tensor_arguments {
  unsigned queries, keys, share; /* heads of q that take one of k and v */
  int q_strides[3], k_strides[3], v_strides[3], y_strides[3], mask_strides[4];
  int left, right; /* keys that are further from the query's own place are not seen */
  int vector;      /* all of it in pieces of 16 bytes */
  float scale, softcap;
  void *target;
  const void *q, *k, *v, *mask;
  const void *operands[MOST_SCORE_OPERANDS]; /* of the expression between the products */
  int strides[MOST_SCORE_OPERANDS][4];
};

/* attention_wgmma: boxes of 64 elements and as many rows as a tile has; moves: of batch and head, 0 where all have one. */
struct attention_wgmma_arguments {
  struct tensor_map q, k, v;
  unsigned q_moves[2], k_moves[2], v_moves[2];
  struct attention_tensor_arguments of;
};

/* peaks: independent chains of a thread, and how often a round goes through them. */
enum { PEAK_CHAINS = 8, PEAK_TURNS = 4 };
struct peak_arguments {
  unsigned rounds;
  unsigned quads; /* of 16 bytes, of |memory|, to be read a round */
  float scale;
  void *memory;
};

#endif
