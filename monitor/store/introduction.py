"""This machine in the history's file: it is entered there, and what died running is mended."""

import logging
import sqlite3
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from monitor.store.benchmarks import Benchmarks
from monitor.store.database import Store, StoreError
from monitor.store.endings import add_answer
from monitor.store.processes import is_alive
from monitor.store.records import Status

log = logging.getLogger(__name__)

WAIT_S = 2.0
"""So long whoever opens the file waits for it; the attempts go on meanwhile."""

ATTEMPT_S = 0.25
"""So long each attempt waits for another program, and closing for the attempt."""


class Introduction:
    """Who opens the file, as a machine and as the program that ran on it before.

    :param machine: this machine's row; see :func:`monitor.store.machine.this_machine`
    """

    def __init__(self, store: Store, machine: Mapping[str, Any], benchmarks: Benchmarks) -> None:
        self._store, self._machine, self._benchmarks = store, dict(machine), benchmarks

    def make(self) -> None:
        """Have this machine entered, and what died running marked as interrupted.

        Whoever only looks at a file that knows it all writes nothing: the file may be damaged, or
        held by another program. Where it is held, this machine is entered with the first change
        that is written, whatever that is: it may refer to it.
        """
        try:
            db = self._store.read()
            is_entered = self._is_entered(db)
            if not is_entered:
                self._store.precede(self._enter)
            if not is_entered or self._died(db) or self._benchmarks.died(db):
                self._store.write_once_free(self._mend, ATTEMPT_S).result(WAIT_S)
        except (StoreError, TimeoutError, sqlite3.Error) as error:
            log.warning("This machine is not entered yet: %r", error)

    def _is_entered(self, db: Database) -> bool:
        found = db.query("select * from machines where id = ?", [self._machine["id"]])
        return list(found) == [self._machine]

    def _enter(self, db: Database) -> None:
        db.table("machines").upsert(self._machine, pk="id")

    def _mend(self, db: Database) -> None:
        self._benchmarks.mark_interrupted(db)
        for row in self._died(db):
            db.table("queries").update(row["started_ms"], {"status": str(Status.INTERRUPTED)})
            if row["conversation_id"] and row["answer_text"]:
                _keep_answer(db, row)

    def _died(self, db: Database) -> list[dict[str, Any]]:
        """Return the queries of this machine whose program ended before they did."""
        running = db.query(
            "select started_ms, id, process_id, process_started, conversation_id, answer_text "
            "from queries where facet_id in "
            "(select id from facets where status = ? and machine_id = ?)",
            [Status.RUNNING, self._machine["id"]],
        )
        return [row for row in running if not is_alive(row["process_id"], row["process_started"])]


def _keep_answer(db: Database, row: Mapping[str, Any]) -> None:
    """Show in its conversation what was written of an answer before the program ended."""
    written = db.execute(
        "update messages set content = ? where query_id = ? and role = 'assistant'",
        [row["answer_text"], row["id"]],
    ).rowcount
    if not written:
        add_answer(db, row["conversation_id"], row["id"], row["answer_text"])
