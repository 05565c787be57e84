/* A driver without a device: libcuda over the host's memory, for tests. It is built as libcuda.so.1, and nvrtc.c as
   libnvrtc.so.13, into a folder that the target is told to look in.

   Kernels run for real: NVRTC's stand-in gives the source to the C compiler with device.h in place of device.cuh, and
   the "cubin" is the shared object that comes out, the "PTX" that object in letters. So the target's own kernels are
   tested where there is no GPU; what only a GPU shows (races, alignment, speed) is not. An object says for which device
   it was compiled, and is refused on another.

   fake_cuda_fail_at(n) makes the n-th call from now on fail, and every later one too when fake_cuda_lose is set, as
   after a lost driver; calls, live objects and copies are counted. There may be several devices, each with a context,
   which is a thread's current one; streams, events, modules and memory are of the device that was current, and refused
   on another. fake_cuda_lose_device(d, n) loses device d alone: from its n-th call on everything there fails.

   For commands, which cannot call these: PELTON_FAKE_CUDA_DEVICES is the number of devices,
   PELTON_FAKE_CUDA_LOSE=D:N calls fake_cuda_lose_device(D, N), PELTON_FAKE_CUDA_MEMORY=BYTES calls
   fake_cuda_limit(BYTES), the memory of each device, of which contexts and streams want some to be free too.
   PELTON_FAKE_CUDA_IMAGINE=SM makes devices of that capability that load any code and run nothing: with the real NVRTC
   beside this driver it is seen what that makes of the kernels, without a GPU. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <pthread.h>

#include "ptx.h"

enum { /* free memory that they want */
  CONTEXT_BYTES = 4096,
  STREAM_BYTES = 1024
};
enum {
  MEMORY = 2,
  LOST = 999,
  NO_CONTEXT = 201,
  ANOTHER = 400,
  INVALID = 1,
  NO_IMAGE = 200,
  NO_BINARY = 209,
  MOST_BLOCKS = 1 << 16,
  STACK_BYTES = 1 << 16,
  MOST_DEVICES = 64
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls, fail_at, live, copies[3]; /* to the device, from it, within it */
static long limit; /* 0: none */
static int lose, device_count = 1, capability = 90, imagined, text_error;
static struct device_state {
  int retained;
  long calls, lost_at; /* 0: never */
} devices[MOST_DEVICES];
/* Not where dlopen allocates such variables: sanitizers take a block at the wrong place of a page for another one, with
   a size that is none, and end the process. */
static _Thread_local int current __attribute__((tls_model("initial-exec"))) = -1;

/* ---- for the tests ---- */
void fake_cuda_fail_at(long n) { fail_at = n ? calls + n : 0; }
void fake_cuda_lose(int forever) { lose = forever; }
long fake_cuda_calls(void) { return calls; }
long fake_cuda_live(void) { return live; }
long fake_cuda_copies(int kind) { return copies[kind]; }
void fake_cuda_limit(long bytes) { limit = bytes; }
void fake_cuda_set(int count_of_devices, int sm) {
  device_count = count_of_devices;
  capability = sm;
}
/* What loading PTX comes to; 0: it is taken. */
void fake_cuda_text(int error) { text_error = error; }
/* Device |device| from its |n|-th call from now on; negative: none is lost any more. */
void fake_cuda_lose_device(int device, long n) {
  pthread_mutex_lock(&lock);
  for (int d = 0; d < MOST_DEVICES; d++)
    if (device < 0) devices[d].lost_at = 0;
  if (device >= 0) devices[device].lost_at = devices[device].calls + n;
  pthread_mutex_unlock(&lock);
}
long fake_cuda_device_calls(int device) { return devices[device].calls; }
long fake_cuda_device_bytes(int device);

__attribute__((constructor)) static void look_at_environment(void) {
  const char *count_text = getenv("PELTON_FAKE_CUDA_DEVICES"), *lost = getenv("PELTON_FAKE_CUDA_LOSE");
  const char *sm = getenv("PELTON_FAKE_CUDA_IMAGINE"), *memory = getenv("PELTON_FAKE_CUDA_MEMORY");
  int device;
  long n;
  if (memory && atol(memory) > 0) limit = atol(memory);
  if (sm && atoi(sm) > 0) capability = imagined = atoi(sm);
  if (count_text && atoi(count_text) >= 0 && atoi(count_text) <= MOST_DEVICES) device_count = atoi(count_text);
  if (lost && sscanf(lost, "%d:%ld", &device, &n) == 2 && device >= 0 && device < MOST_DEVICES)
    fake_cuda_lose_device(device, n);
}

/* A call; |device| negative: of none in particular. */
static int step_on(int device) {
  int error = 0;
  pthread_mutex_lock(&lock);
  long now = ++calls;
  if (device >= 0) {
    struct device_state *d = &devices[device];
    d->calls++;
    if (d->lost_at && d->calls >= d->lost_at) error = LOST;
  }
  if (fail_at && (now == fail_at || (lose && now > fail_at))) error = LOST;
  pthread_mutex_unlock(&lock);
  return error;
}
static int step(void) { return step_on(current); }
#define STEP()                                                                                                         \
  do {                                                                                                                 \
    int step_error = step();                                                                                           \
    if (step_error) return step_error;                                                                                 \
  } while (0)
static void count_copy(int kind) {
  pthread_mutex_lock(&lock);
  copies[kind]++;
  pthread_mutex_unlock(&lock);
}
static void count(int more) {
  pthread_mutex_lock(&lock);
  live += more;
  pthread_mutex_unlock(&lock);
}

/* ---- devices and contexts ---- */
int cuInit(unsigned flags) {
  STEP();
  return flags ? INVALID : 0;
}
int cuDriverGetVersion(int *version) {
  STEP();
  *version = 13000;
  return 0;
}
int cuGetErrorName(int error, const char **text) {
  *text = error == LOST ? "CUDA_ERROR_UNKNOWN" : error == MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
  return 0;
}
int cuGetErrorString(int error, const char **text) {
  *text = error == LOST ? "the fake driver was told to fail" : error == MEMORY ? "out of memory" : "a fake error";
  return 0;
}
int cuDeviceGetCount(int *count_of_devices) {
  STEP();
  *count_of_devices = device_count;
  return 0;
}
int cuDeviceGet(int *device, int index) {
  STEP();
  *device = index;
  return 0;
}
int cuDeviceGetName(char *name, int size, int device) {
  STEP();
  (void)device;
  snprintf(name, (size_t)size, "Fake GPU");
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  STEP();
  (void)device;
  *bytes = limit ? (size_t)limit : (size_t)1 << 30;
  return 0;
}
/* Of |bytes| more on |device|. */
static int has_room(int device, size_t bytes) {
  return !limit || (bytes <= (size_t)limit && fake_cuda_device_bytes(device) <= limit - (long)bytes);
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  STEP();
  (void)device;
  if (imagined && attribute == 16) return *value = imagined >= 90 ? 132 : 108, 0; /* as large ones have, for estimates */
  if (imagined && attribute == 36) return *value = imagined >= 90 ? 3201000 : 1593000, 0;
  if (imagined && attribute == 37) return *value = imagined >= 90 ? 6144 : 5120, 0;
  if (imagined && attribute == 13) return *value = imagined >= 90 ? 1980000 : 1410000, 0;
  *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : attribute == 16 ? 4 : attribute == 38 ? 1 << 20 : 0;
  return 0;
}
/* A context is its device's state. */
int cuDevicePrimaryCtxRetain(void **context, int device) {
  int error = step_on(device);
  if (error) return error;
  if (device < 0 || device >= device_count) return INVALID;
  if (!has_room(device, CONTEXT_BYTES)) return MEMORY;
  *context = &devices[device];
  devices[device].retained++;
  count(1);
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  devices[device].retained--;
  count(-1);
  return step_on(device);
}
int cuDevicePrimaryCtxReset_v2(int device) {
  fake_cuda_lose_device(device, 1);
  return 0;
}
int cuCtxGetCurrent(void **context) {
  int error = step_on(-1);
  if (!error) *context = current < 0 ? NULL : &devices[current];
  return error;
}
int cuCtxSetCurrent(void *context) {
  int error = step_on(-1); /* a lost device's context can still be entered */
  if (!error) current = context ? (int)((struct device_state *)context - devices) : -1;
  return error;
}

/* ---- memory ---- */
static int allocate(void **out, size_t bytes) {
  STEP();
  if (current < 0) return NO_CONTEXT;
  if (bytes >> 40) return MEMORY; /* sanitizers would end the process */
  size_t *memory = aligned_alloc(256, (bytes + 511) / 256 * 256);
  if (!memory) return MEMORY;
  memset(memory, 0xa5, bytes);
  *out = memory;
  count(1);
  return 0;
}
static int release(void *memory) {
  free(memory); /* freed whatever the step says: a lost device has no memory */
  count(-1);
  (void)step();
  return 0;
}
/* What is the device's, to tell pointers apart. */
static struct range {
  struct range *next;
  uint64_t begin;
  size_t bytes;
  unsigned kind; /* memory type: 1 pinned, 2 the device's */
  unsigned managed;
  int device;
} * ranges;

static int allocate_range(void **out, size_t bytes, unsigned kind, unsigned managed) {
  struct range *range = calloc(1, sizeof *range);
  int error = range ? allocate(out, bytes) : MEMORY;
  if (error) {
    free(range);
    return error;
  }
  pthread_mutex_lock(&lock);
  *range = (struct range){ranges, (uint64_t)(uintptr_t)*out, bytes, kind, managed, current};
  ranges = range;
  pthread_mutex_unlock(&lock);
  return 0;
}
static int release_range(void *memory) {
  pthread_mutex_lock(&lock);
  for (struct range **at = &ranges; *at; at = &(*at)->next) {
    struct range *found = *at;
    if (found->begin != (uint64_t)(uintptr_t)memory) continue;
    *at = found->next;
    free(found);
    break;
  }
  pthread_mutex_unlock(&lock);
  return release(memory);
}
/* Of device memory. */
long fake_cuda_device_bytes(int device) {
  long bytes = 0;
  pthread_mutex_lock(&lock);
  for (const struct range *r = ranges; r; r = r->next)
    if (r->kind == 2 && r->device == device) bytes += (long)r->bytes;
  pthread_mutex_unlock(&lock);
  return bytes;
}
/* Device memory must be of the current device, managed memory of any; pinned memory is everybody's. */
static int check_copy(uint64_t pointer, size_t bytes) {
  int error = ANOTHER;
  pthread_mutex_lock(&lock);
  for (const struct range *r = ranges; r; r = r->next)
    if (pointer - r->begin < r->bytes)
      error = r->kind == 2 && (r->device == current || r->managed) && bytes <= r->bytes - (pointer - r->begin) ? 0 : ANOTHER;
  pthread_mutex_unlock(&lock);
  return error;
}

int cuMemGetInfo_v2(size_t *left, size_t *all) {
  STEP();
  if (current < 0) return NO_CONTEXT;
  const long used = fake_cuda_device_bytes(current);
  *all = limit ? (size_t)limit : (size_t)1 << 30;
  *left = used < (long)*all ? *all - (size_t)used : 0;
  return 0;
}
int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
  void *memory = NULL;
  *pointer = 0;
  if (current >= 0 && !has_room(current, bytes)) return step() ? LOST : MEMORY;
  int error = allocate_range(&memory, bytes, 2, 0);
  *pointer = (uint64_t)(uintptr_t)memory;
  return error;
}
int cuMemAllocManaged(uint64_t *pointer, size_t bytes, unsigned flags) {
  void *memory = NULL;
  int error = flags == 1 ? allocate_range(&memory, bytes, 2, 1) : INVALID;
  *pointer = (uint64_t)(uintptr_t)memory;
  return error;
}
int cuMemFree_v2(uint64_t pointer) { return release_range((void *)(uintptr_t)pointer); }
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
  (void)flags;
  return allocate_range(pointer, bytes, 1, 0);
}
int cuMemFreeHost(void *pointer) { return release_range(pointer); }
/* A stream belongs to the device that is current; the default one to each. */
struct fake_stream {
  struct fake_graph *recording;
  int device;
};
static int check_stream(void *stream) {
  struct fake_stream *s = stream;
  if (current < 0) return NO_CONTEXT;
  return s && s->device != current ? ANOTHER : 0;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  STEP();
  int error = check_stream(stream);
  if (!error) error = check_copy(to, bytes);
  count_copy(0);
  if (!error) memcpy((void *)(uintptr_t)to, from, bytes);
  return error;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  STEP();
  int error = check_stream(stream);
  if (!error) error = check_copy(from, bytes);
  count_copy(1);
  if (!error) memcpy(to, (const void *)(uintptr_t)from, bytes);
  return error;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  STEP();
  int error = check_stream(stream);
  if (!error) error = check_copy(from, bytes);
  if (!error) error = check_copy(to, bytes);
  count_copy(2);
  if (!error) memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, bytes);
  return error;
}
/* CUDA_MEMCPY2D: planes from the beginning, both the device's. */
struct plane_copy {
  size_t from_x, from_y;
  unsigned from_kind;
  const void *from_host;
  uint64_t from;
  void *from_array;
  size_t from_pitch, to_x, to_y;
  unsigned to_kind;
  void *to_host;
  uint64_t to;
  void *to_array;
  size_t to_pitch, bytes, rows;
};
int cuMemcpy2DAsync_v2(const struct plane_copy *c, void *stream) {
  STEP();
  int error = check_stream(stream);
  if (c->from_kind != 2 || c->to_kind != 2 || c->from_x || c->from_y || c->to_x || c->to_y || !c->rows ||
      c->bytes > c->from_pitch || c->bytes > c->to_pitch)
    return INVALID;
  if (!error) error = check_copy(c->from, (c->rows - 1) * c->from_pitch + c->bytes);
  if (!error) error = check_copy(c->to, (c->rows - 1) * c->to_pitch + c->bytes);
  count_copy(2);
  for (size_t i = 0; i < c->rows && !error; i++)
    memcpy((char *)(uintptr_t)c->to + i * c->to_pitch, (const char *)(uintptr_t)c->from + i * c->from_pitch, c->bytes);
  return error;
}
/* As the driver's: of memory that it does not know everything is zero, the device none, and that is no error. */
int cuPointerGetAttributes(unsigned attributes, const int *attribute, void **data, uint64_t pointer) {
  STEP();
  struct range found = {.device = -2};
  int error = 0;
  pthread_mutex_lock(&lock);
  for (const struct range *r = ranges; r; r = r->next)
    if (pointer - r->begin < r->bytes) found = *r;
  pthread_mutex_unlock(&lock);
  for (unsigned i = 0; i < attributes; i++) switch (attribute[i]) {
    case 2: *(unsigned *)data[i] = found.kind; break;
    case 8: *(unsigned *)data[i] = found.managed; break;
    case 9: *(int *)data[i] = found.device; break;
    case 11: *(uint64_t *)data[i] = found.begin; break;
    case 12: *(size_t *)data[i] = found.bytes; break;
    default: error = INVALID;
    }
  return error;
}

