"""Sums by day, month and facet, kept by the database, so that no chart reads a million rows.

A *facet* is what queries are filtered and grouped by: machine, model, kind, status, and whether
they were deleted. There are few of them however many queries there are. A facet that says ``*``
(``-1`` for a model) stands for all that is not deleted, whatever that column holds: of one machine,
of one model and kind, or altogether. ``facet_members`` tells which of those a query's own facet
counts towards; ``sums`` holds a facet's sums of each day (``2026-11-24``) and each month
(``2026-11``), ``domain_sums`` its joules by component. Triggers keep both true whoever writes to
the tables.

What is written here belongs to a migration: a change needs a later one that makes triggers anew,
and no constant that may change stands in it.
A column that a later one adds is named in :data:`LATER`; a file that lacks it yet, as one that is
being brought up to date or rescued, is summed without it.
"""

from collections.abc import Mapping
from itertools import combinations

from sqlite_utils import Database

ANY, ANY_MODEL = "*", -1

FACET = ("machine_id", "model_id", "kind", "status", "is_deleted")

FACET_VALUES = (
    "ifnull({q}.machine_id, ''), ifnull({q}.model_id, 0), {q}.kind, {q}.status, "
    "{q}.deleted_at is not null"
)

OWN = "machine_id <> '*' and model_id <> -1 and kind <> '*' and status <> '*'"
"""Condition for a facet that queries have themselves."""

TOLD_APART = ("machine_id", "model_id", "kind", "status")

MOST_TOLD = 2
"""Facets that stand for many leave all but so many of their columns open."""


def _levels(row: str) -> list[str]:
    """Return the facets above one as SQL, in the order of :data:`FACET`."""
    levels = []
    for count in range(MOST_TOLD + 1):
        for told in combinations(TOLD_APART, count):
            columns = (
                f"{row}.{name}" if name in told else "-1" if name == "model_id" else "'*'"
                for name in TOLD_APART
            )
            levels.append(f"{', '.join(columns)}, 0")
    return levels


FIGURE = "(g_per_kwh > 0 or source not like 'Ember yearly electricity data%')"
"""Condition for an intensity that is one: a year's 0 stands for a figure that is missing, see
:mod:`monitor.carbon.intensity`."""

SUMS = {
    "queries": "1",
    "measured": "{q}.energy_j is not null",
    "costed": "{q}.energy_j is not null and exists (select 1 from intensities "
    f"where id = {{q}}.intensity_id and {FIGURE})",
    "counted": "{q}.energy_kind is 'counter'",
    "integrated": "{q}.energy_kind is 'power'",
    "modelled": "{q}.energy_kind is 'modelled'",
    "energy_j": "ifnull({q}.energy_j, 0)",
    "energy_low_j": "ifnull({q}.energy_low_j, 0)",
    "energy_high_j": "ifnull({q}.energy_high_j, 0)",
    "grams": "ifnull({q}.energy_j * {q}.pue * (select g_per_kwh from intensities "
    "where id = {q}.intensity_id) / 3.6e6, 0)",
    "prompt_tokens": "ifnull({q}.prompt_tokens, 0)",
    "completion_tokens": "ifnull({q}.completion_tokens, 0)",
    "total_s": "ifnull({q}.total_s, 0)",
    # Only queries that know both take part in joules a token and tokens a second.
    "decode_j": "iif({q}.completion_tokens > 0, ifnull({q}.decode_j, 0), 0)",
    "decode_j_tokens": "iif({q}.decode_j is not null, ifnull({q}.completion_tokens, 0), 0)",
    "decode_s": "iif({q}.completion_tokens > 0, ifnull({q}.decode_s, 0), 0)",
    "decode_s_tokens": "iif({q}.decode_s > 0, ifnull({q}.completion_tokens, 0), 0)",
    "partly_read": "({q}.partly_read is 1 and {q}.energy_j is not null)",
    # One that ended before its first token drew nothing that counts.
    "unread": "({q}.energy_j is null and ifnull({q}.total_s, 0) > 0)",
    "shared": "{q}.shared is not null and {q}.energy_j is not null",
    "beside": "ifnull({q}.others, 0) > 0.1 and {q}.energy_j is not null",
}
"""Each column of ``sums`` and what a query adds to it; ``{q}`` is the query's row."""

