"""A real HTTP server on loopback that answers as wall plugs do, or as they should not.

Bodies follow the makers' documentation (shelly-api-docs.shelly.cloud for both generations,
tasmota.github.io/docs), shortened to what tells them apart and what is measured.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUS_10 = "/cm?cmnd=Status%2010"


@dataclass
class Device:
    """What the server does, and what it was asked.

    :param pages: what is answered for each path: bytes as they are, all else as JSON
    :param status: the status of every answer; a path without a page gets 404
    :param headers: added to every answer
    :param drip_s: so long it waits before each byte, headers too
    :param silent: it takes the question and says nothing until the test ends
    """

    pages: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def address(self) -> str:
        """Where it is, as a person types it."""
        return f"127.0.0.1:{self.port}"


def shelly(power_w: Any = 48.2, total_wh: float = 1234.567) -> Device:
    """Return a Shelly of the second generation."""
    return Device(
        {
            "/shelly": {"id": "shellyplusplugs-0", "mac": "A0", "model": "SNPL-00112EU", "gen": 2},
            "/rpc/Switch.GetStatus?id=0": {
                "id": 0,
                "output": True,
                "apower": power_w,
                "voltage": 230.1,
                "aenergy": {"total": total_wh, "by_minute": [0.0, 803.4, 803.4]},
            },
        }
    )


def shelly_of(*components: str, power_w: Any = 48.2) -> Device:
    """Return a Shelly of a later generation that has such components: ``switch:0``, ``pm1:0``."""
    pages: dict[str, Any] = {"/shelly": {"id": "shellyplug-0", "mac": "A0", "gen": 3}}
    status: dict[str, Any] = {"sys": {"mac": "A0"}, "wifi": {"rssi": -60}}
    for name in components:
        kind, _, number = name.partition(":")
        told = {"id": int(number), "apower": power_w, "aenergy": {"total": 1234.567}}
        status[name] = told | ({"output": True} if kind == "switch" else {})
        method = {"switch": "Switch", "pm1": "PM1"}[kind]
        pages[f"/rpc/{method}.GetStatus?id={number}"] = status[name]
    return Device(pages | {"/rpc/Shelly.GetStatus": status})


def shelly_gen1(power_w: Any = 48.2, *, is_valid: bool = True, in_status: bool = False) -> Device:
    """Return a Shelly of the first generation, which may tell its meter in its status alone."""
    meter = {"power": power_w, "is_valid": is_valid, "total": 74074}
    pages: dict[str, Any] = {"/shelly": {"type": "SHPLG-S", "mac": "A0", "auth": False}}
    pages |= {"/status": {"meters": [meter]}} if in_status else {"/meter/0": meter}
    return Device(pages)


def tasmota(power_w: Any = 48.2, **sensors: Any) -> Device:
    """Return a plug with Tasmota.

    :param sensors: what it tells instead of its energy
    """
    energy = {"ENERGY": {"Total": 1.235, "Power": power_w, "Voltage": 230}}
    return Device(
        {STATUS_10: {"StatusSNS": {"Time": "2026-01-01T00:00:00", **(sensors or energy)}}}
    )


class _Handler(BaseHTTPRequestHandler):
    device: Device

    def do_GET(self) -> None:
        device = self.device
        device.asked.append(self.path)
        device.hosts.append(self.headers["Host"])
        if device.silent:
            device.ended.wait(30)
            return
        status = device.status
        page = device.pages.get(self.path)
        if status == 200 and page is None:
            status, page = 404, b"<html>Not Found</html>"
        body = page if isinstance(page, bytes) else json.dumps(page).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in device.headers.items())
        self._send(head.encode() + b"\r\n" + body)

    def _send(self, answer: bytes) -> None:
        if not self.device.drip_s:
            self.wfile.write(answer)
            return
        try:
            for byte in answer:
                if self.device.ended.wait(self.device.drip_s):
                    return
                self.wfile.write(bytes([byte]))
        except OSError:
            pass  # the client has given up, as it should

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that breaks off is no error of the test."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def serving(device: Device, host: str = "127.0.0.1") -> Iterator[Device]:
    """Run the server; :attr:`Device.address` is valid inside."""
    handler = type("Bound", (_Handler,), {"device": device})
    make: Callable[..., _Server] = _Server6 if ":" in host else _Server
    with make((host, 0), handler) as server:
        device.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield device
        finally:
            device.ended.set()
            server.shutdown()
            thread.join()
