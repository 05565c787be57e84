/* Levels and their names, counts and caches of this machine, and quotas of made-up control groups. */
#define _GNU_SOURCE 1 /* sched_setaffinity, mkdtemp */
#include "harness.h"

#include "base/cpu.h"
#include "base/cpu_quota.h"

#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const names[] = {"portable", "avx2", "avx-vnni", "avx512", "vnni", "bf16", "amx", "native"};

static bool is_closed(pn_isa_set set) {
  if ((set & (PN_ISA_AVX512 | PN_ISA_AVX_VNNI)) && !(set & PN_ISA_AVX2)) return false;
  if ((set & (PN_ISA_AVX512_VNNI | PN_ISA_AVX512_BF16)) && !(set & PN_ISA_AVX512)) return false;
  pn_isa_set both = PN_ISA_AVX512_VNNI | PN_ISA_AVX512_BF16;
  return !(set & PN_ISA_AMX) || (set & both) == both;
}

TEST(levels) {
  pn_isa_set native = pn_cpu_isa(), set;
  EXPECT(is_closed(native));
  EXPECT_EQ(pn_cpu_isa(), native);
  for (size_t i = 0; i < PN_COUNT(names); i++) {
    REQUIRE(pn_cpu_isa_parse(pn_str_from(names[i]), &set));
    EXPECT(is_closed(set));
    EXPECT_EQ(set & ~native, 0);
    pn_isa_set again;
    REQUIRE(pn_cpu_isa_parse(pn_str_from(pn_cpu_isa_name(set)), &again)); /* a name that can be read */
    EXPECT_EQ(again & ~set, 0);
  }
  REQUIRE(pn_cpu_isa_parse(PN_STR("portable"), &set));
  EXPECT_EQ(set, 0);
  EXPECT_STR(pn_cpu_isa_name(0), "portable");
  REQUIRE(pn_cpu_isa_parse(PN_STR("native"), &set));
  EXPECT_EQ(set, native);
  EXPECT(!pn_cpu_isa_parse(PN_STR("AVX2"), &set));
  EXPECT(!pn_cpu_isa_parse(PN_STR(""), &set));
  EXPECT_STR(pn_cpu_isa_name(PN_ISA_AVX2 | PN_ISA_AVX512), "avx512");
}

