"""Models are searched for, listed and fetched from a hub that behaves well or badly."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.carbon.training import Method, Training
from monitor.cli import main
from monitor.commands import hub as hub_commands
from monitor.exchange.model_card import model_card
from monitor.hub import transfer
from monitor.hub.access import PUBLIC, HubError
from monitor.hub.card import Card, parse_card, read_card
from monitor.hub.catalog import (
    Listing,
    RemoteFile,
    RemoteModel,
    choose,
    list_models,
    quantisation_of,
    repository_name,
    search,
)
from monitor.hub.models import Stopped, fetch_model, keep_training, kept, left_over
from monitor.hub.waiting import TICK_S, beside
from monitor.logs import logging_to_file
from monitor.paths import database_path, models_folder
from monitor.store.filters import Filter
from monitor.store.history import History
from tests.integration.hub_server import COMMIT, TOKEN, Hub, serving, standing_in
from tests.unit.builders import stored_query, write_gguf

WEIGHTS = bytes(range(256)) * 8000

FILE = "quiz-Q4_K_M.gguf"

UPDATED = "2026-01-02T03:04:05.000Z"

CARD = b"---\nlicense: mit\nbase_model: big/quiz\n---\n# Quiz\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(files={FILE: WEIGHTS, "README.md": CARD})
    with standing_in(hub, monkeypatch, tmp_path / "cache"):
        yield hub


def quietly(_done: int, _total: int) -> None:
    pass


def listed(**changes: Any) -> Listing:
    """Ask for the repository; what changes is of its only model's first part."""
    listing = list_models("who/quiz")
    (model,) = listing.models
    part = replace(model.parts[0], **changes)
    return replace(listing, models=(replace(model, parts=(part,)),))


def fetch(listing: Listing, **more: Any) -> Path:
    return fetch_model(listing, listing.models[0], quietly, **more)


def refusal(does: Callable[[], object]) -> str:
    with pytest.raises(HubError) as refused:
        does()
    assert TOKEN not in str(refused.value)
    return str(refused.value)


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- search and lists ----------------------------------------------------------------------------


def hit(name: str, task: str | None = "text-generation", **more: Any) -> dict[str, Any]:
    return {"id": name, "pipeline_tag": task, "downloads": 5, "likes": 1, "gated": False} | more


def test_a_search_finds_what_answers_in_text(hub: Hub) -> None:
    hub.hits = [
        hit("who/quiz-GGUF", downloads=1_200_000, gated="manual", lastModified=UPDATED),
        hit("who/none-stated-GGUF", None),
        hit("who/embeds-GGUF", "feature-extraction"),
        hit("who/draws-GGUF", "text-to-image"),
        hit("who/sees-GGUF", "image-text-to-text"),
    ]
    found = search("quiz  small", limit=2)
    assert [each.name for each in found] == ["who/quiz-GGUF", "who/none-stated-GGUF"]
    assert found[0].gated
    assert found[0].downloads == 1_200_000
    assert found[0].updated
    assert found[0].updated.year == 2026
    ((method, path, headers),) = hub.asked
    assert method == "GET"
    assert path.startswith("/api/models?")
    assert {"filter=gguf", "sort=downloads"} <= set(path.partition("?")[2].split("&"))
    assert "quiz" in path
    assert "small" in path
    assert headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "junk",
    [{}, {"id": 5}, {"id": "../../x"}, {"id": "a/b\n", "gated": []}, "text", None, {"id": "a"}],
)
def test_nonsense_among_what_is_found_is_left_out(hub: Hub, junk: Any) -> None:
    hub.hits = [junk, hit("who/quiz", downloads=float("1e300"), likes=None, lastModified=7)]
    (found,) = search("")
    assert (found.name, found.likes, found.updated) == ("who/quiz", 0, None)


