"""The buttons at the left that lead to the pages."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import named, tool_button


class Navigation(QWidget):
    """A button for each page.

    :param names: of the pages, which their icons are called by
    :param texts: of the buttons
    """

    wanted = Signal(str)
    """The name of a page."""
    mark_pressed = Signal()
    """The person asks for what is recorded."""

    def __init__(
        self, names: Sequence[str], texts: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        named(self, "navigation")
        self._names = names
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(88)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 10, 6, 10)
        self._buttons = QButtonGroup(self)
        for index, text in enumerate(texts):
            button = tool_button(text, checkable=True)
            button.setIconSize(QSize(24, 24))
            button.setFixedWidth(76)
            button.setToolTip(f"{text} (Ctrl+{index + 1})")
            self._buttons.addButton(button, index)
            layout.addWidget(button)
        layout.addStretch(1)
        self.recording = tool_button("")
        self.recording.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.recording.setIconSize(QSize(14, 14))
        self.recording.setFixedWidth(76)
        self.recording.clicked.connect(self.mark_pressed)
        self.recording.hide()
        layout.addWidget(self.recording)
        self._buttons.idClicked.connect(lambda index: self.wanted.emit(names[index]))

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        for index, name in enumerate(self._names):
            button = self._buttons.button(index)
            assert isinstance(button, QToolButton)
            button.setIcon(icon(name, theme.text))
        self.recording.setIcon(icon("record", theme.warning))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the pictures where the window is high enough for them above the names."""
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle
        for shown_as in (style.ToolButtonTextUnderIcon, style.ToolButtonTextOnly):
            for button in self._buttons.buttons():
                assert isinstance(button, QToolButton)
                button.setToolButtonStyle(shown_as)
            if self.minimumSizeHint().height() <= self.height():
                break

    def show_recording(self, elapsed: str) -> None:
        """Tell that something is recorded, whatever the page; "" if nothing is.

        :param elapsed: since when, as a clock shows it
        """
        self.recording.setVisible(bool(elapsed))
        if elapsed != self.recording.text():
            self.recording.setText(elapsed)
            words = self.tr("Recording for %1; to the Monitor page").replace("%1", elapsed)
            self.recording.setToolTip(words)
            self.recording.setAccessibleName(words)

    def show_page(self, name: str) -> None:
        """Mark the page that is shown."""
        self._buttons.button(self._names.index(name)).setChecked(True)
