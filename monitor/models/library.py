"""The GGUF models on disk: each once, with what it says of itself."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.engine.gguf import (
    BLOB,
    CannotOpen,
    ModelFileError,
    ModelInfo,
    part_paths,
    read_model_info,
)
from monitor.models.places import OWN, Place, own_places, programs, unread_programs
from monitor.models.starter import starter_path
from monitor.models.walk import model_files
from monitor.store.heads import Head, Heads
from monitor.store.history import History

STARTER = "starter"
"""Name and origin of the model that comes with LlamaWatt."""

BLOCK_BYTES = 1 << 25

Counted = Callable[[int], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """A model file in the library.

    :param name: what it is called on the command line: the file's name without ``.gguf``, or what
      Ollama calls it
    :param info: its metadata, ``None`` if it cannot be used
    :param problem: why it cannot
    :param origin: whose it is, see :class:`monitor.models.places.Place`
    :param modified_ns: when the file was changed, 0 if that is not known
    """

    name: str
    path: Path
    info: ModelInfo | None
    problem: str = ""
    origin: str = OWN
    modified_ns: int = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """What was found in a place.

    :param models: its model files, those another place has as well among them
    :param problem: what could not be read, "" if all could
    """

    place: Place
    models: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """All that was found; :attr:`models` holds the starter first, then by name, and those that
    cannot be used last."""

    models: tuple[Found, ...]
    visits: tuple[Visit, ...]


def model_places(history: History) -> tuple[list[Place], Heads]:
    """Return where to look for models, and what is remembered of them.

    Programs a person has switched off are left out.
    """
    unread = unread_programs(history)
    others = [place for each in programs() if each.key not in unread for place in each.places]
    return [*own_places(history), *others], Heads(history.store)


def list_models(places: Iterable[Place], heads: Heads | None = None) -> list[Found]:
    """Return every GGUF file in the places, each once, as :class:`Scan` orders them."""
    return list(scan(places, heads).models)


def scan(
    places: Iterable[Place],
    heads: Heads | None = None,
    counted: Counted = lambda _number: None,
    cancelled: Cancelled = lambda: False,
) -> Scan:
    """Look for models; may be called from several threads at once.

    :param heads: what is remembered; files that have changed since are read and remembered
    :param counted: told how many were found so far
    :param cancelled: whether to leave off with what was found
    """
    search = _Search(heads.known() if heads else {}, counted, cancelled)
    search.take_starter()
    visits = tuple(search.visit(place) for place in places)
    if heads:
        heads.keep(search.changed, search.gone())
    first = [model for model in search.models if model.origin == STARTER]
    rest = [model for model in search.models if model.origin != STARTER]
    rest.sort(key=lambda model: (model.info is None, model.name.casefold()))
    return Scan((*first, *rest), visits)


class _Search:
    """Collects models; a file that is reached twice is taken once."""

    def __init__(self, known: Mapping[str, Head], counted: Counted, cancelled: Cancelled) -> None:
        self._known, self._counted, self._cancelled = known, counted, cancelled
        self._files: set[object] = set()
        self._paths: set[str] = set()
        self.models: list[Found] = []
        self.changed: dict[str, Head] = {}

    def take_starter(self) -> None:
        try:
            self._take(STARTER, starter_path(), STARTER)
        except ModelFileError:
            return  # it need not be installed

    def visit(self, place: Place) -> Visit:
        problems: list[OSError] = []
        models = 0
        for name, path in model_files(place, problems.append):
            if self._cancelled():
                break
            self._take(name, path, place.origin)
            models += 1
        return Visit(place, models, _told(problems))

    def gone(self) -> list[str]:
        """Remembered files that are not there any more."""
        return [p for p in self._known if p not in self._paths and not os.path.lexists(p)]

    def _take(self, name: str, path: Path, origin: str) -> None:
        identity, modified_ns = _identity(path)
        if identity in self._files:
            return
        self._files.add(identity)
        head = self._head(path)
        problem = head.problem
        if BLOB.fullmatch(path.name):
            problem = problem.replace(path.name, name)
        self.models.append(Found(name, path, head.info, problem, origin, modified_ns))
        self._counted(len(self.models))

    def _head(self, path: Path) -> Head:
        size_bytes, modified_ns = _stamp(path)
        key = str(path)
        self._paths.add(key)
        known = self._known.get(key)
        if known and (known.size_bytes, known.modified_ns) == (size_bytes, modified_ns):
            return known
        try:
            head = Head(size_bytes, modified_ns, read_model_info(path))
        except CannotOpen as error:
            return Head(size_bytes, modified_ns, None, str(error))
        except ModelFileError as error:
            head = Head(size_bytes, modified_ns, None, str(error))
        self.changed[key] = head
        return head


def _identity(path: Path) -> tuple[object, int]:
    """What tells a file from others whatever leads to it, and when it was changed."""
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0  # a broken link: reading it will say so
    if stat.st_ino:
        return (stat.st_dev, stat.st_ino), stat.st_mtime_ns
    return os.path.realpath(path), stat.st_mtime_ns  # the file system does not number its files


def _stamp(path: Path) -> tuple[int, int]:
    """Size and latest change of a model's parts; what cannot be looked at counts as nothing."""
    stats = []
    for part in part_paths(path):
        try:
            stats.append(part.stat())
        except OSError:
            continue
    return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)


def _told(problems: list[OSError]) -> str:
    """Say in a sentence what could not be read."""
    if not problems:
        return ""
    first = problems[0]
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{first.filename}{more} cannot be read: {first.strerror or first}."


def resolve_model(text: str, places: Iterable[Place], heads: Heads | None = None) -> Path:
    """Return the file meant by a path, a name in the library, or ``starter``.

    :raises ModelFileError: if there is none, or several
    """
    if text == STARTER:
        return starter_path()
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ModelFileError(f"{text} names the home folder of an unknown user.") from None
    if path.exists() or path.suffix == ".gguf":
        return path
    models = list_models(places, heads)
    exact = [model for model in models if model.name.casefold() == text.casefold()]
    if not exact and len(path.parts) > 1:
        return path  # to be refused as a file that is not there
    near = exact or [model for model in models if text.casefold() in model.name.casefold()]
    if len(near) == 1:
        return near[0].path
    if near:
        if exact:
            same = ", ".join(str(model.path) for model in exact[:5])
            raise ModelFileError(f"Several files are called “{text}”: {same}. Give the path.")
        names = ", ".join(model.name for model in near[:5])
        raise ModelFileError(f"“{text}” could be {names}. Give more of the name.")
    usable = [model.name for model in models if model.info]
    names = ", ".join(usable[:5]) or "none yet"
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
