#define _POSIX_C_SOURCE 200809L
#include "serving.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What all clients of one measurement share. */
typedef struct load {
  pelton_engine *engine;
  pelton_server *server;
  const serving_options *options;
  const tensors *inputs;
  const tensors *expected;
  numbers devices; /* of the server */
  double begin, end;
  pthread_barrier_t ready;
} load;

typedef struct client {
  load *load;
  pthread_t thread;
  pelton_tensor *outputs;
  double *seconds; /* of requests that were answered well */
  size_t count, room;
  uint64_t submitted, failed, different, by_device[MOST_NUMBERS];
  uint64_t after;   /* answered well when the device had been taken away */
  pelton_diag diag; /* of the first failure */
  pelton_status status;
} client;

typedef struct result {
  uint32_t concurrency;
  double seconds, p50, p99, max, throughput;
  uint64_t submitted, answered, failed, different, after, by_device[MOST_NUMBERS];
  const char *reason; /* of the first failure, or null; for free() */
} result;

static atomic_bool device_is_gone;

/* ---- one client ----------------------------------------------------------------------------------------------------
 */

static bool same_bytes(const pelton_request *request, const tensors *expected) {
  for (uint32_t i = 0; i < expected->count; i++) {
    pelton_tensor t;
    if (pelton_request_output(request, i, &t) || t.bytes != expected->data[i].bytes) return false;
    if (t.dtype != PELTON_DTYPE_STRING && t.dtype != PELTON_DTYPE_TENSOR && t.bytes &&
        memcmp(t.data, expected->data[i].data, t.bytes) != 0)
      return false;
  }
  return true;
}

static pelton_status submit(const load *l, const pelton_tensor *outputs, pelton_request **out, pelton_diag *diag) {
  pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;
  what.inputs = l->inputs->data;
  what.input_count = l->inputs->count;
  what.outputs = outputs;
  what.output_count = outputs ? l->expected->count : 0;
  return pelton_server_submit(l->server, &what, out, diag);
}

static void note_time(client *c, double seconds) {
  if (c->count == c->room) {
    c->room = c->room ? 2 * c->room : 1024;
    c->seconds = memory_grow(c->seconds, c->room, sizeof *c->seconds);
  }
  c->seconds[c->count++] = seconds;
}

/* One request; false when there is no device left to send another to. */
static bool one_request(client *c, bool counted) {
  const load *l = c->load;
  pelton_request *request;
  pelton_diag own = PELTON_DIAG_INIT, *diag = c->failed ? &own : &c->diag; /* the first reasons are kept */
  const double start = clock_now();
  pelton_status status = submit(l, c->outputs, &request, diag);
  const bool refused = status != PELTON_OK;
  if (!refused) status = pelton_request_wait(request, diag);
  const double seconds = clock_now() - start;
  c->submitted += counted || status;
  if (status) {
    c->failed++;
    if (!c->status) c->status = status;
  } else if (counted) {
    note_time(c, seconds);
    c->after += atomic_load(&device_is_gone);
    const uint32_t device = pelton_request_device(request);
    for (uint32_t i = 0; i < l->devices.count; i++) c->by_device[i] += l->devices.data[i] == device;
    c->different += !same_bytes(request, l->expected);
  }
  if (!refused) pelton_request_release(request);
  return !refused;
}

static void *client_main(void *argument) {
  client *c = argument;
  load *l = c->load;
  const double warm = clock_now() + l->options->warmup;
  bool go_on = true;
  while (go_on && clock_now() < warm) go_on = one_request(c, false);
  const int first = pthread_barrier_wait(&l->ready);
  if (first == PTHREAD_BARRIER_SERIAL_THREAD) {
    l->begin = clock_now();
    l->end = l->begin + l->options->duration;
  }
  (void)pthread_barrier_wait(&l->ready);
  while (go_on && clock_now() < l->end) go_on = one_request(c, true);
  return NULL;
}

