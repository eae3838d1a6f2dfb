"""Names from the hub that become paths here: none may lead out of its folder."""

import re
from pathlib import Path

from monitor.hub.access import HubError

LONGEST = 200
"""Letters of a name: file systems take 255 bytes, and records stand beside a file under its name
and more."""

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?")
"""Devices on Windows, with any suffix."""


def shown(name: str) -> str:
    """Return a name as it may be printed: without letters that steer a terminal or hide others."""
    return "".join(letter if letter.isprintable() else "�" for letter in name[:LONGEST])


def inside(folder: Path, name: str) -> Path:
    """Return the path of a name with ``/`` below a folder, with links followed.

    The same names are refused on every system, so that a folder can be carried to another one.

    :raises HubError: if it leads out of the folder, or is no name somewhere
    """
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        is_below = path != root and path.is_relative_to(root)
    except (OSError, ValueError, RuntimeError):
        is_below = False
    if not is_below or not all(map(_is_plain, name.split("/"))):
        raise HubError(
            f"The file name “{shown(name)}” leads outside {folder}, or is none on some systems. "
            "It is not fetched."
        )
    return path


def _is_plain(part: str) -> bool:
    """Tell whether a part of a path is a file's name on every system."""
    return (
        0 < len(part) <= LONGEST
        and part.isprintable()
        and not set(part) & set('\\:*?"<>|')
        and part[-1] not in ". "
        and part[0] not in " ~"
        and not RESERVED.fullmatch(part)
    )
