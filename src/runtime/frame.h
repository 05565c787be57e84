/* A frame: one graph being run by one context. The root graph has one, and each subgraph of if, loop and scan its own.

   The nodes are run in segments. A segment is a run of nodes whose shapes all follow from what is known when it starts;
   it is planned once for each set of shapes and then only executed. It ends before a node that the runtime itself runs
   (control flow, texts, sequences), before one whose shape needs numbers that are computed in the segment, and at one
   whose results have a size that only the run tells: before it, or behind it where the target has a tactic that counts.
   A network of static shapes is a single segment. */
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
  pn_counted counted; /* of its last node, when only the run tells the size of that one's results */
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

/* Where device memory is the host's, everything is on the host. */
typedef enum pn_side { PN_ON_HOST, PN_ON_DEVICE, PN_SIDES } pn_side;

/* Memory that is replaced by a larger piece when more is wanted. */
typedef struct pn_room {
  void *memory;
  size_t capacity;
} pn_room;

/* Memory of the frame for one value. Where device memory is not the host's, a value may be here, there, or both:
   values[v].data is the host's copy unless |stale|, and then merely says that the value is present. */
typedef struct pn_slot {
  pn_room room[PN_SIDES];
  void *there; /* the value on the device: in its room, or in other memory that holds it as long; null: not there */
  bool stale;  /* only the device has it */
  /* Of a subgraph's input that is a value of another frame, or a constant: whose it is, and who moves it for all. */
  struct pn_frame *owner; /* null: nobody's */
  pn_value_id owned;
} pn_slot;

typedef struct pn_step_time {
  const pn_plan_step *step; /* null: |node|, which the host ran */
  const pn_node *node;
  double seconds, bytes; /* bytes of operands and results, of |node| */
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
  bool started;
  pn_side side; /* that of the first slice; the others are brought there */
  pn_room room[PN_SIDES]; /* slices one after another, as they came; kept from run to run */
  size_t slice_bytes, used;
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
  pn_sink **sinks;            /* by output: where it is wanted; null: anywhere */
  pn_gathered *gathered;      /* by output, of a loop's body */
  pn_room (*spare)[PN_SIDES]; /* by input, of a loop's body: for what is carried and cannot be exchanged */
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

/* Runs the graph of a child frame, whose inputs are values already; its outputs are values then, wherever they are. */
pelton_status pn_frame_run_nodes(pn_frame *frame, pelton_diag *diag) PN_CHECKED;

/* Memory of at least |bytes| in |room|, for |what|. What was in it is lost when it grows. */
pelton_status pn_room_reserve(pn_machine *machine, pn_room *room, pn_side side, size_t bytes, const char *what,
                              void **out, pelton_diag *diag) PN_CHECKED;
void pn_room_release(pn_machine *machine, pn_room *room, pn_side side);
/* The same of value |v|, on the host. */
void *pn_frame_slot(pn_frame *frame, pn_value_id v, size_t bytes) PN_CHECKED;
/* Sets t->data to where |v| shall be computed, whose type and shape |t| has: its sink, or its slot. */
pelton_status pn_frame_place(pn_frame *frame, pn_value_id v, pn_tensor *t, pelton_diag *diag) PN_CHECKED;
/* Makes |t|, in host memory, the value |v|. */
PN_INLINE void pn_frame_set(pn_frame *frame, pn_value_id v, const pn_tensor *t) {
  frame->values[v.v] = *t;
  frame->slots[v.v].there = NULL;
  frame->slots[v.v].stale = false;
  frame->slots[v.v].owner = NULL;
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
/* Brings value |v| to the host when only the device has it, and to the device when only the host does. */
pelton_status pn_frame_fetch(pn_frame *frame, pn_value_id v, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_lift(pn_frame *frame, pn_value_id v, pelton_diag *diag) PN_CHECKED;
/* The value |v| where it is on |side|; null: it is not there. */
PN_INLINE void *pn_frame_at(const pn_frame *frame, pn_value_id v, pn_side side) {
  const pn_slot *slot = &frame->slots[v.v];
  return side == PN_ON_DEVICE ? slot->there : slot->stale ? NULL : frame->values[v.v].data;
}
/* Copies |rows| pieces of |bytes| bytes, which begin |to_pitch| and |from_pitch| bytes apart, on one side. */
pelton_status pn_machine_copy(pn_machine *machine, pn_side side, void *to, size_t to_pitch, const void *from,
                              size_t from_pitch, size_t bytes, size_t rows, pelton_diag *diag) PN_CHECKED;
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

/* around.c: values into a subgraph, around a loop and out of it. They stay where they are. */
/* Makes input |to| of |child| the value |v| of |frame|, which stays as it is until the child has run; absent when |v|
   is none. */
void pn_frame_pass(pn_frame *child, pn_value_id to, pn_frame *frame, pn_value_id v);
/* Makes |v| of |frame| what |from| of |child| is. */
void pn_frame_give(pn_frame *frame, pn_value_id v, const pn_frame *child, pn_value_id from);
/* Makes inputs first_in ... of a loop's body what its outputs first_out ... are, |count| of them. */
pelton_status pn_frame_carry(pn_frame *child, uint32_t first_in, uint32_t first_out, uint32_t count,
                             pelton_diag *diag) PN_CHECKED;
/* Appends output |index| of a loop's body to what was gathered of it; |expected| slices come, if so many are known. */
pelton_status pn_frame_gather(pn_frame *child, uint32_t index, int64_t expected, pelton_diag *diag) PN_CHECKED;
/* Makes |v| of |frame| the |count| slices gathered of output |index|, as one tensor along |axis|. */
pelton_status pn_frame_gathered(pn_frame *frame, pn_value_id v, pn_frame *child, uint32_t index, int64_t count,
                                int64_t axis, bool reversed, pelton_diag *diag) PN_CHECKED;
/* Makes input |to| of |child| slice |t| along |axis| of value |v| of |frame|, on the sides on which the slice before,
   when there was one, was wanted. */
pelton_status pn_frame_slice(pn_frame *child, pn_value_id to, pn_frame *frame, pn_value_id v, int64_t axis, int64_t t,
                             bool first, pelton_diag *diag) PN_CHECKED;

/* counted.c: nodes whose results have a size that only the run tells, on targets that count it. Whether |node| may be
   one of them; whether the segment may go on to the one at its end; and whether |v| is a result of it. */
bool pn_frame_may_count(const pn_frame *frame, uint32_t node);
pelton_status pn_segment_end_counted(const pn_frame *frame, pn_segment *segment, pn_facts *facts, pn_arena *arena,
                                     pelton_diag *diag) PN_CHECKED;
bool pn_segment_counts(const pn_frame *frame, const pn_segment *segment, pn_value_id v);
/* Waits for the segment's count, and gives its results their shapes. */
pelton_status pn_frame_learn_count(pn_frame *frame, const pn_segment *segment, pelton_diag *diag) PN_CHECKED;

/* control.c and host_op.c: nodes that the runtime runs itself. */
bool pn_is_host_op(const pn_node *node);
pelton_status pn_frame_run_if(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_loop(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_scan(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;
pelton_status pn_frame_run_reference(pn_frame *frame, uint32_t node, pelton_diag *diag) PN_CHECKED;

#endif
