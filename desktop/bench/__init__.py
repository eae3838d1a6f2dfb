"""The benchmark page: choosing, running, and what came of it."""