def test_models_of_a_repository_are_listed_by_size(hub: Hub) -> None:
    hub.files = {
        "quiz-Q8_0.gguf": b"x" * 90,
        "quiz-Q4_K_M.gguf": b"x" * 50,
        "BF16/quiz-BF16-00002-of-00002.gguf": b"x" * 60,
        "BF16/quiz-BF16-00001-of-00002.gguf": b"x" * 70,
        "quiz-F32-00001-of-00003.gguf": b"x",
        "mmproj-quiz-F16.gguf": b"x",
        "imatrix_unsloth.gguf": b"x",
        "README.md": CARD,
    }
    listing = list_models("who/quiz")
    assert listing.commit == COMMIT
    assert [(m.quantisation, m.size_bytes) for m in listing.models] == [
        ("Q4_K_M", 50),
        ("Q8_0", 90),
        ("BF16", 130),
    ]
    assert [part.name[-19:-5] for part in listing.models[2].parts] == [
        "00001-of-00002",
        "00002-of-00002",
    ]
    assert listing.models[0].parts[0].sha256 == hashlib.sha256(b"x" * 50).hexdigest()
    assert choose(listing, "q4_k_m") == [listing.models[0]]
    assert choose(listing, "quiz-q8_0.GGUF") == [listing.models[1]]
    assert choose(listing, "BF16/quiz-BF16-00002-of-00002.gguf") == [listing.models[2]]
    assert choose(listing, "quiz") == list(listing.models)
    assert choose(listing, "Q2_K") == []


