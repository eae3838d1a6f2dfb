"""Getting the history out, and others' figures in: tables, cards, reports, capsules."""
