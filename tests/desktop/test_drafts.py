"""What was typed and not sent outlives a history that cannot be used, and other windows."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.chat.asking import Asking
from desktop.chat.composer import Composer
from desktop.chat.drafts import Drafts
from desktop.chat.kept_drafts import BREAK, DRAFT_PREFERENCE, Change, KeptDrafts
from desktop.chat.model import ChatModel
from desktop.engine import EngineModel
from desktop.notice import Notice
from desktop.services import Services, start_services
from desktop.theme.palette import LIGHT
from monitor.paths import database_path
from monitor.store.backups import restore
from monitor.store.history import History


class Typing(QWidget):
    """The part of a window in which is typed, over services of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.services: Services = start_services()
        self.bridge = Bridge(self.services, self)
        history = self.services.history
        chat, engine = ChatModel(self.bridge, history, self), EngineModel(self.bridge, self)
        asking = Asking(chat, engine, self.bridge, self)
        self.composer = Composer(asking, self.bridge, LIGHT, self)
        self.notice = Notice(LIGHT, self)
        self.drafts = Drafts(self.composer, self.bridge, history, self.notice, self)

    def refuse_to_write(self) -> None:
        """Have the history's file refuse, as on a disk that is full."""
        store = self.services.history.store
        store.maintain(lambda db: db.execute("pragma query_only = 1")).result()

    def type(self, text: str) -> None:
        self.composer.prompt.setPlainText(text)

    def shut(self) -> None:
        """Close as the window does."""
        if not self.bridge.is_closed:
            self.drafts.keep_last()
            self.bridge.close()
            self.services.close()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[[], Typing]]:
    """Open a window that has taken up nothing yet; all are closed in the end."""
    opened: list[Typing] = []

    def open_one() -> Typing:
        opened.append(Typing())
        return opened[-1]

    yield open_one
    for each in opened:
        each.shut()
        shiboken6.delete(each)


def settled(qtbot: QtBot, window: Typing) -> Typing:
    """Wait until what was asked and changed by now has come back."""
    done: list[object] = []
    window.bridge.read(lambda: None, lambda _: window.bridge.change(lambda: None, done.append))
    qtbot.waitUntil(lambda: bool(done))
    return window


def stored() -> dict[str, str]:
    with closing(History(database_path())) as history:
        kept = history.preference(DRAFT_PREFERENCE)
    return {name: BREAK.join(texts) for name, texts in kept.items()}


def aside() -> list[str]:
    settings = QSettings()
    return [str(settings.value(key)) for key in settings.allKeys() if key.startswith("unsent/")]


@contextmanager
def damaged_preferences() -> Iterator[None]:
    """Have the page that holds the preferences be unreadable."""
    path = database_path()
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        query = "select rootpage from sqlite_master where name = 'preferences'"
        (page,) = db.execute(query).fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    whole = path.read_bytes()
    at = (page - 1) * size
    path.write_bytes(whole[:at] + bytes(size) + whole[at + size :])
    yield
    # What was written to other pages meanwhile is not looked at here.
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(whole)


OpenWindow = Callable[[], Typing]


def type_and_be_refused(qtbot: QtBot, open_window: OpenWindow, text: str) -> None:
    window = settled(qtbot, open_window())
    window.type(text)
    window.refuse_to_write()
    window.shut()
    assert len(aside()) == 1


def test_a_window_that_closes_at_once_leaves_what_is_kept(
    qtbot: QtBot, open_window: OpenWindow
) -> None:
    first = settled(qtbot, open_window())
    first.type("A long thought")
    first.shut()
    open_window().shut()
    assert stored() == {"": "A long thought"}
    hasty = open_window()
    hasty.type("Another")
    hasty.shut()
    last = settled(qtbot, open_window())
    assert last.composer.unsent() == {"": "A long thought\n\nAnother"}


@pytest.mark.parametrize("refuses", [False, True])
def test_a_window_that_closes_at_once_leaves_what_lies_aside(
    qtbot: QtBot, open_window: OpenWindow, refuses: bool
) -> None:
    type_and_be_refused(qtbot, open_window, "A long thought")
    hasty = open_window()
    if refuses:
        hasty.refuse_to_write()
    hasty.shut()
    assert settled(qtbot, open_window()).composer.unsent() == {"": "A long thought"}


