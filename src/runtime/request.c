/* A request: what the caller gave, put into the engine's order, and in the end the answer. It has two owners, the
   caller and (until it is answered) the server, so that each may go first. */
#include "runtime/server.h"

#include "op/text/strings.h"
#include "runtime/boxes.h"

#include <string.h>

/* ---- making --------------------------------------------------------------------------------------------------------
 */

/* Which of |count| |io| has |name|; |count| when none has. */
static uint32_t find(const pn_io_names *io, uint32_t count, const char *name) {
  uint32_t i = 0;
  while (i < count && strcmp(io[i].name, name) != 0) i++;
  return i;
}

static pelton_status take_inputs(pelton_request *r, const pelton_request_options *what, pelton_diag *diag) {
  const pelton_engine *engine = r->server->engine;
  uint8_t *seen = PN_NEW_ARRAY(&r->arena, uint8_t, r->input_count + 1u);
  if (!seen) return pn_fail_memory(diag, "a request");
  if (what->input_count != r->input_count || (!what->inputs && r->input_count))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the engine has %u inputs; the request gives %u", r->input_count,
                   what->inputs ? what->input_count : 0);
  for (uint32_t i = 0; i < what->input_count; i++) {
    uint32_t k = i;
    if (what->input_names && !what->input_names[i])
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the request's input %u has no name", i);
    if (what->input_names) k = find(engine->input_names, r->input_count, what->input_names[i]);
    if (k == r->input_count)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the engine has no input '%s'", what->input_names[i]);
    if (seen[k]++)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%s' is given twice", engine->input_names[k].name);
    r->inputs[k] = what->inputs[i];
  }
  return PELTON_OK;
}

static pelton_status take_outputs(pelton_request *r, const pelton_request_options *what, pelton_diag *diag) {
  const pelton_engine *engine = r->server->engine;
  const bool all = !what->output_names;
  r->wanted_count = all ? r->output_count : what->output_count;
  if (what->outputs && what->output_count != r->wanted_count)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the engine has %u outputs; the request gives memory for %u",
                   r->output_count, what->output_count);
  uint32_t *wanted = PN_NEW_ARRAY(&r->arena, uint32_t, r->wanted_count + 1u);
  pelton_tensor *given = PN_NEW_ARRAY(&r->arena, pelton_tensor, r->output_count + 1u);
  if (!wanted || !given) return pn_fail_memory(diag, "a request");
  r->wanted = wanted;
  r->given = given;
  for (uint32_t i = 0; i < r->wanted_count; i++) {
    wanted[i] = i;
    if (!all && !what->output_names[i])
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the request's output %u has no name", i);
    if (!all) wanted[i] = find(engine->output_names, r->output_count, what->output_names[i]);
    if (wanted[i] == r->output_count)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the engine has no output '%s'", what->output_names[i]);
    if (!what->outputs || !what->outputs[i].data) continue;
    if (given[wanted[i]].data)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "output '%s' is to be written to two places",
                     engine->output_names[wanted[i]].name);
    given[wanted[i]].data = what->outputs[i].data;
    given[wanted[i]].bytes = what->outputs[i].bytes;
  }
  return PELTON_OK;
}

static void destroy(pelton_request *r) {
  for (uint32_t i = 0; r->owned && i < r->output_count; i++) pn_release(r->allocator, r->owned[i]);
  pn_release(r->allocator, r->reasons);
  pn_arena_deinit(&r->arena);
  (void)pthread_cond_destroy(&r->change);
  (void)pthread_mutex_destroy(&r->lock);
  pn_release(r->allocator, r);
}

pelton_status pn_request_create(pelton_server *server, const pelton_request_options *what, pelton_request **out,
                                pelton_diag *diag) {
  pelton_request *r = pn_alloc(server->allocator, sizeof *r, _Alignof(pelton_request));
  if (!r) return pn_fail_memory(diag, "a request");
  bool locked = !pthread_mutex_init(&r->lock, NULL);
  if (!locked || pthread_cond_init(&r->change, NULL)) {
    if (locked) (void)pthread_mutex_destroy(&r->lock);
    pn_release(server->allocator, r);
    return pn_fail_memory(diag, "a request");
  }
  r->server = server;
  r->allocator = server->allocator;
  pn_arena_init(&r->arena, server->allocator);
  r->input_count = server->engine->image->graph->inputs.count;
  r->output_count = server->engine->image->graph->outputs.count;
  r->tries_left = server->retries;
  r->done = what->done;
  r->self = what->self;
  atomic_init(&r->references, 2);
  atomic_init(&r->device, PELTON_ALL_DEVICES);
  r->inputs = PN_NEW_ARRAY(&r->arena, pelton_tensor, r->input_count + 1u);
  r->outputs = PN_NEW_ARRAY(&r->arena, pelton_tensor, r->output_count + 1u);
  r->owned = PN_NEW_ARRAY(&r->arena, void *, r->output_count + 1u);
  pelton_status status = r->inputs && r->outputs && r->owned ? PELTON_OK : pn_fail_memory(diag, "a request");
  if (!status) status = take_inputs(r, what, diag);
  if (!status) status = take_outputs(r, what, diag);
  if (status) {
    destroy(r);
    return status;
  }
  *out = r;
  return PELTON_OK;
}

