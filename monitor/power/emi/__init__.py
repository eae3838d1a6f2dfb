"""What the source ``emi`` is made of: a meter's answers, and which of its counters to believe."""
