"""Clocks that a test can set for a process of its own: the wall clock, and the time asleep."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from .nvml import find_compiler

_SOURCE = Path(__file__).parent / "fake_clock.c"


class FakeClock:
    """The clocks of the processes that are started with its `environment`.

    Attributes:
        environment: Variables that put a process under these clocks.
    """

    def __init__(self, folder: Path) -> None:
        """Compile the library into `folder`; both clocks are right at first.

        Raises:
            RuntimeError: There is no C compiler.
        """
        compiler = find_compiler()
        if compiler is None:
            raise RuntimeError("no C compiler (cc) to build the fake clock with")
        library, self._shifts = folder / "fake_clock.so", folder / "shifts"
        flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra"]
        subprocess.run([compiler, *flags, "-o", str(library), str(_SOURCE)], check=True)
        self.environment = {"LD_PRELOAD": str(library), "FAKE_CLOCK": str(self._shifts)}
        self._shifts.write_bytes(bytes(16))

    def set(self, wall_s: int = 0, asleep_s: int = 0) -> None:
        """Shift the wall clock, and the time the machine has been suspended, by so many seconds."""
        with self._shifts.open("r+b") as file:
            file.write(struct.pack("=qq", wall_s, asleep_s))