/* ---- streams and events: everything is done at once ---- */
struct recorded {
  struct recorded *next;
  void (*function)(void **);
  unsigned grid[3], block;
  _Alignas(64) unsigned char arguments[4096];
};
struct fake_graph {
  struct recorded *first, **end;
};
static int make(void **out, size_t bytes) {
  STEP();
  if (current < 0) return NO_CONTEXT;
  *out = calloc(1, bytes);
  count(1);
  return *out ? 0 : MEMORY;
}
int cuStreamCreate(void **stream, unsigned flags) {
  (void)flags;
  if (current >= 0 && !has_room(current, STREAM_BYTES)) return step() ? LOST : MEMORY;
  int error = make(stream, sizeof(struct fake_stream));
  if (!error) ((struct fake_stream *)*stream)->device = current;
  return error;
}
int cuStreamDestroy_v2(void *stream) { return release(stream); }
int cuStreamSynchronize(void *stream) {
  int error = step();
  return error ? error : check_stream(stream);
}
int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
  STEP();
  return !event || flags ? INVALID : check_stream(stream);
}
int cuEventCreate(void **event, unsigned flags) {
  (void)flags;
  return make(event, sizeof(struct timespec));
}
int cuEventDestroy_v2(void *event) { return release(event); }
int cuEventRecord(void *event, void *stream) {
  STEP();
  clock_gettime(CLOCK_MONOTONIC, event);
  return check_stream(stream);
}
int cuEventSynchronize(void *event) {
  (void)event;
  return step();
}
int cuEventElapsedTime(float *milliseconds, void *begin, void *end) {
  STEP();
  const struct timespec *a = begin, *b = end;
  *milliseconds = (float)((double)(b->tv_sec - a->tv_sec) * 1e3 + (double)(b->tv_nsec - a->tv_nsec) * 1e-6);
  return 0;
}

