"""What model files say of themselves, remembered for as long as a file is unchanged."""

import json
import logging
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.engine.gguf import ModelInfo
from monitor.store.database import Store

log = logging.getLogger(__name__)

FORMAT = 1
"""To be raised when files are described otherwise: what was remembered is then read again."""

FIELDS = {field.name for field in fields(ModelInfo)} - {"path"}


@dataclass(frozen=True, slots=True)
class Head:
    """What was found in a file when it had this size and time of change.

    :param info: ``None`` if it cannot be used
    :param problem: why it cannot
    """

    size_bytes: int
    modified_ns: int
    info: ModelInfo | None
    problem: str = ""


class Heads:
    """The table ``model_heads``.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def known(self) -> dict[str, Head]:
        """Return what is remembered, by the files' paths."""
        rows = self._store.read().execute(
            "select path, size_bytes, modified_ns, head, problem from model_heads"
        )
        found = {}
        for path, size_bytes, modified_ns, text, problem in rows:
            content = json.loads(text or "{}")
            info = content.get("info")
            if content.get("format") == FORMAT and (info is None or set(info) == FIELDS):
                described = ModelInfo(path=Path(path), **info) if info else None
                found[path] = Head(size_bytes, modified_ns, described, problem or "")
        return found

    def keep(self, found: Mapping[str, Head], gone: Collection[str] = ()) -> None:
        """Remember what was found, and forget files that are gone; nothing waits for it.

        :param found: by path
        """
        if self._store.is_read_only or not (found or gone):
            return
        rows = [_row(path, head) for path, head in found.items() if _is_text(path)]

        def change(db: Database) -> None:
            db.table("model_heads").upsert_all(rows, pk="path")
            db.conn.executemany(
                "delete from model_heads where path = ?", [(path,) for path in gone]
            )

        self._store.write(change).add_done_callback(_log_failure)


def _is_text(path: str) -> bool:
    """Whether a path can be stored: a file's name may hold bytes that are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _row(path: str, head: Head) -> dict[str, Any]:
    info = head.info and {k: v for k, v in asdict(head.info).items() if k != "path"}
    return {
        "path": path,
        "size_bytes": head.size_bytes,
        "modified_ns": head.modified_ns,
        "head": json.dumps({"format": FORMAT, "info": info}),
        "problem": head.problem or None,
    }


def _log_failure(written: "Future[None]") -> None:
    if not written.cancelled() and (error := written.exception()):
        log.info("What model files say was not remembered: %s", error)
