"""How chats are set up: presets, prompts of the library, and the energy budget."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QWidget

from desktop.bridge import Bridge
from desktop.chat.asking import Asking
from desktop.chat.budget import BudgetDialog
from desktop.chat.composer import Composer
from desktop.chat.presets import PresetDialog
from desktop.chat.prompts import PromptsDialog
from desktop.theme.palette import Theme
from monitor.energy.budget import Budget, Spent
from monitor.meter import spent_today
from monitor.presets import Preset, default_preset, own_presets, shipped_presets
from monitor.store.history import History

BUDGET_PREFERENCE = "energy_budget"


class ChatSetup(QObject):
    """Opens the dialogs of the composer and keeps what is chosen in them."""

    def __init__(
        self,
        asking: Asking,
        composer: Composer,
        bridge: Bridge,
        history: History,
        theme: Theme,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._asking, self._chat, self._composer = asking, asking.chat, composer
        self._bridge, self._history, self._theme = bridge, history, theme
        self._window = parent
        composer.tools.setup_wanted.connect(self.open_presets)
        composer.tools.prompts_wanted.connect(self.open_prompts)
        composer.tools.budget_wanted.connect(self.open_budget)
        self._read_default()
        bridge.read(lambda: history.preference(BUDGET_PREFERENCE, {}), self._take_budget)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours for what is opened from now on."""
        self._theme = theme

    def _read_default(self) -> None:
        history = self._history

        def take(found: tuple[tuple[Preset, ...], Preset]) -> None:
            self._chat.setups.presets, default = found
            self._chat.set_default(default)

        self._bridge.read(
            lambda: ((*shipped_presets(), *own_presets(history)), default_preset(history)), take
        )

    def _take_budget(self, kept: dict[str, float | None]) -> None:
        self._asking.budget = Budget(**kept)
        self._composer.tools.show_budget()

    def open_presets(self) -> None:
        """Let the person choose system prompt and sampling of this conversation."""
        dialog = PresetDialog(self._bridge, self._history, self._chat.setup, self._window)

        def take(result: int) -> None:
            if result == QDialog.DialogCode.Accepted:
                self._chat.set_setup(self._chat.setups.named(dialog.preset))
            self._read_default()
            dialog.deleteLater()

        dialog.finished.connect(take)
        dialog.open()

    def open_prompts(self) -> None:
        """Let the person choose a prompt, or keep what is typed as one."""
        typed = self._composer.prompt.toPlainText()
        dialog = PromptsDialog(self._bridge, self._history, self._theme, self._window, typed)
        dialog.chosen.connect(self._composer.insert)
        dialog.finished.connect(lambda _result: dialog.deleteLater())
        dialog.open()

    def open_budget(self) -> None:
        """Let the person say what answers may take."""
        self._bridge.read(lambda: spent_today(self._history), self._ask_budget)

    def _ask_budget(self, spent: Spent) -> None:
        dialog = BudgetDialog(self._asking.budget, spent, self._window)

        def take(result: int) -> None:
            if result == QDialog.DialogCode.Accepted:
                self._keep_budget(dialog.budget)
            dialog.deleteLater()

        dialog.finished.connect(take)
        dialog.open()

    def _keep_budget(self, budget: Budget) -> None:
        self._asking.budget = budget
        self._composer.tools.show_budget()
        kept = {"answer_j": budget.answer_j, "day_j": budget.day_j}
        self._bridge.change(lambda: self._history.set_preference(BUDGET_PREFERENCE, kept))
