"""A table of figures on terminals of any width: names are broken, and no figure."""

import pytest
from rich.console import Console

from monitor.bench.tables import QUALITY_HEADER, SPEED_HEADER
from monitor.commands.bench_terminal import LESSER
from monitor.terminal.fitted_table import fitted_table

NAME, PART = "SmolLM2-135M-Instruct Q4_1", "Misconceptions (TruthfulQA's manner) (30 items)"

SPEED = [(NAME, "Speed", "313 ± 5.5 t/s", "○ 0.00999 J (0.00301–0.0328 J)",
          "127 ± 3.6 t/s", "○ 0.0245 J (0.00729–0.0806 J)")]  # fmt: skip

QUALITY = [(NAME, PART, "53.3 % ± 9.3 (36.1–69.8 %)", "○ 0.896 J", "○ 1.68 J",
            "○ 0.249 Wh", "0.118 g", "+114.5", "8.65 s")]  # fmt: skip

WHOLE = ("0.00301–", "0.0328 J)", "0.00729–", "0.0806 J)", "± 5.5 t/s", "○ 0.00999 J")


def lines(header: tuple[str, ...], rows: list[tuple[str, ...]], width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(fitted_table(header, rows, LESSER, width), crop=False)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [62, 80, 100, 120, 150])
def test_no_figure_is_ever_broken(width: int) -> None:
    shown = lines(SPEED_HEADER, SPEED, width)
    assert max(map(len, shown)) <= width
    assert all(any(part in line for line in shown) for part in WHOLE)
    assert all(title in shown[0] for title in SPEED_HEADER)


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 150])
def test_columns_are_left_out_one_after_the_other_and_named(width: int) -> None:
    shown = lines(QUALITY_HEADER, QUALITY, width)
    assert max(map(len, shown)) <= width
    told = " ".join(shown).partition("No room for: ")[2].partition(". ")[0]
    left_out = told.split(", ") if told else []
    assert left_out == list(LESSER[: len(left_out)])
    assert all((title in shown[0]) is (title not in left_out) for title in QUALITY_HEADER)
    assert any("(36.1–69.8 %)" in line for line in shown)
    assert "Misconceptions" in " ".join(shown)
    assert bool(left_out) is (width < 120)
