/* What an engine will allocate, told before it does: a plan is made as a context would make it, and what settling and
   running it allocate (residence.c, residents.c, frame.c) is added up instead. */
#include "runtime/frame.h"

#include <string.h>

enum { ZEROS_BYTES = 1 << 14 }; /* as much as inference looks at of an operand, and more */

typedef struct measuring {
  pn_machine machine;
  pn_frame *frame;
  pn_residents residents;
  pn_arena arena;
} measuring;

static pelton_status make_inputs(const pelton_engine *engine, const pelton_shape *shapes, pn_arena *arena,
                                 pn_tensor **out, pelton_diag *diag) {
  const pn_graph *g = engine->image->graph;
  pn_tensor *inputs = PN_NEW_ARRAY(arena, pn_tensor, g->inputs.count + 1u);
  void *zeros = pn_arena_alloc(arena, ZEROS_BYTES, 64);
  if (!inputs || !zeros) return pn_fail_memory(diag, "a plan");
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_value *value = &g->values.data[g->inputs.data[i].v];
    const bool recorded = engine->record && i < engine->record->input_shapes.count;
    const pelton_shape *shape = shapes ? &shapes[i] : recorded ? &engine->record->input_shapes.data[i] : NULL;
    int64_t elements;
    if (pn_dtype_points(value->type.dtype))
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "input '%.*s' holds texts or sequences: nobody knows how much beforehand",
                     PN_STR_ARG(value->name));
    inputs[i] = (pn_tensor){.dtype = value->type.dtype, .data = zeros};
    inputs[i].rank = shape ? shape->rank : value->type.rank > 0 ? (uint32_t)value->type.rank : 0;
    bool fits = inputs[i].rank <= PN_MAX_RANK &&
                (shape ? value->type.rank < 0 || inputs[i].rank == (uint32_t)value->type.rank : value->type.rank >= 0);
    for (uint32_t d = 0; d < inputs[i].rank && fits; d++) {
      const pn_dim *dim = value->type.rank >= 0 ? &value->type.dims[d] : NULL;
      inputs[i].dims[d] = shape ? shape->dims[d] : pn_dim_is_number(*dim) ? dim->number : -1;
      fits = inputs[i].dims[d] >= 0 && (!dim || (inputs[i].dims[d] >= pn_dim_lower(g->symbols, *dim) &&
                                                 inputs[i].dims[d] <= pn_dim_upper(g->symbols, *dim)));
    }
    if (!fits || !pn_dims_elements(inputs[i].rank, inputs[i].dims, pelton_dtype_bytes(inputs[i].dtype), &elements))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' %s", PN_STR_ARG(value->name),
                     shape ? "cannot have the shape that is given" : "has no fixed shape: give one");
  }
  *out = inputs;
  return PELTON_OK;
}

static pelton_status add_data(measuring *m, const pn_plan *plan, const void *data, size_t bytes,
                              uint64_t *context_bytes, pelton_diag *diag) {
  if (!pn_arena_owns(&plan->arena, data)) return pn_residents_measure(&m->residents, data, bytes, diag);
  *context_bytes += bytes + 1;
  return PELTON_OK;
}

static pelton_status add_device(measuring *m, const pn_plan *plan, uint8_t *reads, pelton_device_memory *out,
                                pelton_diag *diag) {
  for (uint32_t i = 0; i < plan->steps.count; i++) {
    const pn_plan_step *step = &plan->steps.data[i];
    out->context_bytes += step->held_bytes;
    for (uint32_t k = 0; k < step->problem->operand_count; k++) {
      const pn_place *place = &step->places[k];
      if (place->kind == PN_PLACE_INPUT) reads[place->index] = 1;
      if (place->kind == PN_PLACE_CONSTANT && !step->tactic->host_constants)
        PN_TRY(add_data(m, plan, place->data, place->bytes, &out->context_bytes, diag));
    }
    if (step->packed_bytes) PN_TRY(add_data(m, plan, step->packed, step->packed_bytes, &out->context_bytes, diag));
  }
  for (uint32_t i = 0; i < plan->input_count; i++)
    if (reads[i]) out->context_bytes += plan->inputs[i].bytes + PN_SLOT_SPARE;
  out->weight_bytes = m->residents.bytes;
  return PELTON_OK;
}

static pelton_status measure(measuring *m, const pelton_shape *shapes, pelton_device_memory *out, pelton_diag *diag) {
  pelton_engine *engine = m->machine.engine;
  pn_tensor *inputs = NULL;
  const pn_plan *plan = NULL;
  pelton_memory_info info;
  PN_TRY(make_inputs(engine, shapes, &m->arena, &inputs, diag));
  PN_TRY(pn_frame_create(&m->machine, engine->image->graph, &m->frame, diag));
  PN_TRY(pn_frame_plan(m->frame, inputs, &plan, diag));
  uint8_t *reads = PN_NEW_ARRAY(&m->arena, uint8_t, plan->input_count + 1u);
  if (!reads) return pn_fail_memory(diag, "a plan");
  out->context_bytes = plan->arena_bytes + plan->workspace_bytes + PN_SLOT_SPARE;
  for (uint32_t i = 0; i < plan->output_count; i++) out->context_bytes += plan->outputs[i].bytes + PN_SLOT_SPARE;
  if (!engine->target->host_memory) return add_device(m, plan, reads, out, diag);
  PN_TRY(pelton_engine_memory(engine, &info));
  out->weight_bytes = info.weight_bytes;
  return PELTON_OK;
}

pelton_status pelton_engine_device_memory(pelton_engine *engine, const pelton_shape *shapes,
                                          pelton_device_memory *given, pelton_diag *diag) {
  if (!engine || !given)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_engine_device_memory: engine and out must not be null");
  measuring m = {.machine = {.engine = engine, .measuring = true}};
  pelton_device_memory out = {(uint32_t)sizeof out, 0, 0};
  pn_arena_init(&m.arena, engine->allocator);
  pn_arena_init(&m.machine.scratch, engine->allocator);
  pn_arena_init(&m.machine.lasting, engine->allocator);
  pn_arena_init(&m.machine.profile_arena, engine->allocator);
  void *was = pn_engine_enter(engine);
  pelton_status status = pn_residents_init(&m.residents, engine->allocator, diag);
  if (!status) status = measure(&m, shapes, &out, diag);
  pn_frame_release(m.frame);
  pn_residents_deinit(&m.residents, engine->target, engine->device);
  pn_engine_leave(engine, was);
  pn_arena_deinit(&m.machine.profile_arena);
  pn_arena_deinit(&m.machine.lasting);
  pn_arena_deinit(&m.machine.scratch);
  pn_arena_deinit(&m.arena);
  if (status) return status;
  out.size = given->size;
  memcpy(given, &out, given->size < sizeof out ? given->size : sizeof out);
  return PELTON_OK;
}
