/* The timing cache: its file, and that it decides. */
#include "harness.h"
#include "planned.h"

#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

static char path[64];

static const char *temporary(void) {
  (void)snprintf(path, sizeof path, "/tmp/pelton-timing-%ld", (long)getpid());
  return path;
}

static void write_file(const char *text) {
  FILE *f = fopen(temporary(), "wb");
  REQUIRE(f != NULL);
  REQUIRE(fwrite(text, 1, strlen(text), f) == strlen(text));
  REQUIRE(fclose(f) == 0);
}

static bool file_has(const char *part) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file file;
  bool found = false;
  REQUIRE_OK(pn_file_map(path, &file, &diag), &diag);
  for (size_t i = 0; i + strlen(part) <= file.size && !found; i++) found = !memcmp(file.data + i, part, strlen(part));
  pn_file_unmap(&file);
  return found;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static pelton_status no_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  (void)step;
  (void)stream;
  (void)diag;
  return PELTON_OK;
}
static const pn_tactic some = {.name = "test.some", .version = 3, .run = no_run};
static const pn_config config = {{1, -2, 3}};

TEST(what_is_saved_is_loaded) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache a, b;
  double seconds = 0;
  pn_timing_init(&a, NULL);
  pn_timing_init(&b, NULL);
  EXPECT(!pn_timing_find(&a, &some, &config, "box 1", PN_STR("relu(f32[2])"), &seconds));
  REQUIRE(pn_timing_add(&a, &some, &config, "box 1", PN_STR("relu(f32[2])"), 1.25e-6));
  REQUIRE(pn_timing_add(&a, &some, &config, "box 1", PN_STR("relu(f32[3])"), 2.5e-6));
  REQUIRE(pn_timing_add(&a, &some, &config, "box 1", PN_STR("relu(f32[2])"), 1.5e-6)); /* the later holds */
  EXPECT_EQ(a.measured.count, 3);
  REQUIRE_OK(pn_timing_save(&a, temporary(), &diag), &diag);
  REQUIRE_OK(pn_timing_load(&b, path, &diag), &diag);
  EXPECT_EQ(b.measured.count, 0);
  EXPECT_EQ(b.keys.count, 2);
  REQUIRE(pn_timing_find(&b, &some, &config, "box 1", PN_STR("relu(f32[2])"), &seconds));
  EXPECT_NEAR(seconds, 1.5e-6, 1e-15);
  pn_tactic newer = some;
  pn_config other = config;
  newer.version++;
  other.value[5] = 1;
  EXPECT(!pn_timing_find(&b, &newer, &config, "box 1", PN_STR("relu(f32[2])"), &seconds));
  EXPECT(!pn_timing_find(&b, &some, &other, "box 1", PN_STR("relu(f32[2])"), &seconds));
  EXPECT(!pn_timing_find(&b, &some, &config, "box 2", PN_STR("relu(f32[2])"), &seconds));
  pn_timing_deinit(&a);
  pn_timing_deinit(&b);
  (void)remove(path);
}

TEST(builds_at_the_same_time_keep_each_others_lines) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache caches[2], all;
  (void)temporary();
  for (uint32_t i = 0; i < 2; i++) { /* both begin before either has saved */
    pn_timing_init(&caches[i], NULL);
    REQUIRE_OK(pn_timing_load(&caches[i], path, &diag), &diag);
  }
  for (uint32_t turn = 0; turn < 2; turn++)
    for (uint32_t i = 0; i < 2; i++) {
      char problem[32];
      (void)snprintf(problem, sizeof problem, "relu(f32[%u])", 2 * turn + i);
      REQUIRE(pn_timing_add(&caches[i], &some, &config, "box 1", pn_str_from(problem), 1e-6));
      REQUIRE_OK(pn_timing_save(&caches[i], path, &diag), &diag);
      REQUIRE_OK(pn_timing_save(&caches[i], path, &diag), &diag); /* nothing new: nothing is written */
    }
  pn_timing_init(&all, NULL);
  REQUIRE_OK(pn_timing_load(&all, path, &diag), &diag);
  EXPECT_EQ(all.keys.count, 4);
  EXPECT(file_has("pelton timing cache 1\n1e-06\t"));
  pn_timing_deinit(&all);
  for (uint32_t i = 0; i < 2; i++) pn_timing_deinit(&caches[i]);
  (void)remove(path);
}

