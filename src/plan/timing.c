#include "plan/timing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"

#include <math.h>

#define FIRST_LINE     "pelton timing cache 1"
#define SECONDS_FORMAT "%.4g"
enum { FILL_BYTES = 1 << 22 };
#define LEAST_SECONDS 1e-9 /* a coarse clock may say 0, which means "not measured" */

void pn_timing_init(pn_timing_cache *cache, const pelton_allocator *allocator) {
  memset(cache, 0, sizeof *cache);
  pn_arena_init(&cache->arena, allocator);
  pn_map_init(&cache->by_key, &cache->arena);
}

void pn_timing_deinit(pn_timing_cache *cache) { pn_arena_deinit(&cache->arena); }

static bool add_key(pn_timing_cache *cache, pn_str key, double seconds, uint32_t *index) {
  if (pn_map_get(&cache->by_key, key, index)) {
    cache->seconds.data[*index] = seconds;
    return true;
  }
  const char *copy = pn_str_copy(&cache->arena, key);
  if (!copy) return false;
  pn_str kept = {copy, key.size};
  *index = cache->keys.count;
  return pn_list_push(&cache->arena, &cache->seconds, seconds) && pn_list_push(&cache->arena, &cache->keys, kept) &&
         pn_map_set(&cache->by_key, kept, *index);
}

static void print_key(const pn_tactic *tactic, const pn_config *config, const char *device, pn_str problem,
                      pn_text *out) {
  pn_text_printf(out, "%s\t%u\t", tactic->name, tactic->version);
  for (uint32_t i = 0; i < PN_CONFIG_VALUES; i++) pn_text_printf(out, i ? ",%d" : "%d", config->value[i]);
  pn_text_printf(out, "\t%s\t", device);
  pn_text_add(out, problem);
}

pelton_status pn_timing_load(pn_timing_cache *cache, const char *path, pelton_diag *diag) {
  pn_file file;
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pn_file_map(path, &file, diag);
  if (status == PELTON_IO_ERROR) { /* a cache that is not there yet is an empty one */
    pn_diag_rewind(diag, mark);
    return PELTON_OK;
  }
  PN_TRY(status);
  pn_str rest = {(const char *)file.data, file.size};
  for (uint32_t line_number = 1; rest.size && status == PELTON_OK; line_number++) {
    const char *end = memchr(rest.data, '\n', rest.size);
    pn_str line = {rest.data, end ? (size_t)(end - rest.data) : rest.size};
    rest.data += line.size + (end != NULL);
    rest.size -= line.size + (end != NULL);
    if (line_number == 1 && !pn_str_is(line, FIRST_LINE))
      status = pn_fail(diag, PELTON_INVALID_DATA,
                       "%s is no timing cache: its first line is not \"%s\"; remove it or name another file", path,
                       FIRST_LINE);
    if (!line.size || pn_str_is(line, FIRST_LINE) || status) continue;
    const char *tab = memchr(line.data, '\t', line.size);
    double seconds;
    if (!tab || !pn_str_to_f64((pn_str){line.data, (size_t)(tab - line.data)}, &seconds) || !(seconds > 0)) {
      status = pn_fail(diag, PELTON_INVALID_DATA, "%s line %u: expected seconds, a tab and a key; remove the line",
                       path, line_number);
      continue;
    }
    pn_str key = {tab + 1, line.size - (size_t)(tab + 1 - line.data)};
    uint32_t index;
    if (!add_key(cache, key, seconds, &index)) status = pn_fail_memory(diag, "the timing cache");
  }
  pn_file_unmap(&file);
  return status;
}

pelton_status pn_timing_save(pn_timing_cache *cache, const char *path, pelton_diag *diag) {
  if (!cache->measured.count) return PELTON_OK;
  pn_text text;
  pn_text_init(&text, cache->arena.allocator);
  for (uint32_t i = 0; i < cache->measured.count; i++) {
    uint32_t index = cache->measured.data[i];
    pn_text_printf(&text, SECONDS_FORMAT "\t", cache->seconds.data[index]);
    pn_text_add(&text, cache->keys.data[index]);
    pn_text_printf(&text, "\n");
  }
  pelton_status status = text.failed ? pn_fail_memory(diag, "the timing cache")
                                     : pn_file_append_lines(path, FIRST_LINE "\n", text.data, text.size, diag);
  if (!status) cache->measured.count = 0;
  pn_text_deinit(&text);
  return status;
}

