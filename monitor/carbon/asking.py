"""One question to a service of live figures, and what to do if it refuses.

Nothing but the zone or postcode is sent, and the token where one is needed. A redirect is not
followed: it would hand the token, or the question where somebody lives, to another server.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from monitor.carbon.answers import garbled, read_answer
from monitor.carbon.live import Live, LiveError, Provider, Reading, check_time
from monitor.figures import duration
from monitor.hub.waiting import Tick, beside, idly

ADDRESSES = {
    Provider.ELECTRICITY_MAPS: "https://api.electricitymaps.com/v3",
    Provider.GREAT_BRITAIN: "https://api.carbonintensity.org.uk",
}

TIMEOUT_S = 10.0
"""For which a service may be silent."""

ALTOGETHER_S = 20.0

ANSWER_BYTES = 1 << 18
"""Longest answer; both services need less than a hundredth of it."""

MOST_BARRED_S = 86_400.0

REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

UNKNOWN = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)


def ask_live(live: Live, token: Callable[[], str], now: datetime, tick: Tick = idly) -> Reading:
    """Ask for the present figure.

    :param token: called for the token if the provider needs one
    :param now: UTC
    :param tick: called while waiting; what it raises ends that
    :raises LiveError: if there is none that can be used
    """
    path, parameters = _question(live)
    headers = {"Accept": "application/json", "User-Agent": "llamawatt"}
    if live.provider.needs_token:
        headers["auth-token"] = token()
    body = _get(live, ADDRESSES[live.provider] + path, parameters, headers, tick)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None  # a page to log in at, perhaps: read_answer says so
    reading = read_answer(live, answer)
    check_time(reading, now)
    return reading


def _question(live: Live) -> tuple[str, dict[str, str]]:
    if live.provider is Provider.ELECTRICITY_MAPS:
        # Of a zone it does not know, it would otherwise answer for where the question came from.
        parameters = {"zone": live.grid, "shouldUseFallbackCallerLookup": "false"}
        return "/carbon-intensity/latest", parameters
    return f"/regional/postcode/{live.grid}" if live.grid else "/intensity", {}


def _get(
    live: Live, address: str, parameters: Mapping[str, str], headers: Mapping[str, str], tick: Tick
) -> bytes:
    import httpx2

    # At its usual level it would log each address, and where somebody lives with it.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    end_s = time.monotonic() + ALTOGETHER_S
    body = bytearray()

    def in_time() -> None:
        tick()
        if time.monotonic() > end_s:
            raise LiveError(f"{live.provider.label} takes too long to answer. Try again later.")

    try:
        for block in beside(_blocks(live, address, parameters, headers), in_time):
            body += block
            if len(body) > ANSWER_BYTES:
                raise garbled(live)
            in_time()
    except httpx2.HTTPError as error:
        # Of other errors the text may hold what was sent.
        why = f" ({error})" if isinstance(error, httpx2.ConnectError) else ""
        raise LiveError(
            f"{live.provider.label} cannot be reached{why}. Check the network, and HTTPS_PROXY "
            "if you set it."
        ) from None
    except (ImportError, httpx2.InvalidURL, OSError):
        raise LiveError(
            f"{live.provider.label} cannot be asked: HTTPS_PROXY or a certificate file is not as "
            "it should be."
        ) from None
    return bytes(body)


def _blocks(
    live: Live, address: str, parameters: Mapping[str, str], headers: Mapping[str, str]
) -> Iterator[bytes]:
    import httpx2

    with httpx2.stream(
        "GET",
        address,
        params=dict(parameters),
        headers=dict(headers),
        timeout=TIMEOUT_S,
        follow_redirects=False,
    ) as response:
        if response.status_code != HTTPStatus.OK:
            raise _refusal(live, response.status_code, response.headers)
        yield from response.iter_bytes()


def _refusal(live: Live, status: int, headers: Mapping[str, str]) -> LiveError:
    title, place = live.provider.label, live.grid or "Great Britain"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        barred_s = _barred_s(headers.get("Retry-After", ""))
        when = "later" if barred_s is None else f"in {duration(barred_s)}"
        text = f"{title} takes no more questions from you for now (429). Try again {when}."
        return LiveError(text, barred_s)
    if 300 <= status < 400:
        elsewhere = urlsplit(headers.get("Location", "")).hostname or "another address"
        return LiveError(
            f"{title} sends the question on to {elsewhere[:80]} ({status}), which is not followed. "
            "Check whether the network asks you to log in first."
        )
    if status in REFUSED and live.provider.needs_token:
        return LiveError(
            f"{title} does not accept the token for {place} ({status}). Enter it again, or choose "
            "a zone that your plan covers.",
            is_refused=True,
        )
    if status in UNKNOWN:
        more = (
            "Large countries have several grids; https://app.electricitymaps.com shows their names."
            if live.provider is Provider.ELECTRICITY_MAPS
            else "Check the postcode."
        )
        return LiveError(f"{title} knows no {place} ({status}). {more}", is_refused=True)
    return LiveError(f"{title} cannot answer now ({status}). Try again later.")


def _barred_s(told: str) -> float | None:
    """Return the seconds of a ``Retry-After``, which has seconds or a date (RFC 9110)."""
    if re.fullmatch("[0-9]{1,9}", told):
        return min(float(told), MOST_BARRED_S)
    try:
        until = parsedate_to_datetime(told)
    except (ValueError, TypeError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), MOST_BARRED_S)
