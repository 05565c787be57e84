/* Protocol buffers, read in place from a mapped file.

   A message is described once, by a table of rows (number, name, kind, place in a C struct), and one function parses
   any message by its table: strings and bytes become views into the file, nested messages become structs in the arena,
   unknown fields are skipped. The table's names make the path in every complaint:

     graph.node[3].attribute[0].ints: varint runs past the end of its message at byte 1234

   Long lists of numbers (a tensor's typed data) need not be decoded with the rest: a row of kind PN_PB_LAZY keeps only
   where they lie, and pn_pb_lazy_* count and decode them when somebody asks.

   All offsets are 64 bits wide, so that models beyond 2 GB are read like any other. Groups (wire types 3 and 4) are
   refused: no format that is read here has them. */
#ifndef PN_IMPORT_WIRE_PROTOBUF_H
#define PN_IMPORT_WIRE_PROTOBUF_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/str.h"

/* Messages nested deeper are refused, as protobuf's own readers do: whatever they can read is read here. */
enum { PN_PB_MAX_DEPTH = 100 };

typedef enum pn_pb_kind {
  PN_PB_STR,     /* pn_str: string. Present when data is not null */
  PN_PB_SPAN,    /* pn_span: bytes. Present when data is not null */
  PN_PB_I64,     /* int64_t: int64, uint64 (its bits) */
  PN_PB_I32,     /* int32_t: int32, enum; the low 32 bits of the varint, as protobuf has it */
  PN_PB_BOOL,    /* bool */
  PN_PB_F32,     /* float */
  PN_PB_F64,     /* double */
  PN_PB_MESSAGE, /* a pointer to the message's struct, null when absent */
  PN_PB_LAZY     /* pn_pb_lazy: a repeated number that is decoded later; its row names the numbers' kind in |lazy| */
} pn_pb_kind;

/* One field of a message. With |repeated| the struct holds a PN_LIST of the kind's type (of the struct itself for
   messages); numbers are then accepted packed and unpacked. */
typedef struct pn_pb_field {
  uint32_t number;
  const char *name;
  pn_pb_kind kind;
  bool repeated;
  pn_pb_kind lazy;                     /* PN_PB_LAZY: PN_PB_I64, _I32, _F32 or _F64 */
  size_t offset;                       /* of the member in the struct */
  size_t has_offset;                   /* of a bool that says whether a number was given; 0: none */
  const struct pn_pb_message *message; /* PN_PB_MESSAGE */
} pn_pb_field;

typedef struct pn_pb_message {
  size_t bytes; /* of the struct */
  const pn_pb_field *fields;
  uint32_t field_count;
} pn_pb_message;

/* Rows for the tables: PN_PB_ONE(3, "name", PN_PB_STR, pn_onnx_node, name). */
#define PN_PB_ONE(number, name, kind, type, member)                                                                    \
  { number, name, kind, false, kind, offsetof(type, member), 0, NULL }
#define PN_PB_HAS(number, name, kind, type, member, has)                                                               \
  { number, name, kind, false, kind, offsetof(type, member), offsetof(type, has), NULL }
#define PN_PB_MANY(number, name, kind, type, member)                                                                   \
  { number, name, kind, true, kind, offsetof(type, member), 0, NULL }
#define PN_PB_SUB(number, name, type, member, table)                                                                   \
  { number, name, PN_PB_MESSAGE, false, PN_PB_MESSAGE, offsetof(type, member), 0, &(table) }
#define PN_PB_SUBS(number, name, type, member, table)                                                                  \
  { number, name, PN_PB_MESSAGE, true, PN_PB_MESSAGE, offsetof(type, member), 0, &(table) }
#define PN_PB_LATER(number, name, numbers, type, member)                                                               \
  { number, name, PN_PB_LAZY, true, numbers, offsetof(type, member), 0, NULL }
/* The table |name| of struct |type| over the array |rows|. */
#define PN_PB_TABLE(name, type, rows) const pn_pb_message name = {sizeof(type), rows, (uint32_t)PN_COUNT(rows)}

/* Parses |bytes| as |message| into |out|, a zeroed struct, with lists and nested messages in |arena|. Views point into
   |bytes|, which must outlive them. A singular message or list that occurs again is merged, as protobuf defines.
   PELTON_INVALID_DATA with path and byte offset when the bytes are broken. */
pelton_status pn_pb_parse(const pn_pb_message *message, pn_span bytes, pn_arena *arena, void *out,
                          pelton_diag *diag) PN_CHECKED;

/* ---- numbers left in the file ---------------------------------------------------------------------------------- */

typedef struct pn_pb_lazy {
  pn_span region;           /* from the field's first tag to its last value; other fields may lie between */
  const pn_pb_field *field; /* null: the field does not occur */
} pn_pb_lazy;

/* How many numbers there are. Complaints name the field, not its path: the caller knows better what it reads. */
pelton_status pn_pb_lazy_count(const pn_pb_lazy *lazy, uint64_t *out, pelton_diag *diag) PN_CHECKED;

/* The bytes of all the numbers when they lie together as fixed-width values (one packed run of floats or doubles), so
   that they can be used in place. False otherwise. */
bool pn_pb_lazy_view(const pn_pb_lazy *lazy, pn_span *out);

/* Decodes to |element_bytes| (1, 2, 4 or 8; of floats and doubles exactly their own) little-endian bytes a number.
   |count| is pn_pb_lazy_count's; |out| has room for count * element_bytes. A number that does not fit, taken as signed
   or as unsigned, is PELTON_INVALID_DATA. */
pelton_status pn_pb_lazy_decode(const pn_pb_lazy *lazy, size_t element_bytes, uint64_t count, void *out,
                                pelton_diag *diag) PN_CHECKED;

#endif