/* ---- modules and launches ---- */
struct fake_module {
  void *library;
};

/* Shared objects that were loaded, each known by the name of a file for the life of the process: tests open many
   devices. The file itself is gone as soon as it is loaded, so that none stays when a process is killed; while an
   object is loaded its name finds it. */
static struct image {
  struct image *next;
  void *bytes;
  size_t size;
  char path[40];
} * images;

__attribute__((destructor)) static void forget_images(void) {
  while (images) {
    struct image *i = images;
    images = i->next;
    free(i->bytes);
    free(i);
  }
}

/* Of an object as linkers write them: sections' headers are last. */
static size_t image_size(const Elf64_Ehdr *elf) { return elf->e_shoff + (size_t)elf->e_shnum * sizeof(Elf64_Shdr); }

static struct image *find_image(const void *bytes) {
  const size_t size = image_size(bytes);
  for (struct image *i = images; i; i = i->next)
    if (i->size == size && !memcmp(i->bytes, bytes, size)) return i;
  struct image *i = calloc(1, sizeof *i);
  if (!i || !(i->bytes = malloc(size))) return NULL;
  memcpy(i->bytes, bytes, size);
  i->size = size;
  i->next = images;
  return images = i;
}

static void *load_image(const void *bytes) {
  struct image *i = find_image(bytes);
  void *library = i && *i->path ? dlopen(i->path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) : NULL;
  if (library || !i) return library;
  strcpy(i->path, "/tmp/fake-cuda-XXXXXX");
  int file = mkstemp(i->path);
  if (file < 0) return NULL;
  if (write(file, bytes, i->size) == (ssize_t)i->size) library = dlopen(i->path, RTLD_NOW | RTLD_LOCAL);
  unlink(i->path);
  close(file);
  return library;
}

