"""Joules: the bill of a span of time, and how sure it is."""
