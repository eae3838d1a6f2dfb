"""The command ``llamawatt compare``: the leaderboard, and queries side by side."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor.bill_words import LEGEND
from monitor.clock import local_minute
from monitor.commands.filter_options import Day, check_days, known_filter
from monitor.commands.number_option import Number
from monitor.commands.terminal import echo_json, json_option, open_history, show, stderr, stdout
from monitor.compare import forms, report
from monitor.compare.board import Board, Leaderboard, UnknownExam
from monitor.compare.cascade import cascades as find_cascades
from monitor.compare.columns import COLUMNS, find_column
from monitor.compare.efficiency import (
    WEIGHABLE,
    UnknownWeight,
    check_weights,
    efficiencies,
    efficiency_column,
    formula,
)
from monitor.compare.exams import Exam
from monitor.compare.frontier import Place, frontier
from monitor.compare.pick import pick_good_enough
from monitor.compare.ranks import Ranked, rank
from monitor.compare.side_by_side import CannotCompare, Side, lay_side_by_side
from monitor.figures import UNKNOWN
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.terminal.jointed_cell import FIGURES, NAME, JointedCell
from monitor.terminal.plain_table import make_table, no_room_note, times_note

EMPTY = "Nothing was judged yet. Try: llamawatt bench run quick"

NOTHING_MATCHES = "Nothing was judged that matches. Leave out a condition to see more."

IDENTIFIER = re.compile(r"[0-9a-f-]+", re.IGNORECASE)

BY_MODEL = "Models are compared without naming queries; --model chooses some of them."

NO_ROWS = "No model can be listed: items of its runs are missing in the history."

NO_CASCADES = (
    "No cascade can be simulated: that takes two models run on one machine, of which the second "
    "scores better for more energy, and questions with choices, which tell how sure the first is."
)

EFFICIENCY = "efficiency"

MODEL = "model"
"""The column of names, which alone may be broken."""


class Weights(click.ParamType[Mapping[str, float]]):
    """Weights as ``score=1,energy=2``."""

    name = "weights"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[str, float]:
        """Return them by name."""
        if not isinstance(value, str):
            return dict(value)
        found: dict[str, float] = {}
        for part in value.split(","):
            name, equals, number = part.partition("=")
            try:
                found[name.strip()] = float(number) if equals else 1.0
            except ValueError:
                self.fail(f"“{part}” should read name=number, as in score=1,energy=2.", param, ctx)
        try:
            return check_weights(found)
        except UnknownWeight as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--test", help="What to compare by: a key of --list, or a part of its title.")
@click.option("--list", "list_only", is_flag=True, help="List what may be compared.")
@click.option(
    "--sort", type=click.Choice([*COLUMNS, EFFICIENCY]),
    help="The column to rank by: energy is J/item, wh Wh/1,000 items, correct J/correct answer.",
    default="score", show_default=True,
)  # fmt: skip
@click.option(
    "--good-enough", "points", type=Number(0, 100), default=2.0, show_default=True,
    help="Points a score may lie below the best.",
)  # fmt: skip
@click.option("--weights", type=Weights(), help=f"As score=1,energy=1; of {', '.join(WEIGHABLE)}.")
@click.option("--machine", help="Only this one: its name, or the beginning of its identifier.")
@click.option("--model", "models", multiple=True, help="Only this one; several times for more.")
@click.option(
    "--quantisation", "quantisations", multiple=True, help="Only this one; several times for more."
)
@click.option("--since", type=Day(), help="Only runs of this day or later: 2026-11-24.")
@click.option("--until", type=Day(), help="Only runs of this day or earlier.")
@click.option("--cascades", is_flag=True, help="Simulate small models that pass items on.")
@json_option
def compare(
    ids: Sequence[str],
    test: str | None,
    list_only: bool,
    sort: str,
    points: float,
    weights: Mapping[str, float] | None,
    machine: str | None,
    models: tuple[str, ...],
    quantisations: tuple[str, ...],
    since: date | None,
    until: date | None,
    cascades: bool,
    as_json: bool,
) -> None:
    """Rank models by what they score and cost, or lay two to four queries side by side.

    Example: llamawatt compare --good-enough 3

    Example: llamawatt compare 3fa85f64 9b1c22aa
    """
    if sort == EFFICIENCY and weights is None:
        raise click.UsageError("--sort efficiency needs --weights, as in score=1,energy=1.")
    check_days(since, until)
    with open_history() as history:
        if ids:
            sides = _sides(history, ids)
            show(_sides_view(sides), lambda: forms.sides_json(sides), as_json)
            return
        leaderboard = Leaderboard(history)
        named = known_filter(history, Filter(models=models, quantisations=quantisations))
        machines = (_machine(leaderboard, machine),) if machine else ()
        chosen = replace(named, machines=machines, since=since, until=until)
        empty = EMPTY if chosen.is_empty else NOTHING_MATCHES
        if list_only:
            _show_exams(leaderboard.exams(chosen), empty, as_json)
            return
        try:
            board = leaderboard.board(test, chosen)
        except UnknownExam as error:
            raise click.BadParameter(str(error), param_hint="--test") from None
        if board is None:
            _show_nothing(empty, as_json)
        else:
            _show_board(history, board, _Wanted(sort, points, weights, cascades), as_json)


def _sides(history: History, ids: Sequence[str]) -> tuple[Side, ...]:
    try:
        return lay_side_by_side(history, ids)
    except KeyError as error:
        hint = "" if all(map(IDENTIFIER.fullmatch, ids)) else f" {BY_MODEL}"
        raise click.ClickException(f"{error.args[0]}{hint}") from None
    except CannotCompare as error:
        raise click.UsageError(str(error)) from None


def _machine(leaderboard: Leaderboard, text: str) -> str:
    machines = leaderboard.machines()
    named = [key for key, name in machines.items() if name.casefold() == text.casefold()]
    found = named or [key for key in machines if key.startswith(text)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{name} ({key[:8]})" for key, name in machines.items()) or "none yet"
    raise click.BadParameter(
        f"{'Several machines match' if found else 'There is no machine'} “{text}”. "
        f"There are: {listed}.",
        param_hint="--machine",
    )


def _show_nothing(empty: str, as_json: bool) -> None:
    if as_json:
        echo_json(forms.NOTHING)
    else:
        stderr.print(empty)


def _show_exams(exams: Sequence[Exam], empty: str, as_json: bool) -> None:
    if as_json:
        echo_json([forms.exam_json(exam) for exam in exams])
    elif not exams:
        stderr.print(empty)
    else:
        table = make_table("key", "test", "models", "latest", right=("models",))
        for exam in exams:
            latest = local_minute(exam.latest)
            table.add_row(*map(escape, (exam.key, exam.title, str(exam.entrants), latest)))
        stdout.print(Group(table, times_note(exam.latest for exam in exams)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How the leaderboard is to be shown."""

    sort: str
    points: float
    weights: Mapping[str, float] | None
    cascades: bool


