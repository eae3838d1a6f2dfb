"""Benchmarks: tasks, how they are scored, suites of them, and what running them cost."""
