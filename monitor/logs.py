"""The log: a rotating file in the data folder, and nothing anywhere else."""

import logging
import logging.handlers
from collections.abc import Iterator
from contextlib import contextmanager

from monitor.paths import home

MAX_BYTES, KEPT_FILES = 1 << 20, 3


@contextmanager
def logging_to_file() -> Iterator[None]:
    """Write what the program logs to ``llamawatt.log`` in the data folder, once however nested.

    :raises OSError: if the folder or the file cannot be made
    """
    root = logging.getLogger()
    if any(isinstance(h, logging.handlers.RotatingFileHandler) for h in root.handlers):
        yield
        return
    handler = logging.handlers.RotatingFileHandler(
        home() / "llamawatt.log", maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
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
