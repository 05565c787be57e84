/* A server over the fake driver: requests on one device and on several give the same bits, a device that is lost takes
   nothing with it in silence, any call of the driver may fail, and the end answers everything. And over the cpu. */
#include "fake_engine.h"
#include "network.h"
#include "pelton/serve.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CLIENTS = 4, MOST_REQUESTS = 64, Y = NETWORK_CLASSES, M = NETWORK_MEANS };

static pelton_status build_network(const char *target, const pelton_allocator *allocator, pelton_engine **out,
                                   pelton_diag *diag) {
  return build(network_text, target, allocator, out, diag);
}

/* An input, and what one context gives for it. */
typedef struct expected {
  float *x, y[Y], m[M];
} expected;

static void expect_from(pelton_engine *engine, expected *e, uint32_t seed) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  e->x = network_input(1, seed);
  REQUIRE(e->x != NULL);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_tensor in = network_tensor(e->x, 1);
  pelton_tensor out[2] = {{.data = e->y, .bytes = sizeof e->y}, {.data = e->m, .bytes = sizeof e->m}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  pelton_context_release(context);
}

static pelton_status submit(pelton_server *server, const pelton_tensor *in, pelton_request **out, pelton_diag *diag) {
  pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;
  what.inputs = in;
  what.input_count = 1;
  return pelton_server_submit(server, &what, out, diag);
}

static bool same_outputs(const pelton_request *r, const expected *e) {
  pelton_tensor y, m;
  return !pelton_request_output(r, 0, &y) && !pelton_request_output(r, 1, &m) && y.bytes == sizeof e->y &&
         m.bytes == sizeof e->m && !memcmp(y.data, e->y, y.bytes) && !memcmp(m.data, e->m, m.bytes);
}

static pelton_server_options on_all(uint32_t contexts, uint32_t retries) {
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  options.device_count = PELTON_ALL_DEVICES;
  options.contexts = contexts;
  options.retries = retries;
  return options;
}

/* ---- several devices -----------------------------------------------------------------------------------------------
 */

static void serve_on(uint32_t devices) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  pelton_request *requests[MOST_REQUESTS];
  expected e[3];
  const uint32_t count = 3 * devices + 5;
  uint32_t seen[8] = {0}, used = 0;
  use_fake();
  set_devices((int)devices, 90);
  REQUIRE_OK(build_network("cuda", NULL, &engine, &diag), &diag);
  for (uint32_t i = 0; i < 3; i++) expect_from(engine, &e[i], i + 1);
  pelton_server_options options = on_all(2, 0);
  REQUIRE_OK(pelton_server_create(engine, &options, &server, &diag), &diag);
  for (uint32_t i = 0; i < count; i++) {
    pelton_tensor in = network_tensor(e[i % 3].x, 1);
    REQUIRE_OK(submit(server, &in, &requests[i], &diag), &diag);
  }
  for (uint32_t i = 0; i < count; i++) {
    REQUIRE_OK(pelton_request_wait(requests[i], &diag), &diag);
    EXPECT(same_outputs(requests[i], &e[i % 3]));
    const uint32_t device = pelton_request_device(requests[i]);
    REQUIRE(device < devices);
    used += !seen[device]++;
    pelton_request_release(requests[i]);
  }
  EXPECT(used > (devices > 1));
  char *json;
  REQUIRE_OK(pelton_server_json(server, &json, &diag), &diag);
  EXPECT_HAS(json, "\"state\":\"serving\"");
  pelton_text_release(json);
  pelton_engine_release(engine); /* the server keeps it */
  pelton_server_release(server);
  for (uint32_t i = 0; i < 3; i++) free(e[i].x);
  EXPECT_EQ(live(), 0);
}

TEST(one_device_serves) { serve_on(1); }
TEST(two_devices_serve_the_same_bits) { serve_on(2); }
TEST(eight_devices_serve_the_same_bits) { serve_on(8); }

