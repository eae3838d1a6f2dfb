"""Grams: what a joule emits where this machine stands."""