/* The object that the fake NVRTC wrote into its PTX; null: none. */
static void *object_of(const char *text) {
  const char *at = strstr(text, FAKE_OBJECT);
  unsigned char *object = at ? calloc(1, strlen(at)) : NULL;
  if (!object) return NULL;
  at += strlen(FAKE_OBJECT);
  for (size_t i = 0; at[0] && at[1]; i++, at += 2) object[i] = (unsigned char)((at[0] - 'a') << 4 | (at[1] - 'a'));
  return object;
}

int cuModuleLoadData(void **module, const void *image) {
  STEP();
  const int text = memcmp(image, "\177ELF", 4) != 0;
  if (text && !strstr(image, ".version")) return NO_IMAGE;
  if (text && text_error) return text_error;
  struct fake_module *m = calloc(1, sizeof *m);
  if (!m) return MEMORY;
  if (imagined) {
    *module = m;
    count(1);
    return 0;
  }
  void *object = text ? object_of(image) : NULL;
  pthread_mutex_lock(&lock);
  m->library = text && !object ? NULL : load_image(text ? object : image);
  const int *form = m->library ? dlsym(m->library, "fake_form") : NULL;
  pthread_mutex_unlock(&lock);
  free(object);
  /* A text that the driver compiles runs on whatever is newer, code of its own generation. */
  if (!form || (*form > 0 && *form / 10 != capability / 10) || abs(*form) > capability) {
    if (m->library) dlclose(m->library);
    free(m);
    return form ? NO_BINARY : NO_IMAGE;
  }
  *module = m;
  count(1);
  return 0;
}
int cuModuleUnload(void *module) {
  struct fake_module *m = module;
  if (m->library) dlclose(m->library);
  return release(m);
}
struct fake_place {
  unsigned thread, threads, block[3], blocks[3];
};
int cuModuleGetFunction(void **function, void *module, const char *name) {
  STEP();
  if (imagined)
    *function = module;
  else
    *function = dlsym(((struct fake_module *)module)->library, name);
  return *function ? 0 : INVALID;
}

