/* The words that enumerated attributes take: C name and text, stated once. */
#ifndef PN_OP_ENUMS_H
#define PN_OP_ENUMS_H

#define PN_ENUM_auto_pad(X) \
  X(PN_AUTO_PAD_NOTSET, "notset") X(PN_AUTO_PAD_SAME_UPPER, "same_upper") X(PN_AUTO_PAD_SAME_LOWER, "same_lower") \
  X(PN_AUTO_PAD_VALID, "valid")
#define PN_ENUM_pool_kind(X) X(PN_POOL_MAX, "max") X(PN_POOL_AVERAGE, "average") X(PN_POOL_LP, "lp")
#define PN_ENUM_reduce_kind(X)                                                                                  \
  X(PN_REDUCE_SUM, "sum") X(PN_REDUCE_MEAN, "mean") X(PN_REDUCE_MAX, "max") X(PN_REDUCE_MIN, "min")              \
  X(PN_REDUCE_PROD, "prod") X(PN_REDUCE_L1, "l1") X(PN_REDUCE_L2, "l2") X(PN_REDUCE_LOG_SUM, "log_sum")           \
  X(PN_REDUCE_LOG_SUM_EXP, "log_sum_exp") X(PN_REDUCE_SUM_SQUARE, "sum_square")
#define PN_ENUM_arg_kind(X) X(PN_ARG_MAX, "max") X(PN_ARG_MIN, "min")
#define PN_ENUM_cum_kind(X) X(PN_CUM_SUM, "sum") X(PN_CUM_PROD, "prod")
#define PN_ENUM_norm_kind(X) X(PN_NORM_MEAN, "mean") X(PN_NORM_RMS, "rms")
#define PN_ENUM_pad_mode(X) \
  X(PN_PAD_CONSTANT, "constant") X(PN_PAD_REFLECT, "reflect") X(PN_PAD_EDGE, "edge") X(PN_PAD_WRAP, "wrap")
#define PN_ENUM_scatter_reduction(X) \
  X(PN_SCATTER_NONE, "none") X(PN_SCATTER_ADD, "add") X(PN_SCATTER_MUL, "mul") X(PN_SCATTER_MAX, "max") \
  X(PN_SCATTER_MIN, "min")
#define PN_ENUM_recurrent_kind(X) X(PN_RECURRENT_RNN, "rnn") X(PN_RECURRENT_GRU, "gru") X(PN_RECURRENT_LSTM, "lstm")
#define PN_ENUM_direction(X) \
  X(PN_DIRECTION_FORWARD, "forward") X(PN_DIRECTION_REVERSE, "reverse") X(PN_DIRECTION_BOTH, "bidirectional")
#define PN_ENUM_resize_mode(X) X(PN_RESIZE_NEAREST, "nearest") X(PN_RESIZE_LINEAR, "linear") X(PN_RESIZE_CUBIC, "cubic")
#define PN_ENUM_resize_coordinates(X)                                                                      \
  X(PN_COORD_HALF_PIXEL, "half_pixel") X(PN_COORD_HALF_PIXEL_SYMMETRIC, "half_pixel_symmetric")             \
  X(PN_COORD_PYTORCH_HALF_PIXEL, "pytorch_half_pixel") X(PN_COORD_ALIGN_CORNERS, "align_corners")           \
  X(PN_COORD_ASYMMETRIC, "asymmetric") X(PN_COORD_TF_HALF_PIXEL_FOR_NN, "tf_half_pixel_for_nn")             \
  X(PN_COORD_TF_CROP_AND_RESIZE, "tf_crop_and_resize")
#define PN_ENUM_resize_rounding(X)                                                                          \
  X(PN_ROUND_PREFER_FLOOR, "round_prefer_floor") X(PN_ROUND_PREFER_CEIL, "round_prefer_ceil")               \
  X(PN_ROUND_FLOOR, "floor") X(PN_ROUND_CEIL, "ceil")
#define PN_ENUM_resize_policy(X) \
  X(PN_POLICY_STRETCH, "stretch") X(PN_POLICY_NOT_LARGER, "not_larger") X(PN_POLICY_NOT_SMALLER, "not_smaller")
#define PN_ENUM_grid_padding(X)                                                                                        \
  X(PN_GRID_ZEROS, "zeros") X(PN_GRID_BORDER, "border") X(PN_GRID_REFLECTION, "reflection")
#define PN_ENUM_depth_mode(X) X(PN_DEPTH_DCR, "dcr") X(PN_DEPTH_CRD, "crd")
#define PN_ENUM_roi_mode(X) X(PN_ROI_AVERAGE, "average") X(PN_ROI_MAX, "max")
#define PN_ENUM_roi_coordinates(X) X(PN_ROI_HALF_PIXEL, "half_pixel") X(PN_ROI_OUTPUT_HALF_PIXEL, "output_half_pixel")
#define PN_ENUM_pixel_format(X) X(PN_PIXEL_RGB, "rgb") X(PN_PIXEL_BGR, "bgr") X(PN_PIXEL_GRAYSCALE, "grayscale")
#define PN_ENUM_linear_rule(X)                                                              \
  X(PN_LINEAR_RULE_LINEAR, "linear") X(PN_LINEAR_RULE_GATED, "gated")                       \
  X(PN_LINEAR_RULE_DELTA, "delta") X(PN_LINEAR_RULE_GATED_DELTA, "gated_delta")
#define PN_ENUM_text_case(X) \
  X(PN_TEXT_CASE_NONE, "none") X(PN_TEXT_CASE_LOWER, "lower") X(PN_TEXT_CASE_UPPER, "upper")
#define PN_ENUM_tf_idf_mode(X) X(PN_TF_IDF_TF, "tf") X(PN_TF_IDF_IDF, "idf") X(PN_TF_IDF_TFIDF, "tfidf")

#define PN_ENUM_VALUE(value, text) value,
#define PN_ENUM_TEXT(value, text) text,
/* One enum each: `pn_pool_kind` with PN_POOL_MAX, ... */
#define PN_ENUM_DECLARE(name) typedef enum pn_##name { PN_ENUM_##name(PN_ENUM_VALUE) PN_##name##_count } pn_##name;
#define PN_ENUMS(X)                                                                                              \
  X(auto_pad) X(pool_kind) X(reduce_kind) X(arg_kind) X(cum_kind) X(norm_kind) X(pad_mode) X(scatter_reduction)   \
  X(recurrent_kind) X(direction) X(resize_mode) X(resize_coordinates) X(resize_rounding) X(resize_policy)         \
  X(grid_padding) X(depth_mode) X(roi_mode) X(roi_coordinates) X(pixel_format) X(linear_rule) X(text_case)        \
  X(tf_idf_mode)
PN_ENUMS(PN_ENUM_DECLARE)

#endif
