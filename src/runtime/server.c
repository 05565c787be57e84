#define _POSIX_C_SOURCE 200809L /* pthread_sigmask */
/* A server's life: its devices and workers, what may be submitted, how it ends, and what it says of itself. */
#include "runtime/server.h"

#include "base/json.h"

#include <signal.h>
#include <string.h>

enum { MOST_CONTEXTS = 256, MOST_DEVICES = 1024 };
/* With 2, 4 and 8 an H200 serves 3,939, 5,848 and 7,004 ResNet-50 of one picture in f16 a second. */
enum { DEVICE_CONTEXTS = 4 };

/* ---- devices -------------------------------------------------------------------------------------------------------
 */

typedef struct found {
  uint32_t index[MOST_DEVICES];
  uint32_t count;
} found;

static void add_usable(void *self, const pn_device_info *info) {
  found *f = self;
  if (!info->refusal[0] && f->count < MOST_DEVICES) f->index[f->count++] = info->index;
}

static pelton_status find_devices(const pelton_engine *engine, const pelton_server_options *options, found *f,
                                  pelton_diag *diag) {
  const pn_target *target = engine->target;
  const uint32_t own = engine->device_options.index;
  f->count = 0;
  if (options->device_count == PELTON_ALL_DEVICES && target->device_list) {
    PN_TRY(target->device_list(&engine->device_options, add_usable, f, diag));
    return f->count ? PELTON_OK : pn_fail(diag, PELTON_DEVICE_ERROR, "target %s has no usable device", target->name);
  }
  if (options->device_count == 0 || options->device_count == PELTON_ALL_DEVICES) {
    f->index[f->count++] = own;
    return PELTON_OK;
  }
  if (!options->devices || options->device_count > MOST_DEVICES)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a server of %u devices: 1 to %d indices are wanted",
                   options->device_count, (int)MOST_DEVICES);
  for (uint32_t i = 0; i < options->device_count; i++) {
    for (uint32_t k = 0; k < i; k++)
      if (options->devices[k] == options->devices[i])
        return pn_fail(diag, PELTON_INVALID_ARGUMENT, "device %u is named twice", options->devices[i]);
    PN_TRY(pn_target_has_index(target, options->devices[i], diag));
    f->index[f->count++] = options->devices[i];
  }
  return PELTON_OK;
}

