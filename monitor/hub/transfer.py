"""Brings one file from the hub, whole and checked, or leaves what came for the next attempt.

A file comes to stand under its own name only once it is whole and checked; what a cut left behind
stands beside it, and the next attempt goes on from there. Beside it too stands a record of where
it is from, by which it is known again without going online.
"""

import glob
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

from monitor.figures import size
from monitor.hub.access import HubError, Repository, endpoint, explained, host, import_hub, no_hub
from monitor.hub.names import shown
from monitor.hub.waiting import TICK_S, Tick, beside

TRIES = 4
"""Attempts in a row at going on with a cut download before it is given up, none bringing a byte."""

PAUSE_S = 1.0
"""Before the next of them."""

BLOCK_BYTES = 1 << 23

COMMIT, SHA256 = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{64}")

Progress = Callable[[str, int, int | None], None]
"""Told a file's name in its repository, its bytes here, and its bytes in all where known; at least
ten times a second, on the thread that fetches. What it raises stops the download, which the next
attempt goes on with."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be fetched.

    :param file: its name in the repository
    :param path: where it is to stand; see :func:`monitor.hub.names.inside`
    :param limit_bytes: a larger one is refused
    :param commit: its version, "" for the newest
    """

    repository: Repository
    file: str
    path: Path
    limit_bytes: int
    commit: str = ""


@dataclass(frozen=True, slots=True)
class _Remote:
    """A file as the hub has it now.

    :param url: of this very version, whatever is committed meanwhile
    :param etag: the hub's name for the content
    :param size_bytes: ``None`` if it does not tell
    :param sha256: "" if it does not tell
    """

    commit: str
    url: str
    etag: str
    size_bytes: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept about a file that was fetched and found whole."""

    repository: str
    file: str
    commit: str
    size_bytes: int
    sha256: str


def record_of(repository: str, file: str, path: Path) -> Record | None:
    """Return the record of a file that stands at a path and is whole, without going online."""
    try:
        kept = Record(**json.loads(_beside(path, "source.json").read_bytes()))
        size_bytes = path.stat().st_size
    except (OSError, ValueError, TypeError):
        return None
    wanted = repository, file, size_bytes
    return kept if (kept.repository, kept.file, kept.size_bytes) == wanted else None


def left_bytes(path: Path) -> int:
    """Return how much of a file an earlier attempt left, 0 if nothing."""
    return max(map(_size_bytes, _parts(path)), default=0)


def check_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Refuse what the disk cannot take.

    :param folder: where it is to be kept; it exists
    :raises HubError: if there is less room
    """
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise HubError(
            f"{what} takes {size(needed_bytes)} more, and the disk of {folder} has "
            f"{size(free_bytes)} free. Make room, or name another folder with LLAMAWATT_HOME."
        )


def fetch_file(wanted: Wanted, progress: Progress) -> Record:
    """Fetch a file, whatever stands in its place.

    :raises HubError: if it cannot be had
    """
    import_hub()
    with explained(wanted.repository, shown(wanted.file)):
        remote = _look_up(wanted, lambda: progress(wanted.file, 0, None))
        fetching = _Fetching(wanted, remote, progress)
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        done_bytes = min(_size_bytes(fetching.part), remote.size_bytes or 0)
        check_room(wanted.path.parent, (remote.size_bytes or 0) - done_bytes, shown(wanted.file))
        fetching.tell(done_bytes)
        if not fetching.copy_known():
            fetching.receive()
        return fetching.keep()


def _look_up(wanted: Wanted, tick: Tick) -> _Remote:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    def url(commit: str | None) -> str:
        repository = wanted.repository
        return hf_hub_url(
            repository.name,
            wanted.file,
            repo_type=repository.kind,
            revision=commit,
            endpoint=endpoint(),
        )

    def look() -> Iterator[_Remote]:
        told = get_hf_file_metadata(
            url(wanted.commit or None), endpoint=endpoint(), library_name="llamawatt"
        )
        commit, etag = told.commit_hash or "", told.etag or ""
        if not COMMIT.fullmatch(commit) or not etag:
            raise no_hub()
        checksum = etag if SHA256.fullmatch(etag) else ""
        yield _Remote(commit, url(commit), etag, told.size, checksum)

    return next(beside(look(), tick))


