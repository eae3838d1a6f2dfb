/* The GPUs of the fake NVML and the script they follow. See fake_nvml.c for the units. */
#ifndef FAKE_NVML_GPU_H_
#define FAKE_NVML_GPU_H_

#define MAX_GPUS 16
#define MAX_STEPS 12288 /* nvml.py refuses longer curves. */
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
  FUNCTION_NOT_FOUND = 13,
  GPU_IS_LOST = 15,
  LIB_RM_VERSION_MISMATCH = 18,
  NO_DATA = 21,
  UNKNOWN = 999,
} Result;

typedef struct {
  char name[TEXT_SIZE], uuid[TEXT_SIZE], pci_bus_id[TEXT_SIZE];
  int has_energy, has_power, has_instant, zero_instant, one_scope, has_fields;
  int has_gauges, has_event_reasons, lost_until_init, lost_by_field;
  double average_s, power_step_s;
  double energy_step_s, energy_cost_s, energy_scale, energy_field_scale;
  double frozen_from_s, lost_from_s, lost_until_s, fields_until_s;
  long long limit_mw, energy_start_mj, memory_total, memory_used;
  long long architecture, major, minor, temperature_c, utilization;
  long long memory_mw, module_extra_mw; /* 0: the scope is not offered. */
  long long sm_clock_mhz, event_reasons, mig_mode, lost_error;
  unsigned int handles_given;
  int steps;
  double step_s[MAX_STEPS], step_w[MAX_STEPS];
} Gpu;

/* Those of the script read last; handles from before a fresh nvmlInit point to none of them. */
extern Gpu *gpus;
extern unsigned int gpu_count;

/* Reads the script; the result is what nvmlInit is to return. `fresh`: NVML was not in use. */
Result load_script(int fresh);

/* Whether the device answers now, and if not, with which error. */
Result state_of(const Gpu *gpu);

/* Time in seconds since the script's epoch. */
double now_s(void);

unsigned int instant_mw(const Gpu *gpu);
unsigned int average_mw(const Gpu *gpu);
unsigned long long total_mj(const Gpu *gpu);

#endif