/* Threads of a block that meet at barriers: stacks of their own, first entered by swapcontext, then by the compiler's
   own jumps, which make no system call and which no sanitizer watches. */
static struct fiber {
  ucontext_t context;
  void *jump[5];
  char *stack;
  int started, ended;
} fibers[256];
static void *home[5];
static ucontext_t home_context;
static unsigned running;
static void (*body)(void **);
static void **body_arguments;

__attribute__((noinline, noreturn)) static void jump_to(void **place) { __builtin_longjmp(place, 1); }

static void fiber_main(void) {
  body(body_arguments);
  fibers[running].ended = 1;
  jump_to(home);
}
static void barrier(void) {
  if (!__builtin_setjmp(fibers[running].jump)) jump_to(home);
}
static void run_together(struct fake_place *place) {
  for (unsigned t = 0; t < place->threads; t++) {
    fibers[t].started = fibers[t].ended = 0;
    if (!fibers[t].stack) fibers[t].stack = malloc(STACK_BYTES);
  }
  for (int left = 1; left;) {
    left = 0;
    for (unsigned t = 0; t < place->threads; t++) {
      if (fibers[t].ended) continue;
      running = place->thread = t;
      if (!__builtin_setjmp(home)) {
        if (fibers[t].started) jump_to(fibers[t].jump);
        fibers[t].started = 1;
        getcontext(&fibers[t].context);
        fibers[t].context.uc_stack.ss_sp = fibers[t].stack;
        fibers[t].context.uc_stack.ss_size = STACK_BYTES;
        fibers[t].context.uc_link = NULL;
        makecontext(&fibers[t].context, fiber_main, 0);
        swapcontext(&home_context, &fibers[t].context);
      }
      left |= !fibers[t].ended;
    }
  }
}

