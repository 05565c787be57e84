/* pelton bench: latency, throughput, memory.

   A model is built, written and opened again, so that what is measured is what an engine file gives. Streams are
   contexts of one engine, each in a thread of its own; latency is the time of one run as its thread sees it. With
   --devices or --concurrency a server of that engine is measured instead, see serving.h. */
#define _POSIX_C_SOURCE 200809L
#include "serving.h"
#include "text/layers.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct bench {
  load_options load;
  text_list inputs;
  int64_t streams, runs, seed;
  double warmup, duration;
  bool layers, json, on_device;
  serving_options serving;
  pthread_barrier_t ready;
} bench;

typedef struct stream {
  const bench *bench;
  pelton_engine *engine;
  const tensors *inputs;
  pelton_context *context;
  pelton_tensor *outputs;
  void **kept; /* by output: memory of the device, or null */
  size_t *kept_bytes;
  uint32_t output_count;
  double *seconds; /* of each run */
  size_t count, room;
  double start, end;
  pelton_status status;
  pelton_diag diag;
  pthread_t thread;
} stream;

typedef struct measured {
  double min, median, mean, p90, p99, max; /* seconds */
  size_t runs;
  double throughput, load_seconds, build_seconds;
  uint64_t engine_bytes, context_bytes;
  int64_t threads, batch;
  const char *target; /* that the engine runs on */
} measured;

/* ---- streams -------------------------------------------------------------------------------------------------------
 */

static bool run_once(stream *s) {
  for (uint32_t i = 0; i < s->output_count; i++) {
    s->outputs[i].data = s->kept[i];
    s->outputs[i].bytes = s->kept_bytes[i];
  }
  s->status = pelton_context_run(s->context, s->inputs->data, s->inputs->count, s->outputs, s->output_count, &s->diag);
  return s->status == PELTON_OK;
}

/* Where results are to stay on the device: memory of their size. */
static bool keep_outputs(stream *s) {
  for (uint32_t i = 0; i < s->output_count && !s->status; i++) {
    s->kept_bytes[i] = s->outputs[i].bytes;
    s->status = pelton_memory_create(s->engine, s->kept_bytes[i], &s->kept[i], &s->diag);
  }
  return !s->status;
}

static void warm_up(stream *s) {
  bool ok = !s->bench->on_device || (run_once(s) && keep_outputs(s));
  const double end = clock_now() + s->bench->warmup;
  if (!ok) return;
  do ok = run_once(s);
  while (ok && clock_now() < end);
}

static void *stream_main(void *argument) {
  stream *s = argument;
  const bench *b = s->bench;
  warm_up(s);
  pthread_barrier_wait((pthread_barrier_t *)(uintptr_t)&b->ready);
  double now = s->start = clock_now();
  while (!s->status && now < s->start + b->duration && (!b->runs || s->count < (size_t)b->runs)) {
    if (!run_once(s)) break;
    const double after = clock_now();
    if (s->count == s->room) {
      s->room = s->room ? 2 * s->room : 1024;
      s->seconds = memory_grow(s->seconds, s->room, sizeof *s->seconds);
    }
    s->seconds[s->count++] = after - now;
    now = after;
  }
  s->end = now;
  return NULL;
}

static int compare_seconds(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The value below which |part| of the sorted ones are, between its neighbours. */
static double percentile(const double *sorted, size_t count, double part) {
  const double at = part * (double)(count - 1);
  const size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
  return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

static void sum_up(const stream *streams, int64_t count, measured *m) {
  double start = INFINITY, end = -INFINITY;
  for (int64_t i = 0; i < count; i++) {
    m->runs += streams[i].count;
    start = fmin(start, streams[i].start);
    end = fmax(end, streams[i].end);
  }
  double *all = memory_new(m->runs, sizeof *all);
  size_t n = 0;
  for (int64_t i = 0; i < count; i++) {
    if (streams[i].count) memcpy(all + n, streams[i].seconds, streams[i].count * sizeof *all);
    n += streams[i].count;
  }
  qsort(all, n, sizeof *all, compare_seconds);
  for (size_t i = 0; i < n; i++) m->mean += all[i] / (double)n;
  if (n) {
    m->min = all[0];
    m->median = percentile(all, n, 0.5);
    m->p90 = percentile(all, n, 0.9);
    m->p99 = percentile(all, n, 0.99);
    m->max = all[n - 1];
    m->throughput = (double)n / (end - start);
  }
  free(all);
}

/* A line of /proc/self/status, such as "VmHWM:    1234 kB"; 0 when there is none. */
static int64_t process_status(const char *key) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  long long value = 0;
  const size_t size = strlen(key);
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, key, size) && line[size] == ':') value = strtoll(line + size + 1, NULL, 10);
  if (file) fclose(file);
  return value;
}

