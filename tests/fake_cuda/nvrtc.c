/* NVRTC's stand-in for tests (see driver.c): the C compiler makes shared objects of kernels, with device.h in place of
   device.cuh. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pthread.h>

#include "ptx.h"

/* What was compiled stays for the life of the process: tests open many devices. */
struct compiled {
  struct compiled *next;
  char *source, *image;
  size_t bytes;
  int form; /* negative: a text that the driver compiles */
};
static struct compiled *compiled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long compile_calls;

struct program {
  char *source, *log;
  const struct compiled *is;
};

/* For the tests: how often a program was compiled. */
long fake_nvrtc_calls(void) { return compile_calls; }

__attribute__((destructor)) static void remove_compiled(void) {
  while (compiled) {
    struct compiled *c = compiled;
    compiled = c->next;
    free(c->source);
    free(c->image);
    free(c);
  }
}

static const struct compiled *find(const char *source, int form) {
  const struct compiled *c;
  pthread_mutex_lock(&lock);
  for (c = compiled; c && (c->form != form || strcmp(c->source, source) != 0);) c = c->next;
  pthread_mutex_unlock(&lock);
  return c;
}

static const struct compiled *keep(const char *source, int form, int file) {
  struct compiled *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->bytes = (size_t)lseek(file, 0, SEEK_END);
  c->image = malloc(c->bytes);
  c->source = strdup(source);
  c->form = form;
  if (!c->image || !c->source || pread(file, c->image, c->bytes, 0) != (ssize_t)c->bytes) return NULL;
  pthread_mutex_lock(&lock);
  c->next = compiled;
  compiled = c;
  pthread_mutex_unlock(&lock);
  return c;
}
/* For the tests: an older NVRTC, which knows nothing beyond |sm|; 0: not so. */
static int newest;
void fake_nvrtc_newest(int sm) { newest = sm; }
static int supported(int *out) {
  static const int all[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};
  int number = 0;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (!newest || all[i] <= newest) {
      if (out) out[number] = all[i];
      number++;
    }
  return number;
}
int nvrtcGetNumSupportedArchs(int *number) {
  *number = supported(NULL);
  return 0;
}
int nvrtcGetSupportedArchs(int *capabilities) {
  supported(capabilities);
  return 0;
}
int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return 0;
}
const char *nvrtcGetErrorString(int result) { return result ? "the fake compiler failed" : "no error"; }

static const char *header_of(const char *name, int count, const char *const *headers, const char *const *names) {
  for (int i = 0; i < count; i++)
    if (!strcmp(names[i], name)) return headers[i];
  return "";
}

/* The source with its headers pasted in, device.h for device.cuh. */
int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int count,
                       const char *const *headers, const char *const *names) {
  static const char include[] = "#include \"";
  char *text = NULL;
  size_t bytes = 0;
  (void)name;
  FILE *out = open_memstream(&text, &bytes);
  if (!out || !(*program = calloc(1, sizeof **program))) return 1;
  fprintf(out, "#include \"%s\"\nint fake_together = %d;\n", FAKE_DEVICE_HEADER,
          strstr(source, "BARRIER()") || strstr(source, "BLOCK_REDUCE") || strstr(source, "WARP_REDUCE") ? 1 : 0);
  for (const char *at = source; *at;) {
    const char *end = strchr(at, '\n');
    size_t size = end ? (size_t)(end - at) + 1 : strlen(at);
    char file[64] = "";
    if (!strncmp(at, include, sizeof include - 1)) sscanf(at + sizeof include - 1, "%63[^\"]", file);
    if (!*file)
      fprintf(out, "%.*s", (int)size, at);
    else if (strcmp(file, "device.cuh") != 0)
      fprintf(out, "%s\n", header_of(file, count, headers, names));
    at += size;
  }
  fclose(out);
  (*program)->source = text;
  return 0;
}
int nvrtcDestroyProgram(struct program **program) {
  free((*program)->source);
  free((*program)->log);
  free(*program);
  *program = NULL;
  return 0;
}
/* What the compiler writes are files in memory, which nobody has to remove. */
static int compile(struct program *p, int form, int object, int log) {
  char command[1024];
  snprintf(command, sizeof command,
           "%s -x c -std=gnu11 -O1 -fPIC -shared -w -ffp-contract=off -o /proc/%d/fd/%d - -lm >/proc/%d/fd/%d 2>&1",
           FAKE_COMPILER, (int)getpid(), object, (int)getpid(), log);
  FILE *pipe = popen(command, "w");
  if (!pipe) return 1;
  fprintf(pipe, "%s\nint fake_form = %d;\n", p->source, form);
  if (!pclose(pipe)) return (p->is = keep(p->source, form, object)) ? 0 : 6;
  p->log = calloc(1, 4096);
  if (p->log && pread(log, p->log, 4000, 0) < 0) p->log[0] = 0;
  return 6;
}
int nvrtcCompileProgram(struct program *p, int option_count, const char *const *options) {
  int form = 0;
  for (int i = 0; i < option_count; i++) {
    (void)sscanf(options[i], "--gpu-architecture=sm_%d", &form);
    if (sscanf(options[i], "--gpu-architecture=compute_%d", &form) == 1) form = -form;
  }
  if (newest && abs(form) > newest) return 5; /* it does not know that option */
  pthread_mutex_lock(&lock);
  compile_calls++;
  pthread_mutex_unlock(&lock);
  if ((p->is = find(p->source, form)) != NULL) return 0;
  int object = memfd_create("object", MFD_CLOEXEC), log = memfd_create("log", MFD_CLOEXEC);
  int error = object < 0 || log < 0 ? 1 : compile(p, form, object, log);
  if (object >= 0) close(object);
  if (log >= 0) close(log);
  return error;
}
int nvrtcGetProgramLogSize(struct program *p, size_t *bytes) {
  *bytes = p->log ? strlen(p->log) + 1 : 0;
  return 0;
}
int nvrtcGetProgramLog(struct program *p, char *log) {
  strcpy(log, p->log ? p->log : "");
  return 0;
}
int nvrtcGetCUBINSize(struct program *p, size_t *bytes) {
  *bytes = p->is ? p->is->bytes : 0;
  return 0;
}
int nvrtcGetCUBIN(struct program *p, char *cubin) {
  memcpy(cubin, p->is->image, p->is->bytes);
  return 0;
}
int nvrtcGetPTXSize(struct program *p, size_t *bytes) {
  *bytes = p->is ? sizeof FAKE_PTX + 2 * p->is->bytes : 0;
  return 0;
}
int nvrtcGetPTX(struct program *p, char *text) {
  strcpy(text, FAKE_PTX);
  text += sizeof FAKE_PTX - 1;
  for (size_t i = 0; i < p->is->bytes; i++) {
    const unsigned char byte = ((const unsigned char *)p->is->image)[i];
    *text++ = (char)('a' + (byte >> 4));
    *text++ = (char)('a' + (byte & 15));
  }
  *text = 0;
  return 0;
}
