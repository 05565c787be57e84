/* The protobuf reader, on bytes made by hand: each kind of field, each way to be broken, and what it then says. */
#include "harness.h"

#include "base/diag.h"
#include "import/wire/protobuf.h"

#include <stdio.h>

typedef struct leaf {
  int64_t number;
  bool has_number;
  pn_str text;
} leaf;

typedef struct tree {
  int32_t small;
  bool flag;
  float f;
  double d;
  pn_str text;
  pn_span blob;
  PN_LIST(int64_t) ints;
  PN_LIST(int32_t) smalls;
  PN_LIST(float) floats;
  PN_LIST(double) doubles;
  PN_LIST(pn_str) texts;
  leaf *one;
  PN_LIST(leaf) leaves;
  struct tree *inner;
  pn_pb_lazy later, later_floats;
} tree;

static const pn_pb_message tree_message;

static const pn_pb_field leaf_fields[] = {
    PN_PB_HAS(1, "number", PN_PB_I64, leaf, number, has_number),
    PN_PB_ONE(2, "text", PN_PB_STR, leaf, text),
};
static PN_PB_TABLE(leaf_message, leaf, leaf_fields);

static const pn_pb_field tree_fields[] = {
    PN_PB_ONE(1, "small", PN_PB_I32, tree, small),
    PN_PB_ONE(2, "flag", PN_PB_BOOL, tree, flag),
    PN_PB_ONE(3, "f", PN_PB_F32, tree, f),
    PN_PB_ONE(4, "d", PN_PB_F64, tree, d),
    PN_PB_ONE(5, "text", PN_PB_STR, tree, text),
    PN_PB_ONE(6, "blob", PN_PB_SPAN, tree, blob),
    PN_PB_MANY(7, "ints", PN_PB_I64, tree, ints),
    PN_PB_MANY(8, "smalls", PN_PB_I32, tree, smalls),
    PN_PB_MANY(9, "floats", PN_PB_F32, tree, floats),
    PN_PB_MANY(10, "doubles", PN_PB_F64, tree, doubles),
    PN_PB_MANY(11, "texts", PN_PB_STR, tree, texts),
    PN_PB_SUB(12, "one", tree, one, leaf_message),
    PN_PB_SUBS(13, "leaves", tree, leaves, leaf_message),
    PN_PB_SUB(14, "inner", tree, inner, tree_message),
    PN_PB_LATER(15, "later", PN_PB_I32, tree, later),
    PN_PB_LATER(16, "later_floats", PN_PB_F32, tree, later_floats),
};
static PN_PB_TABLE(tree_message, tree, tree_fields);

static pelton_diag diag;

/* Parses a copy of exactly |size| bytes on the heap, so that the sanitizer sees a read beyond them. The copy and the
   arena live until the next call. */
static pelton_status parse(const void *bytes, size_t size, tree *out) {
  static uint8_t *copy;
  static pn_arena arena;
  static bool used;
  if (used) pn_arena_deinit(&arena);
  free(copy);
  copy = malloc(size ? size : 1);
  REQUIRE(copy != NULL);
  if (size) memcpy(copy, bytes, size);
  pn_arena_init(&arena, NULL);
  used = true;
  memset(out, 0, sizeof *out);
  pelton_diag_init(&diag);
  return pn_pb_parse(&tree_message, (pn_span){copy, size}, &arena, out, &diag);
}
#define PARSE(out, ...) parse((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (out))

static void expect_broken(pelton_status status, const char *message) {
  EXPECT_EQ(status, PELTON_INVALID_DATA);
  EXPECT_EQ(diag.count, 1);
  EXPECT_STR(pelton_diag_message(&diag, 0), message);
}

