/* pelton/base.h: what every other public header needs.

   Version, status codes, the diagnostic sink that collects reasons, the caller's allocator and log, data types and
   shapes. Clean as C99 and C++11. Nothing here allocates. */
#ifndef PELTON_BASE_H
#define PELTON_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PELTON_API __attribute__((visibility("default")))
#define PELTON_CHECKED __attribute__((warn_unused_result))
#else
#define PELTON_API
#define PELTON_CHECKED
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PELTON_VERSION_MAJOR 0
#define PELTON_VERSION_MINOR 1
#define PELTON_VERSION_PATCH 0
#define PELTON_VERSION_STRING "0.1.0"

/* The version of the library at run time, e.g. "0.1.0". Static storage. */
PELTON_API const char *pelton_version(void);

/* ---- status ---------------------------------------------------------------------------------------------------- */

/* What a call came to. The reason, with names and values, is in the pelton_diag that the caller passed. */
typedef enum pelton_status {
  PELTON_OK = 0,
  PELTON_INVALID_ARGUMENT = 1, /* the call is wrong: a null pointer, an unknown name, a shape that does not fit */
  PELTON_INVALID_DATA = 2,     /* a file or a buffer is not what it should be: broken, truncated, hostile */
  PELTON_UNSUPPORTED = 3,      /* understood, but Pelton cannot do it; every reason is listed */
  PELTON_OUT_OF_MEMORY = 4,    /* the allocator returned null */
  PELTON_IO_ERROR = 5,         /* the operating system refused: open, read, write, map */
  PELTON_DEVICE_ERROR = 6,     /* a device is missing, lost or failed */
  PELTON_INTERNAL = 7,         /* a bug in Pelton: please report it with the diagnostic */
  PELTON_BUSY = 8,             /* as much work waits as may: try again when some of it is done */
  PELTON_CANCELLED = 9         /* given up before it began, because its server was stopped */
} pelton_status;

/* The name of |status|, e.g. "invalid data". Static storage; never null. */
PELTON_API const char *pelton_status_name(pelton_status status);

/* ---- diagnostics ----------------------------------------------------------------------------------------------- */

enum { PELTON_DIAG_ENTRIES = 64, PELTON_DIAG_TEXT_BYTES = 16384 };

/* A fixed-size sink for reasons, owned by the caller (stack or heap): several entries, because one call may have
   several things to say (an importer lists every unsupported node at once), and no allocation, so that it works when
   memory is out. Start with PELTON_DIAG_INIT. Every function that takes a pelton_diag accepts null. */
typedef struct pelton_diag {
  uint32_t size;    /* sizeof(pelton_diag) */
  uint32_t count;   /* entries held */
  uint32_t dropped; /* entries that found no room */
  uint32_t used_bytes;
  uint32_t offset[PELTON_DIAG_ENTRIES]; /* of each entry's text in |text| */
  uint8_t status[PELTON_DIAG_ENTRIES];  /* pelton_status of each entry */
  char text[PELTON_DIAG_TEXT_BYTES];    /* NUL-terminated messages, one after another */
} pelton_diag;

/* Empties |diag|. Must be called once before its first use; PELTON_DIAG_INIT in a declaration does the same. */
PELTON_API void pelton_diag_init(pelton_diag *diag);
#define PELTON_DIAG_INIT {(uint32_t)sizeof(pelton_diag), 0, 0, 0, {0}, {0}, {0}}

/* The text of entry |index|, or "" when there is none. Lives as long as |diag|. */
PELTON_API const char *pelton_diag_message(const pelton_diag *diag, uint32_t index);

/* ---- memory and log -------------------------------------------------------------------------------------------- */

/* All memory of the library comes from here. |alloc| returns |bytes| bytes aligned to |align| (a power of two), or
   null; |release| takes what |alloc| gave, or null. Both may be called from several threads at once. A null
   pelton_allocator pointer in any options means malloc and free. */
typedef struct pelton_allocator {
  void *self;
  void *(*alloc)(void *self, size_t bytes, size_t align);
  void (*release)(void *self, void *pointer);
} pelton_allocator;

typedef enum pelton_log_level { PELTON_LOG_DEBUG = 0, PELTON_LOG_INFO = 1, PELTON_LOG_WARNING = 2 } pelton_log_level;

