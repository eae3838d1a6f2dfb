"""A stand-in for /proc whose processor computes as much as a test says."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

TICKS_A_SECOND = 100


class FakeProcessor:
    """Files as the kernel's, of which `stat` tells of a load that is not there.

    Everything else is the real /proc, so that processes are still found.
    """

    def __init__(self, folder: Path) -> None:
        """Lay the files out, with a processor that has computed nothing yet."""
        self._stat = folder / "stat"
        folder.mkdir()
        for path in Path("/proc").iterdir():
            if path.name != self._stat.name:
                (folder / path.name).symlink_to(path)
        self.has_computed(0.0)

    def has_computed(self, busy_s: float) -> None:
        """Let all cores together have computed for so many seconds since the start."""
        ticks = round(busy_s * TICKS_A_SECOND)
        part = self._stat.with_suffix(".part")
        part.write_text(f"cpu  {ticks} 0 0 99999 0 0 0 0 0 0\nbtime 1770000000\n")
        part.replace(self._stat)


def fake_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProcessor:
    """Let psutil read a fake processor for the rest of a test."""
    made = FakeProcessor(tmp_path / "proc")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    return made
