/* A survey of a model: the types of its values by the names that they have in the file, whether or not Pelton could run
   it. The import goes on where it otherwise ends: a node that Pelton refuses is typed by the standard's rule for its
   operator instead (check/rules.c), which looks at less, and types that the file declares complete what is inferred, or
   contradict it. Nothing is compiled from a survey. */
#ifndef PN_IMPORT_ONNX_CHECK_SURVEY_H
#define PN_IMPORT_ONNX_CHECK_SURVEY_H

#include "base/json.h"
#include "import/onnx/scope.h"

/* What is known of a value, of types that Pelton does not have too. */
typedef struct pn_onnx_described {
  pn_onnx_type_kind kind;                  /* NONE: nothing is known */
  int32_t elem;                            /* of tensors: pn_onnx_elem, UNDEFINED when not known */
  pn_type type;                            /* of tensors: rank and dims; dtype is |elem|'s */
  const struct pn_onnx_described *element; /* of sequences and optionals; null: not known */
} pn_onnx_described;

struct pn_onnx_survey {
  PN_LIST(const char *) refusals; /* why Pelton could not run it */
  uint32_t wrong;                 /* mistakes in the model, which are in the importer's diag */
  uint32_t inner_count; /* results of subgraphs that nothing computes: a control node cannot be inferred over them */
};

pn_onnx_described pn_onnx_describe_tensor(int32_t elem, const pn_type *type);
/* What |type|, of the file, says. */
pelton_status pn_onnx_describe_type(pn_onnx_importer *importer, const pn_onnx_type *type,
                                    pn_onnx_described *out) PN_CHECKED;
/* What is known of |name| now. */
pelton_status pn_onnx_describe_name(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name,
                                    pn_onnx_described *out) PN_CHECKED;

/* ---- for the importer ------------------------------------------------------------------------------------------ */

/* Keeps the messages since |mark| as reasons why Pelton could not run the model, and takes them from the diag. */
pelton_status pn_onnx_survey_refuse(pn_onnx_importer *importer, uint32_t mark) PN_CHECKED;
/* |name| stands for something that is no value of Pelton's. */
pelton_status pn_onnx_survey_define(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, const char *what,
                                    const pn_onnx_described *described) PN_CHECKED;
/* The graph's input |info|: one that is no value of Pelton's, or has an initializer, whose type it must then be. */
pelton_status pn_onnx_survey_input(pn_onnx_importer *importer, pn_onnx_scope *scope,
                                   const pn_onnx_value_info *info) PN_CHECKED;
/* Whether |node| is to be typed by rule even if Pelton could import it: it deals in sequences. */
bool pn_onnx_survey_by_rule(const pn_onnx_node *node);
/* Types the results of |node|, which was refused with |status| and messages from |mark| on, by rule. |wrong| is how
   many mistakes there were before: what was found wrong within its subgraphs is forgiven with it. */
pelton_status pn_onnx_survey_node(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                  int64_t opset, pn_str name, const pn_value_id *inputs, pelton_status status,
                                  uint32_t mark, uint32_t wrong) PN_CHECKED;
/* Completes the types of the results of a node that was imported, call->outputs, by the operator's rule if it has one
   for that, and by what the file declares. |first_node| is the first node that it added. */
pelton_status pn_onnx_survey_refine(const pn_onnx_call *call, pn_onnx_scope *scope, uint32_t first_node) PN_CHECKED;

/* The members "format", "values" and "refused" of an object that is open. */
pelton_status pn_onnx_survey_write(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_json *json) PN_CHECKED;

/* ---- rules ----------------------------------------------------------------------------------------------------- */

typedef struct pn_onnx_rule_call {
  pn_onnx_call *call; /* for attributes and constants; |outputs| are not set */
  pn_symbols *symbols;
  const pn_onnx_described *in; /* call->input_count of them; kind NONE: left out or not known */
  pn_onnx_described *out;      /* call->output_count; filled from the operator's row, to be completed */
} pn_onnx_rule_call;

typedef pelton_status pn_onnx_rule_function(pn_onnx_rule_call *r);

/* What a rule is for, beside nodes that Pelton cannot import. */
enum {
  PN_ONNX_RULE_FORGIVES = 1, /* nodes that Pelton refused as invalid: the standard looks at less */
  PN_ONNX_RULE_REFINES = 2,  /* what Pelton could not tell of a node it imported */
  PN_ONNX_RULE_ALWAYS = 4    /* Pelton is not asked */
};

typedef struct pn_onnx_rule {
  const char *name;
  pn_onnx_rule_function *infer; /* null: what the operator's row says is all */
  uint32_t use;                 /* PN_ONNX_RULE_... */
} pn_onnx_rule;

typedef struct pn_onnx_rules {
  const pn_onnx_rule *rows;
  uint32_t count;
} pn_onnx_rules;

extern const pn_onnx_rules pn_onnx_rules_tensor, pn_onnx_rules_sequence;

#endif
