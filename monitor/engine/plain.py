"""Whether llama.cpp leaves a processor's matrix units and wider vectors alone.

Some virtual machines claim a processor's matrix units (AMX) and do not run them, at times in the
middle of a prompt. What a crash has taught is kept for the next start, for as long as the same
llama.cpp is installed.
"""

import logging
import os
from importlib.metadata import version

from monitor.paths import home

log = logging.getLogger(__name__)

PLAIN = "--plain"
"""What the engine's process is started with: weights stay as they are in the file, not repacked
for the processor's matrix units or wider vectors (llama.cpp's ``use_extra_bufts``)."""

VARIABLE = "LLAMAWATT_PLAIN"
"""Set to anything, every engine starts so."""

MARK = "engine-plain"
"""A file in the data folder: the version of llama.cpp's binding that crashed here."""

BINDING = "llama-cpp-python"


def starts_plain() -> bool:
    """Whether an engine starts so: it was asked for, or this llama.cpp crashed here."""
    if os.environ.get(VARIABLE):
        return True
    try:
        return (home() / MARK).read_text(encoding="utf-8") == version(BINDING)
    except (OSError, UnicodeDecodeError):
        return False


def remember_plain() -> None:
    """Keep it for the next start; where that cannot be written, it costs a crash more then."""
    try:
        (home() / MARK).write_text(version(BINDING), encoding="utf-8")
    except OSError as problem:
        log.warning("The next start will not know that llama.cpp crashed: %s", problem)
