/* The diagnostic sink: cutting, dropping, prefixes. */
#include "harness.h"

#include "base/diag.h"

static char long_text[8192];

static const char *long_of(char c, size_t length) {
  memset(long_text, c, length);
  long_text[length] = 0;
  return long_text;
}

/* Entries lie one after another, NUL-terminated, within the buffer. */
static void expect_consistent(const pelton_diag *diag) {
  uint32_t end = 0;
  for (uint32_t i = 0; i < diag->count; i++) {
    EXPECT_EQ(diag->offset[i], end);
    end += (uint32_t)strlen(pelton_diag_message(diag, i)) + 1;
  }
  EXPECT_EQ(diag->used_bytes, end);
  EXPECT(end <= PELTON_DIAG_TEXT_BYTES);
}

TEST(collects) {
  pelton_diag diag = PELTON_DIAG_INIT;
  EXPECT_STR(pelton_diag_message(&diag, 0), "");
  EXPECT_EQ(pn_fail(&diag, PELTON_UNSUPPORTED, "node '%s' has %d inputs", "a", 3), PELTON_UNSUPPORTED);
  EXPECT_EQ(pn_fail_memory(&diag, "a graph"), PELTON_OUT_OF_MEMORY);
  EXPECT_EQ(diag.count, 2);
  EXPECT_STR(pelton_diag_message(&diag, 0), "node 'a' has 3 inputs");
  EXPECT_HAS(pelton_diag_message(&diag, 1), "a graph");
  EXPECT_EQ(diag.status[0], PELTON_UNSUPPORTED);
  EXPECT_EQ(diag.status[1], PELTON_OUT_OF_MEMORY);
  EXPECT_STR(pelton_diag_message(&diag, 2), "");
  expect_consistent(&diag);
  pelton_diag_init(&diag);
  EXPECT_EQ(diag.count, 0);
  EXPECT_EQ(diag.size, sizeof diag);
}

TEST(null_sink) {
  EXPECT_EQ(pn_fail(NULL, PELTON_IO_ERROR, "x"), PELTON_IO_ERROR);
  pn_diag_prefix(NULL, 0, "x");
  pn_diag_rewind(NULL, 0);
  pelton_diag_init(NULL);
  EXPECT_STR(pelton_diag_message(NULL, 0), "");
}

TEST(cuts_long_messages) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_fail(&diag, PELTON_INVALID_DATA, "%s", long_of('x', 8000));
  size_t length = strlen(pelton_diag_message(&diag, 0));
  EXPECT(length > 1000 && length < 4000);
  EXPECT_STR(pelton_diag_message(&diag, 0) + length - 4, "x...");
  /* A cut never splits a UTF-8 character: of 3-byte ones a whole number is left. */
  for (size_t i = 0; i < 2700; i++) memcpy(long_text + 3 * i, "\xe2\x82\xac", 4);
  for (int shift = 0; shift < 3; shift++) {
    pelton_diag_init(&diag);
    pn_fail(&diag, PELTON_INVALID_DATA, "%.*s%s", shift, "abc", long_text);
    const char *message = pelton_diag_message(&diag, 0);
    EXPECT_EQ((strlen(message) - 3 - (size_t)shift) % 3, 0);
    EXPECT_STR(message + strlen(message) - 3, "...");
  }
  expect_consistent(&diag);
}

TEST(masks_control_characters) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_fail(&diag, PELTON_INVALID_DATA, "name '%s'", "a\x1b[31mb\x7f\nc");
  EXPECT_STR(pelton_diag_message(&diag, 0), "name 'a?[31mb?\nc'");
}