/* ---- one measurement -----------------------------------------------------------------------------------------------
 */

static int compare_seconds(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void sum_up(const client *clients, uint32_t count, double seconds, result *out) {
  size_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    const client *c = &clients[i];
    n += c->count;
    out->submitted += c->submitted;
    out->failed += c->failed;
    out->different += c->different;
    out->after += c->after;
    for (uint32_t d = 0; d < MOST_NUMBERS; d++) out->by_device[d] += c->by_device[d];
    if (c->failed && !out->reason)
      out->reason = memory_text(c->diag.count ? pelton_diag_message(&c->diag, 0) : pelton_status_name(c->status));
  }
  out->answered = n;
  out->seconds = seconds;
  if (!n) return;
  double *all = memory_new(n, sizeof *all);
  n = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (clients[i].count) memcpy(all + n, clients[i].seconds, clients[i].count * sizeof *all);
    n += clients[i].count;
  }
  qsort(all, n, sizeof *all, compare_seconds);
  out->p50 = all[n / 2];
  out->p99 = all[(size_t)(0.99 * (double)(n - 1))];
  out->max = all[n - 1];
  out->throughput = (double)n / seconds;
  free(all);
}

/* The caller's memory for results, where that shall be pinned. */
static pelton_status make_outputs(const load *l, client *c) {
  if (!l->options->pinned) return PELTON_OK;
  c->outputs = memory_new(l->expected->count, sizeof *c->outputs);
  for (uint32_t i = 0; i < l->expected->count; i++) {
    const size_t bytes = c->outputs[i].bytes = l->expected->data[i].bytes;
    const pelton_status status = pelton_host_memory_create(l->engine, bytes, &c->outputs[i].data, &c->diag);
    if (status) return status;
  }
  return PELTON_OK;
}

static void sleep_for(double seconds) {
  const struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, NULL);
}

static int measure(load *l, uint32_t concurrency, bool lose, const char *libraries, result *out) {
  client *clients = memory_new(concurrency, sizeof *clients);
  pelton_status status = PELTON_OK;
  int code = EXIT_DONE;
  out->concurrency = concurrency;
  for (uint32_t i = 0; i < concurrency && !status; i++) {
    clients[i].load = l;
    pelton_diag_init(&clients[i].diag);
    status = make_outputs(l, &clients[i]);
    if (status) code = print_failure(status, &clients[i].diag, NULL);
  }
  if (!code && pthread_barrier_init(&l->ready, NULL, concurrency) != 0) code = EXIT_RESOURCE;
  for (uint32_t i = 0; i < concurrency && !code; i++) {
    if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) == 0) continue;
    print_error("cannot start %u threads", (unsigned)concurrency);
    exit(EXIT_RESOURCE); /* those that were started wait for the others */
  }
  if (lose && !code) {
    sleep_for(l->options->warmup + l->options->duration / 2);
    if (!lose_device(libraries, (int)l->options->lost, l->options->lose_by_reset)) code = EXIT_RESOURCE;
    atomic_store(&device_is_gone, true);
  }
  const bool started = clients[0].thread != 0 && (!code || lose);
  for (uint32_t i = 0; i < concurrency && started; i++) pthread_join(clients[i].thread, NULL);
  if (started) {
    sum_up(clients, concurrency, clock_now() - l->begin, out);
    pthread_barrier_destroy(&l->ready);
  }
  for (uint32_t i = 0; i < concurrency; i++) {
    for (uint32_t k = 0; clients[i].outputs && k < l->expected->count; k++)
      pelton_host_memory_release(l->engine, clients[i].outputs[k].data);
    free(clients[i].outputs);
    free(clients[i].seconds);
  }
  free(clients);
  return code;
}

/* ---- all -----------------------------------------------------------------------------------------------------------
 */