bool pn_timing_find(const pn_timing_cache *cache, const pn_tactic *tactic, const pn_config *config, const char *device,
                    pn_str problem, double *seconds) {
  pn_text key;
  pn_text_init(&key, cache->arena.allocator);
  print_key(tactic, config, device, problem, &key);
  uint32_t index = 0;
  bool found = !key.failed && pn_map_get(&cache->by_key, (pn_str){key.data, key.size}, &index);
  pn_text_deinit(&key);
  if (found) *seconds = cache->seconds.data[index];
  return found;
}

bool pn_timing_add(pn_timing_cache *cache, const pn_tactic *tactic, const pn_config *config, const char *device,
                   pn_str problem, double seconds) {
  pn_text key;
  pn_text_init(&key, cache->arena.allocator);
  print_key(tactic, config, device, problem, &key);
  uint32_t index;
  bool done = !key.failed && add_key(cache, (pn_str){key.data, key.size}, seconds, &index) &&
              pn_list_push(&cache->arena, &cache->measured, index);
  pn_text_deinit(&key);
  return done;
}

/* ---- measuring -------------------------------------------------------------------------------------------------- */

/* Small values that neither overflow nor turn denormal in a long sum; indices stay in any range. */
static void fill_operand(const pn_operand *o, void *data) {
  size_t n = (size_t)pn_operand_elements(o);
  uint32_t seed = 12345;
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    float value = (float)(seed >> 16) / 65536.0f - 0.5f;
    switch (o->dtype) {
    case PELTON_DTYPE_F32: ((float *)data)[i] = value; break;
    case PELTON_DTYPE_F64: ((double *)data)[i] = (double)value; break;
    case PELTON_DTYPE_F16: ((uint16_t *)data)[i] = (uint16_t)(0x3000u | ((seed >> 16) & 0x83ffu)); break;
    case PELTON_DTYPE_BF16: ((uint16_t *)data)[i] = (uint16_t)(0x3e00u | ((seed >> 16) & 0x807fu)); break;
    case PELTON_DTYPE_I8:
    case PELTON_DTYPE_U8: ((uint8_t *)data)[i] = (uint8_t)((seed >> 24) & 63u); break;
    case PELTON_DTYPE_F8E4M3FN:
    case PELTON_DTYPE_F8E4M3FNUZ:
    case PELTON_DTYPE_F8E5M2:
    case PELTON_DTYPE_F8E5M2FNUZ: ((uint8_t *)data)[i] = (uint8_t)(0x20u | ((seed >> 24) & 0x87u)); break;
    case PELTON_DTYPE_F8E8M0: ((uint8_t *)data)[i] = (uint8_t)(126u + ((seed >> 24) & 1u)); break;
    case PELTON_DTYPE_F4E2M1: ((uint8_t *)data)[i] = (uint8_t)((seed >> 24) & 15u); break;
    case PELTON_DTYPE_I4:
    case PELTON_DTYPE_U4: ((uint8_t *)data)[i] = (uint8_t)((seed >> 24) & 7u); break;
    case PELTON_DTYPE_I2:
    case PELTON_DTYPE_U2: ((uint8_t *)data)[i] = (uint8_t)((seed >> 24) & 1u); break;
    default: break; /* wider integers may be indices: zero is always in range */
    }
  }
}

/* As the file keeps it: a decision taken now and one taken from the file later are the same. */
static double rounded(double seconds) {
  char text[32];
  (void)pn_formatf(text, sizeof text, SECONDS_FORMAT, seconds);
  return pn_parse_f64(text, NULL);
}

typedef struct measurement {
  const pn_target *target;
  pn_device *device;
  pn_stream *stream;
  void **operands;
  void *packed, *state, *workspace, *count;
  size_t packed_bytes;
  const pn_tactic *tactic;
  pn_arena *arena;
  bool failed; /* the tactic's run did */
} measurement;

/* Constants on the host are read where they are. */
static bool is_borrowed(const measurement *m, const pn_operand *o) {
  return o->role == PN_OPERAND_CONSTANT && (m->target->host_memory || m->tactic->host_constants);
}

static void measurement_end(measurement *m, const pn_problem *problem) {
  if (m->state && m->tactic->release_state) m->tactic->release_state(m->state);
  if (m->stream) m->target->stream_release(m->stream);
  for (uint32_t i = 0; m->operands && i < problem->operand_count; i++)
    if (!is_borrowed(m, &problem->operands[i])) m->target->memory_release(m->device, m->operands[i]);
  m->target->memory_release(m->device, m->packed);
  m->target->memory_release(m->device, m->workspace);
  m->target->memory_release(m->device, m->count);
}

