#include "runtime/boxes.h"

#include "op/boxed/box.h"
#include "op/text/strings.h"

typedef struct taker {
  pn_arena *arena;
  pn_str name;
  pelton_dtype item; /* of the innermost tensors */
  pelton_diag *diag;
} taker;

/* "input 's': item 3 " in front of what is wrong with it. */
static pelton_status refuse(const taker *t, int64_t index, const char *format, ...) PN_PRINTF(3, 4);
static pelton_status refuse(const taker *t, int64_t index, const char *format, ...) {
  const uint32_t mark = pn_diag_mark(t->diag);
  va_list arguments;
  va_start(arguments, format);
  const pelton_status status = pn_failv(t->diag, PELTON_INVALID_ARGUMENT, format, arguments);
  va_end(arguments);
  pn_diag_prefix(t->diag, mark, "input '%.*s', item %lld", PN_STR_ARG(t->name), (long long)index);
  return status;
}

static pelton_status check_item(const taker *t, const pelton_tensor *item, int64_t index, uint32_t depth) {
  const pelton_dtype wanted = depth > 0 ? PELTON_DTYPE_TENSOR : t->item;
  int64_t elements;
  if (!item) return refuse(t, index, "a null pointer");
  if (item->dtype != wanted)
    return refuse(t, index, "it is %s, not %s", pelton_dtype_name(item->dtype), pelton_dtype_name(wanted));
  if (item->shape.rank > PN_MAX_RANK || (depth > 0 && item->shape.rank != 1))
    return refuse(t, index, "it has rank %u; %s", item->shape.rank,
                  depth > 0 ? "a sequence has rank 1" : "the most is 8");
  if (!pn_dims_elements(item->shape.rank, item->shape.dims, pelton_dtype_bytes(wanted), &elements))
    return refuse(t, index, "its shape has a negative dim or more elements than memory can hold");
  const size_t bytes = (size_t)elements * pelton_dtype_bytes(wanted);
  if (item->bytes < bytes || (!item->data && bytes))
    return refuse(t, index, "it needs %zu bytes, %zu are given", bytes, item->data ? item->bytes : 0);
  const size_t texts = wanted == PELTON_DTYPE_STRING ? (size_t)elements : 0;
  const size_t broken = pn_strings_broken(item->data, texts);
  return broken == texts ? PELTON_OK : refuse(t, index, "text %zu is a null pointer", broken);
}

/* |count| items with |depth| levels of boxes in each. */
static pelton_status take_items(const taker *t, const void *given, int64_t count, uint32_t depth, const void **out) {
  const pelton_tensor *const *from = given;
  const pelton_tensor **to = PN_NEW_ARRAY(t->arena, const pelton_tensor *, (size_t)count + 1);
  if (!to) return pn_fail_memory(t->diag, "an input");
  for (int64_t i = 0; i < count; i++) {
    PN_TRY(check_item(t, from[i], i, depth));
    pn_tensor item = pn_box_open(from[i]);
    if (depth > 0) {
      const void *inner;
      PN_TRY(take_items(t, item.data, item.dims[0], depth - 1, &inner));
      item.data = (void *)(uintptr_t)inner;
    }
    to[i] = pn_box_new(t->arena, &item);
    if (!to[i]) return pn_fail_memory(t->diag, "an input");
  }
  *out = to;
  return PELTON_OK;
}

pelton_status pn_boxes_take(pn_arena *arena, pn_str name, const pn_type *type, const pelton_tensor *given,
                            pn_tensor *out, pelton_diag *diag) {
  const taker t = {arena, name, type->boxes.item, diag};
  const int64_t count = given->shape.dims[0];
  const void *items;
  if (type->boxes.optional && count > 1)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "input '%.*s' is an optional; it holds one item or none, not %lld",
                   PN_STR_ARG(name), (long long)count);
  PN_TRY(take_items(&t, given->data, count, type->boxes.depth - 1u, &items));
  *out = (pn_tensor){.dtype = PELTON_DTYPE_TENSOR, .rank = 1, .dims = {count}, .data = (void *)(uintptr_t)items};
  return PELTON_OK;
}
