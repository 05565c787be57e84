/* Which compiled kernels there are: those that were compiled since the engine was opened, and, taken when they are
   asked for, those of its file. What a file holds is code of whoever wrote the file; that it is whole (form.c) is
   checked before the driver, which is told no size, reads it. */
#include "targets/cuda/programs.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct pn_cuda_programs {
  const pelton_allocator *allocator;
  const pn_binary_list *given;             /* the engine's; null: none */
  const pn_binary_list *(*built_in)(void); /* the library's; null: none */
  const pelton_log *log;                   /* null: nobody listens */
  atomic_uint devices;
  atomic_int keeping;   /* plans that are being made */
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t compiled;
  pn_cuda_program *first;
  uint32_t compiled_count, taken_count;
  double compile_seconds;
};

/* ---- life -----------------------------------------------------------------------------------------------------------
 */

pelton_status pn_cuda_programs_join(pn_device *device, const pn_device_options *options, pelton_diag *diag) {
  if (options->sibling) {
    device->programs = options->sibling->programs;
    atomic_fetch_add_explicit(&device->programs->devices, 1, memory_order_relaxed);
    return PELTON_OK;
  }
  pn_cuda_programs *all = pn_alloc(device->allocator, sizeof *all, _Alignof(pn_cuda_programs));
  bool locked = all && !pthread_mutex_init(&all->lock, NULL);
  if (!locked || pthread_cond_init(&all->compiled, NULL)) {
    if (locked) (void)pthread_mutex_destroy(&all->lock);
    pn_release(device->allocator, all);
    return pn_fail_memory(diag, "the CUDA device");
  }
  all->allocator = device->allocator;
  all->given = options->binaries;
  all->built_in = options->built_in;
  all->log = options->log;
  atomic_init(&all->devices, 1);
  atomic_init(&all->keeping, 0);
  device->programs = all;
  return PELTON_OK;
}

static void release(const pn_cuda_programs *all, pn_cuda_program *p) {
  pn_release(all->allocator, p->owned);
  pn_release(all->allocator, p);
}

void pn_cuda_programs_leave(pn_device *device) {
  pn_cuda_programs *all = device->programs;
  if (!all || atomic_fetch_sub_explicit(&all->devices, 1, memory_order_acq_rel) != 1) return;
  while (all->first) {
    pn_cuda_program *p = all->first;
    all->first = p->next;
    release(all, p);
  }
  (void)pthread_cond_destroy(&all->compiled);
  (void)pthread_mutex_destroy(&all->lock);
  pn_release(all->allocator, all);
}

/* Of what a file holds. A driver that is older than Pelton's own kernels is nothing to warn of. */
static void note(const pn_cuda_programs *all, const pn_cuda_program *program, const char *what) {
  const pn_binary *p = &program->is;
  char text[320];
  if (program->built_in || !all->log || !all->log->write) return;
  (void)snprintf(text, sizeof text, "the engine's kernel '%.*s' for %.*s %s: it is compiled again", PN_STR_ARG(p->name),
                 PN_STR_ARG(p->form), what);
  all->log->write(all->log->self, PELTON_LOG_WARNING, text);
}

/* ---- finding and making ---------------------------------------------------------------------------------------------
 */

/* Of those that were |refused| or were not, what suits the device best; null: nothing does. */
static pn_cuda_program *find(const pn_device *device, const uint64_t *key, bool refused) {
  pn_cuda_program *found = NULL;
  int best = 0;
  for (pn_cuda_program *p = device->programs->first; p; p = p->next) {
    const int rank =
        p->refused == refused && pn_binary_has_key(&p->is, key) ? pn_cuda_form_rank(device, p->is.form) : 0;
    if (rank > best) {
      best = rank;
      found = p;
    }
  }
  return found;
}

/* In |list| (may be null), what suits the device best. */
static const pn_binary *find_in(const pn_device *device, const pn_binary_list *list, const uint64_t *key) {
  const pn_binary *found = NULL;
  int best = 0;
  for (uint32_t i = 0; list && i < list->count; i++) {
    const pn_binary *b = &list->data[i];
    const int rank = pn_binary_has_key(b, key) ? pn_cuda_form_rank(device, b->form) : 0;
    if (rank > best) {
      best = rank;
      found = b;
    }
  }
  return found;
}

static pn_cuda_program *add(pn_cuda_programs *all, const pn_binary *is) {
  pn_cuda_program *p = pn_alloc(all->allocator, sizeof *p, _Alignof(pn_cuda_program));
  if (!p) return NULL;
  p->is = *is;
  p->next = all->first;
  atomic_init(&p->kept, false);
  all->first = p;
  return p;
}

static void withdraw(pn_cuda_programs *all, pn_cuda_program *p) {
  pn_cuda_program **at = &all->first;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  release(all, p);
}

