"""Whether Qt can open a window here, found out before Qt ends the program for it."""

import ctypes
import os
import sys
from pathlib import Path

import PySide6

PACKAGES = (
    "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libxcb-cursor0 libxcb-icccm4 "
    "libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0"
)
"""What Qt's X11 plugin needs beyond a bare Debian."""


def platform_problem() -> str | None:
    """Say which library Qt's X11 plugin lacks, ``None`` if it lacks none or is not used.

    Qt aborts the process when its platform plugin does not load; loading the plugin's file by
    hand fails with the name of the missing library instead.
    """
    chosen = os.environ.get("QT_QPA_PLATFORM") or "xcb"
    if sys.platform != "linux" or chosen != "xcb" or os.environ.get("WAYLAND_DISPLAY"):
        return None
    plugin = Path(PySide6.__file__).parent / "Qt/plugins/platforms/libqxcb.so"
    if not plugin.exists():
        return None
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        missing = str(error).partition(":")[0]
        return (
            f"Qt cannot open a window: {missing} is missing. On Debian or Ubuntu: "
            f"sudo apt install {PACKAGES}"
        )
    return None
