/* pelton/run.h: from an engine to outputs; all that the runtime-only library offers.

     pelton_engine *engine;
     pelton_engine_open("net.pelton", NULL, &engine, &diag);
     pelton_context *context;
     pelton_context_create(engine, NULL, &context, &diag);
     pelton_context_run(context, inputs, input_count, outputs, output_count, &diag);

   An engine is immutable and may be used by any number of threads; a context by one thread at a time. Contexts are
   light: weights are shared, each has only its activations.

   On cuda no function changes the context that the calling thread has current (what cudaSetDevice sets): it is the same
   when the function returns. Callbacks find the engine's device current. */
#ifndef PELTON_RUN_H
#define PELTON_RUN_H

#include "pelton/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pelton_engine pelton_engine;
typedef struct pelton_context pelton_context;

typedef struct pelton_run_options {
  uint32_t size;
  /* Null: the first that the engine was tuned for and this machine has, else cpu, of which |log| is warned with the
     reason. There is no such fallback, but an error, where a device of the other target is asked for: by
     |device_index|, |device_libraries| or a GPU's |cpu_isa|. */
  const char *target;
  const char *cpu_isa;  /* null: the machine's; lower it for tests: "portable", "avx2", ..., of a GPU "sm_80", ... */
  uint32_t threads;     /* of the engine's pool; 0: all that this process may use */
  uint32_t pin_threads; /* 1: bind them to cores */
  uint32_t device_index;
  const pelton_allocator *allocator; /* must outlive the engine */
  const pelton_log *log;
  const char *device_libraries; /* folders, separated by ':', to look for a device's driver and libraries first */
  /* 1: the compiled kernels that an engine file holds are not used, but compiled here. They are code of whoever made
     the file, which runs on the device with this process's rights: for files of strangers. */
  uint32_t compile_kernels;
} pelton_run_options;
#define PELTON_RUN_OPTIONS_INIT {(uint32_t)sizeof(pelton_run_options), NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0}

/* Opens the engine at |path|. The file is mapped and must stay unchanged while the engine lives. |options| may be
   null. On failure |*out| is null and |diag| says why. Release with pelton_engine_release. */
PELTON_API pelton_status pelton_engine_open(const char *path, const pelton_run_options *options, pelton_engine **out,
                                            pelton_diag *diag) PELTON_CHECKED;
/* The same from |bytes| bytes at |data|, which must stay while the engine lives; used in place when |data| is aligned to
   64 bytes, else copied. */
PELTON_API pelton_status pelton_engine_open_memory(const void *data, size_t bytes, const pelton_run_options *options,
                                                   pelton_engine **out, pelton_diag *diag) PELTON_CHECKED;
/* |engine| on another device of its target: file, graph, names, packed weights and compiled kernels are one for both,
   only what lies in a device's memory is there once more. |engine| may be released before |*out|. Thread-safe. For
   requests that are spread over devices see serve.h. */
PELTON_API pelton_status pelton_engine_on_device(pelton_engine *engine, uint32_t device_index, pelton_engine **out,
                                                 pelton_diag *diag) PELTON_CHECKED;
/* The target that runs |engine|: "cpu", "cuda". Static storage; "" for null. */
PELTON_API const char *pelton_engine_target(const pelton_engine *engine);
/* Gives up this reference; contexts keep the engine alive until they are released. */
PELTON_API void pelton_engine_release(pelton_engine *engine);

/* Inputs and outputs, in the model's order. A dim that is not fixed is -1; its name ("batch", or "") is given by
   |dim_names|, borrowed from the engine like |name|. */
