"""Models are searched for and fetched in the window, from a hub that behaves well or badly."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.models.download import DownloadPane
from desktop.models.fetching import Pace
from desktop.models.remote_files import HERE, MEMORY, MODEL
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from monitor.carbon.training import Method, Training
from monitor.hub.access import PUBLIC
from monitor.hub.models import left_over
from monitor.paths import models_folder
from tests.integration.hub_server import Hub, serving, standing_in
from tests.unit.builders import write_gguf

SMALL, LARGE = "quiz-Q4_K_M.gguf", "quiz-Q8_0.gguf"

CARD = b"""---
license: mit
base_model: big/quiz
---
# Quiz

![Picture](https://example.org/x.png) Answers [questions](https://example.org).
"""

HITS = [
    {"id": "who/quiz", "downloads": 1_234_567, "likes": 89, "gated": False,
     "lastModified": "2026-03-04T05:06:07.000Z"},
    {"id": "who/gated", "downloads": 5, "likes": 1, "gated": "manual"},
]  # fmt: skip


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    weights = write_gguf(tmp_path / SMALL).read_bytes()
    files = {SMALL: weights, LARGE: weights + bytes(4 << 20), "README.md": CARD}
    hub = Hub(files=files, hits=HITS)
    with standing_in(hub, monkeypatch, tmp_path / "cache"):
        yield hub


@pytest.fixture
def pane(qtbot: QtBot, hub: Hub, bridge: Bridge, services: Services) -> DownloadPane:
    return shown(qtbot, bridge, services)


def shown(qtbot: QtBot, bridge: Bridge, services: Services) -> DownloadPane:
    pane = DownloadPane(bridge, services.history, LIGHT)
    qtbot.addWidget(pane)
    pane.resize(730, 440)
    pane.show()
    return pane


def until(qtbot: QtBot, words: str, says: Any) -> None:
    qtbot.waitUntil(lambda: words in says())


def view_says(pane: DownloadPane) -> str:
    labels = pane.view.findChildren(QLabel)
    return "\n".join(label.text() for label in labels if label.isVisible())


def search(qtbot: QtBot, pane: DownloadPane, words: str = "quiz") -> None:
    pane.search.setFocus()
    qtbot.keyClicks(pane.search, words)
    qtbot.keyClick(pane.search, Qt.Key.Key_Return)


def open_repository(qtbot: QtBot, pane: DownloadPane) -> None:
    search(qtbot, pane)
    qtbot.waitUntil(lambda: pane.repositories.count() == 2)
    qtbot.keyClick(pane.repositories, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: pane.view.files.rowCount() == 2)


def choose(pane: DownloadPane, quantisation: str) -> None:
    files = pane.view.files
    for row in range(files.rowCount()):
        if files.item(row, MODEL).text() == quantisation:
            files.selectRow(row)


# --- asking --------------------------------------------------------------------------------------


def test_nothing_is_asked_before_enter(qtbot: QtBot, hub: Hub, pane: DownloadPane) -> None:
    assert "Press Enter" in pane.status()
    assert "Choose a repository" in view_says(pane)
    qtbot.keyClicks(pane.search, "quiz")
    qtbot.wait(100)
    assert not hub.asked
    qtbot.keyClick(pane.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: pane.repositories.count() == 2)
    assert hub.paths() == ["/api/models"]
    # Walking through the list is no question either.
    qtbot.keyClick(pane.repositories, Qt.Key.Key_Down)
    qtbot.wait(100)
    assert hub.paths() == ["/api/models"]


def test_what_is_found_is_told(qtbot: QtBot, pane: DownloadPane) -> None:
    search(qtbot, pane)
    qtbot.waitUntil(lambda: pane.repositories.count() == 2)
    told = [
        pane.repositories.item(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(2)
    ]
    assert "who/quiz, 1.23M downloads" in told[0]
    assert "2026" in told[0]
    assert "terms to accept first" in told[1]


def test_a_repository_shows_its_models_and_its_card(qtbot: QtBot, pane: DownloadPane) -> None:
    open_repository(qtbot, pane)
    files = pane.view.files
    assert [files.item(row, MODEL).text() for row in range(2)] == ["Q4_K_M", "Q8_0"]
    assert files.item(0, MEMORY).text() == "fits"
    assert pane.view.fetch.isEnabled()
    text = pane.view.card.toPlainText()
    assert "Picture Answers questions" in text
    assert "license" not in text


def test_a_model_too_large_for_the_memory_is_told(
    qtbot: QtBot, pane: DownloadPane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.models.repository_view.free_memory_bytes", lambda: 1 << 20)
    open_repository(qtbot, pane)
    assert [pane.view.files.item(row, MEMORY).text() for row in range(2)] == ["fits", "too large"]


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [(429, {"Retry-After": "75"}, "1 min 15 s"), (500, {}, "Try again later")],
)
def test_a_search_that_is_refused_says_what_to_do(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, status: int, headers: dict[str, str], said: str
) -> None:
    hub.status, hub.headers = status, headers
    search(qtbot, pane)
    until(qtbot, said, pane.status)


def test_nothing_found_and_no_network_say_what_to_do(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.hits = []
    search(qtbot, pane, "zzz")
    until(qtbot, "Nothing was found for “zzz”", pane.status)
    with serving(Hub()) as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone)
    search(qtbot, pane)
    until(qtbot, "cannot be reached", pane.status)
    assert pane.search.text() == "zzzquiz"


def test_a_repository_that_cannot_be_read_can_be_chosen_again(
    qtbot: QtBot, hub: Hub, pane: DownloadPane
) -> None:
    search(qtbot, pane)
    qtbot.waitUntil(lambda: pane.repositories.count() == 2)
    hub.status = 503
    qtbot.keyClick(pane.repositories, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "(503)" in view_says(pane))
    hub.status = 200
    qtbot.keyClick(pane.repositories, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: pane.view.files.rowCount() == 2)


# --- fetching ------------------------------------------------------------------------------------


def test_a_model_is_downloaded_with_what_its_training_emitted(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, services: Services
) -> None:
    hub.others = {"big/quiz": {"README.md": b"---\nco2_eq_emissions: 5000\n---\n# The base"}}
    open_repository(qtbot, pane)
    choose(pane, "Q4_K_M")
    pane.view.base.click()
    until(qtbot, "The base", pane.view.card.toPlainText)
    with qtbot.waitSignal(pane.downloaded) as told:
        pane.view.fetch.click()
    (path,) = told.args
    assert path == models_folder() / "who" / "quiz" / SMALL
    assert path.read_bytes() == hub.files[SMALL]
    assert path.with_name("card.md").read_bytes() == CARD
    assert "in the library now" in pane.doing()
    assert "5.00 kg CO₂e" in pane.doing()
    assert set(services.history.trainings.known().values()) == {
        Training(5000, "model card of big/quiz", method=Method.CARD)
    }
    assert pane.view.files.item(0, HERE).text() == "yes"
    assert not pane.view.fetch.isEnabled()
    assert not pane.cancel.isVisible()


def test_a_download_is_cancelled_and_gone_on_with(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, bridge: Bridge, services: Services
) -> None:
    hub.pause_s = 0.1
    open_repository(qtbot, pane)
    choose(pane, "Q8_0")
    pane.view.fetch.click()
    qtbot.waitUntil(lambda: re.search("GB of|MB of|kB of", pane.doing()))
    assert pane.cancel.isVisible()
    assert not pane.view.fetch.isEnabled()
    qtbot.waitUntil(lambda: pane.bar.value() > 0)
    pane.cancel.click()
    until(qtbot, "Stopped", pane.doing)
    assert pane.view.fetch.text() == "Go on"
    assert pane.view.files.item(1, HERE).text().endswith("%")
    (left,) = left_over()
    # A window opened later offers to go on.
    later = shown(qtbot, bridge, services)
    until(qtbot, "were stopped", later.status)
    hub.pause_s = 0
    hub.asked.clear()
    with qtbot.waitSignal(pane.downloaded):
        pane.view.fetch.click()
    assert hub.ranges() == [f"bytes={left.size_bytes}-"]


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (403, {"X-Error-Code": "GatedRepo"}, f"{PUBLIC}/who/quiz"),
        (401, {}, "hf auth login"),
        (429, {"Retry-After": "75"}, "1 min 15 s"),
    ],
)
def test_a_download_that_is_refused_says_what_to_do(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, status: int, headers: dict[str, str], said: str
) -> None:
    open_repository(qtbot, pane)
    hub.file_status, hub.headers = status, headers
    pane.view.fetch.click()
    until(qtbot, said, pane.doing)
    assert pane.view.fetch.isEnabled()


def test_a_gated_repository_says_what_to_accept_before(
    qtbot: QtBot, hub: Hub, pane: DownloadPane
) -> None:
    hub.told = {"gated": "auto"}
    open_repository(qtbot, pane)
    assert f"open {PUBLIC}/who/quiz" in view_says(pane)


def test_a_wrong_checksum_and_a_hostile_name_are_refused(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, tmp_path: Path
) -> None:
    hub.files = {"../../x.gguf": b"x", SMALL: hub.files[SMALL]}
    hub.told_sha256 = "0" * 64
    open_repository(qtbot, pane)
    choose(pane, "Q4_K_M")
    pane.view.fetch.click()
    until(qtbot, "checksum", pane.doing)
    choose(pane, "x.gguf")
    pane.view.fetch.click()
    until(qtbot, "leads outside", pane.doing)
    assert not list(tmp_path.rglob("x.gguf"))


def test_closing_the_window_ends_a_download_at_once(
    qtbot: QtBot, hub: Hub, pane: DownloadPane, bridge: Bridge
) -> None:
    open_repository(qtbot, pane)
    choose(pane, "Q8_0")
    hub.stall_after = 1 << 17
    pane.view.fetch.click()
    qtbot.waitUntil(lambda: bool(left_over()))
    began_s = time.monotonic()
    bridge.close()
    assert time.monotonic() - began_s < 20, "it waited for the hub"
    assert left_over()


def test_it_follows_the_theme_and_fits(qtbot: QtBot, pane: DownloadPane) -> None:
    open_repository(qtbot, pane)
    light = pane.repositories.grab().toImage()
    pane.set_theme(DARK)
    assert pane.repositories.grab().toImage() != light
    assert pane.minimumSizeHint().width() <= 620


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.step(0, 1000, 10_000).bytes_per_s is None
    assert pace.step(5, 1500, 10_000).bytes_per_s == 100
    step = [pace.step(5 + second, 1500 + 500 * second, 10_000) for second in range(1, 11)][-1]
    assert step.bytes_per_s == 500
    assert step.left_s == (10_000 - step.done_bytes) / 500
