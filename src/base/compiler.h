/* The only place that names compiler extensions. */
#ifndef PN_BASE_COMPILER_H
#define PN_BASE_COMPILER_H

#if defined(__clang__) || defined(__GNUC__)
#define PN_INLINE static inline __attribute__((always_inline))
#define PN_NOINLINE __attribute__((noinline))
#define PN_UNUSED __attribute__((unused))
#define PN_CHECKED __attribute__((warn_unused_result))
#define PN_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#define PN_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define PN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define PN_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define PN_RESTRICT __restrict__
#else
#error "Pelton is built with gcc or clang"
#endif

/* Before a loop of constant trip count in a kernel: gcc -O2 leaves such loops rolled (a third of the speed), and clang
   reads gcc's pragma as a count that it then misapplies; each compiler gets its own spelling. */
#if defined(__clang__)
#define PN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PN_UNROLL _Pragma("GCC unroll 64")
#endif

/* Before a loop whose iterations may run in any order, as when the result is one of the operands: without it compilers
   check for overlap and then take the scalar loop for results in place. */
#if defined(__clang__)
#define PN_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define PN_IVDEP _Pragma("GCC ivdep")
#endif

/* A vector type of |bytes| bytes for the portable kernels: SSE, NEON, whatever the machine has. */
#define PN_VECTOR(bytes) __attribute__((vector_size(bytes)))
/* Asks for the cache line at |address|, which need not be readable. */
#define PN_PREFETCH(address) __builtin_prefetch(address)
/* Makes an integer or a pointer opaque, so that a compiler keeps it in its register instead of deriving other induction
   variables from it (a kernel with 28 row addresses spills them otherwise). */
#define PN_OPAQUE(variable) __asm__("" : "+r"(variable))

/* The file's own name for diagnostics, without the machine's path. */
#if defined(__FILE_NAME__)
#define PN_FILE __FILE_NAME__
#else
#define PN_FILE pn_file_name(__FILE__)
#endif
PN_INLINE PN_UNUSED const char *pn_file_name(const char *path) {
  const char *name = path;
  for (; *path; path++)
    if (*path == '/') name = path + 1;
  return name;
}

/* For the body of a loop that waits for another thread's store. */
#if defined(__x86_64__) || defined(__i386__)
#define PN_PAUSE() __builtin_ia32_pause()
/* Register XCR0: which vector state the operating system saves. Only after cpuid said OSXSAVE. */
#define PN_XGETBV(low, high) __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0))
#elif defined(__aarch64__)
#define PN_PAUSE() __asm__ volatile("isb" ::: "memory") /* "yield" does nothing on most cores */
#else
#define PN_PAUSE() ((void)0)
#endif

/* Takes the line of |address| out of all caches; nothing where there is no such instruction for programs. */
#if defined(__x86_64__)
#define PN_FLUSH_LINE(address) __builtin_ia32_clflush(address)
#elif defined(__aarch64__) && defined(__linux__)
#define PN_FLUSH_LINE(address) __asm__ volatile("dc civac, %0" : : "r"(address) : "memory")
#else
#define PN_FLUSH_LINE(address) ((void)(address))
#endif

#define PN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__SANITIZE_ADDRESS__)
#define PN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PN_ASAN 1
#endif
#endif
#ifndef PN_ASAN
#define PN_ASAN 0
#endif

#endif
