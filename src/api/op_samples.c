#include "api/op_samples.h"

#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "plan/planner.h"

/* Inputs and nodes of a graph whose result is %y; '$' stands for the type. Operators without a row take one operand, of
   four axes. Larger than what inference computes while planning, where that would leave nothing to run. */
static const struct {
  pn_op op;
  const char *inputs, *nodes;
} samples[] = {
    {PN_OP_POINTWISE, "%a: $[2,4,8,8], %b: $[2,4,8,8]", "%y = pointwise(%a, %b) expr=\"add(x0,x1)\""},
    {PN_OP_POINTWISE, "%a: $[2,4,8,8]", "%y = pointwise(%a) expr=\"x0\""},
    {PN_OP_CONV, "%x: $[1,16,8,8]", "%w: $[32,16,3,3] = const random(1)\n  %y = conv(%x, %w)"},
    {PN_OP_CONV, "%x: $[1,16,8,8]", "%w: $[16,1,3,3] = const random(1)\n  %y = conv(%x, %w) group=16"},
    {PN_OP_CONV, "%x: $[1,16,8,8]", "%w: $[1,16,3,3] = const random(1)\n  %y = conv(%x, %w)"},
    {PN_OP_CONV, "%x: $[1,3,32,32]", "%w: $[16,3,7,7] = const random(1)\n  %y = conv(%x, %w) strides=[2,2]"},
    {PN_OP_CONV, "%x: $[1,16,8,8], %w: $[32,16,3,3]", "%y = conv(%x, %w)"},
    {PN_OP_CONV_TRANSPOSE, "%x: $[1,16,8,8]",
     "%w: $[16,8,2,2] = const random(1)\n  %y = conv_transpose(%x, %w) strides=[2,2]"},
    {PN_OP_CONV_INTEGER, "%x: $[1,16,8,8]", "%w: $[32,16,3,3] = const random(1)\n  %y = conv_integer(%x, %w)"},
    {PN_OP_DEFORM_CONV, "%x: $[1,4,8,8], %w: $[4,4,3,3], %o: $[1,18,6,6]", "%y = deform_conv(%x, %w, %o)"},
    {PN_OP_COL2IM, "%x: $[1,12,4]",
     "%image: i64[2] = const [4, 4]\n  %block: i64[2] = const [2, 2]\n  %y = col2im(%x, %image, %block) strides=[2,2]"},
    {PN_OP_MATMUL, "%x: $[8,16]", "%w: $[16,32] = const random(1)\n  %y = matmul(%x, %w)"},
    {PN_OP_MATMUL, "%a: $[2,8,16], %b: $[2,16,8]", "%y = matmul(%a, %b)"},
    {PN_OP_MATMUL_INTEGER, "%x: $[8,16]", "%w: $[16,32] = const random(1)\n  %y = matmul_integer(%x, %w)"},
    {PN_OP_EINSUM, "%a: $[8,16], %b: $[16,8]", "%y = einsum(%a, %b) equation=\"ij,jk->ik\""},
    {PN_OP_DET, "%x: $[2,4,4]", "%y = det(%x)"},
    {PN_OP_DFT, "%x: $[2,16,1]", "%y = dft(%x)"},
    {PN_OP_POOL, "%x: $[2,4,8,8]", "%y = pool(%x) kernel=[2,2]"},
    {PN_OP_POOL, "%x: $[2,4,8,8]", "%y = pool(%x) kind=average kernel=[2,2]"},
    {PN_OP_MAX_UNPOOL, "%x: $[1,2,4,4], %i: i64[1,2,4,4]", "%y = max_unpool(%x, %i) kernel=[2,2] strides=[2,2]"},
    {PN_OP_REDUCE, "%x: $[2,4,8,8]", "%axes: i64[1] = const [1]\n  %y = reduce(%x, %axes)"},
    {PN_OP_CUMULATE, "%x: $[2,4,8,8], %axis: i64[]", "%y = cumulate(%x, %axis)"},
    {PN_OP_GROUP_NORM, "%x: $[2,4,8,8]", "%y = group_norm(%x) groups=2"},
    {PN_OP_BATCH_NORM, "%x: $[2,4,8,8], %s: $[4], %b: $[4], %m: $[4], %v: $[4]", "%y = batch_norm(%x, %s, %b, %m, %v)"},
    {PN_OP_LRN, "%x: $[2,4,8,8]", "%y = lrn(%x) size=3"},
    {PN_OP_RESHAPE, "%x: $[2,4,8,8]", "%shape: i64[2] = const [2, -1]\n  %y = reshape(%x, %shape)"},
    {PN_OP_UNSQUEEZE, "%x: $[2,4,8,8]", "%axes: i64[1] = const [0]\n  %y = unsqueeze(%x, %axes)"},
    {PN_OP_BITCAST, "%x: $[2,4,8,8]", "%y = bitcast(%x) to=$"},
    {PN_OP_EXPAND, "%x: $[2,4,8,8]", "%shape: i64[5] = const [3, 2, 4, 8, 8]\n  %y = expand(%x, %shape)"},
    {PN_OP_TILE, "%x: $[2,4,8,8]", "%repeats: i64[4] = const [1, 1, 1, 2]\n  %y = tile(%x, %repeats)"},
    {PN_OP_SLICE, "%x: $[2,4,8,8]",
     "%starts: i64[1] = const [1]\n  %ends: i64[1] = const [3]\n  %axes: i64[1] = const [2]\n"
     "  %y = slice(%x, %starts, %ends, %axes)"},
    {PN_OP_SPLIT, "%x: $[2,4,8,8]", "%y, %z = split(%x) axis=2"},
    {PN_OP_CONCAT, "%x: $[2,4,8,8]", "%y = concat(%x, %x) axis=1"},
    {PN_OP_PAD, "%x: $[2,4,8,8]", "%pads: i64[8] = const [0, 0, 1, 1, 0, 0, 1, 1]\n  %y = pad(%x, %pads)"},
    {PN_OP_GATHER, "%x: $[8,16], %i: i64[4]", "%y = gather(%x, %i)"},
    {PN_OP_GATHER_ELEMENTS, "%x: $[8,16], %i: i64[4,16]", "%y = gather_elements(%x, %i)"},
    {PN_OP_GATHER_ND, "%x: $[8,16], %i: i64[4,1]", "%y = gather_nd(%x, %i)"},
    {PN_OP_SCATTER_ELEMENTS, "%x: $[8,16], %i: i64[4,16], %u: $[4,16]", "%y = scatter_elements(%x, %i, %u)"},
    {PN_OP_SCATTER_ND, "%x: $[8,16], %i: i64[4,1], %u: $[4,16]", "%y = scatter_nd(%x, %i, %u)"},
    {PN_OP_TENSOR_SCATTER, "%past: $[2,4,8,8], %u: $[2,4,2,8]", "%y = tensor_scatter(%past, %u)"},
    {PN_OP_DEPTH_TO_SPACE, "%x: $[2,4,8,8]", "%y = depth_to_space(%x) block=2"},
    {PN_OP_SPACE_TO_DEPTH, "%x: $[2,4,8,8]", "%y = space_to_depth(%x) block=2"},
    {PN_OP_REVERSE_SEQUENCE, "%x: $[8,4], %lengths: i64[4]", "%y = reverse_sequence(%x, %lengths)"},
    {PN_OP_FILL, "%v: $[1]", "%shape: i64[2] = const [80, 80]\n  %y = fill(%shape, %v)"},
    {PN_OP_RANGE, "",
     "%from: $[] = const [0]\n  %to: $[] = const [5000]\n  %step: $[] = const [1]\n  %y = range(%from, %to, %step)"},
    {PN_OP_RANGE, "", "%from: $[] = const [0]\n  %step: $[] = const [1]\n  %y = range(%from, %step, %step)"},
    {PN_OP_EYE_LIKE, "%x: $[80,80]", "%y = eye_like(%x)"},
    {PN_OP_ONE_HOT, "%i: i64[8], %v: $[2]", "%depth: i64[] = const [10]\n  %y = one_hot(%i, %depth, %v)"},
    {PN_OP_TOPK, "%x: $[2,100]", "%k: i64[1] = const [5]\n  %y, %i = topk(%x, %k)"},
    {PN_OP_COMPRESS, "%x: $[8,16], %keep: bool[8]", "%y = compress(%x, %keep)"},
    {PN_OP_NON_MAX_SUPPRESSION, "%boxes: $[1,6,4], %scores: $[1,2,6]", "%y = non_max_suppression(%boxes, %scores)"},
    {PN_OP_RESIZE, "%x: $[2,4,8,8]", "%s: f32[4] = const [1.0, 1.0, 2.0, 2.0]\n  %y = resize(%x, _, %s)"},
    {PN_OP_RESIZE, "%x: $[2,4,8,8]", "%s: f32[4] = const [1.0, 1.0, 2.0, 2.0]\n  %y = resize(%x, _, %s) mode=linear"},
    {PN_OP_GRID_SAMPLE, "%x: $[2,4,8,8], %grid: $[2,3,3,2]", "%y = grid_sample(%x, %grid)"},
    {PN_OP_AFFINE_GRID, "%theta: $[2,2,3]", "%size: i64[4] = const [2, 3, 4, 4]\n  %y = affine_grid(%theta, %size)"},
    {PN_OP_ROI_ALIGN, "%x: $[2,4,8,8], %rois: $[3,4], %of: i64[3]", "%y = roi_align(%x, %rois, %of)"},
    {PN_OP_MAX_ROI_POOL, "%x: $[2,4,8,8], %rois: $[3,5]", "%y = max_roi_pool(%x, %rois)"},
    {PN_OP_RECURRENT, "%x: $[5,2,4]",
     "%w: $[1,12,4] = const random(1)\n  %r: $[1,12,3] = const random(2)\n  %y = recurrent(%x, %w, %r) hidden=3"},
    {PN_OP_ATTENTION, "%q: $[1,2,8,16], %k: $[1,2,8,16], %v: $[1,2,8,16]", "%y = attention(%q, %k, %v)"},
    {PN_OP_LINEAR_ATTENTION, "%q: $[1,4,16], %k: $[1,4,16], %v: $[1,4,16]",
     "%y, %state = linear_attention(%q, %k, %v) rule=linear"},
    {PN_OP_ROTARY_EMBEDDING, "%x: $[1,2,4,8], %cos: $[1,4,4], %sin: $[1,4,4]", "%y = rotary_embedding(%x, %cos, %sin)"},
    {PN_OP_QUANTIZE, "%x: $[2,4], %s: $[]", "%y = quantize(%x, %s) dtype=i8"},
    {PN_OP_DEQUANTIZE, "%x: $[2,4], %s: f32[]", "%y = dequantize(%x, %s)"},
    {PN_OP_DYNAMIC_QUANTIZE, "%x: $[2,4]", "%y, %s, %z = dynamic_quantize(%x)"},
    {PN_OP_LOOKUP, "%x: $[4], %keys: $[2], %values: i64[2], %no: i64[]", "%y = lookup(%x, %keys, %values, %no)"},
    {PN_OP_TEXT_CONCAT, "%a: $[4], %b: $[4]", "%y = text_concat(%a, %b)"},
    {PN_OP_TEXT_EQUAL, "%a: $[4], %b: $[4]", "%y = text_equal(%a, %b)"},
    {PN_OP_TEXT_SELECT, "%c: bool[4], %a: $[4], %b: $[4]", "%y = text_select(%c, %a, %b)"},
    {PN_OP_TEXT_NORMALIZE, "%x: $[4]", "%y = text_normalize(%x)"},
    {PN_OP_TF_IDF, "%x: $[4], %pool: $[2]", "%y = tf_idf(%x, %pool) gram_starts=[0] gram_columns=[0,1]"},
    {PN_OP_IMAGE_DECODE, "%x: $[n]", "%y = image_decode(%x)"},
    {PN_OP_UNBOX, "%s: tensor<$>[n], %i: i64[]", "%y = unbox(%s, %i)"},
    {PN_OP_SEQUENCE_INSERT, "%s: tensor<$>[n], %x: $[4]", "%y = sequence_insert(%s, %x)"},
    {PN_OP_SEQUENCE_ERASE, "%s: tensor<$>[n]", "%y = sequence_erase(%s)"},
    {PN_OP_CONCAT_FROM_SEQUENCE, "%s: tensor<$>[n]", "%y = concat_from_sequence(%s)"},
    {PN_OP_IF, "%c: bool[], %x: $[2]",
     "%y = if(%c, %x) then_graph={ graph yes(%v) -> (%v)\n  end } else_graph={ graph no(%v) -> (%v)\n  end }"},
    {PN_OP_LOOP, "%trips: i64[], %x: $[2]",
     "%y = loop(%trips, _, %x) body={ graph body(%i, %go, %v) -> (%go, %v)\n  end } carried_count=1"},
    {PN_OP_SCAN, "%x: $[4,2]", "%y = scan(%x) body={ graph body(%row) -> (%row)\n  end } scan_count=1"},
};

