"""Identifiers that sort by the time they were made, and the time as it is stored."""

import os
import threading
import time
import uuid
from datetime import UTC, datetime

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random.

    Within a process each is greater than the one before, in the same millisecond too and when
    the clock was set back (RFC 9562, section 6.2, method 2).
    """
    global _last
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    with _lock:
        _last = value = value if value > _last else _last + 1
    return str(uuid.UUID(int=value))


def utc_now() -> str:
    """Return the time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
