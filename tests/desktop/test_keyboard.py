"""Shortcuts, the sheet that lists them, and the search of everything."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.keyboard.actions import Action, Actions
from desktop.keyboard.finder import Finder
from desktop.keyboard.hits import (
    LONGEST_LIST,
    FinderSource,
    Hit,
    action_source,
    matching_source,
    prompt_source,
)
from desktop.keyboard.matching import match
from desktop.keyboard.sheet import ShortcutSheet
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from monitor.prompts import Prompt, keep, shipped

Open = Callable[..., Finder]


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    """A window with a field that has the focus."""
    window = QWidget()
    window.resize(1024, 640)
    field = QLineEdit()
    QVBoxLayout(window).addWidget(field)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    field.setFocus()
    return window


@pytest.fixture
def done() -> list[str]:
    """What was done, by name."""
    return []


@pytest.fixture
def actions(window: QWidget, done: list[str]) -> Actions:
    actions = Actions(window)
    for name, group, title, shortcut in (
        ("new", "Chat", "New chat", "Ctrl+N"),
        ("regenerate", "Chat", "Answer once more", "Ctrl+R"),
        ("sheet", "Window", "Keyboard shortcuts", "Ctrl+/"),
        ("unload", "Model", "Give the memory back", ""),
    ):
        actions.add(Action(name, group, title, shortcut, partial(done.append, name)))
    actions.add(Action("line", "Prompt", "Begin a new line", "Shift+Return", None))
    return actions


@pytest.fixture
def open_finder(qtbot: QtBot, bridge: Bridge, window: QWidget) -> Open:
    """Open the search over some sources, and wait until nothing is typed is answered."""

    def open_over(*sources: FinderSource) -> Finder:
        finder = Finder(bridge, sources, LIGHT, window)
        finder.open_over_window()
        qtbot.waitUntil(lambda: concluded(finder))
        return finder

    return open_over


def concluded(finder: Finder) -> bool:
    return not finder._timer.isActive() and finder._concluded_serial == finder._serial


def rows(finder: Finder) -> list[str]:
    model = finder.list.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def search(qtbot: QtBot, finder: Finder, text: str) -> list[str]:
    finder.field.setText(text)
    qtbot.waitUntil(lambda: concluded(finder))
    return rows(finder)


def nothing() -> None:
    pass


def hits(*titles: str) -> list[Hit]:
    return [Hit(title, "", "chat", nothing) for title in titles]


def shown_texts(sheet: ShortcutSheet) -> list[str]:
    return [one.text() for one in sheet.findChildren(QLabel) if one.isVisibleTo(sheet)]


# --- actions and their sheet -----------------------------------------------------------------


def test_a_shortcut_does_what_it_stands_for(
    qtbot: QtBot, window: QWidget, actions: Actions, done: list[str]
) -> None:
    field = window.findChild(QLineEdit)
    qtbot.keyClick(field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(field, Qt.Key.Key_Slash, Qt.KeyboardModifier.ControlModifier)
    assert done == ["new", "sheet"]


def test_no_key_can_be_given_twice(actions: Actions) -> None:
    with pytest.raises(ValueError, match=r"Ctrl\+N is the shortcut of new already"):
        actions.add(Action("other", "Chat", "Other", "Ctrl+N", nothing))
    with pytest.raises(ValueError, match="an action new already"):
        actions.add(Action("new", "Chat", "Other", "Ctrl+J", nothing))
    with pytest.raises(ValueError, match="no shortcut"):
        actions.add(Action("odd", "Chat", "Other", "Ctrl+Nonsense", nothing))


def test_the_sheet_lists_every_shortcut_by_its_group(qtbot: QtBot, actions: Actions) -> None:
    actions.add(Action("send", "Prompt", "Send", "Ctrl+Enter; Ctrl+Return", nothing))
    sheet = ShortcutSheet(actions, DARK)
    qtbot.addWidget(sheet)
    texts = shown_texts(sheet)
    for action in actions:
        if action.shortcut:
            key = action.shortcut.split(";")[0]
            native = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
            assert texts[texts.index(action.title) + 1] == native
            assert texts.index(action.group) < texts.index(action.title)
    assert "Give the memory back" not in texts


@pytest.mark.parametrize(
    ("typed", "found"),
    [("new", {"New chat", "Begin a new line"}), ("ctrl+r", {"Answer once more"}), ("zzz", set())],
)
def test_the_sheet_is_searched_by_title_and_key(
    qtbot: QtBot, actions: Actions, typed: str, found: set[str]
) -> None:
    sheet = ShortcutSheet(actions, LIGHT)
    qtbot.addWidget(sheet)
    sheet.show()
    sheet.search.setText(typed)
    titles = {action.title for action in actions}
    assert titles & set(shown_texts(sheet)) == found
    assert ("No shortcut is called that." in shown_texts(sheet)) == (not found)
    sheet.search.clear()
    assert {"New chat", "Chat", "Window"} <= set(shown_texts(sheet))


# --- what fits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "better", "worse"),
    [
        ("chat", "New chat", "Chatter"),
        ("chat", "Chatter", "A snapchat"),
        ("new chat", "Chat anew", "Chat"),
        ("nwch", "New chat", "Enwrench"),
        ("cafe", "Café", "Face"),
        ("speed", "Speed", "Speed of the answer"),
        ("model lib", "Model library", "Model"),
    ],
)
def test_what_fits_better_comes_first(typed: str, better: str, worse: str) -> None:
    score = match(typed, better)
    assert score is not None
    assert score > (match(typed, worse) or 0.0)


@pytest.mark.parametrize(
    ("typed", "title"), [("", "New chat"), ("xyz", "New chat"), ("new zzz", "New chat")]
)
def test_what_does_not_fit_is_not_found(typed: str, title: str) -> None:
    assert match(typed, title) is None


# --- the search of everything ----------------------------------------------------------------


def test_without_a_text_it_shows_what_was_used_last_and_what_can_be_done(
    open_finder: Open, actions: Actions
) -> None:
    finder = open_finder(
        FinderSource("Conversations", lambda typed: hits("Latest") if not typed else []),
        action_source("Actions", actions, without_text=2),
    )
    assert rows(finder) == ["Conversations", "Latest", "Actions", "New chat", "Answer once more"]
    assert finder.list.currentIndex().data() == "Latest"


def test_the_group_that_fits_best_comes_first(
    qtbot: QtBot, open_finder: Open, actions: Actions
) -> None:
    finder = open_finder(
        FinderSource("Conversations", lambda _typed: hits("What the answer said")),
        action_source("Actions", actions),
    )
    assert search(qtbot, finder, "new chat") == [
        "Actions",
        "New chat",
        "Conversations",
        "What the answer said",
    ]


def test_after_typing_the_first_hit_is_the_marked_one(
    qtbot: QtBot, open_finder: Open, actions: Actions
) -> None:
    finder = open_finder(
        FinderSource("Conversations", lambda typed: hits("Keys of a piano") if not typed else []),
        matching_source("Models", lambda: hits("Chat model new"), without_text=1),
        action_source("Actions", actions),
    )
    qtbot.keyClick(finder.field, Qt.Key.Key_Down)
    assert finder.list.currentIndex().data() == "Chat model new"
    found = search(qtbot, finder, "new chat")
    assert found[1] == "New chat"
    assert finder.list.currentIndex().data() == "New chat"


def test_a_group_shows_no_more_than_can_be_looked_over(qtbot: QtBot, open_finder: Open) -> None:
    many = matching_source("Models", lambda: hits(*(f"Model {n}" for n in range(50))))
    assert len(search(qtbot, open_finder(many), "model")) == 1 + LONGEST_LIST


def test_keys_choose_and_enter_does_it(
    qtbot: QtBot, open_finder: Open, actions: Actions, done: list[str]
) -> None:
    finder = open_finder(
        FinderSource("Conversations", lambda _typed: hits("One")),
        action_source("Actions", actions),
    )
    chosen = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up):
        qtbot.keyClick(finder.field, key)
        chosen.append(finder.list.currentIndex().data())
    assert chosen == [
        "New chat",
        "Answer once more",
        "New chat",
        "One",
        "Give the memory back",  # from the first to the last
    ]
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    assert done == ["unload"]
    assert not finder.isVisible()


def test_enter_means_what_is_typed_and_not_what_was_found_before(
    qtbot: QtBot, open_finder: Open, actions: Actions, done: list[str]
) -> None:
    finder = open_finder(action_source("Actions", actions))
    qtbot.keyClicks(finder.field, "keyboard")
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: done == ["sheet"])


def test_a_click_does_it_and_escape_only_closes(
    qtbot: QtBot, open_finder: Open, actions: Actions, done: list[str]
) -> None:
    finder = open_finder(action_source("Actions", actions))
    qtbot.keyClick(finder.field, Qt.Key.Key_Escape)
    assert not finder.isVisible()
    assert done == []
    finder = open_finder(action_source("Actions", actions))
    place = finder.list.visualRect(finder.list.model().index(2, 0)).center()
    qtbot.mouseClick(finder.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert done == ["regenerate"]


def test_an_answer_that_comes_late_is_dropped(qtbot: QtBot, open_finder: Open) -> None:
    go_on, asked = threading.Event(), []

    def find(typed: str) -> list[Hit]:
        asked.append(typed)
        if typed == "slow":
            go_on.wait(60)
        return hits(f"found {typed}")

    finder = open_finder(FinderSource("Texts", find), FinderSource("More", find))
    asked.clear()
    finder.field.setText("slow")
    qtbot.waitUntil(lambda: asked == ["slow"])
    finder.field.setText("quick")
    qtbot.waitUntil(lambda: not finder._timer.isActive())
    go_on.set()
    qtbot.waitUntil(lambda: concluded(finder))
    assert rows(finder) == ["Texts", "found quick", "More", "found quick"]
    # The second source was not even asked for what nobody waits for.
    assert asked == ["slow", "quick", "quick"]


def test_a_source_that_fails_does_not_hide_the_others(
    qtbot: QtBot, bridge: Bridge, open_finder: Open, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_typed: str) -> list[Hit]:
        raise OSError("the disk is gone")

    with qtbot.waitSignal(bridge.read_failed) as told:
        finder = open_finder(
            FinderSource("Models", fail), FinderSource("Texts", lambda _typed: hits("There"))
        )
    assert told.args == ["the disk is gone"]
    assert rows(finder) == ["Texts", "There"]
    assert "A question of the window failed" in caplog.text


def test_nothing_found_is_said(qtbot: QtBot, open_finder: Open, actions: Actions) -> None:
    finder = open_finder(action_source("Actions", actions))
    assert search(qtbot, finder, "zzz") == []
    texts = [one.text() for one in finder.findChildren(QLabel) if one.isVisible()]
    assert any("Nothing fits “zzz”" in text for text in texts)
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    assert finder.isVisible()


def test_prompts_are_found_by_title_and_text(
    qtbot: QtBot, services: Services, open_finder: Open
) -> None:
    keep(services.history, Prompt("", "Haiku", "writing", "Count the syllables of {it}", True))
    inserted: list[Prompt] = []
    source = prompt_source("Prompts", services.history, inserted.append)
    finder = open_finder(source)
    assert rows(finder) == []
    assert search(qtbot, finder, "syllables") == ["Prompts", "Haiku"]
    bug = next(prompt for prompt in shipped() if prompt.title == "Find the bug")
    assert search(qtbot, finder, "find bug")[:2] == ["Prompts", bug.title]
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    assert inserted == [bug]


def test_one_of_thousands_is_found(qtbot: QtBot, open_finder: Open) -> None:
    many = hits(*(f"Conversation about subject {n}" for n in range(2000)))
    finder = open_finder(matching_source("Texts", lambda: many))
    assert search(qtbot, finder, "subject 1999") == [
        "Texts",
        "Conversation about subject 1999",
    ]


def test_a_slow_source_does_not_hold_the_window(qtbot: QtBot, open_finder: Open) -> None:
    go_on = threading.Event()

    def find(typed: str) -> list[Hit]:
        assert not typed or go_on.wait(60)
        return hits("There")

    finder = open_finder(FinderSource("Slow", find))
    qtbot.keyClicks(finder.field, "ab")
    qtbot.waitUntil(lambda: not finder._timer.isActive())
    # The field goes on to take what is typed while the source is still looking.
    qtbot.keyClicks(finder.field, "c")
    assert finder.field.text() == "abc"
    assert not concluded(finder)
    go_on.set()
    qtbot.waitUntil(lambda: concluded(finder))
    assert rows(finder) == ["Slow", "There"]


def test_it_lies_inside_a_small_window(
    qtbot: QtBot, window: QWidget, open_finder: Open, actions: Actions
) -> None:
    window.resize(560, 420)
    finder = open_finder(
        *(FinderSource(f"Group {n}", lambda _typed: hits(*"abcdef")) for n in range(4))
    )
    inside = window.rect().translated(window.mapToGlobal(window.rect().topLeft()))
    assert inside.contains(finder.geometry())
