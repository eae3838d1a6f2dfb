"""What the README shows can be typed as it stands."""

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click
import pytest

from monitor.bench.summary import summarise
from monitor.bench.tasks import TASKS
from monitor.bench.uncounted import UNCOUNTED
from monitor.cli import main
from monitor.store.history import History
from tests.unit.builders import CPU, REPOSITORY, line, outcome, stored_query
from tests.unit.test_bench_store import FIRST, PLAN, stored_run

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)

COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("llamawatt ")
]


def test_there_are_examples() -> None:
    assert len(QUERIES) == 3
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("sql", QUERIES)
def test_an_example_query_runs_in_any_program(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "history.db"
    with closing(History(path)) as history:
        record = stored_query(history)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(sql).fetchall()
    if "bench_runs" not in sql:
        assert rows
        assert record.joules_per_token is not None
        if "joules_per_token" in sql:
            assert rows[0][3] == pytest.approx(record.joules_per_token)


def test_the_example_of_benchmarks_tells_what_the_table_does(tmp_path: Path) -> None:
    (sql,) = (each for each in QUERIES if "bench_runs" in each)
    path = tmp_path / "history.db"
    with closing(History(path)) as history:
        suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {})
        items = [replace(one, correct_norm=float(one.position < 3)) for one in FIRST]
        ids = [
            stored_run(history, suite_id, items, step=step, task=task)
            for step, task in enumerate(TASKS)
        ]
        ids.append(
            stored_run(
                history, suite_id, [replace(one, correct_norm=None) for one in FIRST], step=99,
                protocol="llamacpp",
            )
        )  # fmt: skip
        # Warm-up and items that were cut off are billed to the run, and to none of its items.
        uncounted = [line(CPU, phase, joules=50.0) for phase in UNCOUNTED]
        for run_id in ids:
            kept = history.record(run_id).bill
            more = outcome(bill=replace(kept, lines=(*kept.lines, *uncounted)))
            history.finish(run_id, more)
        told = sorted(
            (run.row.start.task, run.printed and run.printed.value, run.merit.joules_per_correct)
            for run in summarise(history, suite_id).runs
        )
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(sql).fetchall()
    assert sorted((row[0], row[4], row[5]) for row in rows) == [
        (task, accuracy, pytest.approx(joules)) for task, accuracy, joules in told
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_an_example_command_is_understood(line: str) -> None:
    """Parse it down to its last command and option, without running it."""
    command: click.Command = main
    arguments = shlex.split(line)[1:]
    context = click.Context(main)
    while isinstance(command, click.Group) and (
        # A group that does something by itself may be given nothing more, or only options.
        not command.invoke_without_command or (arguments and not arguments[0].startswith("-"))
    ):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, name
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_parser(context).parse_args(list(arguments))


def commands(group: click.Group, path: str = "llamawatt") -> Iterator[tuple[str, click.Command]]:
    """Return every command there is, by what is typed for it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


EVERY = dict(commands(main))


@pytest.mark.parametrize("typed", EVERY)
def test_every_command_has_help_with_an_example(typed: str) -> None:
    assert f"Example: {typed}" in (EVERY[typed].help or "")