static pelton_status open_served(pelton_server *server, pn_served *d, uint32_t index, pelton_diag *diag) {
  pelton_engine *engine = server->engine;
  d->server = server;
  d->index = index;
  if (pthread_mutex_init(&d->lock, NULL)) return pn_fail_memory(diag, "a server");
  if (pthread_cond_init(&d->work, NULL)) {
    (void)pthread_mutex_destroy(&d->lock);
    return pn_fail_memory(diag, "a server");
  }
  server->served_count++;
  if (index != engine->device_options.index) return pelton_engine_on_device(engine, index, &d->engine, diag);
  atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
  d->engine = engine;
  return PELTON_OK;
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

/* With all signals blocked: the host program's handlers belong on its own threads. */
static int start(pn_worker *w) {
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  int error = pthread_create(&w->thread, NULL, pn_worker_main, w);
  pthread_sigmask(SIG_SETMASK, &former, NULL);
  w->started = !error;
  return error;
}

static pelton_status start_workers(pelton_server *server, pelton_diag *diag) {
  const uint32_t count = server->served_count * server->contexts;
  server->workers = pn_alloc(server->allocator, sizeof *server->workers * count, _Alignof(pn_worker));
  if (!server->workers) return pn_fail_memory(diag, "a server");
  server->worker_count = count;
  server->diag = diag;
  pelton_status status = PELTON_OK;
  uint32_t started = 0;
  for (; started < count && !status; started++) {
    server->workers[started].served = &server->served[started % server->served_count];
    if (start(&server->workers[started])) {
      status = pn_fail(diag, PELTON_IO_ERROR, "the system refused thread %u of %u; ask for fewer contexts", started + 1,
                       count);
      break;
    }
  }
  (void)pthread_mutex_lock(&server->lock);
  while (server->ready < started) (void)pthread_cond_wait(&server->change, &server->lock);
  if (!status) status = server->status;
  server->diag = NULL;
  (void)pthread_mutex_unlock(&server->lock);
  return status;
}

static void take_name(void *self, const pn_device_info *info) {
  const pelton_server *server = self;
  for (uint32_t i = 0; i < server->served_count; i++)
    if (server->served[i].index == info->index)
      memcpy(server->served[i].name, info->name, sizeof server->served[i].name);
}

static pelton_status open_all(pelton_server *server, const pelton_server_options *options, pelton_diag *diag) {
  found f;
  PN_TRY(find_devices(server->engine, options, &f, diag));
  server->served = pn_alloc(server->allocator, sizeof *server->served * f.count, _Alignof(pn_served));
  if (!server->served) return pn_fail_memory(diag, "a server");
  for (uint32_t i = 0; i < f.count; i++) PN_TRY(open_served(server, &server->served[i], f.index[i], diag));
  const pelton_engine *engine = server->engine;
  if (engine->target->device_list) /* without names it serves as well */
    (void)engine->target->device_list(&engine->device_options, take_name, server, NULL);
  return start_workers(server, diag);
}

pelton_status pelton_server_create(pelton_engine *engine, const pelton_server_options *given, pelton_server **out,
                                   pelton_diag *diag) {
  if (!engine || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_server_create: engine and out must not be null");
  *out = NULL;
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  if (given) memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
  if (options.contexts > MOST_CONTEXTS)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%u contexts a device are asked for; %d are the most",
                   options.contexts, (int)MOST_CONTEXTS);
  pelton_server *server = pn_alloc(engine->allocator, sizeof *server, _Alignof(pelton_server));
  if (!server) return pn_fail_memory(diag, "a server");
  bool locked = !pthread_mutex_init(&server->lock, NULL);
  if (!locked || pthread_cond_init(&server->change, NULL)) {
    if (locked) (void)pthread_mutex_destroy(&server->lock);
    pn_release(engine->allocator, server);
    return pn_fail_memory(diag, "a server");
  }
  atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
  server->allocator = engine->allocator;
  server->engine = engine;
  server->contexts = options.contexts ? options.contexts : engine->target->host_memory ? 1 : DEVICE_CONTEXTS;
  server->retries = options.retries;
  server->queue_limit = options.queue_limit;
  pelton_status status = open_all(server, &options, diag);
  if (status)
    pelton_server_release(server);
  else
    *out = server;
  return status;
}

void pelton_server_stop(pelton_server *server, uint32_t cancel) {
  pelton_diag reason = PELTON_DIAG_INIT;
  if (!server) return;
  atomic_store(&server->refusing, true);
  if (cancel) {
    (void)pn_fail(&reason, PELTON_CANCELLED, "the server was stopped before the request was run");
    atomic_store(&server->cancelling, true);
    for (uint32_t i = 0; i < server->served_count; i++)
      for (pelton_request *r = pn_served_take_all(&server->served[i]), *next; r; r = next) {
        next = r->next;
        pn_server_answer(server, r, PELTON_CANCELLED, &reason);
      }
  }
  (void)pthread_mutex_lock(&server->lock);
  while (atomic_load(&server->open)) (void)pthread_cond_wait(&server->change, &server->lock);
  (void)pthread_mutex_unlock(&server->lock);
}

void pelton_server_release(pelton_server *server) {
  if (!server) return;
  const pelton_allocator *allocator = server->allocator;
  pelton_server_stop(server, 1);
  atomic_store(&server->closing, true);
  for (uint32_t i = 0; i < server->served_count; i++) { /* who saw it open waits by now, or will look again */
    (void)pthread_mutex_lock(&server->served[i].lock);
    (void)pthread_cond_broadcast(&server->served[i].work);
    (void)pthread_mutex_unlock(&server->served[i].lock);
  }
  for (uint32_t i = 0; i < server->worker_count; i++)
    if (server->workers[i].started) (void)pthread_join(server->workers[i].thread, NULL);
  for (uint32_t i = 0; i < server->worker_count; i++) pelton_context_release(server->workers[i].context);
  for (uint32_t i = 0; i < server->served_count; i++) {
    pelton_engine_release(server->served[i].engine);
    (void)pthread_cond_destroy(&server->served[i].work);
    (void)pthread_mutex_destroy(&server->served[i].lock);
  }
  pn_release(allocator, server->workers);
  pn_release(allocator, server->served);
  pelton_engine *engine = server->engine;
  (void)pthread_cond_destroy(&server->change);
  (void)pthread_mutex_destroy(&server->lock);
  pn_release(allocator, server);
  pelton_engine_release(engine);
}

/* ---- requests ------------------------------------------------------------------------------------------------------
 */

static pelton_status none_left(pelton_server *server, pelton_diag *diag) {
  if (atomic_load(&server->refusing)) return pn_fail(diag, PELTON_CANCELLED, "the server was stopped");
  for (uint32_t i = 0; i < server->served_count; i++) /* each reason stands since its device was closed */
    (void)pn_fail(diag, PELTON_DEVICE_ERROR, "no device is left: %s", server->served[i].reason);
  return PELTON_DEVICE_ERROR;
}

static void close_one(pelton_server *server) {
  if (atomic_fetch_sub(&server->open, 1) != 1 || !atomic_load(&server->refusing)) return;
  (void)pthread_mutex_lock(&server->lock);
  (void)pthread_cond_broadcast(&server->change);
  (void)pthread_mutex_unlock(&server->lock);
}

pelton_status pelton_server_submit(pelton_server *server, const pelton_request_options *given, pelton_request **out,
                                   pelton_diag *diag) {
  pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;
  pelton_request *r;
  if (out) *out = NULL;
  if (given) memcpy(&what, given, given->size < sizeof what ? given->size : sizeof what);
  if (!server || !given || (!out && !what.done))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "pelton_server_submit: server and what must not be null, nor both out and done");
  PN_TRY(pn_request_create(server, &what, &r, diag));
  atomic_fetch_add(&server->open, 1); /* before the look at |refusing|: who stops the server waits for it */
  pelton_status status = PELTON_OK;
  if (atomic_load(&server->refusing))
    status = pn_fail(diag, PELTON_CANCELLED, "the server was stopped");
  else if (server->queue_limit && atomic_load(&server->waiting) >= server->queue_limit)
    status = pn_fail(diag, PELTON_BUSY, "%u requests wait already, as many as may", server->queue_limit);
  if (out) *out = r; /* before the request can be answered: |done| may look for it there */
  if (!out) pn_request_unref(r);
  if (!status && !pn_server_put(server, r, NULL)) status = none_left(server, diag);
  if (!status) return PELTON_OK;
  if (out) *out = NULL;
  if (out) pn_request_unref(r);
  pn_request_unref(r);
  close_one(server);
  return status;
}

