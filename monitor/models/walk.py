"""Goes through a place and names the model files in it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.engine.gguf import is_later_part, plain_name
from monitor.models.ollama import ollama_models
from monitor.models.places import Layout, Place

Problem = Callable[[OSError], None]


def model_files(place: Place, problem: Problem) -> Iterator[tuple[str, Path]]:
    """Go through the model files of a place.

    Later parts of split models are left out: the first stands for all. Folders that are linked
    in a circle are gone through once.

    :param problem: told which folders cannot be read; what is not there is no problem
    :return: what each is called, and its file
    """
    match place.layout:
        case Layout.FILE:
            if os.path.lexists(place.path):
                yield plain_name(place.path), place.path
        case Layout.OLLAMA:
            yield from ollama_models(place.path, problem)
        case Layout.HUB:
            for folder in _snapshots(place.path, problem):
                yield from _below(folder, problem)
        case Layout.FOLDER:
            yield from _below(place.path, problem)


def _snapshots(hub: Path, problem: Problem) -> Iterator[Path]:
    """The files of each model in the Hugging Face cache, by their names: links to its blobs."""
    try:
        models = sorted(hub.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        problem(error)
        return
    yield from (each / "snapshots" for each in models if each.name.startswith("models--"))


def _below(folder: Path, problem: Problem) -> Iterator[tuple[str, Path]]:
    def on_error(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            problem(error)

    seen: set[str] = set()
    for place, inside, names in os.walk(folder, onerror=on_error, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            inside.clear()
            continue
        seen.add(real)
        inside.sort()
        for name in (*sorted(names), *inside):
            if name.lower().endswith(".gguf") and not is_later_part(name):
                path = Path(place, name)
                yield plain_name(path), path