def test_what_lies_aside_is_there_where_the_history_cannot_be_read(
    qtbot: QtBot, open_window: OpenWindow
) -> None:
    with closing(History(database_path())) as history:
        history.set_preference(DRAFT_PREFERENCE, {"chat": "Half"})
    type_and_be_refused(qtbot, open_window, "A long thought")
    drafts = {"": "A long thought", "chat": "Half"}
    with damaged_preferences():
        window = settled(qtbot, open_window())
        assert window.composer.unsent() == drafts
        assert "cannot be read" in window.notice.text()
        window.shut()
        again = settled(qtbot, open_window())
        assert again.composer.unsent() == drafts
        again.shut()
    assert settled(qtbot, open_window()).composer.unsent() == drafts


def test_what_lies_aside_takes_the_place_of_what_it_was_typed_over(
    qtbot: QtBot, open_window: OpenWindow
) -> None:
    first = settled(qtbot, open_window())
    first.type("Half")
    first.drafts.keep()
    settled(qtbot, first).type("Half a thought")
    first.refuse_to_write()
    first.shut()
    assert stored() == {"": "Half"}
    second = settled(qtbot, open_window())
    assert second.composer.unsent() == {"": "Half a thought"}
    second.type("Half a thought more")
    second.refuse_to_write()
    second.shut()
    third = settled(qtbot, open_window())
    assert third.composer.unsent() == {"": "Half a thought more"}
    third.shut()
    assert stored() == {"": "Half a thought more"}
    assert not aside()


def test_what_lies_aside_stays_until_a_window_has_taken_it_up(
    qtbot: QtBot, open_window: OpenWindow
) -> None:
    other = settled(qtbot, open_window())
    type_and_be_refused(qtbot, open_window, "Of the first")
    other.type("Of the other")
    other.drafts.keep()
    settled(qtbot, other)
    assert stored() == {"": "Of the other"}
    other.type("Of the other, refused")
    other.refuse_to_write()
    other.shut()
    last = settled(qtbot, open_window())
    assert last.composer.unsent() == {"": "Of the first\n\nOf the other, refused"}
    last.shut()
    assert not aside()


def test_what_another_window_keeps_is_left(qtbot: QtBot, open_window: OpenWindow) -> None:
    first, second = settled(qtbot, open_window()), settled(qtbot, open_window())
    first.type("Of the first")
    first.shut()
    second.shut()
    assert stored() == {"": "Of the first"}
    third, fourth = settled(qtbot, open_window()), settled(qtbot, open_window())
    for text in ("Of the third", "Of the third, and more"):
        third.type(text)
        third.drafts.keep()
        settled(qtbot, third)
        fourth.type("")
        fourth.drafts.keep()
        settled(qtbot, fourth)
    third.type("")
    third.shut()
    fourth.shut()
    assert stored() == {}


@pytest.mark.parametrize("text", ["no JSON", "[5]", "7", '[["", ""]]'])
def test_what_lies_aside_and_cannot_be_read_hides_nothing(
    qtbot: QtBot, open_window: OpenWindow, text: str
) -> None:
    type_and_be_refused(qtbot, open_window, "Refused")
    (key,) = (key for key in QSettings().allKeys() if key.startswith("unsent/"))
    with closing(History(database_path())) as history:
        history.set_preference(DRAFT_PREFERENCE, "A long thought")
    QSettings().setValue(key, text)
    window = settled(qtbot, open_window())
    assert window.composer.unsent() == {"": "A long thought"}
    window.shut()
    assert stored() == {"": "A long thought"}
    assert aside() == [text]
    QSettings().setValue(key, json.dumps({"chat": "as an earlier version put it aside"}))
    assert settled(qtbot, open_window()).composer.unsent() == {
        "": "A long thought",
        "chat": "as an earlier version put it aside",
    }


