"""Finds the data of a benchmark that is repeated, wherever it lies now, by name and hash."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from monitor.bench.download import fetched
from monitor.bench.prepare import sha256_of_data
from monitor.bench.suites import PUBLIC, QUALITY, Part, Suite
from monitor.bench.task import DatasetError, Task
from monitor.bench.tasks import find_task


@dataclass(frozen=True, slots=True)
class Hashes:
    """What a part was run with, "" where it is not known.

    :param data: see :func:`monitor.bench.prepare.sha256_of_data`
    :param shots: likewise, of what worked examples were taken from
    """

    data: str = ""
    shots: str = ""


def file_name(path: str) -> str:
    """Return the last part of a path, whichever system wrote it: what others may see of it."""
    return path.replace("\\", "/").rpartition("/")[2]


def only_names(suite: Suite) -> Suite:
    """Return a suite without the folders its data lies in."""
    return replace(
        suite,
        parts=tuple(
            replace(part, data=file_name(part.data), shots_data=file_name(part.shots_data))
            for part in suite.parts
        ),
    )


def find_data(
    suite: Suite, hashes: Mapping[str, Hashes], given: Sequence[tuple[str, Path]]
) -> Suite:
    """Return a suite with its data where it lies on this machine.

    It is looked for where a person says, else where it was, then among what ships with LlamaWatt
    and what was fetched. What has another hash than was used is passed by. A part of the public
    set stays one.

    :param hashes: by the part's name
    :param given: names of data, and where they are here
    :raises DatasetError: if some is not here, or a name is no part's
    """
    judged = [part for part in suite.parts if part.kind == QUALITY]
    named = (text for part in judged for text in (part.data, part.shots_data))
    names = {file_name(text) for text in named if text not in ("", PUBLIC)}
    for name, _ in given:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise DatasetError(f"--data: no data is called “{name}” in what is repeated: {known}.")
    parts = [
        _found(part, hashes.get(part.name, Hashes()), given) if part.kind == QUALITY else part
        for part in suite.parts
    ]
    return replace(suite, parts=tuple(parts))


def _found(part: Part, hashes: Hashes, given: Sequence[tuple[str, Path]]) -> Part:
    task = find_task(part.task)
    has_shots = bool(task.shots if part.shots is None else part.shots)
    return replace(
        part,
        data=part.data
        if part.data == PUBLIC
        else _place(part, task, part.data, hashes.data, given),
        shots_data=_place(part, task, part.shots_data, hashes.shots, given)
        if has_shots and part.shots_data not in ("", PUBLIC)
        else part.shots_data,
    )


def _place(
    part: Part, task: Task, text: str, sha256: str, given: Sequence[tuple[str, Path]]
) -> str:
    name = file_name(text)
    places = [path for known, path in given if known == name]
    if not places:
        places = [Path(text), *_shipped(name), *(_fetched(task) if sha256 else [])]
    # A path may be so long, or its folder so closed, that asking for it is an error.
    places = [place for place in places if os.path.exists(place)]  # noqa: PTH110
    for place in places:
        if not sha256 or _has(task, place, sha256):
            return str(place.absolute())
    told = f" (SHA-256 {sha256})" if sha256 else ""
    other = f" {places[0]} holds something else." if places else ""
    source = task.source
    is_public = source and name in map(file_name, (source.file, source.shots_file))
    public = f", or fetch the public set: llamawatt bench get {task.name}" if is_public else ""
    raise DatasetError(
        f"The data {name} of the part “{part.name}” was not found here{told}.{other} Say where it "
        f"lies: --data {name}=PATH{public}"
    )


def _shipped(name: str) -> list[Path]:
    inside = Path(str(files("resources"))).joinpath("suites").rglob("*")
    return sorted(path for path in inside if path.name == name)


def _fetched(task: Task) -> list[Path]:
    found = fetched(task)
    return [path for path in (found.data, found.shots) if path] if found else []


def _has(task: Task, place: Path, sha256: str) -> bool:
    try:
        return sha256_of_data(task, place) == sha256
    except (DatasetError, OSError):
        return False
