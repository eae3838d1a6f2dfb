"""Watts: the channels of this machine, sampled into traces."""