static void substitute(const char *text, pelton_dtype dtype, pn_text *out) {
  for (const char *at = text; *at; at++) {
    if (*at == '$')
      pn_text_add(out, pn_str_from(pelton_dtype_name(dtype)));
    else
      pn_text_add(out, (pn_str){at, 1});
  }
}

bool pn_op_sample_print(pn_op op, uint32_t index, pelton_dtype dtype, pn_text *out) {
  const char *inputs = NULL, *nodes = NULL;
  uint32_t seen = 0;
  for (size_t i = 0; i < PN_COUNT(samples); i++) {
    if (samples[i].op != op || seen++ != index) continue;
    inputs = samples[i].inputs;
    nodes = samples[i].nodes;
  }
  if (!inputs && (seen || index)) return false;
  pn_text_add(out, PN_STR("graph sample("));
  substitute(inputs ? inputs : "%x: $[2,4,8,8]", dtype, out);
  pn_text_add(out, PN_STR(") -> (%y)\n  "));
  if (nodes)
    substitute(nodes, dtype, out);
  else
    pn_text_printf(out, "%%y = %s(%%x)", pn_op_get(op)->name);
  pn_text_add(out, PN_STR("\nend\n"));
  return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* The sample as a verified graph in |arena|; null when the operator does not take the type, or there is none. */
static pn_graph *sample_graph(pn_op op, uint32_t index, pelton_dtype dtype, pn_arena *arena) {
  pn_text text;
  pn_graph *graph = NULL;
  pn_text_init(&text, NULL);
  bool valid = pn_op_sample_print(op, index, dtype, &text) && !text.failed;
  valid = valid && pn_graph_parse((pn_str){text.data, text.size}, arena, &graph, NULL) == PELTON_OK &&
          pn_graph_infer_types(graph, NULL) == PELTON_OK && pn_graph_verify(graph, NULL) == PELTON_OK;
  pn_text_deinit(&text);
  return valid ? graph : NULL;
}

static bool has_sample(pn_op op, uint32_t index) {
  pn_text text;
  pn_text_init(&text, NULL);
  bool has = pn_op_sample_print(op, index, PELTON_DTYPE_F32, &text);
  pn_text_deinit(&text);
  return has;
}

bool pn_op_sample_valid(pn_op op, pelton_dtype dtype) {
  bool valid = false;
  for (uint32_t i = 0; !valid && has_sample(op, i); i++) {
    pn_arena arena;
    pn_arena_init(&arena, NULL);
    valid = sample_graph(op, i, dtype, &arena) != NULL;
    pn_arena_deinit(&arena);
  }
  return valid;
}

static uint32_t add_tactic(const pn_tactic *tactic, const pn_tactic **out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (out[i] == tactic) return count;
  if (count < PN_SAMPLE_TACTICS) out[count++] = tactic;
  return count;
}

/* Those that accept |problem| in any pair of layouts. */
static uint32_t ask(const pn_problem *problem, const pn_target *target, pn_device *device, const pn_tactic **out,
                    uint32_t count) {
  pn_operand operands[16];
  pn_problem own = *problem;
  const pn_tactic *const *tactics;
  uint32_t tactic_count = target->tactics(device, &tactics);
  if (problem->operand_count > PN_COUNT(operands)) return count;
  memcpy(operands, problem->operands, sizeof *operands * problem->operand_count);
  own.operands = operands;
  for (uint32_t combo = 0; combo < PN_LAYOUT_COUNT * PN_LAYOUT_COUNT; combo++) {
    if (!pn_problem_set_layouts(&own, (pn_layout)(combo / PN_LAYOUT_COUNT), (pn_layout)(combo % PN_LAYOUT_COUNT)))
      continue;
    for (uint32_t t = 0; t < tactic_count; t++)
      if (!tactics[t]->is_reference && tactics[t]->accepts(&own, device, NULL))
        count = add_tactic(tactics[t], out, count);
  }
  return count;
}

/* Plans the one node of |graph|, and asks about its step. */
static uint32_t ask_graph(const pn_graph *graph, pn_op op, pn_arena *arena, const pn_target *target, pn_device *device,
                          const pn_tactic **out, uint32_t count) {
  pn_symbols symbols;
  pn_facts facts;
  uint32_t stopped = 0;
  pn_plan *plan = NULL;
  pn_symbols_init(&symbols, arena);
  pn_infer_options options = {NULL, 0, graph->nodes.count, true, arena, &symbols};
  if (pn_facts_create(graph, arena, &facts, NULL) || pn_graph_infer(graph, &options, &facts, &stopped, NULL) ||
      stopped < graph->nodes.count)
    return count;
  if (pn_op_get(op)->flags & PN_OP_DATA_SHAPE) { /* the last node, whose results are as large as they can be */
    pn_counted counted;
    if (pn_plan_count(graph, graph->nodes.count - 1, target, device, &facts, arena, &counted, NULL) || !counted.takes)
      return count;
  }
  pn_plan_request request = {graph,
                             &facts,
                             0,
                             graph->nodes.count,
                             graph->inputs.data,
                             graph->inputs.count,
                             graph->outputs.data,
                             graph->outputs.count};
  pn_plan_options plan_options = {.target = target, .device = device};
  if (pn_plan_create(&request, &plan_options, &pn_allocator_default, &plan, NULL)) return count;
  for (uint32_t i = 0; i < plan->steps.count; i++)
    if (plan->steps.data[i].problem->nodes[0].op == op)
      count = ask(plan->steps.data[i].problem, target, device, out, count);
  pn_plan_release(plan);
  return count;
}

uint32_t pn_op_sample_tactics(pn_op op, pelton_dtype dtype, const pn_target *target, pn_device *device,
                              const pn_tactic **out) {
  uint32_t count = 0;
  if (pn_op_get(op)->flags & (PN_OP_CONTROL | PN_OP_VIEW)) return 0;
  for (uint32_t i = 0; has_sample(op, i); i++) {
    pn_arena arena;
    pn_arena_init(&arena, NULL);
    const pn_graph *graph = sample_graph(op, i, dtype, &arena);
    if (graph) count = ask_graph(graph, op, &arena, target, device, out, count);
    pn_arena_deinit(&arena);
  }
  return count;
}