/* ---- what it says of itself ----------------------------------------------------------------------------------------
 */

static void write_device(pn_json *json, pn_served *d) {
  const bool lost = atomic_load(&d->lost);
  const uint32_t waiting = atomic_load(&d->waiting), load = atomic_load(&d->load);
  pn_json_object_begin(json, NULL);
  pn_json_i64(json, "index", d->index);
  pn_json_string(json, "name",
                 pn_str_from(d->name[0] ? d->name : d->engine->target->fingerprint(d->engine->device)));
  pn_json_string(json, "state", pn_str_from(lost ? "lost" : "serving"));
  if (lost) pn_json_string(json, "reason", pn_str_from(d->reason));
  pn_json_i64(json, "waiting", waiting);
  pn_json_i64(json, "running", load > waiting ? load - waiting : 0);
  pn_json_i64(json, "answered", (int64_t)atomic_load(&d->answered));
  pn_json_i64(json, "failed", (int64_t)atomic_load(&d->failed));
  pn_json_object_end(json);
}

pelton_status pelton_server_json(pelton_server *server, char **out, pelton_diag *diag) {
  if (!server || !out)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_server_json: server and out must not be null");
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  pn_json_string(&json, "target", pn_str_from(server->engine->target->name));
  pn_json_i64(&json, "contexts", server->contexts);
  pn_json_i64(&json, "unfinished", atomic_load(&server->open));
  pn_json_array_begin(&json, "devices");
  for (uint32_t i = 0; i < server->served_count; i++) write_device(&json, &server->served[i]);
  pn_json_array_end(&json);
  pn_json_object_end(&json);
  *out = text.data;
  if (!text.failed) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return pn_fail_memory(diag, "the server's state");
}
