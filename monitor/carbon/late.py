"""A live figure that comes while something already runs, which never waits for it."""

import logging
import sqlite3
from datetime import datetime

from monitor.carbon.choice import live_at
from monitor.carbon.intensity import CarbonError, Zone
from monitor.store.errors import StoreError
from monitor.store.history import History

log = logging.getLogger(__name__)


def late_figure(history: History, began: datetime) -> Zone | None:
    """Return the live figure of when something began, which may have come only afterwards.

    :param began: with its zone
    :return: ``None`` if live figures are off or there is none; nor does what ends want it if it
      cannot be read
    """
    try:
        return live_at(history, began)
    except (CarbonError, sqlite3.Error) as problem:
        log.warning("Whether a live figure has come is not known: %s", problem)
        return None


def take_late_figure(history: History, query_id: str, began: datetime) -> None:
    """Have a query that is about to end reckoned with its :func:`late_figure`, if there is one."""
    zone = late_figure(history, began)
    if zone is None:
        return
    try:
        history.reckon_with(query_id, zone)
    except StoreError as problem:
        log.warning("A live figure was not stored: %s", problem)
