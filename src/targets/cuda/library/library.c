/* dlopen and the table. Newer major versions of a library come first; the rows of driver.def exist in all of them. */
#include "targets/cuda/library/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAMES = 4, PATH_ROOM = 1024 };

static const struct {
  const char *title, *names[MAX_NAMES], *from;
} libraries[PN_CUDA_LIBRARY_COUNT] = {
    {"the NVIDIA driver", {"libcuda.so.1", NULL}, "NVIDIA's driver"},
    {"NVRTC",
     {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", NULL},
     "NVRTC (a part of the CUDA toolkit, or the Python package nvidia-cuda-nvrtc)"},
    {"cuBLASLt",
     {"libcublasLt.so.13", "libcublasLt.so.12", NULL},
     "cuBLAS (a part of the CUDA toolkit, or the Python package nvidia-cublas)"},
    {"cuDNN", {"libcudnn.so.9", NULL}, "cuDNN 9 (also the Python packages nvidia-cudnn-cu12 and -cu13)"},
};
/* Where toolkits install themselves without telling the loader. */
static const char usual_folders[] = "/usr/local/cuda/lib64:/usr/local/cuda/targets/x86_64-linux/lib";

typedef struct row {
  pn_cuda_library library;
  const char *symbol;
  size_t offset;
} row;

#define PN_CUDA_LIBRARY_OF_driver   PN_CUDA_LIBRARY_DRIVER
#define PN_CUDA_LIBRARY_OF_nvrtc    PN_CUDA_LIBRARY_NVRTC
#define PN_CUDA_LIBRARY_OF_cublaslt PN_CUDA_LIBRARY_CUBLASLT
#define PN_CUDA_LIBRARY_OF_cudnn    PN_CUDA_LIBRARY_CUDNN
static const row rows[] = {
#define PN_CUDA_FN(library, symbol, result, arguments)                                                                 \
  {PN_CUDA_LIBRARY_OF_##library, #symbol, offsetof(pn_cuda_api, symbol)},
#include "targets/cuda/library/driver.def"
};

/* RTLD_GLOBAL is never used: the process may hold other versions of the same libraries. They stay loaded once they are:
   they keep threads and caches of their own. */
enum { OPEN_FLAGS = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE };

/* What was found and does not load is worth telling: of several the first. */
typedef struct search {
  char path[PATH_ROOM];     /* of what is open */
  char broken[PN_CUDA_WHY]; /* empty: none */
} search;

static void *open_at(search *s, const char *path, bool there) {
  void *handle = dlopen(path, OPEN_FLAGS);
  const char *reason = handle ? NULL : dlerror();
  const size_t size = strlen(path);
  if (handle) (void)snprintf(s->path, sizeof s->path, "%s", path);
  if (!reason) return handle;
  const bool of_it = !strncmp(reason, path, size) && reason[size] == ':'; /* else of a library that it wants */
  if (s->broken[0] || (!there && of_it)) return NULL;
  (void)snprintf(s->broken, sizeof s->broken, "found %s, which does not load: %s", path,
                 of_it ? reason + size + 1 + (reason[size + 1] == ' ') : reason);
  return NULL;
}

static void *open_in(search *s, const char *folders, const char *name) {
  char path[PATH_ROOM];
  while (folders && *folders) {
    size_t size = strcspn(folders, ":");
    int length = snprintf(path, sizeof path, "%.*s/%s", (int)size, folders, name);
    FILE *file = size && length > 0 && length < (int)sizeof path ? fopen(path, "rb") : NULL;
    void *handle = file ? open_at(s, path, true) : NULL;
    if (file) (void)fclose(file);
    if (handle) return handle;
    folders += size + (folders[size] == ':');
  }
  return NULL;
}

/* Nothing of |library| opens: what was tried, and what would help. */
static void tell_absence(const search *s, pn_cuda_library library, const char *folders, bool confined, char *why,
                         size_t room) {
  const char *title = libraries[library].title, *from = libraries[library].from;
  char names[128] = "";
  if (s->broken[0]) {
    (void)snprintf(why, room, "%s cannot be used: %s; install %s anew, or name its folder by --device-libraries", title,
                   s->broken, from);
    return;
  }
  const char *const *name = libraries[library].names;
  for (uint32_t i = 0; i < MAX_NAMES && name[i]; i++) {
    const bool last = i + 1 == MAX_NAMES || !name[i + 1];
    const size_t used = strlen(names);
    (void)snprintf(names + used, sizeof names - used, "%s%s", !i ? "" : last ? " or " : ", ", name[i]);
  }
  enum { SHOWN = 150 }; /* of the folders: what helps stands behind them */
  const bool given = folders && *folders;
  (void)snprintf(why, room,
                 "%s is not installed: no %s in %s%.*s%s%s; install %s, or name its folder by --device-libraries",
                 title, names, given ? "the folders of --device-libraries (" : "", SHOWN, given ? folders : "",
                 given && strlen(folders) > SHOWN ? "..." : "",
                 !given     ? "the loader's folders or /usr/local/cuda"
                 : confined ? "), where the driver is, so that others are not looked for"
                            : "), the loader's folders or /usr/local/cuda",
                 from);
}

bool pn_cuda_library_open(pn_cuda_api *api, pn_cuda_library library, const char *folders, char *why, size_t room) {
  void *handle = NULL;
  search s = {"", ""};
  const char *const *names = libraries[library].names;
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle; i++) handle = open_in(&s, folders, names[i]);
  if (library == PN_CUDA_LIBRARY_DRIVER) api->confined = handle != NULL;
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle && !api->confined; i++)
    handle = open_at(&s, names[i], false);
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle && !api->confined; i++)
    handle = open_in(&s, usual_folders, names[i]);
  if (!handle) {
    tell_absence(&s, library, folders, api->confined, why, room);
    return false;
  }
  for (size_t i = 0; i < PN_COUNT(rows); i++) {
    if (rows[i].library != library) continue;
    void *symbol = dlsym(handle, rows[i].symbol);
    if (!symbol) {
      (void)snprintf(why, room, "%s is too old: %s has no %s; install a newer one: %s", libraries[library].title,
                     s.path, rows[i].symbol, libraries[library].from);
      (void)dlclose(handle);
      return false;
    }
    memcpy((char *)api + rows[i].offset, &symbol, sizeof symbol); /* POSIX: a function's address fits a void * */
  }
  api->handles[library] = handle;
  return true;
}

void pn_cuda_library_version(const pn_cuda_api *api, pn_cuda_library library, char *out, size_t room) {
  int major = 0, minor = 0;
  size_t number = 0;
  out[0] = 0;
  if (!pn_cuda_library_has(api, library)) return;
  if (library == PN_CUDA_LIBRARY_NVRTC && !api->nvrtcVersion(&major, &minor))
    (void)snprintf(out, room, "%d.%d", major, minor);
  if (library == PN_CUDA_LIBRARY_CUBLASLT) number = api->cublasLtGetVersion();
  if (library == PN_CUDA_LIBRARY_CUDNN) number = api->cudnnGetVersion();
  if (number) (void)snprintf(out, room, "%zu.%zu.%zu", number / 10000, number / 100 % 100, number % 100);
}

const char *pn_cuda_library_title(pn_cuda_library library) { return libraries[library].title; }

void pn_cuda_library_close(pn_cuda_api *api) {
  for (uint32_t i = PN_CUDA_LIBRARY_COUNT; i-- > 0;)
    if (api->handles[i]) (void)dlclose(api->handles[i]);
  memset(api, 0, sizeof *api);
}
