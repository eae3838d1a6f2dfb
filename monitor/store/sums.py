"""Sums by day, week, month and facet, of which charts are made, so that none reads a million rows.

A *facet* is what queries are filtered and grouped by: machine, model, kind, status, and whether
they were deleted. There are few of them however many queries there are. A facet that says ``*``
(``-1`` for a model) stands for all that is not deleted, whatever that column holds: of one machine,
of one model and kind, or altogether. :data:`LEVELS` tells which of those there are, and
``facet_members`` which of them a query's own facet counts towards.

``sums`` holds a facet's sums of each day, week and month, ``domain_sums`` its joules by component.
Their keys are numbers, as a history has up to a million of them: ``period`` is :data:`DAY`,
:data:`WEEK` or :data:`MONTH`, and ``first_day`` the first day of it, counted from 1970-01-01 on.
:mod:`monitor.store.kept_sums` makes both tables and keeps them true.

What is written here belongs to a migration: a change needs a later one that makes all of it anew,
in the place of this one, and no constant that may change stands in it.
"""

from collections.abc import Collection

ANY, ANY_MODEL = "*", -1

FACET = ("machine_id", "model_id", "kind", "status", "is_deleted")

FACET_VALUES = (
    "ifnull({q}.machine_id, ''), ifnull({q}.model_id, 0), {q}.kind, {q}.status, "
    "{q}.deleted_at is not null"
)

OWN = "machine_id <> '*' and model_id <> -1 and kind <> '*' and status <> '*'"
"""Condition for a facet that queries have themselves."""

TOLD_APART = ("machine_id", "model_id", "kind", "status")

LEVELS = (
    (),
    ("machine_id",),
    ("model_id",),
    ("kind",),
    ("status",),
    ("machine_id", "kind"),
    ("machine_id", "model_id"),
    ("machine_id", "status"),
    ("model_id", "kind"),
    ("kind", "status"),
    ("machine_id", "model_id", "kind"),
    TOLD_APART,
)
"""Which columns facets tell, the fewest first; all of them are the queries' own.

A level more takes room and time whenever a query is added; without it, more sums are read, those
of the next level that tells as much. One of model and status would take 14 bytes a query in a
million of them, and is asked for less than the others.
"""


def level_of(told: Collection[str]) -> tuple[str, ...]:
    """Return which columns the fewest facets tell that tell these."""
    return next(level for level in LEVELS if set(told) <= set(level))


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

BY_DOMAIN = {"domain": "c.domain", **LINES}

COUNTED = "c.role = 'part' and b.phase <> 'load'"
"""Lines of a bill that are part of its total."""

DAY, WEEK, MONTH = range(3)

SPANS = (
    f"(select {DAY} period, '+0 days' back, '+0 days' onward "
    f"union all select {WEEK}, '-6 days', 'weekday 1' "
    f"union all select {MONTH}, 'start of month', '+0 days')"
)
"""The spans a day lies in, with SQLite's steps from the day to the first one of each."""


def first_day(day: str) -> str:
    """Return SQL for the first day of a span ``l``, in days since 1970.

    :param day: SQL for a day in it
    """
    return f"strftime('%s', {day}, l.back, l.onward) / 86400"


KEY = "facet_id, period, first_day"