def _show_board(history: History, board: Board, wanted: _Wanted, as_json: bool) -> None:
    weights = wanted.weights
    is_weighted = wanted.sort == EFFICIENCY and weights is not None
    column = efficiency_column(board, weights or {}) if is_weighted else find_column(wanted.sort)
    ranked, places = rank(board, column), frontier(board)
    pick = pick_good_enough(board, wanted.points)
    simulated = find_cascades(history, board) if wanted.cascades else None
    if as_json:
        document = forms.board_json(board, ranked, places, pick)
        if weights:
            document["efficiency"] = forms.efficiency_json(board, weights)
        if simulated is not None:
            document["cascades"] = forms.cascades_json(board, simulated)
        echo_json(document)
        return
    if not board.entries:
        stderr.print(f"{board.exam.title}: {NO_ROWS}", markup=False)
        return
    views: list[RenderableType] = [Text(board.exam.title, style="bold")]
    table = _board_table(board, ranked, places, wanted)
    views.append(_table(table.header, table.rows, right=table.header[3:]))
    views.append(Text(f"{LEGEND}   {report.FRONTIER_LEGEND}", style="dim"))
    views.append(Text(table.legend, style="dim"))
    views += no_room_note(table.left_out)
    views += [Text(line) for line in ([formula(weights)] if weights else [])]
    views += [JointedCell(pick.sentence, FIGURES)] if pick else []
    if simulated is not None:
        views.append(Text("Simulated, from what each item came to:" if simulated else NO_CASCADES))
        lines = report.cascade_lines(board, simulated) if simulated else ()
        views += [JointedCell(line, FIGURES) for line in lines]
    views += [Text(note, style="yellow") for note in board.notes]
    stdout.print(Group(*views))


def _board_table(
    board: Board,
    ranked: Sequence[Ranked],
    places: Sequence[Place | None],
    wanted: _Wanted,
) -> report.BoardTable:
    weights, sort = wanted.weights, wanted.sort
    room = stdout.width - (len(EFFICIENCY) + report.GAP if weights else 0)
    table = report.board_table(board, ranked, places, room, sort)
    if weights:
        values = efficiencies(board.entries, weights)
        table.header.insert(3, EFFICIENCY)
        for row, each in zip(table.rows, ranked, strict=True):
            value = values[each.row]
            row.insert(3, UNKNOWN if value is None else f"{value:.2f}")
    return table


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]
) -> RenderableType:
    table = make_table(*map(escape, header), right=right)
    for column in table.columns:
        column.no_wrap = column.header != MODEL
    for row in rows:
        table.add_row(
            *(
                JointedCell(cell, NAME) if title == MODEL else escape(cell)
                for title, cell in zip(header, row, strict=True)
            )
        )
    return table


def _sides_view(sides: Sequence[Side]) -> RenderableType:
    header, rows = report.sides_table(sides)
    table = make_table(*header, right=header[1:])
    for column, name in zip(table.columns, header, strict=True):
        column.header = JointedCell(name, NAME)
    for row in rows:
        table.add_row(*(JointedCell(cell, FIGURES) for cell in row))
    views: list[RenderableType] = [table]
    views.append(Text(LEGEND, style="dim"))
    for side in sides:
        if lines := report.side_lines(side):
            views.append(Text(f"{side.name}: {' '.join(lines)}", style="yellow"))
    return Group(*views)
