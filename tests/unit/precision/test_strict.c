/* pelton_build_options.strict, and what the report says of layers that stay: nothing that computes is passed over. */
#include "harness.h"
#include "pelton/build.h"

#include <stdio.h>
#include <string.h>

static pelton_diag diag;

static pelton_status build(const char *text, pelton_build_options options, pelton_engine **out) {
  pelton_model *model = NULL;
  pelton_diag_init(&diag);
  REQUIRE_OK(pelton_model_parse(text, strlen(text), NULL, &model, &diag), &diag);
  options.level = 0;
  options.threads = 1;
  const pelton_status status = pelton_engine_build(model, &options, out, &diag);
  pelton_model_release(model);
  return status;
}

/* What the inputs may be; most tests are about other things than evidence. */
static const pelton_input_range unit = {"x", -1, 1};

static pelton_build_options asked(const char *precision, bool strict) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  options.precision = precision;
  options.strict = strict;
  options.ranges = &unit;
  options.range_count = 1;
  return options;
}

TEST(layers_without_a_kernel_are_told) {
  static const struct {
    const char *body, *counts, *why;
  } cases[] = {
      {"graph g(%x: f32[1,3,2], %w: f32[1,12,2], %r: f32[1,12,3]) -> (%y)\n"
       "  _, %y = recurrent(%x, %w, %r) hidden=3 activations=\"sigmoid,tanh,tanh\"  # name \"n\"\nend\n",
       "\"kept_f32\":1,\"had_to_stay\":1", "recurrent has no kernel for 16 bits"},
      {"graph g(%x: f32[3,3]) -> (%y)\n  %y = einsum(%x) equation=\"ii->i\"  # name \"n\"\nend\n",
       "\"kept_f32\":1,\"had_to_stay\":1", "einsum has no kernel for 16 bits"},
      {"graph g(%x: f32[3,3]) -> (%y)\n  %k: i64[] = const [0]\n  %y = cumulate(%x, %k)  # name \"n\"\nend\n",
       "\"kept_f32\":1,\"had_to_stay\":1", "cumulate has no kernel for 16 bits"},
      {"graph g(%x: f32[3,3], %b: f64[2,2]) -> (%y, %z)\n  %y = matmul(%x, %x)\n"
       "  %z = matmul(%b, %b)  # name \"n\"\nend\n",
       "\"f16\":1,\"bf16\":0,\"kept_f32\":0,\"kept_f64\":1,\"had_to_stay\":1",
       "it is in f64, and only f32 is converted"},
      {"graph g(%x: f32[3,3], %c: bool[]) -> (%y)\n"
       "  %y = if(%c, %x) then_graph={ graph t(%x: f32[3,3]) -> (%z)\n"
       "      %z = matmul(%x, %x)  # name \"n\"\n    end } else_graph={ graph e(%x: f32[3,3]) -> (%z)\n"
       "      %z = transpose(%x)\n    end }  # name \"outer\"\nend\n",
       "\"kept_f32\":1,\"had_to_stay\":1", "it is in a subgraph of if 'outer'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    pelton_engine *engine;
    char node[128];
    (void)snprintf(node, sizeof node, "node 'n': %s", cases[i].why);
    REQUIRE_OK(build(cases[i].body, asked("fp16", false), &engine), &diag);
    EXPECT_HAS(pelton_engine_report(engine), cases[i].counts);
    EXPECT_HAS(pelton_engine_report(engine), cases[i].why);
    pelton_engine_release(engine);
    pelton_build_options options = asked("fp16", true);
    EXPECT_EQ(build(cases[i].body, options, &engine), PELTON_UNSUPPORTED);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: 1 layers would have to stay in f32");
    EXPECT_HAS(pelton_diag_message(&diag, 1), node);
    options.layer_precision = "n=fp32";
    REQUIRE_OK(build(cases[i].body, options, &engine), &diag);
    EXPECT_HAS(pelton_engine_report(engine), "\"asked\":true");
    EXPECT_HAS(pelton_engine_report(engine), "\"had_to_stay\":0");
    pelton_engine_release(engine);
    options.layer_precision = "n=fp16"; /* which it cannot have */
    EXPECT_EQ(build(cases[i].body, options, &engine), PELTON_UNSUPPORTED);
  }
}

TEST(a_subgraph_is_allowed_by_its_node) {
  static const char text[] = "graph g(%x: f32[3,3], %c: bool[]) -> (%y)\n"
                             "  %y = if(%c, %x) then_graph={ graph t(%x: f32[3,3]) -> (%z)\n"
                             "      %z = matmul(%x, %x)\n    end } else_graph={ graph e(%x: f32[3,3]) -> (%z)\n"
                             "      %z = pointwise(%x) expr=\"relu(x0)\"\n    end }  # name \"outer\"\nend\n";
  pelton_build_options options = asked("fp16", true);
  pelton_engine *engine;
  EXPECT_EQ(build(text, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: 2 layers");
  options.layer_precision = "outer=fp32";
  REQUIRE_OK(build(text, options, &engine), &diag);
  pelton_engine_release(engine);
}

/* What prepares an input, and a softmax at the end: told, but nothing that anybody wanted otherwise. */
TEST(what_gains_nothing_is_told_and_allowed) {
  static const char text[] = "graph g(%x: f32[2,4]) -> (%y)\n"
                             "  %p = pointwise(%x) expr=\"sigmoid(x0)\"  # name \"before\"\n"
                             "  %t = transpose(%p)\n"
                             "  %m = matmul(%t, %x)  # name \"product\"\n"
                             "  %y = softmax(%m)  # name \"last\"\nend\n";
  pelton_engine *engine;
  REQUIRE_OK(build(text, asked("fp16", true), &engine), &diag);
  const char *report = pelton_engine_report(engine);
  EXPECT_HAS(report, "\"f16\":1,\"bf16\":0,\"kept_f32\":2,\"had_to_stay\":0");
  EXPECT_HAS(report, "it reads from no layer in 16 bits");
  EXPECT_HAS(report, "it makes an output, where small probabilities keep their digits\",\"no_gain\":true");
  pelton_engine_release(engine);
}

TEST(a_network_of_nothing_in_16_bits_is_no_success) {
  static const char text[] =
      "graph g(%x: f32[2,4]) -> (%y)\n  %y = pointwise(%x) expr=\"relu(x0)\"  # name \"n\"\nend\n";
  static const char moves[] = "graph g(%x: f32[2,4]) -> (%y)\n  %y = transpose(%x)\nend\n";
  pelton_engine *engine;
  EXPECT_EQ(build(text, asked("fp16", true), &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: none of 1 layers would be in 16 bits");
  EXPECT_HAS(pelton_diag_message(&diag, 1), "node 'n': it reads from no layer");
  REQUIRE_OK(build(moves, asked("fp16", true), &engine), &diag); /* has no layer */
  EXPECT_HAS(pelton_engine_report(engine), "\"kept_f32\":0");
  pelton_engine_release(engine);
}

/* Random inputs are evidence for a build, not for strict; bounds that hold for all inputs are. */
TEST(strict_wants_more_than_random_inputs) {
  static const char open[] = "graph g(%x: f32[2,4]) -> (%y)\n  %w: f32[4,4] = const random(7)\n"
                             "  %y = matmul(%x, %w)  # name \"n\"\nend\n";
  static const char closed[] = "graph g(%x: f32[2,4]) -> (%y)\n  %w: f32[4,4] = const random(7)\n"
                               "  %s = softmax(%x)\n  %y = matmul(%s, %w)\nend\n";
  const float data[8] = {1, -2, 3, -4, 0.5f, 0, 1, 2};
  const pelton_tensor sample = {PELTON_DTYPE_F32, {2, {2, 4}}, (void *)(uintptr_t)data, sizeof data};
  pelton_build_options options = asked("fp16", true);
  pelton_engine *engine;
  REQUIRE_OK(build(open, options, &engine), &diag);
  pelton_engine_release(engine);
  static const char two[] = "graph g(%x: f32[2,4], %w: f32[4,4]) -> (%y)\n  %y = matmul(%x, %w)\nend\n";
  EXPECT_EQ(build(two, options, &engine), PELTON_UNSUPPORTED); /* nobody said what w may be */
  EXPECT_HAS(pelton_diag_message(&diag, 0), "only seen with random inputs");
  options.range_count = 0;
  EXPECT_EQ(build(open, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: that the values of node 'n' fit was only seen with random inputs");
  EXPECT_HAS(pelton_diag_message(&diag, 0), "give samples (--samples) or what the inputs may be (--input-range)");
  REQUIRE_OK(build(closed, options, &engine), &diag);
  pelton_engine_release(engine);
  options.layer_precision = "n=fp16"; /* by it alone */
  REQUIRE_OK(build(open, options, &engine), &diag);
  pelton_engine_release(engine);
  options.layer_precision = NULL;
  options.samples = &sample;
  options.sample_count = 1;
  REQUIRE_OK(build(open, options, &engine), &diag);
  pelton_engine_release(engine);
}

/* A scale that is drawn is none: the run fails, and nothing is known. */
TEST(strict_fails_where_nothing_was_observed) {
  static const char text[] = "graph g(%x: f32[1,1,2,2], %s: f32[4]) -> (%y)\n"
                             "  %y = resize(%x, _, %s) mode=linear  # name \"n\"\nend\n";
  pelton_build_options options = asked("fp16", true);
  pelton_engine *engine;
  options.range_count = 0;
  EXPECT_EQ(build(text, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: none of 1 layers would be in 16 bits");
  EXPECT_HAS(pelton_diag_message(&diag, 2), "strict: nothing is known of how large the values of node 'n' become");
  EXPECT_HAS(pelton_diag_message(&diag, 2), "give samples (--samples) or what the inputs may be (--input-range)");
}

TEST(what_would_be_ignored_is_refused) {
  static const char text[] = "graph g(%x: f32[3,3]) -> (%y)\n  %y = matmul(%x, %x)  # name \"n\"\nend\n";
  static const struct {
    const char *precision, *layers, *message;
  } cases[] = {
      {NULL, NULL, "strict is given without a precision"},
      {"fp16,", NULL, "precision 'fp16,' has an empty entry"},
      {"fp16,,bf16", NULL, "precision 'fp16,,bf16' has an empty entry"},
      {"", NULL, "precision '' has an empty entry"},
      {"best,fp16", NULL, "precision 'best,fp16': best stands by itself"},
      {"fp16,best", NULL, "precision 'fp16,best': best stands by itself"},
      {"fp16", "nosuch*=fp16", "layer precision 'nosuch*' fits no node's name"},
      {"fp16", "n=fp16,nosuch=fp32", "layer precision 'nosuch' fits no node's name"},
      {"fp16", "n=fp16,", "layer precision '' is not NAME=fp32"},
      {"fp16", "=fp16", "layer precision '=fp16' is not NAME=fp32"},
  };
  pelton_engine *engine;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    pelton_build_options options = asked(cases[i].precision, true);
    options.layer_precision = cases[i].layers;
    EXPECT_EQ(build(text, options, &engine), PELTON_INVALID_ARGUMENT);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].message);
  }
  pelton_build_options options = asked(NULL, true);
  options.layer_precision = "n=fp16"; /* strict about one layer */
  REQUIRE_OK(build(text, options, &engine), &diag);
  pelton_engine_release(engine);
  REQUIRE_OK(build(text, asked("best", true), &engine), &diag);
  pelton_engine_release(engine);
}

static uint32_t notes_told;
static void hear(void *self, pelton_log_level level, const char *message) {
  (void)self;
  notes_told += level == PELTON_LOG_WARNING && strstr(message, "has no effect on target 'cpu'") != NULL;
}

TEST(types_without_an_effect_are_told) {
  static const char text[] = "graph g(%x: f32[3,3]) -> (%y)\n  %y = matmul(%x, %x)  # name \"n\"\nend\n";
  const pelton_log log = {NULL, hear};
  pelton_build_options options = asked("tf32", false);
  pelton_engine *engine;
  options.log = &log;
  REQUIRE_OK(build(text, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine),
             "\"precision\":{\"asked\":\"tf32\",\"tf32\":false,\"notes\":[\"precision tf32 has no effect");
  EXPECT_EQ(notes_told, 1);
  pelton_engine_release(engine);
  options.precision = "fp16,tf32";
  REQUIRE_OK(build(text, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"tf32\":false,\"notes\":[\"precision tf32 has no effect");
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":1");
  EXPECT_EQ(notes_told, 2);
  pelton_engine_release(engine);
  options.precision = "best";
  REQUIRE_OK(build(text, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine),
             "\"precision\":{\"asked\":\"best\",\"notes\":[\"precision best is fp32 on target 'cpu'");
  pelton_engine_release(engine);
}

TEST_MAIN(T(types_without_an_effect_are_told), T(what_would_be_ignored_is_refused),
          T(strict_wants_more_than_random_inputs), T(strict_fails_where_nothing_was_observed),
          T(layers_without_a_kernel_are_told), T(a_subgraph_is_allowed_by_its_node),
          T(what_gains_nothing_is_told_and_allowed), T(a_network_of_nothing_in_16_bits_is_no_success))
