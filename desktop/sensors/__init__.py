"""The sensors page."""