@pytest.mark.parametrize(
    ("name", "quantisation"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("Qwen3-0.6B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model.IQ3_XXS.gguf", "IQ3_XXS"),
        ("phi-2.q5_0.gguf", "Q5_0"),
        ("gemma-fp16.gguf", "F16"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("bitnet-TQ1_0.gguf", "TQ1_0"),
        ("Q4_0/model-00001-of-00002.gguf", "Q4_0"),
        ("Q8_Quiz-Q6_K_L.gguf", "Q6_K_L"),
        ("SmolLM2-135M.gguf", ""),
    ],
)
def test_a_quantisation_is_told_by_the_name(name: str, quantisation: str) -> None:
    assert quantisation_of(name) == quantisation


@pytest.mark.parametrize(
    "text",
    [
        "who/quiz",
        " who/quiz ",
        "https://huggingface.co/who/quiz",
        "hf.co/who/quiz/tree/main",
        "https://huggingface.co/who/quiz/blob/main/a.gguf?download=true",
    ],
)
def test_a_repository_is_named_by_its_name_or_its_page(text: str) -> None:
    assert repository_name(text) == "who/quiz"


@pytest.mark.parametrize("text", ["", "quiz", "../quiz", "a/../b", "who/quiz/x", "w ho/q", "a/b\0"])
def test_what_is_no_repository_is_refused_unasked(hub: Hub, text: str) -> None:
    assert "owner/name" in refusal(lambda: list_models(text))
    assert not hub.asked


# --- fetching ------------------------------------------------------------------------------------


def test_a_model_is_fetched_into_a_folder_of_its_repository(hub: Hub, home: Path) -> None:
    told: list[tuple[int, int]] = []
    listing = listed()
    assert kept(listing, listing.models[0]).size_bytes == 0
    path = fetch_model(
        listing, listing.models[0], lambda *step: told.append(step), card=read_card("who/quiz")
    )
    assert path == home / "models" / "who" / "quiz" / FILE
    assert path.read_bytes() == WEIGHTS
    assert path.with_name("card.md").read_bytes() == CARD
    assert everything(path.parent) == {FILE, f"{FILE}.source.json", "card.md"}
    assert told == sorted(told)
    assert told[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert kept(listing, listing.models[0]).is_whole
    hub.asked.clear()
    assert fetch(listing) == path
    assert not hub.asked


def test_a_model_in_parts_is_fetched_as_one(hub: Hub) -> None:
    first, second = "q-Q8_0-00001-of-00002.gguf", "q-Q8_0-00002-of-00002.gguf"
    hub.files = {first: WEIGHTS, second: b"second"}
    listing = list_models("who/quiz")
    told: list[tuple[int, int]] = []
    hub.cut_after = [len(WEIGHTS), 3] + [0] * transfer.TRIES
    model = listing.models[0]
    with pytest.raises(HubError, match="cut"):
        fetch_model(listing, model, lambda *step: told.append(step))
    assert kept(listing, model).size_bytes == len(WEIGHTS) + 3
    hub.asked.clear()
    path = fetch_model(listing, model, lambda *step: told.append(step))
    assert path.name == first
    assert path.with_name(second).read_bytes() == b"second"
    assert hub.ranges() == ["bytes=3-"]
    assert told == sorted(told)
    assert told[-1] == (model.size_bytes, model.size_bytes)


def test_what_was_told_to_be_here_is_not_taken_back_while_the_next_is_waited_for(hub: Hub) -> None:
    hub.files = {FILE: WEIGHTS[:3000]}
    hub.block_bytes, hub.pause_s = 1001, 2.5 * TICK_S
    listing = list_models("who/quiz")
    told: list[tuple[int, int]] = []
    fetch_model(listing, listing.models[0], lambda *step: told.append(step))
    assert told == sorted(told)
    assert told.count((1001, 3000)) > 1


def test_a_newer_version_takes_the_place_of_the_one_here(hub: Hub) -> None:
    fetch(listed())
    hub.files[FILE] = WEIGHTS[::-1]
    listing = listed()
    assert not kept(listing, listing.models[0]).is_whole
    assert fetch(listing).read_bytes() == WEIGHTS[::-1]


def test_a_cut_download_goes_on_where_it_was_cut(hub: Hub) -> None:
    hub.cut_after = [200_000, 100_000]
    assert fetch(listed()).read_bytes() == WEIGHTS
    assert hub.ranges()[1:] == ["", "bytes=200000-", "bytes=300000-"]


def test_a_wrong_checksum_is_refused_and_nothing_kept(hub: Hub) -> None:
    listing = listed()
    hub.told_sha256 = "0" * 64
    assert "checksum" in refusal(lambda: fetch(listing))
    assert everything(models_folder()) == set()


def test_a_model_larger_than_the_disk_is_refused_before_it_is_fetched(hub: Hub) -> None:
    listing = listed(size_bytes=1 << 60)
    hub.asked.clear()
    assert "Make room" in refusal(lambda: fetch(listing))
    assert not hub.asked


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_meanwhile_is_said(hub: Hub) -> None:
    hub.cut_after = [200_000] + [0] * transfer.TRIES
    listing = listed()
    refusal(lambda: fetch(listing))
    (part,) = models_folder().rglob("*.part")
    part.unlink()
    part.symlink_to("/dev/full")
    assert "The disk is full" in refusal(lambda: fetch(listing))


# --- stopping ------------------------------------------------------------------------------------


def stopped_after(listing: Listing, begun: Callable[[], bool], hub: Hub) -> float:
    """Fetch on a thread, stop it once it has begun, and return the seconds it took to stop."""
    stop, ended = threading.Event(), []

    def run() -> None:
        try:
            fetch(listing, is_stopped=stop.is_set)
        except Stopped:
            ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    until_s = time.monotonic() + 60
    while not begun():
        assert time.monotonic() < until_s, "it was not begun"
        time.sleep(0.005)
    asked_s = time.monotonic()
    stop.set()
    thread.join(60)
    assert ended, "it was not stopped"
    return ended[0] - asked_s


def bytes_left() -> int:
    return sum(left.size_bytes for left in left_over()) if models_folder().exists() else 0


def test_a_slow_download_is_stopped_at_once_and_goes_on_later(hub: Hub) -> None:
    listing = listed()
    hub.pause_s = 0.1  # of each of 32 blocks: it is not over before it is stopped
    assert stopped_after(listing, lambda: bytes_left() > 0, hub) < 20
    (left,) = left_over()
    assert (left.repository, left.file) == ("who/quiz", FILE)
    assert 0 < left.size_bytes < len(WEIGHTS)
    assert kept(listing, listing.models[0]).size_bytes == left.size_bytes
    hub.asked.clear()
    hub.pause_s = 0
    assert fetch(listing).read_bytes() == WEIGHTS
    assert hub.ranges() == [f"bytes={left.size_bytes}-"]
    assert left_over() == []


def test_a_server_that_falls_silent_does_not_hold_who_stops(hub: Hub) -> None:
    listing = listed()
    hub.stall_after = 1 << 17
    assert stopped_after(listing, lambda: bytes_left() >= 1 << 17, hub) < 20


# --- refusals ------------------------------------------------------------------------------------

GATED = {"X-Error-Code": "GatedRepo"}


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {"X-Error-Code": "RepoNotFound"}, ["who/quiz", "(401)", "hf auth login", "HF_TOKEN"]),
        (403, {}, ["who/quiz", "(403)"]),
        (403, GATED, ["terms", f"{PUBLIC}/who/quiz", "hf auth login", "HF_TOKEN"]),
        (404, {"X-Error-Code": "RepoNotFound"}, ["no model who/quiz", "Search"]),
        (429, {"Retry-After": "75"}, ["429", "1 min 15 s"]),
        (429, {"RateLimit": '"api";r=0;t=130'}, ["429", "2 min 10 s"]),
        (500, {}, ["(500)", "later"]),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, status: int, headers: dict[str, str], said: list[str]
) -> None:
    listing = listed()
    hub.status, hub.headers = status, headers
    for does in (lambda: list_models("who/quiz"), lambda: fetch(listing)):
        hub.asked.clear()
        sentence = refusal(does)
        assert [part for part in said if part not in sentence] == []
        assert len(hub.asked) == 1


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "9"}), (503, {})])
def test_a_search_that_is_refused_is_not_repeated(
    hub: Hub, status: int, headers: dict[str, str]
) -> None:
    hub.status, hub.headers = status, headers
    assert str(status) in refusal(lambda: search("quiz"))
    assert len(hub.asked) == 1


