"""A small window that stays on top: watts now, joules since it was opened, temperature."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QDateTime, QLocale, QPoint, QRect, QSettings, QSize, Qt
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QScreen,
    QShowEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.live.moments import Moments
from desktop.theme.bill import power_words, unread_notes
from desktop.theme.gauges import device_name
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from desktop.watch.clock import clock
from monitor import figures
from monitor.bill_words import total_words
from monitor.energy.account import Bill
from monitor.power.gauge import Quantity
from monitor.power.present import present_reading
from monitor.power.sampler import Sampler
from monitor.tally import Tally, settled_s

OPACITY = 238
"""Of 255: what lies below is guessed at, and the text stays legible."""

EDGE_PX = 12
RADIUS = 10

PLACE = "meter/place"

Reckon = Callable[[Callable[[], "Reckoned"], Callable[["Reckoned"], None]], None]
"""Asks a question beside the window's thread and hands the answer over in it."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What the small window shows besides the watts.

    :param bill: since it was opened or its joules were set to zero
    :param heat: name and degrees Celsius of the hottest device, ``None`` if none tells
    """

    bill: Bill
    heat: tuple[str, float] | None


def look(sampler: Sampler, tally: Tally) -> Reckoned:
    """Return what is to be shown besides the watts."""
    return Reckoned(tally.bill(settled_s(sampler)), hottest(sampler))


def hottest(sampler: Sampler) -> tuple[str, float] | None:
    """Return name and degrees Celsius of the hottest device, ``None`` if no gauge tells."""
    now_s = time.monotonic()
    found = [
        (device_name(gauge), reading.value)
        for gauge in sampler.gauges()
        if gauge.quantity is Quantity.TEMPERATURE
        and (reading := present_reading(sampler.gauge_trace, gauge, now_s))
    ]
    return max(found, key=lambda each: each[1], default=None)


class FloatingMeter(QWidget):
    """Frameless and on top. Dragged to where it is wanted, and there again the next time.

    Its joules begin when it is opened, or when a double click or its button sets them to zero.
    Nothing is drawn while it is hidden.

    :param moments: the sampler's present watts
    :param reckon: see :data:`Reckon`
    """

    def __init__(self, sampler: Sampler, moments: Moments, reckon: Reckon, theme: Theme) -> None:
        super().__init__(
            None,
            Qt.WindowType.Tool
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint,
        )
        self._sampler, self._moments, self._reckon, self._theme = sampler, moments, reckon, theme
        self._is_reading = False
        self._dragged: QPoint | None = None
        self._put_at: QPoint | None = None
        self._begin()
        self.setWindowTitle(self.tr("LlamaWatt meter"))
        self.setAccessibleName(self.tr("LlamaWatt meter"))
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        # The program ends with its main window, whatever floats.
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.setAttribute(Qt.WidgetAttribute.WA_MacAlwaysShowToolWindow)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._build()
        moments.passed.connect(self.refresh)
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.screenRemoved.connect(self._come_back)
        self.set_theme(theme)

    def _build(self) -> None:
        self.power, self.energy, self.heat = label(""), label(""), label("", "muted")
        font = self.power.font()
        font.setPointSizeF(font.pointSizeF() * 1.8)
        font.setBold(True)
        self.power.setFont(font)
        self.power.setAccessibleDescription(self.tr("Power now"))
        self.energy.setAccessibleDescription(self.tr("Energy since the start"))
        self.heat.setAccessibleDescription(self.tr("Temperature of the hottest device"))
        self.reset_button = named(tool_button(self.tr("Joules from zero")), "small")
        self.close_button = named(tool_button(self.tr("Close")), "small")
        for button in (self.reset_button, self.close_button):
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setIconSize(QSize(14, 14))
        self.reset_button.setToolTip(self.tr("Count the joules from zero (double click)"))
        self.close_button.setToolTip(self.tr("Close (Esc)"))
        self.reset_button.clicked.connect(self.reset)
        self.close_button.clicked.connect(self.close)
        top = QHBoxLayout()
        top.setSpacing(2)
        top.addWidget(self.power, 1)
        for button in (self.reset_button, self.close_button):
            top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 10)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.energy)
        layout.addWidget(self.heat)
        # Wide enough for any figure, so that it does not twitch from second to second.
        self.energy.setMinimumWidth(
            self.fontMetrics().horizontalAdvance("≥ ● 000.0 kWh · 00:00:00")
        )

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.reset_button.setIcon(icon("again", theme.muted))
        self.close_button.setIcon(icon("close", theme.muted))
        self.update()

    # --- what it shows -------------------------------------------------------------------

    def _begin(self) -> None:
        self._start_s = time.monotonic()
        self._since = QDateTime.currentDateTime()
        self._tally = Tally(self._sampler, self._start_s)

    def reset(self) -> None:
        """Count the joules from zero again."""
        self._sampler.mark()
        self._begin()
        self.refresh()

    def refresh(self) -> None:
        """Show the present watts, and reckon the rest unless that is being done."""
        if not self.isVisible():
            return
        now = self._moments.now
        self.power.setText(figures.marked(now.kind, figures.power(now.total_w)))
        self.power.setToolTip(power_words(now))
        self._fit()
        if not self._is_reading:
            self._is_reading = True
            self._reckon(partial(self._look, self._tally), self.show_reckoned)

    def _look(self, tally: Tally) -> Reckoned:
        """Reckon it, not in the window's thread; what fails is answered by nothing."""
        try:
            return look(self._sampler, tally)
        finally:
            self._is_reading = False

    def show_reckoned(self, reckoned: Reckoned) -> None:
        """Show what was reckoned."""
        energy = total_words(reckoned.bill)
        self.energy.setText(f"{energy} · {clock(time.monotonic() - self._start_s)}")
        at = QLocale().toString(self._since.time(), QLocale.FormatType.ShortFormat)
        since = self.tr("Since %1: %2").replace("%1", at)
        since = since.replace("%2", f"{energy} {figures.bounds(reckoned.bill.total().energy)}")
        self.energy.setToolTip("\n".join((since.strip(), *unread_notes(reckoned.bill))))
        self.heat.setVisible(reckoned.heat is not None)
        if reckoned.heat:
            name, degrees = reckoned.heat
            metrics, room = self.heat.fontMetrics(), self.energy.minimumWidth()
            text = f"{degrees:.0f} °C · {name}"
            self.heat.setText(metrics.elidedText(text, Qt.TextElideMode.ElideRight, room))
            self.heat.setToolTip(text)
        self._fit()

    def _fit(self) -> None:
        """Be as large as what is shown."""
        before = self.size()
        self.adjustSize()
        if self.size() != before and self._dragged is None:
            if self.pos() != self._put_at:
                self._remember()  # the system moved it for a person, as with Alt and the mouse
            self._come_back()  # what has grown may reach beyond the screen

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(self._theme.surface)
        ground.setAlpha(OPACITY)
        painter.setBrush(ground)
        painter.setPen(QPen(QColor(self._theme.accent if self.hasFocus() else self._theme.line), 1))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)
        painter.end()

    # --- opening and closing -------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Come back to where it was, and follow the sampler."""
        super().showEvent(event)
        self.adjustSize()
        self._come_back()
        self.refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember where it was."""
        self._remember()
        super().closeEvent(event)

    def open(self) -> None:
        """Show it, with its joules from zero if it was closed."""
        if not self.isVisible():
            self._begin()
        self.show()
        self.activateWindow()
        self.setFocus()

    def _come_back(self, _gone: QScreen | None = None) -> None:
        """Go to where it was, or near it where there is a screen."""
        kept = QSettings().value(PLACE)
        wanted = QRect(kept, self.size()) if isinstance(kept, QPoint) else None
        screens = [screen.availableGeometry() for screen in QGuiApplication.screens()]
        if screens:
            self.move(place_on(screens, wanted, self.size()))
            self._put_at = self.pos()

    def _remember(self) -> None:
        QSettings().setValue(PLACE, self.pos())

    # --- moving and keys -----------------------------------------------------------------

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show by the frame's colour that keys are heeded."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the colour back."""
        super().focusOutEvent(event)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag; where the system moves windows itself, it is asked to."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        handle = self.windowHandle()
        if not (is_wayland() and handle and handle.startSystemMove()):
            self._dragged = event.globalPosition().toPoint() - self.pos()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if self._dragged is not None:
            self.move(event.globalPosition().toPoint() - self._dragged)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Stay, and remember where."""
        if self._dragged is not None:
            self._dragged = None
            self._remember()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Count the joules from zero."""
        self._dragged = None
        self.reset()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes; arrow keys move."""
        steps = {
            Qt.Key.Key_Left: QPoint(-EDGE_PX, 0),
            Qt.Key.Key_Right: QPoint(EDGE_PX, 0),
            Qt.Key.Key_Up: QPoint(0, -EDGE_PX),
            Qt.Key.Key_Down: QPoint(0, EDGE_PX),
        }
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif step := steps.get(Qt.Key(event.key())):
            self.move(self.pos() + step)
            self._remember()
        else:
            super().keyPressEvent(event)


def is_wayland() -> bool:
    """Whether the system lets no program place a window, or keep it on top."""
    return QGuiApplication.platformName().startswith("wayland")


def place_on(screens: list[QRect], wanted: QRect | None, size: QSize) -> QPoint:
    """Return where a window of some size is seen whole: where it is wanted, or next to that.

    :param screens: the parts of the screens that windows may take, the main one first
    :param wanted: where it was; ``None`` for the upper right corner of the main screen
    """
    if wanted is None:
        return screens[0].topRight() + QPoint(-size.width() - EDGE_PX, EDGE_PX)
    seen = [screen.intersected(wanted) for screen in screens]
    shares = [part.width() * part.height() if part.isValid() else 0 for part in seen]
    screen = screens[shares.index(max(shares))]
    return QPoint(
        max(screen.left(), min(wanted.left(), screen.right() + 1 - size.width())),
        max(screen.top(), min(wanted.top(), screen.bottom() + 1 - size.height())),
    )
