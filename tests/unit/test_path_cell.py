"""A path that is too long for a line goes on behind a separator."""

import pytest
from rich.console import Console

from monitor.path_cell import PathCell
from monitor.report import make_table


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/models/tiny.gguf", ["/models/tiny.gguf"]),
        ("/home/me/models/tiny-model.gguf", ["/home/me/models/", "tiny-model.gguf"]),
        (r"C:\Users\me\models\tiny.gguf", ["C:\\Users\\me\\models\\", "tiny.gguf"]),
        ("/m/a-name-longer-than-a-line.gguf", ["/m/", "a-name-longer-than-a", "-line.gguf"]),
        ("/[bold]/x", ["/[bold]/x"]),
    ],
)
def test_a_path_is_broken_behind_a_separator(path: str, lines: list[str]) -> None:
    table = make_table("", "")
    table.show_header = False
    table.add_row("file", PathCell(path))
    console = Console(width=len("file  ") + 20)
    with console.capture() as captured:
        console.print(table)
    assert [line[len("file  ") :].rstrip() for line in captured.get().splitlines()] == lines
