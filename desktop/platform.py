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
    """Say what keeps Qt's X11 plugin from starting, ``None`` if nothing does or it is not used.

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
    return (
        None
        if _display_answers()
        else "No X server answers at DISPLAY " + repr(os.environ.get("DISPLAY", ""))
    )


def _display_answers() -> bool:
    """Whether the X server of ``DISPLAY`` lets us in; Qt would abort if it did not."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if display:
        x11.XCloseDisplay(display)
    return bool(display)
