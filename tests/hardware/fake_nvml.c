/* A fake libnvidia-ml.so.1: GPUs that follow the power curves of a script.
 *
 * The file named by FAKE_NVML_SCRIPT is read at every nvmlInit; nvml.py writes it. It has one
 * "key value" per line. All its numbers are integers, since strtod would read "1.5" as 1 in
 * some locales: times in ns, power in uW. Inside, times are seconds since the script's epoch
 * (CLOCK_MONOTONIC) and power is in watts. Layouts and symbol names are those that nvidia-ml-py
 * calls. Calls are not guarded against an nvmlInit in another thread.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_GPUS 16
#define MAX_STEPS 4096 /* nvml.py refuses longer curves. */
#define TEXT_SIZE 96

typedef enum {
  SUCCESS = 0,
  UNINITIALIZED = 1,
  INVALID_ARGUMENT = 2,
  NOT_SUPPORTED = 3,
  NO_PERMISSION = 4,
  NOT_FOUND = 6,
  INSUFFICIENT_SIZE = 7,
  DRIVER_NOT_LOADED = 9,
  GPU_IS_LOST = 15,
  UNKNOWN = 999,
} Result;

enum { FIELD_TOTAL_ENERGY = 83, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186 };
enum { VALUE_UNSIGNED_INT = 1, VALUE_UNSIGNED_LONG_LONG = 3 };

typedef struct {
  uint32_t field_id;
  uint32_t scope_id;
  int64_t timestamp_us;
  int64_t latency_us;
  uint32_t value_type;
  uint32_t result;
  union {
    unsigned int ui;
    unsigned long long ull;
  } value;
} FieldValue;

typedef struct {
  char bus_id_legacy[16];
  unsigned int domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
} PciInfo;

typedef struct {
  unsigned long long total, free, used;
} Memory;

typedef struct {
  unsigned int version;
  unsigned long long total, reserved, free, used;
} MemoryV2;

typedef struct {
  unsigned int gpu, memory;
} Utilization;

typedef struct {
  unsigned int version, sensor;
  int temperature;
} Temperature;

typedef struct {
  char name[TEXT_SIZE], uuid[TEXT_SIZE], pci_bus_id[TEXT_SIZE];
  int has_energy, has_power, has_instant;
  double average_s, energy_step_s, lost_from_s, lost_until_s;
  long long limit_mw, energy_start_mj, memory_total, memory_used;
  long long architecture, major, minor, temperature_c, utilization;
  int steps;
  double step_s[MAX_STEPS], step_w[MAX_STEPS];
} Gpu;

static Gpu gpus[MAX_GPUS];
static unsigned int gpu_count;
static int init_count;
static Result init_error;
static double epoch_s;

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - epoch_s;
}

/* Joules between two times; the first step's power also holds before 0. */
static double energy_j(const Gpu *gpu, double start_s, double end_s) {
  double sum_j = 0;
  for (int i = 0; i < gpu->steps; i++) {
    double from_s = i == 0 ? start_s : fmax(start_s, gpu->step_s[i]);
    double to_s = i + 1 == gpu->steps ? end_s : fmin(end_s, gpu->step_s[i + 1]);
    if (to_s > from_s) sum_j += (to_s - from_s) * gpu->step_w[i];
  }
  return sum_j;
}

static unsigned int instant_mw(const Gpu *gpu) {
  double time_s = now_s();
  int i = 0;
  while (i + 1 < gpu->steps && gpu->step_s[i + 1] <= time_s) i++;
  return (unsigned int)lround(1e3 * gpu->step_w[i]);
}

static unsigned int average_mw(const Gpu *gpu) {
  if (gpu->average_s <= 0) return instant_mw(gpu);
  double time_s = now_s();
  return (unsigned int)lround(1e3 * energy_j(gpu, time_s - gpu->average_s, time_s) /
                              gpu->average_s);
}

static unsigned long long total_mj(const Gpu *gpu) {
  double time_s = fmax(now_s(), 0);
  if (gpu->energy_step_s > 0) time_s = floor(time_s / gpu->energy_step_s) * gpu->energy_step_s;
  return (unsigned long long)gpu->energy_start_mj +
         (unsigned long long)(1e3 * energy_j(gpu, 0, time_s));
}

/* Script. */