static void write_result(const load *l, const result *r, json_writer *json) {
  json_begin(json, NULL, '{');
  json_integer(json, "concurrency", r->concurrency);
  json_number(json, "throughput_per_s", r->throughput);
  json_begin(json, "latency_ms", '{');
  json_number(json, "p50", 1e3 * r->p50);
  json_number(json, "p99", 1e3 * r->p99);
  json_number(json, "max", 1e3 * r->max);
  json_end(json, '}');
  json_integer(json, "submitted", (int64_t)r->submitted);
  json_integer(json, "answered", (int64_t)r->answered);
  json_integer(json, "failed", (int64_t)r->failed);
  json_integer(json, "different", (int64_t)r->different);
  if (r->reason) json_text(json, "reason", r->reason);
  if (l->options->lose_device) json_integer(json, "answered_after_loss", (int64_t)r->after);
  json_begin(json, "by_device", '{');
  for (uint32_t i = 0; i < l->devices.count; i++) {
    char key[16];
    snprintf(key, sizeof key, "%u", (unsigned)l->devices.data[i]);
    json_integer(json, key, (int64_t)r->by_device[i]);
  }
  json_end(json, '}');
  json_end(json, '}');
}

static void print_result(const load *l, const result *r, bool lost) {
  printf("%4u at once  %9.1f requests/s  %8.3f ms p50  %8.3f p99  %8.3f max ", (unsigned)r->concurrency, r->throughput,
         1e3 * r->p50, 1e3 * r->p99, 1e3 * r->max);
  for (uint32_t i = 0; i < l->devices.count; i++)
    printf(" %s%u: %llu", i ? "" : "device ", (unsigned)l->devices.data[i], (unsigned long long)r->by_device[i]);
  printf("; submitted %llu, answered %llu, failed %llu, different %llu\n", (unsigned long long)r->submitted,
         (unsigned long long)r->answered, (unsigned long long)r->failed, (unsigned long long)r->different);
  if (lost) printf("              answered after the loss: %llu\n", (unsigned long long)r->after);
  if (r->reason) printf("              a failure: %s\n", r->reason);
}

/* The server's devices, and what it says of them, in |state| (for pelton_text_release). */
static bool list_devices(load *l, char **state) {
  if (pelton_server_json(l->server, state, NULL)) return false;
  json_value *root = json_parse(*state);
  const json_value *devices = json_get(root, "devices");
  l->devices.count = 0;
  for (const json_value *d = devices ? devices->first : NULL; d && l->devices.count < MOST_NUMBERS; d = d->next)
    l->devices.data[l->devices.count++] = (uint32_t)json_get_number(d, "index", 0);
  json_free(root);
  return true;
}

/* The outputs of a first request, copied: all others must have their bits. */
static int expect(load *l, tensors *out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_request *request = NULL;
  pelton_status status = submit(l, NULL, &request, &diag);
  if (!status) status = pelton_request_wait(request, &diag);
  *out = (tensors){.data = memory_new(pelton_engine_output_count(l->engine), sizeof *out->data)};
  for (uint32_t i = 0; !status && i < pelton_engine_output_count(l->engine); i++) {
    pelton_tensor *t = &out->data[out->count++];
    (void)pelton_request_output(request, i, t);
    const void *from = t->data;
    t->data = memory_new(t->bytes + 1, 1);
    if (t->bytes) memcpy(t->data, from, t->bytes);
  }
  pelton_request_release(request);
  return status ? print_failure(status, &diag, NULL) : EXIT_DONE;
}