typedef struct pelton_io_info {
  const char *name;
  pelton_dtype dtype;
  pelton_shape shape;
  const char *dim_names[PELTON_MAX_RANK];
  uint32_t rank_known; /* 0: even the rank is known only at run time; |shape| is meaningless then */
  /* Of PELTON_DTYPE_TENSOR: */
  uint32_t optional;    /* 1: an optional, of no item or one; 0: a sequence of any number */
  uint32_t item_depth;  /* 1: items are tensors; 2: they are sequences of tensors; ... */
  pelton_dtype item;    /* of the innermost tensors, whose shapes may differ; else PELTON_DTYPE_NONE */
} pelton_io_info;

PELTON_API uint32_t pelton_engine_input_count(const pelton_engine *engine);
PELTON_API uint32_t pelton_engine_output_count(const pelton_engine *engine);
PELTON_API pelton_status pelton_engine_input(const pelton_engine *engine, uint32_t index, pelton_io_info *out);
PELTON_API pelton_status pelton_engine_output(const pelton_engine *engine, uint32_t index, pelton_io_info *out);

/* The engine as text for people (or for parsing again when |max_constant_bytes| is 0), or as JSON: graph, sections,
   plan of the shapes it was built for, what the host runs of it and why. Release with pelton_text_release. */
PELTON_API pelton_status pelton_engine_text(const pelton_engine *engine, size_t max_constant_bytes, char **out,
                                            pelton_diag *diag) PELTON_CHECKED;
PELTON_API pelton_status pelton_engine_json(const pelton_engine *engine, char **out, pelton_diag *diag) PELTON_CHECKED;
PELTON_API void pelton_text_release(char *text);

typedef struct pelton_memory_info {
  uint64_t weight_bytes;    /* constants and packed weights: of the engine, and packed since by its contexts for all */
  uint64_t context_bytes;   /* what a context allocates for the shapes that the engine was built for */
  uint64_t file_bytes;
} pelton_memory_info;
PELTON_API pelton_status pelton_engine_memory(const pelton_engine *engine, pelton_memory_info *out);

/* Bytes of the device's memory. For the cpu, whose memory is the process's own: of that. */
typedef struct pelton_device_memory {
  uint32_t size;          /* sizeof(pelton_device_memory), set by the caller */
  uint64_t weight_bytes;  /* once a device, whatever the number of contexts */
  uint64_t context_bytes; /* of each context: activations, workspace, and inputs and outputs that are the host's */
} pelton_device_memory;
/* What |engine| will allocate on its device for the shapes that it was built for, exactly, before anything is: it
   plans, and uploads nothing. |shapes| (may be null) are other shapes of the inputs, in order. Besides, the driver and
   vendor libraries take memory of their own (a CUDA context some 500 MB), and some kernels a small table.
   PELTON_UNSUPPORTED, with the reason, where shapes depend on data, so that nobody knows. */
PELTON_API pelton_status pelton_engine_device_memory(pelton_engine *engine, const pelton_shape *shapes,
                                                     pelton_device_memory *out, pelton_diag *diag) PELTON_CHECKED;

typedef struct pelton_context_options {
  uint32_t size;
  uint32_t profile; /* 1: time every step, see pelton_context_profile_json */
} pelton_context_options;
#define PELTON_CONTEXT_OPTIONS_INIT {(uint32_t)sizeof(pelton_context_options), 0}

/* A context of |engine|, ready for the shapes that it was built for. |options| may be null. */
PELTON_API pelton_status pelton_context_create(pelton_engine *engine, const pelton_context_options *options,
                                               pelton_context **out, pelton_diag *diag) PELTON_CHECKED;
PELTON_API void pelton_context_release(pelton_context *context);

/* What an output needs, as its allocator is told. */
typedef struct pelton_output_request {
  uint32_t size;  /* sizeof(pelton_output_request) of the library */
  uint32_t index; /* of the output, in the engine's order */
  const char *name;
  pelton_dtype dtype;
  pelton_shape shape;
  size_t bytes;     /* of the whole tensor; may be 0 */
  size_t alignment; /* with which it is written fastest; less is correct too, down to that of an element */
} pelton_output_request;