static int run_streams(bench *b, pelton_engine *engine, const tensors *inputs, measured *m) {
  stream *streams = memory_new((size_t)b->streams, sizeof *streams);
  int code = EXIT_DONE;
  for (int64_t i = 0; i < b->streams && !code; i++) {
    stream *s = &streams[i];
    pelton_diag_init(&s->diag);
    s->bench = b;
    s->inputs = inputs;
    s->output_count = pelton_engine_output_count(engine);
    s->engine = engine;
    s->outputs = memory_new(s->output_count, sizeof *s->outputs);
    s->kept = memory_new(s->output_count, sizeof *s->kept);
    s->kept_bytes = memory_new(s->output_count, sizeof *s->kept_bytes);
    const double start = clock_now();
    const pelton_status status = pelton_context_create(engine, NULL, &s->context, &s->diag);
    if (i == 0) m->load_seconds += clock_now() - start;
    if (status) code = print_failure(status, &s->diag, NULL);
  }
  if (!code && pthread_barrier_init(&b->ready, NULL, (unsigned)b->streams) != 0) code = EXIT_RESOURCE;
  for (int64_t i = 0; i < b->streams && !code; i++) {
    if (pthread_create(&streams[i].thread, NULL, stream_main, &streams[i]) == 0) continue;
    print_error("cannot start %lld threads", (long long)b->streams);
    exit(EXIT_RESOURCE); /* those that were started wait for the others */
  }
  for (int64_t i = 0; i < b->streams && !code; i++) pthread_join(streams[i].thread, NULL);
  for (int64_t i = 0; i < b->streams && !code; i++)
    if (streams[i].status) code = print_failure(streams[i].status, &streams[i].diag, NULL);
  if (!code) sum_up(streams, b->streams, m);
  for (int64_t i = 0; i < b->streams; i++) {
    m->context_bytes += streams[i].context ? pelton_context_bytes(streams[i].context) : 0;
    pelton_context_release(streams[i].context);
    for (uint32_t k = 0; streams[i].kept && k < streams[i].output_count; k++)
      pelton_memory_release(engine, streams[i].kept[k]);
    free(streams[i].kept);
    free(streams[i].kept_bytes);
    free(streams[i].outputs);
    free(streams[i].seconds);
  }
  free(streams);
  return code;
}

/* ---- the engine ----------------------------------------------------------------------------------------------------
 */

