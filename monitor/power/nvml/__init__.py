"""What the source ``nvml`` is made of: what one GPU tells, its watts and what explains them."""
