/* pelton/build.h: from a model to an engine.

     pelton_model *model;
     pelton_model_import("net.onnx", NULL, &model, &diag);       or build one node by node, see below
     pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
     pelton_engine *engine;
     pelton_engine_build(model, &options, &engine, &diag);
     pelton_engine_save(engine, "net.pelton", &diag);

   Not in the runtime-only library. Objects are not for two threads at once unless a comment says so. */
#ifndef PELTON_BUILD_H
#define PELTON_BUILD_H

#include "pelton/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A network that is not compiled yet: imported from a file or built by hand. */
typedef struct pelton_model pelton_model;

typedef struct pelton_import_options {
  uint32_t size;
  const pelton_allocator *allocator; /* must outlive the model */
  const pelton_log *log;
  /* Names of the model's constants that shall be inputs of the engine, which must then be given at each run. ONNX: the
     initializers that are inputs of the graph too, and which the file so allows to be replaced; all others, and those
     not named here, are constants, with which the engine is optimised. */
  const char *const *overrides;
  uint32_t override_count;
} pelton_import_options;
#define PELTON_IMPORT_OPTIONS_INIT {(uint32_t)sizeof(pelton_import_options), NULL, NULL, NULL, 0}

/* Reads the model file (or folder) at |path|, whatever its format. Weights stay in the mapped file, which must not
   change while the model, or an engine built from it, lives. Every unsupported node is listed in |diag|, not just the
   first. What the file says and Pelton does not heed, since it makes no difference or is not the operator's, is a
   warning: |options|->log gets each, and so does the build report. |options| may be null. */
PELTON_API pelton_status pelton_model_import(const char *path, const pelton_import_options *options,
                                             pelton_model **out, pelton_diag *diag) PELTON_CHECKED;
/* Whether the file at |path| is a model as its format's definition has it: names, versions, types, operators' attributes,
   stored tensors, and types that follow from one another. PELTON_INVALID_DATA, with every mistake in |diag|, when it is
   not. A valid model may hold operators that Pelton does not have. */
PELTON_API pelton_status pelton_model_check(const char *path, const pelton_import_options *options,
                                            pelton_diag *diag) PELTON_CHECKED;
/* What the model file at |path| says and what follows from it, as a JSON object: "format"; "values", each with the
   "name" it has in the file, its "type" ("tensor", "sequence", "optional", ...; null: not known), "dtype" and "shape" of
   numbers, names and nulls (null: of unknown rank), or "element" of sequences and optionals; "refused", the reasons why
   Pelton could not build it. For pelton_text_release. */
PELTON_API pelton_status pelton_model_describe(const char *path, const pelton_import_options *options, char **out,
                                               pelton_diag *diag) PELTON_CHECKED;
/* A model from Pelton's own text form (see docs/ir.md). */
PELTON_API pelton_status pelton_model_parse(const char *text, size_t bytes, const pelton_import_options *options,
                                            pelton_model **out, pelton_diag *diag) PELTON_CHECKED;
PELTON_API void pelton_model_release(pelton_model *model);

/* ---- a model by hand ------------------------------------------------------------------------------------------- */

/* A tensor of a model under construction. Value 0 is none: an absent optional operand. */
typedef uint32_t pelton_value;

PELTON_API pelton_status pelton_model_create(const char *name, const pelton_import_options *options,
                                             pelton_model **out, pelton_diag *diag) PELTON_CHECKED;
/* An input. |shape| is its dims as text: "1,3,224,224", "n,3,h,w" (names are dynamic), "" for a scalar. */
PELTON_API pelton_status pelton_model_add_input(pelton_model *model, const char *name, pelton_dtype dtype,
                                                const char *shape, pelton_value *out, pelton_diag *diag) PELTON_CHECKED;
/* A constant; the elements are copied. */
PELTON_API pelton_status pelton_model_add_constant(pelton_model *model, const char *name, const pelton_tensor *tensor,
                                                   pelton_value *out, pelton_diag *diag) PELTON_CHECKED;
/* A node: |op| and |attributes| as `pelton ops` and docs/ops.md spell them, e.g. "conv" with
   "strides=[2,2] pads=[3,3,3,3]"; "pointwise" with "expr=\"relu(x0)\"". Types are inferred at once: a wrong shape is
   an error here, naming the node. |outputs| receives |output_count| values. */
PELTON_API pelton_status pelton_model_add_node(pelton_model *model, const char *op, const char *attributes,
                                               const char *name, const pelton_value *inputs, uint32_t input_count,
                                               pelton_value *outputs, uint32_t output_count,
                                               pelton_diag *diag) PELTON_CHECKED;
PELTON_API pelton_status pelton_model_add_output(pelton_model *model, pelton_value value, const char *name,
                                                 pelton_diag *diag) PELTON_CHECKED;

/* The model as text, NUL-terminated, to be given to pelton_text_release. Constants larger than |max_constant_bytes|
   are abbreviated (such a text cannot be parsed again); 0 prints all. */
PELTON_API pelton_status pelton_model_print(const pelton_model *model, size_t max_constant_bytes, char **out,
                                            pelton_diag *diag) PELTON_CHECKED;

/* ---- compiling -------------------------------------------------------------------------------------------------- */