TEST(drops_beyond_room) {
  pelton_diag diag = PELTON_DIAG_INIT;
  for (int i = 0; i < 70; i++) pn_fail(&diag, PELTON_UNSUPPORTED, "%d", i);
  EXPECT_EQ(diag.count, 64);
  EXPECT_EQ(diag.dropped, 6);
  EXPECT_STR(pelton_diag_message(&diag, 63), "63");
  pelton_diag_init(&diag);
  for (int i = 0; i < 64; i++) pn_fail(&diag, PELTON_UNSUPPORTED, "%s", long_of('y', 1900));
  EXPECT(diag.count >= 8);
  EXPECT_EQ(diag.count + diag.dropped, 64);
  expect_consistent(&diag);
}

TEST(prefixes) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_fail(&diag, PELTON_INVALID_DATA, "before");
  uint32_t mark = pn_diag_mark(&diag);
  pn_diag_prefix(&diag, mark, "nothing yet");
  pn_fail(&diag, PELTON_INVALID_DATA, "one");
  pn_fail(&diag, PELTON_UNSUPPORTED, "two, longer");
  pn_fail(&diag, PELTON_UNSUPPORTED, "%s", "");
  pn_diag_prefix(&diag, mark, "node %d", 12);
  EXPECT_STR(pelton_diag_message(&diag, 0), "before");
  EXPECT_STR(pelton_diag_message(&diag, 1), "node 12: one");
  EXPECT_STR(pelton_diag_message(&diag, 2), "node 12: two, longer");
  EXPECT_STR(pelton_diag_message(&diag, 3), "node 12: ");
  expect_consistent(&diag);
}

/* Every mixture of fullness: whatever is dropped or cut, the sink stays whole and the first entry's prefix arrives. */
TEST(prefix_without_room) {
  for (size_t length = 1; length < 1000; length += 37) {
    pelton_diag diag = PELTON_DIAG_INIT;
    for (int i = 0; i < 64; i++) pn_fail(&diag, PELTON_UNSUPPORTED, "%d %s", i, long_of('z', length));
    uint32_t total = diag.count + diag.dropped;
    pn_diag_prefix(&diag, 3, "%s", long_of('p', 400));
    expect_consistent(&diag);
    EXPECT_EQ(diag.count + diag.dropped, total);
    REQUIRE(diag.count > 3);
    EXPECT_EQ(pelton_diag_message(&diag, 2)[0], '2');
    EXPECT_EQ(strncmp(pelton_diag_message(&diag, 3), long_text, 400), 0);
    EXPECT_EQ(strncmp(pelton_diag_message(&diag, 3) + 400, ": 3 ", 4), 0);
  }
  /* One entry at the very end: its text is cut for the prefix, or the prefix is left out; never beyond the buffer. */
  for (size_t last = 1; last < 1500; last += 13) {
    pelton_diag diag = PELTON_DIAG_INIT;
    while (PELTON_DIAG_TEXT_BYTES - diag.used_bytes > 1500) pn_fail(&diag, PELTON_UNSUPPORTED, "%s", long_of('z', 400));
    pn_fail(&diag, PELTON_UNSUPPORTED, "%s", long_of('l', last));
    pn_diag_prefix(&diag, diag.count - 1, "%s", long_of('p', 500));
    expect_consistent(&diag);
  }
}

TEST(rewinds) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_fail(&diag, PELTON_INVALID_DATA, "kept");
  uint32_t mark = pn_diag_mark(&diag);
  pn_fail(&diag, PELTON_INVALID_DATA, "asked");
  pn_fail(&diag, PELTON_INVALID_DATA, "asked");
  pn_diag_rewind(&diag, mark);
  EXPECT_EQ(diag.count, 1);
  expect_consistent(&diag);
  pn_fail(&diag, PELTON_INVALID_DATA, "next");
  EXPECT_STR(pelton_diag_message(&diag, 0), "kept");
  EXPECT_STR(pelton_diag_message(&diag, 1), "next");
  pn_diag_rewind(&diag, 7);
  EXPECT_EQ(diag.count, 2);
}

TEST_MAIN(T(collects), T(null_sink), T(cuts_long_messages), T(masks_control_characters), T(drops_beyond_room),
          T(prefixes), T(prefix_without_room), T(rewinds))
