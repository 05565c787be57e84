/* The graph as text, both ways: parse(print(g)) == g. The language of dumps, pass tests and bug reports.

     graph resnet_stem(%x: f32[n<=32,3,224,224], %mask: bool[n]) -> (%y)
       %w: f32[64,3,7,7] = const 0x0000803f...        bytes as in memory; or: const [1, 2.5, -3] for up to 64 elements;
                                                      or: const random(7) for tests: seeded normal values
       %s: string[2] = const ["a", "b \"c\" \x0a"]      texts in quotes, however many
       %c: f32[n,64,112,112] = conv(%x, %w) strides=[2,2] pads=[3,3,3,3]
       %v, %i = topk(%c, %k) axis=1                   types of results may be left out: parse infers them
       %y: f32[n,64,112,112] = pointwise(%c) expr="relu(x0)"   # from "Relu_3", "conv1/relu"
       %z = if(%cond, %y) then_graph={ graph then(%a: f32[]) -> (%b) ... end } else_graph={ ... }
     end

   Names are letters, digits, '_', '.', '/'; others stand in quotes: %"a b:0", with \" \\ \xNN. A statement ends with
   its line. A comment at a node's end that begins with name "..." or from "..." is kept: its name, where that is not
   its first result's, and its provenance:
       %y = pointwise(%c) expr="relu(x0)"  # name "act1" from "Relu_3", "conv1/relu"
   Bounds of symbols that no input has bare stand behind the outputs: -> (%y) where n<=32, 1<=h<=64.
   Types that are stated must be those that are inferred; symbols known only at run time (?1) keep their numbers (but
   for sums of several of them, whose order follows from the numbers).

   A sequence of tensors of f32 is tensor<f32>[n], an optional one optional<f32>[n], an optional sequence
   optional<tensor<f32>>[n]; they have one dimension and are no constants.

   Absent operands and results are "_". Comments run from '#' to the line's end; "# from" at a node's line end is its
   provenance and is kept. Symbols' bounds are written once, where a symbol first appears: n, n<=32, 1<=n<=32. */
#ifndef PN_IR_TEXT_H
#define PN_IR_TEXT_H

#include "ir/graph.h"

/* Constants longer than |max_constant_bytes| print as "const ...(N bytes, hash 0x..)", which does not parse; 0: all
   print. */
void pn_graph_print(const pn_graph *g, size_t max_constant_bytes, pn_text *out);
/* Reads one graph. Errors name the line and what was expected. The result is inferred and verified. */
pelton_status pn_graph_parse(pn_str text, pn_arena *arena, pn_graph **out, pelton_diag *diag) PN_CHECKED;
/* Equal in structure, names, types, attributes and constants' bytes. */
bool pn_graph_equal(const pn_graph *a, const pn_graph *b);

#endif
