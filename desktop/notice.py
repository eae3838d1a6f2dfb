"""A line above the page for what a person should know, until they have read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button

Actions = Sequence[tuple[str, Callable[[], None]]]
"""What stands on each button, and what pressing it does."""

BUSY = "busy"
"""What is said of something that waits until the engine is free; see :meth:`Notice.settle`."""


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    actions: Actions
    topic: str


class Notice(QFrame):
    """Hidden unless there is something to say.

    A text takes the place of what was said of its topic, and covers what was said of others, which
    comes back after it. What has a topic goes by itself once that is settled; what has none stays
    until a person has closed it or another text without a topic has taken its place.
    """

    closed = Signal(str)
    """A person has read this text, and closed it or pressed a button beside it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._actions = QHBoxLayout()
        self._actions.setSpacing(6)
        self._buttons: list[QToolButton] = []
        self._said: list[_Said] = []
        self._close = tool_button(self.tr("Close"))
        self._close.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._close.clicked.connect(self._on_close)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.addWidget(self._text, 1)
        layout.addLayout(self._actions)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.set_theme(theme)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._close.setIcon(icon("close", theme.text))

    def say(
        self,
        text: str,
        action: str = "",
        does: Callable[[], None] | None = None,
        topic: str = "",
    ) -> None:
        """Show a text in place of the one of its topic.

        :param action: text of a button beside it, "" for none
        :param does: what pressing the button does
        :param topic: see :meth:`settle`; "" for what a person has to read
        """
        self.offer(text, [(action, does)] if does else [], topic)

    def offer(self, text: str, actions: Actions, topic: str = "") -> None:
        """Show a text with several buttons beside it.

        :param actions: what stands on each, and what pressing it does
        :param topic: see :meth:`settle`; "" for what a person has to read
        """
        covered = [] if self.isHidden() else [said for said in self._said if said.topic != topic]
        self._said = [*covered, _Said(text, actions, topic)]
        self._show_last()

    def settle(self, topic: str) -> None:
        """Take away what was said of this, which is over, also where it is covered.

        :param topic: "" for what was said of none
        """
        self._keep([said for said in self._said if said.topic != topic])

    def withdraw(self, text: str) -> None:
        """Take away this text, which no longer holds, also where it is covered."""
        self._keep([said for said in self._said if said.text != text])

    def _keep(self, said: list[_Said]) -> None:
        if self.isHidden():
            return
        shown, self._said = self._said[-1], said
        if shown not in said:
            self._show_last()

    def _take_away(self) -> None:
        self._said.pop()
        self._show_last()

    def _show_last(self) -> None:
        for button in self._buttons:
            button.hide()
            button.deleteLater()
        self._buttons = []
        self.setVisible(bool(self._said))
        if not self._said:
            return
        said = self._said[-1]
        self._text.setText(said.text)
        self._buttons = [tool_button(words) for words, _ in said.actions]
        for button, (_, does) in zip(self._buttons, said.actions, strict=True):
            button.clicked.connect(partial(self._do, does))
            self._actions.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        for before, after in pairwise((self._text, *self._buttons, self._close)):
            self.setTabOrder(before, after)

    def _do(self, does: Callable[[], None], _checked: bool = False) -> None:
        """What was said has been read and answered: it goes, unless more is said."""
        self._on_close()
        does()

    def press(self, words: str) -> None:
        """Do what the button with these words does.

        :raises KeyError: if there is none
        """
        buttons = {button.text(): button for button in self._buttons}
        buttons[words].click()

    def _on_close(self) -> None:
        text = self._text.text()
        self._take_away()
        self.closed.emit(text)

    def text(self) -> str:
        """Return what is said now, "" if nothing."""
        return "" if self.isHidden() else self._text.text()
