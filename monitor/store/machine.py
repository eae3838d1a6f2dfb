"""Which machine this is, as far as the history needs to tell it from another."""

import hashlib
import platform
import uuid
from pathlib import Path
from typing import Any

import psutil

from monitor.power.cpu import this_processor


def this_machine() -> dict[str, Any]:
    """Return this machine's row of the table ``machines``.

    The identifier is a hash of the system's own, so that it can be shared without telling it.
    """
    try:
        identity = Path("/etc/machine-id").read_text().strip()
    except OSError:
        identity = f"{uuid.getnode():x}"
    processor = this_processor()
    return {
        "id": hashlib.sha256(f"llamawatt:{identity}".encode()).hexdigest()[:16],
        "name": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor.name,
        "threads": processor.threads,
        "memory_bytes": psutil.virtual_memory().total,
    }
