/* Segments that end with a node whose results have a size that only the run tells: on the device its results lie in
   memory for the most that they can have (plan/counted.c), of which the run takes as much as was counted there. That
   number is all that comes to the host, since what follows is planned for its size. */
#include "runtime/frame.h"

bool pn_frame_may_count(const pn_frame *frame, uint32_t node) {
  return node < frame->graph->nodes.count && !pn_frame_is_host(frame) &&
         (pn_op_get(frame->graph->nodes.data[node].op)->flags & PN_OP_DATA_SHAPE);
}

pelton_status pn_segment_end_counted(const pn_frame *frame, pn_segment *s, pn_facts *facts, pn_arena *arena,
                                     pelton_diag *diag) {
  const pelton_engine *engine = frame->machine->engine;
  if (!pn_frame_may_count(frame, s->end_node)) return PELTON_OK;
  PN_TRY(pn_plan_count(frame->graph, s->end_node, engine->target, engine->device, facts, arena, &s->counted, diag));
  s->end_node += s->counted.takes;
  return PELTON_OK;
}

bool pn_segment_counts(const pn_frame *frame, const pn_segment *s, pn_value_id v) {
  const pn_value *value = &frame->graph->values.data[v.v];
  return s->counted.takes && pn_node_valid(value->producer) && value->producer.v + 1 == s->end_node &&
         s->counted.axes[value->output_index] >= 0;
}

pelton_status pn_frame_learn_count(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_node *node = &frame->graph->nodes.data[s->end_node - 1];
  int64_t count = 0;
  if (!s->plan->counts) return PELTON_OK;
  PN_TRY(m->engine->target->download(m->stream, &count, (const char *)m->arena + s->plan->count_offset, sizeof count,
                                     diag));
  for (uint32_t i = 0; i < s->output_count; i++) {
    if (!pn_segment_counts(frame, s, s->outputs[i])) continue;
    int64_t *extent =
        &frame->values[s->outputs[i].v].dims[s->counted.axes[frame->graph->values.data[s->outputs[i].v].output_index]];
    if (count < 0 || count > *extent)
      return pn_fail(diag, PELTON_DEVICE_ERROR, "node '%.*s': the device counted %lld results of at most %lld",
                     PN_STR_ARG(node->name), (long long)count, (long long)*extent);
    *extent = count;
  }
  return PELTON_OK;
}
