/* A server's workers, one a context: each takes what waits at its device, else what waits at another's, runs it, and
   answers it. And what happens when a device fails: one failed call is the matter of the request that met it; a device
   that can no longer be used is closed, and what waits there moves on. */
#include "runtime/server.h"

#include <string.h>

enum { WARM_RUNS = 3 }; /* as it comes, once more, recorded */

/* ---- lists ---------------------------------------------------------------------------------------------------------
 */

/* The device with the least to do, the first of equals: one request after the other then stays where everything is
   warm (on two H200 taking turns took 0.59 ms instead of 0.43). Null when none is left but |except|. */
static pn_served *choose(pelton_server *server, const pn_served *except) {
  pn_served *best = NULL;
  uint32_t least = 0;
  for (uint32_t i = 0; i < server->served_count; i++) {
    pn_served *d = &server->served[i];
    uint32_t load = atomic_load_explicit(&d->load, memory_order_relaxed);
    if (d == except || atomic_load(&d->lost) || (best && load >= least)) continue;
    best = d;
    least = load;
  }
  return best;
}

static bool put_at(pn_served *d, pelton_request *r) {
  (void)pthread_mutex_lock(&d->lock);
  const bool open = !atomic_load(&d->lost) && !atomic_load(&d->server->cancelling);
  if (open) {
    r->next = NULL;
    if (d->last)
      d->last->next = r;
    else
      d->first = r;
    d->last = r;
    atomic_fetch_add(&d->waiting, 1);
    atomic_fetch_add(&d->load, 1);
    atomic_fetch_add(&d->server->waiting, 1);
    if (d->asleep) (void)pthread_cond_signal(&d->work);
  }
  (void)pthread_mutex_unlock(&d->lock);
  return open;
}

bool pn_server_put(pelton_server *server, pelton_request *r, const pn_served *last_choice) {
  for (;;) {
    pn_served *d = choose(server, last_choice);
    if (!d) d = choose(server, NULL);
    if (!d || atomic_load(&server->cancelling)) return false;
    if (put_at(d, r)) return true; /* else it was lost in between */
  }
}

/* The first that waits, now |by|'s to run. Under the lock of |d|. */
static pelton_request *pop(pn_served *d, pn_served *by) {
  pelton_request *r = d->first;
  if (!r) return NULL;
  d->first = r->next;
  if (!d->first) d->last = NULL;
  atomic_fetch_sub(&d->waiting, 1);
  atomic_fetch_sub(&d->server->waiting, 1);
  if (d != by) {
    atomic_fetch_add(&by->load, 1);
    atomic_fetch_sub(&d->load, 1);
  }
  return r;
}

pelton_request *pn_served_take_all(pn_served *d) {
  (void)pthread_mutex_lock(&d->lock);
  pelton_request *all = d->first;
  for (pelton_request *r = all; r; r = r->next) {
    atomic_fetch_sub(&d->waiting, 1);
    atomic_fetch_sub(&d->load, 1);
    atomic_fetch_sub(&d->server->waiting, 1);
  }
  d->first = d->last = NULL;
  (void)pthread_mutex_unlock(&d->lock);
  return all;
}

/* From the device with the longest list. */
static pelton_request *take_from_others(pn_served *own) {
  pelton_server *server = own->server;
  pn_served *from = NULL;
  uint32_t most = 0;
  if (!atomic_load_explicit(&server->waiting, memory_order_relaxed)) return NULL;
  for (uint32_t i = 0; i < server->served_count; i++) {
    uint32_t waiting = atomic_load_explicit(&server->served[i].waiting, memory_order_relaxed);
    if (&server->served[i] == own || waiting <= most) continue;
    most = waiting;
    from = &server->served[i];
  }
  if (!from) return NULL;
  (void)pthread_mutex_lock(&from->lock);
  pelton_request *r = pop(from, own);
  (void)pthread_mutex_unlock(&from->lock);
  return r;
}

