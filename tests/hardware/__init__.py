"""Fake machines for the tests: a live sysfs tree, a fake NVML, and the truth behind both."""
