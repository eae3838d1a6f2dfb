"""The log: a rotating file in the data folder, and nothing anywhere else."""

import logging
import logging.handlers
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from monitor.paths import home

MAX_BYTES, KEPT_FILES = 1 << 20, 3


class LogFile(logging.handlers.RotatingFileHandler):
    """The file, opened with the first line; where it cannot be written, lines are lost in silence.

    A full disk or a folder that may only be read must not stop what would have been logged.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing of a file that cannot be written; of a mistake of ours what logging says."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, whether or not what was left to write could be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def logging_to_file() -> Iterator[None]:
    """Write what the program logs to ``llamawatt.log`` in the data folder, once however nested.

    :raises NoDataFolder: if the folder cannot be made
    """
    root = logging.getLogger()
    if any(isinstance(h, LogFile) for h in root.handlers):
        yield
        return
    handler = LogFile(
        home() / "llamawatt.log",
        maxBytes=MAX_BYTES,
        backupCount=KEPT_FILES,
        encoding="utf-8",
        delay=True,
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    )
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