TEST(devices_are_named_or_found) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  use_fake();
  set_devices(3, 90);
  REQUIRE_OK(build_network("cuda", NULL, &engine, &diag), &diag);
  const uint32_t some[] = {2, 1}, twice[] = {1, 1}, missing[] = {0, 7};
  pelton_server_options options = on_all(1, 0);
  options.device_count = 2;
  options.devices = some;
  REQUIRE_OK(pelton_server_create(engine, &options, &server, &diag), &diag);
  char *json;
  REQUIRE_OK(pelton_server_json(server, &json, &diag), &diag);
  EXPECT_HAS(json, "\"devices\":[{\"index\":2,");
  pelton_text_release(json);
  pelton_server_release(server);
  options.devices = twice;
  EXPECT_EQ(pelton_server_create(engine, &options, &server, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "device 1 is named twice");
  options.devices = missing;
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_server_create(engine, &options, &server, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "no CUDA device 7");
  EXPECT(server == NULL);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* ---- failures ------------------------------------------------------------------------------------------------------
 */

typedef struct client {
  pthread_t thread;
  pelton_server *server;
  const expected *expected;
  uint32_t requests, good, failed, refused, different, unnamed;
} client;

/* One request after the other; each must be answered well, or fail with a reason that names a device. */
static void *client_main(void *argument) {
  client *c = argument;
  for (uint32_t i = 0; i < c->requests; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_tensor in = network_tensor(c->expected->x, 1);
    pelton_request *r;
    pelton_status status = submit(c->server, &in, &r, &diag);
    c->refused += status != PELTON_OK;
    if (!status) {
      status = pelton_request_wait(r, &diag);
      c->failed += status != PELTON_OK;
      c->good += !status;
      c->different += !status && !same_outputs(r, c->expected);
      pelton_request_release(r);
    }
    c->unnamed += status && !strstr(pelton_diag_message(&diag, 0), "device");
  }
  return NULL;
}

static client run_clients(pelton_server *server, const expected *e, uint32_t requests) {
  client clients[CLIENTS] = {{0}}, sum = {0};
  for (int i = 0; i < CLIENTS; i++) {
    clients[i].server = server;
    clients[i].expected = e;
    clients[i].requests = requests;
    REQUIRE(!pthread_create(&clients[i].thread, NULL, client_main, &clients[i]));
  }
  for (int i = 0; i < CLIENTS; i++) {
    REQUIRE(!pthread_join(clients[i].thread, NULL));
    sum.good += clients[i].good;
    sum.failed += clients[i].failed;
    sum.refused += clients[i].refused;
    sum.different += clients[i].different;
    sum.unnamed += clients[i].unnamed;
  }
  EXPECT_EQ(sum.good + sum.failed + sum.refused, CLIENTS * requests);
  EXPECT_EQ(sum.different, 0);
  EXPECT_EQ(sum.unnamed, 0);
  return sum;
}

static void lose_one(uint32_t devices, uint32_t retries, long after) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  expected e;
  use_fake();
  set_devices((int)devices, 90);
  REQUIRE_OK(build_network("cuda", NULL, &engine, &diag), &diag);
  expect_from(engine, &e, 1);
  pelton_server_options options = on_all(2, retries);
  REQUIRE_OK(pelton_server_create(engine, &options, &server, &diag), &diag);
  lose_device(1, after);
  client sum = run_clients(server, &e, 8);
  EXPECT_EQ(sum.refused, 0);
  EXPECT(sum.failed <= (retries ? 0u : 2u)); /* no more than it ran at once */
  char *json;
  REQUIRE_OK(pelton_server_json(server, &json, &diag), &diag);
  EXPECT_HAS(json, "\"reason\":\"cuda device 1 is lost");
  pelton_text_release(json);
  lose_device(0, 1);
  for (uint32_t d = 2; d < devices; d++) lose_device((int)d, 1);
  sum = run_clients(server, &e, 2); /* the last devices find out by their requests */
  EXPECT_EQ(sum.good, 0);
  pelton_request *r;
  pelton_tensor in = network_tensor(e.x, 1);
  EXPECT_EQ(submit(server, &in, &r, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "no device is left: cuda device 0 is lost");
  EXPECT(r == NULL);
  pelton_server_release(server);
  pelton_engine_release(engine);
  lose_device(-1, 0);
  free(e.x);
  EXPECT_EQ(live(), 0);
}

TEST(a_lost_device_takes_only_what_it_ran) {
  lose_one(2, 0, 1);
  lose_one(2, 0, 40);
}
TEST(what_a_lost_device_ran_is_tried_elsewhere) {
  lose_one(2, 1, 1);
  lose_one(3, 1, 23);
}

/* Everything from the engine to the last answer, with two devices. */
static pelton_status life(client *sum, bool *whole) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pelton_server *server = NULL;
  static float x[NETWORK_INPUT];
  pelton_status status = build_network("cuda", NULL, &engine, &diag);
  pelton_server_options options = on_all(1, 0);
  if (!status) status = pelton_server_create(engine, &options, &server, &diag);
  EXPECT((status != PELTON_OK) == (diag.count > 0));
  *whole = !status;
  for (int i = 0; i < 4 && !status; i++) {
    pelton_request *requests[2] = {NULL, NULL};
    pelton_tensor in = network_tensor(x, 1);
    for (int k = 0; k < 2; k++) {
      pelton_diag reasons = PELTON_DIAG_INIT;
      if (submit(server, &in, &requests[k], &reasons)) {
        sum->refused++;
        EXPECT(reasons.count > 0);
      }
    }
    for (int k = 0; k < 2; k++) {
      pelton_diag reasons = PELTON_DIAG_INIT;
      if (!requests[k]) continue;
      const pelton_status one = pelton_request_wait(requests[k], &reasons);
      sum->good += !one;
      sum->failed += one != PELTON_OK;
      EXPECT((one != PELTON_OK) == (reasons.count > 0));
      pelton_request_release(requests[k]);
    }
  }
  pelton_server_release(server);
  pelton_engine_release(engine);
  return status;
}

