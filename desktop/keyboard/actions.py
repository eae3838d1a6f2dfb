"""The registry of what can be done, which binds the shortcuts and tells of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do from anywhere in the window.

    :param name: for the program
    :param group: under which the sheet lists it, as a person reads it
    :param title: as a person reads it
    :param shortcut: as Qt writes keys (``Ctrl+N``), several separated by ``; ``, "" for none
    :param does: ``None`` for a key that one field alone understands and sees to itself
    :param also: other words it is looked for by
    """

    name: str
    group: str
    title: str
    shortcut: str
    does: Callable[[], None] | None
    also: str = ""

    @property
    def keys(self) -> list[QKeySequence]:
        """The shortcuts, the one to be told of first."""
        return QKeySequence.listFromString(self.shortcut) if self.shortcut else []

    @property
    def key_text(self) -> str:
        """The first shortcut as this system writes it, "" for none."""
        return (
            keys[0].toString(QKeySequence.SequenceFormat.NativeText) if (keys := self.keys) else ""
        )


class Actions:
    """The actions of a window, in the order in which they were added.

    :param window: where the shortcuts work
    """

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._actions: dict[str, Action] = {}
        self._taken: dict[str, str] = {}
        self._shortcuts: dict[str, list[QShortcut]] = {}

    def add(self, action: Action) -> None:
        """Take an action in, and bind its shortcuts if it does something itself.

        :raises ValueError: if its name or a shortcut is taken, or a shortcut is none
        """
        if action.name in self._actions:
            raise ValueError(f"There is an action {action.name} already.")
        self._actions[action.name] = action
        if action.does is None:
            return
        for key in action.keys:
            text = key.toString()
            if not text:
                raise ValueError(f"{action.shortcut} of {action.name} is no shortcut.")
            if other := self._taken.get(text):
                raise ValueError(f"{text} is the shortcut of {other} already.")
            self._taken[text] = action.name
            shortcut = QShortcut(key, self._window)
            # A key that is held a little long does it once: Esc that closed a menu stops nothing.
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(action.does)
            self._shortcuts.setdefault(action.name, []).append(shortcut)

    def reach_everywhere(self, *names: str) -> None:
        """Let the shortcuts of some actions work in the program's other windows as well."""
        for name in names:
            for shortcut in self._shortcuts[name]:
                shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def __getitem__(self, name: str) -> Action:
        return self._actions[name]
