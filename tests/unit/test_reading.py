"""How far a prompt is read is told by its chunks, and by the clock until there is one."""

import io
import time

import pytest
from rich.console import Console

from monitor.commands import answer_screen
from monitor.engine.messages import DecodeStarted, PrefillStarted, PromptRead
from monitor.reading import Reading
from tests.unit.conftest import Eventually


def test_share_and_rate_are_of_what_had_to_be_processed() -> None:
    start_s = time.monotonic() - 30.0
    reading = Reading.begun(PrefillStarted(start_s, tokens=2_000, reused=200))
    assert reading.tokens_per_s is None
    assert reading.words() == "2,000 tokens · 30 s"
    reading = reading.after(PromptRead(start_s + 16.0, tokens=1_000))
    assert reading.tokens_per_s == 50.0
    assert reading.words() == "50 % of 2,000 tokens · 30 s · 50.0 t/s"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_shows_it_until_the_answer_begins_and_a_file_holds_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually, is_terminal: bool
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=80)
    monkeypatch.setattr(answer_screen, "stderr", console)
    screen = answer_screen.AnswerScreen(silent=True)
    start_s = time.monotonic() - 2.0
    screen.show(PrefillStarted(start_s, tokens=1_000, reused=0))
    screen.show(PromptRead(start_s + 1.0, tokens=512))
    if not is_terminal:
        screen.show(DecodeStarted(start_s + 2.0))
        assert not shown.getvalue()
        return
    told = "Reading the prompt … 51 % of 1,000 tokens · 2 s · 512 t/s"
    eventually(lambda: told in shown.getvalue())
    screen.show(DecodeStarted(start_s + 2.0))
    assert not screen._doing._live.is_started
