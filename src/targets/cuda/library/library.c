/* dlopen and the table. Newer major versions of a library come first; the rows of driver.def exist in all of them. */
#include "targets/cuda/library/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAMES = 4, PATH_ROOM = 1024 };

static const struct {
  const char *title, *names[MAX_NAMES];
} libraries[PN_CUDA_LIBRARY_COUNT] = {
    {"the NVIDIA driver", {"libcuda.so.1", NULL}},
    {"NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", NULL}},
    {"cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12", NULL}},
    {"cuDNN", {"libcudnn.so.9", NULL}},
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

static void *open_in(const char *folders, const char *name) {
  char path[PATH_ROOM];
  while (folders && *folders) {
    size_t size = strcspn(folders, ":");
    int length = snprintf(path, sizeof path, "%.*s/%s", (int)size, folders, name);
    void *handle = size && length > 0 && length < (int)sizeof path ? dlopen(path, OPEN_FLAGS) : NULL;
    if (handle) return handle;
    folders += size + (folders[size] == ':');
  }
  return NULL;
}

bool pn_cuda_library_open(pn_cuda_api *api, pn_cuda_library library, const char *folders, char *why, size_t room) {
  void *handle = NULL;
  const char *const *names = libraries[library].names;
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle; i++) handle = open_in(folders, names[i]);
  if (library == PN_CUDA_LIBRARY_DRIVER) api->confined = handle != NULL;
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle && !api->confined; i++)
    handle = dlopen(names[i], OPEN_FLAGS);
  for (uint32_t i = 0; i < MAX_NAMES && names[i] && !handle && !api->confined; i++)
    handle = open_in(usual_folders, names[i]);
  if (!handle) {
    (void)snprintf(why, room, "%s is not installed (no %s)", libraries[library].title, names[0]);
    return false;
  }
  for (size_t i = 0; i < PN_COUNT(rows); i++) {
    if (rows[i].library != library) continue;
    void *symbol = dlsym(handle, rows[i].symbol);
    if (!symbol) {
      (void)snprintf(why, room, "%s is too old: it has no %s", libraries[library].title, rows[i].symbol);
      (void)dlclose(handle);
      return false;
    }
    memcpy((char *)api + rows[i].offset, &symbol, sizeof symbol); /* POSIX: a function's address fits a void * */
  }
  api->handles[library] = handle;
  return true;
}

void pn_cuda_library_close(pn_cuda_api *api) {
  for (uint32_t i = PN_CUDA_LIBRARY_COUNT; i-- > 0;)
    if (api->handles[i]) (void)dlclose(api->handles[i]);
  memset(api, 0, sizeof *api);
}
