/* Running a planned segment's steps: one by one, or, where the target can, as a recording of all of them. */
#include "base/clock.h"
#include "runtime/frame.h"

/* The value |v| as steps see it. */
static char *address_of(const pn_frame *frame, pn_value_id v) {
  return pn_frame_is_host(frame) ? frame->values[v.v].data : frame->slots[v.v].there;
}

void *pn_frame_locate(const pn_frame *frame, const pn_segment *s, const pn_place *place) {
  switch (place->kind) {
  case PN_PLACE_ARENA: return (char *)frame->machine->arena + place->offset;
  case PN_PLACE_CONSTANT: return (void *)(uintptr_t)place->data; /* operands are void *; constants are only read */
  case PN_PLACE_INPUT: return address_of(frame, s->inputs[place->index]) + place->offset;
  case PN_PLACE_OUTPUT: return address_of(frame, s->outputs[place->index]) + place->offset;
  case PN_PLACE_NONE: break;
  }
  return NULL;
}

static pelton_status run_timed(pn_machine *m, const pn_tactic *tactic, const pn_step *call, double *seconds,
                               pelton_diag *diag) {
  const pn_target *target = m->engine->target;
  if (target->timer_start) {
    PN_TRY(target->timer_start(m->stream, diag));
    PN_TRY(tactic->run(call, m->stream, diag));
    return target->timer_stop(m->stream, seconds, diag);
  }
  double start = pn_clock_seconds();
  PN_TRY(tactic->run(call, m->stream, diag));
  PN_TRY(target->stream_synchronize(m->stream, diag));
  *seconds = pn_clock_seconds() - start;
  return PELTON_OK;
}

pelton_status pn_segment_run(pn_frame *frame, const pn_segment *s, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_plan *plan = s->plan;
  void *workspace = (char *)m->arena + plan->arena_bytes;
  for (uint32_t i = 0; i < plan->steps.count; i++) {
    const pn_plan_step *step = &plan->steps.data[i];
    for (uint32_t k = 0; k < step->problem->operand_count; k++)
      frame->pointers[k] = pn_frame_locate(frame, s, &step->places[k]);
    pn_step call = {step->problem, step->config, step->state, step->packed, workspace, frame->pointers,
                    (char *)m->arena + plan->count_offset, s->first_number + i};
    uint32_t mark = pn_diag_mark(diag);
    pn_step_time time = {.step = step};
    pelton_status status =
        m->profile ? run_timed(m, step->tactic, &call, &time.seconds, diag) : step->tactic->run(&call, m->stream, diag);
    if (status) {
      pn_diag_prefix(diag, mark, "step '%.*s'", PN_STR_ARG(step->name));
      return status;
    }
    if (m->profile && !pn_list_push(&m->profile_arena, &m->times, time)) return pn_fail_memory(diag, "the profile");
  }
  return PELTON_OK;
}

/* ---- recordings ----------------------------------------------------------------------------------------------------
   From the second run at the same addresses on, the steps are one recording, which spares the host a launch a step. A
   caller who alternates between some sets of buffers gets a recording of each; the least recently used goes. */

bool pn_segment_reserve_recordings(pn_segment *s) {
  for (uint32_t i = 0; i < PN_SEGMENT_RECORDINGS; i++) {
    s->recorded[i].addresses = PN_NEW_ARRAY(&s->arena, const void *, 1u + s->input_count + s->output_count);
    if (!s->recorded[i].addresses) return false;
  }
  return true;
}

/* The address that the steps find at place |i| of the list: the arena, inputs, outputs. */
static const void *address_at(const pn_frame *frame, const pn_segment *s, uint32_t i) {
  if (i == 0) return frame->machine->arena;
  if (i > s->input_count) return address_of(frame, s->outputs[i - 1 - s->input_count]);
  return s->reads_input[i - 1] ? address_of(frame, s->inputs[i - 1]) : NULL;
}

/* The entry of this run's addresses: the one that has them, else one that is made to, without a recording. */
static pn_recorded *entry_of(const pn_frame *frame, pn_segment *s) {
  const uint32_t count = 1 + s->input_count + s->output_count;
  const pelton_engine *engine = frame->machine->engine;
  pn_recorded *oldest = &s->recorded[0];
  for (uint32_t k = 0; k < PN_SEGMENT_RECORDINGS; k++) {
    pn_recorded *r = &s->recorded[k];
    uint32_t same = 0;
    while (r->runs && same < count && r->addresses[same] == address_at(frame, s, same)) same++;
    if (same == count) return r;
    if (r->last_used < oldest->last_used) oldest = r;
  }
  if (oldest->recording) engine->target->recording_release(engine->device, oldest->recording);
  oldest->recording = NULL;
  oldest->runs = 0;
  for (uint32_t i = 0; i < count; i++) oldest->addresses[i] = address_at(frame, s, i);
  return oldest;
}

pelton_status pn_segment_record(pn_frame *frame, pn_segment *s, pelton_diag *diag) {
  pn_machine *m = frame->machine;
  const pn_target *target = m->engine->target;
  s->current = NULL;
  if (!s->recordable || m->profile || !target->record_begin) return PELTON_OK;
  s->current = entry_of(frame, s);
  s->current->last_used = ++m->clock;
  if (s->current->runs++ < 1 || s->current->recording) return PELTON_OK;
  pn_recording *recording = NULL;
  PN_TRY(target->record_begin(m->stream, diag));
  pelton_status status = pn_segment_run(frame, s, diag),
                ended = target->record_end(m->stream, &recording, status ? NULL : diag);
  if (status || ended) {
    if (recording) target->recording_release(m->engine->device, recording);
    return status ? status : ended;
  }
  s->current->recording = recording;
  return PELTON_OK;
}

pelton_status pn_segment_play(pn_frame *frame, pn_segment *s, pelton_diag *diag) {
  const pn_machine *m = frame->machine;
  if (!s->current || !s->current->recording) return pn_segment_run(frame, s, diag);
  return m->engine->target->recording_play(m->stream, s->current->recording, diag);
}

void pn_segment_forget_recordings(pn_segment *s, const pelton_engine *engine) {
  for (uint32_t i = 0; i < PN_SEGMENT_RECORDINGS; i++)
    if (s->recorded[i].recording) engine->target->recording_release(engine->device, s->recorded[i].recording);
}