/* What a block may have of shared memory, on the device that a function was compiled for: text for an older one is used
   where a newer one is taken for it. */
static int most_shared(void *function) {
  Dl_info info;
  void *library = !imagined && dladdr(function, &info) ? dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD) : NULL;
  const int *form = library ? dlsym(library, "fake_form") : NULL;
  int sm = form && *form ? abs(*form) : capability;
  if (library) dlclose(library);
  if (sm < 80) return sm == 75 ? 65536 : 98304;
  if (sm >= 120 || sm == 86 || sm == 89) return 101376;
  return sm < 90 ? 166912 : 232448;
}

/* Shared memory that functions asked for beyond what all have; of many functions the last ones are known. */
static struct {
  void *function;
  unsigned bytes;
} allowed[512];
static unsigned next_allowed;
int cuFuncSetAttribute(void *function, int attribute, int value) {
  STEP();
  if (!function || attribute != 8 || value < 0) return INVALID;
  pthread_mutex_lock(&lock);
  if (value > most_shared(function)) {
    pthread_mutex_unlock(&lock);
    return INVALID;
  }
  unsigned i = 0;
  while (i < 512 && allowed[i].function != function) i++;
  if (i == 512) i = next_allowed++ % 512;
  allowed[i].function = function;
  allowed[i].bytes = (unsigned)value;
  pthread_mutex_unlock(&lock);
  return 0;
}
static unsigned allowed_shared(const void *function) {
  unsigned bytes = 49152;
  pthread_mutex_lock(&lock);
  for (unsigned i = 0; i < 512; i++)
    if (allowed[i].function == function) bytes = allowed[i].bytes > bytes ? allowed[i].bytes : bytes;
  pthread_mutex_unlock(&lock);
  return bytes;
}