class _Fetching:
    """One file on its way."""

    def __init__(self, wanted: Wanted, remote: _Remote, progress: Progress) -> None:
        self._wanted, self._remote, self._progress = wanted, remote, progress
        # Named for the content, so that what is left of one version is never added to another's.
        content = hashlib.sha256(remote.etag.encode()).hexdigest()[:16]
        self.part = _beside(wanted.path, f"{content}.part")

    def tell(self, done_bytes: int) -> None:
        """Tell how far it is."""
        self._progress(self._wanted.file, done_bytes, self._remote.size_bytes)

    def copy_known(self) -> bool:
        """Take the content from where it already lies: in its place, or Hugging Face's cache."""
        from huggingface_hub import try_to_load_from_cache

        repository, remote = self._wanted.repository, self._remote
        cached = try_to_load_from_cache(
            repository.name, self._wanted.file, revision=remote.commit, repo_type=repository.kind
        )
        if self._is_content(self._wanted.path):
            self._wanted.path.replace(self.part)
            return True
        if isinstance(cached, str) and self._is_content(Path(cached)):
            shutil.copyfile(cached, self.part)
            return True
        return False

    def _is_content(self, path: Path) -> bool:
        return (
            path.is_file()
            and _size_bytes(path) == self._remote.size_bytes
            and self._sha256(path) == self._remote.sha256
        )

    def receive(self) -> None:
        """Receive the rest, again and again while the connection is cut but brings some.

        ``hf_hub_download`` is of no use here: it throws away what it has when it fails, and cannot
        be stopped.
        """
        import httpx2

        total_bytes = self._remote.size_bytes
        tries, most_bytes = TRIES, _size_bytes(self.part)
        while True:
            try:
                self._stream()
                if total_bytes is None or _size_bytes(self.part) >= total_bytes:
                    return
            except (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError):
                pass
            done_bytes = _size_bytes(self.part)
            tries = TRIES if done_bytes > most_bytes else tries - 1
            most_bytes = max(most_bytes, done_bytes)
            if not tries:
                raise HubError(
                    f"The connection to {host()} was cut while {shown(self._wanted.file)} was "
                    f"fetched. Try again: it goes on after the first {size(done_bytes)}."
                )
            self._pause(done_bytes)

    def _pause(self, done_bytes: int) -> None:
        end_s = time.monotonic() + PAUSE_S
        while (left_s := end_s - time.monotonic()) > 0:
            self.tell(done_bytes)
            time.sleep(min(left_s, TICK_S))

    def _stream(self) -> None:
        """Make one request for what is missing, and append it."""
        self.part.touch()
        total_bytes = self._remote.size_bytes
        done_bytes = _size_bytes(self.part) if total_bytes else 0
        if total_bytes is not None and done_bytes >= total_bytes:
            return
        blocks = beside(
            _blocks(self._remote.url, done_bytes), lambda: self.tell(_size_bytes(self.part))
        )
        goes_on = next(blocks, None) == GOES_ON
        done_bytes = done_bytes if goes_on else 0
        with self.part.open("ab" if goes_on else "wb") as file:
            for block in blocks:
                file.write(block)
                # Who waits for the next one tells the file's size: nothing told is taken back.
                file.flush()
                done_bytes += len(block)
                if done_bytes > (total_bytes or self._wanted.limit_bytes):
                    return
                self.tell(done_bytes)

    def keep(self) -> Record:
        """Give the file its name if it is what the hub told, else throw it away."""
        wanted, remote, part = self._wanted, self._remote, self.part
        size_bytes, checksum = _size_bytes(part), self._sha256(part)
        told = remote.size_bytes or size_bytes, remote.sha256 or checksum
        if (size_bytes, checksum) != told or size_bytes > wanted.limit_bytes:
            part.unlink()
            raise HubError(
                f"{shown(wanted.file)} did not arrive as {host()} has it: its checksum or its size "
                "is another. Try again; if it stays so, something on the way changes it."
            )
        part.replace(wanted.path)
        for outdated in _parts(wanted.path):
            outdated.unlink()
        record = Record(wanted.repository.name, wanted.file, remote.commit, size_bytes, checksum)
        text = json.dumps(asdict(record), indent=1)
        _beside(wanted.path, "source.json").write_text(text, encoding="utf-8")
        self.tell(size_bytes)
        return record

    def _sha256(self, path: Path) -> str:
        digest, total_bytes = hashlib.sha256(), _size_bytes(self.part)
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                self.tell(total_bytes)
        return digest.hexdigest()


GOES_ON, STARTS_ANEW = b"goes on", b"starts anew"


def _blocks(url: str, start_bytes: int) -> Iterator[bytes]:
    """Yield whether the server goes on where it was asked to, then the bytes it sends."""
    from huggingface_hub import get_session, hf_raise_for_status
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers(library_name="llamawatt") | {"Accept-Encoding": "identity"}
    if start_bytes:
        headers["Range"] = f"bytes={start_bytes}-"
    with get_session().stream(
        "GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT
    ) as response:
        hf_raise_for_status(response)
        is_rest = response.status_code == HTTPStatus.PARTIAL_CONTENT
        yield GOES_ON if is_rest else STARTS_ANEW
        yield from response.iter_bytes()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _parts(path: Path) -> list[Path]:
    """Return what earlier attempts at a file left."""
    return list(path.parent.glob(f"{glob.escape(path.name)}.*.part"))


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
