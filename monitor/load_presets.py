"""How each model is to be loaded: what a person keeps for it, and presets of names of their own.

Kept by the file's path in the preference ``load_options``, for the window. A command's options are
what its line says: it must do the same tomorrow.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monitor.loading import LoadOptions
from monitor.store.history import History

PREFERENCE = "load_options"

OPTIONS, PRESETS = "options", "presets"


def options_for(history: History, model: Path) -> LoadOptions:
    """Return how a model is to be loaded; all automatic if nothing is kept for it."""
    return LoadOptions.of(_entry(history, model).get(OPTIONS, {}))


def keep_options(history: History, model: Path, options: LoadOptions) -> None:
    """Keep how a model is to be loaded from now on."""
    _change(history, model, lambda entry: entry.update({OPTIONS: _kept(options)}))


def forget_options(history: History, model: Path) -> None:
    """Leave a model to the automatics again; its presets stay."""
    keep_options(history, model, LoadOptions())


def presets_for(history: History, model: Path) -> dict[str, LoadOptions]:
    """Return the presets of a model by their names, in alphabetical order."""
    kept = _entry(history, model).get(PRESETS, {})
    return {name: LoadOptions.of(kept[name]) for name in sorted(kept, key=str.casefold)}


def keep_preset(history: History, model: Path, name: str, options: LoadOptions) -> None:
    """Keep options under a name; one of that name is replaced."""
    kept = asdict(options)
    _change(history, model, lambda entry: entry.setdefault(PRESETS, {}).update({name: kept}))


def forget_preset(history: History, model: Path, name: str) -> None:
    """Forget a preset, if there is one of that name."""
    _change(history, model, lambda entry: entry.get(PRESETS, {}).pop(name, None))


def _entry(history: History, model: Path) -> dict[str, Any]:
    entry: dict[str, Any] = history.preference(PREFERENCE, {}).get(str(model), {})
    return entry


def _change(history: History, model: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what is kept for a model; a model of which nothing is left is forgotten."""
    kept = history.preference(PREFERENCE, {})
    entry = kept.setdefault(str(model), {})
    change(entry)
    kept[str(model)] = {name: value for name, value in entry.items() if value}
    history.set_preference(PREFERENCE, {path: entry for path, entry in kept.items() if entry})


def _kept(options: LoadOptions) -> dict[str, Any]:
    """Return what is not automatic."""
    usual = asdict(LoadOptions())
    return {name: value for name, value in asdict(options).items() if value != usual[name]}