/* Gives memory for outputs whose size the caller cannot know beforehand. */
typedef struct pelton_output_allocator {
  void *self;
  /* Returns request->bytes bytes, or null when there are none (when no bytes are asked for, null is as good as any).
     |request| lives as long as the call. Must not use the context. */
  void *(*allocate)(void *self, const pelton_output_request *request);
} pelton_output_allocator;

#define PELTON_ALL_OUTPUTS UINT32_MAX

/* From the next run on, output |index| (PELTON_ALL_OUTPUTS: each) is written into memory that |allocator| gives,
   whenever pelton_context_run is given no memory for it; |allocator| null, or its |allocate| null: as before, into
   memory of the context. |*allocator| is copied.
   It is asked once a run for each output, by the thread that runs the context and before the run returns, as soon as
   the output's shape is known: as a rule before it is computed, so that it is computed there; only views, constants and
   what a loop carries around are copied. It is asked for outputs of fixed shape too. The order of outputs is not fixed.
   The memory is and stays the caller's: the run writes and may read it until it returns, and never releases it, also
   when the run fails after it was asked. */
PELTON_API pelton_status pelton_context_set_output_allocator(pelton_context *context, uint32_t index,
                                                             const pelton_output_allocator *allocator,
                                                             pelton_diag *diag) PELTON_CHECKED;

/* Runs the network. |inputs| and |outputs| are in the engine's order; all counts must match.
   Inputs: dense row-major memory of the engine's types, of the host or of the engine's device; shapes may be any that the
   network allows: shapes not met before are planned now and remembered. Outputs: |data| null asks for memory of the
   output's allocator, or without one for host memory of the context, valid until its next run; otherwise |bytes| must be
   enough and the result is written there, be it the host's or the device's, as an allocator's may be. |dtype|, |shape|, |data| and |bytes| are set. With shapes met before, a network without data-dependent shapes
   allocates nothing.
   PELTON_INVALID_ARGUMENT, with the name, for memory of another device (on cuda: unless it is managed), and for device
   memory that ends before the tensor does.
   PELTON_INVALID_ARGUMENT because a caller's buffer is too small names output, needed and given bytes, and sets |dtype|
   and |shape| of all outputs, but neither |data| nor |bytes|: the caller can run again with larger ones.
   PELTON_OUT_OF_MEMORY with the output's name when its allocator gives nothing. On any other failure outputs are
   undefined. The context can be used again in all cases. */
PELTON_API pelton_status pelton_context_run(pelton_context *context, const pelton_tensor *inputs, uint32_t input_count,
                                            pelton_tensor *outputs, uint32_t output_count,
                                            pelton_diag *diag) PELTON_CHECKED;

/* Puts a run into |stream|, a queue of the caller's (on cuda a CUstream or cudaStream_t of the engine's device, or null
   for its default one), and returns without waiting for the device: inputs are read and outputs written in that
   stream's order, and the caller learns from it when they are done. Runs of one context, enqueued or not, wait for each
   other on the device, also in different streams; for runs side by side take several contexts.
   All inputs and outputs must be the engine's device memory (else PELTON_INVALID_ARGUMENT with the name, as
   for pelton_context_run), outputs with |data| and enough |bytes|; |dtype|, |shape|
   and |bytes| of outputs are set. From the second call on with the same shapes and addresses it is the launch of one
   recorded graph. The first call with new shapes plans, which may wait for the upload of weights, but never for
   |stream|; |stream| must not be in capture.
   PELTON_UNSUPPORTED, with the node, step or output and the reason, for what needs the host in the middle: control
   flow, results whose shapes depend on data or on the contents of inputs, steps that run on the host, outputs that are
   an input's or a constant's bytes; for such networks, and where the target has no such queues (cpu),
   pelton_context_run does it. What goes wrong on the device later (an index out of its range) is told by the next
   pelton_context_run of this context; a lost device also by the next call of any kind. */
