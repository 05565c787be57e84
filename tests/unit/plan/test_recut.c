/* Groups that time cuts anew: on a target whose pairs and single steps take as long as a test says. */
#include "harness.h"
#include "planned.h"

#include "base/clock.h"

#include <stdio.h>

static double pair_estimate, one_estimate, pair_takes, one_takes; /* seconds; below 0: it fails */

static uint32_t convolutions(const pn_problem *p) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < p->node_count; i++) count += p->nodes[i].op == PN_OP_CONV;
  return count;
}
static bool accepts_one(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  return convolutions(p) < 2 || pn_refuse(why, "more than one convolution");
}
static bool accepts_pair(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  return convolutions(p) == 2 || pn_refuse(why, "not two convolutions");
}
static double estimate_one(const pn_problem *p, const pn_device *d, const pn_config *c) {
  return (void)p, (void)d, (void)c, one_estimate;
}
static double estimate_pair(const pn_problem *p, const pn_device *d, const pn_config *c) {
  return (void)p, (void)d, (void)c, pair_estimate;
}
static pelton_status run_for(double seconds, pelton_diag *diag) {
  if (seconds < 0) return pn_fail(diag, PELTON_DEVICE_ERROR, "it does not run");
  for (const double start = pn_clock_seconds(); pn_clock_seconds() - start < seconds;) {}
  return PELTON_OK;
}
static pelton_status run_one(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  return (void)step, (void)stream, run_for(one_takes, diag);
}
static pelton_status run_pair(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  return (void)step, (void)stream, run_for(pair_takes, diag);
}
static const pn_tactic one = {
    .name = "one", .version = 1, .accepts = accepts_one, .estimate = estimate_one, .run = run_one};
static const pn_tactic another = {
    .name = "another", .version = 1, .accepts = accepts_one, .estimate = estimate_one, .run = run_one};
static const pn_tactic pair = {
    .name = "pair", .version = 1, .accepts = accepts_pair, .estimate = estimate_pair, .run = run_pair};
static const pn_tactic *const table[] = {&one, &another, &pair};
static uint32_t tactics(const pn_device *device, const pn_tactic *const **out) {
  (void)device;
  *out = table;
  return PN_COUNT(table);
}
static const pn_pattern pattern = {"convs", {"conv", "pointwise?", "conv", "pointwise?", NULL}, NULL};
static uint32_t patterns(const pn_device *device, const pn_pattern **out) {
  (void)device;
  *out = &pattern;
  return 1;
}

static const char text[] = "graph g(%x: f32[1,4,8,8]) -> (%y)\n"
                           "  %w: f32[4,4,3,3] = const random(1)\n"
                           "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
                           "  %r1 = pointwise(%c1) expr=\"relu(x0)\"\n"
                           "  %c2 = conv(%r1, %w) pads=[1,1,1,1]\n"
                           "  %y = pointwise(%c2, %x) expr=\"relu(add(x0,x1))\"\n"
                           "end\n";

static char reported[4096];

/* How many steps there are at |level|; those compute what the graph says. */
static uint32_t steps_at(pn_timing_cache *cache, int level) {
  pn_target target = *planned_target("null");
  target.tactics = tactics;
  target.patterns = patterns;
  planned p;
  char why[256] = "";
  pn_plan_options options = {.cache = cache, .level = level, .keep_report = true};
  planned_open(&p, text, &target);
  planned_make(&p, &options);
  EXPECT(planned_check(&p, 1, why, sizeof why));
  const uint32_t steps = p.plan->steps.count;
  (void)snprintf(reported, sizeof reported, "%.*s", (int)p.plan->report.size, p.plan->report.data);
  planned_close(&p);
  return steps;
}

TEST(a_pair_that_is_slower_than_its_parts_is_split) {
  pair_estimate = 1e-5;
  one_estimate = 0.6e-5;
  pair_takes = 1e-3;
  one_takes = 1e-4;
  EXPECT_EQ(steps_at(NULL, 0), 1);
  EXPECT_EQ(steps_at(NULL, 1), 2);
  EXPECT_HAS(reported, "\"other_cut\":{\"steps\":1,\"measured_us\":");
}

TEST(parts_that_are_slower_than_the_pair_become_one) {
  pair_estimate = 2.5e-5; /* somewhat dearer than both */
  one_estimate = 1e-5;
  pair_takes = 1e-4;
  one_takes = 1e-3;
  EXPECT_EQ(steps_at(NULL, 0), 2);
  EXPECT_EQ(steps_at(NULL, 1), 1);
  EXPECT_HAS(reported, "\"other_cut\":{\"steps\":2,\"measured_us\":");
}

TEST(what_estimates_call_hopeless_is_not_timed) {
  pair_estimate = 1e-3;
  one_estimate = 1e-5;
  pair_takes = 1e-5;
  one_takes = 1e-3;
  EXPECT_EQ(steps_at(NULL, 1), 2);
  EXPECT(!strstr(reported, "other_cut"));
}

TEST(a_faster_pair_stays_and_says_what_else_was_tried) {
  pair_estimate = 1e-5;
  one_estimate = 0.6e-5;
  pair_takes = 1e-4;
  one_takes = 1e-3;
  EXPECT_EQ(steps_at(NULL, 1), 1);
  EXPECT_HAS(reported, "\"other_cut\":{\"steps\":2,\"measured_us\":");
}

TEST(a_cache_that_knows_the_times_is_enough) {
  pn_timing_cache cache;
  pn_timing_init(&cache, NULL);
  pair_estimate = 1e-5;
  one_estimate = 0.6e-5;
  pair_takes = 1e-3;
  one_takes = 1e-4;
  EXPECT_EQ(steps_at(&cache, 0), 1); /* knows nothing yet */
  EXPECT_EQ(steps_at(&cache, 1), 2);
  pair_takes = 0; /* nothing is timed again */
  EXPECT_EQ(steps_at(&cache, 0), 2);
  pn_timing_deinit(&cache);
}

TEST(a_way_that_fails_is_not_taken_and_ends_nothing) {
  pair_estimate = 1e-5;
  one_estimate = 0.6e-5;
  pair_takes = 1e-4;
  one_takes = -1;
  EXPECT_EQ(steps_at(NULL, 1), 1);
  EXPECT(!strstr(reported, "other_cut"));
}

TEST(a_step_that_fails_gives_way_to_its_parts) {
  pair_estimate = 1e-5;
  one_estimate = 0.6e-5;
  pair_takes = -1;
  one_takes = 1e-4;
  EXPECT_EQ(steps_at(NULL, 1), 2);
}

TEST_MAIN(T(a_pair_that_is_slower_than_its_parts_is_split), T(parts_that_are_slower_than_the_pair_become_one),
          T(what_estimates_call_hopeless_is_not_timed), T(a_faster_pair_stays_and_says_what_else_was_tried),
          T(a_cache_that_knows_the_times_is_enough), T(a_way_that_fails_is_not_taken_and_ends_nothing),
          T(a_step_that_fails_gives_way_to_its_parts))
