"""What a person changes of stored queries: tags, notes, and what is to be forgotten."""

import json
from collections.abc import Sequence

from sqlite_utils import Database

from monitor.store.database import Store
from monitor.store.identifiers import utc_now
from monitor.store.records import Status

NUMBERS = "(select value from json_each(?))"


class Edits:
    """Changes queries by their numbers; see :class:`monitor.store.records.QueryRow`.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def tag(self, numbers: Sequence[int], tag: str) -> None:
        """Give queries a tag; those that have it keep it.

        :raises ValueError: if the tag is empty
        """
        words = " ".join(tag.split())
        if not words:
            raise ValueError("A tag needs at least one letter.")
        self._change(
            f"insert or ignore into tags (tag, started_ms) select ?, started_ms from queries "
            f"where started_ms in {NUMBERS}",
            words,
            json.dumps(list(numbers)),
        )

    def untag(self, numbers: Sequence[int], tag: str) -> None:
        """Take a tag from queries."""
        self._change(
            f"delete from tags where tag = ? and started_ms in {NUMBERS}",
            tag,
            json.dumps(list(numbers)),
        )

    def note(self, number: int, text: str) -> None:
        """Keep a note with a query in place of the one before; an empty one removes it."""
        self._change(
            "update queries set note = ? where started_ms = ?", text.strip() or None, number
        )

    def delete(self, numbers: Sequence[int]) -> list[int]:
        """Take queries out of every list, sum and search; :meth:`restore` brings them back.

        :return: those that were; what is still running stays
        """

        def change(db: Database) -> list[int]:
            gone = [
                number
                for (number,) in db.execute(
                    f"select started_ms from queries where started_ms in {NUMBERS} "
                    "and deleted_at is null and status <> ?",
                    [json.dumps(list(numbers)), str(Status.RUNNING)],
                )
            ]
            db.execute(
                f"update queries set deleted_at = ? where started_ms in {NUMBERS}",
                [utc_now(), json.dumps(gone)],
            )
            return gone

        return self._store.write(change).result()

    def restore(self, numbers: Sequence[int]) -> None:
        """Bring deleted queries back."""
        self._change(
            f"update queries set deleted_at = null where started_ms in {NUMBERS}",
            json.dumps(list(numbers)),
        )

    def restore_last(self) -> list[int]:
        """Bring back what was deleted last, by whichever program; again: what was before that.

        :return: the numbers of those queries; none if nothing is deleted that could come back
        """

        def change(db: Database) -> list[int]:
            last = "(select max(deleted_at) from queries where deleted_at is not null)"
            sql = f"select started_ms from queries where deleted_at = {last}"
            numbers = [number for (number,) in db.execute(sql)]
            db.execute(
                f"update queries set deleted_at = null where started_ms in {NUMBERS}",
                [json.dumps(numbers)],
            )
            return numbers

        return self._store.write(change).result()

    def _change(self, sql: str, *values: object) -> None:
        self._store.write(lambda db: db.execute(sql, values)).result()