/* The next request; null when the worker has to end. */
static pelton_request *take(pn_served *d) {
  for (;;) {
    (void)pthread_mutex_lock(&d->lock);
    const bool end = atomic_load(&d->lost) || atomic_load(&d->server->closing);
    pelton_request *r = end ? NULL : pop(d, d);
    (void)pthread_mutex_unlock(&d->lock);
    if (r || end) return r;
    r = take_from_others(d);
    if (r) return r;
    (void)pthread_mutex_lock(&d->lock);
    if (!d->first && !atomic_load(&d->lost) && !atomic_load(&d->server->closing)) {
      d->asleep++;
      (void)pthread_cond_wait(&d->work, &d->lock);
      d->asleep--;
    }
    (void)pthread_mutex_unlock(&d->lock);
  }
}

/* ---- answers -------------------------------------------------------------------------------------------------------
 */

void pn_server_answer(pelton_server *server, pelton_request *r, pelton_status status, const pelton_diag *reasons) {
  pn_request_answer(r, status, reasons);
  if (atomic_fetch_sub(&server->open, 1) != 1 || !atomic_load(&server->refusing)) return;
  (void)pthread_mutex_lock(&server->lock);
  (void)pthread_cond_broadcast(&server->change);
  (void)pthread_mutex_unlock(&server->lock);
}

/* ---- failures ------------------------------------------------------------------------------------------------------
 */

/* Closes the device, and sends what waits there elsewhere. */
static void close_device(pn_served *d, const pelton_diag *reasons) {
  pelton_server *server = d->server;
  const pelton_log *log = &d->engine->log;
  (void)pthread_mutex_lock(&d->lock);
  const bool first = !atomic_load(&d->lost);
  if (first) {
    const char *text = pelton_diag_message(reasons, 0);
    size_t bytes = strlen(text);
    if (bytes >= sizeof d->reason) bytes = sizeof d->reason - 1;
    memcpy(d->reason, text, bytes);
    d->reason[bytes] = 0;
    atomic_store(&d->lost, true);
    (void)pthread_cond_broadcast(&d->work);
  }
  (void)pthread_mutex_unlock(&d->lock);
  if (!first) return;
  if (log->write) log->write(log->self, PELTON_LOG_WARNING, d->reason);
  for (pelton_request *r = pn_served_take_all(d), *next; r; r = next) {
    next = r->next;
    if (!pn_server_put(server, r, d)) pn_server_answer(server, r, PELTON_DEVICE_ERROR, reasons);
  }
}

