"""A path, a name or a figure that is too long for a line goes on behind a joint."""

import re

import pytest
from rich.console import Console

from monitor.terminal.jointed_cell import FIGURES, NAME, PATH, JointedCell
from monitor.terminal.plain_table import make_table


@pytest.mark.parametrize(
    ("text", "joints", "lines"),
    [
        ("/models/tiny.gguf", PATH, ["/models/tiny.gguf"]),
        ("/home/me/models/tiny-model.gguf", PATH, ["/home/me/models/", "tiny-model.gguf"]),
        (r"C:\Users\me\models\tiny.gguf", PATH, ["C:\\Users\\me\\models\\", "tiny.gguf"]),
        ("/m/a-name-longer-than-a-line.gguf", PATH, ["/m/", "a-name-longer-than-a", "-line.gguf"]),
        ("SmolLM2-135M-Instruct Q8_0", NAME, ["SmolLM2-135M-", "Instruct Q8_0"]),
        ("Instruct-of-14-letters Q8_0", NAME, ["Instruct-of-14-", "letters Q8_0"]),
        ("exactly-20-character Q4_K_M", NAME, ["exactly-20-character", "Q4_K_M"]),
        ("/[bold]/x", PATH, ["/[bold]/x"]),
        ("≥ ● 12.4 J (11.8–13.0 J)", FIGURES, ["≥ ● 12.4 J", "(11.8–13.0 J)"]),
        ("53.3 % ± 9.3 (36.1–69.8 %)", FIGURES, ["53.3 % ± 9.3", "(36.1–69.8 %)"]),
        ("0.00729–0.0806 kWh, wide", FIGURES, ["0.00729–0.0806 kWh,", "wide"]),
        ("12345.00729–12345.0806 mJ", FIGURES, ["12345.00729–", "12345.0806 mJ"]),
    ],
)
def test_a_text_is_broken_behind_its_joints(
    text: str, joints: re.Pattern[str], lines: list[str]
) -> None:
    table = make_table("", "")
    table.show_header = False
    table.add_row("file", JointedCell(text, joints))
    console = Console(width=len("file  ") + 20)
    with console.capture() as captured:
        console.print(table)
    assert [line[len("file  ") :].rstrip() for line in captured.get().splitlines()] == lines