TEST(lines_of_others_are_kept) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  write_file("pelton timing cache 1\n"
             "0.5\tother.tactic\t9\t0,0,0,0,0,0\tanother device\tproblem of tomorrow\n"
             "\n"
             "pelton timing cache 1\n"                                              /* two files, one after the other */
             "0.25\tother.tactic\t9\t0,0,0,0,0,0\tanother device\tsecond problem"); /* cut off at its end */
  REQUIRE_OK(pn_timing_load(&cache, path, &diag), &diag);
  REQUIRE(pn_timing_add(&cache, &some, &config, "box 1", PN_STR("relu(f32[2])"), 1e-6));
  REQUIRE_OK(pn_timing_save(&cache, path, &diag), &diag);
  EXPECT(file_has("\n0.5\tother.tactic\t9\t0,0,0,0,0,0\tanother device\tproblem of tomorrow\n"));
  EXPECT(file_has("\n0.25\tother.tactic\t9\t0,0,0,0,0,0\tanother device\tsecond problem\n"));
  EXPECT(file_has("\n1e-06\ttest.some\t3\t1,-2,3,0,0,0\tbox 1\trelu(f32[2])\n"));
  pn_timing_deinit(&cache);
  (void)remove(path);
}

static void expect_refused(const char *text, const char *reason) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  write_file(text);
  EXPECT_EQ(pn_timing_load(&cache, path, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), reason);
  EXPECT_HAS(pelton_diag_message(&diag, 0), path);
  pn_timing_deinit(&cache);
  (void)remove(path);
}

TEST(broken_files_are_named_with_the_line) {
  expect_refused("PNG and so on\n", "no timing cache");
  expect_refused("pelton timing cache 1\n1e-6\ta\nnot a number\tb\n", "line 3");
  expect_refused("pelton timing cache 1\n1e-6 and no tab\n", "line 2");
  expect_refused("pelton timing cache 1\n-1\ta\n", "line 2");
  expect_refused("pelton timing cache 1\nnan\ta\n", "line 2");
}

TEST(no_file_is_an_empty_cache) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  REQUIRE_OK(pn_timing_load(&cache, "/nowhere/at/all", &diag), &diag);
  EXPECT_EQ(diag.count, 0);
  EXPECT_EQ(cache.keys.count, 0);
  write_file("");
  REQUIRE_OK(pn_timing_load(&cache, path, &diag), &diag);
  EXPECT_EQ(cache.keys.count, 0);
  pn_timing_deinit(&cache);
  (void)remove(path);
}

