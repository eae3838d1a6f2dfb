"""What can go wrong with the file, in sentences that say what to do."""

import sqlite3
from pathlib import Path

from monitor.problem import Problem


class StoreError(Problem):
    """The database cannot be used; the message says why and what to do."""


class StoreStopped(StoreError):
    """A person stopped what was being done to the database; nothing is left half done."""


REFUSALS = (sqlite3.Error, StoreError)
"""What is raised where a history cannot be read or written."""

BUSY, LOCKED, READ_ONLY, INTERRUPTED, DISK, DAMAGED, NO_SPACE = 5, 6, 8, 9, 10, 11, 13
CANNOT_OPEN, CONSTRAINT, NO_DATABASE = 14, 19, 26
"""Primary result codes of SQLite (sqlite.org/rescode.html)."""

IN_USE = "Another program holds the file: end that program, or wait until it is done."

SAVE_WHAT_CAN_BE = (
    "The file is damaged: `llamawatt database rescue` saves what can still be read into "
    "a new one, `llamawatt database restore` goes back to a backup."
)

ADVICE = {
    BUSY: IN_USE,
    LOCKED: IN_USE,
    NO_SPACE: "Free some space on its disk.",
    DISK: "See that its disk has space and is in order.",
    READ_ONLY: "The file or its folder may not be written to: give yourself the right to.",
    CANNOT_OPEN: "See that its folder is there and may be written to, or copy the whole folder to "
    "where you may write and name the copy in LLAMAWATT_HOME.",
    DAMAGED: SAVE_WHAT_CAN_BE,
    # Nothing that is written breaks a rule of its table, unless what it adds to cannot be read.
    CONSTRAINT: SAVE_WHAT_CAN_BE,
    NO_DATABASE: "Its beginning is damaged, or it is no history: `llamawatt database backups` "
    "lists the backups, `llamawatt database restore DATE` goes back to one. Without any, move it "
    "away to start a new one.",
}

OTHER_FOLDER = "Move the file away to start a new one, or set LLAMAWATT_HOME to another folder."


def code_of(problem: Exception) -> int:
    """Return SQLite's primary result code, 0 where the error is not SQLite's own."""
    return int(getattr(problem, "sqlite_errorcode", 0)) & 0xFF


def explain(path: Path, problem: sqlite3.Error | OSError, doing: str) -> str:
    """Say in two sentences what is the matter with a database, and what to do.

    :param doing: what could not be done, as in "cannot be *opened*"
    """
    advice = ADVICE.get(code_of(problem), OTHER_FOLDER)
    return f"The history {path} cannot be {doing}: {problem}. {advice}"


def told(path: Path, problem: Exception) -> str:
    """Say what went wrong, whatever it was; of the database's own errors what to do as well."""
    if isinstance(problem, sqlite3.Error):
        return explain(path, problem, "read")
    if isinstance(problem, KeyError) and problem.args:
        return str(problem.args[0])  # its own text stands in quotation marks
    return str(problem) or repr(problem)


def damaged(path: Path, problem: str, doing: str) -> StoreError:
    """Return the error for a database in which a check found something."""
    return StoreError(f"The history {path} cannot be {doing}: {problem}. {ADVICE[DAMAGED]}")