void pn_request_unref(pelton_request *r) {
  if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) == 1) destroy(r);
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

void pn_request_reset(pelton_request *r) {
  for (uint32_t i = 0; i < r->output_count; i++) {
    pn_release(r->allocator, r->owned[i]);
    r->owned[i] = NULL;
    r->outputs[i] = r->given[i];
  }
}

pelton_status pn_request_keep(pelton_request *r, pelton_diag *diag) {
  const pn_graph *g = r->server->engine->image->graph;
  for (uint32_t i = 0; i < r->output_count; i++) {
    pelton_tensor *t = &r->outputs[i];
    const pn_value *value = &g->values.data[g->outputs.data[i].v];
    if (t->dtype == PELTON_DTYPE_STRING && t->data) {
      size_t count = t->bytes / sizeof(pelton_string);
      pelton_string *texts = pn_strings_copy(&r->arena, t->data, count);
      if (!texts) return pn_fail_memory(diag, "an output's texts");
      if (count) memcpy(t->data, texts, count * sizeof *texts);
    } else if (t->dtype == PELTON_DTYPE_TENSOR && t->data) {
      pn_tensor copy;
      PN_TRY(pn_boxes_take(&r->arena, value->name, &value->type, t, &copy, diag));
      if (t->bytes) memcpy(t->data, copy.data, t->bytes);
    }
  }
  return PELTON_OK;
}

void pn_request_answer(pelton_request *r, pelton_status status, const pelton_diag *reasons) {
  if (status && reasons && reasons->count) {
    r->reasons = pn_alloc_raw(r->allocator, sizeof *reasons, _Alignof(pelton_diag));
    if (r->reasons) memcpy(r->reasons, reasons, sizeof *reasons);
  }
  r->status = status;
  r->server = NULL;
  (void)pthread_mutex_lock(&r->lock);
  atomic_store_explicit(&r->answered, true, memory_order_release);
  (void)pthread_cond_broadcast(&r->change);
  (void)pthread_mutex_unlock(&r->lock);
  if (r->done) r->done(r->self, r);
  pn_request_unref(r);
}

/* ---- the caller ----------------------------------------------------------------------------------------------------
 */

uint32_t pelton_request_is_done(const pelton_request *r) {
  return r && atomic_load_explicit(&r->answered, memory_order_acquire);
}

static void wait_for(pelton_request *r) {
  if (pelton_request_is_done(r)) return;
  (void)pthread_mutex_lock(&r->lock);
  while (!atomic_load_explicit(&r->answered, memory_order_acquire)) (void)pthread_cond_wait(&r->change, &r->lock);
  (void)pthread_mutex_unlock(&r->lock);
}

pelton_status pelton_request_wait(pelton_request *r, pelton_diag *diag) {
  if (!r) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_request_wait: request must not be null");
  wait_for(r);
  if (r->status && !r->reasons)
    return pn_fail(diag, r->status, "the request failed: %s", pelton_status_name(r->status));
  for (uint32_t i = 0; r->reasons && i < r->reasons->count; i++)
    (void)pn_fail(diag, (pelton_status)r->reasons->status[i], "%s", pelton_diag_message(r->reasons, i));
  return r->status;
}

pelton_status pelton_request_output(const pelton_request *r, uint32_t index, pelton_tensor *out) {
  if (!r || !out || index >= r->wanted_count || !pelton_request_is_done(r) || r->status) return PELTON_INVALID_ARGUMENT;
  *out = r->outputs[r->wanted[index]];
  return PELTON_OK;
}

uint32_t pelton_request_device(const pelton_request *r) {
  return r && pelton_request_is_done(r) ? atomic_load(&r->device) : PELTON_ALL_DEVICES;
}

void pelton_request_release(pelton_request *r) {
  if (!r) return;
  wait_for(r);
  pn_request_unref(r);
}