@pytest.mark.parametrize("other", [5, ["a"], {"": 5}])
def test_something_else_in_the_place_of_drafts_is_told_and_left(
    qtbot: QtBot, open_window: OpenWindow, other: object
) -> None:
    with closing(History(database_path())) as history:
        history.set_preference(DRAFT_PREFERENCE, other)
    window = settled(qtbot, open_window())
    assert window.notice.text().startswith("The unsent texts in the history cannot be read:")
    window.notice.hide()
    window.type("A long thought")
    window.drafts.keep()
    settled(qtbot, window)
    assert window.notice.text().startswith("The unsent texts in the history cannot be read:")
    window.shut()
    with closing(History(database_path())) as history:
        assert history.preference(DRAFT_PREFERENCE) == other
    assert settled(qtbot, open_window()).composer.unsent() == {"": "A long thought"}


def test_what_was_refused_outlives_a_crash(qtbot: QtBot, open_window: OpenWindow) -> None:
    crashed = settled(qtbot, open_window())
    crashed.refuse_to_write()
    for text in ("A long", "A long thought"):
        crashed.type(text)
        crashed.drafts.keep()
        settled(qtbot, crashed)
    assert settled(qtbot, open_window()).composer.unsent() == {"": "A long thought"}


def test_what_is_typed_at_once_stands_behind_what_was_left(
    qtbot: QtBot, open_window: OpenWindow
) -> None:
    first = settled(qtbot, open_window())
    first.type("A long thought")
    first.shut()
    second = open_window()
    second.type("Another")
    assert settled(qtbot, second).composer.unsent() == {"": "A long thought\n\nAnother"}
    second.shut()
    assert stored() == {"": "A long thought\n\nAnother"}


@pytest.mark.parametrize("refuses", [False, True])
def test_what_is_typed_is_newer_than_a_backup(
    qtbot: QtBot, open_window: OpenWindow, tmp_path: Path, refuses: bool
) -> None:
    backup = tmp_path / "history.db"
    with closing(History(database_path())) as history:
        history.set_preference(DRAFT_PREFERENCE, {"": ["Half a thought"], "chat": ["As it was"]})
    shutil.copy(database_path(), backup)
    with closing(History(database_path())) as history:
        history.set_preference(DRAFT_PREFERENCE, {})
    window = settled(qtbot, open_window())
    window.type("The whole thought")
    window.composer.restore({"gone": "Of a conversation that came later"})
    if refuses:
        window.refuse_to_write()
    window.shut()
    restore(database_path(), backup)
    with closing(History(database_path())) as history:
        KeptDrafts(history).go_back(window.composer.unsent())
    assert not aside()
    again = settled(qtbot, open_window())
    assert again.composer.unsent() == {
        "": "The whole thought\n\nOf a conversation that came later",
        "chat": "As it was",
    }


@pytest.mark.parametrize(
    ("kept", "own", "typed", "expected"),
    [
        ([], [], "mine", ["mine"]),
        (["mine"], ["mine"], "more", ["more"]),
        (["mine"], ["mine"], "", []),
        (["theirs"], [], "", ["theirs"]),
        (["theirs"], [], "mine", ["theirs", "mine"]),
        (["theirs", "mine"], ["mine"], "more", ["theirs", "more"]),
        (["mine", "theirs"], ["mine"], "", ["theirs"]),
        (["undermine"], ["mine"], "", ["undermine"]),
        (["mine\n"], ["mine\n"], "more\n", ["more\n"]),
        (["mine, edited there"], ["mine"], "mine", ["mine, edited there"]),
        ([], ["mine"], "mine", ["mine"]),
        (["first", "second"], ["first", "second"], "first\n\nsecond", ["first", "second"]),
        (["first", "second"], ["first", "second"], "both", ["both"]),
    ],
)
def test_only_the_text_of_this_window_is_replaced(
    kept: list[str], own: list[str], typed: str, expected: list[str]
) -> None:
    def texts(texts: list[str]) -> dict[str, list[str]]:
        return {"chat": texts} if texts else {}

    change = Change(texts(own), {"chat": typed} if typed else {})
    found = change.done_to({"other": ["text"]} | texts(kept))
    assert found == {"other": ["text"]} | texts(expected)
    assert change.done_to(found) == found