static pelton_status allocate(const measurement *m, size_t bytes, void **out, pelton_diag *diag) {
  return m->target->memory_alloc(m->device, bytes + 64, "a step to time", out, diag);
}

/* |bytes| bytes of the device with what is at |host|. */
static pelton_status place(measurement *m, const void *host, size_t bytes, void **out, pelton_diag *diag) {
  PN_TRY(allocate(m, bytes, out, diag));
  return bytes ? m->target->upload(m->stream, *out, host, bytes, diag) : PELTON_OK;
}

/* The operand's values on the device: those of a large one repeat, since making them would take longer than the timing.
 */
static pelton_status place_filled(measurement *m, const pn_operand *o, size_t bytes, void **out, pelton_diag *diag) {
  pn_operand part = *o;
  size_t piece = bytes < FILL_BYTES ? bytes : FILL_BYTES;
  part.rank = 1;
  part.dims[0] = (int64_t)(piece / pelton_dtype_bytes(o->dtype));
  pn_arena_reset(m->arena); /* one operand at a time passes through the host */
  char *host = pn_arena_alloc(m->arena, piece + 1, 64);
  if (!host) return pn_fail_memory(diag, "operands to time");
  PN_TRY(allocate(m, bytes, out, diag));
  fill_operand(&part, host);
  for (size_t done = 0; done < bytes; done += piece) {
    size_t n = bytes - done < piece ? bytes - done : piece;
    PN_TRY(m->target->upload(m->stream, (char *)*out + done, host, n, diag));
  }
  return PELTON_OK;
}

static pelton_status place_operand(measurement *m, const pn_operand *o, void **out, pelton_diag *diag) {
  size_t bytes = pn_operand_bytes(o);
  if (o->role == PN_OPERAND_INTERNAL) return PELTON_OK;
  if (is_borrowed(m, o)) {
    memcpy(out, &o->data, sizeof(void *)); /* read only; the array is of void * for the outputs */
    return PELTON_OK;
  }
  if (o->role == PN_OPERAND_CONSTANT) return place(m, o->data, bytes, out, diag);
  if (m->target->host_memory) {
    PN_TRY(allocate(m, bytes, out, diag));
    memset(*out, 0, bytes);
    fill_operand(o, *out);
    return PELTON_OK;
  }
  return place_filled(m, o, bytes, out, diag);
}

static pelton_status measurement_begin(measurement *m, const pn_problem *problem, const pn_config *config,
                                       pn_arena *arena, pelton_diag *diag) {
  pn_sizes sizes = {0};
  if (m->tactic->sizes) m->tactic->sizes(problem, m->device, config, &sizes);
  m->operands = PN_NEW_ARRAY(arena, void *, problem->operand_count);
  if (!m->operands) return pn_fail_memory(diag, "operands to time");
  PN_TRY(m->target->stream_create(m->device, &m->stream, diag));
  for (uint32_t i = 0; i < problem->operand_count; i++)
    PN_TRY(place_operand(m, &problem->operands[i], &m->operands[i], diag));
  PN_TRY(allocate(m, sizes.workspace_bytes, &m->workspace, diag));
  PN_TRY(allocate(m, 64, &m->count, diag));
  void *state = pn_arena_alloc(arena, sizes.state_bytes + 64, 64);
  void *packed = NULL;
  if (m->target->host_memory) {
    PN_TRY(allocate(m, sizes.packed_bytes, &m->packed, diag));
    packed = m->packed;
  } else {
    packed = pn_arena_alloc(arena, sizes.packed_bytes + 64, 64);
  }
  if (!packed || !state) return pn_fail_memory(diag, "scratch to time");
  if (m->tactic->pack) PN_TRY(m->tactic->pack(problem, m->device, config, packed, diag));
  if (!m->target->host_memory) PN_TRY(place(m, packed, sizes.packed_bytes, &m->packed, diag));
  if (m->tactic->prepare) PN_TRY(m->tactic->prepare(problem, m->device, config, state, diag));
  m->state = state;
  m->packed_bytes = sizes.packed_bytes;
  return PELTON_OK;
}

/* Constants as the network's other steps leave them; activations stay where the step before has them. Few bytes are
   not worth it: a run as short as theirs would be timed by how the caches fill. */
static void cool(const measurement *m, const pn_problem *problem) {
  enum { LEAST = 16 << 10 };
  if (!problem->cold || !m->target->evict) return;
  if (m->packed_bytes >= LEAST) m->target->evict(m->device, m->packed, m->packed_bytes);
  for (uint32_t i = 0; i < problem->operand_count; i++) {
    const pn_operand *o = &problem->operands[i];
    if (o->role != PN_OPERAND_CONSTANT || pn_operand_bytes(o) < LEAST || !m->operands[i]) continue;
    if (!m->tactic->packs || !m->tactic->packs(problem, i))
      m->target->evict(m->device, m->operands[i], pn_operand_bytes(o));
  }
}