TEST(any_allocation_of_the_cache_may_fail) {
  harness_allocator a;
  uint64_t n = 0;
  pelton_status status;
  do {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_timing_cache cache;
    pn_timing_init(&cache, harness_allocator_init(&a, ++n));
    write_file("pelton timing cache 1\n1e-6\ta\n2e-6\tb\n");
    status = pn_timing_load(&cache, path, &diag);
    if (!status && !pn_timing_add(&cache, &some, &config, "box 1", PN_STR("relu(f32[2])"), 1e-6))
      status = PELTON_OUT_OF_MEMORY;
    if (!status) status = pn_timing_save(&cache, path, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pn_timing_deinit(&cache);
    EXPECT_EQ(a.live, 0);
  } while (a.failed && n < 1000);
  (void)remove(path);
}

/* ---- decisions --------------------------------------------------------------------------------------------------- */

/* A target with three tactics for everything in plain layout: "a" looks best, "b" half as good, "z", a library's,
   hopeless; "b" has two configs. */
static bool accepts(const pn_problem *problem, const pn_device *device, pn_reason *why) {
  (void)device;
  for (uint32_t i = 0; i < problem->operand_count; i++)
    if (problem->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain only");
  return problem->node_count == 1;
}
static double estimate_a(const pn_problem *p, const pn_device *d, const pn_config *c) {
  return (void)p, (void)d, (void)c, 1e-5;
}
static double estimate_b(const pn_problem *p, const pn_device *d, const pn_config *c) {
  return (void)p, (void)d, 2e-5 + c->value[0];
}
static double estimate_z(const pn_problem *p, const pn_device *d, const pn_config *c) {
  return (void)p, (void)d, (void)c, 1;
}
static uint32_t configs_b(const pn_problem *p, const pn_device *d, pn_config *out, uint32_t max) {
  (void)p;
  (void)d;
  for (int32_t i = 0; i < 2 && (uint32_t)i < max; i++) out[i] = (pn_config){{i, 7}};
  return 2;
}
static uint32_t runs;
static const char *broken = ""; /* names of tactics whose run fails */
static bool lost;
static pelton_status counted_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  runs++;
  return no_run(step, stream, diag);
}
static pelton_status run_a(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  if (strchr(broken, 'a')) return pn_fail(diag, PELTON_DEVICE_ERROR, "a does not start");
  return counted_run(step, stream, diag);
}
static pelton_status run_b(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  if (strchr(broken, 'b')) return pn_fail(diag, PELTON_DEVICE_ERROR, "b does not start");
  return counted_run(step, stream, diag);
}
static pelton_status synchronize(pn_stream *stream, pelton_diag *diag) {
  (void)stream;
  return lost ? pn_fail(diag, PELTON_DEVICE_ERROR, "the device is lost") : PELTON_OK;
}
static const pn_tactic tactic_a = {.name = "a", .version = 1, .accepts = accepts, .estimate = estimate_a, .run = run_a};
static const pn_tactic tactic_b = {
    .name = "b", .version = 1, .accepts = accepts, .configs = configs_b, .estimate = estimate_b, .run = run_b};
static const pn_tactic tactic_z = {
    .name = "z", .version = 1, .accepts = accepts, .estimate = estimate_z, .run = counted_run, .library = true};
static const pn_tactic *const table[] = {&tactic_z, &tactic_b, &tactic_a};
static uint32_t tactics(const pn_device *device, const pn_tactic *const **out) {
  (void)device;
  *out = table;
  return 3;
}

static const char text[] = "graph g(%x: f32[2,8]) -> (%y)\n  %y = softmax(%x)\nend\n";
#define PROBLEM PN_STR("softmax(f32[2,8]) -> f32[2,8]")

static char reported[1024]; /* of the plan that choose made last */

/* The tactic chosen at |level| with |cache|; |value| gets the first value of its config. */
static const char *choose(pn_timing_cache *cache, int level, int32_t *value) {
  pn_target target = *planned_target("null");
  target.tactics = tactics;
  target.stream_synchronize = synchronize;
  planned p;
  pn_plan_options options = {.cache = cache, .level = level, .keep_report = true};
  planned_open(&p, text, &target);
  planned_make(&p, &options);
  REQUIRE(p.plan->steps.count == 1);
  const char *name = p.plan->steps.data[0].tactic->name;
  if (value) *value = p.plan->steps.data[0].config.value[0];
  (void)snprintf(reported, sizeof reported, "%.*s", (int)p.plan->report.size, p.plan->report.data);
  planned_close(&p);
  return name;
}

static void learn(pn_timing_cache *cache, const pn_tactic *tactic, int32_t first, double seconds) {
  pn_config c = {{first, tactic == &tactic_b ? 7 : 0}};
  REQUIRE(pn_timing_add(cache, tactic, &c, "null", PROBLEM, seconds));
}

TEST(the_cache_decides) {
  pn_timing_cache cache;
  int32_t value = 0;
  pn_timing_init(&cache, NULL);
  runs = 0;
  EXPECT_STR(choose(&cache, 0, NULL), "a"); /* knows nothing: estimates */
  learn(&cache, &tactic_b, 1, 3e-6);
  EXPECT_STR(choose(&cache, 0, &value), "b"); /* known to be faster than what "a" promises */
  EXPECT_EQ(value, 1);
  learn(&cache, &tactic_a, 0, 2e-6);
  EXPECT_STR(choose(&cache, 0, NULL), "a");
  learn(&cache, &tactic_z, 0, 1e-6); /* whatever its estimate */
  EXPECT_STR(choose(&cache, 0, NULL), "z");
  learn(&cache, &tactic_z, 0, 9e-6);
  EXPECT_STR(choose(&cache, 0, NULL), "a");
  EXPECT_EQ(runs, 0);
  pn_timing_deinit(&cache);
}

TEST(a_library_wins_by_more_than_a_little) {
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  learn(&cache, &tactic_a, 0, 1e-6);
  learn(&cache, &tactic_z, 0, 0.96e-6);
  learn(&cache, &tactic_b, 1, 3e-6);
  EXPECT_STR(choose(&cache, 0, NULL), "a");
  EXPECT_HAS(reported, "\"measured_us\":0.96,\"passed_over\":\"a library");
  EXPECT_HAS(reported, "\"tactic\":\"b\",\"estimate_us\":20,\"measured_us\":3}"); /* of its configs the quickest */
  learn(&cache, &tactic_z, 0, 0.94e-6);
  EXPECT_STR(choose(&cache, 0, NULL), "z");
  pn_timing_deinit(&cache);
}

TEST(a_slow_time_does_not_beat_a_good_promise) {
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  learn(&cache, &tactic_b, 0, 5.0);
  EXPECT_STR(choose(&cache, 0, NULL), "a");
  pn_timing_deinit(&cache);
}

TEST(what_was_measured_once_is_not_measured_again) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache cache, again;
  int32_t value[2] = {0, 0};
  pn_timing_init(&cache, NULL);
  pn_timing_init(&again, NULL);
  runs = 0;
  const char *first = choose(&cache, 1, &value[0]);
  EXPECT(runs > 0);
  EXPECT_EQ(cache.keys.count, 2); /* "b" with config 1 promises as little as "z" */
  runs = 0;
  EXPECT_STR(choose(&cache, 1, &value[1]), first);
  EXPECT_EQ(value[0], value[1]);
  REQUIRE_OK(pn_timing_save(&cache, temporary(), &diag), &diag);
  REQUIRE_OK(pn_timing_load(&again, path, &diag), &diag);
  EXPECT_STR(choose(&again, 1, &value[1]), first);
  EXPECT_EQ(value[0], value[1]);
  EXPECT_EQ(runs, 0);
  pn_timing_deinit(&cache);
  pn_timing_deinit(&again);
  (void)remove(path);
}