TEST(reads_every_kind) {
  tree t;
  REQUIRE_OK(PARSE(&t, 0x08, 0x96, 0x01,                        /* small: 150 */
                   0x10, 0x01,                                  /* flag: true */
                   0x1d, 0x00, 0x00, 0x20, 0x40,                /* f: 2.5 */
                   0x21, 0, 0, 0, 0, 0, 0, 0xf8, 0xbf,          /* d: -1.5 */
                   0x2a, 2, 'h', 'i',                           /* text */
                   0x32, 0,                                     /* blob: empty, but there */
                   0x5a, 1, 'a', 0x5a, 0, 0x5a, 2, 'b', 'c',    /* texts */
                   0x62, 2, 0x08, 0x00,                         /* one: number 0 */
                   0x6a, 2, 0x08, 0x05, 0x6a, 3, 0x12, 1, 'z'), /* leaves */
             &diag);
  EXPECT_EQ(t.small, 150);
  EXPECT(t.flag);
  EXPECT(t.f == 2.5f && t.d == -1.5);
  EXPECT(pn_str_is(t.text, "hi"));
  EXPECT(t.blob.data != NULL && t.blob.size == 0);
  REQUIRE(t.texts.count == 3);
  EXPECT(pn_str_is(t.texts.data[0], "a") && t.texts.data[1].size == 0 && pn_str_is(t.texts.data[2], "bc"));
  REQUIRE(t.one != NULL);
  EXPECT(t.one->has_number && t.one->number == 0);
  REQUIRE(t.leaves.count == 2);
  EXPECT_EQ(t.leaves.data[0].number, 5);
  EXPECT(!t.leaves.data[1].has_number && pn_str_is(t.leaves.data[1].text, "z"));
  EXPECT(t.inner == NULL);
}

TEST(empty_is_valid) {
  tree t;
  REQUIRE_OK(parse("", 0, &t), &diag);
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  REQUIRE_OK(pn_pb_parse(&tree_message, (pn_span){NULL, 0}, &arena, &t, &diag), &diag);
  EXPECT_EQ(t.small, 0);
}

TEST(lists_packed_and_not) {
  tree t;
  REQUIRE_OK(PARSE(&t, 0x38, 1, 0x3a, 3, 2, 0x80, 0x01, 0x38, 3, 0x3a, 0,                /* ints: 1, [2, 128], 3, [] */
                   0x42, 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* smalls: [-1] */
                   0x4a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0x4d, 0, 0, 0x40, 0x40,     /* floats: [1, 2], 3 */
                   0x51, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f),                                  /* doubles: 1 */
             &diag);
  REQUIRE(t.ints.count == 4 && t.ints.capacity == 4);
  EXPECT(t.ints.data[0] == 1 && t.ints.data[1] == 2 && t.ints.data[2] == 128 && t.ints.data[3] == 3);
  REQUIRE(t.smalls.count == 1);
  EXPECT_EQ(t.smalls.data[0], -1);
  REQUIRE(t.floats.count == 3);
  EXPECT(t.floats.data[0] == 1 && t.floats.data[1] == 2 && t.floats.data[2] == 3);
  REQUIRE(t.doubles.count == 1);
  EXPECT(t.doubles.data[0] == 1);
}

TEST(unknown_fields_are_skipped) {
  tree t;
  REQUIRE_OK(PARSE(&t, 0xa0, 0x06, 0x7f,               /* 100: varint */
                   0xa5, 0x06, 1, 2, 3, 4,             /* 100: 32 bits */
                   0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, /* 100: 64 bits */
                   0xa2, 0x06, 3, 0xff, 0xff, 0xff,    /* 100: bytes */
                   0xf8, 0xff, 0xff, 0xff, 0x0f, 0,    /* the highest number */
                   0x08, 7),
             &diag);
  EXPECT_EQ(t.small, 7);
}