def test_a_gated_model_can_be_listed_and_its_files_say_what_to_accept(hub: Hub) -> None:
    hub.told = {"gated": "auto"}
    hub.file_status, hub.headers = 403, GATED
    listing = list_models("who/quiz")
    assert listing.gated
    assert read_card("who/quiz") is None
    assert f"{PUBLIC}/who/quiz" in refusal(lambda: fetch(listing))


def test_a_hub_that_is_not_there_is_told_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub()) as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone)
    for does in (lambda: search("quiz"), lambda: read_card("who/quiz")):
        assert "127.0.0.1 cannot be reached" in refusal(does)


def test_being_told_to_stay_offline_is_honoured(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refusal(lambda: search("quiz"))
    assert not hub.asked


@pytest.mark.parametrize("told", [{"siblings": None}, {"sha": "../../x"}, {"sha": None}])
def test_what_does_not_answer_as_the_hub_does_is_said(hub: Hub, told: dict[str, Any]) -> None:
    hub.told = told
    assert "HF_ENDPOINT" in refusal(lambda: list_models("who/quiz"))


@pytest.mark.parametrize(
    "name",
    [
        "../../x.gguf", "/etc/x.gguf", "a/../../x.gguf", "C:/x.gguf", "C:x.gguf", "a\\..\\x.gguf",
        "a\0.gguf", "CON.gguf", "con/x.gguf", "lpt1.x.gguf", "a//x.gguf", "./x.gguf", "a./x.gguf",
        "a /x.gguf", "x\n.gguf", "x\u202efugg.gguf", "x" * 300 + ".gguf", "link/x.gguf", "~/x.gguf",
    ],
)  # fmt: skip
def test_a_name_that_leads_out_of_the_folder_is_refused_unasked(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    folder = models_folder() / "who" / "quiz"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path)
    model = RemoteModel("", (RemoteFile(name, 5, ""),))
    sentence = refusal(lambda: fetch(Listing("who/quiz", COMMIT, False, (model,))))
    assert "leads outside" in sentence
    assert sentence.isprintable()
    assert not hub.asked
    assert everything(tmp_path) == set()


def test_a_hostile_name_among_others_does_not_hide_them(hub: Hub) -> None:
    hub.files |= {"../../x.gguf": b"x"}
    assert [model.name for model in list_models("who/quiz").models] == ["../../x.gguf", FILE]


# --- cards ---------------------------------------------------------------------------------------


def card(metadata: str, text: str = "# Quiz\n") -> Card:
    return parse_card("who/quiz", f"---\n{metadata}\n---\n{text}")


@pytest.mark.parametrize(
    ("metadata", "grams", "source"),
    [
        ("co2_eq_emissions: 1200", 1200, "model card of who/quiz"),
        ("co2_eq_emissions: 1.5e6", 1.5e6, "model card of who/quiz"),
        (
            'co2_eq_emissions:\n  emissions: 420\n  source: "codecarbon"\n  training_type: fine',
            420,
            "model card of who/quiz: codecarbon",
        ),
        ("co2_eq_emissions: {emissions: '7.5', source: [a]}", 7.5, "model card of who/quiz"),
    ],
)
def test_what_training_emitted_is_read(metadata: str, grams: float, source: str) -> None:
    found = card(metadata).training
    assert found
    assert (found.grams, found.source, found.method) == (grams, source, Method.CARD)


@pytest.mark.parametrize(
    "metadata",
    [
        "license: mit",
        "co2_eq_emissions:",
        "co2_eq_emissions: 0",
        "co2_eq_emissions: -5",
        "co2_eq_emissions: .inf",
        "co2_eq_emissions: nan",
        "co2_eq_emissions: 39 kg",
        "co2_eq_emissions: [1, 2]",
        "co2_eq_emissions: {source: x}",
        "co2_eq_emissions: {emissions: {}}",
        "co2_eq_emissions: {emissions: 5, source: 'a year of inference'}",
        "- co2_eq_emissions: 5",
        "co2_eq_emissions: 5\n  bad: [",
        "{{{ unhashable }}: 5}",
        "!!python/object/apply:os.system ['true']",
        "[" * 2000,
        f"x: {'y' * (1 << 16)}\nco2_eq_emissions: 5",
    ],
)
def test_what_says_nothing_of_training_is_not_taken_for_it(metadata: str) -> None:
    assert card(metadata).training is None


@given(st.text(alphabet="-:\n{}[]!&*'\"# co2_eq_emissions5<>`", max_size=60), st.text())
@settings(max_examples=100, deadline=None, database=None, derandomize=True)
def test_a_card_of_any_shape_is_read(metadata: str, text: str) -> None:
    assert isinstance(card(metadata, text).text, str)
    assert isinstance(parse_card("who/quiz", text).text, str)


def test_the_use_that_our_own_cards_state_is_not_taken_for_training(home: Path) -> None:
    home.mkdir()
    with closing(History(database_path())) as history:
        stored_query(history, "one")
        content = model_card(history, Filter())
    assert "co2_eq_emissions" in content
    assert parse_card("who/quiz", content).training is None


def test_a_card_is_shown_without_pictures_and_markup() -> None:
    shown = card(
        "license: mit",
        '<div align="center"><img src="https://x/y.png"></div>\n\n\n\n# Quiz\n<!-- a\nb -->'
        "![Plot](https://x/plot.png) and [a link](https://x)\n```html\n<b>kept</b>\n```\n"
        "1 < 2 <https://auto.link>",
    ).text
    assert shown.startswith("# Quiz")
    assert "png" not in shown
    assert "Plot and [a link](https://x)" in shown
    assert "<b>kept</b>" in shown
    assert "1 < 2 <https://auto.link>" in shown


@pytest.mark.parametrize(
    "text", ["word " * 9000, "# a\n" * 9000, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 9000]
)
def test_of_a_long_card_its_beginning_is_shown(text: str) -> None:
    shown = card("license: mit", text).text
    assert text.startswith(shown.removesuffix(" …"))
    assert 100 < len(shown) < 10_000
    assert shown.count("\n") < 300


def test_training_is_entered_under_the_models_name_unless_a_person_has(
    hub: Hub, tmp_path: Path
) -> None:
    hub.files = {FILE: write_gguf(tmp_path / FILE).read_bytes()}
    hub.others = {"big/quiz": {"README.md": b"---\nco2_eq_emissions: 5000\n---\n"}}
    path = fetch(listed())
    cards = [card("license: mit"), read_card("big/quiz")]
    with closing(History(database_path())) as history:
        entered = keep_training(history, path, [each for each in cards if each])
        assert entered == Training(5000, "model card of big/quiz", method=Method.CARD)
        assert history.trainings.known() == {"quiz-Q4_K_M": entered}
        own = Training(7, "my own meter")
        history.trainings.keep("quiz-Q4_K_M", own)
        assert keep_training(history, path, [card("co2_eq_emissions: 9")]) is None
        assert history.trainings.known() == {"quiz-Q4_K_M": own}


@pytest.mark.parametrize("named", ["big/quiz", "https://huggingface.co/big/quiz"])
def test_the_command_takes_a_training_from_a_card(hub: Hub, home: Path, named: str) -> None:
    home.mkdir()
    hub.others = {"big/quiz": {"README.md": b"---\nco2_eq_emissions: 5000\n---\n"}}
    with closing(History(database_path())) as history:
        stored_query(history, "one")
    status, out, _ = run(main, "models", "training", "tiny", "--card", named, "--json")
    assert status == 0
    assert json.loads(out)["training"]["source"] == "model card of big/quiz"
    assert json.loads(out)["training"]["method"] == "card"


@pytest.mark.parametrize(
    ("named", "status", "said"),
    [
        ("who/quiz", 200, "does not say what its training emitted. That of big/quiz"),
        ("who/quiz", 404, "has no card"),
        ("who/quiz", 500, "Try again later"),
        ("quiz", 200, "is no repository"),
    ],
)
def test_a_card_that_tells_no_training_changes_nothing(
    hub: Hub, home: Path, named: str, status: int, said: str
) -> None:
    home.mkdir()
    with closing(History(database_path())) as history:
        stored_query(history, "one")
        history.trainings.keep("tiny", Training(7, "my own meter"))
    hub.status = status
    ended, _, err = run(main, "models", "training", "tiny", "--card", named)
    assert ended == 1
    assert said in " ".join(err.split())
    with closing(History(database_path())) as history:
        assert history.trainings.known() == {"tiny": Training(7, "my own meter")}


def test_a_token_and_keys_to_files_are_kept_nowhere(hub: Hub, home: Path) -> None:
    store = Hub(files=hub.files)
    with serving(store) as cdn, logging_to_file():
        logging.getLogger("x").warning("a log is kept")
        listing = list_models("who/quiz")
        hub.cdn = f"{cdn}/Signature-key"
        fetch(listing, card=parse_card("who/quiz", "# Quiz"))
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"a log is kept" in written
    assert TOKEN.encode() not in written
    assert b"Signature" not in written
    assert not any("authorization" in headers for _, _, headers in store.asked)


# --- waiting -------------------------------------------------------------------------------------


def test_what_is_produced_on_another_thread_comes_in_order_with_its_error() -> None:
    def produce() -> Iterator[int]:
        yield from range(100)
        raise ValueError("the end")

    items = beside(produce())
    assert [next(items) for _ in range(100)] == list(range(100))
    with pytest.raises(ValueError, match="the end"):
        next(items)


def test_who_leaves_ends_what_produces() -> None:
    closed = threading.Event()

    def produce() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed.set()

    items = beside(produce())
    assert next(items) == 0
    items.close()
    assert closed.wait(60)


# --- commands ------------------------------------------------------------------------------------


def run(command: Any, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_the_command_searches(hub: Hub) -> None:
    hub.hits = [hit("who/quiz", gated="auto")]
    status, out, _ = run(hub_commands.search_models, "quiz", "--json")
    assert status == 0
    assert json.loads(out) == [
        {"name": "who/quiz", "downloads": 5, "likes": 1, "gated": True, "updated": None}
    ]


def test_the_command_lists(hub: Hub) -> None:
    status, out, _ = run(hub_commands.list_files, "who/quiz", "--json")
    (model,) = json.loads(out)["models"]
    assert status == 0
    assert (model["name"], model["quantisation"], model["fits"]) == (FILE, "Q4_K_M", True)


def test_the_command_fetches_the_only_model(hub: Hub) -> None:
    hub.others = {"big/quiz": {"README.md": b"---\nco2_eq_emissions: 5000\n---\n"}}
    status, out, _ = run(hub_commands.get_model, "who/quiz", "--base-card", "--json")
    document = json.loads(out)
    assert status == 0
    assert Path(document["path"]).read_bytes() == WEIGHTS
    assert document["licence"] == "mit"
    assert "/big/quiz/resolve/main/README.md" in hub.paths()


@pytest.mark.parametrize("chosen", [[], ["quiz"], ["Q2_K"]])
def test_the_command_lists_what_there_is_if_it_is_not_clear(hub: Hub, chosen: list[str]) -> None:
    hub.files["quiz-Q8_0.gguf"] = b"larger"
    status, out, err = run(hub_commands.get_model, "who/quiz", *chosen, "--json")
    assert status == 2
    assert len(json.loads(out)["models"]) == 2
    assert "llamawatt models get who/quiz Q8_0" in err
    assert not models_folder().exists()


def test_ctrl_c_keeps_what_came_and_says_how_to_go_on(hub: Hub) -> None:
    hub.pause_s = 0.1  # of each of 32 blocks: it is not over before it is stopped
    process = subprocess.Popen(
        [sys.executable, "-c", "from monitor.commands.hub import *; get_model()", "who/quiz"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HUB_DOWNLOAD_TIMEOUT": "5"},
    )
    until_s = time.monotonic() + 60
    while not bytes_left():
        assert time.monotonic() < until_s, "it was not begun"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on" in err
    assert 0 < bytes_left() < len(WEIGHTS)