/* What the engine's file or the library itself has; null: nothing of use. */
static pn_cuda_program *take_given(const pn_device *device, const uint64_t *key, bool *no_memory) {
  pn_cuda_programs *all = device->programs;
  if (find(device, key, true)) return NULL; /* it did not load before */
  const pn_binary *given = find_in(device, all->given, key);
  const bool built_in = !given && all->built_in;
  if (built_in) given = find_in(device, all->built_in(), key);
  if (!given) return NULL;
  bool whole = pn_cuda_form_is_whole(given);
  pn_cuda_program *p = add(all, given);
  *no_memory = !p;
  if (!p) return NULL;
  p->built_in = built_in;
  p->refused = !whole;
  if (!whole) note(all, p, "is damaged");
  all->taken_count += whole;
  return whole ? p : NULL;
}

/* The words of a program that is compiled here, which outlive the device. */
static void describe(pn_cuda_program *p, const pn_device *device, const pn_cuda_source *source) {
  int length = snprintf(p->words, sizeof p->words, "%s%c%s%c%s %s", device->compile_form, 0, device->compiler, 0,
                        source->file ? source->file : "rendered.cu", source->entry);
  p->is.form = pn_str_from(p->words);
  p->is.compiler = pn_str_from(p->words + p->is.form.size + 1);
  p->is.name = pn_str_from(p->words + p->is.form.size + p->is.compiler.size + 2);
  assert(length > 0 && (size_t)length < sizeof p->words); /* files' and kernels' names are ours */
  (void)length;
}

/* Under the lock, which it gives up while it compiles. */
static pelton_status make(pn_device *device, const pn_cuda_source *source, const char *text, const uint64_t *key,
                          pn_cuda_program **out, pelton_diag *diag) {
  pn_cuda_programs *all = device->programs;
  pn_binary is = {{key[0], key[1]}, pn_str_from(device->form), {NULL, 0}, {NULL, 0}, NULL, 0};
  pn_cuda_program *p = add(all, &is);
  if (!p) return pn_fail_memory(diag, "a kernel");
  p->compiling = true;
  (void)pthread_mutex_unlock(&all->lock);
  size_t bytes = 0;
  void *image = NULL;
  pelton_status status = pn_cuda_compile_open(device, source->entry, diag);
  const double start = pn_clock_seconds();
  if (!status) status = pn_cuda_compile(device, source, text, &image, &bytes, diag);
  const double seconds = pn_clock_seconds() - start;
  (void)pthread_mutex_lock(&all->lock);
  p->compiling = false;
  if (status) {
    withdraw(all, p);
  } else {
    describe(p, device, source);
    p->is.data = p->owned = image;
    p->is.bytes = bytes;
    all->compiled_count++;
    all->compile_seconds += seconds;
    *out = p;
  }
  (void)pthread_cond_broadcast(&all->compiled);
  return status;
}

pelton_status pn_cuda_programs_get(pn_device *device, const pn_cuda_source *source, const char *text,
                                   const uint64_t *key, pn_cuda_program *refused, pn_cuda_program **out,
                                   pelton_diag *diag) {
  pn_cuda_programs *all = device->programs;
  pelton_status status = PELTON_OK;
  bool no_memory = false;
  (void)pthread_mutex_lock(&all->lock);
  if (refused && !refused->refused) {
    refused->refused = true;
    all->taken_count--;
    note(all, refused, "is not taken by the driver");
  }
  while ((*out = find(device, key, false)) != NULL && (*out)->compiling)
    (void)pthread_cond_wait(&all->compiled, &all->lock);
  if (!*out) *out = take_given(device, key, &no_memory);
  if (no_memory)
    status = pn_fail_memory(diag, "a kernel");
  else if (!*out)
    status = make(device, source, text, key, out, diag);
  (void)pthread_mutex_unlock(&all->lock);
  return status;
}

/* ---- what is kept ---------------------------------------------------------------------------------------------------
 */

void pn_cuda_programs_use(const pn_device *device, pn_cuda_program *program) {
  if (atomic_load(&device->programs->keeping) > 0) atomic_store(&program->kept, true);
}

void pn_cuda_programs_keep(pn_device *device, bool keep) {
  (void)atomic_fetch_add(&device->programs->keeping, keep ? 1 : -1);
}

pelton_status pn_cuda_programs_list(pn_device *device, pn_arena *arena, pn_binaries *out, pelton_diag *diag) {
  pn_cuda_programs *all = device->programs;
  bool ok = true;
  memset(out, 0, sizeof *out);
  (void)pthread_mutex_lock(&all->lock);
  for (const pn_cuda_program *p = all->first; p && ok; p = p->next)
    if (atomic_load(&p->kept) && !p->compiling && !p->refused) ok = pn_list_push(arena, &out->list, p->is);
  out->compiled = all->compiled_count;
  out->taken = all->taken_count;
  out->compile_seconds = all->compile_seconds;
  (void)pthread_mutex_unlock(&all->lock);
  return ok ? PELTON_OK : pn_fail_memory(diag, "the engine");
}
