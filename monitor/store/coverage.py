"""Of which queries a part was not read.

Part of the migrations of :mod:`monitor.store.schema`; never edited once released. What is stored
since then is marked by :func:`monitor.store.outcomes.update_query`.
"""

from sqlite_utils import Database

from monitor.store.sums import COUNTED

PARTLY_READ = (
    "select started_ms from (select b.started_ms from bills b "
    f"join channels c on c.id = b.channel_id where {COUNTED} and b.started_ms in "
    "(select started_ms from bills where coverage < 0.9) group by b.started_ms, c.key "
    "having sum(b.coverage * b.duration_s) < 0.9 * sum(b.duration_s))"
)
"""The queries with a part of which less than nine tenths were read; see
:func:`monitor.energy.parts.partly_read`."""


def know_coverage(db: Database) -> None:
    """Mark the queries of which not every part was read."""
    db.execute("alter table queries add column partly_read integer")
    db.execute(f"update queries set partly_read = 1 where started_ms in ({PARTLY_READ})")
