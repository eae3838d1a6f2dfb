"""The sheet of shortcuts, made of the registry, so that it is never out of date."""

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.keyboard.actions import Action
from desktop.keyboard.matching import match
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button


class ShortcutSheet(QDialog):
    """Every action that has a shortcut, by groups, with a field to search them."""

    def __init__(
        self, actions: Iterable[Action], theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.resize(560, 540)
        self._rows: list[tuple[Action, tuple[QWidget, ...]]] = []
        self._heads: dict[str, QLabel] = {}
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search an action or a key"))
        self.search.setAccessibleName(self.tr("Search shortcuts"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self._search_icon = self.search.addAction(
            icon("search", theme.muted), QLineEdit.ActionPosition.LeadingPosition
        )
        self._nothing = label(self.tr("No shortcut is called that."), "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.hide()
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName(self.tr("Shortcuts"))
        self._scroll.setWidget(self._table([one for one in actions if one.keys]))
        close = tool_button(self.tr("Close"))
        close.clicked.connect(self.accept)
        bottom = QHBoxLayout()
        bottom.addStretch(1)
        bottom.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._nothing, 1)
        layout.addLayout(bottom)
        self.set_theme(theme)

    def _table(self, actions: list[Action]) -> QWidget:
        table = named(QWidget(), "page")
        grid = QGridLayout(table)
        grid.setContentsMargins(6, 4, 14, 4)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(0, 1)
        place = 0
        for group in dict.fromkeys(action.group for action in actions):
            head = label(group, "muted")
            font = head.font()
            font.setBold(True)
            head.setFont(font)
            head.setContentsMargins(0, 10 if place else 0, 0, 2)
            self._heads[group] = head
            grid.addWidget(head, place, 0, 1, 2)
            for action in (one for one in actions if one.group == group):
                place += 1
                self._add_row(grid, place, action)
            place += 1
        grid.setRowStretch(place, 1)
        return table

    def _add_row(self, grid: QGridLayout, place: int, action: Action) -> None:
        keys = label(action.key_text, "keys")
        keys.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        keys.setAccessibleName(f"{action.title}: {action.key_text}")
        title = label(action.title)
        grid.addWidget(title, place, 0)
        grid.addWidget(keys, place, 1, Qt.AlignmentFlag.AlignRight)
        self._rows.append((action, (title, keys)))

    def _filter(self, typed: str) -> None:
        shown: set[str] = set()
        for action, widgets in self._rows:
            fits = not typed.strip() or _fits(action, typed)
            if fits:
                shown.add(action.group)
            for widget in widgets:
                widget.setVisible(fits)
        for group, head in self._heads.items():
            head.setVisible(group in shown)
        self._scroll.setVisible(bool(shown))
        self._nothing.setVisible(not shown)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._search_icon.setIcon(icon("search", theme.muted))
        self.setStyleSheet(
            f"QLabel#keys {{ background: {theme.raised}; border: 1px solid {theme.line};"
            " border-radius: 4px; padding: 2px 7px; }"
        )


def _fits(action: Action, typed: str) -> bool:
    texts = (f"{action.group} {action.title}", action.key_text, action.keys[0].toString())
    return any(match(typed, text) is not None for text in texts) or (
        typed.replace(" ", "").casefold() in action.key_text.replace(" ", "").casefold()
    )
