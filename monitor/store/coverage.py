"""Of which queries a part was not read, or others computed beside, counted by all sums.

Part of the migrations of :mod:`monitor.store.schema`; never edited once released. What is stored
since then is marked by :func:`monitor.store.outcomes.update_query`.
"""

from sqlite_utils import Database

from monitor.store.sums import COUNTED, LINES, SPANS, SUMS, create_triggers, drop_triggers

PARTLY_READ = (
    "select started_ms from (select b.started_ms from bills b "
    f"join channels c on c.id = b.channel_id where {COUNTED} and b.started_ms in "
    "(select started_ms from bills where coverage < 0.9) group by b.started_ms, c.key "
    "having sum(b.coverage * b.duration_s) < 0.9 * sum(b.duration_s))"
)
"""The queries with a part of which less than nine tenths were read; see
:func:`monitor.energy.parts.partly_read`."""


def know_coverage(db: Database) -> None:
    """Mark the queries of which not every part was read, and let sums count them."""
    db.execute("alter table queries add column partly_read integer")
    for table, column in (
        ("sums", "partly_read"),
        ("sums", "unread"),
        ("sums", "shared"),
        ("sums", "beside"),
        ("domain_sums", "unread"),
    ):
        db.execute(f"alter table {table} add column {column} integer not null default 0")
    drop_triggers(db)
    db.execute(f"update queries set partly_read = 1 where started_ms in ({PARTLY_READ})")
    for column in ("partly_read", "unread", "beside"):
        counted = SUMS[column].format(q="q")
        _count(db, "sums", column, "", "count(*)", f"where {counted}")
    _count(
        db,
        "domain_sums",
        "unread",
        ", domain",
        f"sum({LINES['unread'].format(q='q')})",
        "join bills b on b.started_ms = q.started_ms join channels c on c.id = b.channel_id "
        f"where {COUNTED} and q.partly_read",
    )
    create_triggers(db)


def _count(db: Database, table: str, column: str, domain: str, counted: str, source: str) -> None:
    """Enter how much was not read in the sums it belongs to; all others have none.

    :param domain: the rest of the sums' key
    :param counted: what is counted
    :param source: of the queries ``q``, or of the lines ``b`` of channels ``c``
    """
    key = f"facet_id, period, span{domain}"
    db.execute(
        f"with found ({key}, count) as (select m.member_of, l.period, "
        f"substr(q.day, 1, l.length){domain}, {counted} from {SPANS} l, facet_members m "
        f"join queries q on q.facet_id = m.facet_id {source} group by m.member_of, 2, 3{domain}) "
        f"update {table} as s set {column} = f.count from found f "
        f"where (s.{key.replace(', ', ', s.')}) = (f.{key.replace(', ', ', f.')})"
    )
