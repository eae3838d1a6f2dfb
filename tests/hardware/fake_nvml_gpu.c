/* The GPUs of the fake NVML: reading their script, and their power and energy by now. */
#include "fake_nvml_gpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BANKS = 4 };
static Gpu banks[BANKS][MAX_GPUS];
Gpu *gpus = banks[0];
static unsigned int bank;
unsigned int gpu_count;
static double epoch_s;
/* When NVML was initialised last while nobody used it. */
static double fresh_s;

double now_s(void) {
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

unsigned int instant_mw(const Gpu *gpu) {
  double time_s = now_s();
  if (gpu->power_step_s > 0) time_s = floor(time_s / gpu->power_step_s) * gpu->power_step_s;
  int i = 0;
  while (i + 1 < gpu->steps && gpu->step_s[i + 1] <= time_s) i++;
  return (unsigned int)lround(1e3 * gpu->step_w[i]);
}

unsigned int average_mw(const Gpu *gpu) {
  if (gpu->average_s <= 0) return instant_mw(gpu);
  double time_s = now_s();
  return (unsigned int)lround(1e3 * energy_j(gpu, time_s - gpu->average_s, time_s) /
                              gpu->average_s);
}

/* Keeps this thread's processor busy, as drivers do that wait for the card's own processor. */
static void spin(double seconds) {
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  double until_s = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec + seconds;
  while ((double)used.tv_sec + 1e-9 * (double)used.tv_nsec < until_s)
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
}

unsigned long long total_mj(const Gpu *gpu) {
  if (gpu->energy_cost_s > 0) spin(gpu->energy_cost_s);
  double time_s = fmin(fmax(now_s(), 0), gpu->frozen_from_s);
  if (gpu->energy_step_s > 0) time_s = floor(time_s / gpu->energy_step_s) * gpu->energy_step_s;
  return (unsigned long long)gpu->energy_start_mj +
         (unsigned long long)(1e3 * gpu->energy_scale * energy_j(gpu, 0, time_s));
}

Result state_of(const Gpu *gpu) {
  double time_s = now_s();
  if (time_s < gpu->lost_from_s) return SUCCESS;
  int is_back = time_s >= gpu->lost_until_s;
  if (gpu->lost_until_init) is_back = is_back && fresh_s >= gpu->lost_until_s;
  return is_back ? SUCCESS : (Result)gpu->lost_error;
}

/* Takes one line of the script into a GPU. */
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
      {"zero_instant", 0, &gpu->zero_instant, 0, 0},
      {"has_fields", 0, &gpu->has_fields, 0, 0},
      {"one_scope", 0, &gpu->one_scope, 0, 0},
      {"has_gauges", 0, &gpu->has_gauges, 0, 0},
      {"has_event_reasons", 0, &gpu->has_event_reasons, 0, 0},
      {"lost_by_field", 0, &gpu->lost_by_field, 0, 0},
      {"lost_until_init", 0, &gpu->lost_until_init, 0, 0},
      {"average_ns", 0, 0, &gpu->average_s, 0},
      {"power_step_ns", 0, 0, &gpu->power_step_s, 0},
      {"energy_step_ns", 0, 0, &gpu->energy_step_s, 0},
      {"energy_cost_ns", 0, 0, &gpu->energy_cost_s, 0},
      {"energy_scale_e9", 0, 0, &gpu->energy_scale, 0},
      {"energy_field_scale_e9", 0, 0, &gpu->energy_field_scale, 0},
      {"frozen_from_ns", 0, 0, &gpu->frozen_from_s, 0},
      {"lost_from_ns", 0, 0, &gpu->lost_from_s, 0},
      {"lost_until_ns", 0, 0, &gpu->lost_until_s, 0},
      {"fields_until_ns", 0, 0, &gpu->fields_until_s, 0},
      {"limit_mw", 0, 0, 0, &gpu->limit_mw},
      {"energy_start_mj", 0, 0, 0, &gpu->energy_start_mj},
      {"memory_total_bytes", 0, 0, 0, &gpu->memory_total},
      {"memory_used_bytes", 0, 0, 0, &gpu->memory_used},
      {"architecture", 0, 0, 0, &gpu->architecture},
      {"compute_major", 0, 0, 0, &gpu->major},
      {"compute_minor", 0, 0, 0, &gpu->minor},
      {"temperature_c", 0, 0, 0, &gpu->temperature_c},
      {"utilization_percent", 0, 0, 0, &gpu->utilization},
      {"memory_mw", 0, 0, 0, &gpu->memory_mw},
      {"module_extra_mw", 0, 0, 0, &gpu->module_extra_mw},
      {"sm_clock_mhz", 0, 0, 0, &gpu->sm_clock_mhz},
      {"event_reasons", 0, 0, 0, &gpu->event_reasons},
      {"mig_mode", 0, 0, 0, &gpu->mig_mode},
      {"lost_error", 0, 0, 0, &gpu->lost_error},
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

Result load_script(int fresh) {
  const char *path = getenv("FAKE_NVML_SCRIPT");
  Result init_error = SUCCESS;
  FILE *file = path ? fopen(path, "r") : 0;
  char line[256];
  if (!file) {
    fprintf(stderr, "fake_nvml: FAKE_NVML_SCRIPT names no readable file\n");
    return UNKNOWN;
  }
  if (fresh) gpus = banks[++bank % BANKS];
  gpu_count = 0;
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
      gpus[gpu_count].frozen_from_s = gpus[gpu_count].fields_until_s = INFINITY;
      gpus[gpu_count].energy_scale = gpus[gpu_count].energy_field_scale = 1;
      gpus[gpu_count].lost_error = GPU_IS_LOST;
      gpus[gpu_count].mig_mode = -1;
      gpu_count++;
    } else if (gpu_count > 0) {
      set(&gpus[gpu_count - 1], line, text);
    }
  }
  fclose(file);
  if (fresh) fresh_s = now_s();
  return init_error;
}