static pelton_status run_tactic(measurement *m, const pn_step *step, pelton_diag *diag) {
  pelton_status status = m->tactic->run(step, m->stream, diag);
  m->failed = status == PELTON_DEVICE_ERROR;
  return status;
}

/* One run, by the device's clock where it has one. */
static pelton_status run_once(measurement *m, const pn_step *step, double *seconds, pelton_diag *diag) {
  if (m->target->timer_start) {
    PN_TRY(m->target->timer_start(m->stream, diag));
    PN_TRY(run_tactic(m, step, diag));
    return m->target->timer_stop(m->stream, seconds, diag);
  }
  double start = pn_clock_seconds();
  PN_TRY(run_tactic(m, step, diag));
  PN_TRY(m->target->stream_synchronize(m->stream, diag));
  *seconds = pn_clock_seconds() - start;
  return PELTON_OK;
}

/* Short steps are timed several at a time, recorded, as they will run: one alone takes as long as it takes the host to
   put it into the stream. */
enum { TOGETHER = 8 };
#define SHORT_SECONDS 1e-4

static pelton_status record(measurement *m, const pn_step *step, pn_recording **out, pelton_diag *diag) {
  pelton_status status = PELTON_OK;
  PN_TRY(m->target->record_begin(m->stream, diag));
  for (uint32_t i = 0; i < TOGETHER && !status; i++) status = run_tactic(m, step, diag);
  pelton_status ended = m->target->record_end(m->stream, out, status ? NULL : diag);
  return status ? status : ended;
}

static pelton_status play_once(const measurement *m, pn_recording *recording, double *seconds, pelton_diag *diag) {
  double all = 0;
  PN_TRY(m->target->timer_start(m->stream, diag));
  PN_TRY(m->target->recording_play(m->stream, recording, diag));
  PN_TRY(m->target->timer_stop(m->stream, &all, diag));
  *seconds = all / TOGETHER;
  return PELTON_OK;
}

/* Whether a step was run often enough: for |budget| seconds, and |alike| times in about the least time. On a busy
   machine the system takes a processor away for some milliseconds, several times a short step's own time: a single run
   that met this would decide against the fastest tactic. */
static bool is_enough(uint32_t alike, double spent, double budget) {
  enum { CONFIRMED = 2, MOST_BUDGETS = 10 };
  return alike > 0 && spent >= budget && (alike >= CONFIRMED || spent >= MOST_BUDGETS * budget);
}

pelton_status pn_timing_measure(const pn_target *target, pn_device *device, const pn_problem *problem,
                                const pn_tactic *tactic, const pn_config *config, double budget,
                                const pelton_allocator *allocator, double *seconds, bool *unfit, pelton_diag *diag) {
  pn_arena arena;
  pn_arena_init(&arena, allocator);
  pn_arena passing;
  pn_arena_init(&passing, allocator);
  measurement m = {.target = target, .device = device, .tactic = tactic, .arena = &passing};
  pelton_status status = measurement_begin(&m, problem, config, &arena, diag);
  pn_recording *recording = NULL;
  bool records = target->record_begin && target->timer_start && !tactic->host_work;
  double best = INFINITY, spent = 0;
  uint32_t alike = 0;
  for (uint32_t run = 0; !status && run < 1000 && !is_enough(alike, spent, budget); run++) {
    pn_step step = {problem, *config, m.state, m.packed, m.workspace, m.operands, m.count, 0};
    double took = 0;
    cool(&m, problem);
    status = recording ? play_once(&m, recording, &took, diag) : run_once(&m, &step, &took, diag);
    if (!status && run == 1 && records && took < SHORT_SECONDS) status = record(&m, &step, &recording, diag);
    spent += recording ? took * TOGETHER : took;
    if (!run) continue; /* the first touches cold memory */
    took = took > LEAST_SECONDS ? took : LEAST_SECONDS;
    alike = took < 0.9 * best ? 1 : alike + (took <= 1.1 * best);
    if (took < best) best = took;
  }
  if (recording) target->recording_release(device, recording);
  *unfit = m.failed && !target->stream_synchronize(m.stream, NULL);
  measurement_end(&m, problem);
  pn_arena_deinit(&passing);
  pn_arena_deinit(&arena);
  *seconds = rounded(best);
  return status;
}
