/* Reading and writing single elements at indices, of any type: gather_elements and scatter_elements walk rows of the
   indices along their last axis and turn each piece into offsets first, so that one loop a width, or a type where
   values are joined, serves every axis. scatter_nd writes slices. Indices come from data: all of them are checked before
   anything is written. Updates that meet on one element apply in their order: threads divide only what cannot meet,
   lines along another axis than the scattered one. */
#include "base/bytes.h"
#include "op/operand.h"
#include "targets/cpu/cpu.h"

enum { PIECE = 256, LEAST_COLUMNS = 16 /* one cache line of floats a thread */ };

typedef void move_fn(int64_t n, void *to, const int64_t *to_at, const void *from, const int64_t *from_at);

typedef struct state {
  pn_op op;
  pn_scatter_reduction reduction;
  pn_cpu_form index_form;
  pelton_dtype dtype;
  const pn_cpu_reduce_typed *reduce;
  const pn_cpu_vec_typed *typed;
  const pn_cpu_vec_f32 *vec;
  move_fn *move; /* the elements' */
  size_t element_bytes;
  /* Indices: |rows| of |columns|; where a row begins in the operand; what an index and a column move by there. */
  uint32_t outer_axes;
  int64_t dims[PN_MAX_RANK], strides[PN_MAX_RANK];
  int64_t rows, columns, index_stride, column_stride, extent;
  /* scatter_nd: |rows| tuples of |tuple|, dims and strides of the axes that they name; |columns| of a slice. */
  uint32_t tuple;
  uint32_t parts;
  bool split_rows; /* among threads: else columns */
} state;

/* ---- moving and joining ------------------------------------------------------------------------------------------ */

#define MOVES(type)                                                                                            \
  static void gather_##type(int64_t n, void *to, const int64_t *to_at, const void *from, const int64_t *at) {  \
    (void)to_at;                                                                                               \
    for (int64_t i = 0; i < n; i++) ((type *)to)[i] = ((const type *)from)[at[i]];                             \
  }                                                                                                            \
  static void set_##type(int64_t n, void *to, const int64_t *at, const void *from, const int64_t *from_at) {   \
    (void)from_at;                                                                                             \
    for (int64_t i = 0; i < n; i++) ((type *)to)[at[i]] = ((const type *)from)[i];                             \
  }
MOVES(uint8_t)
MOVES(uint16_t)
MOVES(uint32_t)
MOVES(uint64_t)

/* Of what is there, a, and the update, b; |wide| wraps without C's signed overflow. */
#define JOIN(name, type, expression)                                                                                \
  static void name##_##type(int64_t n, void *to, const int64_t *at, const void *from, const int64_t *from_at) {     \
    (void)from_at;                                                                                                  \
    for (int64_t i = 0; i < n; i++) {                                                                               \
      type *y = (type *)to + at[i];                                                                                 \
      const type a = *y, b = ((const type *)from)[i];                                                               \
      *y = (type)(expression);                                                                                      \
    }                                                                                                               \
  }
#define JOINS(type, wide)                   \
  JOIN(add, type, (wide)a + (wide)b)        \
  JOIN(multiply, type, (wide)a * (wide)b)   \
  JOIN(max, type, b > a || b != b ? b : a)  \
  JOIN(min, type, b < a || b != b ? b : a)
#define INTEGER_JOINS(type, wide)           \
  JOIN(add, type, (wide)a + (wide)b)        \
  JOIN(multiply, type, (wide)a * (wide)b)   \
  JOIN(max, type, b > a ? b : a)            \
  JOIN(min, type, b < a ? b : a)
INTEGER_JOINS(uint8_t, uint32_t)
INTEGER_JOINS(int8_t, uint32_t)
INTEGER_JOINS(uint16_t, uint32_t)
INTEGER_JOINS(int16_t, uint32_t)
INTEGER_JOINS(uint32_t, uint32_t)
INTEGER_JOINS(int32_t, uint32_t)
INTEGER_JOINS(uint64_t, uint64_t)
INTEGER_JOINS(int64_t, uint64_t)
JOINS(float, float)
JOINS(double, double)

#define JOIN_ROW(type) {add_##type, multiply_##type, max_##type, min_##type}
static move_fn *const joins[PN_CPU_FORM_COUNT][4] = {
    JOIN_ROW(uint8_t),  JOIN_ROW(int8_t),   JOIN_ROW(uint16_t), JOIN_ROW(int16_t), JOIN_ROW(uint32_t),
    JOIN_ROW(int32_t),  JOIN_ROW(uint64_t), JOIN_ROW(int64_t),  JOIN_ROW(float),   JOIN_ROW(double)};

