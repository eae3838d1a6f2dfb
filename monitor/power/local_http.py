"""One question to a device of the local network, by HTTP.

A person types the address, and what answers may be anything. So a name is resolved once for each
question, every address it stands for has to be local, and the connection goes to the address that
was looked at: a name that means something else a moment later (DNS rebinding) leads nowhere. No
redirect is followed, no proxy is used, and nothing is sent but the question.
"""

import json
import logging
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from monitor.power.deadline import within

PORT = 80

NAME_S = 2.5
"""For which a name may be sought. A name server that is away is waited for far longer by the
system, which nobody could tell from a driver that hangs."""

CONNECT_S = READ_S = 2.0
"""For which a device may be silent; in a house it answers within a few hundredths of a second."""

ALTOGETHER_S = 4.0
"""For which a device may talk: one that sends a letter a second is never silent."""

ANSWER_BYTES = 1 << 16
"""Longest answer; those of plugs are below 4 KiB."""

LOCAL = tuple(
    ip_network(network)
    for network in (
        "127.0.0.0/8",  # loopback: RFC 1122, RFC 4291
        "::1/128",
        "10.0.0.0/8",  # private: RFC 1918, and RFC 4193 for IPv6
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "169.254.0.0/16",  # link-local: RFC 3927, RFC 4291
        "fe80::/10",
    )
)
"""Networks no router of the internet leads to; ``is_private`` holds others besides."""

HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")

NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?")
"""What a system takes the last word of an address for, even octal or with parts left out: 010 is 8
(inet_aton(3)), and no name of a network ends so (RFC 3696, section 2)."""

Ip = IPv4Address | IPv6Address


class DeviceError(OSError):
    """A device did not answer as it should; the message says how, and what to do."""


class NotLocal(DeviceError):
    """The address is not of the local network: a person has to say that it is meant."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is.

    :param host: a name or an IP address, an IPv6 one without brackets
    """

    host: str
    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read what a person typed: ``192.168.1.20``, ``plug.local:8080`` or ``http://[fe80::1%2]/``.

    :raises DeviceError: if it is no address
    """
    text = text.strip()
    with suppress(ValueError):
        return Address(str(ip_address(text)))  # IPv6 needs no brackets without a port
    scheme, _, rest = text.rpartition("://")
    if scheme.lower() not in ("", "http"):
        raise DeviceError(
            f"Plugs are asked by http, not by {scheme[:20]}. Enter the address alone: 192.168.1.20"
        )
    try:
        split = urlsplit(f"//{rest}")
        host, port = (split.hostname or "").lower(), PORT if split.port is None else split.port
        is_bare = split.path in ("", "/") and not split.query and not split.fragment
        if ":" in host:
            host = str(IPv6Address(host))
        elif NUMBER.fullmatch(host.rpartition(".")[2] or host):
            host = str(IPv4Address(host))
        elif not HOST.fullmatch(host):
            is_bare = False
    except ValueError:
        is_bare = False
    if "@" in rest:
        raise DeviceError(
            "Enter the address without a user or password: it would be stored for everyone to read."
        )
    if not is_bare:
        raise DeviceError(
            f"“{text[:80]}” is no address of a plug. Write it as 192.168.1.20, with a port as "
            "192.168.1.20:8080, or as a name: plug.local. No number begins with a 0."
        )
    if port == 0:
        raise DeviceError(
            "Nothing answers at port 0. Leave the port out, or enter the one the plug answers at."
        )
    return Address(host, port)


def is_local(address: Ip) -> bool:
    """Whether an address is of this machine or of a network no router leads to from outside."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in LOCAL if network.version == address.version)


def _look_up(address: Address) -> list[Any]:
    return socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)


def resolve(address: Address, anywhere: bool = False) -> tuple[str, ...]:
    """Return the IP addresses of a device, at most one of each version, IPv4 first.

    :param anywhere: whether a person has confirmed that it may be outside the local network
    :raises DeviceError: if the name is not known
    :raises NotLocal: if one of all the addresses it stands for is not local
    """
    try:
        found = within(NAME_S, lambda: _look_up(address))
    except TimeoutError:
        raise DeviceError(
            f"The name {address.host} was not found in time: this network's name server (DNS) is "
            "slow or away. Enter the IP address, which the plug's own app or the router shows."
        ) from None
    except (OSError, UnicodeError):
        raise DeviceError(
            f"The name {address.host} is not known here. Check it, or enter the IP address that "
            "the plug's own app or the router shows."
        ) from None
    first: dict[int, str] = {}
    for family, _, _, _, place in found:
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue
        plain = str(place[0]).partition("%")[0]
        if not anywhere and not is_local(ip_address(plain)):
            named = "" if plain == address.host else f", which {address.host} stands for,"
            raise NotLocal(
                f"{plain}{named} is not of your own network, where plugs are. Nothing was sent. "
                "Confirm it if the plug really is elsewhere."
            )
        zone = f"%{place[3]}" if len(place) == 4 and place[3] else ""
        first.setdefault(family, plain + zone)
    return tuple(first[family] for family in sorted(first, key=lambda f: f != socket.AF_INET))


