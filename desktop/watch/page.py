"""The Monitor page: the machine without a model, recorded."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from desktop.watch.clock import clock
from desktop.watch.listing import RecordingList
from desktop.watch.model import LATELY, RUNNING, WatchModel
from desktop.watch.shown import ShownRecording
from desktop.watch.words import energy_words
from monitor.recorded import Recording

LIST_WIDTH, FRAME_PX = 214, 30

FOLLOW_MS, STEP_PX = 1500, 1.0
"""What goes on is drawn anew so often, or when it has moved by so much: hours hardly move."""


class _NameField(QLineEdit):
    """A field that tells when the keys go elsewhere."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Tell of it."""
        super().focusOutEvent(event)
        self.left.emit()


class WatchPage(QWidget):
    """Records, marks and stops; lists what was recorded, and shows one of it.

    Follows the sampler only while it is visible; a recording goes on without it.
    """

    floating_wanted = Signal()

    def __init__(self, model: WatchModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        self._awaits_name = False
        self.shown = ShownRecording(model, theme)
        self.list = RecordingList(theme)
        self.list.opened.connect(model.open)
        self.list.delete_wanted.connect(model.delete)
        self._build()
        self._timer = QTimer(self, interval=FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        model.changed.connect(self._on_changed)
        model.progressed.connect(self.show_progress)
        model.listed.connect(self._show_listed)
        model.opened.connect(lambda shown: self.list.show_opened(shown.name))
        self.set_theme(theme)
        self._on_changed()

    def _build(self) -> None:
        self.record = named(QPushButton(), "primary")
        self.record.clicked.connect(self.record_or_stop)
        self.mark_name = _NameField()
        self.mark_name.setPlaceholderText(self.tr("Name of the moment"))
        self.mark_name.setAccessibleName(self.tr("Name of the moment"))
        # All of what it is for can be read while it is empty.
        metrics, about = self.mark_name.fontMetrics(), self.mark_name.placeholderText()
        self.mark_name.setFixedWidth(metrics.horizontalAdvance(about) + FRAME_PX)
        self.mark_name.returnPressed.connect(self._enter)
        self.mark_name.left.connect(self._name_no_more)
        self.mark_button = tool_button(self.tr("Mark"))
        self.mark_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.mark_button.setToolTip(self.tr("Mark this moment (F9), to see what each part cost"))
        self.mark_button.clicked.connect(self.mark)
        self.floating = tool_button(self.tr("Small window"))
        self.floating.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.floating.setToolTip(
            self.tr("Watts, joules and temperature in a small window on top (Ctrl+Shift+W)")
        )
        self.floating.clicked.connect(self.floating_wanted)
        self.progress = label("")
        self.progress.setMinimumWidth(40)
        self.progress.setAccessibleDescription(self.tr("What the recording has cost so far"))
        self._empty = label(
            self.tr("Nothing is kept yet. Record keeps curve and bill of all this machine draws, "
                    "whatever runs on it, until you stop."),
            "muted", wrap=True,
        )  # fmt: skip
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(label(self.tr("Monitor"), "title"))
        top.addSpacing(8)
        top.addWidget(self.record)
        top.addWidget(self.progress, 1)
        top.addWidget(self.mark_name)
        top.addWidget(self.mark_button)
        top.addWidget(self.floating)
        side = QWidget()
        side.setFixedWidth(LIST_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list, 1)
        column.addWidget(self._empty)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addWidget(side)
        body.addWidget(self._scrolled(), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 8)
        layout.setSpacing(10)
        layout.addLayout(top)
        layout.addLayout(body, 1)

    def _scrolled(self) -> QScrollArea:
        """Let what is shown be scrolled where the window, or a high dock, leaves it no room."""
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(named(self.shown, "page"))
        scroll.setMinimumWidth(self.shown.minimumSizeHint().width())
        return scroll

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.shown.set_theme(theme)
        self.list.set_theme(theme)
        self.mark_button.setIcon(icon("flag", theme.text))
        self.floating.setIcon(icon("floating", theme.text))
        self._show_record()

    # --- recording -----------------------------------------------------------------------

    def record_or_stop(self) -> None:
        """Begin to record, or end what is recorded."""
        if self._model.is_recording:
            self._model.stop()
        else:
            self._model.start()

    def mark(self) -> None:
        """Mark this moment by the name that is typed."""
        if made := self._model.mark(self.mark_name.text()):
            self.mark_name.clear()
            self._awaits_name = not made.name

    def _enter(self) -> None:
        """Name the mark that was just made without a name, or else mark this moment."""
        name = self.mark_name.text().strip()
        if self._awaits_name and name:
            self._awaits_name = False
            self._model.name_last_mark(name)
            self.mark_name.clear()
        else:
            self.mark()

    def _name_no_more(self) -> None:
        """Let what is typed later be of another moment."""
        self._awaits_name = False

    def _on_changed(self) -> None:
        is_on = self._model.is_recording
        if is_on is self.mark_name.isHidden():
            self._turn(is_on)
        self._show_record()
        if not is_on:
            self.progress.setText("")
            self.list.show_running(None)

    def _turn(self, is_on: bool) -> None:
        """Show or hide what marks. What is typed next must not press a button that got the keys
        because another one went: the name of a moment gets them, and then the plot."""
        self._awaits_name = False
        if not is_on:
            self.shown.plot.setFocus()
        for widget in (self.mark_name, self.mark_button):
            widget.setVisible(is_on)
        if is_on:
            self.mark_name.setFocus()

    def _show_record(self) -> None:
        is_on = self._model.is_recording
        self.record.setText(self.tr("Stop") if is_on else self.tr("Record"))
        self.record.setIcon(icon("stop" if is_on else "record", self._theme.on_accent))
        keys = "Ctrl+Shift+R"
        self.record.setToolTip(
            self.tr("End the recording and keep it (%1)").replace("%1", keys)
            if is_on
            else self.tr("Keep what this machine draws from now on (%1)").replace("%1", keys)
        )

    def show_progress(self, recording: Recording) -> None:
        """Show how long the running recording is and what it has cost."""
        if not self._model.is_recording:
            return  # it was stopped meanwhile
        words = f"{clock(self._model.elapsed_s)} · {energy_words(recording.cost, with_mean=False)}"
        self.progress.setText(words)
        self.progress.setToolTip(words)
        self.list.show_running(recording)

    def _show_listed(self, found: list[Recording]) -> None:
        self.list.show_kept(found)
        self._empty.setVisible(not found)

    # --- following -----------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Follow what goes on while visible."""
        super().showEvent(event)
        self._model.list()
        self._model.refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def _follow(self) -> None:
        """Draw anew what goes on. What a person chose of the last minutes is held still."""
        plot = self.shown.plot
        goes_on = self._model.wanted == RUNNING or (self._model.wanted == LATELY and plot.is_whole)
        step_ms = 1000 * STEP_PX * plot.duration_s / max(plot.width(), 1)
        self._timer.setInterval(round(max(FOLLOW_MS, step_ms)))
        if goes_on:
            self._model.refresh()
