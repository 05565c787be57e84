/* text_match: which texts a regular expression matches as a whole. */
#include "op/operand.h"
#include "op/text/regex.h"
#include "op/text/strings.h"

pelton_status pn_check_text_match(const pn_infer *c) {
  const pn_attrs_text_match *attrs = c->attrs;
  pn_arena scratch;
  pn_regex *regex;
  PN_TRY(pn_operand_wants_texts(c, "text_match", 0, "the operand"));
  pn_arena_init(&scratch, c->arena->allocator);
  const pelton_status status = pn_regex_compile(attrs->pattern, &scratch, &regex, c->diag);
  pn_arena_deinit(&scratch);
  return status;
}

pelton_status pn_infer_text_match(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.dtype = PELTON_DTYPE_BOOL;
  return PELTON_OK;
}

pelton_status pn_reference_text_match(const pn_call *call) {
  const pn_attrs_text_match *attrs = call->attrs;
  const int64_t count = pn_tensor_elements(&call->in[0]);
  uint8_t *y = call->out[0].data;
  pn_regex *regex;
  PN_TRY(pn_regex_compile(attrs->pattern, call->scratch, &regex, call->diag));
  for (int64_t i = 0; i < count; i++) y[i] = pn_regex_matches(regex, pn_tensor_str(&call->in[0], i));
  return PELTON_OK;
}