COUNTS = {
    "queries", "measured", "costed", "counted", "integrated", "modelled", "partly_read", "unread",
    "shared", "beside", *(name for name in SUMS if name.endswith("tokens")),
}  # fmt: skip

LINES = {
    "lines": "1",
    "measured": "b.joules is not null",
    "integrated": "c.kind = 'power' and b.joules is not null",
    "modelled": "c.kind = 'modelled' and b.joules is not null",
    "joules": "ifnull(b.joules, 0)",
    "unread": "{q}.partly_read is 1 and ifnull(b.coverage, 1) < 0.9",
}
"""Each column of ``domain_sums`` and what a line of a bill adds to it; ``{q}`` is the query's row.

Of a query that was read but for short gaps, no line is unread.
"""

LATER = {"partly_read", "unread", "shared", "beside"}
"""Columns that :func:`create_sums` did not make yet."""

BY_DOMAIN = {"domain": "c.domain", **LINES}

COUNTED = "c.role = 'part' and b.phase <> 'load'"
"""Lines of a bill that are part of its total."""

SPANS = "(select 'day' period, 10 length union all select 'month', 7)"
"""How many letters of a day are summed over: the day itself, and its month."""

SPAN = "period text not null, span text not null"

TRIGGERS = (
    "facets_added",
    "queries_facet_added",
    "queries_facet_changed",
    "queries_summed",
    "queries_moved",
    "queries_gone",
    "bills_added",
    "bills_gone",
)


def create_sums(db: Database) -> None:
    """Make the tables, fill them from what is stored, and have triggers keep them."""
    db.execute(
        "create table facets (id integer primary key, machine_id text not null, model_id integer "
        "not null, kind text not null, status text not null, is_deleted integer not null, "
        f"unique ({', '.join(FACET)}))"
    )
    db.execute(
        "create table facet_members (facet_id integer not null, member_of integer not null, "
        "primary key (facet_id, member_of)) without rowid"
    )
    columns = ", ".join(
        f"{name} {'integer' if name in COUNTS else 'real'} not null"
        for name in SUMS
        if name not in LATER
    )
    db.execute(
        f"create table sums (facet_id integer not null, {SPAN}, {columns}, "
        "primary key (facet_id, period, span)) without rowid"
    )
    db.execute(
        f"create table domain_sums (facet_id integer not null, {SPAN}, "
        "domain text not null, lines integer not null, measured integer not null, "
        "integrated integer not null, "
        "modelled integer not null, joules real not null, "
        "primary key (facet_id, period, span, domain)) without rowid"
    )
    create_triggers(db)
    drop_triggers(db)
    sum_up(db)
    db.execute("create index queries_by_facet on queries (facet_id, started_ms)")
    create_triggers(db)


def sum_up(db: Database) -> None:
    """Find every query's facet and reckon all sums anew; the triggers must not be there."""
    for table in ("facets", "facet_members", "sums", "domain_sums"):
        db.execute(f"delete from {table}")
    names, values = ", ".join(FACET), FACET_VALUES.format(q="q")
    db.execute(f"create trigger facets_added after insert on facets {_ADD_MEMBERS}")
    db.execute(f"insert into facets ({names}) select distinct {values} from queries q")
    db.execute("drop trigger facets_added")
    db.execute(
        f"update queries as q set facet_id = (select id from facets where ({names}) = ({values}))"
    )
    add_up(db, "sums", SUMS, "from queries q")
    add_up(
        db,
        "domain_sums",
        BY_DOMAIN,
        "from bills b join channels c on c.id = b.channel_id "
        f"join queries q on q.started_ms = b.started_ms where {COUNTED}",
    )


