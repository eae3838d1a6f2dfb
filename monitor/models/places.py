"""Where models lie on this machine: LlamaWatt's own folder, chosen ones, other programs' folders.

Other programs' files are read where they are, never copied or changed. Their folders:

- LM Studio: https://lmstudio.ai/docs/basics/import-model, the folder before version 0.3.4, and
  the one named in its settings
- Ollama: https://docs.ollama.com/faq, and the homes of the service in Linux packages
- Hugging Face: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
- llama.cpp: ``fs_get_cache_directory`` in its common/common.cpp
- Jan: https://www.jan.ai/docs/data-folder, and ``default_data_folder_path`` of its current source
- GPT4All: https://docs.gpt4all.io/gpt4all_desktop/settings.html, and its Python package
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import platformdirs

from monitor.paths import models_folder
from monitor.store.history import History

FOLDERS_PREFERENCE, FILES_PREFERENCE = "model_folders", "model_files"

UNREAD_PREFERENCE = "model_programs_unread"
"""Keys of the programs whose folders are not to be read."""

OWN, CHOSEN = "llamawatt", "chosen"
"""Origins of what lies in LlamaWatt's own folder, and of what a person chose."""

TITLES = {
    "lmstudio": "LM Studio",
    "ollama": "Ollama",
    "huggingface": "Hugging Face",
    "llamacpp": "llama.cpp",
    "jan": "Jan",
    "gpt4all": "GPT4All",
}
"""What the other programs are called, by their keys."""


class Layout(StrEnum):
    """How files lie in a place."""

    FILE = "file"
    FOLDER = "folder"
    OLLAMA = "ollama"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to look for models.

    :param origin: whose it is: :data:`OWN`, :data:`CHOSEN` or the key of a :class:`Program`
    """

    path: Path
    layout: Layout = Layout.FOLDER
    origin: str = CHOSEN


@dataclass(frozen=True, slots=True)
class Program:
    """Another program that keeps models.

    :param key: what it is called on the command line and in the preferences
    :param title: its name
    :param folders: where it keeps them, as far as they are there
    """

    key: str
    title: str
    layout: Layout
    folders: tuple[Path, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """Its folders as places."""
        return tuple(Place(folder, self.layout, self.key) for folder in self.folders)


def programs() -> tuple[Program, ...]:
    """Return the programs whose models can be read, in the order of :data:`TITLES`."""
    return (
        _program("lmstudio", Layout.FOLDER, _lm_studio()),
        _program("ollama", Layout.OLLAMA, _ollama()),
        _program("huggingface", Layout.HUB, _hugging_face()),
        _program("llamacpp", Layout.FOLDER, _llama_cpp()),
        _program("jan", Layout.FOLDER, _jan()),
        _program("gpt4all", Layout.FOLDER, _gpt4all()),
    )


def _program(key: str, layout: Layout, folders: Iterator[Path]) -> Program:
    found: dict[str, Path] = {}
    for folder in folders:
        if _is_folder(folder):
            found.setdefault(os.path.realpath(folder), folder)
    return Program(key, TITLES[key], layout, tuple(found.values()))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # not to be looked at, or no path at all


def _named(variable: str) -> Iterator[Path]:
    """The folder an environment variable names, if it is set."""
    if text := os.environ.get(variable):
        yield Path(os.path.expandvars(text)).expanduser()


def _lm_studio() -> Iterator[Path]:
    home = Path.home()
    homes = [home / ".lmstudio", home / ".cache/lm-studio"]
    try:
        pointed = (home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()
        homes.insert(0, Path(pointed))
    except (OSError, ValueError):
        pass  # it was never moved
    for each in homes:
        try:
            chosen = json.loads((each / "settings.json").read_bytes())["downloadsFolder"]
            yield Path(chosen)
        except (OSError, ValueError, LookupError, TypeError):
            pass  # nothing else was chosen
        yield each / "models"


def _ollama() -> Iterator[Path]:
    yield from _named("OLLAMA_MODELS")
    yield Path.home() / ".ollama/models"
    for home in ("/usr/share/ollama", "/var/lib/ollama", "/var/snap/ollama/common"):
        yield from (Path(home, inside) for inside in (".ollama/models", "models"))
    yield Path("/var/lib/ollama")


def _hugging_face() -> Iterator[Path]:
    yield from _named("HF_HUB_CACHE")
    yield from (home / "hub" for home in _named("HF_HOME"))
    yield from (cache / "huggingface/hub" for cache in _named("XDG_CACHE_HOME"))
    yield Path.home() / ".cache/huggingface/hub"


def _llama_cpp() -> Iterator[Path]:
    yield from _named("LLAMA_CACHE")
    yield platformdirs.user_cache_path() / "llama.cpp"


def _jan() -> Iterator[Path]:
    for base in (platformdirs.user_data_path(roaming=True), platformdirs.user_config_path()):
        for models in ("llamacpp/models", "models"):
            yield base / "Jan/data" / models
    yield Path.home() / "jan/models"


def _gpt4all() -> Iterator[Path]:
    yield platformdirs.user_data_path() / "nomic.ai/GPT4All"
    yield Path.home() / ".cache/gpt4all"


def own_places(history: History) -> list[Place]:
    """Return LlamaWatt's own folder, then the folders and files a person chose."""
    folders = [Path(text) for text in history.preference(FOLDERS_PREFERENCE, [])]
    files = [Path(text) for text in history.preference(FILES_PREFERENCE, [])]
    return [
        Place(models_folder(), origin=OWN),
        *(Place(folder) for folder in folders),
        *(Place(file, Layout.FILE) for file in files),
    ]


def unread_programs(history: History) -> set[str]:
    """Return the keys of the programs whose folders a person does not want to be read."""
    return set(history.preference(UNREAD_PREFERENCE, []))


def read_program(history: History, key: str, reads: bool) -> None:
    """Read a program's folders from now on, or leave them out."""
    unread = unread_programs(history) - {key} if reads else unread_programs(history) | {key}
    history.set_preference(UNREAD_PREFERENCE, sorted(unread))
