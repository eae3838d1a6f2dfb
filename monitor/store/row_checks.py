"""Rows that can be read and yet cannot be right; damaged pages are
:func:`monitor.store.copies.problems_of`'s."""

import sqlite3
from collections.abc import Callable

from monitor.store.copies import stoppable

MOST = 20
"""So many of a kind are told."""


def lost_references(connection: sqlite3.Connection, cancelled: Callable[[], bool]) -> list[str]:
    """Return which tables refer to rows that are not there.

    :raises StoreStopped: if cancelled
    """
    with stoppable(connection, cancelled):
        found = connection.execute("pragma foreign_key_check").fetchmany(MOST)
    return [
        f"{table} refers to rows of {parent} that are not there" for table, _, parent, _ in found
    ]


def lost_days(connection: sqlite3.Connection, cancelled: Callable[[], bool]) -> list[str]:
    """Return which queries have a day that is no date.

    Nothing of them that is summed can be changed, nor can they be deleted, until
    :func:`monitor.store.kept_sums.mend_days` has given them one.

    :raises StoreStopped: if cancelled
    """
    columns = [row[1] for row in connection.execute("pragma table_info(queries)")]
    if "day" not in columns:
        return []  # of an earlier version, which told it from the beginning
    with stoppable(connection, cancelled):
        found = connection.execute(
            "select id, day from queries where day is not date(day) limit ?", [MOST]
        ).fetchall()
    return [
        f"query {query_id[-8:]}: its day should be a date, and is “{day}”"
        for query_id, day in found
    ]
