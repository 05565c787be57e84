/* A frame: one graph being run by one context. The root graph has one, and each subgraph of if, loop and scan its own.

   The nodes are run in segments. A segment is a run of nodes whose shapes all follow from what is known when it starts;
   it is planned once for each set of shapes and then only executed. It ends before a node that the runtime itself runs
   (control flow, results whose shape depends on data) and before one whose shape needs numbers that are computed in the
   segment. A network of static shapes is a single segment. */
#ifndef PN_RUNTIME_FRAME_H
#define PN_RUNTIME_FRAME_H

#include "runtime/engine.h"
#include "runtime/sink.h"

enum { PN_SLOT_SPARE = 64 };     /* bytes beyond each value's and beyond the arena, which whole vectors may touch */
enum { PN_FRAME_SEGMENTS = 64 };    /* planned segments a frame remembers; the least recently used goes */
enum { PN_SEGMENT_RECORDINGS = 4 }; /* recordings of a segment, at as many sets of addresses; likewise */

/* A segment's steps at one set of addresses. */
typedef struct pn_recorded {
  pn_recording *recording; /* null: not yet */
  const void **addresses;  /* arena, inputs, outputs */
  uint64_t runs;           /* at these addresses; 0: none, the entry is free */
  uint64_t last_used;
} pn_recorded;

typedef struct pn_segment {
  uint64_t key;
  bool with_contents; /* planned on the contents of some operands, which |key| covers */
  uint64_t last_used;
  uint32_t first_node, end_node;
  pn_plan *plan;
  uint32_t first_number; /* of its steps: pn_step.number */
  pn_arena arena; /* lists below */
  const pn_value_id *inputs, *outputs;
  const void *const *contents; /* by input: on which contents it was planned; null: on none */
  const pn_value_id *absent; /* optional results that these shapes leave out: nobody may see an earlier run's */
  uint32_t input_count, output_count, absent_count;
  struct pn_segment *next; /* in the machine's list of retired ones */
  /* Where device memory is not the host's, see residence.c. */
  const uint8_t *reads_input; /* by input: whether a step reads it */
  PN_LIST(void *) owned;      /* device copies of constants that are the plan's own */
  pn_recorded recorded[PN_SEGMENT_RECORDINGS];
  pn_recorded *current; /* that of the run at hand; null: none, steps are run one by one */
  bool recordable;
} pn_segment;

/* What a segment that starts at some node finds: values from before that it or a later node uses. */
typedef struct pn_live {
  const pn_value_id *values;
  bool *steers; /* by value: shapes followed from its contents at some time, so that plans are keyed on them */
  uint32_t count;
  bool listed;
} pn_live;

/* Memory of the frame for one value. Where device memory is not the host's, a value may be here, there, or both:
   values[v].data is the host's copy unless |stale|, and then merely says that the value is present. */
typedef struct pn_slot {
  void *memory;
  size_t capacity;
  void *device;
  size_t device_capacity;
  void *there; /* the value on the device: |device|, or the caller's memory; null: not there */
  bool stale;  /* only the device has it */
} pn_slot;

typedef struct pn_step_time {
  const pn_plan_step *step;
  double seconds;
} pn_step_time;

/* What the frames of a context share. */
typedef struct pn_machine {
  pelton_engine *engine;
  pn_stream *stream;
  void *arena; /* activations and workspace of the segment that runs */
  size_t arena_bytes;
  pn_arena scratch; /* of host operators and inference */
  pn_arena lasting; /* what results of this run point at (texts, boxes): emptied when the root graph runs again */
  uint64_t clock;
  uint64_t plans_made;
  uint32_t steps_numbered;
  bool profile;
  bool measuring; /* plans are only looked at: nothing is put on the device */
  pn_arena profile_arena;
  PN_LIST(pn_step_time) times;
  pn_segment *retired; /* segments that went while |times| speaks of their steps */
  uint64_t bytes;
} pn_machine;

/* A result of a loop that grows by one slice an iteration. */
typedef struct pn_gathered {
  pn_tensor whole; /* dtype and dims of a slice */
  char *memory;    /* slices one after another, as they came; kept from run to run */
  size_t slice_bytes, used, capacity;
} pn_gathered;

typedef struct pn_frame {
  pn_machine *machine;
  const pn_graph *graph;
  pn_arena arena;             /* lives as long as the frame */
  pn_tensor *values;          /* by value id: data null until known */
  pn_slot *slots;             /* by value id */
  uint32_t *last_use;         /* by value id: the last node that uses it; nodes.count when it is an output */
  uint32_t *output_index;     /* by value id: which output it is, UINT32_MAX: none */
  pn_live *live;              /* by node id; listed when a segment first starts there */
  pn_tensor *in, *out;        /* of a subgraph: what the node that runs it hands over */
  pn_sink **sinks;            /* by output: where it is wanted; null: anywhere */
  pn_gathered *gathered;      /* by output, of a loop's body */
  struct pn_frame **children; /* by node id * 2 + which subgraph; made when first run */
  pn_segment *segments[PN_FRAME_SEGMENTS];
  uint32_t segment_count;
  void **pointers; /* scratch for steps' operands */
  uint32_t pointer_count;
} pn_frame;

pelton_status pn_frame_create(pn_machine *machine, const pn_graph *graph, pn_frame **out, pelton_diag *diag) PN_CHECKED;
void pn_frame_release(pn_frame *frame);

