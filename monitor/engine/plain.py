"""Whether llama.cpp leaves a processor's matrix units and wider vectors alone.

Some virtual machines claim a processor's matrix units (AMX) and do not run them, at times in the
middle of a prompt. What a crash has taught is kept for the next start, for as long as the same
build of llama.cpp is installed: one that is made on this machine may do what another did not.
"""

import logging
import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from monitor.paths import home

log = logging.getLogger(__name__)

PLAIN = "--plain"
"""What the engine's process is started with: weights stay as they are in the file, not repacked
for the processor's matrix units or wider vectors (llama.cpp's ``use_extra_bufts``)."""

VARIABLE = "LLAMAWATT_PLAIN"
"""Set to anything, every engine starts so."""

MARK = "engine-plain"
"""A file in the data folder: the build of llama.cpp that crashed here."""

BINDING, PACKAGE = "llama-cpp-python", "llama_cpp"

LIBRARIES = "LLAMA_CPP_LIB_PATH"
"""A folder from which the binding takes llama.cpp instead of its own (llama_cpp/llama_cpp.py)."""


def starts_plain() -> bool:
    """Whether an engine starts so: it was asked for, or this llama.cpp crashed here."""
    if os.environ.get(VARIABLE):
        return True
    try:
        return (home() / MARK).read_text(encoding="utf-8") == _build()
    except (OSError, UnicodeDecodeError):
        return False


def remember_plain() -> None:
    """Keep it for the next start; where that cannot be written, it costs a crash more then."""
    try:
        (home() / MARK).write_text(_build(), encoding="utf-8")
    except OSError as problem:
        log.warning("The next start will not know that llama.cpp crashed: %s", problem)


def _build() -> str:
    """Return what tells a build of llama.cpp apart: its version, its files' sizes and times.

    The files are not loaded: the engine's process alone does that.
    """
    lines = [version(BINDING)]
    for file in sorted(_libraries().glob("*")):
        if "llama" in file.name or "ggml" in file.name:
            status = file.stat()
            lines.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(lines)


def _libraries() -> Path:
    """Return the folder with llama.cpp's files, found without importing them."""
    if chosen := os.environ.get(LIBRARIES):
        return Path(chosen)
    spec = find_spec(PACKAGE)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "lib"