/* The shapes of one input that the engine is to be ready for. Dims not given here stay as the model says. */
typedef struct pelton_input_profile {
  const char *name;
  pelton_shape min, opt, max; /* |opt| is planned and tuned; rank 0 in min and max: as opt */
} pelton_input_profile;

/* What the elements of an f32 input may be. */
typedef struct pelton_input_range {
  const char *name;
  double lo, hi;
} pelton_input_range;

typedef struct pelton_build_options {
  uint32_t size;
  const char *targets;          /* "cpu" (null) or "cuda": what it is tuned for; it runs on the others too */
  /* Types that layers in f32 may be converted to where that is safe: "fp32" (null) none, or some of "fp16", "bf16" and
     "tf32", separated by commas; "best": what the target computes fastest. See docs/precision.md. */
  const char *precision;
  const char *cpu_isa;          /* null: the machine's; "portable", "avx2", "avx512", ... */
  uint32_t threads;             /* to tune for; 0: all */
  int32_t level;                /* 0: no timing, 1 (default) .. 5 */
  /* For timing, with the compiling that is for timing alone, which takes half of it at most; 0: no limit. The two most
     promising tactics of each step come first. What is left out when it is spent is chosen by estimate, which the log
     and the report tell. */
  double budget_seconds;
  const pelton_input_profile *profiles;
  uint32_t profile_count;
  const char *timing_cache;     /* a text file, read and extended; null: none */
  uint32_t no_passes;           /* 1: compile the graph as imported (for comparisons) */
  const pelton_allocator *allocator; /* must outlive the engine */
  const pelton_log *log;
  /* Called from time to time with what is done, 0 to 1; returning nonzero asks the build to stop. */
  int (*progress)(void *self, double done, const char *what);
  void *progress_self;
  uint32_t omit_packed;         /* 1: save the engine without weights packed for this machine: about the model's size
                                   instead of twice that and more, but whoever opens it packs them at the first run */
  const char *device_libraries; /* as in pelton_run_options */
  uint32_t device_index;
  /* How far a convolution in f32 by an algorithm with fewer multiplications (Winograd's) may be off: its largest error
     on normal random data, relative to its largest result, 0 to 1; 0: 3e-5. The direct sum is off by some 1e-6, so that
     below 1e-7 only direct sums are left. Kept in the engine. */
  double error_bound;
  /* Evidence for |precision|: bounds of inputs, from which bounds of values are proven; and sample inputs, run in f32 to
     see how large values become: sample_count times the inputs' tensors, in host memory, of the shapes that are planned.
     Without samples some random inputs are drawn. */
  const pelton_input_range *ranges;
  uint32_t range_count;
  uint32_t sample_count;
  const pelton_tensor *samples;
  /* "GLOB=fp32,GLOB=fp16,...": the type of the nodes, by their names or their sources', that the first fitting pattern
     says, whatever the evidence; '*' stands for anything. */
  const char *layer_precision;
  uint32_t strict; /* 1: a layer that |precision| is asked for, and that had to stay in f32, fails the build; so does one
                      for which random inputs are the only evidence */
  uint32_t only_kernels;        /* 1: what is saved is compiled kernels, also those that were only timed, and no
                                   network: for Pelton's own build */
  /* What the steps may read of constants, in the forms that they are packed into; 0: no limit. Fast convolutions pack
     filters into several times their bytes: where the limit is not held, those go first that gain the least time a
     byte. A limit that no choice holds is an error that says what can be held. The report has each step's bytes. */
  uint64_t weight_limit_bytes;
} pelton_build_options;
#define PELTON_BUILD_OPTIONS_INIT                                                                                     \
  {(uint32_t)sizeof(pelton_build_options), NULL, NULL, NULL, 0, 1, 0.0, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, 0, \
   NULL, 0, 0.0, NULL, 0, 0, NULL, NULL, 0, 0, 0}

/* Compiles |model| (which is not changed and may be released afterwards; its mapped files stay open as long as the
   engine needs them). Dynamic inputs without a profile are planned when a context first meets their shapes. */
PELTON_API pelton_status pelton_engine_build(const pelton_model *model, const pelton_build_options *options,
                                             pelton_engine **out, pelton_diag *diag) PELTON_CHECKED;
/* Writes the engine as one file, whole or not at all. */
PELTON_API pelton_status pelton_engine_save(const pelton_engine *engine, const char *path,
                                            pelton_diag *diag) PELTON_CHECKED;
/* The build report as JSON: warnings of the import, passes and what they changed, groups, tactics with times and the refusals of others,
   fallbacks, what the host runs, memory. Lives as long as the engine; "" for an engine that was opened. */
PELTON_API const char *pelton_engine_report(const pelton_engine *engine);

/* ---- what there is ---------------------------------------------------------------------------------------------- */

/* The operators as a JSON array: name, operands, attributes with types and defaults, the types that its data may have,
   targets, for each target and type the tactics besides the reference, and a sample as text. For
   pelton_text_release. */
PELTON_API pelton_status pelton_ops_json(char **out, pelton_diag *diag) PELTON_CHECKED;
/* The ONNX operators that are imported as a JSON array: name, domain, first and last version of the operator set (0:
   the newest). An operator has several rows where its versions differ. For pelton_text_release. */
PELTON_API pelton_status pelton_onnx_ops_json(char **out, pelton_diag *diag) PELTON_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
