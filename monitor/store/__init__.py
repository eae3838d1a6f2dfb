"""The history: one SQLite file holding every query and what it cost."""
