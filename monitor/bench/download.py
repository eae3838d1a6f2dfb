"""Fetches the public benchmarks from Hugging Face, when a person asks for one and only then."""

from dataclasses import dataclass
from pathlib import Path

from monitor.bench.files import MAX_BYTES
from monitor.bench.task import DatasetError, Source, Task
from monitor.hub.access import DATASET, HubError, Repository, unwritable
from monitor.hub.names import inside
from monitor.hub.transfer import Progress, Wanted, fetch_file, record_of
from monitor.paths import home


@dataclass(frozen=True, slots=True)
class Fetched:
    """A benchmark's files.

    :param data: the scored split
    :param shots: the split of worked examples, ``None`` if it has none
    """

    data: Path
    shots: Path | None


def fetched(task: Task) -> Fetched | None:
    """Return a benchmark's files if they are all there, without going online.

    :raises DatasetError: if their folder cannot be used
    """
    source = task.source
    if source is None:
        return None
    places = _places(task.name, source)
    if not all(record_of(source.repository, file, path) for file, path in places):
        return None
    paths = [path for _, path in places]
    return Fetched(paths[0], paths[1] if source.shots_file else None)


def fetch(task: Task, progress: Progress) -> Fetched:
    """Fetch those of a benchmark's files that are not there yet.

    :param progress: called on this thread; what it raises stops the download, which the next call
      goes on with
    :raises DatasetError: if one cannot be had
    """
    source = task.source
    if source is None:
        raise DatasetError(
            f"The benchmark “{task.name}” has no public dataset to fetch. Name a file of your own."
        )
    repository = _repository(source)
    for file, path in _places(task.name, source):
        if not record_of(source.repository, file, path):
            try:
                fetch_file(Wanted(repository, file, path, MAX_BYTES), progress)
            except HubError as error:
                raise DatasetError(str(error)) from None
    ready = fetched(task)
    if ready is None:
        raise DatasetError(f"The files of “{task.name}” changed while it was fetched. Try again.")
    return ready


def _repository(source: Source) -> Repository:
    page = Repository(source.repository, DATASET).page
    return Repository(
        source.repository,
        DATASET,
        f"Update LlamaWatt, or download the data from {page} and name the file.",
    )


def _places(name: str, source: Source) -> list[tuple[str, Path]]:
    """Return the files of a source and where each belongs, the scored split first."""
    try:
        folder = inside(home() / "benchmarks", name)
        return [(file, inside(folder, file)) for file in (source.file, source.shots_file) if file]
    except HubError as error:
        raise DatasetError(str(error)) from None
    except OSError as error:
        raise DatasetError(unwritable(error)) from None