def add_up(db: Database, table: str, columns: Mapping[str, str], source: str) -> None:
    """Add to a table of sums: by facet and day first, then to all facets those count towards.

    :param columns: what is added to each column, by its name; ``domain`` is grouped by
    :param source: the rows
    """
    columns = kept(db, table, columns)
    grouped = [name for name in columns if name == "domain"]
    summed = [name for name in columns if name != "domain"]
    own = ", ".join(
        f"{value.format(q='q')} {name}" if name in grouped else f"sum({value.format(q='q')}) {name}"
        for name, value in columns.items()
    )
    by = "".join(f", {name}" for name in grouped)
    db.execute(
        f"create temporary table own_sums as select q.facet_id, q.day, {own} {source} "
        f"group by q.facet_id, q.day{by}"
    )
    listed = ", ".join([*grouped, *summed])
    lifted = ", ".join([*grouped, *(f"sum({name})" for name in summed)])
    more = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in summed)
    db.execute(
        f"insert into {table} (facet_id, period, span, {listed}) "
        f"select m.member_of, l.period, substr(s.day, 1, l.length), {lifted} from own_sums s "
        f"join facet_members m on m.facet_id = s.facet_id, {SPANS} l where true "
        f"group by 1, 2, 3{by} on conflict do update set {more}"
    )
    db.execute("drop table own_sums")


def kept(db: Database, table: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Return which columns a file's table of sums has; an earlier schema had fewer."""
    there = db.table(table).columns_dict
    return {name: value for name, value in columns.items() if name in there}


def create_triggers(db: Database) -> None:
    """Have the database keep facets and sums."""
    sums, lines = kept(db, "sums", SUMS), kept(db, "domain_sums", LINES)
    names, facet = ", ".join(FACET), FACET_VALUES.format(q="new")
    find_facet = (
        f"insert or ignore into facets ({names}) values ({facet}); "
        f"update queries set facet_id = (select id from facets where ({names}) = ({facet})) "
        "where started_ms = new.started_ms;"
    )
    moved = _move_domains(lines, "old", -1) + _move_domains(lines, "new", 1)
    is_marked = "partly_read" in sums
    moved_by = ("facet_id", "day", *(("partly_read",) if is_marked else ()))
    told = ("shared", "others") if is_marked else ()
    summed_by = (
        *moved_by, *told, "energy_j", "energy_low_j", "energy_high_j", "energy_kind", "decode_j",
        "decode_s", "prompt_tokens", "completion_tokens", "total_s", "pue", "intensity_id",
    )  # fmt: skip
    for name, event, does in (
        ("facets_added", "after insert on facets", _ADD_MEMBERS),
        ("queries_facet_added", "after insert on queries", f"begin {find_facet} end"),
        (
            "queries_facet_changed",
            "after update of machine_id, model_id, kind, status, deleted_at on queries",
            f"begin {find_facet} end",
        ),
        (
            "queries_summed",
            f"after update of {', '.join(summed_by)} on queries",
            f"begin {_take_off(sums, 'old')} {_add_on(sums, 'new')} end",
        ),
        (
            "queries_moved",
            f"after update of {', '.join(moved_by)} on queries when "
            + " or ".join(f"old.{name} is not new.{name}" for name in moved_by),
            f"begin {moved} end",
        ),
        (
            "queries_gone",
            "after delete on queries",
            f"begin {_take_off(sums, 'old')} {_move_domains(lines, 'old', -1)} end",
        ),
        ("bills_added", "after insert on bills", f"begin {_move_line(lines, 'new', 1)} end"),
        ("bills_gone", "after delete on bills", f"begin {_move_line(lines, 'old', -1)} end"),
    ):
        db.execute(f"create trigger {name} {event} {does}")


def renew_triggers(db: Database) -> None:
    """Make the triggers anew, and take off what they had counted as costed without a figure."""
    db.execute(
        "create temporary table uncosted as select started_ms, intensity_id from queries "
        f"where intensity_id in (select id from intensities where not {FIGURE})"
    )
    chosen = "where started_ms in (select started_ms from uncosted)"
    # Each formula counts for itself: the old one takes off, and the new one adds.
    db.execute(f"update queries set intensity_id = null {chosen}")
    drop_triggers(db)
    create_triggers(db)
    db.execute(
        "update queries as q set intensity_id = (select u.intensity_id from uncosted u "
        f"where u.started_ms = q.started_ms) {chosen}"
    )
    db.execute("drop table uncosted")


def drop_triggers(db: Database) -> None:
    """Undo :func:`create_triggers`, to write many queries at once and sum up afterwards."""
    for name in TRIGGERS:
        db.execute(f"drop trigger {name}")


def _add_members() -> str:
    """Enter the facets above a new one, and that it is a member of them and of itself."""
    names = ", ".join(FACET)
    levels = _levels("new")
    above = " ".join(f"insert or ignore into facets ({names}) values ({v});" for v in levels)
    members = ", ".join(f"({level})" for level in levels)
    return (
        "when new.machine_id <> '*' and new.model_id <> -1 and new.kind <> '*' and "
        "new.status <> '*' begin "
        "insert into facet_members values (new.id, new.id); "
        f"{above} insert into facet_members select new.id, id from facets where ({names}) in "
        f"(values {members}) and new.is_deleted = 0; end"
    )


_ADD_MEMBERS = _add_members()


def _add_on(sums: Mapping[str, str], row: str) -> str:
    """Add a query's row to its spans; a row without a facet is still being inserted."""
    values = ", ".join(value.format(q=row) for value in sums.values())
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in sums)
    return (
        f"insert into sums (facet_id, period, span, {', '.join(sums)}) "
        f"select m.member_of, l.period, substr({row}.day, 1, l.length), {values} "
        f"from facet_members m, {SPANS} l "
        f"where m.facet_id = {row}.facet_id "
        f"on conflict (facet_id, period, span) do update set {more};"
    )


