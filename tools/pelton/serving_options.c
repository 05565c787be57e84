/* The options of a server under load: read and checked before anything is built. */
#include "serving.h"

#include <string.h>

enum { MOST_DEVICE = 1023, MOST_AT_ONCE = 4096 };

/* Digits alone, |least| to |most|; nothing else, and no sign. */
static bool read_number(const char *text, size_t size, uint32_t least, uint32_t most, uint32_t *out) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9' || value > most) return false;
    value = 10 * value + (uint32_t)(text[i] - '0');
  }
  *out = value;
  return size > 0 && value >= least && value <= most;
}

/* Numbers with commas between; |what| is what they are of. */
static bool read_numbers(const char *name, const char *text, const char *what, uint32_t least, uint32_t most,
                         numbers *out) {
  out->count = 0;
  for (const char *at = text;; at++) {
    const size_t size = strcspn(at, ",");
    uint32_t value;
    if (!read_number(at, size, least, most, &value)) {
      print_error("--%s %s: '%.*s' is no %s; give numbers from %u to %u with commas between%s", name, text, (int)size, at,
                  what, (unsigned)least, (unsigned)most, least ? "" : ", or all");
      return false;
    }
    if (out->count == MOST_NUMBERS) {
      print_error("--%s %s: at most %d numbers", name, text, (int)MOST_NUMBERS);
      return false;
    }
    out->data[out->count++] = value;
    at += size;
    if (!*at) return true;
  }
}

static bool read_devices(serving_options *o) {
  o->on_all = o->devices && !strcmp(o->devices, "all");
  if (!o->devices || o->on_all) return true;
  if (!read_numbers("devices", o->devices, "device", 0, MOST_DEVICE, &o->device)) return false;
  for (uint32_t i = 0; i < o->device.count; i++)
    for (uint32_t k = 0; k < i; k++)
      if (o->device.data[i] == o->device.data[k]) {
        print_error("--devices %s: device %u is named twice", o->devices, (unsigned)o->device.data[i]);
        return false;
      }
  return true;
}

/* N, N:trap, N:reset */
static bool read_loss(serving_options *o) {
  if (!o->lose_device) return true;
  const size_t size = strcspn(o->lose_device, ":");
  const char *how = o->lose_device + size;
  o->lose_by_reset = !strcmp(how, ":reset");
  if (read_number(o->lose_device, size, 0, MOST_DEVICE, &o->lost) && (!*how || !strcmp(how, ":trap") || o->lose_by_reset))
    return true;
  print_error("--lose-device takes N, N:trap or N:reset with a device from 0 to %d, not '%s'", (int)MOST_DEVICE,
              o->lose_device);
  return false;
}

bool serving_has(const numbers *devices, uint32_t device) {
  for (uint32_t i = 0; i < devices->count; i++)
    if (devices->data[i] == device) return true;
  return false;
}

/* What the cpu, if |target| is that already, has not. */
static bool fits_target(const serving_options *o, const char *target) {
  if (!target || strcmp(target, "cpu") != 0) return true;
  for (uint32_t i = 0; i < o->device.count; i++)
    if (o->device.data[i]) {
      print_error("--devices %s: target cpu has one device, 0: there is no device %u", o->devices,
                  (unsigned)o->device.data[i]);
      return false;
    }
  if (o->lose_device) print_error("--lose-device %s: only devices of the target cuda can be broken", o->lose_device);
  return !o->lose_device;
}

int serving_prepare(serving_options *o, const char *target, int64_t device) {
  if (!read_devices(o) || !read_loss(o)) return EXIT_USAGE;
  o->at_once = (numbers){{1}, 1};
  if (o->concurrency && !read_numbers("concurrency", o->concurrency, "number of requests", 1, MOST_AT_ONCE, &o->at_once))
    return EXIT_USAGE;
  const char *lone = o->contexts > 0 ? "contexts" : o->retries >= 0 ? "retries" : o->pinned ? "pinned" : NULL;
  if (lone && !serving_is_asked(o)) {
    print_error("--%s is about serving: give --devices or --concurrency with it", lone);
    return EXIT_USAGE;
  }
  if (o->devices && device >= 0) {
    print_error("--device %lld and --devices %s: give one of them", (long long)device, o->devices);
    return EXIT_USAGE;
  }
  const numbers own = {{(uint32_t)(device > 0 ? device : 0)}, 1};
  if (o->lose_device && !o->on_all && !serving_has(o->devices ? &o->device : &own, o->lost)) {
    print_error("--lose-device %s: device %u does not serve, %s%s", o->lose_device, (unsigned)o->lost,
                o->devices ? "--devices is " : "name it in --devices", o->devices ? o->devices : "");
    return EXIT_USAGE;
  }
  return fits_target(o, target) ? EXIT_DONE : EXIT_USAGE;
}
