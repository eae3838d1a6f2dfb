"""Files are read once, again when they change, and forgotten when they are gone."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from monitor.models import library
from monitor.models.library import STARTER, Found, scan
from monitor.models.places import Place
from monitor.store.heads import Heads
from monitor.store.history import History
from tests.unit.builders import F32, write_gguf


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


@pytest.fixture
def heads(history: History) -> Heads:
    return Heads(history.store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    write_gguf(folder / "a.gguf")
    (folder / "broken.gguf").write_text("<html>")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are really read, in order."""
    names: list[str] = []
    real = library.read_model_info

    def read(path: Path) -> object:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(library, "read_model_info", read)
    return names


def listed(folder: Path, heads: Heads) -> dict[str, Found]:
    models = scan([Place(folder)], heads).models
    heads._store.write(lambda _db: None).result()  # what is remembered is written by now
    return {model.name: model for model in models if model.name != STARTER}


def test_unchanged_files_are_read_once(folder: Path, heads: Heads, reads: list[str]) -> None:
    first = listed(folder, heads)
    assert {"a.gguf", "broken.gguf"} <= set(reads)
    reads.clear()
    assert listed(folder, heads) == first
    assert reads == []
    assert "web page" in first["broken"].problem


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_file_is_read_again(
    folder: Path, heads: Heads, reads: list[str], change: str
) -> None:
    listed(folder, heads)
    reads.clear()
    if change == "size":
        write_gguf(folder / "a.gguf", tensors=[(8, 256, F32)])
    else:
        os.utime(folder / "a.gguf", ns=(1, 1))
    found = listed(folder, heads)["a"].info
    assert reads == ["a.gguf"]
    assert found is not None
    assert found.parameters == (8 if change == "size" else 2) * 256


def test_a_mended_file_is_no_problem_any_more(folder: Path, heads: Heads) -> None:
    listed(folder, heads)
    write_gguf(folder / "broken.gguf")
    found = listed(folder, heads)["broken"]
    assert found.info is not None
    assert found.problem == ""


def test_a_part_that_goes_or_comes_is_noticed(tmp_path: Path, heads: Heads) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    write_gguf(folder / "big.gguf", tensors=[(1, 256, F32)] * 2, split_every=1)
    part = folder / "big-00002-of-00002.gguf"
    assert listed(folder, heads)["big"].info is not None
    part.rename(tmp_path / part.name)
    assert part.name in listed(folder, heads)["big"].problem
    (tmp_path / part.name).rename(part)
    assert listed(folder, heads)["big"].info is not None


def test_what_is_gone_is_forgotten_and_what_was_not_looked_for_is_not(
    folder: Path, heads: Heads, tmp_path: Path
) -> None:
    listed(folder, heads)
    (folder / "a.gguf").unlink()
    (tmp_path / "other").mkdir()
    listed(tmp_path / "other", heads)
    assert str(folder / "a.gguf") not in heads.known()
    assert str(folder / "broken.gguf") in heads.known()


def test_what_could_not_be_opened_is_tried_again(folder: Path, heads: Heads) -> None:
    (folder / "link.gguf").symlink_to(folder / "gone")
    assert "There is no file" in listed(folder, heads)["link"].problem
    assert str(folder / "link.gguf") not in heads.known()
    write_gguf(folder / "gone")
    assert listed(folder, heads)["link"].info is not None


def test_what_another_version_remembered_is_read_again(
    folder: Path, heads: Heads, reads: list[str]
) -> None:
    listed(folder, heads)
    for head in ('{"format": 0, "info": null}', '{"format": 1, "info": {"nothing": 1}}'):
        heads._store.write(
            lambda db, head=head: db.execute("update model_heads set head = ?", [head])
        ).result()
        reads.clear()
        listed(folder, heads)
        assert {"a.gguf", "broken.gguf"} <= set(reads)


def test_a_name_that_is_no_text_is_listed_but_not_remembered(folder: Path, heads: Heads) -> None:
    odd = folder / os.fsdecode(b"od\xff.gguf")
    write_gguf(folder / "odd.gguf").rename(odd)
    assert listed(folder, heads)[odd.stem].info is not None
    known = heads.known()
    assert str(folder / "a.gguf") in known
    assert str(odd) not in known


def test_several_threads_may_look_at_once(folder: Path, heads: Heads) -> None:
    for number in range(20):
        write_gguf(folder / f"{number}.gguf")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: scan([Place(folder)], heads).models, range(8)))
    assert all(models == found[0] for models in found)
    assert len(found[0]) >= 22


def test_a_history_that_may_only_be_read_is_no_hindrance(
    folder: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history.store, "notice", "It may only be read.")
    assert "a" in listed_without_writing(folder, history)


def listed_without_writing(folder: Path, history: History) -> set[str]:
    heads = Heads(history.store)
    names = {model.name for model in scan([Place(folder)], heads).models}
    assert heads.known() == {}
    return names