static void set(Gpu *gpu, const char *key, char *text) {
  char *rest;
  long long value = strtoll(text, &rest, 10);
  double seconds = 1e-9 * (double)value;
  struct {
    const char *key;
    char *text;
    int *flag;
    double *seconds;
    long long *number;
  } entries[] = {
      {"name", gpu->name, 0, 0, 0},
      {"uuid", gpu->uuid, 0, 0, 0},
      {"pci_bus_id", gpu->pci_bus_id, 0, 0, 0},
      {"has_energy", 0, &gpu->has_energy, 0, 0},
      {"has_power", 0, &gpu->has_power, 0, 0},
      {"has_instant", 0, &gpu->has_instant, 0, 0},
      {"average_ns", 0, 0, &gpu->average_s, 0},
      {"energy_step_ns", 0, 0, &gpu->energy_step_s, 0},
      {"lost_from_ns", 0, 0, &gpu->lost_from_s, 0},
      {"lost_until_ns", 0, 0, &gpu->lost_until_s, 0},
      {"limit_mw", 0, 0, 0, &gpu->limit_mw},
      {"energy_start_mj", 0, 0, 0, &gpu->energy_start_mj},
      {"memory_total_bytes", 0, 0, 0, &gpu->memory_total},
      {"memory_used_bytes", 0, 0, 0, &gpu->memory_used},
      {"architecture", 0, 0, 0, &gpu->architecture},
      {"compute_major", 0, 0, 0, &gpu->major},
      {"compute_minor", 0, 0, 0, &gpu->minor},
      {"temperature_c", 0, 0, 0, &gpu->temperature_c},
      {"utilization_percent", 0, 0, 0, &gpu->utilization},
  };
  if (!strcmp(key, "step") && gpu->steps < MAX_STEPS) {
    gpu->step_s[gpu->steps] = seconds;
    gpu->step_w[gpu->steps++] = 1e-6 * (double)strtoll(rest, 0, 10);
    return;
  }
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (strcmp(key, entries[i].key)) continue;
    if (entries[i].text) snprintf(entries[i].text, TEXT_SIZE, "%s", text);
    if (entries[i].flag) *entries[i].flag = value != 0;
    if (entries[i].seconds) *entries[i].seconds = seconds;
    if (entries[i].number) *entries[i].number = value;
    return;
  }
  fprintf(stderr, "fake_nvml: cannot use key %s\n", key);
}

static Result load(void) {
  const char *path = getenv("FAKE_NVML_SCRIPT");
  FILE *file = path ? fopen(path, "r") : 0;
  char line[256];
  if (!file) {
    fprintf(stderr, "fake_nvml: FAKE_NVML_SCRIPT names no readable file\n");
    return UNKNOWN;
  }
  gpu_count = 0;
  init_error = SUCCESS;
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *text = strchr(line, ' ');
    if (text) {
      *text++ = 0;
    } else {
      text = line + strlen(line);
    }
    if (!strcmp(line, "epoch_ns")) {
      epoch_s = 1e-9 * (double)strtoll(text, 0, 10);
    } else if (!strcmp(line, "init_error")) {
      init_error = (Result)strtoll(text, 0, 10);
    } else if (!strcmp(line, "gpu") && gpu_count < MAX_GPUS) {
      memset(&gpus[gpu_count], 0, sizeof *gpus);
      gpus[gpu_count].lost_from_s = gpus[gpu_count].lost_until_s = INFINITY;
      gpu_count++;
    } else if (gpu_count > 0) {
      set(&gpus[gpu_count - 1], line, text);
    }
  }
  fclose(file);
  return init_error;
}

/* System calls of NVML. */

Result nvmlInitWithFlags(unsigned int flags) {
  (void)flags;
  Result result = load();
  if (result == SUCCESS) init_count++;
  return result;
}

Result nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

Result nvmlInit(void) { return nvmlInitWithFlags(0); }

Result nvmlShutdown(void) {
  if (init_count == 0) return UNINITIALIZED;
  init_count--;
  return SUCCESS;
}

const char *nvmlErrorString(Result result) {
  switch (result) {
    case SUCCESS: return "The operation was successful";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    default: return "Unknown Error";
  }
}

static Result copy(const char *text, char *buffer, unsigned int size) {
  if (strlen(text) >= size) return INSUFFICIENT_SIZE;
  strcpy(buffer, text);
  return SUCCESS;
}

static Result system_text(const char *text, char *buffer, unsigned int size) {
  return init_count > 0 ? copy(text, buffer, size) : UNINITIALIZED;
}

Result nvmlSystemGetDriverVersion(char *version, unsigned int size) {
  return system_text("580.65.06", version, size);
}

Result nvmlSystemGetNVMLVersion(char *version, unsigned int size) {
  return system_text("13.580.65.06", version, size);
}

Result nvmlDeviceGetCount_v2(unsigned int *count) {
  if (init_count == 0) return UNINITIALIZED;
  *count = gpu_count;
  return SUCCESS;
}

/* Device calls of NVML. */

static Result check(const Gpu *gpu) {
  if (init_count == 0) return UNINITIALIZED;
  if (gpu < gpus || gpu >= gpus + gpu_count) return INVALID_ARGUMENT;
  double time_s = now_s();
  return time_s >= gpu->lost_from_s && time_s < gpu->lost_until_s ? GPU_IS_LOST : SUCCESS;
}

/* Stores a value if the device answers and supports it. */
#define ANSWER(gpu, supported, target, value)    \
  do {                                           \
    Result checked = check(gpu);                 \
    if (checked != SUCCESS) return checked;      \
    if (!(supported)) return NOT_SUPPORTED;      \
    *(target) = (value);                         \
    return SUCCESS;                              \
  } while (0)

