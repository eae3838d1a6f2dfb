"""How the database keeps its sums: it adds them up once, and triggers keep them whoever writes.

Like :mod:`monitor.store.sums`, it belongs to a migration.
"""

from collections.abc import Mapping

from sqlite_utils import Database

from monitor.store.sums import (
    BY_DOMAIN,
    COUNTED,
    COUNTS,
    FACET,
    FACET_VALUES,
    KEY,
    LEVELS,
    LINES,
    SPANS,
    SUMS,
    TOLD_APART,
    first_day,
)

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
    """Make the tables, fill them from what is stored, and have triggers keep them.

    What an earlier version made of them goes; the facets that queries have keep their numbers.
    """
    for name in TRIGGERS:
        db.execute(f"drop trigger if exists {name}")
    for table in ("facet_members", "sums", "domain_sums"):
        db.execute(f"drop table if exists {table}")
    db.execute(
        "create table if not exists facets (id integer primary key, machine_id text not null, "
        "model_id integer not null, kind text not null, status text not null, "
        f"is_deleted integer not null, unique ({', '.join(FACET)}))"
    )
    db.execute(
        "create table facet_members (facet_id integer not null, member_of integer not null, "
        "primary key (facet_id, member_of)) without rowid"
    )
    span = "facet_id integer not null, period integer not null, first_day integer not null"
    columns = ", ".join(
        f"{name} {'integer' if name in COUNTS else 'real'} not null" for name in SUMS
    )
    db.execute(f"create table sums ({span}, {columns}, primary key ({KEY})) without rowid")
    columns = ", ".join(
        f"{name} {'real' if name == 'joules' else 'integer'} not null" for name in LINES
    )
    db.execute(
        f"create table domain_sums ({span}, domain text not null, {columns}, "
        f"primary key ({KEY}, domain)) without rowid"
    )
    sum_up(db)
    db.execute("create index if not exists queries_by_facet on queries (facet_id, started_ms)")
    create_triggers(db)


def sum_up(db: Database) -> None:
    """Find every query's facet and reckon all sums anew; the triggers must not be there."""
    mend_days(db)
    names, values = ", ".join(FACET), FACET_VALUES.format(q="q")
    db.execute(
        "create temporary table known_facets as select * from facets "
        "where id in (select facet_id from queries)"
    )
    for table in ("facets", "facet_members", "sums", "domain_sums"):
        db.execute(f"delete from {table}")
    db.execute(f"create trigger facets_added after insert on facets {_ADD_MEMBERS}")
    # The highest number first: those that stand for many are numbered on from it.
    db.execute("insert into facets select * from known_facets order by id desc")
    db.execute("drop table known_facets")
    db.execute(f"insert or ignore into facets ({names}) select distinct {values} from queries q")
    db.execute("drop trigger facets_added")
    own = f"(select id from facets where ({names}) = ({values}))"
    db.execute(f"update queries as q set facet_id = {own} where facet_id is not {own}")
    add_up(db, "sums", SUMS, "from queries q")
    add_up(
        db,
        "domain_sums",
        BY_DOMAIN,
        "from bills b join channels c on c.id = b.channel_id "
        f"join queries q on q.started_ms = b.started_ms where {COUNTED}",
    )


def mend_days(db: Database, where: str = "true") -> None:
    """Give queries whose day cannot be read the one they began on, by the clock here.

    Only damage makes such a day, and one of them would keep all others from being summed.

    :param where: SQL condition for the queries looked at; the triggers must not be there
    """
    db.execute(
        "update queries set day = date(started_ms / 1000, 'unixepoch', 'localtime') "
        f"where day is not date(day) and {where}"
    )


def add_up(db: Database, table: str, columns: Mapping[str, str], source: str) -> None:
    """Add to a table of sums: by facet and day first, then to all facets those count towards.

    :param columns: what is added to each column, by its name; ``domain`` is grouped by
    :param source: the rows
    """
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
    db.execute(
        f"create temporary table own_spans as select day, period, {first_day('day')} first_day "
        f"from (select distinct day from own_sums), {SPANS} l"
    )
    listed = ", ".join([*grouped, *summed])
    lifted = ", ".join([*grouped, *(f"sum({name})" for name in summed)])
    more = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in summed)
    db.execute(
        f"insert into {table} ({KEY}, {listed}) "
        f"select m.member_of, l.period, l.first_day, {lifted} from own_sums s "
        "join facet_members m on m.facet_id = s.facet_id join own_spans l on l.day = s.day "
        f"where true group by 1, 2, 3{by} on conflict do update set {more}"
    )
    db.execute("drop table own_sums")
    db.execute("drop table own_spans")


