"""What the source ``rapl`` is made of: two ways to the counters, and which of them to believe."""
