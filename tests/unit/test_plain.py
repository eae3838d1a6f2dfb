"""What a crash of llama.cpp has taught holds for the build that crashed, and for no other."""

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from monitor.engine.plain import (
    BINDING,
    LIBRARIES,
    MARK,
    VARIABLE,
    remember_plain,
    starts_plain,
)


@pytest.fixture(autouse=True)
def not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def library(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of llama.cpp as the binding would load it."""
    home.mkdir()
    file = tmp_path / "lib" / "libggml-cpu.so"
    file.parent.mkdir()
    file.write_bytes(b"built elsewhere")
    monkeypatch.setenv(LIBRARIES, str(file.parent))
    return file


def test_it_is_kept_for_as_long_as_the_same_files_are_installed(library: Path) -> None:
    assert not starts_plain()
    remember_plain()
    assert starts_plain()
    (library.parent / "notes.txt").write_text("of something else")
    assert starts_plain()


def test_a_build_of_the_same_version_is_tried_in_full(library: Path) -> None:
    remember_plain()
    made_ns = library.stat().st_mtime_ns
    library.write_bytes(b"built on this very machine")
    os.utime(library, ns=(made_ns, made_ns))
    assert not starts_plain(), "another size"
    library.write_bytes(b"built elsewhere")
    os.utime(library, ns=(made_ns + 1, made_ns + 1))
    assert not starts_plain(), "another time"
    os.utime(library, ns=(made_ns, made_ns))
    assert starts_plain()


def test_another_version_is_tried_in_full(home: Path, library: Path) -> None:
    remember_plain()
    mark = home / MARK
    mark.write_text(mark.read_text().replace(version(BINDING), "0.0.1"))
    assert not starts_plain()


def test_the_files_are_those_of_the_installed_binding(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIBRARIES, raising=False)
    home.mkdir()
    remember_plain()
    assert "libllama" in (home / MARK).read_text() or "llama.dll" in (home / MARK).read_text()
    assert starts_plain()


def test_where_nothing_tells_the_files_the_version_does(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIBRARIES, str(tmp_path / "gone"))
    home.mkdir()
    remember_plain()
    assert (home / MARK).read_text() == version(BINDING)
    assert starts_plain()
