"""The log: a rotating file in the data folder, and nothing anywhere else."""

import logging
import logging.handlers

from monitor.paths import home

MAX_BYTES, KEPT_FILES = 1 << 20, 3


def start_logging() -> logging.Handler:
    """Write what the program logs to ``llamawatt.log`` in the data folder.

    :return: the handler, for :func:`stop_logging`
    """
    handler = logging.handlers.RotatingFileHandler(
        home() / "llamawatt.log", maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Stop writing to the file of :func:`start_logging`."""
    logging.getLogger().removeHandler(handler)
    handler.close()
