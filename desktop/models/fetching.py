"""A model on its way here: one at a time, with its pace, to be stopped and gone on with."""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import shiboken6
from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.models.asking import unexpected
from monitor.carbon.training import Training
from monitor.hub.access import HubError
from monitor.hub.card import Card
from monitor.hub.catalog import Listing, RemoteModel
from monitor.hub.models import Stopped, fetch_model, keep_training
from monitor.hub.report import here_share
from monitor.store.database import StoreError
from monitor.store.history import History

log = logging.getLogger(__name__)

TOLD_S = 0.1
"""The window is told no oftener than this."""

PACE_S = 8.0
"""Span over which the pace is taken: long enough to be read, short enough to follow."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a download is.

    :param bytes_per_s: its pace, ``None`` until there is one
    :param left_s: time it still takes at this pace
    """

    done_bytes: int
    total_bytes: int
    bytes_per_s: float | None
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a download ended.

    :param path: the model's file, ``None`` if it is not whole
    :param training: what was entered of its training
    :param share: how much of it is here, ``None`` if nothing of its name can be
    :param problem: why it failed and what to do, "" if it was stopped or is whole
    """

    listing: Listing
    model: RemoteModel
    path: Path | None
    training: Training | None
    share: float | None
    problem: str


class Pace:
    """Reckons how fast bytes come, from when they came."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def step(self, now_s: float, done_bytes: int, total_bytes: int) -> Step:
        """Take note of how far it is now."""
        self._seen.append((now_s, done_bytes))
        while now_s - self._seen[0][0] > PACE_S:
            self._seen.popleft()
        then_s, then_bytes = self._seen[0]
        if now_s - then_s < 1 or done_bytes <= then_bytes:
            return Step(done_bytes, total_bytes, None, None)
        bytes_per_s = (done_bytes - then_bytes) / (now_s - then_s)
        return Step(done_bytes, total_bytes, bytes_per_s, (total_bytes - done_bytes) / bytes_per_s)


class Fetching(QObject):
    """Fetches models on the bridge's thread for what takes long."""

    progressed = Signal(object)
    """A :class:`Step`."""
    ended = Signal(object)
    """An :class:`Ended`."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._stop = threading.Event()
        self.is_busy = False

    def run(self, listing: Listing, model: RemoteModel, cards: Sequence[Card]) -> None:
        """Begin a download; nothing happens while another one runs.

        :param cards: the repository's own, which is kept, and others that may tell of training
        """
        if self.is_busy:
            return
        self.is_busy = True
        self._stop.clear()

        def attempt() -> Ended:
            path, training, problem = None, None, ""
            own = next((card for card in cards if card.repository == listing.name), None)
            try:
                path = fetch_model(listing, model, _Teller(self), self._is_stopped, own)
                training = keep_training(self._history, path, cards)
            except Stopped:
                pass
            except (HubError, StoreError) as error:
                problem = str(error)
            except Exception as error:
                # Whatever it was: the person must get the buttons back.
                log.exception("A download failed unexpectedly")
                problem = unexpected(error)
            share = here_share(listing, model)
            return Ended(listing, model, path, training, share, problem)

        self._bridge.transfer(attempt, self._end)

    def stop(self) -> None:
        """Stop what runs; what came of it is kept."""
        self._stop.set()

    def _is_stopped(self) -> bool:
        return self._stop.is_set() or self._bridge.is_closed or not shiboken6.isValid(self)

    def _end(self, ended: Ended) -> None:
        self.is_busy = False
        self.ended.emit(ended)


class _Teller:
    """Tells of a download's progress now and then."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching, self._pace, self._told_s = fetching, Pace(), 0.0

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= TOLD_S:
            self._told_s = now_s
            self._fetching.progressed.emit(self._pace.step(now_s, done_bytes, total_bytes))