static move_fn *move_of(size_t bytes, bool gather) {
  switch (bytes) {
  case 1: return gather ? gather_uint8_t : set_uint8_t;
  case 2: return gather ? gather_uint16_t : set_uint16_t;
  case 4: return gather ? gather_uint32_t : set_uint32_t;
  case 8: return gather ? gather_uint64_t : set_uint64_t;
  default: return NULL;
  }
}

/* Of bools, a sum is or, which is the greater one; a product and. */
static pn_scatter_reduction effective(pn_scatter_reduction reduction, pelton_dtype dtype) {
  if (dtype != PELTON_DTYPE_BOOL) return reduction;
  if (reduction == PN_SCATTER_ADD) return PN_SCATTER_MAX;
  return reduction == PN_SCATTER_MUL ? PN_SCATTER_MIN : reduction;
}

static move_fn *join_of(pn_scatter_reduction reduction, pn_cpu_form form) {
  switch (reduction) {
  case PN_SCATTER_ADD: return joins[form][0];
  case PN_SCATTER_MUL: return joins[form][1];
  case PN_SCATTER_MAX: return joins[form][2];
  default: return joins[form][3];
  }
}

/* ---- planning ---------------------------------------------------------------------------------------------------- */

static pn_scatter_reduction reduction_of(const pn_problem_node *node) {
  if (node->op == PN_OP_SCATTER_ELEMENTS) return ((const pn_attrs_scatter_elements *)node->attrs)->reduction;
  if (node->op == PN_OP_SCATTER_ND) return ((const pn_attrs_scatter_nd *)node->attrs)->reduction;
  return PN_SCATTER_NONE;
}

static uint32_t axis_of(const pn_problem *p) {
  const pn_problem_node *node = &p->nodes[0];
  int64_t axis = node->op == PN_OP_GATHER_ELEMENTS ? ((const pn_attrs_gather_elements *)node->attrs)->axis
                                                   : ((const pn_attrs_scatter_elements *)node->attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_input(p, 0, 0)->rank : axis);
}

static bool accepts_elements(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1),
                   *updates = pn_problem_input(p, 0, 2);
  if (indices->rank != x->rank) return pn_refuse(why, "indices of another rank");
  for (uint32_t i = 0; i < x->rank; i++)
    if ((i != axis_of(p) && indices->dims[i] > x->dims[i]) || (updates && updates->dims[i] != indices->dims[i]))
      return pn_refuse(why, "indices that do not fit the operand");
  return true;
}

