/* Runs a fuzz target without libFuzzer, as an ordinary test: every file of a corpus as it is, cut at many places, and
   with bytes changed by a generator of fixed seed. What the fuzzer once found stays in the corpus and is met here.

     fuzz_NAME CORPUS-FOLDER|FILE...    a folder that is absent counts as empty: small made-up inputs are run still */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS = 64, CHANGES = 200, MADE_UP = 200 };

static unsigned long inputs;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

/* In a block of exactly |size| bytes, so that a sanitizer sees a read past the end. */
static void run_one(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) exit(1);
  if (size) memcpy(copy, data, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  inputs++;
}

static void run_variants(uint8_t *data, size_t size) {
  run_one(data, size);
  size_t step = size / CUTS + 1;
  for (size_t cut = 0; cut < size; cut += step) run_one(data, cut);
  for (int i = 0; size && i < CHANGES; i++) {
    size_t at[3];
    uint8_t old[3];
    size_t count = 1 + next_random() % 3;
    for (size_t k = 0; k < count; k++) {
      at[k] = next_random() % size;
      old[k] = data[at[k]];
      data[at[k]] = (uint8_t)((next_random() & 1) ? next_random() : old[k] ^ (1u << next_random() % 8));
    }
    run_one(data, size);
    for (size_t k = count; k-- > 0;) data[at[k]] = old[k];
  }
}

static int run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  long size = -1;
  if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
  if (size < 0 || size > (64L << 20)) {
    fprintf(stderr, "%s: cannot be read, or larger than 64 MiB\n", path);
    if (file) fclose(file);
    return 1;
  }
  rewind(file);
  uint8_t *data = malloc((size_t)size + 1);
  int failed = !data || fread(data, 1, (size_t)size, file) != (size_t)size;
  fclose(file);
  if (failed)
    fprintf(stderr, "%s: cannot be read\n", path);
  else
    run_variants(data, (size_t)size);
  free(data);
  return failed;
}

static int run_path(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    fclose(file);
    return run_file(path);
  }
  int failed = 0;
  char name[4096];
  for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    failed += length < 0 || (size_t)length >= sizeof name || run_file(name);
  }
  closedir(folder);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0;
  for (int i = 1; i < argc; i++) failed += run_path(argv[i]);
  run_one(NULL, 0);
  for (int i = 0; i < MADE_UP; i++) {
    uint8_t bytes[64];
    size_t size = next_random() % sizeof bytes;
    for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)next_random();
    run_one(bytes, size);
  }
  printf("%lu inputs\n", inputs);
  return failed != 0;
}
