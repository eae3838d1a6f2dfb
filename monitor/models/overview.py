"""The library with what a person chooses by: whether a model fits, and what it took so far."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.engine.gguf import BLOB, ModelInfo
from monitor.models.fit import Fit, Memory, fit, free_memory, usual_context
from monitor.models.library import Cancelled, Counted, Found, Visit, model_places, scan
from monitor.store.history import History
from monitor.store.machine import this_machine
from monitor.store.model_figures import ModelFigures, read_model_figures


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the library.

    :param fit: in main memory, ``None`` for a file that cannot be used
    :param figures: what it took on this machine, ``None`` if it has not answered yet
    """

    model: Found
    fit: Fit | None
    figures: ModelFigures | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole library."""

    entries: tuple[Entry, ...]
    visits: tuple[Visit, ...]
    free: Memory


class Measured:
    """Finds the figures of a file among those of models that have answered.

    :param figures: of this machine
    """

    def __init__(self, figures: Iterable[ModelFigures]) -> None:
        listed = list(figures)
        self._by_sha256 = {each.sha256: each for each in listed}
        self._by_file = {(each.path, each.size_bytes, each.modified_ns): each for each in listed}

    def of(self, info: ModelInfo, modified_ns: int) -> ModelFigures | None:
        """Return a model's figures: of just this unchanged file, or of one with its SHA-256."""
        by_file = self._by_file.get((str(info.path), info.size_bytes, modified_ns))
        if by_file or not self._by_sha256:
            return by_file
        named = BLOB.fullmatch(Path(os.path.realpath(info.path)).name)
        return self._by_sha256.get(named[1]) if named else None


def read_figures(history: History) -> Measured:
    """Read what models took on this machine."""
    return Measured(read_model_figures(history.store, this_machine()["id"]))


def overview(
    history: History,
    context: int | None = None,
    counted: Counted = lambda _number: None,
    cancelled: Cancelled = lambda: False,
) -> Overview:
    """Look for models and lay beside each what is known of it.

    :param context: tokens to reckon memory with; ``None`` for what each is loaded with
    :param counted: told how many were found so far
    """
    found = scan(*model_places(history), counted, cancelled)
    free, measured = free_memory(), read_figures(history)

    def entry(model: Found) -> Entry:
        info = model.info
        if info is None:
            return Entry(model, None, None)
        memory = fit(info, free, context or usual_context(info))
        return Entry(model, memory, measured.of(info, model.modified_ns))

    return Overview(tuple(map(entry, found.models)), found.visits, free)
