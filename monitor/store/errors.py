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

SAVE_OF_ANOTHER = (
    "The file is damaged: `llamawatt database rescue --from {path}` saves what can still be read "
    "of it into a new one."
)

GO_BACK = (
    "`llamawatt database backups` lists the backups, `llamawatt database restore DATE` goes back "
    "to one. Without any, move it away to start a new one."
)

SEE_ITS_DISK = "See that its disk has space and is in order."

ADVICE = {
    BUSY: IN_USE,
    LOCKED: IN_USE,
    NO_SPACE: "Free some space on its disk.",
    DISK: SEE_ITS_DISK,
    READ_ONLY: "The file or its folder may not be written to: give yourself the right to.",
    CANNOT_OPEN: "See that its folder is there and may be written to, or copy the whole folder to "
    "where you may write and name the copy in LLAMAWATT_HOME.",
    DAMAGED: SAVE_WHAT_CAN_BE,
    # Nothing that is written breaks a rule of its table, unless what it adds to cannot be read.
    CONSTRAINT: SAVE_WHAT_CAN_BE,
    NO_DATABASE: f"Its beginning is damaged, or it is no history: {GO_BACK}",
}

ADVICE_OF_ANOTHER = {
    BUSY: IN_USE,
    LOCKED: IN_USE,
    DISK: SEE_ITS_DISK,
    DAMAGED: SAVE_OF_ANOTHER,
    CONSTRAINT: SAVE_OF_ANOTHER,
    NO_DATABASE: "Its beginning is damaged, or it is no history of LlamaWatt.",
}
"""Of a file that is only read from: another machine's history, or a backup."""

OTHER_FOLDER = "Move the file away to start a new one, or set LLAMAWATT_HOME to another folder."


def code_of(problem: Exception) -> int:
    """Return SQLite's primary result code, 0 where the error is not SQLite's own."""
    return int(getattr(problem, "sqlite_errorcode", 0)) & 0xFF


def explain(path: Path, problem: sqlite3.Error | OSError, doing: str, is_own: bool = True) -> str:
    """Say in two sentences what is the matter with a database, and what to do.

    :param doing: what could not be done, as in "cannot be *opened*"
    :param is_own: whether it is the history this program keeps
    """
    return _told(path, str(problem), doing, code_of(problem), is_own)


def _told(path: Path, problem: str, doing: str, code: int, is_own: bool) -> str:
    if is_own:
        advice = ADVICE.get(code, OTHER_FOLDER)
    else:
        advice = ADVICE_OF_ANOTHER.get(code, "See that it may be read.").format(path=path)
    return f"The history {path} cannot be {doing}: {problem}. {advice}"


def told(path: Path, problem: Exception) -> str:
    """Say what went wrong, whatever it was; of the database's own errors what to do as well."""
    if isinstance(problem, sqlite3.Error):
        return explain(path, problem, "read")
    if isinstance(problem, KeyError) and problem.args:
        return str(problem.args[0])  # its own text stands in quotation marks
    return str(problem) or repr(problem)


def damaged(path: Path, problem: str, doing: str, is_own: bool = True) -> StoreError:
    """Return the error for a database in which a check found something; see :func:`explain`."""
    return StoreError(_told(path, problem, doing, DAMAGED, is_own))
