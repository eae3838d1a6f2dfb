"""The model library: what is on this machine, and what can be fetched."""
