"""What other programs downloaded is read where it is, each file once, and only if one wants it."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.engine.gguf import ModelFileError
from monitor.models.chosen import add_path, forget_path, remember_file
from monitor.models.library import STARTER, Found, Scan, model_places, resolve_model, scan
from monitor.models.places import OWN, programs, read_program
from monitor.paths import database_path, models_folder
from monitor.store.history import History
from tests.unit.builders import write_gguf


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own folder, without any of the programs."""
    person = tmp_path / "person"
    person.mkdir()
    monkeypatch.setenv("HOME", str(person))
    for name in (
        "OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE",
        "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return person


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def model(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_gguf(path)


def looked(history: History) -> Scan:
    return scan(*model_places(history))


def found_in(history: History, origin: str) -> list[Found]:
    return [each for each in looked(history).models if each.origin == origin]


def only(history: History, origin: str) -> Found:
    (found,) = found_in(history, origin)
    return found


def put_into_ollama(folder: Path, name: str, file: Path) -> Path:
    """Lay a file down as Ollama does; ``name`` is HOST/NAMESPACE/MODEL/TAG."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    blob = folder / "blobs" / f"sha256-{digest}"
    manifest = folder / "manifests" / name
    for each in (blob, manifest):
        each.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, blob)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64},
        {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob


# --- each program ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("lmstudio", ".lmstudio/models/publisher/tiny"),
        ("lmstudio", ".cache/lm-studio/models/publisher/tiny"),
        ("llamacpp", ".cache/llama.cpp"),
        ("jan", ".local/share/Jan/data/llamacpp/models/tiny"),
        ("jan", ".config/Jan/data/models/tiny"),
        ("gpt4all", ".local/share/nomic.ai/GPT4All"),
        ("gpt4all", ".cache/gpt4all"),
    ],
)
def test_the_folders_of_programs_are_read(
    history: History, person: Path, key: str, folder: str
) -> None:
    path = model(person / folder / "tiny.gguf")
    found = only(history, key)
    assert (found.name, found.path) == ("tiny", path)
    assert found.info is not None


def test_lm_studios_moved_home_and_chosen_folder_are_followed(
    history: History, person: Path, tmp_path: Path
) -> None:
    model(tmp_path / "moved/models/a/a.gguf")
    model(tmp_path / "disk/b/b.gguf")
    (person / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'moved'}\n")
    (tmp_path / "moved/settings.json").write_text(
        json.dumps({"downloadsFolder": str(tmp_path / "disk")})
    )
    assert [each.name for each in found_in(history, "lmstudio")] == ["a", "b"]


@pytest.mark.parametrize("settings", ["", "[]", '{"downloadsFolder": null}', '"\\u0000"'])
def test_settings_of_lm_studio_that_say_nothing_are_passed_over(
    history: History, person: Path, settings: str
) -> None:
    model(person / ".lmstudio/models/a/a.gguf")
    (person / ".lmstudio/settings.json").write_text(settings)
    assert only(history, "lmstudio").name == "a"


def test_a_file_called_model_is_called_by_its_folder(history: History, person: Path) -> None:
    model(person / ".local/share/Jan/data/llamacpp/models/qwen3-4b/model.gguf")
    found = only(history, "jan")
    assert found.info is not None
    assert (found.name, found.info.name) == ("qwen3-4b", "qwen3-4b")


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("registry.ollama.ai/library/llama3.2/3b", "llama3.2:3b"),
        ("registry.ollama.ai/mario/tiny/latest", "mario/tiny:latest"),
        ("hf.co/owner/tiny-GGUF/Q4_K_M", "hf.co/owner/tiny-GGUF:Q4_K_M"),
    ],
)
def test_ollamas_models_are_called_as_ollama_calls_them(
    history: History, person: Path, tmp_path: Path, manifest: str, name: str
) -> None:
    titled = write_gguf(tmp_path / "x.gguf", metadata=lambda w: w.add_name("Llama 3.2 3B Instruct"))
    blob = put_into_ollama(person / ".ollama/models", manifest, titled)
    found = only(history, "ollama")
    assert (found.name, found.path) == (name, blob)
    assert found.info is not None
    assert found.info.name == "Llama 3.2 3B Instruct"
    assert resolve_model(name, *model_places(history)) == blob


def test_ollamas_folder_may_be_elsewhere(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = write_gguf(tmp_path / "x.gguf")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "disk"))
    put_into_ollama(tmp_path / "disk", "registry.ollama.ai/library/tiny/latest", tiny)
    assert only(history, "ollama").name == "tiny:latest"


def test_two_names_of_one_blob_are_one_model(
    history: History, person: Path, tmp_path: Path
) -> None:
    tiny = write_gguf(tmp_path / "x.gguf")
    for tag in ("1b", "latest"):
        put_into_ollama(person / ".ollama/models", f"registry.ollama.ai/library/tiny/{tag}", tiny)
    assert only(history, "ollama").name == "tiny:1b"


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[1]",
        '{"layers": [{"mediaType": "application/vnd.ollama.image.tensor", "digest": "sha256:00"}]}',
        '{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../x"}]}',
    ],
)
def test_manifests_that_name_no_blob_hide_no_other_model(
    history: History, person: Path, tmp_path: Path, manifest: str
) -> None:
    folder = person / ".ollama/models"
    put_into_ollama(folder, "registry.ollama.ai/library/tiny/latest", write_gguf(tmp_path / "x"))
    (folder / "manifests/registry.ollama.ai/library/tiny/other").write_text(manifest)
    (folder / "manifests/.DS_Store").write_text("")
    (folder / "manifests/stray").write_text("")
    assert only(history, "ollama").name == "tiny:latest"


def test_a_blob_that_is_gone_is_told_by_its_name(
    history: History, person: Path, tmp_path: Path
) -> None:
    tiny = write_gguf(tmp_path / "x.gguf")
    name = "registry.ollama.ai/library/tiny/latest"
    put_into_ollama(person / ".ollama/models", name, tiny).write_bytes(b"GGUF")
    found = only(history, "ollama")
    assert found.info is None
    assert found.problem.startswith("tiny:latest is cut short")


def test_the_hugging_face_cache_is_read_through_its_snapshots(
    history: History, person: Path
) -> None:
    cache = person / ".cache/huggingface/hub/models--owner--tiny-GGUF"
    blob = model(cache / "blobs" / ("ab" * 32))
    for revision in ("aaa", "bbb"):
        link = cache / "snapshots" / revision / "tiny-Q8_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    found = only(history, "huggingface")
    assert found.path == cache / "snapshots/aaa/tiny-Q8_0.gguf"
    assert found.name == "tiny-Q8_0"


def test_the_hugging_face_cache_may_be_elsewhere(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    model(tmp_path / "hf/hub/models--a--b/snapshots/c/d.gguf")
    assert only(history, "huggingface").name == "d"


# --- what a person decides ---------------------------------------------------------------


def test_a_program_can_be_left_out_and_read_again(history: History, person: Path) -> None:
    model(person / ".lmstudio/models/a/a.gguf")
    model(person / ".cache/gpt4all/b.gguf")
    read_program(history, "lmstudio", False)
    assert [each.origin for each in looked(history).models if each.origin != STARTER] == ["gpt4all"]
    read_program(history, "lmstudio", True)
    assert only(history, "lmstudio").name == "a"


def test_what_is_not_installed_is_not_looked_through(history: History) -> None:
    assert [visit.place.origin for visit in looked(history).visits] == [OWN]
    assert len({program.key for program in programs()}) == 6


def test_folders_and_files_are_added_once_and_removed_without_being_touched(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lone = model(tmp_path / "disk/deep/a.gguf"), model(tmp_path / "b.gguf")
    monkeypatch.chdir(tmp_path)
    for given in (Path("disk"), tmp_path / "disk", Path("deep/../b.gguf"), lone):
        add_path(history, given)
    remember_file(history, lone)
    assert [place.path for place in model_places(history)[0]] == [
        models_folder(), tmp_path / "disk", lone,
    ]  # fmt: skip
    assert [each.path for each in found_in(history, "chosen")] == [path, lone]
    assert forget_path(history, Path("disk")) == tmp_path / "disk"
    forget_path(history, lone)
    assert found_in(history, "chosen") == []
    assert path.exists()
    assert lone.exists()


def test_a_folder_that_is_gone_can_still_be_removed(history: History, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    add_path(history, tmp_path / "disk")
    (tmp_path / "disk").rmdir()
    assert looked(history).visits[1].models == 0
    forget_path(history, tmp_path / "disk")
    assert len(looked(history).visits) == 1


def test_what_cannot_be_used_is_not_added(history: History, tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>")
    for name, why in (("page.gguf", "web page"), ("gone", "There is no file")):
        with pytest.raises(ModelFileError, match=why):
            add_path(history, tmp_path / name)
    with pytest.raises(ModelFileError, match="unknown user"):
        add_path(history, Path("~nobody-of-that-name"))
    assert len(model_places(history)[0]) == 1


def test_a_file_of_an_added_folder_is_removed_with_it(history: History, tmp_path: Path) -> None:
    path = model(tmp_path / "disk/a.gguf")
    add_path(history, tmp_path / "disk")
    with pytest.raises(ModelFileError, match=str(tmp_path / "disk")):
        forget_path(history, path)
    with pytest.raises(ModelFileError, match="was not added"):
        forget_path(history, tmp_path / "other")


# --- what is seen on the way -------------------------------------------------------------


def test_a_place_tells_all_it_holds_and_a_file_is_listed_with_the_first(
    history: History, person: Path, tmp_path: Path
) -> None:
    path = model(person / ".lmstudio/models/a/a.gguf")
    (tmp_path / "mine").mkdir()
    os.link(path, tmp_path / "mine/hard.gguf")
    (tmp_path / "mine/soft.gguf").symlink_to(path)
    add_path(history, tmp_path / "mine")
    found = looked(history)
    assert [each.name for each in found.models if each.name != STARTER] == ["hard"]
    counts = {visit.place.origin: visit.models for visit in found.visits}
    assert counts == {"llamawatt": 0, "chosen": 2, "lmstudio": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said_and_hides_no_other(
    history: History, tmp_path: Path
) -> None:
    model(tmp_path / "disk/a.gguf")
    secret = tmp_path / "disk/secret"
    secret.mkdir(mode=0)
    add_path(history, tmp_path / "disk")
    (_, visit) = looked(history).visits
    assert (visit.models, str(secret) in visit.problem) == (1, True)
    assert "cannot be read" in visit.problem


def test_folders_that_cannot_be_walked_are_said(history: History, tmp_path: Path) -> None:
    model(tmp_path / "disk/a.gguf")
    add_path(history, tmp_path / "disk")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    history.set_preference("model_folders", [str(tmp_path / "loop"), str(tmp_path / "disk")])
    (_, loop, disk) = looked(history).visits
    assert "loop cannot be read" in loop.problem
    assert (disk.models, disk.problem) == (1, "")


def test_a_scan_tells_how_far_it_is_and_can_be_left(history: History, tmp_path: Path) -> None:
    for number in range(5):
        model(tmp_path / f"disk/{number}.gguf")
    add_path(history, tmp_path / "disk")
    counts: list[int] = []
    places, heads = model_places(history)
    found = scan(places, heads, counts.append, lambda: len(counts) >= 3)
    assert counts == [1, 2, 3]
    assert len(found.models) == 3
    history.store.write(lambda _db: None).result()  # what is remembered is written by now
    assert len(heads.known()) == 3