/* The compiler's own detection says the same. */
TEST(levels_agree) {
#if defined(__x86_64__)
  pn_isa_set set = pn_cpu_isa();
  EXPECT_EQ((set & PN_ISA_AVX2) != 0,
            __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"));
  EXPECT_EQ((set & PN_ISA_AVX512) != 0, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"));
  EXPECT_EQ((set & PN_ISA_AVX512_VNNI) != 0,
            __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw"));
#else
  EXPECT_EQ(pn_cpu_isa(), 0);
#endif
}

TEST(this_machine) {
  uint32_t list[1024];
  uint32_t count = pn_cpu_count(), listed = pn_cpu_list(list, 1024);
  EXPECT(count >= 1);
  EXPECT(pn_cpu_name()[0] != 0);
  EXPECT(pn_cpu_cache_bytes(1) >= 4096 && pn_cpu_cache_bytes(1) <= 1 << 20);
  EXPECT(pn_cpu_cache_bytes(2) >= pn_cpu_cache_bytes(1));
  EXPECT(pn_cpu_cache_bytes(3) >= 64 << 10);
  EXPECT_EQ(pn_cpu_cache_bytes(0), 0);
  EXPECT_EQ(pn_cpu_cache_bytes(4), 0);
#if defined(__linux__)
  REQUIRE(listed >= 1);
  EXPECT(count <= listed);
  for (uint32_t i = 0; i < listed; i++)
    for (uint32_t k = i + 1; k < listed; k++) EXPECT(list[i] != list[k]);
  if (listed > 1) EXPECT_EQ(pn_cpu_list(list, 1), 1);

  cpu_set_t former, one; /* the affinity mask holds at every call */
  REQUIRE(!sched_getaffinity(0, sizeof former, &former));
  CPU_ZERO(&one);
  CPU_SET(list[listed - 1], &one);
  REQUIRE(!sched_setaffinity(0, sizeof one, &one));
  EXPECT_EQ(pn_cpu_count(), 1);
  uint32_t only = 0;
  EXPECT_EQ(pn_cpu_list(&only, 1), 1);
  EXPECT_EQ(only, list[listed - 1]);
  EXPECT(!sched_setaffinity(0, sizeof former, &former));
  EXPECT_EQ(pn_cpu_count(), count);
#else
  EXPECT_EQ(listed, 0);
#endif
}

/* ---- made-up trees --------------------------------------------------------------------------------------------- */

static char root[4096];

static void root_make(void) {
  const char *base = getenv("TMPDIR");
  snprintf(root, sizeof root, "%s/pelton-cpu-XXXXXX", base && *base ? base : "/tmp");
  REQUIRE(mkdtemp(root) != NULL);
}

static void root_remove(void) {
  char command[4200];
  snprintf(command, sizeof command, "rm -rf '%s'", root);
  EXPECT_EQ(system(command), 0);
}

/* Writes |text| to root + |path|, with the folders on the way. */
static void put(const char *path, const char *text) {
  char full[8192];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(full, 0700);
    *slash = '/';
  }
  FILE *file = fopen(full, "wb");
  REQUIRE(file != NULL);
  fputs(text, file);
  fclose(file);
}

TEST(quota_version2) {
  root_make();
  EXPECT_EQ(pn_cpu_quota(root), 0); /* no /proc at all */
  put("/proc/self/cgroup", "0::/system.slice/job\n");
  EXPECT_EQ(pn_cpu_quota(root), 0);
  put("/proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n"
                              "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_EQ(pn_cpu_quota(root), 0);
  put("/sys/fs/cgroup/system.slice/job/cpu.max", "max 100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 0);
  put("/sys/fs/cgroup/system.slice/job/cpu.max", "350000 100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 3500);
  put("/sys/fs/cgroup/system.slice/cpu.max", "50000 100000\n"); /* the parent allows less */
  EXPECT_EQ(pn_cpu_quota(root), 500);
  put("/sys/fs/cgroup/system.slice/cpu.max", "800000 100000\n"); /* or more */
  EXPECT_EQ(pn_cpu_quota(root), 3500);
  put("/sys/fs/cgroup/cpu.max", "100000 100000\n"); /* in a container the mount's root has one too */
  EXPECT_EQ(pn_cpu_quota(root), 1000);
  put("/sys/fs/cgroup/cpu.max", "nonsense\n");
  EXPECT_EQ(pn_cpu_quota(root), 3500);
  put("/sys/fs/cgroup/cpu.max", "10 0\n");
  EXPECT_EQ(pn_cpu_quota(root), 3500);
  put("/sys/fs/cgroup/cpu.max", "1 1000000\n"); /* less than a thousandth is not "no limit" */
  EXPECT_EQ(pn_cpu_quota(root), 1);
  root_remove();
}

TEST(quota_version1) {
  root_make();
  put("/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/docker/abc\n0::/unified\n");
  put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                              "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
                              "32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  put("/sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "1000\n"); /* another hierarchy: not ours */
  put("/sys/fs/cgroup/cpuset/other/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 0);
  put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 0);
  put("/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
  EXPECT_EQ(pn_cpu_quota(root), 2500);
  put("/sys/fs/cgroup/unified/unified/cpu.max", "200000 100000\n"); /* both versions at once: the less */
  EXPECT_EQ(pn_cpu_quota(root), 2000);
  root_remove();
}

/* A container of version 1 sees only its own group, mounted as if it were the root. */
TEST(quota_container) {
  root_make();
  put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/abc/inner\n");
  put("/proc/self/mountinfo", "31 23 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 4000);
  put("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "150000\n");
  put("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(pn_cpu_quota(root), 1500);
  root_remove();
}

static bool collect(void *self, uint32_t number) {
  char *text = self;
  size_t length = strlen(text);
  snprintf(text + length, 200 - length, "%u ", number);
  return number != 99;
}

static void expect_list(const char *list, const char *expected) {
  char text[200] = "";
  pn_cpu_list_parse(list, collect, text);
  EXPECT_STR(text, expected);
}

TEST(lists) {
  expect_list("0", "0 ");
  expect_list("0-3,8,10-11", "0 1 2 3 8 10 11 ");
  expect_list("0,64", "0 64 ");
  expect_list("", "");
  expect_list("x", "");
  expect_list("3-1", "");
  expect_list("98-200", "98 99 ");
  expect_list("1,0-4294967295", "1 ");
}

TEST_MAIN(T(levels), T(levels_agree), T(this_machine), T(quota_version2), T(quota_version1), T(quota_container),
          T(lists))
