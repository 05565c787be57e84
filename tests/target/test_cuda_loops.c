/* Loops, scans and ifs on the target cuda, over the fake driver: what bodies capture and carry stays on the device,
   which is seen by counting copies; results are the cpu's; and whatever fails, nothing is left. */
#include "failing.h"
#include "fake_engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct crossings {
  long up, down, within;
} crossings;

static crossings now(void) { return (crossings){copies(0), copies(1), copies(2)}; }

enum { MOST_OUTPUTS = 4, MOST_NUMBERS = 4096 };

/* |runs| runs on |target|; the last one's results, one behind another, in |y|, and its copies. Inputs are f32. */
static pelton_status life(const char *text, const char *target, const pelton_allocator *allocator, int runs, float *y,
                          crossings *cost, pelton_diag *diag) {
  pelton_engine *engine = NULL;
  pelton_context *context = NULL;
  static float x[MOST_NUMBERS];
  for (size_t i = 0; i < MOST_NUMBERS; i++) x[i] = (float)((i * 37) % 101) / 500.0f - 0.1f;
  pelton_status status = build(text, target, allocator, &engine, diag);
  if (!status) status = pelton_context_create(engine, NULL, &context, diag);
  for (int r = 0; r < runs && !status; r++) {
    pelton_tensor in[4] = {{0}}, out[MOST_OUTPUTS] = {{0}};
    for (uint32_t i = 0; i < pelton_engine_input_count(engine); i++) {
      pelton_io_info info;
      REQUIRE_OK(pelton_engine_input(engine, i, &info), diag);
      in[i] = (pelton_tensor){info.dtype, info.shape, x + 7 * i, sizeof x - 7 * i * sizeof x[0]};
    }
    const crossings before = now();
    status = pelton_context_run(context, in, pelton_engine_input_count(engine), out, pelton_engine_output_count(engine),
                                diag);
    if (cost) *cost = (crossings){copies(0) - before.up, copies(1) - before.down, copies(2) - before.within};
    size_t used = 0;
    for (uint32_t i = 0; i < pelton_engine_output_count(engine) && !status && y; i++) {
      REQUIRE(used + out[i].bytes <= MOST_NUMBERS * sizeof *y);
      memcpy((char *)y + used, out[i].data, out[i].bytes);
      used += out[i].bytes;
    }
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  return status;
}

/* ---- what crosses: three inputs at most, results, and what is said here ---- */

static const struct {
  const char *name, *text;
  long up, down;
} cases[] = {
    /* Inputs x and w, the iteration's number ten times; the results, and the condition ten times. */
    {"loop with a condition of the device",
     "graph g(%x: f32[4,8], %w: f32[8,8]) -> (%y, %all)\n"
     "  %trip: i64[] = const [10]\n"
     "  %a = pointwise(%x) expr=\"relu(x0)\"\n"
     "  %last, %all = loop(%trip, _, %a, %w) body={ graph body(%i, %go, %v, %c) -> (%on, %z, %z)\n"
     "      %p = matmul(%v, %c)\n"
     "      %z = pointwise(%p) expr=\"add(x0,0.125:f32)\"\n"
     "      %on = pointwise(%i) expr=\"less(x0,100:i64)\"\n"
     "    end } carried_count=1\n"
     "  %y = pointwise(%last) expr=\"neg(x0)\"\n"
     "end\n",
     2 + 10, 2 + 10},
    /* Nothing but inputs and results: the number is not read, and the condition is the host's. */
    {"loop that counts",
     "graph g(%x: f32[4,8], %w: f32[8,8]) -> (%y)\n"
     "  %trip: i64[] = const [10]\n"
     "  %last = loop(%trip, _, %x, %w) body={ graph body(%i, %go, %v, %c) -> (%go, %z)\n"
     "      %p = matmul(%v, %c)\n"
     "      %z = pointwise(%p) expr=\"add(x0,0.125:f32)\"\n"
     "    end } carried_count=1\n"
     "  %y = pointwise(%last) expr=\"neg(x0)\"\n"
     "end\n",
     2, 1},
    /* States that change places, one that stays, one that a constant replaces, one that is what is captured: down comes
       one, for the others are the host's; up go x and w, and the constant once for all runs. */
    {"loop of states that change places",
     "graph g(%x: f32[4,8], %w: f32[4,8]) -> (%y, %r, %n, %k)\n"
     "  %trip: i64[] = const [7]\n"
     "  %a = pointwise(%x) expr=\"relu(x0)\"\n"
     "  %l1, %l2, %k, %n, %r, %m = loop(%trip, _, %a, %x, %w, %x, %a, %a, %w) body={\n"
     "    graph body(%i, %go, %p, %q, %s, %t, %u, %v, %c) -> (%go, %q, %z, %s, %e, %c, %p)\n"
     "      %e: f32[4,8] = const random(3)\n"
     "      %z = pointwise(%p, %q, %t, %u, %v) expr=\"add(add(add(add(x0,x1),x2),x3),x4)\"\n"
     "    end } carried_count=6\n"
     "  %y = pointwise(%l1, %l2, %m) expr=\"add(add(x0,mul(x1,0.5:f32)),x2)\"\n"
     "end\n",
     2, 1},
    /* The inner loop's captured input is the outer's, and goes up once. */
    {"loop in a loop",
     "graph g(%x: f32[4,8], %w: f32[8,8]) -> (%y)\n"
     "  %trip: i64[] = const [4]\n"
     "  %y = loop(%trip, _, %x, %w, %trip) body={ graph outer(%i, %go, %v, %c, %n) -> (%go, %z)\n"
     "      %h = pointwise(%v) expr=\"mul(x0,0.5:f32)\"\n"
     "      %z = loop(%n, _, %h, %c) body={ graph inner(%j, %on, %q, %d) -> (%on, %s)\n"
     "          %s = matmul(%q, %d)\n"
     "        end } carried_count=1\n"
     "    end } carried_count=1\n"
     "end\n",
     2, 1},
    /* A state that grows, and a view of what is carried. */
    {"loop of a state that grows",
     "graph g(%x: f32[2,3]) -> (%y, %last, %views)\n"
     "  %trip: i64[] = const [5]\n"
     "  %axis: i64[1] = const [0]\n"
     "  %last, %f, %views = loop(%trip, _, %x, %x, %axis) body={ graph body(%i, %go, %v, %u, %s) -> (%go, %w, %m, %g)\n"
     "      %m = pointwise(%u) expr=\"mul(x0,1.5:f32)\"\n"
     "      %w = concat(%v, %m) axis=1\n"
     "      %g = unsqueeze(%m, %s)\n"
     "    end } carried_count=2\n"
     "  %y = pointwise(%f) expr=\"neg(x0)\"\n"
     "end\n",
     1, 3},
    /* Slices of what is on the device never leave it; what the host has goes up as a whole after the first slice, and
       the constant once for all runs. */
    {"scan",
     "graph g(%x: f32[6,5,4], %w: f32[4,4]) -> (%end, %all, %back)\n"
     "  %s = pointwise(%x) expr=\"add(x0,1.0:f32)\"\n"
     "  %none: f32[5,4] = const random(2)\n"
     "  %end, %all, %back = scan(%none, %s, %w) body={ graph body(%h, %e, %c) -> (%n, %n, %n)\n"
     "      %p = matmul(%h, %c)\n"
     "      %n = pointwise(%p, %e) expr=\"add(x0,x1)\"\n"
     "    end } state_count=1 scan_count=1 output_axes=[0,1] output_reversed=[0,1]\n"
     "end\n",
     2, 3},
    {"scan of an input along its last axis",
     "graph g(%x: f32[5,4,6]) -> (%end, %all)\n"
     "  %none: f32[5,4] = const random(2)\n"
     "  %end, %all = scan(%none, %x) body={ graph body(%h, %e) -> (%n, %n)\n"
     "      %n = pointwise(%h, %e) expr=\"add(mul(x0,0.5:f32),x1)\"\n"
     "    end } state_count=1 scan_count=1 input_axes=[2] input_reversed=[1] output_axes=[2]\n"
     "end\n",
     2, 2},
    {"if",
     "graph g(%x: f32[4,8], %w: f32[8,8]) -> (%y, %z)\n"
     "  %a = pointwise(%x) expr=\"relu(x0)\"\n"
     "  %axes: i64[2] = const [0, 1]\n"
     "  %sum = reduce(%a, %axes) kind=sum keep_dims=false\n"
     "  %on = pointwise(%sum) expr=\"less(x0,1000.0:f32)\"\n"
     "  %r, %z = if(%on, %a, %w) then_graph={ graph t(%v, %c) -> (%p, %v)\n"
     "      %p = matmul(%v, %c)\n"
     "    end } else_graph={ graph e(%v, %c) -> (%v, %v)\n"
     "    end }\n"
     "  %y = pointwise(%r) expr=\"neg(x0)\"\n"
     "end\n",
     2, 2 + 1},
};

TEST(bodies_keep_what_is_on_the_device) {
  static float cpu[MOST_NUMBERS], cuda[MOST_NUMBERS];
  use_fake();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    crossings cost;
    memset(cpu, 0, sizeof cpu);
    REQUIRE_OK(life(cases[i].text, "cpu", NULL, 2, cpu, NULL, &diag), &diag);
    for (int runs = 1; runs <= 4; runs++) { /* one by one, recorded, played */
      memset(cuda, 0, sizeof cuda);
      REQUIRE_OK(life(cases[i].text, "cuda", NULL, runs, cuda, &cost, &diag), &diag);
      for (size_t k = 0; k < MOST_NUMBERS; k++) EXPECT_NEAR(cuda[k], cpu[k], 1e-4 * (1 + fabs(cpu[k])));
    }
    printf("  %s: %ld up, %ld down, %ld within\n", cases[i].name, cost.up, cost.down, cost.within);
    EXPECT_EQ(cost.up, cases[i].up);
    EXPECT_EQ(cost.down, cases[i].down);
  }
  EXPECT_EQ(live(), 0);
}

