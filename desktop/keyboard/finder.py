"""Search everything: one field over the window, and what it finds in groups."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListView, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.keyboard.hits import FinderSource, Hit
from desktop.keyboard.rows import FinderRows, RowPainter
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named

DEBOUNCE_MS = 60
WIDTH, TALLEST_LIST, FROM_TOP, MARGIN = 640, 396, 64, 12

_STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -8, Qt.Key.Key_PageDown: 8}


class Finder(QDialog):
    """A field and the hits of several sources; Enter does what is marked, Esc closes.

    It closes by itself when the person goes on in the window.

    :param bridge: reads the sources beside the window's thread
    :param sources: in the order in which their groups are shown where they fit alike
    :param parent: the window it is shown over
    """

    def __init__(
        self, bridge: Bridge, sources: Sequence[FinderSource], theme: Theme, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        named(self, "finder")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Search everything"))
        self._bridge, self._sources, self._window = bridge, sources, parent
        self._serial, self._shown_serial, self._concluded_serial = 0, 0, 0
        self._is_eager = False
        self._has_marked = False
        self._found: dict[int, list[Hit]] = {}
        self._rows = FinderRows(self)
        self._timer = QTimer(self, interval=DEBOUNCE_MS, singleShot=True)
        self._timer.timeout.connect(self._search)
        self._build(theme)
        self.set_theme(theme)
        self._search()

    def _build(self, theme: Theme) -> None:
        self.field = QLineEdit()
        self.field.setPlaceholderText(self.tr("Search conversations, models, prompts and actions"))
        self.field.setAccessibleName(self.tr("Search everything"))
        self.field.setClearButtonEnabled(True)
        font = self.field.font()
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.field.setFont(font)
        self._icon = self.field.addAction(
            icon("search", theme.muted), QLineEdit.ActionPosition.LeadingPosition
        )
        self.field.textChanged.connect(self._on_typed)
        self.field.installEventFilter(self)
        self.list = QListView()
        self.list.setModel(self._rows)
        self._painter = RowPainter(theme, self)
        self.list.setItemDelegate(self._painter)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setAccessibleName(self.tr("Found"))
        self.list.entered.connect(self._mark)
        self.list.clicked.connect(self._do)
        self._nothing = label("", "muted", wrap=True)
        self._nothing.setContentsMargins(8, 10, 8, 10)
        self._nothing.hide()
        hint = label(self.tr("↑ ↓ to choose · Enter to open · Esc to close"), "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, 8)
        layout.setSpacing(8)
        for widget in (self.field, self.list, self._nothing, hint):
            layout.addWidget(widget)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._icon.setIcon(icon("search", theme.muted))
        self._painter.set_theme(theme)
        self.setStyleSheet(
            f"QDialog#finder {{ background: {theme.surface}; border: 1px solid {theme.muted}; }}"
            "QDialog#finder QListView { border: none; }"
        )

    # --- searching -----------------------------------------------------------------------

    def _on_typed(self) -> None:
        self._has_marked = False
        self._timer.start()

    def _search(self) -> None:
        self._serial += 1
        serial, typed = self._serial, self.field.text()

        def ask(place: int) -> tuple[int, int, list[Hit]]:
            is_wanted = serial == self._serial
            return serial, place, self._sources[place].find(typed) if is_wanted else []

        for place in range(len(self._sources)):
            self._bridge.read(partial(ask, place), self._take)
        self._bridge.read(lambda: serial, self._conclude)

    def _take(self, answer: tuple[int, int, list[Hit]]) -> None:
        serial, place, hits = answer
        if serial != self._serial:
            return
        if serial != self._shown_serial:
            # What was found for the text before stays until there is something newer.
            self._shown_serial, self._found = serial, {}
        self._found[place] = hits
        self._show()

    def _show(self) -> None:
        # What a person has marked stays marked; else it is what fits best of what is there by now.
        marked = self._rows.hit(self.list.currentIndex()) if self._has_marked else None
        groups = [(self._sources[place].title, self._found[place]) for place in sorted(self._found)]
        self._rows.show(groups, self.field.text())
        self.list.setCurrentIndex(self._rows.index_of(marked))
        self._nothing.setVisible(False)
        self._fit()

    def _conclude(self, serial: int) -> None:
        """Every source has answered, or failed: say so if none has found anything."""
        if serial != self._serial:
            return
        self._concluded_serial = serial
        if serial != self._shown_serial:
            self._found = {}
            self._show()
        typed = self.field.text().strip()
        self._nothing.setText(
            self.tr("Nothing fits “%1”. Try another word, or fewer.").replace("%1", typed)
            if typed
            else self.tr("Type to search.")
        )
        self._nothing.setVisible(not self._rows.rowCount())
        self._fit()
        self._announce()
        if self._is_eager and not self._timer.isActive():
            self._do(self.list.currentIndex())
        self._is_eager = False

    def _announce(self) -> None:
        """Tell a screen reader what is marked, since the focus stays in the field."""
        if QAccessible.isActive() and (hit := self._rows.hit(self.list.currentIndex())):
            told = QAccessibleAnnouncementEvent(self, f"{hit.title}, {hit.detail}")
            QAccessible.updateAccessibility(told)

    # --- choosing ------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the field's arrow keys move through the list."""
        if watched is self.field and isinstance(event, QKeyEvent) and self._on_key(event):
            return True
        return super().eventFilter(watched, event)

    def _on_key(self, event: QKeyEvent) -> bool:
        if event.type() is not QEvent.Type.KeyPress:
            return False
        key = Qt.Key(event.key())
        if key in _STEPS:
            self._move(_STEPS[key])
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_enter()
            return True
        return False

    def _on_enter(self) -> None:
        """Do what is marked; what was marked for the text before is not what is meant."""
        if self._timer.isActive():
            self._timer.stop()
            self._search()
        if self._concluded_serial == self._serial:
            self._do(self.list.currentIndex())
        else:
            self._is_eager = True

    def _move(self, step: int) -> None:
        self._has_marked = True
        index = self._rows.step(self.list.currentIndex(), step)
        self.list.setCurrentIndex(index)
        if index.row() <= 1:
            self.list.scrollToTop()  # the head of the first group as well
        self._announce()

    def _mark(self, index: QModelIndex) -> None:
        if self._rows.hit(index):
            self._has_marked = True
            self.list.setCurrentIndex(index)

    def _do(self, index: QModelIndex) -> None:
        if hit := self._rows.hit(index):
            self.close()
            hit.does()

    # --- its place -----------------------------------------------------------------------

    def open_over_window(self) -> None:
        """Show it at the middle of the window's upper part, ready to be typed into."""
        window = self._window
        self.setFixedWidth(min(WIDTH, window.width() - 2 * MARGIN))
        self._fit()
        corner = QPoint((window.width() - self.width()) // 2, min(FROM_TOP, window.height() // 8))
        self.move(window.mapToGlobal(corner))
        self.show()
        self.field.setFocus()

    def _fit(self) -> None:
        """Make the list as tall as its rows, within reason and the window."""
        room = max(self._window.height() - FROM_TOP - 140, 120)
        rows = sum(self.list.sizeHintForRow(row) for row in range(self._rows.rowCount()))
        self.list.setFixedHeight(min(rows + 2, TALLEST_LIST, room))
        self.list.setVisible(bool(rows))
        self.adjustSize()

    def event(self, event: QEvent) -> bool:
        """Close when the person goes on in the window."""
        if event.type() is QEvent.Type.WindowDeactivate and self.isVisible():
            self.close()
        return super().event(event)