static uint64_t file_size(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* Builds |path| into a file that is gone when the engine is, and opens that. */
static pelton_status build_and_open(const bench *b, const char *path, loaded *it, measured *m, pelton_diag *diag) {
  const char *folder = getenv("TMPDIR");
  char *file = memory_format("%s/pelton-bench-XXXXXX", folder && *folder ? folder : "/tmp");
  loaded made = {.engine = NULL};
  pelton_status status = PELTON_OK;
  for (uint32_t i = 1; i < b->serving.device.count && !status; i++) /* the build opens the first */
    status = load_probe(&b->load, b->serving.device.data[i], diag);
  if (!status) status = load_build(path, &b->load, &made, diag);
  const int handle = status ? -1 : mkstemp(file);
  if (handle >= 0) close(handle);
  if (!status && handle < 0) status = PELTON_IO_ERROR;
  if (!status) status = pelton_engine_save(made.engine, file, diag);
  pelton_engine_release(made.engine);
  if (!status) status = load_open(file, &b->load, it, diag);
  m->engine_bytes = file_size(file);
  m->build_seconds = made.build_seconds;
  if (handle >= 0) unlink(file);
  free(file);
  return status;
}

static const char *precision_of(const bench *b, bool engine) {
  return b->load.precision ? b->load.precision : engine ? "as built" : "fp32";
}

static void write_json(const bench *b, const char *path, bool engine, const measured *m, const char *layers) {
  const bool cpu = !strcmp(m->target, "cpu"); /* whose memory is the process's own */
  json_writer json = {stdout, false};
  json_begin(&json, NULL, '{');
  json_text(&json, "model", path);
  json_text(&json, "target", m->target);
  json_text(&json, "precision", precision_of(b, engine));
  json_integer(&json, "threads", m->threads);
  json_integer(&json, "streams", b->streams);
  json_integer(&json, "batch", m->batch);
  json_integer(&json, "runs", (int64_t)m->runs);
  json_begin(&json, "latency_ms", '{');
  json_number(&json, "min", 1e3 * m->min);
  json_number(&json, "median", 1e3 * m->median);
  json_number(&json, "mean", 1e3 * m->mean);
  json_number(&json, "p90", 1e3 * m->p90);
  json_number(&json, "p99", 1e3 * m->p99);
  json_number(&json, "max", 1e3 * m->max);
  json_end(&json, '}');
  json_number(&json, "throughput_per_s", m->throughput);
  if (engine)
    json_null(&json, "build_s");
  else
    json_number(&json, "build_s", m->build_seconds);
  json_number(&json, "load_ms", 1e3 * m->load_seconds);
  json_integer(&json, "engine_bytes", (int64_t)m->engine_bytes);
  json_integer(&json, "peak_rss_bytes", 1024 * process_status("VmHWM"));
  json_integer(&json, "device_bytes", cpu ? 0 : (int64_t)m->context_bytes);
  if (layers) json_raw(&json, "layers", layers);
  json_end(&json, '}');
  putchar('\n');
}

static void print_table(const bench *b, const char *path, bool engine, const measured *m) {
  printf("model       %s (%s, %s, %lld threads, %lld streams, batch %lld)\n", path, m->target, precision_of(b, engine),
         (long long)m->threads, (long long)b->streams, (long long)m->batch);
  printf("latency     %.3f ms median, %.3f min, %.3f mean, %.3f p90, %.3f p99, %.3f max, of %zu runs\n",
         1e3 * m->median, 1e3 * m->min, 1e3 * m->mean, 1e3 * m->p90, 1e3 * m->p99, 1e3 * m->max, m->runs);
  printf("throughput  %.2f runs/s\n", m->throughput);
  if (!engine) printf("build       %.2f s\n", m->build_seconds);
  printf("load        %.2f ms\nmemory      engine file %s, contexts %s, process at most %s\n", 1e3 * m->load_seconds,
         format_bytes(m->engine_bytes).text, format_bytes(m->context_bytes).text,
         format_bytes(1024 * (uint64_t)process_status("VmHWM")).text);
}

/* |inputs| again, in memory of the engine's device. */
static int place_inputs(pelton_engine *engine, const tensors *inputs, tensors *out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_status status = PELTON_OK;
  *out = (tensors){.data = memory_new(inputs->count, sizeof *out->data), .count = inputs->count};
  for (uint32_t i = 0; i < inputs->count && !status; i++) {
    out->data[i] = inputs->data[i];
    out->data[i].data = NULL;
    status = pelton_memory_create(engine, inputs->data[i].bytes, &out->data[i].data, &diag);
    if (!status)
      status = pelton_memory_write(engine, out->data[i].data, inputs->data[i].data, inputs->data[i].bytes, &diag);
  }
  return status ? print_failure(status, &diag, NULL) : EXIT_DONE;
}

static int bench_server(bench *b, const char *path, bool is_engine, pelton_engine *engine, const tensors *inputs,
                        const measured *m) {
  json_writer json = {stdout, false};
  b->serving.warmup = b->warmup;
  b->serving.duration = b->duration;
  if (b->json) {
    json_begin(&json, NULL, '{');
    json_text(&json, "model", path);
    json_text(&json, "target", m->target);
    json_text(&json, "precision", precision_of(b, is_engine));
    json_integer(&json, "batch", m->batch);
  } else {
    printf("model       %s (%s, %s, batch %lld)\n", path, m->target, precision_of(b, is_engine), (long long)m->batch);
  }
  const int code = serving_measure(engine, &b->serving, b->load.device_libraries, inputs, b->json ? &json : NULL);
  if (b->json) json_end(&json, '}');
  if (b->json) putchar('\n');
  return code;
}

static int bench_engine(bench *b, const char *path, bool is_engine, pelton_engine *engine, measured *m) {
  tensors inputs;
  char *layers = NULL;
  int code = inputs_make(engine, &b->load, &b->inputs, NULL, (uint64_t)b->seed, &inputs);
  if (code) return code;
  m->batch = inputs.count && inputs.data[0].shape.rank ? inputs.data[0].shape.dims[0] : 1;
  if (serving_is_asked(&b->serving)) {
    code = bench_server(b, path, is_engine, engine, &inputs, m);
    tensors_release(&inputs);
    return code;
  }
  tensors placed = {.count = 0};
  if (b->on_device) code = place_inputs(engine, &inputs, &placed);
  if (!code) code = run_streams(b, engine, b->on_device ? &placed : &inputs, m);
  for (uint32_t i = 0; i < placed.count; i++) pelton_memory_release(engine, placed.data[i].data);
  free(placed.data);
  if (!code && b->layers) code = layers_measure(engine, &inputs, &layers);
  if (!code && b->json) write_json(b, path, is_engine, m, layers);
  if (!code && !b->json) {
    print_table(b, path, is_engine, m);
    if (layers) layers_print(layers);
  }
  free(layers);
  tensors_release(&inputs);
  return code;
}

static int bench_path(bench *b, const char *path) {
  pelton_diag diag = PELTON_DIAG_INIT;
  measured m = {.runs = 0};
  loaded it = {.engine = NULL};
  const bool engine = path_is_engine(path);
  const int64_t before = process_status("Threads");
  pelton_status status;
  if (engine) {
    m.engine_bytes = file_size(path);
    status = load_engine(path, &b->load, &it, &diag);
  } else {
    status = build_and_open(b, path, &it, &m, &diag);
  }
  if (status) return print_failure(status, &diag, NULL);
  m.threads = process_status("Threads") - before + 1; /* the workers of its pool, and the caller */
  m.load_seconds = it.open_seconds;
  m.target = pelton_engine_target(it.engine);
  const int code = bench_engine(b, path, engine, it.engine, &m);
  pelton_engine_release(it.engine);
  return code;
}

/* The options of a server, and those that are of measuring without one, before anything is built. */
static int prepare_serving(bench *b, const char *path) {
  serving_options *o = &b->serving;
  const char *target = b->load.target || path_is_engine(path) ? b->load.target : "cpu";
  const int code = serving_prepare(o, target, b->load.device);
  const char *other = b->streams ? "streams" : b->runs ? "runs" : b->on_device ? "on-device" : b->layers ? "layers" : NULL;
  if (code || !serving_is_asked(o)) return code;
  if (other) {
    print_error("--%s is about measuring without a server: leave it or --%s out", other,
                o->devices ? "devices" : o->concurrency ? "concurrency" : "lose-device");
    return EXIT_USAGE;
  }
  if (o->device.count) b->load.device = o->device.data[0];
  return EXIT_DONE;
}

int command_bench(int argc, char **argv) {
  bench b = {.load = LOAD_OPTIONS_INIT, .serving = SERVING_OPTIONS_INIT, .warmup = 0.2, .duration = 3};
  const option rows[] = {
      {"streams", 0, OPTION_INTEGER, &b.streams, "N", "contexts that run at once, each in its own thread (1)", 1, 1024},
      {"warmup", 0, OPTION_MILLISECONDS, &b.warmup, "MS", "run unmeasured this long first (200)", 0, 0},
      {"duration", 0, OPTION_SECONDS, &b.duration, "S", "measure this long (3)", 0, 0},
      {"runs", 0, OPTION_INTEGER, &b.runs, "N", "at most this many runs a stream", 1, 1e9},
      {"input", 'i', OPTION_LIST, &b.inputs, "NAME=FILE", "an input from a .npy, a .pb or an image; else random", 0, 0},
      {"seed", 0, OPTION_INTEGER, &b.seed, "N", "of random inputs (0)", 0, 0},
      {"on-device", 0, OPTION_FLAG, &b.on_device, NULL, "inputs and outputs stay in the device's memory", 0, 0},
      {"layers", 0, OPTION_FLAG, &b.layers, NULL, "also the time of each step", 0, 0},
      SERVING_ROWS(b.serving),
      LOAD_ROWS(b.load),
      {"budget", 0, OPTION_SECONDS, &b.load.budget, "30s", "at most this long for timing while a model is built", 0, 0},
      {"json", 0, OPTION_FLAG, &b.json, NULL, "as JSON", 0, 0},
  };
  const option_table table = {
      "bench ENGINE|MODEL [options]",
      "Measures latency, throughput (runs a second, of all streams) and memory. Inputs are random numbers. With\n"
      "--devices or --concurrency the engine is served: threads send one request after the other, each as soon as its "
      "last is\n"
      "answered, and every answer is compared with the first.",
      rows,
      OPTION_COUNT(rows),
      1,
      1};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&b.load);
    if (!code) code = prepare_serving(&b, words.data[0]);
    if (!b.streams) b.streams = 1;
    if (!code) code = bench_path(&b, words.data[0]);
  }
  load_release(&b.load);
  free(b.inputs.data);
  free(words.data);
  return code;
}
