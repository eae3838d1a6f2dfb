"""A server that behaves like Hugging Face, well or badly, as a test tells it to."""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import close_session

from monitor.hub import transfer

COMMIT = "0123456789abcdef0123456789abcdef01234567"

TOKEN = "hf_secret"

FILE = re.compile("(?:/[^/]+)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)")


@dataclass
class Hub:
    """What the server says, and what it was asked.

    :param files: of every repository that is not among ``others``
    :param hits: what a search finds, as the hub's interface tells it
    :param told: what it tells of a repository beside its files
    :param status: of every answer; ``file_status`` only of files
    :param cut_after: bytes after which each answer is cut, one an answer
    :param stall_after: bytes after which an answer goes silent, until :attr:`woken`
    :param pause_s: before each ``block_bytes``
    :param cdn: where files are sent for
    """

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    others: dict[str, dict[str, bytes]] = field(default_factory=dict, repr=False)
    hits: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    file_status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    stall_after: int | None = None
    pause_s: float = 0.0
    block_bytes: int = 1 << 16
    told_size: int | None = None
    told_sha256: str = ""
    whole_only: bool = False
    cdn: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)

    def paths(self, method: str = "GET") -> list[str]:
        """Return what was asked for, without the queries."""
        return [urlsplit(path).path for asked, path, _ in self.asked if asked == method]

    def ranges(self) -> list[str]:
        """Return the beginnings that were asked for, "" for the whole."""
        return [headers.get("range", "") for method, _, headers in self.asked if method == "GET"]

    def describe(self, repository: str) -> dict[str, Any]:
        """Tell of a repository as the hub's interface does."""
        siblings = [
            {
                "rfilename": name,
                "size": len(body),
                "lfs": {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)},
            }
            for name, body in self.others.get(repository, self.files).items()
        ]
        return {"id": repository, "sha": COMMIT, "gated": False, "siblings": siblings} | self.told


class Handler(BaseHTTPRequestHandler):
    """Answers as huggingface.co does for files in LFS: metadata to HEAD, bytes to GET."""

    hub: Hub

    def do_HEAD(self) -> None:
        body = self._found()
        if body is not None:
            sha256 = self.hub.told_sha256 or hashlib.sha256(body).hexdigest()
            size = len(body) if self.hub.told_size is None else self.hub.told_size
            self._head(
                302 if self.hub.cdn else 200,
                {
                    "ETag": '"git-name"',
                    "X-Linked-Etag": f'"{sha256}"',
                    "X-Linked-Size": str(size),
                    "X-Repo-Commit": COMMIT,
                    **self.hub.headers,
                    **({"Location": self.hub.cdn + self.path} if self.hub.cdn else {}),
                },
            )

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            self._tell()
            return
        if self.hub.cdn:
            self._note()
            self._head(302, {"Location": self.hub.cdn + self.path})
            return
        body = self._found()
        if body is None:
            return
        start = 0
        if (wanted := self.headers.get("Range")) and not self.hub.whole_only:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self._head(206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})
        else:
            self._head(200, {"Content-Length": str(len(body))})
        end = start + self.hub.cut_after.pop(0) if self.hub.cut_after else len(body)
        self._send(body[start:end])

    def _tell(self) -> None:
        self._note()
        if self.hub.status != 200:
            self._head(self.hub.status, self.hub.headers)
            return
        name = urlsplit(self.path).path.removeprefix("/api/models").strip("/")
        told = self.hub.describe(unquote(name)) if name else self.hub.hits
        body = json.dumps(told).encode()
        self._head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _send(self, body: bytes) -> None:
        try:
            for start in range(0, len(body), self.hub.block_bytes):
                if self.hub.stall_after is not None and start >= self.hub.stall_after:
                    self.hub.woken.wait(30)
                time.sleep(self.hub.pause_s)
                self.wfile.write(body[start : start + self.hub.block_bytes])
        except ConnectionError:
            pass  # whoever asked has had enough

    def _note(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.asked.append((self.command, self.path, headers))

    def _found(self) -> bytes | None:
        self._note()
        status = self.hub.status if self.hub.status != 200 else self.hub.file_status
        if status != 200:
            self._head(status, self.hub.headers)
            return None
        if found := FILE.fullmatch(unquote(urlsplit(self.path).path)):
            body = self.hub.others.get(found[1], self.hub.files).get(found[2])
            if body is not None:
                return body
        self._head(404, {"X-Error-Code": "EntryNotFound"})
        return None

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Run a server and give its address."""
    handler = type("Bound", (Handler,), {"hub": hub})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            hub.woken.set()
            server.shutdown()
            thread.join()


@contextmanager
def standing_in(hub: Hub, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """Run a server in the place of Hugging Face, asked with a token and from an empty cache."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    # The code sets these for its process; set here, they are unset after the test.
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_VERBOSITY", "error")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(transfer, "PAUSE_S", 0)
    with serving(hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub
    close_session()