/* Runs the graph. |inputs| are dense and plain. |outputs| tell where results are: in their sinks where a step could
   write there, else in memory of the frame, valid until its next run. */
pelton_status pn_frame_run(pn_frame *frame, const pn_tensor *inputs, pn_tensor *outputs, pelton_diag *diag) PN_CHECKED;

/* The plan of the whole graph for inputs of these types and shapes, whose contents are zeros; |*out| lives as long as
   the frame. PELTON_UNSUPPORTED when shapes depend on data. */
pelton_status pn_frame_plan(pn_frame *frame, const pn_tensor *inputs, const pn_plan **out,
                            pelton_diag *diag) PN_CHECKED;
/* Puts the whole graph, on the callers' device memory, into |stream|; outputs only tell types and shapes. */
pelton_status pn_frame_enqueue(pn_frame *frame, const pn_tensor *inputs, pn_tensor *outputs, void *stream,
                               pelton_diag *diag) PN_CHECKED;
/* The step with this number, in this frame or one below; null: its plan is gone. */
const pn_plan_step *pn_frame_find_step(const pn_frame *frame, uint32_t number);
/* Forgets what was timed, and lets the segments go that were kept for it. */
void pn_machine_forget_times(pn_machine *machine);

/* Memory of at least |bytes| for value |v|. */
void *pn_frame_slot(pn_frame *frame, pn_value_id v, size_t bytes) PN_CHECKED;
/* Sets t->data to where |v| shall be computed, whose type and shape |t| has: its sink, or its slot. */
pelton_status pn_frame_place(pn_frame *frame, pn_value_id v, pn_tensor *t, pelton_diag *diag) PN_CHECKED;
/* Makes |t|, in host memory, the value |v|. */
PN_INLINE void pn_frame_set(pn_frame *frame, pn_value_id v, const pn_tensor *t) {
  frame->values[v.v] = *t;
  frame->slots[v.v].there = NULL;
  frame->slots[v.v].stale = false;
}
/* The child frame of |node| for its subgraph |which|. */
pelton_status pn_frame_child(pn_frame *frame, uint32_t node, uint32_t which, const pn_graph *graph, pn_frame **out,
                             pelton_diag *diag) PN_CHECKED;

/* residence.c: values and constants where device memory is not the host's. Nothing to do where it is. */
PN_INLINE bool pn_frame_is_host(const pn_frame *frame) { return frame->machine->engine->target->host_memory; }
/* Gives a fresh plan's steps their constants and packed weights on the device. */
pelton_status pn_segment_settle(pn_frame *frame, pn_segment *segment, pelton_diag *diag) PN_CHECKED;
void pn_segment_unsettle(pn_segment *segment, pelton_engine *engine);
/* Takes the callers' |inputs| as values: in host memory, or on the device when they lie there. */
pelton_status pn_frame_take_inputs(pn_frame *frame, const pn_tensor *inputs, pelton_diag *diag) PN_CHECKED;
/* Brings value |v| to the host when only the device has it. */
pelton_status pn_frame_fetch(pn_frame *frame, pn_value_id v, pelton_diag *diag) PN_CHECKED;
/* Uploads what the steps read, and gives every result memory on the device: the caller's where it lies there. */
pelton_status pn_frame_bind_device(pn_frame *frame, const pn_segment *segment, pelton_diag *diag) PN_CHECKED;
/* Results that no step wrote in place, after the steps. */
pelton_status pn_frame_finish_device(pn_frame *frame, const pn_segment *segment, pelton_diag *diag) PN_CHECKED;
/* Waits for the device and hands the results over. */
pelton_status pn_frame_collect_device(pn_frame *frame, pn_tensor *outputs, pelton_diag *diag) PN_CHECKED;
/* The graph's only |segment| in the caller's |stream|, or the reason why that cannot be. */
pelton_status pn_frame_enqueue_device(pn_frame *frame, pn_segment *segment, pn_tensor *outputs, void *stream,
                                      pelton_diag *diag) PN_CHECKED;
/* Whether |sink| has memory of the engine's device, which the host cannot read. An error when it is another's. */
pelton_status pn_frame_find_sink(const pn_frame *frame, const pn_sink *sink, bool *out, pelton_diag *diag) PN_CHECKED;
/* steps.c: where |place| is at run time. */
void *pn_frame_locate(const pn_frame *frame, const pn_segment *segment, const pn_place *place);
/* A bound segment's steps one by one. */
pelton_status pn_segment_run(pn_frame *frame, const pn_segment *segment, pelton_diag *diag) PN_CHECKED;
/* On a device: makes the recording for this run's addresses, when it is time to; and plays it, or runs the steps. */
bool pn_segment_reserve_recordings(pn_segment *segment);
pelton_status pn_segment_record(pn_frame *frame, pn_segment *segment, pelton_diag *diag) PN_CHECKED;
pelton_status pn_segment_play(pn_frame *frame, pn_segment *segment, pelton_diag *diag) PN_CHECKED;
void pn_segment_forget_recordings(pn_segment *segment, const pelton_engine *engine);

/* control.c and host_op.c: nodes that the runtime runs itself. */
bool pn_is_host_op(const pn_node *node);
pelton_status pn_frame_run_if(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_loop(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_scan(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_reference(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;

#endif
