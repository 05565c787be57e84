/* pelton/serve.h: one engine that answers requests of many threads, on one device or on several.

     pelton_server *server;
     pelton_server_options options = PELTON_SERVER_OPTIONS_INIT;
     options.device_count = PELTON_ALL_DEVICES;
     pelton_server_create(engine, &options, &server, &diag);

     pelton_request_options what = PELTON_REQUEST_OPTIONS_INIT;   (in any thread)
     what.inputs = inputs, what.input_count = 1;
     pelton_server_submit(server, &what, &request, &diag);
     pelton_request_wait(request, &diag);
     pelton_request_output(request, 0, &output);
     pelton_request_release(request);

   Each device holds the weights once and has some contexts, each with a thread of its own, so that one request's copies
   go on while another's are computed. A request is run whole on one device: the one with the fewest requests, waiting
   or running. What waits at one device is taken over by another that has nothing to do.

   Every request that was submitted is answered, once: with its outputs, or with a status and reasons. When a device is
   lost, what waited there goes to the others; what ran there is tried again elsewhere if |retries| allow it, else it
   fails with a message that names the device. When no device is left, everything fails with that reason. */
#ifndef PELTON_SERVE_H
#define PELTON_SERVE_H

#include "pelton/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pelton_server pelton_server;
typedef struct pelton_request pelton_request;

#define PELTON_ALL_DEVICES UINT32_MAX

typedef struct pelton_server_options {
  uint32_t size;
  uint32_t device_count;   /* of |devices|; 0: the engine's own; PELTON_ALL_DEVICES: every usable one of its target */
  const uint32_t *devices; /* indices, as pelton_devices_json has them; each once; read while the server is created */
  uint32_t contexts;       /* a device, that is requests that run there at once; 0: 4, on a target whose memory is the
                              host's 1, which then has all of the engine's threads */
  uint32_t retries;        /* how many more times a request is tried that failed because its device did */
  uint32_t queue_limit;    /* requests that may wait, on all devices together; 0: no limit */
} pelton_server_options;
#define PELTON_SERVER_OPTIONS_INIT {(uint32_t)sizeof(pelton_server_options), 0, NULL, 0, 0, 0}

/* Opens the devices, and makes every context ready: it runs each a few times on zeros of the shapes that the engine was
   built for, so that weights are there and kernels compiled before the first request. |options| may be null. The server
   keeps |engine| alive. A device that cannot be used, or has not enough memory, is an error with its index; with
   PELTON_ALL_DEVICES those that cannot be used are left out, unless none is left. */
PELTON_API pelton_status pelton_server_create(pelton_engine *engine, const pelton_server_options *options,
                                              pelton_server **out, pelton_diag *diag) PELTON_CHECKED;
/* Takes no more requests, and returns when all are answered: those that wait are run, or with |cancel| answered with
   PELTON_CANCELLED. May be called again. Not from |done| of a request. */
PELTON_API void pelton_server_stop(pelton_server *server, uint32_t cancel);
/* Stops it, cancelling what waits, and ends it. Requests stay what they are until they are released. Null is fine. */
PELTON_API void pelton_server_release(pelton_server *server);

typedef struct pelton_request_options {
  uint32_t size;
  uint32_t input_count, output_count;
  /* Host memory. The array is copied; what its members point at must stay until the request is answered. */
  const pelton_tensor *inputs;
  const char *const *input_names; /* of |inputs|, in any order; null: they are in the engine's order */
  /* Which outputs are wanted, by name; null: all of them, in the engine's order. */
  const char *const *output_names;
  /* |output_count| of them: where results are to be written (data, bytes), as for pelton_context_run. Null, or |data|
     null: memory of the request. Copied like |inputs|. */
  const pelton_tensor *outputs;
  /* Called once, when the request is answered, by a thread of the server, which runs nothing else meanwhile; it may ask
     the request everything, release it, and submit others. May be null. */
  void (*done)(void *self, pelton_request *request);
  void *self;
} pelton_request_options;
#define PELTON_REQUEST_OPTIONS_INIT \
  {(uint32_t)sizeof(pelton_request_options), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL}

/* From any thread, also at once; never waits for a device. |out| null: the request is released after |done|, which must
   then be given. An error means that there is no request and |done| is not called: PELTON_INVALID_ARGUMENT for wrong
   counts and names (shapes are looked at by the run), PELTON_BUSY at the queue's limit, PELTON_DEVICE_ERROR when all
   devices are lost, with the reason, PELTON_CANCELLED after pelton_server_stop. */
PELTON_API pelton_status pelton_server_submit(pelton_server *server, const pelton_request_options *what,
                                              pelton_request **out, pelton_diag *diag) PELTON_CHECKED;

/* Waits for the answer and gives its status, the reasons in |diag|. From any thread, any number of times. */
PELTON_API pelton_status pelton_request_wait(pelton_request *request, pelton_diag *diag) PELTON_CHECKED;
/* 1 when it is answered: pelton_request_wait will not wait. */
PELTON_API uint32_t pelton_request_is_done(const pelton_request *request);
/* Output |index| of those wanted, of a request that was answered with PELTON_OK: host memory, valid until the request
   is released. */
PELTON_API pelton_status pelton_request_output(const pelton_request *request, uint32_t index, pelton_tensor *out);
/* The index of the device that answered it, or failed it; PELTON_ALL_DEVICES before, and when no device did. */
PELTON_API uint32_t pelton_request_device(const pelton_request *request);
/* Waits for the answer (or is called from |done|), then gives the request and its memory back. Null is fine. */
PELTON_API void pelton_request_release(pelton_request *request);

/* What the server is doing, as JSON: target, contexts a device, requests not yet done with, and for each device its
   index, name, state ("serving" or "lost", then with the reason), and the numbers of requests that wait, run, were
   answered, and failed because of the device. For pelton_text_release. From any thread. */
PELTON_API pelton_status pelton_server_json(pelton_server *server, char **out, pelton_diag *diag) PELTON_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
