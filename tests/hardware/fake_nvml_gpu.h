/* The GPUs of the fake NVML and the script they follow. See fake_nvml.c for the units. */
#ifndef FAKE_NVML_GPU_H_
#define FAKE_NVML_GPU_H_

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

typedef struct {
  char name[TEXT_SIZE], uuid[TEXT_SIZE], pci_bus_id[TEXT_SIZE];
  int has_energy, has_power, has_instant;
  double average_s, energy_step_s, lost_from_s, lost_until_s;
  long long limit_mw, energy_start_mj, memory_total, memory_used;
  long long architecture, major, minor, temperature_c, utilization;
  int steps;
  double step_s[MAX_STEPS], step_w[MAX_STEPS];
} Gpu;

extern Gpu gpus[MAX_GPUS];
extern unsigned int gpu_count;

/* Reads the script; the result is what nvmlInit is to return. */
Result load_script(void);

/* Time in seconds since the script's epoch. */
double now_s(void);

unsigned int instant_mw(const Gpu *gpu);
unsigned int average_mw(const Gpu *gpu);
unsigned long long total_mj(const Gpu *gpu);

#endif
