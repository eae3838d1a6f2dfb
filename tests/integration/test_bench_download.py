"""Benchmarks are fetched from a hub that behaves like Hugging Face, well or badly."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.bench.download import Fetched, fetch, fetched
from monitor.bench.task import DatasetError, Item, Source, Task
from monitor.bench.tasks import TASKS
from monitor.hub import transfer
from monitor.paths import home as data_folder
from tests.integration.hub_server import COMMIT, TOKEN, Handler, Hub, serving, standing_in

DATA, SHOTS = "sub set/test.parquet", "sub set/train.parquet"

TEXT = bytes(range(256)) * 2000


def read(_path: Path) -> Sequence[Item]:
    return []


TASK = Task("quiz", "Quiz", read, source=Source("who/quiz", DATA, SHOTS, "MIT"))


def sourced(**changes: str) -> Task:
    assert TASK.source
    return replace(TASK, source=replace(TASK.source, **changes))


ALONE = sourced(shots_file="")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(files={DATA: TEXT, SHOTS: b"shots"})
    with standing_in(hub, monkeypatch, tmp_path / "cache"):
        yield hub


def quietly(_name: str, _done: int, _total: int | None) -> None:
    pass


def refusal(task: Task = ALONE) -> str:
    with pytest.raises(DatasetError) as refused:
        fetch(task, quietly)
    assert TOKEN not in str(refused.value)
    assert fetched(task) is None
    return str(refused.value)


def content(files: Fetched) -> list[bytes]:
    return [path.read_bytes() for path in (files.data, files.shots) if path]


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- what goes well ------------------------------------------------------------------------------


def test_both_files_are_fetched_into_the_benchmarks_own_folder(
    hub: Hub, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, int, int | None]] = []
    assert fetched(TASK) is None
    files = fetch(TASK, lambda *step: told.append(step))
    folder = home / "benchmarks" / "quiz"
    assert files == Fetched(folder / DATA, folder / SHOTS) == fetched(TASK)
    assert content(files) == [TEXT, b"shots"]
    assert everything(tmp_path) == {
        f"home/benchmarks/quiz/{name}{suffix}"
        for name in (DATA, SHOTS)
        for suffix in ("", ".source.json")
    }
    assert {(DATA, 0, len(TEXT)), (DATA, len(TEXT), len(TEXT)), (SHOTS, 5, 5)} <= set(told)
    assert [done for name, done, _ in told if name == DATA] == sorted(
        done for name, done, _ in told if name == DATA
    )
    assert capfd.readouterr() == ("", "")


def test_the_hub_is_asked_for_nothing_but_the_files_of_one_version(hub: Hub) -> None:
    fetch(ALONE, quietly)
    path = "/datasets/who/quiz/resolve/{}/sub%20set/test.parquet"
    assert [(method, asked) for method, asked, _ in hub.asked] == [
        ("HEAD", path.format("main")),
        ("GET", path.format(COMMIT)),
    ]
    for _, _, headers in hub.asked:
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert headers["accept-encoding"] == "identity"


def test_where_a_file_is_from_is_recorded_beside_it(hub: Hub) -> None:
    data = fetch(ALONE, quietly).data
    assert json.loads(data.with_name("test.parquet.source.json").read_text()) == {
        "repository": "who/quiz",
        "file": DATA,
        "commit": COMMIT,
        "size_bytes": len(TEXT),
        "sha256": hashlib.sha256(TEXT).hexdigest(),
    }


def test_what_is_there_needs_no_request(hub: Hub) -> None:
    files = fetch(TASK, quietly)
    hub.asked.clear()
    assert fetch(TASK, quietly) == files == fetched(TASK)
    assert not hub.asked


def test_only_the_missing_file_is_fetched(hub: Hub) -> None:
    shots = fetch(TASK, quietly).shots
    assert shots
    shots.unlink()
    hub.asked.clear()
    assert fetched(TASK) is None
    assert content(fetch(TASK, quietly)) == [TEXT, b"shots"]
    assert all("train" in path for _, path, _ in hub.asked)


@pytest.mark.parametrize("kept", [b"", b"short", TEXT + b"x"])
def test_a_file_of_another_size_is_fetched_again(hub: Hub, kept: bytes) -> None:
    fetch(ALONE, quietly).data.write_bytes(kept)
    assert fetched(ALONE) is None
    assert content(fetch(ALONE, quietly)) == [TEXT]


@pytest.mark.parametrize("record", ["", "{}", "[]", "null", '{"file": 1}', "\ud800"])
def test_a_file_whose_record_is_spoilt_is_checked_not_fetched(hub: Hub, record: str) -> None:
    data = fetch(ALONE, quietly).data
    spoilt = data.with_name("test.parquet.source.json")
    spoilt.write_bytes(record.encode("utf-8", "surrogatepass"))
    hub.asked.clear()
    assert fetched(ALONE) is None
    assert content(fetch(ALONE, quietly)) == [TEXT]
    assert [method for method, _, _ in hub.asked] == ["HEAD"]


def test_a_file_of_another_repository_does_not_pass_for_this_one(hub: Hub) -> None:
    fetch(ALONE, quietly)
    other = sourced(repository="who/other", shots_file="")
    assert fetched(other) is None
    hub.files[DATA] = b"other"
    assert content(fetch(other, quietly)) == [b"other"]
    assert fetched(ALONE) is None


def test_the_cache_of_hugging_face_is_used(hub: Hub, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "datasets--who--quiz" / "snapshots" / COMMIT / DATA
    cached.parent.mkdir(parents=True)
    cached.write_bytes(TEXT)
    assert content(fetch(ALONE, quietly)) == [TEXT]
    assert [method for method, _, _ in hub.asked] == ["HEAD"]


def test_a_spoilt_file_in_the_cache_is_not_used(hub: Hub, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "datasets--who--quiz" / "snapshots" / COMMIT / DATA
    cached.parent.mkdir(parents=True)
    cached.write_bytes(TEXT[:-1])
    assert content(fetch(ALONE, quietly)) == [TEXT]


def test_the_token_does_not_go_to_the_store_the_hub_sends_to(hub: Hub) -> None:
    store = Hub(files=hub.files)
    with serving(store) as hub.cdn:
        assert content(fetch(ALONE, quietly)) == [TEXT]
    assert [method for method, _, _ in hub.asked] == ["HEAD", "GET"]
    assert [("authorization" in headers) for _, _, headers in store.asked] == [False]


def test_no_known_benchmark_is_there_before_it_is_fetched() -> None:
    assert all(fetched(task) is None for task in TASKS.values())


# --- cut connections -----------------------------------------------------------------------------


def test_a_cut_download_goes_on_where_it_was_cut(hub: Hub) -> None:
    hub.cut_after = [200_000, 100_000]
    assert content(fetch(ALONE, quietly)) == [TEXT]
    assert hub.ranges() == ["", "bytes=200000-", "bytes=300000-"]


def test_a_download_given_up_goes_on_with_the_next_call(hub: Hub) -> None:
    hub.cut_after = [200_000] + [0] * transfer.TRIES
    assert "cut" in refusal()
    assert len(hub.ranges()) == transfer.TRIES + 1
    hub.asked.clear()
    told: list[int] = []
    assert content(fetch(ALONE, lambda _name, done, _total: told.append(done))) == [TEXT]
    assert hub.ranges() == ["bytes=200000-"]
    assert told[0] == 200_000


def test_a_download_stopped_by_its_watcher_goes_on_with_the_next_call(hub: Hub) -> None:
    class Stopped(Exception):
        pass

    def stop(_name: str, done: int, _total: int | None) -> None:
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        fetch(ALONE, stop)
    hub.asked.clear()
    assert content(fetch(ALONE, quietly)) == [TEXT]
    assert hub.ranges()[0].startswith("bytes=")


def test_a_server_that_cannot_go_on_starts_anew(hub: Hub) -> None:
    hub.cut_after, hub.whole_only = [200_000], True
    assert content(fetch(ALONE, quietly)) == [TEXT]
    assert hub.ranges() == ["", "bytes=200000-"]


def test_a_server_that_starts_anew_and_is_always_cut_is_given_up(hub: Hub) -> None:
    hub.cut_after, hub.whole_only = [2000, 1000] * 20, True
    assert "cut" in refusal()
    assert len(hub.ranges()) == transfer.TRIES + 1


def test_what_is_left_of_an_older_version_is_not_added_to(hub: Hub) -> None:
    hub.cut_after = [200_000] + [0] * transfer.TRIES
    refusal()
    hub.files[DATA] = TEXT[::-1]
    assert content(fetch(ALONE, quietly)) == [TEXT[::-1]]


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_wrong_checksum_is_refused_and_nothing_kept(hub: Hub, home: Path) -> None:
    hub.told_sha256 = "0" * 64
    assert "checksum" in refusal()
    assert everything(home) == set()
    hub.told_sha256 = ""
    assert content(fetch(ALONE, quietly)) == [TEXT]


def test_more_bytes_than_told_are_refused(hub: Hub, home: Path) -> None:
    hub.told_size = len(TEXT) - 1
    assert "its size" in refusal()
    assert everything(home) == set()


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, ["who/quiz", "(401)", "HF_TOKEN"]),
        (403, {}, ["who/quiz", "(403)", "HF_TOKEN"]),
        (401, {"X-Error-Code": "GatedRepo"}, ["terms", "huggingface.co/datasets/who/quiz"]),
        (403, {"X-Error-Code": "GatedRepo"}, ["terms", "huggingface.co/datasets/who/quiz"]),
        (404, {"X-Error-Code": "RepoNotFound"}, ["no dataset who/quiz"]),
        (404, {}, ["no dataset who/quiz"]),
        (404, {"X-Error-Code": "EntryNotFound"}, [DATA, "Update"]),
        (429, {}, ["429", "later"]),
        (429, {"Retry-After": "75"}, ["429", "1 min 15 s"]),
        (429, {"RateLimit": '"resolvers";r=0;t=130'}, ["429", "2 min 10 s"]),
        (500, {}, ["(500)", "later"]),
        (503, {}, ["(503)", "later"]),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, status: int, headers: dict[str, str], said: list[str]
) -> None:
    hub.status, hub.headers = status, headers
    sentence = refusal()
    assert [part for part in said if part not in sentence] == []
    assert len(hub.asked) == 1


@pytest.mark.parametrize("headers", [{}, {"X-Repo-Commit": "../../x", "ETag": '"x"'}])
def test_a_page_to_log_in_to_the_network_is_not_a_hub(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def log_in(handler: Handler) -> None:
        handler._head(200, headers)

    monkeypatch.setattr(Handler, "do_HEAD", log_in)
    assert "log in" in refusal()


def test_a_hub_that_is_not_there_is_told_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub()) as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone)
    assert "127.0.0.1 cannot be reached" in refusal()


@pytest.mark.parametrize("address", ["huggingface.co", "ftp://x", "http://", "http://[x", "x:y"])
def test_an_address_that_is_none_is_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert "HF_ENDPOINT" in refusal()


def test_a_token_that_cannot_be_sent_is_not_shown(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}ß")
    assert "HF_TOKEN" in refusal()
    assert not hub.asked


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/x", "a/../../../x", "..", ".", "a\0b", "link/x", "../quizzes/x"]
)
@pytest.mark.parametrize("place", ["file", "shots_file"])
def test_a_name_that_leads_out_of_the_folder_is_refused_unasked(
    hub: Hub, home: Path, tmp_path: Path, name: str, place: str
) -> None:
    folder = home / "benchmarks" / "quiz"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path)
    task = sourced(**{place: name})
    for asks in (lambda: fetch(task, quietly), lambda: fetched(task)):
        with pytest.raises(DatasetError, match="leads outside"):
            asks()
    assert not hub.asked
    assert everything(tmp_path) == set()


def test_a_repository_that_is_no_name_is_refused(hub: Hub) -> None:
    assert "../../api" in refusal(sourced(repository="../../api", shots_file=""))
    assert not hub.asked


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(hub: Hub) -> None:
    hub.told_size = 1 << 60
    assert "Make room" in refusal()
    assert [method for method, _, _ in hub.asked] == ["HEAD"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_meanwhile_is_said(hub: Hub) -> None:
    hub.cut_after = [200_000] + [0] * transfer.TRIES
    refusal()
    part = next(path for path in (data_folder() / "benchmarks").rglob("*.part"))
    part.unlink()
    part.symlink_to("/dev/full")
    assert "The disk is full" in refusal()


def test_a_folder_that_cannot_be_made_is_said(hub: Hub, home: Path) -> None:
    home.mkdir()
    (home / "benchmarks").write_text("in the way")
    assert "cannot be kept" in refusal()


def test_a_task_without_a_dataset_says_so() -> None:
    assert fetched(TASKS["custom"]) is None
    with pytest.raises(DatasetError, match="no public dataset"):
        fetch(TASKS["custom"], quietly)


def test_a_missing_package_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install huggingface_hub" in refusal()


# --- a process of its own ------------------------------------------------------------------------

FETCH = """
import sys
from dataclasses import replace
from monitor.bench.download import fetch, fetched
from monitor.bench.task import DatasetError
from monitor.bench.tasks import TASKS
assert fetched(TASKS["mmlu"]) is None
assert "huggingface_hub" not in sys.modules and "httpx2" not in sys.modules
task = TASKS["mmlu"]
try:
    fetch(replace(task, source=replace(task.source, file="test.parquet")), lambda *_: None)
except DatasetError as error:
    print(error)
"""


def fetch_alone(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FETCH],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_library_is_imported_for_fetching_only_and_tells_nothing_of_this_machine(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.files = {"test.parquet": TEXT, "all/dev-00000-of-00001.parquet": b"shots"}
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY")
    monkeypatch.delenv("HF_HUB_VERBOSITY")
    hub.cut_after, hub.headers = [1000], {"X-HF-Warning": "old; Buy more"}
    assert fetch_alone(HF_HOME=str(tmp_path / "hf"), AI_AGENT="someone") == ""
    assert [method for method, _, _ in hub.asked] == ["HEAD", "GET", "GET", "HEAD", "GET"]
    agents = {headers["user-agent"] for _, _, headers in hub.asked}
    assert len(agents) == 1
    assert "llamawatt" in agents.pop()
    assert not any("someone" in agent for agent in agents)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HF_HUB_OFFLINE", "1", "HF_HUB_OFFLINE"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon", "A setting of Hugging Face"),
    ],
)
def test_settings_are_honoured(hub: Hub, tmp_path: Path, name: str, value: str, said: str) -> None:
    assert said in fetch_alone(HF_HOME=str(tmp_path / "hf"), **{name: value})
    assert not hub.asked