static bool accepts_slices(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1),
                   *updates = pn_problem_input(p, 0, 2);
  int64_t tuple = indices->dims[indices->rank - 1], elements = 1;
  if (tuple > x->rank) return pn_refuse(why, "tuples longer than the rank");
  for (uint32_t i = 0; i + 1 < indices->rank; i++) elements *= indices->dims[i];
  for (uint32_t i = (uint32_t)tuple; i < x->rank; i++) elements *= x->dims[i];
  return pn_operand_elements(updates) == elements || pn_refuse(why, "updates that do not fit the indices");
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_op op = p->nodes[0].op;
  if (op != PN_OP_GATHER_ELEMENTS && op != PN_OP_SCATTER_ELEMENTS && op != PN_OP_SCATTER_ND) return false;
  if (!pn_accepts_one(p, op, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  pelton_dtype dtype = pn_problem_input(p, 0, 0)->dtype;
  bool joined = reduction_of(&p->nodes[0]) != PN_SCATTER_NONE;
  if (joined ? pn_cpu_stored_form(dtype) == PN_CPU_FORM_COUNT
             : pn_dtype_points(dtype) || (pn_dtype_bits(dtype) < 8 && dtype != PELTON_DTYPE_BOOL) || !move_of(pelton_dtype_bytes(dtype), false))
    return pn_refuse(why, "elements of type %s", pelton_dtype_name(dtype));
  return op == PN_OP_SCATTER_ND ? accepts_slices(p, why) : accepts_elements(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 4 * (double)pn_operand_elements(pn_problem_input(p, 0, 1)), pn_cpu_operand_bytes(p),
                         0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static void plan_elements(state *s, const pn_problem *p) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  int64_t strides[PN_MAX_RANK];
  uint32_t axis = axis_of(p), last = x->rank - 1;
  pn_dims_strides(x->rank, x->dims, strides);
  s->rows = 1;
  for (uint32_t i = 0; i < last; i++) {
    s->rows *= indices->dims[i];
    s->dims[i] = indices->dims[i];
    s->strides[i] = i == axis ? 0 : strides[i];
  }
  s->outer_axes = last;
  s->columns = indices->dims[last];
  s->column_stride = axis != last;
  s->index_stride = strides[axis];
  s->extent = x->dims[axis];
  s->split_rows = axis == last || s->op == PN_OP_GATHER_ELEMENTS;
}

static void plan_slices(state *s, const pn_problem *p) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  s->rows = s->columns = 1;
  s->tuple = (uint32_t)indices->dims[indices->rank - 1];
  for (uint32_t i = 0; i + 1 < indices->rank; i++) s->rows *= indices->dims[i];
  for (uint32_t i = s->tuple; i < x->rank; i++) s->columns *= x->dims[i];
  memcpy(s->dims, x->dims, sizeof s->dims);
  pn_dims_strides(x->rank, x->dims, s->strides);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  state *s = memory;
  (void)config;
  (void)diag;
  s->op = p->nodes[0].op;
  s->dtype = x->dtype;
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  s->reduction = effective(reduction_of(&p->nodes[0]), x->dtype);
  s->index_form = pn_cpu_stored_form(pn_problem_input(p, 0, 1)->dtype);
  s->reduce = pn_cpu_reduce_typed_best(device->isa);
  s->typed = pn_cpu_vec_typed_best(device->isa);
  s->vec = device->vec;
  s->move = s->reduction == PN_SCATTER_NONE ? move_of(s->element_bytes, s->op == PN_OP_GATHER_ELEMENTS)
                                            : join_of(s->reduction, pn_cpu_stored_form(x->dtype));
  if (s->op == PN_OP_SCATTER_ND)
    plan_slices(s, p);
  else
    plan_elements(s, p);
  int64_t units = s->split_rows ? s->rows : pn_div_up(s->columns, LEAST_COLUMNS);
  if (s->rows && s->columns) s->parts = pn_cpu_parts(device, units, 4 * (double)s->rows * (double)s->columns * 8);
  return PELTON_OK;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const char *x, *indices, *updates;
  char *y;
  size_t bytes; /* of the operand */
  uint32_t copy_parts;
} job;

PN_INLINE int64_t index_at(const state *s, const void *indices, int64_t i) {
  return s->index_form == PN_CPU_FORM_i32 ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

static void copy_part(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  int64_t begin, end;
  (void)thread;
  pn_cpu_share((int64_t)j->bytes, 64, part, j->copy_parts, &begin, &end);
  if (end > begin) memcpy(j->y + begin, j->x + begin, (size_t)(end - begin));
}

/* A piece of a row of indices as offsets from the row's beginning in the operand. */
static void resolve(const state *s, const void *indices, int64_t first, int64_t n, int64_t column, int64_t *at) {
  const int64_t stride = s->index_stride, step = s->column_stride, extent = s->extent;
  if (s->index_form == PN_CPU_FORM_i32) {
    const int32_t *from = (const int32_t *)indices + first;
    for (int64_t i = 0; i < n; i++)
      at[i] = (from[i] + (from[i] < 0 ? extent : 0)) * stride + (column + i) * step;
    return;
  }
  const int64_t *from = (const int64_t *)indices + first;
  for (int64_t i = 0; i < n; i++) at[i] = (from[i] + (from[i] < 0 ? extent : 0)) * stride + (column + i) * step;
}

static int64_t row_start(const state *s, int64_t row) {
  int64_t offset = 0;
  for (uint32_t d = s->outer_axes; d-- > 0; row /= s->dims[d]) offset += row % s->dims[d] * s->strides[d];
  return offset;
}

static void move_elements(const job *j, int64_t first_row, int64_t end_row, int64_t first, int64_t end) {
  const state *s = j->s;
  int64_t at[PIECE];
  bool gather = s->op == PN_OP_GATHER_ELEMENTS;
  for (int64_t row = first_row; row < end_row; row++) {
    size_t start = (size_t)row_start(s, row) * s->element_bytes;
    for (int64_t column = first; column < end; column += PIECE) {
      int64_t n = pn_min_i64(PIECE, end - column), position = row * s->columns + column;
      resolve(s, j->indices, position, n, column, at);
      if (gather)
        s->move(n, j->y + (size_t)position * s->element_bytes, NULL, j->x + start, at);
      else
        s->move(n, j->y + start, at, j->updates + (size_t)position * s->element_bytes, NULL);
    }
  }
}

static void join_slices(const state *s, size_t n, const char *updates, char *y) {
  if (s->reduction == PN_SCATTER_NONE) {
    memcpy(y, updates, n * s->element_bytes);
    return;
  }
  bool f32 = s->dtype == PELTON_DTYPE_F32;
  pn_cpu_binary op = PN_CPU_BINARY_min;
  pn_cpu_typed_binary typed = PN_CPU_TYPED_BINARY_min;
  switch (s->reduction) {
  case PN_SCATTER_ADD: op = PN_CPU_BINARY_add, typed = PN_CPU_TYPED_BINARY_add; break;
  case PN_SCATTER_MUL: op = PN_CPU_BINARY_mul, typed = PN_CPU_TYPED_BINARY_mul; break;
  case PN_SCATTER_MAX: op = PN_CPU_BINARY_max, typed = PN_CPU_TYPED_BINARY_max; break;
  default: break;
  }
  if (f32)
    s->vec->binary[op][PN_CPU_RUN_RUN](n, (const void *)y, (const void *)updates, (void *)y);
  else
    s->typed->binary[pn_cpu_stored_form(s->dtype)][typed](n, y, updates, 0, y);
}

static void move_slices(const job *j, int64_t first, int64_t end) {
  const state *s = j->s;
  for (int64_t row = 0; row < s->rows; row++) {
    int64_t to = first;
    for (uint32_t k = 0; k < s->tuple; k++) {
      int64_t at = index_at(s, j->indices, row * s->tuple + k);
      to += (at < 0 ? at + s->dims[k] : at) * s->strides[k];
    }
    join_slices(s, (size_t)(end - first), j->updates + (size_t)(row * s->columns + first) * s->element_bytes,
                j->y + (size_t)to * s->element_bytes);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t begin, end;
  (void)thread;
  pn_cpu_share(s->split_rows ? s->rows : s->columns, s->split_rows ? 1 : LEAST_COLUMNS, part, s->parts, &begin, &end);
  if (begin >= end) return;
  if (s->op == PN_OP_SCATTER_ND)
    move_slices(j, begin, end);
  else if (s->split_rows)
    move_elements(j, begin, end, 0, s->columns);
  else
    move_elements(j, 0, s->rows, begin, end);
}

static pelton_status check_indices(const job *j, pelton_diag *diag) {
  const state *s = j->s;
  int64_t ignored;
  const char *name = pn_op_get(s->op)->name;
  if (s->op == PN_OP_SCATTER_ND) {
    for (int64_t i = 0; i < s->rows; i++)
      for (uint32_t k = 0; k < s->tuple; k++) {
        int64_t at = index_at(s, j->indices, i * s->tuple + k);
        if (at < -s->dims[k] || at >= s->dims[k]) return pn_index_resolve(diag, name, at, s->dims[k], &ignored);
      }
    return PELTON_OK;
  }
  int64_t count = s->rows * s->columns;
  if (!count) return PELTON_OK;
  union {
    int32_t narrow;
    int64_t wide;
  } least, most;
  memcpy(&least, j->indices, sizeof(int32_t) * (s->index_form == PN_CPU_FORM_i32 ? 1 : 2));
  most = least;
  s->reduce->row[s->index_form][PN_CPU_FOLD_min]((size_t)count, j->indices, &least);
  s->reduce->row[s->index_form][PN_CPU_FOLD_max]((size_t)count, j->indices, &most);
  PN_TRY(pn_index_resolve(diag, name, index_at(s, &least, 0), s->extent, &ignored));
  return pn_index_resolve(diag, name, index_at(s, &most, 0), s->extent, &ignored);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  job j = {.s = s,
           .x = step->operands[node->inputs[0]],
           .indices = step->operands[node->inputs[1]],
           .y = step->operands[node->outputs[0]]};
  PN_TRY(check_indices(&j, diag));
  if (s->op != PN_OP_GATHER_ELEMENTS) {
    j.updates = step->operands[node->inputs[2]];
    j.bytes = pn_operand_bytes(pn_problem_input(step->problem, 0, 0));
    j.copy_parts = pn_cpu_parts(stream->device, (int64_t)(j.bytes >> 14), 2 * (double)j.bytes);
    if (j.bytes && !j.copy_parts) j.copy_parts = 1;
    if (j.bytes && j.y != j.x) pn_pool_run(stream->device->pool, j.copy_parts, copy_part, &j);
  }
  if (s->parts) pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_scatter = {
    .name = "cpu.scatter",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