/* Receives messages of the library, which itself never prints. |write| may be null: messages are dropped. */
typedef struct pelton_log {
  void *self;
  void (*write)(void *self, pelton_log_level level, const char *message);
} pelton_log;

/* ---- data types and shapes ------------------------------------------------------------------------------------- */

/* Element types. Values are stored in engines only by name, but are part of the ABI: never renumber.

   Every element takes whole bytes, those of 4 and 2 bits too: one byte each, in tensors as in engine files, with the
   value in the low bits and integers sign-extended. Files that pack them are unpacked when they are read; a byte whose
   other bits are not so reads as the value in its low bits. */
typedef enum pelton_dtype {
  PELTON_DTYPE_NONE = 0,
  PELTON_DTYPE_F32 = 1,
  PELTON_DTYPE_F16 = 2,
  PELTON_DTYPE_BF16 = 3,
  PELTON_DTYPE_F64 = 4,
  PELTON_DTYPE_I8 = 5,
  PELTON_DTYPE_U8 = 6,
  PELTON_DTYPE_I16 = 7,
  PELTON_DTYPE_U16 = 8,
  PELTON_DTYPE_I32 = 9,
  PELTON_DTYPE_U32 = 10,
  PELTON_DTYPE_I64 = 11,
  PELTON_DTYPE_U64 = 12,
  PELTON_DTYPE_BOOL = 13, /* one byte, 0 or 1 */
  PELTON_DTYPE_F8E4M3FN = 14,   /* up to 448; NaN, no infinity */
  PELTON_DTYPE_F8E4M3FNUZ = 15, /* up to 240; NaN, no infinity, no -0 */
  PELTON_DTYPE_F8E5M2 = 16,     /* up to 57344; NaN and infinity */
  PELTON_DTYPE_F8E5M2FNUZ = 17, /* up to 57344; NaN, no infinity, no -0 */
  PELTON_DTYPE_F8E8M0 = 18,     /* 2^-127 to 2^127 and NaN: powers of two, for scales */
  PELTON_DTYPE_F4E2M1 = 19,     /* 0 0.5 1 1.5 2 3 4 6, with a sign */
  PELTON_DTYPE_I4 = 20,
  PELTON_DTYPE_U4 = 21,
  PELTON_DTYPE_I2 = 22,
  PELTON_DTYPE_U2 = 23,
  PELTON_DTYPE_STRING = 24, /* texts: elements are pelton_string */
  PELTON_DTYPE_TENSOR = 25, /* sequences and optionals: elements are const pelton_tensor *, see pelton_tensor */
  PELTON_DTYPE_COUNT = 26
} pelton_dtype;

/* An element of PELTON_DTYPE_STRING: |bytes| bytes at |data|, by convention UTF-8, not NUL-terminated. An empty text may
   have |data| null. The bytes belong to whoever made the tensor: of inputs to the caller, who keeps them until the run
   has ended; of outputs to the context, until its next run, also where the elements were written to the caller's
   memory. */
typedef struct pelton_string {
  const char *data;
  uint64_t bytes;
} pelton_string;

/* "f32", "i64", "bool", ...; "?" for a value that is no type. Static storage. */
PELTON_API const char *pelton_dtype_name(pelton_dtype dtype);
/* Bytes of one element; 0 for PELTON_DTYPE_NONE. */
PELTON_API size_t pelton_dtype_bytes(pelton_dtype dtype);

enum { PELTON_MAX_RANK = 8 };

/* A concrete shape. |rank| 0 is a scalar with one element. */
typedef struct pelton_shape {
  uint32_t rank;
  int64_t dims[PELTON_MAX_RANK];
} pelton_shape;

/* A dense row-major tensor in host memory, borrowed from whoever made it.

   A sequence is a tensor of rank 1 of PELTON_DTYPE_TENSOR: |data| is an array of const pelton_tensor *, none null, each
   an item; items share a type but not a shape. An optional is the same with no or one item; an optional sequence has a
   sequence as its item. Items are the caller's among inputs, and need to stay only during the run; among outputs they
   are the context's until its next run, also where the array was written to the caller's memory: to be an input of that
   run they must be copied first. */
typedef struct pelton_tensor {
  pelton_dtype dtype;
  pelton_shape shape;
  void *data;
  size_t bytes; /* of |data|: at least the product of the shape and the element size; of texts the elements alone */
} pelton_tensor;

#ifdef __cplusplus
}
#endif
#endif
