"""The energy meters of Windows, opened through ``ctypes``; see :mod:`monitor.power.sources.emi`.

Meters are device interfaces of the class ``GUID_DEVICE_ENERGY_METER`` (emi.h). Their paths are
listed by ``CM_Get_Device_Interface_ListW`` (cfgmgr32.h), opened by ``CreateFileW`` and asked by
``DeviceIoControl``. Not yet met on hardware.
"""

import ctypes
import sys
from ctypes import wintypes
from uuid import UUID

assert sys.platform == "win32", "imported on Windows alone"

ENERGY_METER = UUID("45bd8344-7ed6-49cf-a440-c276c933b053")
"""``GUID_DEVICE_ENERGY_METER`` (emi.h)."""

PRESENT = 0
"""``CM_GET_DEVICE_INTERFACE_LIST_PRESENT``: those of devices that are there now."""

SUCCESS, BUFFER_SMALL = 0, 26
"""``CR_SUCCESS`` and ``CR_BUFFER_SMALL``: a meter came between the two calls."""

GENERIC_READ, SHARE_READ_WRITE, OPEN_EXISTING = 0x80000000, 3, 3
"""Of ``CreateFileW``; the codes of emi.h want read access, and others may have a meter open."""

_cfgmgr32 = ctypes.WinDLL("cfgmgr32")
_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.CreateFileW.restype = wintypes.HANDLE
_kernel32.CreateFileW.argtypes = [
    wintypes.LPCWSTR,
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.LPVOID,
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.HANDLE,
]
_kernel32.DeviceIoControl.restype = wintypes.BOOL
_kernel32.DeviceIoControl.argtypes = [
    wintypes.HANDLE,
    wintypes.DWORD,
    wintypes.LPVOID,
    wintypes.DWORD,
    wintypes.LPVOID,
    wintypes.DWORD,
    wintypes.LPDWORD,
    wintypes.LPVOID,
]
_kernel32.CloseHandle.argtypes = [wintypes.HANDLE]


def _paths() -> list[str]:
    """Return the path of every meter.

    :raises OSError: if Windows does not list them
    """
    guid = (ctypes.c_ubyte * 16).from_buffer_copy(ENERGY_METER.bytes_le)
    answer = BUFFER_SMALL
    while answer == BUFFER_SMALL:
        length = wintypes.ULONG()
        answer = _cfgmgr32.CM_Get_Device_Interface_List_SizeW(
            ctypes.byref(length), ctypes.byref(guid), None, PRESENT
        )
        if answer != SUCCESS:
            break
        listed = ctypes.create_unicode_buffer(length.value)
        answer = _cfgmgr32.CM_Get_Device_Interface_ListW(
            ctypes.byref(guid), None, listed, length, PRESENT
        )
    if answer != SUCCESS:
        raise OSError(f"the list of meters cannot be read (CONFIGRET {answer})")
    return [path for path in "".join(listed).split("\0") if path]


class WindowsMeter:
    """One meter, open for reading."""

    def __init__(self, path: str) -> None:
        self._handle = _kernel32.CreateFileW(
            path, GENERIC_READ, SHARE_READ_WRITE, None, OPEN_EXISTING, 0, None
        )
        if self._handle == wintypes.HANDLE(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())

    def ask(self, code: int, most_bytes: int) -> bytes:
        """Send a control code without input and return what comes back."""
        answer, length = ctypes.create_string_buffer(most_bytes), wintypes.DWORD()
        is_done = _kernel32.DeviceIoControl(
            self._handle, code, None, 0, answer, most_bytes, ctypes.byref(length), None
        )
        if not is_done:
            raise ctypes.WinError(ctypes.get_last_error())
        return answer.raw[: length.value]

    def close(self) -> None:
        """Let it go."""
        _kernel32.CloseHandle(self._handle)


def windows_meters() -> list[WindowsMeter]:
    """Open every meter that this user may read.

    :raises OSError: if Windows does not list them, or none of those listed can be opened
    """
    opened: list[WindowsMeter] = []
    problem: OSError | None = None
    for path in _paths():
        try:
            opened.append(WindowsMeter(path))
        except OSError as error:
            problem = error
    if problem and not opened:
        raise problem
    return opened
