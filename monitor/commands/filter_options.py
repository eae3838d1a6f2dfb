"""The options with which a command is narrowed down to some queries."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from functools import wraps
from typing import Any

import click

from monitor.filter_flags import FLAGS
from monitor.store.filters import NAMES, Filter
from monitor.store.history import History
from monitor.store.records import Status

KINDS = ("ask", "chat", "bench", "import")


class Day(click.ParamType[date]):
    """A date: 2026-11-24."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(f"{value!r} is no date. Write it as 2026-11-24.", param, ctx)


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets them as one :class:`Filter` named ``chosen``.

    What is named is not looked up yet: :func:`known_filter` does that.
    """

    @wraps(command)
    def with_filter(**values: Any) -> None:
        given = {name: values.pop(name) for name in NAMES}
        chosen = Filter(**given)
        check_days(chosen.since, chosen.until)
        command(chosen=chosen, **values)

    made: Callable[..., None] = with_filter
    for option in reversed(_OPTIONS):
        made = option(made)
    return made


def check_days(since: date | None, until: date | None) -> None:
    """See that there are days between two of them.

    :raises click.UsageError: if not
    """
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is later than --until {until}: no day is between.")


def _several(flag: str, name: str, **more: Any) -> Callable[..., Any]:
    return click.option(flag, name, multiple=True, **more)


_OPTIONS = (
    _several(FLAGS["models"], "models", help="Only of this model; may be given several times."),
    _several(FLAGS["quantisations"], "quantisations", help="Only of this one; several times."),
    _several(FLAGS["kinds"], "kinds", type=click.Choice(KINDS), help="How it was asked."),
    _several(
        FLAGS["statuses"],
        "statuses",
        type=click.Choice([str(status) for status in Status]),
        help="How it ended.",
    ),
    _several(FLAGS["machines"], "machines", help="Name or identifier of a machine; several times."),
    _several(FLAGS["tags"], "tags", help="A query must carry all that are given."),
    click.option(FLAGS["since"], type=Day(), help="First day: 2026-11-24."),
    click.option(FLAGS["until"], type=Day(), help="Last day."),
    click.option(FLAGS["text"], default="", help="Words in prompt, answer or note."),
)


def known_filter(history: History, chosen: Filter) -> Filter:
    """Return the filter with names written as they are stored, machines as identifiers.

    :raises click.UsageError: if nothing stored is called that, naming what is there
    """
    if not (chosen.models or chosen.quantisations or chosen.machines or chosen.tags):
        return chosen
    choices = history.browse.choices()
    machines = {name: name for name in choices.machines}
    names = list(choices.machines.values())
    for machine_id, name in choices.machines.items():
        if names.count(name) == 1:
            machines.setdefault(name, machine_id)
        elif name in chosen.machines:
            alike = [key for key, each in choices.machines.items() if each == name]
            raise click.UsageError(
                f"{len(alike)} machines are called “{name}”; name one by its identifier: "
                f"{', '.join(alike)}."
            )
    return replace(
        chosen,
        models=_known("model", chosen.models, _own(choices.models)),
        quantisations=_known("quantisation", chosen.quantisations, _own(choices.quantisations)),
        machines=_known("machine", chosen.machines, machines),
        tags=_known("tag", chosen.tags, _own(choices.tags)),
    )


def _own(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


def _known(what: str, given: Iterable[str], names: dict[str, str]) -> tuple[str, ...]:
    """Look each name up, whatever its case."""
    folded = {name.casefold(): value for name, value in names.items()}
    found = []
    for name in given:
        value = names.get(name) or folded.get(name.strip().casefold())
        if value is None:
            raise click.UsageError(_unknown(what, name, list(names)))
        found.append(value)
    return tuple(dict.fromkeys(found))


def _unknown(what: str, name: str, names: list[str]) -> str:
    if not names:
        return f"No query has a {what} yet."
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:8]
    more = "" if len(near) == len(names) else " …"
    return f"No query has the {what} “{name}”. There are: {', '.join(near)}{more}"