TEST(any_call_of_the_driver_may_fail) {
  bool whole;
  use_fake();
  set_devices(2, 90);
  client all = {0};
  const long first = calls();
  REQUIRE(!life(&all, &whole));
  const long total = calls() - first;
  for (int forever = 0; forever <= 1; forever++) {
    uint32_t servers = 0, failed = 0;
    for (long n = 1 + forever * 3; n <= total; n += 7) {
      client sum = {0};
      lose(forever);
      fail_at(n);
      (void)life(&sum, &whole);
      fail_at(0);
      lose(0);
      servers += whole;
      failed += sum.failed + sum.refused;
      if (whole) EXPECT_EQ(sum.good + sum.failed + sum.refused, 8);
      if (whole && !forever) EXPECT(sum.failed + sum.refused <= 1);
      EXPECT_EQ(live(), 0);
    }
    printf("  of %ld calls: %u servers came up, %u requests failed%s\n", total, servers, failed,
           forever ? " when the driver is lost" : "");
    EXPECT(failed > 0);
  }
}

/* ---- the end, and limits -------------------------------------------------------------------------------------------
 */

typedef struct gate {
  pthread_mutex_t lock;
  pthread_cond_t change;
  bool reached, open;
  atomic_uint answers;
} gate;

static void hold(void *self, pelton_request *r) {
  gate *g = self;
  (void)r;
  (void)pthread_mutex_lock(&g->lock);
  g->reached = true;
  (void)pthread_cond_broadcast(&g->change);
  while (!g->open) (void)pthread_cond_wait(&g->change, &g->lock);
  (void)pthread_mutex_unlock(&g->lock);
}
static void *open_gate(void *self) {
  gate *g = self;
  (void)pthread_mutex_lock(&g->lock);
  g->open = true;
  (void)pthread_cond_broadcast(&g->change);
  (void)pthread_mutex_unlock(&g->lock);
  return NULL;
}
static void note(void *self, pelton_request *r) {
  gate *g = self;
  (void)r;
  if (atomic_fetch_add(&g->answers, 1) == 2) (void)open_gate(g); /* all three are cancelled while the worker is held */
}

