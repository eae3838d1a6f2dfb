"""Answers as they were written: heat, marks, what is pointed at; and links, opened after asking."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QMouseEvent, QTextCursor
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from desktop.chat.rendering.heat import STEPS, tint
from desktop.chat.rendering.links import ask_to_open
from desktop.chat.rendering.raw import RawText
from desktop.chat.rendering.text import TextBlock
from desktop.chat.rendering.view import AnswerView
from desktop.theme.palette import DARK, LIGHT, Theme


@pytest.fixture
def view(qtbot: QtBot) -> AnswerView:
    made = AnswerView(LIGHT)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def raw(view: AnswerView) -> RawText:
    (text,) = (t for t in view.findChildren(RawText) if t.isVisible())
    return text


def tinted(text: RawText) -> list[tuple[str, str]]:
    return [
        (
            text.toPlainText()[part.start : part.start + part.length],
            part.format.background().color().name(),
        )
        for part in text.document().begin().layout().formats()
    ]


def test_heat_tints_the_text_as_it_was_written(view: AnswerView) -> None:
    view.set_text("**Hot** and cold")
    view.show_heat([(0, 4, 1.0), (4, 7, 1.0), (8, 11, 0.0), (12, 99, 0.5)])
    assert raw(view).toPlainText() == "**Hot** and cold"
    assert tinted(raw(view)) == [
        ("**Hot**", tint(1, LIGHT)),
        ("and", tint(0, LIGHT)),
        ("cold", tint(0.5, LIGHT)),
    ]
    view.set_theme(DARK)
    assert tinted(raw(view))[0][1] == tint(1, DARK)
    view.show_heat(None)
    (formatted,) = (t for t in view.findChildren(TextBlock) if t.isVisible())
    assert formatted.toPlainText() == "Hot and cold"


def test_a_mark_stands_where_the_characters_are(view: AnswerView) -> None:
    view.set_text("a🙂b\r\ncd🙂e")
    view.mark(6, 8)
    (selection,) = raw(view).extraSelections()
    assert selection.cursor.selectedText() == "d🙂"
    view.mark(0, 0)
    assert not view.findChild(RawText).isVisible()


def test_text_that_comes_while_it_is_shown_as_written_is_shown(view: AnswerView) -> None:
    view.append("one\r")
    view.show_heat([])
    view.append("\ntwo")
    view.settle()
    assert raw(view).toPlainText().replace("\u200b", "") == "one\ntwo"


def test_pointing_at_the_text_tells_the_character(qtbot: QtBot, view: AnswerView) -> None:
    view.set_text("🙂 some words")
    view.show_heat([])
    text = raw(view)
    place = text.cursorRect(_cursor_at(text, 4)).center()
    with qtbot.waitSignal(view.hovered) as told:
        move = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(place), QPointF(text.mapToGlobal(place)),
            Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        text.mouseMoveEvent(move)
    assert told.args == [3]
    with qtbot.waitSignal(view.hovered) as told:
        text.leaveEvent(QEvent(QEvent.Type.Leave))
    assert told.args == [-1]


def _cursor_at(text: RawText, position: int) -> QTextCursor:
    cursor = text.textCursor()
    cursor.setPosition(position)
    return cursor


# --- colours -----------------------------------------------------------------------------


def luminance(color: str) -> float:
    parts = [part / 255 for part in QColor(color).getRgb()[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_text_is_legible_on_every_tint_and_code_in_every_color(theme: Theme) -> None:
    ramp = [tint(step / (STEPS - 1), theme) for step in range(STEPS)]
    assert min(contrast(theme.text, color) for color in ramp) >= 4.5
    assert min(contrast(color, theme.surface) for color in theme.code.values()) >= 4.5
    lightness = [luminance(color) ** (1 / 3) for color in ramp]
    steps = [abs(b - a) for a, b in pairwise(lightness)]
    assert all((b > a) == (lightness[-1] > lightness[0]) for a, b in pairwise(lightness))
    assert max(steps) < 2.5 * sum(steps) / len(steps)


# --- links ---


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://example.org/a?b=c", ["Open a page of example.org?", "https://example.org/a?b=c"]),
        ("https://bank.com@evil.org/", ["Open a page of evil.org?"]),
        ("https://\u0430pple.com/", ["xn--pple-43d.com"]),
        ("mailto:a@b.org", ["Write a mail?", "a@b.org"]),
    ],
)
def test_a_link_is_opened_only_after_asking(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, url: str, told: list[str]
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    box = ask_to_open(None, url)
    assert box is not None
    text = box.text() + box.informativeText().replace("\u200b", "")
    assert all(part in text for part in told)
    assert opened == []
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert opened == []
    box = ask_to_open(None, url)
    assert box is not None
    next(button for button in box.buttons() if button.text() == "Open").click()
    assert opened == [QUrl(url)]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "javascript:alert(1)", "data:,x", "", "/a", "https://"]
)
def test_other_addresses_are_never_opened(qtbot: QtBot, url: str) -> None:
    assert ask_to_open(None, url) is None


def test_a_warm_stretch_goes_on_over_the_end_of_a_line(view: AnswerView) -> None:
    view.set_text("🙂one\ntwo three")
    view.show_heat([(2, 8, 1.0), (9, 11, 0.0)])
    first = raw(view).document().begin()
    found = [
        [(part.start, part.length) for part in line.layout().formats()]
        for line in (first, first.next())
    ]
    assert found == [[(3, 2)], [(0, 3), (4, 2)]]  # in Qt's units, of which the face takes two
