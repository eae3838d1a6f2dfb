"""Identifiers that sort by the time they were made."""

import os
import time
import uuid


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
