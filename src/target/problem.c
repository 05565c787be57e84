/* A problem's text is its identity: what two problems print alike is timed once. So it holds everything that a tactic
   may look at save the bytes of constants: attributes, types, shapes, layouts, which operands are constant. */
#include "target/problem.h"

#include "op/schema.h"
#include "target/tactic.h"

#include <stdarg.h>
#include <stdio.h>

int64_t pn_operand_elements(const pn_operand *operand) {
  int64_t n = 1;
  for (uint32_t i = 0; i < operand->rank; i++) n *= operand->dims[i];
  return n;
}

size_t pn_operand_bytes(const pn_operand *operand) {
  return (size_t)pn_operand_elements(operand) * pelton_dtype_bytes(operand->dtype);
}

static void print_operand(const pn_problem *p, uint16_t index, pn_text *out) {
  if (index == PN_NO_OPERAND) {
    pn_text_printf(out, "_");
    return;
  }
  const pn_operand *o = &p->operands[index];
  if (o->role == PN_OPERAND_INTERNAL) {
    pn_text_printf(out, "t%u", index);
    return;
  }
  pn_text_printf(out, "%s[", pelton_dtype_name(o->dtype));
  for (uint32_t i = 0; i < o->rank; i++) pn_text_printf(out, i ? ",%lld" : "%lld", (long long)o->dims[i]);
  pn_text_printf(out, "]%s%s", o->layout == PN_LAYOUT_PLAIN ? "" : ":",
                 o->layout == PN_LAYOUT_PLAIN ? "" : pn_layout_name(o->layout));
  if (o->role == PN_OPERAND_CONSTANT) pn_text_printf(out, " const");
}

void pn_problem_print(const pn_problem *p, pn_text *out) {
  for (uint32_t n = 0; n < p->node_count; n++) {
    const pn_problem_node *node = &p->nodes[n];
    pn_text_printf(out, "%s%s(", n ? "; " : "", pn_op_get(node->op)->name);
    for (uint32_t i = 0; i < node->input_count; i++) {
      if (i) pn_text_printf(out, ", ");
      print_operand(p, node->inputs[i], out);
    }
    pn_text_printf(out, ")");
    pn_attrs_print(node->op, node->attrs, NULL, out);
    pn_text_printf(out, " ->");
    for (uint32_t i = 0; i < node->output_count; i++) {
      pn_text_printf(out, i ? ", " : " ");
      print_operand(p, node->outputs[i], out);
      if (node->outputs[i] != PN_NO_OPERAND && p->operands[node->outputs[i]].role == PN_OPERAND_INTERNAL) {
        const pn_operand *o = &p->operands[node->outputs[i]];
        pn_text_printf(out, ":%s[", pelton_dtype_name(o->dtype));
        for (uint32_t d = 0; d < o->rank; d++) pn_text_printf(out, d ? ",%lld" : "%lld", (long long)o->dims[d]);
        pn_text_printf(out, "]");
      }
    }
  }
  if (p->cold) pn_text_printf(out, " # cold constants");
}

bool pn_refuse(pn_reason *why, const char *format, ...) {
  if (!why) return false;
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(why->text, sizeof why->text, format, arguments);
  va_end(arguments);
  return false;
}

bool pn_accepts_one(const pn_problem *problem, pn_op op, pn_reason *why) {
  if (problem->nodes[0].op != op) return false;
  return problem->node_count == 1 || pn_refuse(why, "%s alone", pn_op_get(op)->name);
}
