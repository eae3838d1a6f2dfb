"""Two windows on one history: the second says so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop import other_window
from desktop.notice import Notice
from desktop.other_window import WindowLock, tell_of_another
from desktop.theme.palette import LIGHT

HOLDER = """
import sys
from pathlib import Path
from desktop.other_window import WindowLock
lock = WindowLock(Path(sys.argv[1]))
print(lock.holder, flush=True)
sys.stdin.read()
"""


@contextmanager
def another_window(folder: Path, told: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that has the history open as a window has, and has been told of ``told``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == f"{told}\n"
        yield process


def test_the_second_window_names_the_first_behind_what_it_says_already(
    qtbot: QtBot, tmp_path: Path
) -> None:
    notice = Notice(LIGHT)
    qtbot.addWidget(notice)
    notice.say("The history was mended.")
    with another_window(tmp_path) as first:
        tell_of_another(notice, WindowLock(tmp_path))
    assert notice.text().startswith("The history was mended. LlamaWatt is open in another window")
    assert f"(process {first.pid})" in notice.text()


def test_nothing_is_said_once_the_first_is_gone_even_by_a_crash(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with another_window(tmp_path) as first:
        first.kill()
    notice = Notice(LIGHT)
    qtbot.addWidget(notice)
    assert (tmp_path / "window.lock").exists()
    lock = WindowLock(tmp_path)
    tell_of_another(notice, lock)
    assert notice.isHidden()
    assert WindowLock(tmp_path).holder is not None


def test_a_folder_that_cannot_be_written_to_is_no_other_window(tmp_path: Path) -> None:
    assert WindowLock(tmp_path / "gone").holder is None


def test_a_third_window_is_told_of_the_second_once_the_first_is_gone(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_window, "RETRY_MS", 10)
    with another_window(tmp_path) as first:
        second = WindowLock(tmp_path)
        assert second.holder == first.pid
    qtbot.waitUntil(lambda: second.holder is None)
    with another_window(tmp_path, told=os.getpid()):
        pass
