"""Talking to the window as a person does."""

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.chat.turn import TurnView
from desktop.window import MainWindow
from monitor.presets import Preset, checked

ANSWER_MS = 100_000

SHORT = Preset("Short", sampling=checked({"max_tokens": 24}))
"""Answers of a tiny model may go on until the context is full."""

STORY = "Write a very long story about dragons."
LONG = 1500
"""Tokens of an answer that is not over before a person has done something else meanwhile."""


def send(qtbot: QtBot, window: MainWindow, text: str) -> None:
    """Type a question and press Enter."""
    prompt = window.chat_page.prompt
    prompt.setPlainText(text)
    qtbot.keyClick(prompt, Qt.Key.Key_Return)


def wait_idle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until nothing is computed any more."""
    qtbot.waitUntil(lambda: not window.engine.busy, timeout=ANSWER_MS)


def ask(qtbot: QtBot, window: MainWindow, text: str) -> None:
    """Ask, and wait for the answer's end."""
    send(qtbot, window, text)
    wait_idle(qtbot, window)


def limit(window: MainWindow, tokens: int, **sampling: object) -> None:
    """Let the conversation's answers be of so many tokens at most."""
    fields = {"max_tokens": tokens, **sampling}
    window.chat.set_setup(Preset("", sampling=checked(fields)))


def begin_story(qtbot: QtBot, window: MainWindow, tokens: int = LONG) -> None:
    """Ask for a long answer, and wait for its first words.

    Of all words the likeliest: among others the model may well choose to end, after a sentence.
    """
    limit(window, tokens, temperature=0.0)
    send(qtbot, window, STORY)
    qtbot.waitUntil(lambda: bool(window.chat.turns[0].answer), timeout=ANSWER_MS)


def views(window: MainWindow) -> list[TurnView]:
    """Return the turns that are shown."""
    return list(window.chat_page.transcript.views)