/* A tactic that the device does not start is passed over, with the reason in the report. */
TEST(what_fails_while_it_is_timed_is_passed_over) {
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  broken = "a";
  EXPECT_STR(choose(&cache, 1, NULL), "b");
  EXPECT_HAS(reported, "\"tactic\":\"a\",\"estimate_us\":10,\"failed\":\"a does not start\"}");
  EXPECT_STR(choose(NULL, 1, NULL), "b");
  broken = "ab"; /* what was not timed is left */
  EXPECT_STR(choose(NULL, 1, NULL), "z");
  EXPECT_HAS(reported, "\"failed\":\"b does not start\"");
  broken = "";
  EXPECT_EQ(cache.keys.count, 1);
  pn_timing_deinit(&cache);
}

static uint32_t only_a(const pn_device *device, const pn_tactic *const **out) {
  static const pn_tactic *const twice[] = {&tactic_a, &tactic_a};
  (void)device;
  *out = twice;
  return 2;
}

/* "a" cannot run, which ends the build. */
static void expect_failure(uint32_t (*of)(const pn_device *device, const pn_tactic *const **out)) {
  pn_target target = *planned_target("null");
  pn_plan_options options = {.level = 1};
  pelton_diag diag = PELTON_DIAG_INIT;
  planned p;
  target.tactics = of;
  target.stream_synchronize = synchronize;
  planned_open(&p, text, &target);
  broken = "a";
  EXPECT_EQ(planned_try(&p, &options, &pn_allocator_default, &diag), PELTON_DEVICE_ERROR);
  EXPECT_EQ(diag.count, 1);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "a does not start");
  broken = "";
  planned_close(&p);
}

TEST(but_where_the_device_is_lost_or_nothing_is_left_it_is_an_error) {
  expect_failure(only_a);
  lost = true;
  expect_failure(tactics);
  lost = false;
}

TEST(the_same_cache_gives_the_same_plan_on_the_cpu) {
  static const char network[] = "graph g(%x: f32[1,8,14,14]) -> (%y)\n"
                                "  %w: f32[8,8,3,3] = const random(1)\n"
                                "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
                                "  %r1 = pointwise(%c1) expr=\"relu(x0)\"\n"
                                "  %p = pool(%r1) kernel=[2,2] strides=[2,2]\n"
                                "  %f = flatten(%p)\n"
                                "  %m: f32[392,16] = const random(2)\n"
                                "  %g = matmul(%f, %m)\n"
                                "  %y = softmax(%g)\n"
                                "end\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_timing_cache cache;
  planned p;
  pn_timing_init(&cache, NULL);
  planned_open(&p, network, planned_target("cpu"));
  pn_plan_options options = {.cache = &cache, .level = 2};
  planned_make(&p, &options);
  pn_plan *first = p.plan;
  p.plan = NULL;
  REQUIRE_OK(pn_timing_save(&cache, temporary(), &diag), &diag);
  pn_timing_deinit(&cache);
  pn_timing_init(&cache, NULL);
  REQUIRE_OK(pn_timing_load(&cache, path, &diag), &diag);
  planned_make(&p, &options);
  EXPECT(planned_same_decisions(first, p.plan));
  EXPECT_EQ(cache.measured.count, 0); /* every time was there */
  pn_plan_release(first);
  planned_close(&p);
  pn_timing_deinit(&cache);
  (void)remove(path);
}

TEST_MAIN(T(what_is_saved_is_loaded), T(builds_at_the_same_time_keep_each_others_lines), T(lines_of_others_are_kept),
          T(broken_files_are_named_with_the_line), T(no_file_is_an_empty_cache),
          T(any_allocation_of_the_cache_may_fail), T(the_cache_decides), T(a_library_wins_by_more_than_a_little),
          T(a_slow_time_does_not_beat_a_good_promise), T(what_was_measured_once_is_not_measured_again),
          T(what_fails_while_it_is_timed_is_passed_over),
          T(but_where_the_device_is_lost_or_nothing_is_left_it_is_an_error),
          T(the_same_cache_gives_the_same_plan_on_the_cpu))