/* Tensor maps: the documented limits, and what device.h reads. */
struct fake_map {
  uint16_t *base;
  uint64_t strides[3];
  uint32_t dims[4];
  int16_t lower[2], upper[2];
  uint8_t steps[2], rank, windows;
};
static int fill_map(void *to, int type, unsigned rank, void *address, const uint64_t *dims, const uint64_t *strides,
                    int swizzle) {
  struct fake_map *map = to;
  STEP();
  if ((uintptr_t)to % 64 || (uintptr_t)address % 16 || (type != 6 && type != 9) || rank < 3 || rank > 4 || swizzle != 3)
    return INVALID;
  memset(map, 0, 128);
  map->base = address;
  map->rank = (uint8_t)rank;
  for (unsigned i = 0; i < 4; i++) {
    map->dims[i] = i < rank ? (uint32_t)dims[i] : 1;
    if (i < rank && (!dims[i] || dims[i] >> 32)) return INVALID;
    if (i + 1 >= rank) continue;
    map->strides[i] = strides[i];
    if (!strides[i] || strides[i] % 16 || strides[i] >> 40) return INVALID;
  }
  return 0;
}
int cuTensorMapEncodeTiled(void *to, int type, unsigned rank, void *address, const uint64_t *dims,
                           const uint64_t *strides, const uint32_t *box, const uint32_t *element_strides,
                           int interleave, int swizzle, int promotion, int fill) {
  for (unsigned i = 0; i < rank; i++)
    if (!box[i] || box[i] > 256 || element_strides[i] != 1) return INVALID;
  if (box[0] != 64 || interleave || promotion > 3 || fill) return INVALID;
  return fill_map(to, type, rank, address, dims, strides, swizzle);
}
int cuTensorMapEncodeIm2col(void *to, int type, unsigned rank, void *address, const uint64_t *dims,
                            const uint64_t *strides, const int *lower, const int *upper, uint32_t channels,
                            uint32_t pixels, const uint32_t *element_strides, int interleave, int swizzle,
                            int promotion, int fill) {
  struct fake_map *map = to;
  if (rank != 4 || channels != 64 || !pixels || pixels > 1024 || interleave || promotion > 3 || fill) return INVALID;
  int error = fill_map(to, type, rank, address, dims, strides, swizzle);
  if (error) return error;
  map->windows = 1;
  for (unsigned i = 0; i < 2; i++) {
    if (lower[i] < -128 || lower[i] > 127 || upper[i] < -128 || upper[i] > 127) return INVALID;
    if (!element_strides[i + 1] || element_strides[i + 1] > 8) return INVALID;
    map->lower[i] = (int16_t)lower[i];
    map->upper[i] = (int16_t)upper[i];
    map->steps[i] = (uint8_t)element_strides[i + 1];
  }
  return 0;
}

