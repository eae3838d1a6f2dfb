"""A sentence beneath a field, for some seconds."""

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QLabel, QWidget

from desktop.theme.widgets import named

SHOWN_MS = 8000

WIDTH_PX = 320


class Bubble(QLabel):
    """Says something of a field; it belongs to the main window, so that it outlives a dialog.

    A tooltip would not do: it vanishes with the click that leads away from the field.
    """

    def __init__(self, field: QWidget, text: str) -> None:
        super().__init__(_outermost(field), Qt.WindowType.ToolTip)
        named(self, "bubble")
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        if self.sizeHint().width() > WIDTH_PX:
            self.setWordWrap(True)
            self.setFixedWidth(WIDTH_PX)
        self.move(field.mapToGlobal(QPoint(0, field.height() + 4)))
        timer = QTimer(self, interval=SHOWN_MS, singleShot=True)
        timer.timeout.connect(self.close)
        timer.start()


def _outermost(widget: QWidget) -> QWidget:
    while parent := widget.parentWidget():
        widget = parent
    return widget
