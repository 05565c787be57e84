/* A server's parts. Each device has a list of requests that wait there, with a lock of its own, and one worker thread a
   context. What all devices share is counted in atomics: there is no lock that every request takes. */
#ifndef PN_RUNTIME_SERVER_H
#define PN_RUNTIME_SERVER_H

#include "pelton/serve.h"
#include "runtime/engine.h"

struct pelton_request {
  pelton_server *server; /* until it is answered */
  const pelton_allocator *allocator;
  pn_arena arena;
  pelton_request *next; /* in a device's list */
  /* By the engine's inputs and outputs. */
  pelton_tensor *inputs, *outputs;
  const pelton_tensor *given; /* the caller's memory for outputs; |data| null: none */
  void **owned;               /* memory of ours for outputs */
  uint32_t input_count, output_count;
  const uint32_t *wanted; /* the engine's outputs, as the caller counts them */
  uint32_t wanted_count;
  uint32_t tries_left;
  void (*done)(void *self, pelton_request *request);
  void *self;
  atomic_uint references; /* the caller's, and the server's until it is answered */
  atomic_uint device;
  pthread_mutex_t lock; /* of the answer */
  pthread_cond_t change;
  atomic_bool answered;
  pelton_status status;
  pelton_diag *reasons; /* null: none, or no memory for them */
};

enum { PN_SERVED_REASON_BYTES = 512 };

typedef struct pn_served {
  pelton_server *server;
  pelton_engine *engine;
  uint32_t index;
  char name[128];       /* as pelton_devices_json has it; empty: not told */
  pthread_mutex_t lock; /* of the list */
  pthread_cond_t work;
  pelton_request *first, *last;
  uint32_t asleep;  /* workers */
  atomic_bool lost; /* set under the lock; nothing is put into the list from then on */
  char reason[PN_SERVED_REASON_BYTES];
  atomic_uint waiting, load; /* load: waiting and running */
  atomic_ullong answered, failed;
} pn_served;

typedef struct pn_worker {
  pn_served *served;
  pelton_context *context;
  pelton_request *current;
  pelton_diag diag;
  pthread_t thread;
  bool started;
} pn_worker;

struct pelton_server {
  const pelton_allocator *allocator;
  pelton_engine *engine;
  pn_served *served;
  uint32_t served_count;
  pn_worker *workers;
  uint32_t worker_count;
  uint32_t contexts, retries, queue_limit;
  atomic_uint waiting, open; /* requests: in lists; not yet answered */
  atomic_bool refusing, cancelling, closing;
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t change;
  uint32_t ready; /* workers that have made their context, or failed to */
  pelton_status status;
  pelton_diag *diag; /* of pelton_server_create */
};

/* request.c */
pelton_status pn_request_create(pelton_server *server, const pelton_request_options *what, pelton_request **out,
                                pelton_diag *diag) PN_CHECKED;
void pn_request_unref(pelton_request *request);
/* Before it is run (again): outputs are the caller's memory or none. */
void pn_request_reset(pelton_request *request);
/* Texts and boxes are the context's: copies of them. */
pelton_status pn_request_keep(pelton_request *request, pelton_diag *diag) PN_CHECKED;
/* Answers it, calls its |done|, and gives up the server's reference. */
void pn_request_answer(pelton_request *request, pelton_status status, const pelton_diag *reasons);

/* worker.c: how requests find a device, and are run there. */
void *pn_worker_main(void *worker);
/* Puts |request| where there is least to do, |last_choice| (may be null) only where there is no other device; false
   when none is left. */
bool pn_server_put(pelton_server *server, pelton_request *request, const pn_served *last_choice);
/* All that waits at |served|, taken out. */
pelton_request *pn_served_take_all(pn_served *served);
/* Answers |request|, which is in no list, and counts it. */
void pn_server_answer(pelton_server *server, pelton_request *request, pelton_status status, const pelton_diag *reasons);

/* context.c: PELTON_DEVICE_ERROR when the device of |context| can no longer be used. Waits for it. */
pelton_status pn_context_probe(pelton_context *context, pelton_diag *diag) PN_CHECKED;

#endif