def _touched(row: str) -> str:
    """Condition for the sums a query's row belongs to.

    It tells each part of their key, so that none is looked for among all the days of a facet.
    """
    return (
        f"facet_id in (select member_of from facet_members where facet_id = {row}.facet_id) "
        f"and period in ('day', 'month') and span in ({row}.day, substr({row}.day, 1, 7))"
    )


def _take_off(sums: Mapping[str, str], row: str) -> str:
    less = ", ".join(f"{name} = {name} - ({value.format(q=row)})" for name, value in sums.items())
    # An empty span goes altogether, and with it what rounding left of its sums.
    return (
        f"update sums set {less} where {_touched(row)}; "
        f"delete from sums where {_touched(row)} and queries = 0;"
    )


def _add_up(lines: Mapping[str, str]) -> str:
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in lines)
    return f"on conflict (facet_id, period, span, domain) do update set {more};"


def _move_domains(lines: Mapping[str, str], row: str, sign: int) -> str:
    """Add a query's lines ``b`` of channels ``c`` to its spans' components, or take them off."""
    values = ", ".join(f"{sign} * sum({value.format(q=row)})" for value in lines.values())
    return (
        f"insert into domain_sums (facet_id, period, span, domain, {', '.join(lines)}) "
        f"select m.member_of, l.period, substr({row}.day, 1, l.length), c.domain, {values} "
        "from bills b join channels c on c.id = b.channel_id, "
        f"facet_members m, {SPANS} l where b.started_ms = {row}.started_ms and {COUNTED} "
        f"and m.facet_id = {row}.facet_id group by 1, 2, 3, 4 {_add_up(lines)}"
        f"delete from domain_sums where {_touched(row)} and lines = 0;"
    )


def _move_line(lines: Mapping[str, str], row: str, sign: int) -> str:
    """Add a line that was written to its query's spans, or take off one that was deleted."""
    values = ", ".join(f"{sign} * ({value.format(q='q')})" for value in lines.values())
    return (
        f"insert into domain_sums (facet_id, period, span, domain, {', '.join(lines)}) "
        "select m.member_of, l.period, substr(q.day, 1, l.length), c.domain, "
        f"{values.replace('b.', f'{row}.')} "
        f"from queries q join facet_members m on m.facet_id = q.facet_id, channels c, {SPANS} l "
        f"where q.started_ms = {row}.started_ms and c.id = {row}.channel_id "
        f"and c.role = 'part' and {row}.phase <> 'load' {_add_up(lines)}"
    )
