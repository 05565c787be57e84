/* What an engine file holds, in memory: the optimised graph and its weights once, and for each device it was tuned for
   a record of decisions, the weights packed for them and the code compiled for it. Plans are caches, the graph is the
   truth: a record that no longer fits is ignored, never an error.

   The file (little-endian, offsets only, no pointers):
     header    magic "PELTON\x1a\n", format version, library version, file bytes, section count, checksum of header and
               section table
     sections  kind, offset, bytes, checksum; kinds: text table, graph, constants, records, packed, metadata, kernels
   Constants and packed weights lie at multiples of 4096 (the section) and 64 (each tensor) and are used in place from
   the map, as are compiled kernels, each at a multiple of 64. Checksums of the small sections are verified when an
   engine is opened; those of weights (which would have to be read whole) by pn_image_check_weights. Every offset, count and index is checked before use: the reader meets files
   of strangers. */
#ifndef PN_ENGINE_IMAGE_H
#define PN_ENGINE_IMAGE_H

#include "base/file.h"
#include "base/binary.h"
#include "ir/graph.h"

enum { PN_IMAGE_FORMAT_VERSION = 1, PN_DECISION_CONFIG_VALUES = 6 };

/* What plan/ decided for one group of nodes, in words that any version can read. */
typedef struct pn_decision {
  uint32_t first_node;          /* index of the group's first node in the graph's order */
  uint32_t node_count; /* a chain, each further node the single user of the former's first result, perhaps with nodes
                          in front of it that only it uses */
  pn_str in_layout, out_layout; /* layouts by name, of its activations of rank >= 3 */
  pn_str tactic;
  uint32_t version;
  int32_t config[PN_DECISION_CONFIG_VALUES];
} pn_decision;

typedef struct pn_decisions {
  PN_LIST(pn_decision) list;
} pn_decisions;

/* The decisions for one device and one set of input shapes. */
typedef struct pn_plan_record {
  pn_str target;      /* "cpu" */
  pn_str fingerprint; /* of the device */
  PN_LIST(pelton_shape) input_shapes;
  pn_decisions decisions;
} pn_plan_record;

/* Packed weights by a key that plan/ makes from what they were packed from and by whom. */
typedef struct pn_packed_entry {
  uint64_t key;
  const void *data; /* 64-byte aligned */
  size_t bytes;
} pn_packed_entry;

typedef struct pn_packed_store {
  pn_arena *arena;               /* of the list */
  PN_LIST(pn_packed_entry) list; /* in order of insertion while building; sorted by key in a read image */
} pn_packed_store;

/* Null when there is none of that key and size. */
const pn_packed_entry *pn_packed_find(const pn_packed_store *store, uint64_t key, size_t bytes);

typedef struct pn_metadata_entry {
  pn_str key, value; /* see PN_METADATA_ below */
} pn_metadata_entry;
#define PN_METADATA_TF32 "tf32" /* "1": products in f32 may be of 19 bits, as pelton_build_options.precision said */
#define PN_METADATA_ERROR_BOUND "error_bound" /* pelton_build_options.error_bound, when it was given */

typedef PN_LIST(pn_span) pn_constant_list;

typedef struct pn_image {
  pn_arena arena; /* holds everything but the mapped bytes */
  pn_file file;   /* mapped, or |owned|, or empty for an image that was just built */
  void *owned;    /* a copy of the caller's bytes when they were not aligned */
  bool borrowed;  /* |file| is the caller's memory: not to be unmapped */
  pn_graph *graph;
  PN_LIST(pn_plan_record) records;
  pn_packed_store packed;
  bool omit_packed;   /* when it is written: plans pack again */
  bool only_binaries; /* when it is written: nothing else */
  pn_binary_list binaries; /* of any number of devices */
  PN_LIST(pn_metadata_entry) metadata;
  pn_constant_list constants; /* of a read image: the tensors of the constants section, in its order */
} pn_image;

/* An image around |graph| as a build made it; the graph's memory must outlive it. Null when memory is out. */
pn_image *pn_image_create(const pelton_allocator *allocator, pn_graph *graph) PN_CHECKED;
void pn_image_release(pn_image *image); /* unmaps; null is fine */

pelton_status pn_image_write(const pn_image *image, const char *path, pelton_diag *diag) PN_CHECKED;
/* Maps and checks the file at |path|. A newer format is PELTON_UNSUPPORTED and says both versions and what to do;
   what is no engine, truncated or altered is PELTON_INVALID_DATA and names the section. */
pelton_status pn_image_open(const char *path, const pelton_allocator *allocator, pn_image **out,
                            pelton_diag *diag) PN_CHECKED;
/* The same from memory, borrowed when 64-byte aligned, else copied. */
pelton_status pn_image_open_memory(const void *data, size_t bytes, const pelton_allocator *allocator, pn_image **out,
                                   pelton_diag *diag) PN_CHECKED;
/* Compares the checksums of constants and packed weights: reads everything. */
pelton_status pn_image_check_weights(const pn_image *image, pelton_diag *diag) PN_CHECKED;

/* True when the first bytes say that this is an engine file, of whatever version. */
bool pn_image_is_engine(const void *data, size_t bytes);

/* The value of |key|; empty when there is none. */
pn_str pn_image_metadata(const pn_image *image, const char *key);

/* The sections, for `inspect`. */
typedef struct pn_section_info {
  const char *kind;
  uint64_t offset, bytes;
} pn_section_info;
uint32_t pn_image_sections(const pn_image *image, pn_section_info *out, uint32_t max);

#endif
