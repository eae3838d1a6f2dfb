/* A fake libnvidia-ml.so.1: GPUs that follow the power curves of a script.
 *
 * The file named by FAKE_NVML_SCRIPT is read at every nvmlInit; nvml.py writes it. It has one
 * "key value" per line. All its numbers are integers, since strtod would read "1.5" as 1 in
 * some locales: times in ns, power in uW or mW. Inside, times are seconds since the script's
 * epoch (CLOCK_MONOTONIC) and power is in watts. Symbols and layouts are those that
 * nvidia-ml-py uses. Calls are not guarded against an nvmlInit in another thread.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fake_nvml_gpu.h"

enum { SCOPE_GPU = 0, SCOPE_MODULE = 1, SCOPE_MEMORY = 2, CLOCK_SM = 1 };
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

static int init_count;
static unsigned int inits;

/* The build hides all other symbols, which could clash with the test process's own. */
#pragma GCC visibility push(default)

/* For the tests: what was asked of the library, which a sleeping GPU must not notice. */

unsigned int fakeInits(void) { return inits; }

unsigned int fakeHandlesGiven(unsigned int index) {
  return index < gpu_count ? gpus[index].handles_given : 0;
}

/* System calls of NVML. */

Result nvmlInitWithFlags(unsigned int flags) {
  (void)flags;
  inits++;
  Result result = load_script(init_count == 0);
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
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    case NO_DATA: return "No data";
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
  return state_of(gpu);
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
  if (init_count > 0) gpus[index].handles_given++;
  ANSWER(&gpus[index], 1, handle, &gpus[index]);
}

static int same_address(const char *one, const char *other) {
  unsigned int domain[2], bus[2], device[2];
  if (sscanf(one, "%x:%x:%x", domain, bus, device) != 3) return 0;
  if (sscanf(other, "%x:%x:%x", domain + 1, bus + 1, device + 1) != 3) return 0;
  return domain[0] == domain[1] && bus[0] == bus[1] && device[0] == device[1];
}

Result nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, Gpu **handle) {
  if (init_count == 0) return UNINITIALIZED;
  for (unsigned int i = 0; i < gpu_count; i++) {
    if (same_address(bus_id, gpus[i].pci_bus_id)) return nvmlDeviceGetHandleByIndex_v2(i, handle);
  }
  return NOT_FOUND;
}

Result nvmlDeviceGetIndex(Gpu *gpu, unsigned int *index) {
  ANSWER(gpu, 1, index, (unsigned int)(gpu - gpus));
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

/* Averaged watts are a field from Ampere on, but for GA100 (nvmlFieldValueEnums). */
static int has_average(const Gpu *gpu) {
  return gpu->has_power && (gpu->major > 8 || (gpu->major == 8 && gpu->minor > 0));
}

static void fill(const Gpu *gpu, FieldValue *field) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  field->timestamp_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
  field->latency_us = 0;
  field->value_type = VALUE_UNSIGNED_INT;
  field->value.ull = 0;
  field->result = SUCCESS;
  unsigned int wanted = field->field_id;
  int is_instant = wanted == FIELD_POWER_INSTANT && gpu->has_instant;
  int is_average = wanted == FIELD_POWER_AVERAGE && has_average(gpu);
  unsigned int gpu_mw = is_average ? average_mw(gpu) : instant_mw(gpu);
  /* Drivers before the scopes look at none of them. */
  unsigned int scope = gpu->one_scope ? SCOPE_GPU : field->scope_id;
  if (scope == SCOPE_MEMORY && is_average && gpu->memory_mw) {
    field->value.ui = (unsigned int)gpu->memory_mw;
  } else if (scope == SCOPE_MODULE && (is_instant || is_average) && gpu->module_extra_mw) {
    field->value.ui = gpu_mw + (unsigned int)gpu->module_extra_mw;
  } else if (scope != SCOPE_GPU) {
    field->result = NOT_SUPPORTED;
  } else if (is_instant || is_average) {
    field->value.ui = is_instant && gpu->zero_instant ? 0 : gpu_mw;
  } else if (wanted == FIELD_TOTAL_ENERGY && gpu->has_energy && gpu->energy_field_scale > 0) {
    field->value_type = VALUE_UNSIGNED_LONG_LONG;
    field->value.ull = (unsigned long long)(gpu->energy_field_scale * (double)total_mj(gpu));
  } else {
    field->result = NOT_SUPPORTED;
  }
}

Result nvmlDeviceGetFieldValues(Gpu *gpu, int count, FieldValue *fields) {
  Result result = check(gpu);
  if (result == SUCCESS && !gpu->has_fields) result = FUNCTION_NOT_FOUND;
  if (result != SUCCESS && result != INVALID_ARGUMENT && gpu->lost_by_field) {
    for (int i = 0; i < count; i++) fields[i].result = result;
    return SUCCESS;
  }
  if (result == SUCCESS && now_s() >= gpu->fields_until_s) return SUCCESS;
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
  ANSWER(gpu, gpu->has_gauges, memory, memory_of(gpu));
}

Result nvmlDeviceGetMemoryInfo_v2(Gpu *gpu, MemoryV2 *memory) {
  Memory seen;
  Result result = nvmlDeviceGetMemoryInfo(gpu, &seen);
  if (result != SUCCESS) return result;
  *memory = (MemoryV2){memory->version, seen.total, 0, seen.free, seen.used};
  return SUCCESS;
}

Result nvmlDeviceGetUtilizationRates(Gpu *gpu, Utilization *rates) {
  ANSWER(gpu, gpu->has_gauges, rates, ((Utilization){(unsigned int)gpu->utilization, 0}));
}

Result nvmlDeviceGetTemperature(Gpu *gpu, unsigned int sensor, unsigned int *temperature_c) {
  ANSWER(gpu, gpu->has_gauges && sensor == 0, temperature_c, (unsigned int)gpu->temperature_c);
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

Result nvmlDeviceGetClockInfo(Gpu *gpu, unsigned int clock, unsigned int *mhz) {
  ANSWER(gpu, gpu->has_gauges && clock == CLOCK_SM, mhz, (unsigned int)gpu->sm_clock_mhz);
}

Result nvmlDeviceGetCurrentClocksThrottleReasons(Gpu *gpu, unsigned long long *reasons) {
  ANSWER(gpu, gpu->has_gauges, reasons, (unsigned long long)gpu->event_reasons);
}

/* A driver without this call cannot be told from one that says so. */
Result nvmlDeviceGetCurrentClocksEventReasons(Gpu *gpu, unsigned long long *reasons) {
  if (!gpu->has_event_reasons) return FUNCTION_NOT_FOUND;
  return nvmlDeviceGetCurrentClocksThrottleReasons(gpu, reasons);
}

Result nvmlDeviceGetMigMode(Gpu *gpu, unsigned int *current, unsigned int *pending) {
  *pending = gpu->mig_mode > 0;
  ANSWER(gpu, gpu->mig_mode >= 0, current, (unsigned int)gpu->mig_mode);
}

#pragma GCC visibility pop