static int run(void (*function)(void **), const unsigned *grid, unsigned threads, void **arguments) {
  Dl_info info;
  if (imagined) return 0;
  if (!dladdr((void *)(uintptr_t)function, &info)) return INVALID;
  void *library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  struct fake_place *place = library ? dlsym(library, "fake_place") : NULL;
  void (**meet)(void) = library ? (void (**)(void))dlsym(library, "fake_barrier") : NULL;
  const int *together = library ? dlsym(library, "fake_together") : NULL;
  if (!place || !meet || !together) return INVALID;
  *meet = barrier;
  place->threads = threads;
  memcpy(place->blocks, grid, sizeof place->blocks);
  body = function;
  body_arguments = arguments;
  for (place->block[2] = 0; place->block[2] < grid[2]; place->block[2]++)
    for (place->block[1] = 0; place->block[1] < grid[1]; place->block[1]++)
      for (place->block[0] = 0; place->block[0] < grid[0]; place->block[0]++) {
        if (*together) run_together(place);
        for (place->thread = 0; !*together && place->thread < threads; place->thread++) function(arguments);
      }
  dlclose(library);
  return 0;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
  STEP();
  struct fake_stream *s = stream;
  const unsigned grid[3] = {gx, gy, gz};
  int wrong = check_stream(stream);
  if (wrong) return wrong;
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || bx > 1024 || by != 1 || bz != 1 || extra) return INVALID;
  if (shared > allowed_shared(function)) return INVALID;
  if (s && s->recording) {
    struct recorded *r = aligned_alloc(64, sizeof *r);
    if (!r) return MEMORY;
    memset(r, 0, sizeof *r);
    r->function = (void (*)(void **))function;
    memcpy(r->grid, grid, sizeof grid);
    r->block = bx;
    memcpy(r->arguments, arguments[0], 1536); /* more than any kernel's; the caller's stack is longer */
    *s->recording->end = r;
    s->recording->end = &r->next;
    return 0;
  }
  pthread_mutex_lock(&lock);
  int error = run((void (*)(void **))function, grid, bx, arguments);
  pthread_mutex_unlock(&lock);
  return error;
}

struct fake_launch {
  unsigned grid[3], block[3], shared;
  void *stream;
  const int *attributes;
  unsigned count;
};
int cuLaunchKernelEx(const struct fake_launch *l, void *function, void **arguments, void **extra) {
  if (l->count > 1 || (l->count && (l->attributes[0] != 6 || l->attributes[2] != 1))) return INVALID;
  return cuLaunchKernel(function, l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2], l->shared,
                        l->stream, arguments, extra);
}

/* ---- graphs ---- */
int cuStreamBeginCapture_v2(void *stream, int mode) {
  (void)mode;
  void *graph = NULL;
  int error = make(&graph, sizeof(struct fake_graph));
  if (error) return error;
  struct fake_graph *g = graph;
  g->end = &g->first;
  ((struct fake_stream *)stream)->recording = g;
  return 0;
}
int cuGraphDestroy(void *graph);
int cuStreamEndCapture(void *stream, void **graph) {
  struct fake_stream *s = stream;
  int error = step();
  if (error)
    cuGraphDestroy(s->recording);
  else
    *graph = s->recording;
  s->recording = NULL;
  return error;
}
int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long flags) {
  (void)flags;
  int error = make(exec, sizeof(struct fake_graph));
  if (error) return error;
  struct fake_graph *to = *exec, *from = graph;
  *to = *from;
  from->first = NULL;
  return 0;
}
int cuGraphLaunch(void *exec, void *stream) {
  STEP();
  int error = check_stream(stream);
  pthread_mutex_lock(&lock);
  for (struct recorded *r = ((struct fake_graph *)exec)->first; r && !error; r = r->next) {
    void *list[1] = {r->arguments};
    error = run(r->function, r->grid, r->block, list);
  }
  pthread_mutex_unlock(&lock);
  return error;
}
int cuGraphDestroy(void *graph) {
  for (struct recorded *r = ((struct fake_graph *)graph)->first, *next; r; r = next) {
    next = r->next;
    free(r);
  }
  return release(graph);
}
int cuGraphExecDestroy(void *exec) { return cuGraphDestroy(exec); }