/* A server of one worker, which is held in |done| of a first request; three others wait, as many as may. */
static void stop_with(uint32_t cancel) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  pelton_request *held, *waiting[3], *more;
  pthread_t opener;
  gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, 0};
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  options.contexts = 1;
  options.queue_limit = 3;
  float *x = network_input(1, 1);
  pelton_tensor in = network_tensor(x, 1);
  REQUIRE_OK(build_network("cpu", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_server_create(engine, &options, &server, &diag), &diag);
  pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;
  what.inputs = &in;
  what.input_count = 1;
  what.done = hold;
  what.self = &g;
  REQUIRE_OK(pelton_server_submit(server, &what, &held, &diag), &diag);
  REQUIRE_OK(pelton_request_wait(held, &diag), &diag); /* it is answered before |done| returns */
  (void)pthread_mutex_lock(&g.lock);
  while (!g.reached) (void)pthread_cond_wait(&g.change, &g.lock);
  (void)pthread_mutex_unlock(&g.lock);
  what.done = note;
  for (int i = 0; i < 3; i++) REQUIRE_OK(pelton_server_submit(server, &what, i ? &waiting[i] : NULL, &diag), &diag);
  EXPECT_EQ(pelton_server_submit(server, &what, &more, &diag), PELTON_BUSY);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "3 requests wait already");
  EXPECT_EQ(atomic_load(&g.answers), 0);
  if (!cancel) REQUIRE(!pthread_create(&opener, NULL, open_gate, &g));
  pelton_server_stop(server, cancel);
  if (!cancel) REQUIRE(!pthread_join(opener, NULL));
  EXPECT_EQ(atomic_load(&g.answers), 3);
  uint32_t cancelled = 0;
  for (int i = 1; i < 3; i++) {
    EXPECT(pelton_request_is_done(waiting[i]));
    cancelled += pelton_request_wait(waiting[i], NULL) == PELTON_CANCELLED;
  }
  EXPECT_EQ(cancelled, cancel ? 2 : 0);
  EXPECT_EQ(pelton_server_submit(server, &what, &more, NULL), PELTON_CANCELLED);
  pelton_server_release(server);
  for (int i = 1; i < 3; i++) pelton_request_release(waiting[i]); /* they outlive it */
  pelton_request_release(held);
  pelton_engine_release(engine);
  free(x);
}

TEST(stopping_runs_what_waits) { stop_with(0); }
TEST(stopping_cancels_what_waits) { stop_with(1); }

TEST(inputs_and_outputs_go_by_name) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  pelton_request *r;
  expected e;
  float y[Y] = {0};
  REQUIRE_OK(build_network("cpu", NULL, &engine, &diag), &diag);
  expect_from(engine, &e, 3);
  REQUIRE_OK(pelton_server_create(engine, NULL, &server, &diag), &diag);
  const char *x_name = "x", *names[2] = {"m", "y"}, *wrong = "z", *nothing = NULL;
  pelton_tensor in = network_tensor(e.x, 1), out[2] = {{0}, {.data = y, .bytes = sizeof y}}, got;
  pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;
  what.inputs = &in;
  what.input_count = 1;
  what.input_names = &x_name;
  what.output_names = names;
  what.output_count = 2;
  what.outputs = out;
  REQUIRE_OK(pelton_server_submit(server, &what, &r, &diag), &diag);
  REQUIRE_OK(pelton_request_wait(r, &diag), &diag);
  EXPECT(!memcmp(y, e.y, sizeof y));
  REQUIRE(!pelton_request_output(r, 0, &got));
  EXPECT(got.bytes == sizeof e.m && !memcmp(got.data, e.m, got.bytes));
  EXPECT_EQ(pelton_request_output(r, 2, &got), PELTON_INVALID_ARGUMENT);
  pelton_request_release(r);
  static const struct {
    int which;
    const char *why;
  } cases[] = {
      {0, "no input 'z'"}, {1, "no output 'z'"}, {2, "input 0 has no name"}, {3, "1 inputs; the request gives 0"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    pelton_request_options bad = what;
    const char *outs[2] = {"y", wrong};
    pelton_diag_init(&diag);
    if (cases[i].which == 0) bad.input_names = &wrong;
    if (cases[i].which == 1) bad.output_names = outs;
    if (cases[i].which == 2) bad.input_names = &nothing;
    if (cases[i].which == 3) bad.input_count = 0;
    EXPECT_EQ(pelton_server_submit(server, &bad, &r, &diag), PELTON_INVALID_ARGUMENT);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].why);
  }
  in.shape.dims[1] = 4; /* told by the run */
  in.bytes *= 2;
  REQUIRE_OK(pelton_server_submit(server, &what, &r, NULL), NULL);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_request_wait(r, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "dim 1 is 4");
  EXPECT_EQ(pelton_request_output(r, 0, &got), PELTON_INVALID_ARGUMENT);
  pelton_request_release(r);
  const uint32_t two[] = {0, 1};
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  pelton_server *other;
  options.devices = two;
  options.device_count = 2;
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_server_create(engine, &options, &other, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "target cpu has one device");
  pelton_context *context;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "target cpu has no streams");
  pelton_context_release(context);
  pelton_server_release(server);
  pelton_engine_release(engine);
  free(e.x);
}

