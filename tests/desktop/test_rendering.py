"""Answers as they are drawn: the same whole or in pieces, inert, copied as they were written."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QTextTable
from PySide6.QtWidgets import QLabel, QScrollArea, QToolButton
from pytestqt.qtbot import QtBot

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.code import CodeBlock
from desktop.chat.rendering.text import TableBlock, shared
from desktop.chat.rendering.view import AnswerView
from desktop.theme.palette import DARK, LIGHT

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
    qtbot.waitUntil(lambda: "Hello world" in words(view))
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
    qtbot.waitUntil(lambda: len(view.findChildren(CodeBlock)) == text.count("```py"))


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
        qtbot.waitUntil(lambda t=text: t.horizontalScrollBar().maximum() > 0)
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
    qtbot.waitUntil(lambda: view.sizeHint().height() > 1.8 * wide)


def test_a_formula_keeps_what_stands_around_it(view: AnswerView) -> None:
    view.set_text("$$\nx^2\n$$,\n\n\\[ \\foo_1 \\]\n\n$$ $$")
    view.settle()
    assert words(view) == "x²,\n\\[ \\foo_1 \\]\n$$ $$"


# --- thinking ----------------------------------------------------------------------------


def test_thoughts_are_folded_and_unfold_by_key(qtbot: QtBot, view: AnswerView) -> None:
    view.append("<think>\nFirst line\nSecond")
    view.settle()
    (button,) = (b for b in view.findChildren(QToolButton) if b.isVisible())
    qtbot.waitUntil(lambda: "Second" in [x.text() for x in view.findChildren(QLabel)])
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


# --- copying -------------------------------------------------------------------


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


def test_another_theme_draws_all_of_it_again(view: AnswerView) -> None:
    view.set_text("[page](https://example.org)\n\n```py\n# words\n```")
    view.settle()
    view.set_theme(DARK)
    view.settle()
    assert DARK.accent in shown(view)[0][2]
    comment = view.findChild(CodeBlock).findChild(AnswerText).document().begin()
    assert comment.layout().formats()[0].format.foreground().color().name() == DARK.code["comment"]