TEST(repeated_singular_fields_merge) {
  tree t;
  REQUIRE_OK(PARSE(&t, 0x08, 1, 0x08, 2,                      /* the last number counts */
                   0x62, 2, 0x08, 9, 0x62, 3, 0x12, 1, 'q',   /* one: number, then text */
                   0x72, 2, 0x38, 1, 0x72, 4, 0x3a, 2, 2, 3), /* inner.ints: 1, then 2, 3 */
             &diag);
  EXPECT_EQ(t.small, 2);
  EXPECT(t.one->number == 9 && pn_str_is(t.one->text, "q"));
  REQUIRE(t.inner->ints.count == 3);
  EXPECT(t.inner->ints.data[0] == 1 && t.inner->ints.data[2] == 3);
  expect_broken(PARSE(&t, 0x72, 2, 0x78, 1, 0x72, 2, 0x78, 2),
                "inner.later: is given in two separate pieces; save the file again as one piece at byte 6");
}

TEST(varints_of_ten_bytes) {
  tree t;
  REQUIRE_OK(PARSE(&t, 0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,   /* INT64_MAX */
                   0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, /* INT64_MIN */
                   0x38, 0x81, 0x80, 0x00),                                          /* 1, longer than need be */
             &diag);
  EXPECT_EQ(t.ints.data[0], INT64_MAX);
  EXPECT_EQ(t.ints.data[1], INT64_MIN);
  EXPECT_EQ(t.ints.data[2], 1);
  expect_broken(PARSE(&t, 0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02),
                "ints: varint is longer than 64 bits at byte 1");
  expect_broken(PARSE(&t, 0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
                "ints: varint is longer than 64 bits at byte 1");
  expect_broken(PARSE(&t, 0x38, 0xff, 0xff), "ints: varint runs past the end of its message at byte 1");
}

TEST(complaints_have_paths) {
  tree t;
  expect_broken(PARSE(&t, 0x80), "file: varint runs past the end of its message at byte 0");
  expect_broken(PARSE(&t, 0x00, 0x00), "file: no such field number at byte 0");
  expect_broken(PARSE(&t, 0x88, 0x80, 0x80, 0x80, 0x10, 0), "file: no such field number at byte 0");
  expect_broken(PARSE(&t, 0x0b, 0x0c), "file: groups are not supported at byte 0");
  expect_broken(PARSE(&t, 0x0e, 0x0c), "file: no such wire type at byte 0");
  expect_broken(PARSE(&t, 0x2a, 5, 'h', 'i'), "text: runs past the end of its message at byte 1");
  expect_broken(PARSE(&t, 0x1d, 0, 0, 0), "f: 32-bit value runs past the end of its message at byte 1");
  expect_broken(PARSE(&t, 0x21, 0, 0, 0, 0, 0, 0, 0), "d: 64-bit value runs past the end of its message at byte 1");
  expect_broken(PARSE(&t, 0x4a, 3, 0, 0, 0),
                "floats: length of a packed list is not a multiple of its element's size at byte 2");
  expect_broken(PARSE(&t, 0x3a, 2, 0, 0x80), "ints: varint runs past the end of its packed list at byte 2");
  expect_broken(PARSE(&t, 0x6a, 0, 0x6a, 2, 0x08, 0x80),
                "leaves[1].number: varint runs past the end of its message at byte 5");
  expect_broken(PARSE(&t, 0x72, 6, 0x72, 4, 0x6a, 2, 0x12, 1), "inner.inner.leaves[0].text: runs past the end of its "
                                                               "message at byte 7");
}

TEST(wrong_wire_types) {
  tree t;
  expect_broken(PARSE(&t, 0x0a, 1, 1), "small: is bytes where a varint should be at byte 0");
  expect_broken(PARSE(&t, 0x28, 1), "text: is a varint where bytes should be at byte 0");
  expect_broken(PARSE(&t, 0x18, 1), "f: is a varint where a 32-bit value should be at byte 0");
  expect_broken(PARSE(&t, 0x25, 0, 0, 0, 0), "d: is a 32-bit value where a 64-bit value should be at byte 0");
  expect_broken(PARSE(&t, 0x68, 1), "leaves: is a varint where bytes should be at byte 0");
  expect_broken(PARSE(&t, 0x61, 0, 0, 0, 0, 0, 0, 0, 0), "one: is a 64-bit value where bytes should be at byte 0");
  expect_broken(PARSE(&t, 0x3d, 0, 0, 0, 0), "ints: is a 32-bit value where a varint should be at byte 0");
  expect_broken(PARSE(&t, 0x48, 1), "floats: is a varint where a 32-bit value should be at byte 0");
}

TEST(huge_lengths) {
  tree t;
  expect_broken(PARSE(&t, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'x'),
                "text: runs past the end of its message at byte 1");
  expect_broken(PARSE(&t, 0x6a, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x'),
                "leaves: runs past the end of its message at byte 1");
  expect_broken(PARSE(&t, 0xa2, 0x06, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
                "file: runs past the end of its message at byte 2");
}

TEST(every_truncation) {
  /* One field of each kind; cut anywhere but between fields it must fail, never read beyond, and say where. */
  static const uint8_t whole[] = {0x08, 0x96, 0x01, 0x1d, 0,    0,    0x20, 0x40, 0x21, 0,    0,    0,
                                  0,    0,    0,    0xf8, 0xbf, 0x2a, 2,    'h',  'i',  0x3a, 3,    1,
                                  0x80, 0x01, 0x4a, 4,    0,    0,    0,    0,    0x6a, 5,    0x08, 0x85,
                                  0x01, 0x12, 0,    0xa2, 0x06, 1,    0xff, 0x7a, 2,    0x80, 0x01};
  static const size_t borders[] = {0, 3, 8, 17, 21, 26, 32, 39, 43, sizeof whole};
  size_t border = 0;
  for (size_t n = 0; n <= sizeof whole; n++) {
    tree t;
    pelton_status status = parse(whole, n, &t);
    if (n == borders[border]) {
      EXPECT_EQ(status, PELTON_OK);
      border++;
    } else {
      EXPECT_EQ(status, PELTON_INVALID_DATA);
      EXPECT_HAS(pelton_diag_message(&diag, 0), " at byte ");
    }
  }
  EXPECT_EQ(border, PN_COUNT(borders));
}

/* |depth| messages one in another, written from the inside out. */
static size_t nest(uint8_t *out, size_t room, int depth) {
  size_t size = 0;
  for (int i = 0; i < depth; i++) {
    uint8_t head[4] = {0x72, (uint8_t)(size & 0x7f), 0, 0};
    size_t head_bytes = 2;
    if (size > 127) {
      head[1] |= 0x80;
      head[2] = (uint8_t)(size >> 7);
      head_bytes = 3;
    }
    REQUIRE(size + head_bytes <= room);
    memmove(out + head_bytes, out, size);
    memcpy(out, head, head_bytes);
    size += head_bytes;
  }
  return size;
}

TEST(deep_nesting) {
  uint8_t bytes[4096];
  tree t;
  size_t size = nest(bytes, sizeof bytes, PN_PB_MAX_DEPTH - 1);
  REQUIRE_OK(parse(bytes, size, &t), &diag);
  size = nest(bytes, sizeof bytes, PN_PB_MAX_DEPTH);
  EXPECT_EQ(parse(bytes, size, &t), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "inner.inner: is nested too deeply");
  EXPECT(strncmp(pelton_diag_message(&diag, 0), "...", 3) == 0); /* the path's beginning is cut, not its end */
}

TEST(numbers_left_in_the_file) {
  tree t;
  uint64_t count;
  int8_t small[4];
  REQUIRE_OK(PARSE(&t, 0x78, 1,                                           /* later: 1 */
                   0x08, 5,                                               /* something between */
                   0x7a, 12, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0xff, 0x01, 3, /* 32-bit -2, 255, 3, ... */
                   0x80, 0x00, 0, 0),                                     /* ... 0, 0, 0 */
             &diag);
  REQUIRE_OK(pn_pb_lazy_count(&t.later, &count, &diag), &diag);
  EXPECT_EQ(count, 7);
  int16_t wide[7];
  REQUIRE_OK(pn_pb_lazy_decode(&t.later, 2, 7, wide, &diag), &diag);
  EXPECT(wide[0] == 1 && wide[1] == -2 && wide[2] == 255 && wide[3] == 3 && wide[4] == 0 && wide[6] == 0);
  EXPECT_EQ(pn_pb_lazy_decode(&t.later, 2, 6, wide, &diag), PELTON_INVALID_DATA);
  EXPECT(!pn_pb_lazy_view(&t.later, &(pn_span){NULL, 0}));

  REQUIRE_OK(PARSE(&t, 0x7a, 4, 0x7f, 0xff, 0x01, 1), &diag);
  REQUIRE_OK(pn_pb_lazy_decode(&t.later, 1, 3, small, &diag), &diag);
  EXPECT(small[0] == 127 && small[1] == -1 && small[2] == 1);
  REQUIRE_OK(PARSE(&t, 0x7a, 3, 1, 0x80, 0x02), &diag); /* 256 is no byte */
  EXPECT_EQ(pn_pb_lazy_decode(&t.later, 1, 2, small, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "later: the value 256, 3 bytes into it, does not fit into 8 bits");

  REQUIRE_OK(PARSE(&t, 0x7a, 2, 1, 0x80), &diag); /* torn: found when it is asked for */
  EXPECT_EQ(pn_pb_lazy_count(&t.later, &count, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "later: varint runs past the end of its packed list");
}

TEST(floats_left_in_the_file) {
  tree t;
  uint64_t count;
  pn_span view;
  REQUIRE_OK(PARSE(&t, 0x82, 0x01, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40), &diag);
  REQUIRE_OK(pn_pb_lazy_count(&t.later_floats, &count, &diag), &diag);
  EXPECT_EQ(count, 2);
  REQUIRE(pn_pb_lazy_view(&t.later_floats, &view));
  EXPECT_EQ(view.size, 8);
  EXPECT_EQ(view.data[2], 0x80);

  REQUIRE_OK(PARSE(&t, 0x82, 0x01, 4, 0, 0, 0x80, 0x3f, 0x85, 0x01, 0, 0, 0, 0x40), &diag);
  EXPECT(!pn_pb_lazy_view(&t.later_floats, &view));
  REQUIRE_OK(pn_pb_lazy_count(&t.later_floats, &count, &diag), &diag);
  EXPECT_EQ(count, 2);
  float floats[2];
  REQUIRE_OK(pn_pb_lazy_decode(&t.later_floats, 4, 2, floats, &diag), &diag);
  EXPECT(floats[0] == 1 && floats[1] == 2);
}

TEST(every_allocation_may_fail) {
  static const uint8_t bytes[] = {0x3a, 3,    1, 2,    3, 0x5a, 1, 'a',  0x62, 2,    0x08,
                                  1,    0x6a, 0, 0x6a, 2, 0x08, 4, 0x72, 2,    0x38, 1};
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena arena;
    tree t = {0};
    pn_arena_init(&arena, harness_allocator_init(&a, ++n));
    arena.next_block_bytes = 1; /* many blocks, so that many allocations can fail */
    pelton_diag_init(&diag);
    pelton_status status = pn_pb_parse(&tree_message, (pn_span){bytes, sizeof bytes}, &arena, &t, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pn_arena_deinit(&arena);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 1);
}

TEST_MAIN(T(reads_every_kind), T(empty_is_valid), T(lists_packed_and_not), T(unknown_fields_are_skipped),
          T(repeated_singular_fields_merge), T(varints_of_ten_bytes), T(complaints_have_paths), T(wrong_wire_types),
          T(huge_lengths), T(every_truncation), T(deep_nesting), T(numbers_left_in_the_file),
          T(floats_left_in_the_file), T(every_allocation_may_fail))
