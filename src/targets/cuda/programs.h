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

/* ---- form.c */

/* How well code of |form| suits the device; 0: it does not run there. Best is the device's own form, then code of an
   older device of its generation ("sm_80" on sm_89), then PTX, the newest first. A lowered device, which is not really
   of the generation that it says, takes only its own. */
int pn_cuda_form_rank(const pn_device *device, pn_str form);
/* What a compiler that knows |known| capabilities is to compile for the device: its own form, or PTX of the newest that
   is older than the device and runs there; without any, its own, which the compiler then refuses. */
void pn_cuda_form_to_compile(const pn_device *device, const int *known, int count, char *out, size_t room);
/* Whether a driver that is told no size can read it: an ELF image without anything outside, or PTX. */
bool pn_cuda_form_is_whole(const pn_binary *binary);

/* ---- compile.c */

/* A hash of what a source means beyond its text: headers and options. */
uint64_t pn_cuda_compile_key(void);
/* Opens NVRTC when that was not done yet. An error names |entry| and what to do. */
pelton_status pn_cuda_compile_open(pn_device *device, const char *entry, pelton_diag *diag) PN_CHECKED;
/* Code of the device's |compile_form|, by pn_alloc of the device's allocator. */
pelton_status pn_cuda_compile(const pn_device *device, const pn_cuda_source *source, const char *text, void **out,
                              size_t *bytes, pelton_diag *diag) PN_CHECKED;

#endif
