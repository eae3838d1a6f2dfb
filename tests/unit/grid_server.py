"""A server that behaves like the services of live carbon intensities, well or badly."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from monitor.carbon.asking import ADDRESSES
from monitor.carbon.live import Provider

TOKEN = "em_secret_token"


def now_utc(minutes: float = 0.0) -> str:
    """Return a time so many minutes from now, as Electricity Maps writes it."""
    when = datetime.now(UTC) + timedelta(minutes=minutes)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def half_hour(minutes: float = 0.0) -> str:
    """Return a time as carbonintensity.org.uk writes it, without seconds."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%MZ")


@dataclass
class Grid:
    """What the server says, and what it was asked.

    :param told: what it tells beside, or instead of, a usual answer of Electricity Maps
    :param body: the whole answer instead, as bytes or to be written as JSON
    :param silent: it takes the question and says nothing until the test ends
    """

    told: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> bytes:
        """Return what is sent."""
        if isinstance(self.body, bytes):
            return self.body
        if self.body is not None:
            return json.dumps(self.body).encode()
        zone = parse_qs(urlsplit(path).query).get("zone", [""])[0]
        usual = {
            "zone": zone,
            "carbonIntensity": 302,
            "datetime": now_utc(-10),
            "updatedAt": now_utc(-1),
            "emissionFactorType": "lifecycle",
            "isEstimated": False,
        }
        return json.dumps(usual | self.told).encode()


class _Handler(BaseHTTPRequestHandler):
    grid: Grid

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.grid.asked.append((self.path, headers))
        if self.grid.silent:
            self.grid.ended.wait(30)
            return
        body = self.grid.answer(self.path)
        self.send_response(self.grid.status)
        for name, value in self.grid.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def standing_in(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> Iterator[Grid]:
    """Run a server in the place of both services."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    handler = type("Bound", (_Handler,), {"grid": grid})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for provider in Provider:
            monkeypatch.setitem(ADDRESSES, provider, f"http://127.0.0.1:{server.server_port}")
        try:
            yield grid
        finally:
            grid.ended.set()
            server.shutdown()
            thread.join()


class MemoryKeyring(KeyringBackend):
    """A keyring that ends with the test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


@contextmanager
def keyring_of(backend: KeyringBackend) -> Iterator[None]:
    """Let the program find a keyring of the test's own."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.set_keyring(before)
