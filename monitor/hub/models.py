"""Fetches models into the library's own folder, each with the card of its repository."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.carbon.training import Training
from monitor.engine.gguf import ModelFileError, read_model_info
from monitor.hub.access import HubError, Repository, import_hub, unwritable
from monitor.hub.card import Card
from monitor.hub.catalog import Listing, RemoteFile, RemoteModel
from monitor.hub.names import inside, shown
from monitor.hub.transfer import Progress as FileProgress
from monitor.hub.transfer import Wanted, check_room, fetch_file, left_bytes, record_of
from monitor.models.fit import free_memory
from monitor.paths import models_folder
from monitor.store.history import History

CARD = "card.md"
"""The card beside a model's file."""

LARGEST_BYTES = 1 << 42

Progress = Callable[[int, int], None]
"""Told the bytes here and those in all, of all parts; at least ten times a second, on the thread
that fetches."""


class Stopped(Exception):
    """A person stopped a download; what came is kept, and the next attempt goes on from there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a model is here.

    :param path: its file, the first part's of several; it need not exist
    :param size_bytes: bytes here, of files that are whole and of what earlier attempts left
    :param is_whole: whether nothing is missing
    """

    path: Path
    size_bytes: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Left:
    """What a stopped download left: a file of a repository, and how much of it is here."""

    repository: str
    file: str
    size_bytes: int


def kept(listing: Listing, model: RemoteModel) -> Kept:
    """Return how much of a model is here, without going online.

    :raises HubError: if one of its names leads out of the models folder
    """
    paths = _places(listing, model)
    pairs = list(zip(model.parts, paths, strict=True))
    is_here = [_is_here(listing, part, path) for part, path in pairs]
    here_bytes = sum(
        part.size_bytes if whole else left_bytes(path)
        for (part, path), whole in zip(pairs, is_here, strict=True)
    )
    return Kept(paths[0], here_bytes, all(is_here))


def left_over() -> list[Left]:
    """Return what stopped downloads left in the models folder, by repository."""
    folder = models_folder()
    found = []
    for part in sorted(folder.glob("*/*/**/*.gguf.*.part")):
        owner, repository, *names = part.relative_to(folder).parts
        names[-1] = names[-1].rsplit(".", 2)[0]
        found.append(Left(f"{owner}/{repository}", "/".join(names), part.stat().st_size))
    return found


def fetch_model(
    listing: Listing,
    model: RemoteModel,
    progress: Progress,
    is_stopped: Callable[[], bool] = lambda: False,
    card: Card | None = None,
) -> Path:
    """Fetch what is missing of a model, and keep its repository's card beside it.

    :param is_stopped: asked ten times a second, on this thread
    :return: the model's file, the first part's of several
    :raises Stopped: if it was
    :raises HubError: if it cannot be had
    """
    import_hub()
    paths = _places(listing, model)
    try:
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        missing_bytes = model.size_bytes - kept(listing, model).size_bytes
        check_room(paths[0].parent, missing_bytes, shown(model.name))
        before_bytes = 0
        for part, path in zip(model.parts, paths, strict=True):
            tell = _telling(progress, before_bytes, model.size_bytes, is_stopped)
            if not _is_here(listing, part, path):
                repository = Repository(listing.name)
                fetch_file(Wanted(repository, part.name, path, LARGEST_BYTES, listing.commit), tell)
            before_bytes += part.size_bytes
        if card:
            paths[0].with_name(CARD).write_text(card.content, encoding="utf-8")
    except OSError as error:
        raise HubError(unwritable(error)) from None
    return paths[0]


def _telling(
    progress: Progress, before_bytes: int, total_bytes: int, is_stopped: Callable[[], bool]
) -> FileProgress:
    """Return what is told of one part, made into what is told of all."""

    def tell(_file: str, done_bytes: int, _total_bytes: int | None) -> None:
        if is_stopped():
            raise Stopped
        progress(before_bytes + done_bytes, total_bytes)

    return tell


def _is_here(listing: Listing, part: RemoteFile, path: Path) -> bool:
    record = record_of(listing.name, part.name, path)
    return record is not None and record.sha256 == (part.sha256 or record.sha256)


def keep_training(history: History, path: Path, cards: Iterable[Card]) -> Training | None:
    """Enter what a fetched model's training emitted, as the first card says that says it.

    What a person entered, or another card said before, stays.

    :param path: the model's file
    :return: what was entered, ``None`` if nothing was
    """
    told = next((card.training for card in cards if card.training), None)
    if told is None:
        return None
    try:
        name = read_model_info(path).name
    except ModelFileError:
        return None  # it cannot be run, so that nothing will be laid beside its training
    if name in history.trainings.known():
        return None
    history.trainings.keep(name, told)
    return told


def free_memory_bytes() -> int:
    """Return the memory a model could be loaded into now, that of awake GPUs with it."""
    return free_memory().total_bytes


def _places(listing: Listing, model: RemoteModel) -> list[Path]:
    folder = inside(models_folder(), listing.name)
    return [inside(folder, part.name) for part in model.parts]
