"""Answers as they are drawn: the same whole or in pieces, inert, copied as they were written."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QGuiApplication, QMouseEvent, QTextTable
from PySide6.QtWidgets import QLabel, QMessageBox, QScrollArea, QToolButton
from pytestqt.qtbot import QtBot

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.blocks import LONG_TEXT, Block, Cutter, Kind
from desktop.chat.rendering.characters import Offsets
from desktop.chat.rendering.code import CodeBlock
from desktop.chat.rendering.heat import STEPS, tint
from desktop.chat.rendering.links import ask_to_open
from desktop.chat.rendering.raw import RawText
from desktop.chat.rendering.text import TableBlock, shared
from desktop.chat.rendering.view import AnswerView
from desktop.theme.palette import DARK, LIGHT, Theme

PIECES = st.sampled_from(
    [
        *(
            "```",
            "````",
            "~~~",
            "```py\n",
            "\n```\n",
            "\n",
            "\n\n",
            "\r\n",
            "\r",
            "    ",
            "  ",
            "\t",
        ),
        *(
            "| a | b |\n",
            "|---|---|\n",
            "| 1 | 2",
            "|",
            "# ",
            "- ",
            "1. ",
            "2. ",
            "   - ",
            "> ",
            "---\n",
        ),
        *(
            "$$\n",
            "$$",
            r"\[",
            r"\]",
            r"\(x\)",
            "$x^2$",
            r"\frac{a}{b}",
            "`",
            "**",
            "_",
            "<b>",
            "&amp;",
        ),
        *(
            "<think>",
            "</think>",
            "![x](http://h/y.png)",
            "[l](https://e.org)",
            "\0",
            "שלום",
            "🙂",
            "\ufdd0",
        ),
        *("\u2029", "word ", "x" * 40, "\ud800"),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@pytest.fixture
def view(qtbot: QtBot) -> AnswerView:
    made = AnswerView(LIGHT)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def cut(text: str) -> list[Block]:
    return Cutter().cut(text, is_whole=True)


def kinds(text: str) -> list[Kind]:
    return [block.kind for block in cut(text)]


def shown(view: AnswerView) -> list[tuple[str, str, str]]:
    """What stands on the screen: each piece of text with its formats, in its order."""
    widgets = [view._column.itemAt(index).widget() for index in range(view._column.count())]
    texts = [[w] if isinstance(w, AnswerText) else w.findChildren(AnswerText) for w in widgets]
    return [
        (type(widget).__name__, text.toPlainText(), text.toHtml())
        for widget, inside in zip(widgets, texts, strict=True)
        for text in inside
        if text.isVisibleTo(view)
    ]


def words(view: AnswerView) -> str:
    return "\n".join(text for _, text, _ in shown(view))


# --- blocks ------------------------------------------------------------------------------


@given(TEXTS, st.data())
@settings(max_examples=300)
def test_a_text_in_pieces_is_cut_like_the_whole(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    cutter = Cutter()
    for end in cuts:
        cutter.cut(text[:end], is_whole=False)
    assert cutter.cut(text, is_whole=True) == cut(text)


def test_a_long_text_in_pieces_is_cut_like_the_whole() -> None:
    text = ("Some words of a paragraph. " * 12 + "\n\n- item\n- item\n\n2. two\n\n   more\n\n") * 20
    cutter = Cutter()
    for end in range(0, len(text), 7):
        cutter.cut(text[:end], is_whole=False)
    assert cutter.cut(text, is_whole=True) == cut(text)
    assert len(cut(text)) > 3
    assert all(len(block.source) < 2 * LONG_TEXT for block in cut(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```py\na\n```", "a"),
        ("````md\n```py\na\n```\n````", "```py\na\n```"),
        ("~~~\na\n```\n~~~", "a\n```"),
        ("```py\na", "a"),
        ("```py\na\n", "a"),
        ("```py\r\na\r\n  b\r\n```\r\n", "a\n  b"),
        ("   ```py\n   a\n     b\n   ```", "a\n  b"),
        ("```\n```x\n```", "```x"),
        ("```", ""),
    ],
)
def test_code_is_what_stands_between_its_fences(text: str, code: str) -> None:
    (block,) = cut(text)
    assert (block.kind, block.source) == (Kind.CODE, code)


def test_a_formula_keeps_what_stands_around_it(view: AnswerView) -> None:
    view.set_text("$$\nx^2\n$$,\n\n\\[ \\foo_1 \\]\n\n$$ $$")
    view.settle()
    assert words(view) == "x²,\n\\[ \\foo_1 \\]\n$$ $$"


def test_code_inside_a_list_belongs_to_its_item() -> None:
    text = "1. one\n   ```py\n   a\n   ```\n   goes on\n2. two"
    first, code, more, second = cut(text)
    assert (code.kind, code.source, code.indent) == (Kind.CODE, "a", 3)
    assert (more.source, more.indent) == ("goes on", 3)
    assert (first.source, second.source, second.indent) == ("1. one", "2. two", 0)


def test_tables_and_formulas_are_told_from_text() -> None:
    assert kinds("Look:\n| a | b |\n|---|---|\n| 1 | 2 |\nAfter") == [
        Kind.TEXT,
        Kind.TABLE,
        Kind.TEXT,
    ]
    assert kinds("| a | b |\n|---|\n| 1 |") == [Kind.TEXT]
    assert kinds("So\n$$\nx\n$$\nand\n\\[ y \\]") == [
        Kind.TEXT,
        Kind.FORMULA,
        Kind.TEXT,
        Kind.FORMULA,
    ]
    assert kinds("$$\nx\n\ny\n$$") == [Kind.TEXT]
    assert kinds("```\n$$\nx\n$$\n| a |\n|---|\n```") == [Kind.CODE]


def test_a_long_table_goes_on_under_its_head() -> None:
    rows = [f"| {number} | x |" for number in range(200)]
    parts = cut("| n | y |\n|---|---|\n" + "\n".join(rows))
    assert {part.kind for part in parts} == {Kind.TABLE}
    assert all(part.source.startswith("| n | y |\n|---|---|\n") for part in parts)
    assert [row for part in parts for row in part.source.split("\n")[2:]] == rows


# --- the view ----------------------------------------------------------------------------


@given(TEXTS, st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_text_in_pieces_ends_as_the_whole_does(
    view: AnswerView, text: str, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    view.set_text("")
    for start, end in pairwise([0, *cuts, len(text)]):
        view.append(text[start:end])
        view.settle()
    view.finish()
    view.settle()
    assert view.text() == text
    whole = AnswerView(LIGHT)
    whole.resize(view.size())
    whole.show()
    whole.set_text(text)
    whole.settle()
    assert shown(view) == shown(whole)
    whole.close()
    whole.deleteLater()


def test_the_stream_is_shown_by_itself(qtbot: QtBot, view: AnswerView) -> None:
    view.append("Hello **wo")
    view.append("rld**")
    qtbot.waitUntil(lambda: "Hello world" in words(view), timeout=2_000)
    assert "bold" in shown(view)[0][2] or "font-weight:7" in shown(view)[0][2]


def test_only_what_is_open_is_drawn_again(view: AnswerView) -> None:
    view.append("```py\na = 1\n```\n\nText\n\n| a |\n|---|\n| 1 |\n")
    view.settle()
    before = [id(text.document()) for text in view.findChildren(AnswerText)]
    counts = [text.document().revision() for text in view.findChildren(AnswerText)]
    view.append("\nmore and more")
    view.settle()
    texts = [t for t in view.findChildren(AnswerText) if id(t.document()) in before]
    assert [text.document().revision() for text in texts] == counts


def test_a_hundred_kilobytes_come_without_a_halt(qtbot: QtBot) -> None:
    area = QScrollArea()
    area.setWidgetResizable(True)
    view = AnswerView(LIGHT)
    area.setWidget(view)
    qtbot.addWidget(area)
    area.show()
    text = "A paragraph of words. " * 20 + "\n\n```py\nx = 1\n```\n\n"
    text *= 100_000 // len(text) + 1
    view.set_text(text)
    drawn = len(view.findChildren(CodeBlock))
    assert drawn < text.count("```py")
    qtbot.waitUntil(
        lambda: len(view.findChildren(CodeBlock)) == text.count("```py"), timeout=20_000
    )


def test_model_text_is_inert(view: AnswerView) -> None:
    view.set_text(
        "<script>alert(1)</script> <b>x</b> ![a cat](http://127.0.0.1:9/cat.png) "
        "![y](file:///etc/passwd) [run](javascript:alert(1)) [read](file:///etc/passwd) "
        "[page](https://example.org/a)\n\n<div onclick='x'>block</div>\n\n| <i>a</i> |\n|---|\n"
    )
    view.settle()
    text = words(view)
    html = "".join(html for *_, html in shown(view))
    assert "<script>alert(1)</script> <b>x</b> a cat (http://127.0.0.1:9/cat.png)" in text
    assert "<div onclick='x'>block</div>" in text
    assert "<i>a</i>" in text
    assert "<img" not in html
    assert [part.split('"')[0] for part in html.split('href="')[1:]] == ["https://example.org/a"]
    for browser in view.findChildren(AnswerText):
        assert not browser.openLinks()
        assert browser.loadResource(2, "file:///etc/hostname") is None


def test_a_pressed_link_is_only_wanted(qtbot: QtBot, view: AnswerView) -> None:
    view.set_text("[page](https://example.org/a?b=c)")
    view.settle()
    (text,) = (t for t in view.findChildren(AnswerText) if t.isVisible())
    with qtbot.waitSignal(view.link_wanted) as wanted:
        text.setFocus()
        qtbot.keyClick(text, Qt.Key.Key_Tab)
        qtbot.keyClick(text, Qt.Key.Key_Return)
    assert wanted.args == ["https://example.org/a?b=c"]


def test_formulas_are_legible_and_money_stays(view: AnswerView) -> None:
    view.set_text(r"$x_1^2$ and \(\alpha\) cost $5 and $10, `$x^2$`, $\foo_a_b$" "\n\n$$\nx^2\n$$")
    view.settle()
    assert words(view).split("\n")[-2:] == [r"x₁² and α cost $5 and $10, $x^2$, $\foo_a_b$", "x²"]


def test_code_is_colored_named_and_copied_as_it_is(qtbot: QtBot, view: AnswerView) -> None:
    code = "def f():\n\treturn '🙂'  # end\n"
    view.set_text(f"```python\n{code}\n```")
    view.settle()
    block = view.findChild(CodeBlock)
    assert any(label.text() == "python" for label in block.findChildren(QLabel))
    document = block.findChild(AnswerText).document()
    first, second = document.begin(), document.begin().next()
    found = {
        first.text()[part.start : part.start + part.length]: part.format.foreground().color().name()
        for part in first.layout().formats()
    }
    assert found == {"def": LIGHT.code["keyword"], "f": LIGHT.code["function"]}
    comment = second.layout().formats()[-1]
    assert comment.format.foreground().color().name() == LIGHT.code["comment"]
    assert comment.start == len(second.text().encode("utf-16-le")) // 2 - len("# end")
    button = block.findChild(QToolButton)
    button.click()
    assert button.text() == "Copied"
    assert QGuiApplication.clipboard().text() == code.replace("\t", "    ")


def test_code_of_an_unknown_language_is_plain(view: AnswerView) -> None:
    view.set_text("```quux\ndef f(): pass\n```")
    view.settle()
    document = view.findChild(CodeBlock).findChild(AnswerText).document()
    assert document.toPlainText() == "def f(): pass"
    assert document.begin().layout().formats() == []


def test_wide_code_and_tables_scroll_sideways(qtbot: QtBot, view: AnswerView) -> None:
    head = "|" + " a column with words |" * 9
    view.set_text(f"```\n{'x' * 400}\n```\n{head}\n|{'---|' * 9}\n{head}\n")
    view.settle()
    for text in (view.findChild(CodeBlock).findChild(AnswerText), view.findChild(TableBlock)):
        qtbot.waitUntil(lambda t=text: t.horizontalScrollBar().maximum() > 0, timeout=2_000)
        assert text.height() > text.document().size().height()
        assert text.verticalScrollBar().maximum() <= 4


def test_columns_share_what_room_there_is() -> None:
    assert shared([50, 60], 400, 100) == [50, 60]
    assert shared([50, 400, 500], 450, 100) == [50, 200, 200]
    assert shared([300, 300, 300], 200, 100) == [100, 100, 100]
    assert shared([], 200, 100) == []


def test_a_table_has_borders_and_a_head(view: AnswerView) -> None:
    view.set_text("| a | b |\n|---|--:|\n| 1 | 2 |\n")
    view.settle()
    frames = view.findChild(TableBlock).document().rootFrame().childFrames()
    (table,) = (frame for frame in frames if isinstance(frame, QTextTable))
    assert (table.rows(), table.columns(), table.format().border()) == (2, 2, 1)
    assert table.cellAt(0, 1).format().background().color().name() == LIGHT.raised
    right = table.cellAt(1, 1).firstCursorPosition().blockFormat().alignment()
    assert right & Qt.AlignmentFlag.AlignRight


def test_the_height_follows_the_width(qtbot: QtBot, view: AnswerView) -> None:
    view.set_text("Words that are broken into lines. " * 30)
    view.settle()
    wide = view.sizeHint().height()
    view.resize(250, 400)
    qtbot.waitUntil(lambda: view.sizeHint().height() > 1.8 * wide, timeout=2_000)


# --- thinking ----------------------------------------------------------------------------


def test_thoughts_are_folded_and_unfold_by_key(qtbot: QtBot, view: AnswerView) -> None:
    view.append("<think>\nFirst line\nSecond")
    view.settle()
    (button,) = (b for b in view.findChildren(QToolButton) if b.isVisible())
    qtbot.waitUntil(
        lambda: "Second" in [x.text() for x in view.findChildren(QLabel)], timeout=2_000
    )
    assert button.text() == "Thinking …"
    assert words(view) == ""
    view.append(" line\n</think>\n\nThe **answer**")
    view.finish()
    assert button.text() == "Thought"
    assert words(view) == "The answer"
    view.set_thinking_figures("Thought for 3.2 s")
    assert button.text() == button.accessibleName() == "Thought for 3.2 s"
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert words(view) == "First line\nSecond line\nThe answer"


def test_a_thought_that_never_ended_is_not_shown_as_going_on(view: AnswerView) -> None:
    view.set_text("<think>\nCut short")
    (button,) = (b for b in view.findChildren(QToolButton) if b.isVisible())
    assert button.text() == "Thought"


# --- as it was written -------------------------------------------------------------------


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
        ("**Hot**", tint(1, LIGHT).name()),
        ("and", tint(0, LIGHT).name()),
        ("cold", tint(0.5, LIGHT).name()),
    ]
    view.set_theme(DARK)
    assert tinted(raw(view))[0][1] == tint(1, DARK).name()
    view.show_heat(None)
    assert words(view) == "Hot and cold"


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


def _cursor_at(text: RawText, position: int) -> object:
    cursor = text.textCursor()
    cursor.setPosition(position)
    return cursor


@given(st.text("ab🙂𝔼é", max_size=20), st.data())
def test_offsets_agree_with_utf_16(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    units = len(text[:offset].encode("utf-16-le")) // 2
    assert Offsets(text).to_qt(offset) == units
    assert Offsets(text).to_python(units) == offset


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
    ramp = [tint(step / (STEPS - 1), theme).name() for step in range(STEPS)]
    assert min(contrast(theme.text, color) for color in ramp) >= 4.5
    assert min(contrast(color, theme.surface) for color in theme.code.values()) >= 4.5
    lightness = [luminance(color) ** (1 / 3) for color in ramp]
    steps = [abs(b - a) for a, b in pairwise(lightness)]
    assert all((b > a) == (lightness[-1] > lightness[0]) for a, b in pairwise(lightness))
    assert max(steps) < 2.5 * sum(steps) / len(steps)


# --- copying and links -------------------------------------------------------------------


def test_what_is_selected_and_the_whole_are_copied(view: AnswerView) -> None:
    text = "First **words**\n\n```\ncode\n```"
    view.set_text(text)
    view.settle()
    first = next(t for t in view.findChildren(AnswerText) if "First" in t.toPlainText())
    code = view.findChild(CodeBlock).findChild(AnswerText)
    code.selectAll()
    first.selectAll()
    assert not code.textCursor().hasSelection()
    actions = {action.text(): action for action in view.menu(QPoint(0, 0)).actions()}
    actions["Copy"].trigger()
    assert QGuiApplication.clipboard().text() == "First words"
    actions["Copy whole answer as Markdown"].trigger()
    assert QGuiApplication.clipboard().text() == text


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
