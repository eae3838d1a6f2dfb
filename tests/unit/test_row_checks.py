"""A look through the rows can be stopped at any time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from monitor.store.copies import never
from monitor.store.errors import StoreStopped
from monitor.store.row_checks import MOST, lost_days, lost_references


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """So many rows that SQLite looks for a cancel among them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            "create table models (id integer primary key);"
            "create table queries (id text, day text, model_id integer references models (id));"
            "insert into models values (1);"
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < 40000) "
            "insert into queries select 'query ' || n, '2026-11-24', 1 from n;"
        )
        yield connection


@pytest.mark.parametrize("check", [lost_days, lost_references])
def test_a_check_of_rows_can_be_stopped(
    connection: sqlite3.Connection,
    check: Callable[[sqlite3.Connection, Callable[[], bool]], list[str]],
) -> None:
    assert check(connection, never) == []
    with pytest.raises(StoreStopped, match="The check was stopped"):
        check(connection, lambda: True)
    assert connection.execute("select count(*) from queries").fetchone() == (40_000,)


def test_no_more_is_told_than_can_be_read(connection: sqlite3.Connection) -> None:
    connection.execute("update queries set day = 'lost', model_id = 2")
    assert lost_days(connection, never)[0] == (
        "query query 1: its day should be a date, and is “lost”"
    )
    assert len(lost_days(connection, never)) == MOST
    assert set(lost_references(connection, never)) == {
        "queries refers to rows of models that are not there"
    }