/* Whether the device is to blame for |status|; when it is lost it is closed. */
static bool blame(pn_worker *w, pelton_status status) {
  pn_served *d = w->served;
  if (status != PELTON_DEVICE_ERROR && status != PELTON_OUT_OF_MEMORY) return false;
  const bool lost = pn_context_probe(w->context, NULL) == PELTON_DEVICE_ERROR;
  if (!lost) return status == PELTON_DEVICE_ERROR;
  pn_diag_prefix(&w->diag, 0, "%s device %u is lost, and with it what it was running", d->engine->target->name,
                 d->index);
  close_device(d, &w->diag);
  return true;
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

static void *allocate_output(void *self, const pelton_output_request *what) {
  pelton_request *r = ((pn_worker *)self)->current;
  pn_release(r->allocator, r->owned[what->index]);
  return r->owned[what->index] = pn_alloc_raw(r->allocator, what->bytes + 1, 64);
}

static void run(pn_worker *w, pelton_request *r) {
  pn_served *d = w->served;
  pelton_server *server = d->server;
  if (atomic_load(&d->lost)) { /* since it was taken */
    atomic_fetch_sub(&d->load, 1);
    if (pn_server_put(server, r, d)) return;
    pelton_diag_init(&w->diag);
    (void)pn_fail(&w->diag, PELTON_DEVICE_ERROR, "no device is left: %s", d->reason);
    pn_server_answer(server, r, PELTON_DEVICE_ERROR, &w->diag);
    return;
  }
  pelton_diag_init(&w->diag);
  pn_request_reset(r);
  w->current = r;
  pelton_status status =
      pelton_context_run(w->context, r->inputs, r->input_count, r->outputs, r->output_count, &w->diag);
  if (!status) status = pn_request_keep(r, &w->diag);
  w->current = NULL;
  const bool device = status && blame(w, status);
  if (device) {
    atomic_fetch_add(&d->failed, 1);
    status = PELTON_DEVICE_ERROR;
  }
  atomic_fetch_sub(&d->load, 1);
  if (device && r->tries_left) {
    r->tries_left--;
    if (pn_server_put(server, r, d)) return;
  }
  if (!device) atomic_fetch_add(&d->answered, 1);
  atomic_store(&r->device, d->index);
  pn_server_answer(server, r, status, &w->diag);
}

/* ---- getting ready -------------------------------------------------------------------------------------------------
 */

/* Zeros for input |i| of the shape that the engine was built for; false when there is no such thing. */
static bool zeros(const pelton_engine *engine, uint32_t i, pn_arena *arena, pelton_tensor *out) {
  pelton_io_info info;
  if (pelton_engine_input(engine, i, &info) || pn_dtype_points(info.dtype)) return false;
  const bool recorded = engine->record && i < engine->record->input_shapes.count;
  out->dtype = info.dtype;
  out->shape = recorded ? engine->record->input_shapes.data[i] : info.shape;
  if (!recorded && !info.rank_known) return false;
  int64_t elements;
  for (uint32_t d = 0; d < out->shape.rank; d++)
    if (out->shape.dims[d] < 0) return false;
  if (!pn_dims_elements(out->shape.rank, out->shape.dims, pelton_dtype_bytes(info.dtype), &elements)) return false;
  out->bytes = (size_t)elements * pelton_dtype_bytes(info.dtype);
  out->data = pn_arena_alloc(arena, out->bytes + 1, 64);
  return out->data != NULL;
}

/* A failure of the device, or too little memory, is the server's; what the network thinks of zeros is not. */
static pelton_status warm_up(pn_worker *w, pelton_diag *diag) {
  const pelton_engine *engine = w->served->engine;
  const pn_graph *g = engine->image->graph;
  pn_arena arena;
  pn_arena_init(&arena, engine->allocator);
  pelton_tensor *in = PN_NEW_ARRAY(&arena, pelton_tensor, g->inputs.count + 1u);
  pelton_tensor *out = PN_NEW_ARRAY(&arena, pelton_tensor, g->outputs.count + 1u);
  pelton_status status = in && out ? PELTON_OK : pn_fail_memory(diag, "a context");
  bool known = true;
  for (uint32_t i = 0; i < g->inputs.count && !status && known; i++) known = zeros(engine, i, &arena, &in[i]);
  for (int run_index = 0; run_index < WARM_RUNS && !status && known; run_index++) {
    uint32_t mark = pn_diag_mark(diag);
    memset(out, 0, sizeof *out * g->outputs.count);
    status = pelton_context_run(w->context, in, g->inputs.count, out, g->outputs.count, diag);
    if (!status || status == PELTON_DEVICE_ERROR || status == PELTON_OUT_OF_MEMORY) continue;
    pn_diag_rewind(diag, mark);
    status = PELTON_OK;
    known = false;
  }
  pn_arena_deinit(&arena);
  return status;
}

static pelton_status prepare(pn_worker *w) {
  pelton_output_allocator allocator = {w, allocate_output};
  PN_TRY(pelton_context_create(w->served->engine, NULL, &w->context, &w->diag));
  PN_TRY(warm_up(w, &w->diag));
  return pelton_context_set_output_allocator(w->context, PELTON_ALL_OUTPUTS, &allocator, &w->diag);
}

void *pn_worker_main(void *argument) {
  pn_worker *w = argument;
  pn_served *d = w->served;
  pelton_server *server = d->server;
  pelton_diag_init(&w->diag);
  pelton_status status = prepare(w);
  (void)pthread_mutex_lock(&server->lock);
  if (status && !server->status) {
    uint32_t mark = pn_diag_mark(server->diag);
    server->status = status;
    for (uint32_t i = 0; i < w->diag.count; i++)
      (void)pn_fail(server->diag, status, "%s", pelton_diag_message(&w->diag, i));
    pn_diag_prefix(server->diag, mark, "%s device %u", d->engine->target->name, d->index);
  }
  server->ready++;
  (void)pthread_cond_broadcast(&server->change);
  (void)pthread_mutex_unlock(&server->lock);
  if (status) return NULL;
  for (pelton_request *r = take(d); r; r = take(d)) run(w, r);
  return NULL;
}
