"""What the engine's process may be started with."""

PLAIN = "--plain"
"""Weights stay as they are in the file: not repacked for the processor's matrix units or wider
vectors (llama.cpp's ``use_extra_bufts``)."""