def create_triggers(db: Database) -> None:
    """Have the database keep facets and sums."""
    names, facet = ", ".join(FACET), FACET_VALUES.format(q="new")
    find_facet = (
        f"insert or ignore into facets ({names}) values ({facet}); "
        f"update queries set facet_id = (select id from facets where ({names}) = ({facet})) "
        "where started_ms = new.started_ms;"
    )
    moved = _move_domains("old", -1) + _move_domains("new", 1)
    moved_by = ("facet_id", "day", "partly_read")
    summed_by = (
        *moved_by, "shared", "others", "energy_j", "energy_low_j", "energy_high_j", "energy_kind",
        "decode_j", "decode_s", "prompt_tokens", "completion_tokens", "total_s", "pue",
        "intensity_id",
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
            f"begin {_take_off('old')} {_add_on('new')} end",
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
            f"begin {_take_off('old')} {_move_domains('old', -1)} end",
        ),
        ("bills_added", "after insert on bills", f"begin {_move_line('new', 1)} end"),
        ("bills_gone", "after delete on bills", f"begin {_move_line('old', -1)} end"),
    ):
        db.execute(f"create trigger {name} {event} {does}")


def drop_triggers(db: Database) -> None:
    """Undo :func:`create_triggers`, to write many queries at once and sum up afterwards."""
    for name in TRIGGERS:
        db.execute(f"drop trigger {name}")


def _levels(row: str) -> list[str]:
    """Return the facets above one as SQL, in the order of :data:`FACET`."""
    levels = []
    for told in LEVELS[:-1]:
        columns = (
            f"{row}.{name}" if name in told else "-1" if name == "model_id" else "'*'"
            for name in TOLD_APART
        )
        levels.append(f"{', '.join(columns)}, 0")
    return levels


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


def _add_on(row: str) -> str:
    """Add a query's row to its spans; a row without a facet is still being inserted."""
    values = ", ".join(value.format(q=row) for value in SUMS.values())
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    return (
        f"insert into sums ({KEY}, {', '.join(SUMS)}) "
        f"select m.member_of, l.period, {first_day(f'{row}.day')}, {values} "
        f"from facet_members m, {SPANS} l where m.facet_id = {row}.facet_id "
        f"on conflict ({KEY}) do update set {more};"
    )


def _touched(row: str) -> str:
    """Condition for the sums a query's row belongs to.

    It tells each part of their key, so that none is looked for among all the days of a facet.
    """
    return (
        f"facet_id in (select member_of from facet_members where facet_id = {row}.facet_id) "
        f"and (period, first_day) in (select l.period, {first_day(f'{row}.day')} from {SPANS} l)"
    )


def _take_off(row: str) -> str:
    less = ", ".join(f"{name} = {name} - ({value.format(q=row)})" for name, value in SUMS.items())
    # An empty span goes altogether, and with it what rounding left of its sums.
    return (
        f"update sums set {less} where {_touched(row)}; "
        f"delete from sums where {_touched(row)} and queries = 0;"
    )


def _add_up() -> str:
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in LINES)
    return f"on conflict ({KEY}, domain) do update set {more};"


def _move_domains(row: str, sign: int) -> str:
    """Add a query's lines ``b`` of channels ``c`` to its spans' components, or take them off."""
    values = ", ".join(f"{sign} * sum({value.format(q=row)})" for value in LINES.values())
    return (
        f"insert into domain_sums ({KEY}, domain, {', '.join(LINES)}) "
        f"select m.member_of, l.period, {first_day(f'{row}.day')}, c.domain, {values} "
        "from bills b join channels c on c.id = b.channel_id, "
        f"facet_members m, {SPANS} l where b.started_ms = {row}.started_ms and {COUNTED} "
        f"and m.facet_id = {row}.facet_id group by 1, 2, 3, 4 {_add_up()}"
        f"delete from domain_sums where {_touched(row)} and lines = 0;"
    )


def _move_line(row: str, sign: int) -> str:
    """Add a line that was written to its query's spans, or take off one that was deleted."""
    values = ", ".join(f"{sign} * ({value.format(q='q')})" for value in LINES.values())
    return (
        f"insert into domain_sums ({KEY}, domain, {', '.join(LINES)}) "
        f"select m.member_of, l.period, {first_day('q.day')}, c.domain, "
        f"{values.replace('b.', f'{row}.')} "
        f"from queries q join facet_members m on m.facet_id = q.facet_id, channels c, {SPANS} l "
        f"where q.started_ms = {row}.started_ms and c.id = {row}.channel_id "
        f"and c.role = 'part' and {row}.phase <> 'load' {_add_up()}"
    )