Result nvmlDeviceGetHandleByIndex_v2(unsigned int index, Gpu **handle) {
  if (init_count > 0 && index >= gpu_count) return INVALID_ARGUMENT;
  ANSWER(&gpus[index], 1, handle, &gpus[index]);
}

Result nvmlDeviceGetName(Gpu *gpu, char *buffer, unsigned int size) {
  Result result = check(gpu);
  return result == SUCCESS ? copy(gpu->name, buffer, size) : result;
}

Result nvmlDeviceGetUUID(Gpu *gpu, char *buffer, unsigned int size) {
  Result result = check(gpu);
  return result == SUCCESS ? copy(gpu->uuid, buffer, size) : result;
}

Result nvmlDeviceGetPciInfo_v3(Gpu *gpu, PciInfo *info) {
  Result result = check(gpu);
  if (result != SUCCESS) return result;
  memset(info, 0, sizeof *info);
  sscanf(gpu->pci_bus_id, "%x:%x:%x", &info->domain, &info->bus, &info->device);
  snprintf(info->bus_id, sizeof info->bus_id, "%.31s", gpu->pci_bus_id);
  snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0",
           info->domain & 0xffff, info->bus & 0xff, info->device & 0xff);
  info->device_id = 0x268410de;
  return SUCCESS;
}

Result nvmlDeviceGetTotalEnergyConsumption(Gpu *gpu, unsigned long long *energy_mj) {
  ANSWER(gpu, gpu->has_energy, energy_mj, total_mj(gpu));
}

Result nvmlDeviceGetPowerUsage(Gpu *gpu, unsigned int *power_mw) {
  ANSWER(gpu, gpu->has_power, power_mw, average_mw(gpu));
}

static void fill(const Gpu *gpu, FieldValue *field) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  field->timestamp_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
  field->latency_us = 0;
  field->value_type = VALUE_UNSIGNED_INT;
  field->value.ull = 0;
  field->result = SUCCESS;
  /* Scope 0 is the GPU; its memory and module have no sensor of their own here. */
  unsigned int wanted = field->scope_id == 0 ? field->field_id : 0;
  if (wanted == FIELD_POWER_INSTANT && gpu->has_instant) {
    field->value.ui = instant_mw(gpu);
  } else if (wanted == FIELD_POWER_AVERAGE && gpu->has_power) {
    field->value.ui = average_mw(gpu);
  } else if (wanted == FIELD_TOTAL_ENERGY && gpu->has_energy) {
    field->value_type = VALUE_UNSIGNED_LONG_LONG;
    field->value.ull = total_mj(gpu);
  } else {
    field->result = NOT_SUPPORTED;
  }
}

Result nvmlDeviceGetFieldValues(Gpu *gpu, int count, FieldValue *fields) {
  Result result = check(gpu);
  for (int i = 0; result == SUCCESS && i < count; i++) fill(gpu, &fields[i]);
  return result;
}

Result nvmlDeviceGetEnforcedPowerLimit(Gpu *gpu, unsigned int *limit_mw) {
  ANSWER(gpu, 1, limit_mw, (unsigned int)gpu->limit_mw);
}

static Memory memory_of(const Gpu *gpu) {
  unsigned long long total = (unsigned long long)gpu->memory_total;
  unsigned long long used = (unsigned long long)gpu->memory_used;
  return (Memory){total, total - used, used};
}

Result nvmlDeviceGetMemoryInfo(Gpu *gpu, Memory *memory) {
  ANSWER(gpu, 1, memory, memory_of(gpu));
}

Result nvmlDeviceGetMemoryInfo_v2(Gpu *gpu, MemoryV2 *memory) {
  Memory seen = memory_of(gpu);
  ANSWER(gpu, 1, memory, ((MemoryV2){memory->version, seen.total, 0, seen.free, seen.used}));
}

Result nvmlDeviceGetUtilizationRates(Gpu *gpu, Utilization *rates) {
  ANSWER(gpu, 1, rates, ((Utilization){(unsigned int)gpu->utilization, 0}));
}

Result nvmlDeviceGetTemperature(Gpu *gpu, unsigned int sensor, unsigned int *temperature_c) {
  ANSWER(gpu, sensor == 0, temperature_c, (unsigned int)gpu->temperature_c);
}

Result nvmlDeviceGetTemperatureV(Gpu *gpu, Temperature *reading) {
  ANSWER(gpu, reading->sensor == 0, &reading->temperature, (int)gpu->temperature_c);
}

Result nvmlDeviceGetArchitecture(Gpu *gpu, unsigned int *architecture) {
  ANSWER(gpu, 1, architecture, (unsigned int)gpu->architecture);
}

Result nvmlDeviceGetCudaComputeCapability(Gpu *gpu, int *major, int *minor) {
  Result result = check(gpu);
  if (result != SUCCESS) return result;
  *major = (int)gpu->major;
  *minor = (int)gpu->minor;
  return SUCCESS;
}

Result nvmlDeviceGetMigMode(Gpu *gpu, unsigned int *current, unsigned int *pending) {
  (void)pending;
  ANSWER(gpu, 0, current, 0);
}
