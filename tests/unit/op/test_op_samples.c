/* Every operator has a sample that is a valid graph, and what is said of types and tactics holds for known ones. */
#include "harness.h"

#include "api/op_samples.h"
#include "pelton/build.h"

#include <stdio.h>

TEST(each_operator_has_a_valid_sample) {
  for (uint32_t op = 0; op < PN_OP_COUNT; op++) {
    bool any = false;
    for (int t = PELTON_DTYPE_NONE + 1; t < PELTON_DTYPE_COUNT; t++)
      any |= pn_op_sample_valid((pn_op)op, (pelton_dtype)t);
    if (!any) printf("  %s: its sample in src/api/op_samples.c is no valid graph\n", pn_op_get((pn_op)op)->name);
    EXPECT(any);
  }
}

TEST(types_are_what_the_operators_check) {
  EXPECT(pn_op_sample_valid(PN_OP_CONV, PELTON_DTYPE_F32) && !pn_op_sample_valid(PN_OP_CONV, PELTON_DTYPE_I32));
  EXPECT(pn_op_sample_valid(PN_OP_CONV_INTEGER, PELTON_DTYPE_U8) &&
         !pn_op_sample_valid(PN_OP_CONV_INTEGER, PELTON_DTYPE_F32));
  EXPECT(pn_op_sample_valid(PN_OP_TRANSPOSE, PELTON_DTYPE_BOOL));
  EXPECT(pn_op_sample_valid(PN_OP_RANGE, PELTON_DTYPE_F32) && !pn_op_sample_valid(PN_OP_RANGE, PELTON_DTYPE_BOOL));
}

TEST(tactics_are_those_that_accept) {
  const pn_target *cpu = pn_target_find(PN_STR("cpu"));
  pn_device_options options = {.allocator = &pn_allocator_default, .threads = 1, .isa_lowered = true};
  pn_device *device;
  const pn_tactic *tactics[PN_SAMPLE_TACTICS];
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE(cpu != NULL);
  REQUIRE_OK(cpu->device_open(&options, &device, &diag), &diag);
  uint32_t count = pn_op_sample_tactics(PN_OP_CONV, PELTON_DTYPE_F32, cpu, device, tactics), direct = 0;
  for (uint32_t i = 0; i < count; i++) {
    EXPECT(!tactics[i]->is_reference);
    direct += strcmp(tactics[i]->name, "cpu.conv_direct") == 0;
  }
  EXPECT_EQ(direct, 1);
  EXPECT_EQ(pn_op_sample_tactics(PN_OP_CONV, PELTON_DTYPE_F64, cpu, device, tactics), 0);
  EXPECT_EQ(pn_op_sample_tactics(PN_OP_RESHAPE, PELTON_DTYPE_F32, cpu, device, tactics), 0);
  cpu->device_close(device);
}

TEST(tables_as_json) {
  pelton_diag diag = PELTON_DIAG_INIT;
  char *text;
  REQUIRE_OK(pelton_ops_json(&text, &diag), &diag);
  EXPECT_HAS(text, "\"cpu.conv_direct\"");
  pelton_text_release(text);
  REQUIRE_OK(pelton_onnx_ops_json(&text, &diag), &diag);
  EXPECT_HAS(text, "\"Conv\"");
  pelton_text_release(text);
  EXPECT_EQ(pelton_onnx_ops_json(NULL, &diag), PELTON_INVALID_ARGUMENT);
}

TEST_MAIN(T(each_operator_has_a_valid_sample), T(types_are_what_the_operators_check), T(tactics_are_those_that_accept),
          T(tables_as_json))