/* ---- what fails ---- */

static pelton_status life_of(const void *text, const pelton_allocator *allocator, pelton_diag *diag) {
  return life(text, "cuda", allocator, 2, NULL, NULL, diag);
}

TEST(any_call_of_the_driver_may_fail) {
  use_fake();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    printf("  %s\n", cases[i].name);
    each_call_fails(life_of, cases[i].text, 0, 50);
  }
}

TEST(any_allocation_may_fail) {
  use_fake();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) each_allocation_fails(life_of, cases[i].text, 0);
}

/* A context goes on after a run that failed in the middle of a loop. */
TEST(a_run_after_one_that_failed_is_right) {
  static float x[MOST_NUMBERS];
  use_fake();
  for (size_t i = 0; i < MOST_NUMBERS; i++) x[i] = (float)((i * 37) % 101) / 500.0f - 0.1f;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine;
    pelton_context *context;
    pelton_tensor in[4] = {{0}}, out[MOST_OUTPUTS] = {{0}};
    static float expected[MOST_NUMBERS];
    pelton_status status = PELTON_DEVICE_ERROR;
    REQUIRE_OK(build(cases[c].text, "cuda", NULL, &engine, &diag), &diag);
    REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
    const uint32_t inputs = pelton_engine_input_count(engine), outputs = pelton_engine_output_count(engine);
    for (uint32_t i = 0; i < inputs; i++) {
      pelton_io_info info;
      REQUIRE_OK(pelton_engine_input(engine, i, &info), &diag);
      in[i] = (pelton_tensor){info.dtype, info.shape, x + 7 * i, sizeof x - 7 * i * sizeof x[0]};
    }
    REQUIRE_OK(pelton_context_run(context, in, inputs, out, outputs, &diag), &diag);
    const size_t bytes = out[0].bytes;
    memcpy(expected, out[0].data, bytes);
    for (long n = 1; status; n++) {
      pelton_diag_init(&diag);
      fail_at(n);
      memset(out, 0, sizeof out);
      status = pelton_context_run(context, in, inputs, out, outputs, &diag);
      fail_at(0);
      pelton_diag_init(&diag);
      memset(out, 0, sizeof out);
      REQUIRE_OK(pelton_context_run(context, in, inputs, out, outputs, &diag), &diag);
      EXPECT(out[0].bytes == bytes && !memcmp(out[0].data, expected, bytes));
    }
    pelton_context_release(context);
    pelton_engine_release(engine);
  }
  EXPECT_EQ(live(), 0);
}

TEST_MAIN(T(bodies_keep_what_is_on_the_device), T(any_call_of_the_driver_may_fail), T(any_allocation_may_fail),
          T(a_run_after_one_that_failed_is_right))
