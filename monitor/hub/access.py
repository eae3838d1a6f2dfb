"""The way to the hub: its address, one small question at a time, and what to do if it refuses."""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from monitor.figures import duration
from monitor.hub.waiting import Tick, beside, idly
from monitor.problem import Problem

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

PUBLIC: Final = "https://huggingface.co"

MODEL, DATASET = "model", "dataset"

ANSWER_BYTES = 1 << 24
"""Longest answer to a small question; the largest repositories' lists of files take a tenth."""

TIMEOUT_S = 10.0
"""For which the hub may be silent; ``huggingface_hub`` would wait for ever."""


class HubError(Problem):
    """Hub, network or disk refuse; the message says why and what to do."""


class NotGiven(HubError):
    """The hub has no such thing, or not for whoever asks."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on the hub.

    :param name: for example ``allenai/ai2_arc``
    :param kind: ``MODEL`` or ``DATASET``
    :param otherwise: a sentence: what to do if it is not there, or lacks what is wanted
    """

    name: str
    kind: str = MODEL
    otherwise: str = "Search for it again: it may have been renamed or withdrawn."

    @property
    def page(self) -> str:
        """Address a person opens in a browser."""
        return f"{PUBLIC}/{'datasets/' if self.kind == DATASET else ''}{self.name}"


def import_hub() -> None:
    """Import ``huggingface_hub`` with the settings it reads only while it is imported.

    Without the first it would tell the hub which programs are installed here, and ask it for the
    names of more; its warnings would be printed amid the caller's display. Addresses of files are
    kept out of the log: those the hub sends a download to are keys to it.

    :raises HubError: if it is missing, or a setting of it is wrong
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        import huggingface_hub.file_download  # noqa: F401 - the package itself imports nothing
    except ImportError:
        raise HubError(
            "Fetching from Hugging Face needs the package huggingface_hub. "
            "Install it with: pip install huggingface_hub"
        ) from None
    except ValueError as error:
        raise HubError(
            f"A setting of Hugging Face cannot be used: {error}. "
            "Correct the environment variable whose name begins with “HF_”."
        ) from None


def endpoint() -> str:
    """Return the hub's address. ``huggingface_hub`` would go by the one it was imported with.

    :raises HubError: if ``HF_ENDPOINT`` is none
    """
    address = (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise HubError(f"HF_ENDPOINT should be an address like {PUBLIC}. Correct or unset it.")
    return address


def host() -> str:
    """Return the hub's name for a message: the whole address may hold a password."""
    return urlsplit(endpoint()).hostname or ""


def ask(
    path: str, parameters: Mapping[str, Any], about: Repository | None = None, tick: Tick = idly
) -> Any:
    """Ask the hub's interface one question and return its answer, read from JSON.

    :param path: below ``/api/``, not yet quoted
    :param about: the repository it is about, for messages
    :raises HubError: if there is no answer
    """
    body = _get(f"/api/{quote(path)}", parameters, about, tick)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise no_hub() from None


def ask_text(repository: Repository, file: str, tick: Tick = idly) -> str:
    """Return a small text file of a repository, its newest version.

    :raises HubError: if it cannot be had
    """
    path = quote(f"/{repository.name}/resolve/main/{file}")
    return _get(path, {}, repository, tick).decode("utf-8", errors="replace")


def _get(
    path: str, parameters: Mapping[str, Any], about: Repository | None, tick: Tick
) -> bytearray:
    import_hub()
    body = bytearray()
    with explained(about):
        for block in beside(_answer(endpoint() + path, parameters), tick):
            body += block
            if len(body) > ANSWER_BYTES:
                raise no_hub()
    return body


def _answer(address: str, parameters: Mapping[str, Any]) -> Iterator[bytes]:
    from huggingface_hub import get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers(library_name="llamawatt")
    with get_session().stream(
        "GET", address, params=parameters, headers=headers, timeout=TIMEOUT_S, follow_redirects=True
    ) as response:
        hf_raise_for_status(response)
        yield from response.iter_bytes()


# --- what went wrong -----------------------------------------------------------------------------


@contextmanager
def explained(about: Repository | None = None, file: str = "") -> Iterator[None]:
    """Turn what a request or the disk may raise inside a block into a :class:`HubError`."""
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
        kind = NotGiven if _status(error) in (401, 403, 404) else HubError
        raise kind(_sentence(error, about, file)) from None


def _status(error: Exception) -> int | None:
    """Return the status of an answer that was a refusal."""
    from huggingface_hub.errors import HfHubHTTPError

    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def no_hub() -> HubError:
    """Return what is to be said of a server that does not speak the hub's language."""
    return HubError(
        f"{host()} does not answer as Hugging Face does. Check HF_ENDPOINT, and whether the "
        "network asks you to log in first."
    )


def _sentence(error: Exception, about: Repository | None, file: str) -> str:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, HfHubHTTPError):
        return _refusal(error, about, file)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids to go online. Unset it to fetch."
    if isinstance(error, httpx2.HTTPError):
        # Of other errors the text may hold what was sent, the token with it.
        why = f" ({error})" if isinstance(error, httpx2.ConnectError) else ""
        return (
            f"{host()} cannot be reached{why}. Check the network, and HF_ENDPOINT and "
            "HTTPS_PROXY if you set them."
        )
    if isinstance(error, OSError):
        return unwritable(error)
    if isinstance(error, ImportError):
        return "Your SOCKS proxy needs the package socksio. Install it with: pip install socksio"
    what = f"for {file or 'anything'} of {about.name}" if about else "anything"
    return (
        f"{host()} cannot be asked {what}. Check HF_ENDPOINT, HF_TOKEN and HTTPS_PROXY: one of "
        "them is not as it should be."
    )


def unwritable(error: OSError) -> str:
    """Say what to do about a file that cannot be written."""
    if error.errno in (ENOSPC, EDQUOT):
        return "The disk is full. Make room, or name another folder with LLAMAWATT_HOME."
    where = f" {error.filename}" if error.filename else ""
    return (
        f"The file{where} cannot be kept: {error.strerror or error}. Check the folder's "
        "permissions, or name another with LLAMAWATT_HOME."
    )


def _refusal(error: "HfHubHTTPError", about: Repository | None, file: str) -> str:
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError

    status = error.response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = _wait_s(error.response.headers)
        when = "later" if wait_s is None else f"in {duration(wait_s)}"
        return f"{host()} takes no more requests from you for now (429). Try again {when}."
    if about is None:
        return f"{host()} cannot answer now ({status}). Try again later."
    what = f"{about.kind} {about.name}"
    if isinstance(error, GatedRepoError):
        return (
            f"The {what} is given only to those who accept its terms. Accept them at "
            f"{about.page} (some authors answer each request themselves), then log in with "
            "`hf auth login`, or set HF_TOKEN to a token of that account."
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return f"The {what} has no file {file} any more. {about.otherwise}"
    if status == HTTPStatus.NOT_FOUND:
        return f"{host()} has no {what}. {about.otherwise}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return (
            f"{host()} does not give out the {what} ({status}): it is private or gone, or your "
            "token is not valid. Log in with `hf auth login`, or correct or unset HF_TOKEN."
        )
    return f"{host()} cannot give the {what} now ({status}). Try again later."


def _wait_s(headers: Mapping[str, str]) -> int | None:
    """Return the seconds a server asks to be left alone, ``None`` if it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(headers)
    if limit and not limit.remaining:
        return limit.reset_in_seconds
    told = headers.get("Retry-After", "")
    return int(told) if re.fullmatch("[0-9]{1,6}", told) else None
