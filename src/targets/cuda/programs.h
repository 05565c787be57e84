/* Compiled kernels, one of each for all devices of an engine: found among those that the engine's file holds, else
   compiled by NVRTC. From source to function: module.c asks for a source's program (programs.c), which has it or has it
   compiled (compile.c), and loads it into its device. */
#ifndef PN_TARGETS_CUDA_PROGRAMS_H
#define PN_TARGETS_CUDA_PROGRAMS_H

#include "targets/cuda/cuda.h"

/* Lives as long as the last device that shares it; all but |refused| and |kept| stays as it is once it is given. */
typedef struct pn_cuda_program {
  struct pn_cuda_program *next;
  pn_binary is;
  void *owned;     /* what is compiled here; null: the bytes are a file's */
  bool compiling;  /* by another thread, and not there yet */
  bool refused;    /* the driver does not load it: it is compiled again */
  bool built_in;   /* Pelton's own */
  atomic_bool kept; /* a plan's */
  char words[160];  /* of |is|, when it is compiled here */
} pn_cuda_program;

/* The program of |key| (two words) for the kernel |source|, whose whole text is |text|; |refused| (may be null) is what
   this gave before and the driver did not take. Who comes while another thread compiles the same waits for it. */
pelton_status pn_cuda_programs_get(pn_device *device, const pn_cuda_source *source, const char *text,
                                   const uint64_t *key, pn_cuda_program *refused, pn_cuda_program **out,
                                   pelton_diag *diag) PN_CHECKED;

/* ---- compile.c */

/* A hash of what a source means beyond its text: headers and options. */
uint64_t pn_cuda_compile_key(void);
/* Opens NVRTC when that was not done yet. An error names |entry| and what to do. */
pelton_status pn_cuda_compile_open(pn_device *device, const char *entry, pelton_diag *diag) PN_CHECKED;
/* A cubin, by pn_alloc of the device's allocator. */
pelton_status pn_cuda_compile(const pn_device *device, const pn_cuda_source *source, const char *text, void **out,
                              size_t *bytes, pelton_diag *diag) PN_CHECKED;

#endif
