"""The row below the prompt: what goes along with a question, and what it would take."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from desktop.chat.asking import Asking
from desktop.chat.budget import budget_words
from desktop.chat.energy.forecast import ForecastLabel
from desktop.chat.outlook import Outlook
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button

ICON = QSize(16, 16)


class ComposerTools(QWidget):
    """Leads to setup, prompts, files and budget; shows what the question would take.

    :param asking: how its conversation is led, and what an answer may take, is named
    """

    setup_wanted = Signal()
    prompts_wanted = Signal()
    attach_wanted = Signal()
    budget_wanted = Signal()

    def __init__(self, asking: Asking, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asking = asking
        self._build(theme)
        asking.chat.setup_changed.connect(self._show_setup)
        self.set_theme(theme)
        self._show_setup()
        self.show_budget()

    def _build(self, theme: Theme) -> None:
        self.setup = self._tool(self.tr("How this conversation is led: system prompt, sampling"))
        self.setup.clicked.connect(self.setup_wanted)
        self.prompts = self._tool(self.tr("Prompts of your own and some that ship (Ctrl+P)"))
        self.prompts.setText(self.tr("Prompts"))
        self.prompts.clicked.connect(self.prompts_wanted)
        self.attach = self._tool(self.tr("Attach text files; they can be dropped here as well"))
        self.attach.setText(self.tr("Attach"))
        self.attach.clicked.connect(self.attach_wanted)
        self.budget = self._tool(self.tr("How much energy an answer and a day may take"))
        self.budget.clicked.connect(self.budget_wanted)
        self.forecast = ForecastLabel(theme)
        self.context: QLabel = label("", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for button in (self.setup, self.prompts, self.attach, self.budget):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.forecast)
        row.addSpacing(8)
        row.addWidget(self.context)

    def _tool(self, tip: str) -> QToolButton:
        button = named(tool_button(""), "small")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(ICON)
        button.setToolTip(tip)
        return button

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        for button, name in (
            (self.setup, "sliders"),
            (self.prompts, "book"),
            (self.attach, "attach"),
            (self.budget, "budget"),
        ):
            button.setIcon(icon(name, theme.muted))
        self.forecast.set_theme(theme)

    def _show_setup(self) -> None:
        """Name how the conversation is led."""
        name = self._asking.chat.setup.name or self.tr("Own setup")
        self.setup.setText(name)
        self.setup.setAccessibleName(self.tr("Setup: %1").replace("%1", name))

    def show_budget(self) -> None:
        """Write what answers may take."""
        words = budget_words(self._asking.budget)
        self.budget.setText(words or self.tr("Budget"))
        self.budget.setAccessibleName(self.tr("Energy budget %1").replace("%1", words).strip())

    def show_outlook(self, outlook: Outlook) -> None:
        """Say what the question would take of the context, and in joules."""
        self.forecast.show_forecast(outlook.forecast, outlook.score, outlook.known)
        measured = outlook.measured
        self.forecast.setVisible(measured is not None and bool(outlook.text))
        self.context.setVisible(measured is not None)
        if measured is None:
            return
        words = (
            self.tr("next: about %1 of %2 tokens")
            if outlook.is_estimate
            else self.tr("next: %1 of %2 tokens")
        )
        self.context.setText(
            words.replace("%1", f"{measured.tokens:,}").replace("%2", f"{measured.size:,}")
        )
        self.context.setToolTip(
            self.tr(
                "What the model would read, of what its context holds; %1 are in it already."
            ).replace("%1", f"{measured.reused:,}")
        )
