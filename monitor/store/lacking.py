"""What a query's joules lack or hold beside its own work, as conditions in SQL.

``{q}`` is the query's row. Sums have the same as literals of their own, which belong to migrations;
see :mod:`monitor.store.sums`.
"""

from monitor.energy.beside import MATTERS

PARTLY_READ = "({q}.partly_read is 1 and {q}.energy_j is not null)"
"""It has an energy, which lacks a part that was not read."""

UNREAD = "({q}.energy_j is null and ifnull({q}.total_s, 0) > 0)"
"""It ran, but nothing was read of it. One that ended before its first token drew nothing that
counts; see :attr:`monitor.store.records.QueryRecord.is_unread`."""

DISTURBED = f"(ifnull({{q}}.others, 0) > {MATTERS} or {{q}}.shared is not null)"
"""Others computed meanwhile, whose joules its bill holds; see
:class:`monitor.energy.beside.Beside`."""
