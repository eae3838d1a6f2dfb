"""Fetches the public benchmarks from Hugging Face, when a person asks for one and only then.

A file comes to stand under its own name only once it is whole and checked; what a cut left behind
stands beside it, and the next attempt goes on from there. Beside it too stands a record of where
it is from, by which it is known again without going online.

``huggingface_hub`` is imported only in here and only to fetch: its settings, tokens, proxies and
cache are those of Hugging Face's own programs.
"""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from monitor.bench.files import MAX_BYTES
from monitor.bench.task import DatasetError, Source, Task
from monitor.figures import duration, size
from monitor.paths import home

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

PUBLIC: Final = "https://huggingface.co"

TRIES = 4
"""Attempts in a row at going on with a cut download before it is given up, none bringing a byte."""

PAUSE_S = 1.0
"""Before the next of them."""

COMMIT, SHA256 = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{64}")

Progress = Callable[[str, int, int | None], None]
"""Told a file's name in its repository, its bytes here, and its bytes in all where known."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A benchmark's files.

    :param data: the scored split
    :param shots: the split of worked examples, ``None`` if it has none
    """

    data: Path
    shots: Path | None


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file as the hub has it now.

    :param url: of this very version, whatever is committed meanwhile
    :param etag: the hub's name for the content
    :param size_bytes: ``None`` if it does not tell
    :param sha256: "" if it does not tell
    """

    repository: str
    file: str
    commit: str
    url: str
    etag: str
    size_bytes: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept about a file that was fetched and found whole."""

    repository: str
    file: str
    commit: str
    size_bytes: int
    sha256: str


def fetched(task: Task) -> Fetched | None:
    """Return a benchmark's files if they are all there, without going online.

    :raises DatasetError: if their folder cannot be used
    """
    source = task.source
    if source is None:
        return None
    places = _places(task.name, source)
    if not all(_complete(source, file, path) for file, path in places):
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
    for file, path in _places(task.name, source):
        if not _complete(source, file, path):
            _fetch_file(source, file, path, progress)
    ready = fetched(task)
    if ready is None:
        raise DatasetError(f"The files of “{task.name}” changed while it was fetched. Try again.")
    return ready


# --- what is there -------------------------------------------------------------------------------


def _places(name: str, source: Source) -> list[tuple[str, Path]]:
    """Return the files of a source and where each belongs, the scored split first."""
    try:
        folder = home() / "benchmarks"
        folder = _inside(folder, name)
        return [(file, _inside(folder, file)) for file in (source.file, source.shots_file) if file]
    except OSError as error:
        raise DatasetError(_unwritable(error)) from None


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a name below a folder, or refuse a name that leads out of it."""
    try:
        path = (folder / name).resolve()
        below = path != folder.resolve() and path.is_relative_to(folder.resolve())
    except (ValueError, RuntimeError):
        below = False
    if not below:
        raise DatasetError(f"The file name “{name}” leads outside {folder}. It is not fetched.")
    return path


def _complete(source: Source, file: str, path: Path) -> bool:
    try:
        kept = _Record(**json.loads(_beside(path, "source.json").read_bytes()))
        size_bytes = path.stat().st_size
    except (OSError, ValueError, TypeError):
        return False
    wanted = source.repository, file, size_bytes
    return (kept.repository, kept.file, kept.size_bytes) == wanted


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- fetching ------------------------------------------------------------------------------------


def _fetch_file(source: Source, file: str, path: Path, progress: Progress) -> None:
    _import_hub()
    import httpx2

    try:
        remote = _look_up(source, file)
        # Named for the content, so that what is left of one version is never added to another's.
        part = _beside(path, f"{hashlib.sha256(remote.etag.encode()).hexdigest()[:16]}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_room(remote, part)
        progress(file, min(_size_bytes(part), remote.size_bytes or 0), remote.size_bytes)
        if not _copy_known(remote, path, part):
            _receive(remote, part, progress)
        _keep(remote, part, path)
        progress(file, _size_bytes(path), _size_bytes(path))
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        raise DatasetError(_sentence(error, source, file)) from None


def _import_hub() -> None:
    """Import ``huggingface_hub`` with the settings it reads only while it is imported.

    Without the first it would tell the hub which programs are installed here, and ask it for the
    names of more; its warnings would be printed amid the caller's display.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    try:
        import huggingface_hub.file_download  # noqa: F401 - the package itself imports nothing
    except ImportError:
        raise DatasetError(
            "Fetching a benchmark needs the package huggingface_hub. "
            "Install it with: pip install huggingface_hub"
        ) from None
    except ValueError as error:
        raise DatasetError(
            f"A setting of Hugging Face cannot be used: {error}. "
            "Correct the environment variable whose name begins with “HF_”."
        ) from None