def ask(address: Address, path: str, anywhere: bool = False) -> Any:
    """Ask a device one question, within :data:`ALTOGETHER_S` after its name was found.

    :param path: with its query, quoted
    :return: the JSON it answered; ``None`` for a page that is not there and all that is no JSON
    :raises DeviceError: if it cannot be reached, is too slow, wants a password, sends too much or
      sends the question on to another place
    """
    import httpx2

    # At its usual level it would log each question, once a second.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    problem: Exception | None = None
    for ip in resolve(address, anywhere):
        with _Deadline(ALTOGETHER_S) as deadline:
            try:
                return _json(_body(address, ip, path, deadline))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                problem = error  # perhaps by the other version of IP
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise _told(address, error, deadline) from None
    raise DeviceError(
        f"Nothing answers at {address}. Check that the plug has power and is in this network"
        + (f" ({problem})." if isinstance(problem, httpx2.ConnectError) else ".")
    )


class _Deadline:
    """Cuts a connection off after a time, whatever still comes on it.

    Each piece that arrives within the timeout begins it anew, headers too. A connection that is
    shut down ends the read that waits on it, on every system; closing it would not.
    """

    def __init__(self, seconds: float) -> None:
        self._socket: socket.socket | None = None
        self.is_over = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.name, self._timer.daemon = "power-deadline", True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def follow(self, event: str, told: dict[str, Any]) -> None:
        """Take the socket when it is connected; an extension "trace" of httpx2."""
        if event == "connection.connect_tcp.complete":
            self._socket = told["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        self.is_over = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _body(address: Address, ip: str, path: str, deadline: _Deadline) -> bytes:
    """Return the answer's body, as it came; empty for a page that is not there."""
    import httpx2

    host = f"[{ip}]" if ":" in ip else ip
    named = Address(address.host.partition("%")[0], address.port)
    headers = {
        "Host": str(named),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "llamawatt",
        # A plug has room for a few connections only, and its own app needs one.
        "Connection": "close",
    }
    # Certificates are not loaded, which takes long: nothing but plain http is ever asked.
    with httpx2.Client(
        verify=False,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
    ) as client:
        request = client.build_request(
            "GET",
            f"http://{host}:{address.port}{path}",
            headers=headers,
            extensions={"trace": deadline.follow},
        )
        response = client.send(request, stream=True)
        try:
            _check(address, response.status_code, response.headers.get("Location", ""))
            body = bytearray()
            for block in response.iter_raw():
                body += block
                if len(body) > ANSWER_BYTES:
                    raise DeviceError(
                        f"{address} sends more than a plug has to say. Check the address."
                    )
            return bytes(body) if response.status_code == HTTPStatus.OK else b""
        finally:
            response.close()


def _check(address: Address, status: int, location: str) -> None:
    """Refuse what is neither an answer nor a page that is not there."""
    if 300 <= status < 400:
        try:
            elsewhere = urlsplit(location).hostname or "another page"
        except ValueError:
            elsewhere = "another page"
        raise DeviceError(
            f"{address} sends the question on to {elsewhere[:80]} ({status}), which is not "
            "followed. Enter the plug's own address."
        )
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise DeviceError(
            f"{address} wants a password ({status}), and none is kept here. Let the plug be read "
            "without one in its own settings."
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise DeviceError(
            f"{address} cannot answer now ({status}). Try again in a moment, or restart the plug."
        )


def _json(body: bytes) -> Any:
    try:
        # NaN and Infinity are no JSON (RFC 8259), but Python would read them.
        return json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _told(address: Address, error: Exception, deadline: _Deadline) -> DeviceError:
    import httpx2

    if deadline.is_over or isinstance(error, httpx2.TimeoutException):
        return DeviceError(
            f"{address} takes too long to answer. Check the plug's reception, or the address."
        )
    return DeviceError(f"{address} breaks the connection off. Check the address.")