static int measure_all(load *l, const char *libraries, json_writer *json) {
  const numbers *concurrency = &l->options->at_once;
  int code = EXIT_DONE;
  uint64_t bad = 0;
  if (json) json_begin(json, "serving", '[');
  for (uint32_t i = 0; i < concurrency->count && !code; i++) {
    result r = {.concurrency = 0};
    const bool lose = i + 1 == concurrency->count && l->options->lose_device;
    code = measure(l, concurrency->data[i], lose, libraries, &r);
    if (!code && json) write_result(l, &r, json);
    if (!code && !json) print_result(l, &r, lose);
    fflush(stdout);
    bad += r.different + (lose ? 0 : r.failed) + (r.submitted != r.answered + r.failed);
    free((void *)(uintptr_t)r.reason);
  }
  if (json) json_end(json, ']');
  return code ? code : bad ? EXIT_CHECK : EXIT_DONE;
}

/* That the device to be lost serves: of "all" nobody knew before. */
static int check_loss(const load *l) {
  const serving_options *o = l->options;
  const bool cuda = !strcmp(pelton_engine_target(l->engine), "cuda");
  if (!o->lose_device || (cuda && serving_has(&l->devices, o->lost))) return EXIT_DONE;
  if (cuda)
    print_error("--lose-device %s: device %u does not serve: there are %u", o->lose_device, (unsigned)o->lost,
                (unsigned)l->devices.count);
  else
    print_error("--lose-device %s: only devices of the target cuda can be broken, the engine runs on %s", o->lose_device,
                pelton_engine_target(l->engine));
  return EXIT_USAGE;
}

static int serve(load *l, const char *libraries, json_writer *json) {
  tensors expected = {.count = 0};
  char *state = NULL;
  int code = list_devices(l, &state) ? check_loss(l) : EXIT_RESOURCE;
  if (!code) code = expect(l, &expected);
  pelton_text_release(state);
  l->expected = &expected;
  if (!code) code = measure_all(l, libraries, json);
  pelton_server_stop(l->server, 0); /* an answered request is counted as open until its worker has put it away */
  state = NULL;
  if (!code && list_devices(l, &state)) {
    if (json)
      json_raw(json, "server", state);
    else
      printf("server      %s\n", state);
  }
  pelton_text_release(state);
  for (uint32_t i = 0; i < expected.count; i++) free(expected.data[i].data);
  free(expected.data);
  return code;
}

/* |inputs| in memory that devices copy from by themselves. */
static int pin_inputs(pelton_engine *engine, const tensors *inputs, tensors *out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  *out = (tensors){.data = memory_new(inputs->count, sizeof *out->data)};
  for (uint32_t i = 0; i < inputs->count; i++) {
    pelton_tensor *t = &out->data[out->count++];
    *t = inputs->data[i];
    const pelton_status status = pelton_host_memory_create(engine, t->bytes, &t->data, &diag);
    if (status) return print_failure(status, &diag, NULL);
    if (t->bytes) memcpy(t->data, inputs->data[i].data, t->bytes);
  }
  return EXIT_DONE;
}

int serving_measure(pelton_engine *engine, const serving_options *o, const char *libraries, const tensors *inputs,
                    json_writer *json) {
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  load l = {.engine = engine, .options = o, .inputs = inputs};
  options.devices = o->device.data;
  options.device_count = o->on_all ? PELTON_ALL_DEVICES : o->device.count;
  options.contexts = (uint32_t)o->contexts;
  options.retries = o->retries > 0 ? (uint32_t)o->retries : 0;
  const double start = clock_now();
  const pelton_status status = pelton_server_create(engine, &options, &l.server, &diag);
  if (status) return print_failure(status, &diag, NULL);
  const double ready = clock_now() - start;
  if (json)
    json_number(json, "ready_s", ready);
  else
    printf("ready in    %.2f s\n", ready);
  tensors pinned = {.count = 0};
  int code = o->pinned ? pin_inputs(engine, inputs, &pinned) : EXIT_DONE;
  if (o->pinned) l.inputs = &pinned;
  if (!code) code = serve(&l, libraries, json);
  pelton_server_release(l.server);
  for (uint32_t i = 0; i < pinned.count; i++) pelton_host_memory_release(engine, pinned.data[i].data);
  free(pinned.data);
  return code;
}
