/* Moves that go further than a kernel's offsets reach are cut: the parts together are the whole, each within reach. */
#include "harness.h"
#include "target/movement.h"

enum { PLACES = 4096, PARTS = 4096 };

static uint32_t state = 7;

static int64_t random_below(uint32_t bound) {
  state = state * 1664525u + 1013904223u;
  return (int64_t)((state >> 8) % bound);
}

/* Element after element, whence each place of the target comes; how far they lie apart on both sides. */
static void walk(const pn_move *m, int64_t *source, uint32_t *visits, int64_t *to_span, int64_t *from_span) {
  int64_t count = 1, low[2] = {INT64_MAX, INT64_MAX}, high[2] = {INT64_MIN, INT64_MIN};
  for (uint32_t d = 0; d < m->rank; d++) count *= m->dims[d];
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i, at[2] = {m->to_offset, m->from_offset};
    for (uint32_t d = m->rank; d-- > 0; rest /= m->dims[d]) {
      at[0] += rest % m->dims[d] * m->to[d];
      at[1] += rest % m->dims[d] * m->from[d];
    }
    REQUIRE(at[0] >= 0 && at[0] < PLACES);
    source[at[0]] = at[1];
    visits[at[0]]++;
    for (int k = 0; k < 2; k++) {
      low[k] = pn_min_i64(low[k], at[k]);
      high[k] = pn_max_i64(high[k], at[k]);
    }
  }
  *to_span = count ? high[0] - low[0] + 1 : 0;
  *from_span = count ? high[1] - low[1] + 1 : 0;
}

/* A box whose target is dense, but for gaps, and whose source goes anywhere. */
static pn_move random_move(void) {
  pn_move m = {.element_bytes = 1, .to_offset = random_below(50), .from_offset = 100000};
  int64_t stride = 1;
  for (int64_t axes = 1 + random_below(4); axes > 0; axes--) {
    int64_t dim = 1 + random_below(axes == 1 ? 20 : 5);
    pn_move_axis(&m, dim, stride, random_below(60) - 30);
    stride *= dim + random_below(2);
  }
  return m;
}

static uint32_t cut_all(pn_move *parts, const pn_move *whole, int64_t most) {
  uint32_t count = 1;
  parts[0] = *whole;
  for (uint32_t i = 0; i < count; i++)
    while (count < PARTS && pn_move_cut(&parts[i], most, &parts[count])) count++;
  return count;
}

TEST(parts_are_the_whole) {
  static int64_t expected[PLACES], got[PLACES];
  static uint32_t wanted[PLACES], visited[PLACES];
  static pn_move parts[PARTS];
  for (int trial = 0; trial < 500; trial++) {
    pn_move whole = random_move();
    int64_t most = 1 + random_below(60), to, from;
    memset(wanted, 0, sizeof wanted);
    memset(visited, 0, sizeof visited);
    walk(&whole, expected, wanted, &to, &from);
    bool wide = to > most || from > most;
    uint32_t count = cut_all(parts, &whole, most);
    REQUIRE(count < PARTS);
    EXPECT(wide || count == 1);
    for (uint32_t i = 0; i < count; i++) {
      walk(&parts[i], got, visited, &to, &from);
      EXPECT(to <= most && from <= most);
    }
    EXPECT(memcmp(wanted, visited, sizeof wanted) == 0);
    for (int i = 0; i < PLACES; i++) EXPECT(!wanted[i] || expected[i] == got[i]);
  }
}

/* A row of 5 thousand million bytes: few parts, which begin where 16 bytes at once can. */
TEST(large_rows_stay_aligned) {
  static pn_move parts[PARTS];
  pn_move whole = {.element_bytes = 1};
  int64_t sum = 0;
  pn_move_axis(&whole, 5000000000, 1, 1);
  uint32_t count = cut_all(parts, &whole, INT32_MAX);
  EXPECT(count >= 3 && count <= 4);
  for (uint32_t i = 0; i < count; i++) {
    EXPECT_EQ(parts[i].to_offset % 16, 0);
    EXPECT_EQ(parts[i].to_offset, parts[i].from_offset);
    sum += parts[i].dims[0];
  }
  EXPECT_EQ(sum, whole.dims[0]);
}

TEST(empty_and_repeated) {
  pn_move empty = {.element_bytes = 4}, repeated = {.element_bytes = 4}, rest;
  pn_move_axis(&empty, 0, 1, 1);
  pn_move_axis(&empty, 100, 1, 1);
  EXPECT(!pn_move_cut(&empty, 10, &rest));
  pn_move_axis(&repeated, 3, 1, 0);
  EXPECT(!pn_move_cut(&repeated, 3, &rest));
  EXPECT(pn_move_cut(&repeated, 2, &rest));
  EXPECT_EQ(repeated.dims[0] + rest.dims[0], 3);
}

TEST_MAIN(T(parts_are_the_whole), T(large_rows_stay_aligned), T(empty_and_repeated))
