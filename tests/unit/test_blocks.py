"""Answers cut into blocks, the same whole or in pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.chat.rendering.blocks import LONG_TEXT, Block, Cutter, Kind
from desktop.chat.rendering.characters import Offsets

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


def cut(text: str) -> list[Block]:
    return Cutter().cut(text, is_whole=True)


def kinds(text: str) -> list[Kind]:
    return [block.kind for block in cut(text)]


@given(TEXTS, st.data())
@settings(max_examples=300)
def test_a_text_in_pieces_is_cut_like_the_whole(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    cutter = Cutter()
    for end in cuts:
        cutter.cut(text[:end], is_whole=False)
    assert cutter.cut(text, is_whole=True) == cut(text)


TABLE = "| n | y |\n|---|---|\n" + "".join(f"| {number} | x |\n" for number in range(100))


@pytest.mark.parametrize(
    "text",
    [
        ("Some words of a paragraph. " * 12 + "\n\n- item\n- item\n\n2. two\n\n   more\n\n") * 20,
        f"{TABLE}| last",
        f"Before\n{TABLE}\n{TABLE}```\n{TABLE}```\nAfter",
    ],
    ids=["words", "a table", "tables"],
)
def test_a_long_text_in_pieces_is_cut_like_the_whole(text: str) -> None:
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


@given(st.text("ab🙂𝔼é", max_size=20), st.data())
def test_offsets_agree_with_utf_16(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    units = len(text[:offset].encode("utf-16-le")) // 2
    assert Offsets(text).to_qt(offset) == units
    assert Offsets(text).to_python(units) == offset