PELTON_API pelton_status pelton_context_enqueue(pelton_context *context, const pelton_tensor *inputs,
                                                uint32_t input_count, pelton_tensor *outputs, uint32_t output_count,
                                                void *stream, pelton_diag *diag) PELTON_CHECKED;

/* Memory of the engine's device, for inputs and outputs that stay there; for the cpu it is the host's. Copies are done
   when the calls return. Release before the engine. */
PELTON_API pelton_status pelton_memory_create(pelton_engine *engine, size_t bytes, void **out,
                                              pelton_diag *diag) PELTON_CHECKED;
PELTON_API void pelton_memory_release(pelton_engine *engine, void *memory);
PELTON_API pelton_status pelton_memory_write(pelton_engine *engine, void *to, const void *from_host, size_t bytes,
                                             pelton_diag *diag) PELTON_CHECKED;
PELTON_API pelton_status pelton_memory_read(pelton_engine *engine, void *to_host, const void *from, size_t bytes,
                                            pelton_diag *diag) PELTON_CHECKED;

/* Host memory from which and to which the device copies by itself, without a copy in between (on cuda: pinned); of any
   use as inputs and outputs of runs and requests, on all devices of the target. For targets that need none it is
   ordinary memory. At least 64-byte aligned, not zeroed. Release before the engine. Inputs of a run that failed may be
   written again when it has returned, as always. */
PELTON_API pelton_status pelton_host_memory_create(pelton_engine *engine, size_t bytes, void **out,
                                                   pelton_diag *diag) PELTON_CHECKED;
PELTON_API void pelton_host_memory_release(pelton_engine *engine, void *memory);

/* Every device of every target of this build, usable or not, as a JSON array: target, index, name, memory_bytes, detail,
   usable, and why not; the vendor's libraries that it would use ("libraries": name, usable, version, or why not); of
   the one that would be opened also its peaks, as pelton_engine_peaks_json has them ("peaks"), or why they cannot be
   measured ("peaks_reason"). Takes some tenths of a second, and longer where kernels are compiled for
   it. |options| (may be null) says where libraries are and how many threads. For
   pelton_text_release. */
PELTON_API pelton_status pelton_devices_json(const pelton_run_options *options, char **out,
                                             pelton_diag *diag) PELTON_CHECKED;

/* Per step of the latest run: name ("step"), source nodes, tactic, time ("us"), the operations of its definition
   ("flops", a multiply-add counts two), those of them in products ("products") and the type of these ("type": "f16"),
   bytes of its operands, the problem; a JSON array. Of a node that the host runs between steps the tactic is "host" and
   the problem its operator, the time its own, without steps of its bodies. For pelton_text_release. */
PELTON_API pelton_status pelton_context_profile_json(const pelton_context *context, char **out,
                                                     pelton_diag *diag) PELTON_CHECKED;
/* How many plans this context has made. A run of shapes met before leaves it as it is, and so do numbers met before in
   operands from which shapes follow (axes, sizes, a k that is an input); where it grows with every run, they never
   repeat, or more take turns than the context remembers. */
PELTON_API uint64_t pelton_context_plan_count(const pelton_context *context);
/* Measures what |engine|'s device reaches at most, in some tenths of a second: a JSON array of name ("f32_fma",
   "f16_tensor", "read_l2", ...), unit, and the rates of one core (0: not measured) and of the whole device or all the
   engine's threads; reads have the bytes up to which the
   rate holds. Empty where the target measures nothing. Other work on the device meanwhile makes it too low. For
   pelton_text_release. */
PELTON_API pelton_status pelton_engine_peaks_json(pelton_engine *engine, char **out, pelton_diag *diag) PELTON_CHECKED;
/* Bytes that this context holds. */
PELTON_API uint64_t pelton_context_bytes(const pelton_context *context);

#ifdef __cplusplus
}
#endif
#endif
