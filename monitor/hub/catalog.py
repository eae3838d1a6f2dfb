"""What the hub has: repositories found by words, and the models in one of them."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from monitor.hub.access import HubError, Repository, ask, no_hub
from monitor.hub.names import shown
from monitor.hub.transfer import COMMIT, SHA256
from monitor.hub.waiting import Tick, idly

ANSWERING = ("text-generation", "image-text-to-text", "any-to-any", "")
"""Tasks whose models answer in text; many quantised repositories state none."""

SPARE = 3
"""Repositories asked for, for each that is shown: some do not answer in text."""

NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)

QUANTISATION = re.compile(
    r"(?<![A-Z0-9])("
    r"(?:UD-)?(?:I?Q[1-8](?:_(?:[0148KSML]|XXS|XS|XL|NL))+|TQ[12]_0)"
    r"|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)(?![A-Z0-9])"
)
"""How files name it, in capitals; ``UD-`` and ``_XL`` are Unsloth's."""

SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")

COMPANION = re.compile(r"(?i)(^|[-_.])(mmproj|imatrix)([-_.]|$)")
"""Files in the format that are no models: image encoders, statistics of activations."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A repository a search found.

    :param name: ``owner/name``
    :param downloads: of the last thirty days
    :param gated: whether its authors ask to accept terms first
    :param updated: when it last changed, ``None`` if not told
    """

    name: str
    downloads: int
    likes: int
    gated: bool
    updated: datetime | None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository; ``sha256`` is "" if not told."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that can be fetched: a GGUF file, or all parts of one.

    :param quantisation: by its name, "" if that says nothing
    :param parts: in order, at least one
    """

    quantisation: str
    parts: tuple[RemoteFile, ...]

    @property
    def name(self) -> str:
        """The file's name in the repository, the first part's of several."""
        return self.parts[0].name

    @property
    def size_bytes(self) -> int:
        """All parts together."""
        return sum(part.size_bytes for part in self.parts)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository offers.

    :param name: ``owner/name`` as the hub spells it
    :param commit: the version listed
    :param gated: whether its authors ask to accept terms before a file is given out
    :param models: the smallest first
    """

    name: str
    commit: str
    gated: bool
    models: tuple[RemoteModel, ...]


def repository_name(text: str) -> str:
    """Return the ``owner/name`` meant by it, or by the address of its page.

    :raises HubError: if it is neither
    """
    words = text.strip()
    if "://" in words or words.startswith(("huggingface.co/", "hf.co/")):
        path = urlsplit(words if "://" in words else f"https://{words}").path
        words = "/".join(path.strip("/").split("/")[:2])
    if not NAME.fullmatch(words) or ".." in words or words.endswith(".git"):
        raise HubError(
            f"“{shown(text)}” is no repository. Write it as owner/name, for example "
            "bartowski/Qwen2.5-0.5B-Instruct-GGUF."
        )
    return words


def search(words: str, limit: int = 20, tick: Tick = idly) -> list[Hit]:
    """Return repositories with GGUF models that answer in text, the most fetched first.

    :param words: letters of their names, in any order; none for the most fetched of all
    :raises HubError: if the hub does not answer
    """
    parameters: dict[str, Any] = {
        "filter": "gguf",
        "sort": "downloads",
        "limit": limit * SPARE,
        "expand": ["downloads", "likes", "gated", "lastModified", "pipeline_tag"],
    }
    if wanted := " ".join(words.split()):
        parameters["search"] = wanted
    answer = ask("models", parameters, tick=tick)
    if not isinstance(answer, list):
        raise no_hub()
    hits = [_hit(each) for each in answer if isinstance(each, dict)]
    return [hit for hit in hits if hit][:limit]


def _hit(told: Mapping[str, Any]) -> Hit | None:
    name = told.get("id")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return None
    if (told.get("pipeline_tag") or "") not in ANSWERING:
        return None
    return Hit(
        name,
        _count(told.get("downloads")),
        _count(told.get("likes")),
        bool(told.get("gated")),
        _time(told.get("lastModified")),
    )


def list_models(name: str, tick: Tick = idly) -> Listing:
    """Return the models of a repository.

    :param name: ``owner/name``, or the address of its page
    :raises HubError: if there is none of that name, or the hub does not answer
    """
    repository = Repository(repository_name(name))
    answer = ask(f"models/{repository.name}", {"blobs": "true"}, repository, tick)
    if not isinstance(answer, dict) or not isinstance(answer.get("siblings"), list):
        raise no_hub()
    commit = answer.get("sha")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise no_hub()
    files = [_file(each) for each in answer["siblings"] if isinstance(each, dict)]
    models = sorted(
        _models(file for file in files if file), key=lambda model: (model.size_bytes, model.name)
    )
    return Listing(repository.name, commit, bool(answer.get("gated")), tuple(models))


def _file(told: Mapping[str, Any]) -> RemoteFile | None:
    """Return a file of the format with weights in it, as far as its name tells."""
    name = told.get("rfilename")
    if not isinstance(name, str) or not name.endswith(".gguf"):
        return None
    if COMPANION.search(PurePosixPath(name).stem):
        return None
    lfs = told.get("lfs")
    stored = lfs if isinstance(lfs, dict) else {}
    checksum = stored.get("sha256")
    is_known = isinstance(checksum, str) and SHA256.fullmatch(checksum)
    size_bytes = _count(stored.get("size")) or _count(told.get("size"))
    return RemoteFile(name, size_bytes, str(checksum) if is_known else "")


def _models(files: Iterable[RemoteFile]) -> list[RemoteModel]:
    """Join parts; a model of which one is missing cannot be run, and is left out."""
    found: list[RemoteModel] = []
    split: dict[tuple[str, int], dict[int, RemoteFile]] = defaultdict(dict)
    for file in files:
        if part := SPLIT.fullmatch(file.name):
            split[part[1], int(part[3])][int(part[2])] = file
        else:
            found.append(RemoteModel(quantisation_of(file.name), (file,)))
    for (stem, count), parts in split.items():
        if len(parts) == count and sorted(parts)[0] == 1 and sorted(parts)[-1] == count:
            ordered = tuple(parts[number] for number in sorted(parts))
            found.append(RemoteModel(quantisation_of(stem), ordered))
    return found


def quantisation_of(name: str) -> str:
    """Return the quantisation a file's name tells, "" if it tells none."""
    found = QUANTISATION.findall(name.upper())
    return found[-1].replace("FP16", "F16").replace("FP32", "F32") if found else ""


def choose(listing: Listing, text: str) -> list[RemoteModel]:
    """Return the models meant by a file's name, a quantisation, or a part of a name."""
    wanted = text.casefold()
    tiers: tuple[list[RemoteModel], ...] = ([], [], [])
    for model in listing.models:
        names = [part.name.casefold() for part in model.parts]
        short = PurePosixPath(names[0]).name, model.quantisation.casefold()
        is_meant = wanted in names, wanted in short, wanted in names[0]
        if True in is_meant:
            tiers[is_meant.index(True)].append(model)
    return next((tier for tier in tiers if tier), [])


def _count(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(int(value), 0) if is_number and math.isfinite(value) else 0


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value).astimezone()
    except (TypeError, ValueError, OverflowError):
        return None
