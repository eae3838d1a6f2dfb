"""Whether a window can be opened here."""

import os
import sys


def display_problem() -> str | None:
    """Say why no window can open, ``None`` if one can be tried."""
    has_display = any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    )
    if sys.platform.startswith("linux") and not has_display:
        return "There is no display to open a window on."
    return None