def _endpoint() -> str:
    """Return the hub's address. ``huggingface_hub`` would go by the one it was imported with."""
    endpoint = (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DatasetError(f"HF_ENDPOINT should be an address like {PUBLIC}. Correct or unset it.")
    return endpoint


def _host() -> str:
    """Return the hub's name for a message: the whole address may hold a password."""
    return urlsplit(_endpoint()).hostname or ""


def _look_up(source: Source, file: str) -> _Remote:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    def url(commit: str | None) -> str:
        return hf_hub_url(
            source.repository, file, repo_type="dataset", revision=commit, endpoint=_endpoint()
        )

    told = get_hf_file_metadata(url(None), endpoint=_endpoint(), library_name="llamawatt")
    commit, etag = told.commit_hash or "", told.etag or ""
    if not COMMIT.fullmatch(commit) or not etag:
        raise DatasetError(
            f"{_host()} does not answer as Hugging Face does. Check HF_ENDPOINT, and whether the "
            "network asks you to log in first."
        )
    checksum = etag if SHA256.fullmatch(etag) else ""
    return _Remote(source.repository, file, commit, url(commit), etag, told.size, checksum)


def _check_room(remote: _Remote, part: Path) -> None:
    free_bytes = shutil.disk_usage(part.parent).free
    if (remote.size_bytes or 0) - _size_bytes(part) > free_bytes:
        raise DatasetError(
            f"{remote.file} takes {size(remote.size_bytes or 0)}, and the disk of {part.parent} "
            f"has {size(free_bytes)} free. Make room, or name another folder with LLAMAWATT_HOME."
        )


def _copy_known(remote: _Remote, path: Path, part: Path) -> bool:
    """Take the content from where it already lies: in its place, or in Hugging Face's cache."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(
        remote.repository, remote.file, revision=remote.commit, repo_type="dataset"
    )
    for known in (path, *([Path(cached)] if isinstance(cached, str) else [])):
        if known.is_file() and _sha256(known) == remote.sha256:
            shutil.copyfile(known, part)
            return True
    return False


def _receive(remote: _Remote, part: Path, progress: Progress) -> None:
    """Receive the rest of a file, again and again while the connection is cut but brings some.

    ``hf_hub_download`` is of no use here: it throws away what it has when it fails, and takes
    blocks larger than most of these files.
    """
    import httpx2

    tries, most = TRIES, _size_bytes(part)
    while True:
        try:
            _stream(remote, part, progress)
            if remote.size_bytes is None or _size_bytes(part) >= remote.size_bytes:
                return
        except (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError):
            pass
        tries = TRIES if _size_bytes(part) > most else tries - 1
        most = max(most, _size_bytes(part))
        if not tries:
            raise DatasetError(
                f"The connection to {_host()} was cut while {remote.file} was fetched. Try again: "
                f"it goes on after the first {size(_size_bytes(part))}."
            )
        time.sleep(PAUSE_S)


def _stream(remote: _Remote, part: Path, progress: Progress) -> None:
    """Make one request for what is missing, and append it."""
    from huggingface_hub import get_session, hf_raise_for_status
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    part.touch()
    done = _size_bytes(part) if remote.size_bytes else 0
    if remote.size_bytes is not None and done >= remote.size_bytes:
        return
    headers = build_hf_headers(library_name="llamawatt")
    headers |= {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with get_session().stream(
        "GET", remote.url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT
    ) as response:
        hf_raise_for_status(response)
        goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
        done = done if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            for block in response.iter_bytes():
                file.write(block)
                done += len(block)
                if done > (remote.size_bytes or MAX_BYTES):
                    return
                progress(remote.file, done, remote.size_bytes)


def _keep(remote: _Remote, part: Path, path: Path) -> None:
    """Give a file its name if it is what the hub told, else throw it away."""
    size_bytes, checksum = _size_bytes(part), _sha256(part)
    told = remote.size_bytes or size_bytes, remote.sha256 or checksum
    if (size_bytes, checksum) != told or size_bytes > MAX_BYTES:
        part.unlink()
        raise DatasetError(
            f"{remote.file} did not arrive as {_host()} has it: its checksum or its size is "
            "another. Try again; if it stays so, something on the way changes it."
        )
    part.replace(path)
    record = _Record(remote.repository, remote.file, remote.commit, size_bytes, checksum)
    _beside(path, "source.json").write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


# --- what went wrong -----------------------------------------------------------------------------


def _sentence(error: Exception, source: Source, file: str) -> str:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, HfHubHTTPError):
        return _refusal(error, source.repository, file)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids to go online. Unset it to fetch."
    if isinstance(error, httpx2.HTTPError):
        # Of other errors the text may hold what was sent, the token with it.
        why = f" ({error})" if isinstance(error, httpx2.ConnectError) else ""
        return (
            f"{_host()} cannot be reached{why}. Check the network, and HF_ENDPOINT and "
            "HTTPS_PROXY if you set them; or name a file you have."
        )
    if isinstance(error, OSError):
        return _unwritable(error)
    if isinstance(error, ImportError):
        return "Your SOCKS proxy needs the package socksio. Install it with: pip install socksio"
    return (
        f"The dataset {source.repository} cannot be asked for {file}. Check HF_ENDPOINT, HF_TOKEN "
        "and HTTPS_PROXY: one of them is not as it should be."
    )


def _unwritable(error: OSError) -> str:
    if error.errno in (ENOSPC, EDQUOT):
        return "The disk is full. Make room, or name another folder with LLAMAWATT_HOME."
    where = f" {error.filename}" if error.filename else ""
    return (
        f"The benchmark's file{where} cannot be kept: {error.strerror or error}. Check the "
        "folder's permissions, or name another with LLAMAWATT_HOME."
    )


def _refusal(error: "HfHubHTTPError", repository: str, file: str) -> str:
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError

    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return (
            f"The dataset {repository} is given only to those who accept its terms. Accept them "
            f"at {PUBLIC}/datasets/{repository}, then set HF_TOKEN to a token of that account."
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return (
            f"The dataset {repository} has no file {file} any more. Update LlamaWatt, or download "
            f"the data from {PUBLIC}/datasets/{repository} and name the file."
        )
    if status == HTTPStatus.NOT_FOUND:
        return f"{_host()} has no dataset {repository}. Update LlamaWatt, or name a file you have."
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return (
            f"{_host()} does not give out the dataset {repository} ({status}): it is private or "
            "gone, or your token is not valid. Correct HF_TOKEN, or unset it."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = _wait_s(error.response.headers)
        when = "later" if wait_s is None else f"in {duration(wait_s)}"
        return f"{_host()} takes no more requests from you for now (429). Try again {when}."
    return f"{_host()} cannot give the dataset {repository} now ({status}). Try again later."


def _wait_s(headers: Mapping[str, str]) -> int | None:
    """Return the seconds a server asks to be left alone, ``None`` if it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(headers)
    if limit and not limit.remaining:
        return limit.reset_in_seconds
    told = headers.get("Retry-After", "")
    return int(told) if re.fullmatch("[0-9]{1,6}", told) else None
