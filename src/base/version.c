/* The version, and the names of status codes and data types: what a program can ask before it has anything in hand. */
#include "base/compiler.h"
#include "pelton/base.h"

const char *pelton_version(void) { return PELTON_VERSION_STRING; }

const char *pelton_status_name(pelton_status status) {
  static const char *const names[] = {
      [PELTON_OK] = "ok",
      [PELTON_INVALID_ARGUMENT] = "invalid argument",
      [PELTON_INVALID_DATA] = "invalid data",
      [PELTON_UNSUPPORTED] = "unsupported",
      [PELTON_OUT_OF_MEMORY] = "out of memory",
      [PELTON_IO_ERROR] = "i/o error",
      [PELTON_DEVICE_ERROR] = "device error",
      [PELTON_INTERNAL] = "internal error",
      [PELTON_BUSY] = "busy",
      [PELTON_CANCELLED] = "cancelled",
  };
  size_t index = (size_t)status;
  return index < PN_COUNT(names) ? names[index] : "unknown status";
}

static const struct {
  const char *name;
  size_t bytes;
} dtypes[PELTON_DTYPE_COUNT] = {
    [PELTON_DTYPE_NONE] = {"none", 0}, [PELTON_DTYPE_F32] = {"f32", 4},   [PELTON_DTYPE_F16] = {"f16", 2},
    [PELTON_DTYPE_BF16] = {"bf16", 2}, [PELTON_DTYPE_F64] = {"f64", 8},   [PELTON_DTYPE_I8] = {"i8", 1},
    [PELTON_DTYPE_U8] = {"u8", 1},     [PELTON_DTYPE_I16] = {"i16", 2},   [PELTON_DTYPE_U16] = {"u16", 2},
    [PELTON_DTYPE_I32] = {"i32", 4},   [PELTON_DTYPE_U32] = {"u32", 4},   [PELTON_DTYPE_I64] = {"i64", 8},
    [PELTON_DTYPE_U64] = {"u64", 8},   [PELTON_DTYPE_BOOL] = {"bool", 1},
    [PELTON_DTYPE_F8E4M3FN] = {"f8e4m3fn", 1},
    [PELTON_DTYPE_F8E4M3FNUZ] = {"f8e4m3fnuz", 1},
    [PELTON_DTYPE_F8E5M2] = {"f8e5m2", 1},
    [PELTON_DTYPE_F8E5M2FNUZ] = {"f8e5m2fnuz", 1},
    [PELTON_DTYPE_F8E8M0] = {"f8e8m0", 1},
    [PELTON_DTYPE_F4E2M1] = {"f4e2m1", 1},
    [PELTON_DTYPE_I4] = {"i4", 1},     [PELTON_DTYPE_U4] = {"u4", 1},     [PELTON_DTYPE_I2] = {"i2", 1},
    [PELTON_DTYPE_U2] = {"u2", 1},     [PELTON_DTYPE_STRING] = {"string", sizeof(pelton_string)},
    [PELTON_DTYPE_TENSOR] = {"tensor", sizeof(const pelton_tensor *)},
};

/* The cast makes negative values, which a caller may have cast into the enum, large ones. */
const char *pelton_dtype_name(pelton_dtype dtype) {
  size_t index = (size_t)dtype;
  return index < PN_COUNT(dtypes) ? dtypes[index].name : "?";
}

size_t pelton_dtype_bytes(pelton_dtype dtype) {
  size_t index = (size_t)dtype;
  return index < PN_COUNT(dtypes) ? dtypes[index].bytes : 0;
}