TEST(many_clients_on_the_cpu) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_server *server;
  expected e;
  REQUIRE_OK(build_network("cpu", NULL, &engine, &diag), &diag);
  expect_from(engine, &e, 3);
  pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
  options.contexts = 3;
  REQUIRE_OK(pelton_server_create(engine, &options, &server, &diag), &diag);
  EXPECT_EQ(run_clients(server, &e, 40).good, 40 * CLIENTS);
  pelton_server_release(server);
  pelton_engine_release(engine);
  free(e.x);
}

/* The harness's allocator, for several threads at once. */
typedef struct locked {
  pelton_allocator allocator;
  harness_allocator inner;
  pthread_mutex_t lock;
} locked;
static void *locked_alloc(void *self, size_t bytes, size_t align) {
  locked *l = self;
  (void)pthread_mutex_lock(&l->lock);
  void *memory = l->inner.allocator.alloc(l->inner.allocator.self, bytes, align);
  (void)pthread_mutex_unlock(&l->lock);
  return memory;
}
static void locked_release(void *self, void *pointer) {
  locked *l = self;
  (void)pthread_mutex_lock(&l->lock);
  l->inner.allocator.release(l->inner.allocator.self, pointer);
  (void)pthread_mutex_unlock(&l->lock);
}

static pelton_status serve_twice(const pelton_allocator *allocator) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pelton_server *server = NULL;
  static float x[NETWORK_INPUT];
  pelton_status status = build_network("cpu", allocator, &engine, &diag);
  if (!status) status = pelton_server_create(engine, NULL, &server, &diag);
  for (int i = 0; i < 2 && !status; i++) {
    pelton_request *r = NULL;
    pelton_tensor in = network_tensor(x, 1);
    status = submit(server, &in, &r, &diag);
    if (!status) status = pelton_request_wait(r, &diag);
    pelton_request_release(r);
  }
  pelton_server_release(server);
  pelton_engine_release(engine);
  return status;
}

TEST(any_allocation_may_fail) {
  locked a = {.allocator = {&a, locked_alloc, locked_release}, .lock = PTHREAD_MUTEX_INITIALIZER};
  uint64_t n = 0;
  do {
    (void)harness_allocator_init(&a.inner, ++n);
    const pelton_status status = serve_twice(&a.allocator);
    EXPECT_EQ(status, a.inner.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.inner.live, 0);
  } while (a.inner.failed);
  printf("  %llu allocations\n", (unsigned long long)n - 1);
}

TEST_MAIN(T(one_device_serves), T(two_devices_serve_the_same_bits), T(eight_devices_serve_the_same_bits),
          T(devices_are_named_or_found), T(a_lost_device_takes_only_what_it_ran),
          T(what_a_lost_device_ran_is_tried_elsewhere), T(any_call_of_the_driver_may_fail), T(stopping_runs_what_waits),
          T(stopping_cancels_what_waits), T(inputs_and_outputs_go_by_name), T(many_clients_on_the_cpu),
          T(any_allocation_may_fail))
