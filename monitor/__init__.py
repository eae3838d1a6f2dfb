"""Measure, run and record: everything LlamaWatt does without a window. Imports no Qt."""

from importlib.metadata import version

__version__ = version("llamawatt")
