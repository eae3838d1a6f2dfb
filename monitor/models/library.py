"""Finds GGUF models on disk and tells one from another."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from monitor.engine.gguf import ModelFileError, ModelInfo, read_model_info
from monitor.models.starter import starter_path
from monitor.paths import models_folder
from monitor.store.history import History

STARTER = "starter"

FOLDERS_PREFERENCE, FILES_PREFERENCE = "model_folders", "model_files"

BLOCK_BYTES = 1 << 25


@dataclass(frozen=True, slots=True)
class Found:
    """A model file in the library.

    :param name: what it is called on the command line: the file's name without ``.gguf``
    :param info: its metadata, ``None`` if it cannot be used
    :param problem: why it cannot
    """

    name: str
    path: Path
    info: ModelInfo | None
    problem: str = ""


def model_places(history: History) -> tuple[list[Path], list[Path]]:
    """Return the folders and single files of the library: LlamaWatt's own and chosen ones."""
    folders = [models_folder(), *map(Path, history.preference(FOLDERS_PREFERENCE, []))]
    return folders, [Path(file) for file in history.preference(FILES_PREFERENCE, [])]


def remember_file(history: History, path: Path) -> None:
    """Keep a model file a person opened from elsewhere in the library."""
    files = history.preference(FILES_PREFERENCE, [])
    if str(path) not in files:
        history.set_preference(FILES_PREFERENCE, [*files, str(path)])


def list_models(folders: Iterable[Path], files: Iterable[Path] = ()) -> list[Found]:
    """Return the starter model, then every GGUF file named or below the folders, by name.

    Later parts of split models are left out: the first stands for all. Links that lead in a
    circle are followed once.
    """
    paths = {os.path.realpath(path): path for path in files if path.exists()}
    for folder in folders:
        for path in _gguf_files(folder):
            later_part = re.search(r"-(\d{5})-of-\d{5}\.gguf$", path.name)
            if not later_part or int(later_part[1]) == 1:
                paths.setdefault(os.path.realpath(path), path)
    found = [_inspect(path.stem, path) for path in paths.values()]
    found.sort(key=lambda model: model.name.casefold())
    try:
        return [_inspect(STARTER, starter_path()), *found]
    except ModelFileError:
        return found


def _gguf_files(folder: Path) -> Iterator[Path]:
    """Walk a folder, linked ones too; each real folder once."""
    seen: set[str] = set()
    for place, inside, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            inside.clear()
            continue
        seen.add(real)
        inside.sort()
        yield from (
            Path(place, name) for name in (*sorted(names), *inside) if name.endswith(".gguf")
        )


def _inspect(name: str, path: Path) -> Found:
    try:
        return Found(name, path, _unchanged_info(path, *_stamp(path)))
    except ModelFileError as error:
        return Found(name, path, None, str(error))


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for what cannot be looked at, which reading will explain."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=4096)
def _unchanged_info(path: Path, _size_bytes: int, _modified_ns: int) -> ModelInfo:
    """Read a model's head once for as long as its file is unchanged."""
    return read_model_info(path)


def resolve_model(text: str, folders: Iterable[Path], files: Iterable[Path] = ()) -> Path:
    """Return the file meant by a path, a name in the library, or ``starter``.

    :raises ModelFileError: if there is none, or several
    """
    if text == STARTER:
        return starter_path()
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ModelFileError(f"{text} names the home folder of an unknown user.") from None
    if path.exists() or path.suffix == ".gguf" or len(path.parts) > 1:
        return path
    models = list_models(folders, files)
    exact = [model for model in models if model.name.casefold() == text.casefold()]
    near = exact or [model for model in models if text.casefold() in model.name.casefold()]
    if len(near) == 1:
        return near[0].path
    if near:
        if exact:
            same = ", ".join(str(model.path) for model in exact[:5])
            raise ModelFileError(f"Several files are called “{text}”: {same}. Give the path.")
        names = ", ".join(model.name for model in near[:5])
        raise ModelFileError(f"“{text}” could be {names}. Give more of the name.")
    names = ", ".join(model.name for model in models[:5]) or "none yet"
    raise ModelFileError(
        f"There is no model “{text}”. Give the path of a GGUF file, or one of: {names}."
    )


def sha256_of(path: Path) -> Iterator[float | str]:
    """Read a file for its SHA-256: yields the fraction read so far, at last the hexadecimal digest.

    A model may take a minute; whoever asks can show progress, or leave off.
    """
    digest = hashlib.sha256()
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            yield file.tell() / size_bytes
    yield digest.hexdigest()
