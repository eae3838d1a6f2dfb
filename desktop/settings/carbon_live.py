"""Turning figures of the hour on and off."""

from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.widgets import ChoiceBox, add_field, label, named, tool_button
from monitor import figures
from monitor.carbon.countries import two_letters
from monitor.carbon.intensity import Zone
from monitor.carbon.live import Provider
from monitor.carbon.state import LiveState


@dataclass(frozen=True, slots=True)
class TurnOn:
    """What is to be turned on.

    :param token: another token, "" to use the one in the keyring
    """

    provider: Provider
    grid: str
    token: str


class LiveTab(QWidget):
    """Who is asked, for which grid, with which token, and how it stands."""

    on_wanted = Signal(object)
    """A :class:`TurnOn`."""
    off_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._letters: str | None = None
        self._standing = ""
        self._is_on = self._is_busy = False
        self.provider = ChoiceBox()
        for provider, text in (
            (Provider.ELECTRICITY_MAPS, self.tr("%1: most countries, by the hour")),
            (Provider.GREAT_BRITAIN, self.tr("%1: Great Britain, by the half hour")),
        ):
            self.provider.addItem(text.replace("%1", provider.label), provider)
        self.provider.currentIndexChanged.connect(self._mind_fields)
        self.grid, self.token = QLineEdit(), QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText(self.tr("empty: the one in the system's keyring"))
        self.turn_on = named(QPushButton(self.tr("Turn on and test")), "primary")
        self.turn_on.setAutoDefault(False)
        self.turn_on.clicked.connect(self._on)
        self.turn_off = tool_button(self.tr("Turn off"))
        self.turn_off.clicked.connect(self.off_wanted)
        self.state = label("", wrap=True)
        self._problem = label("", "warning", wrap=True)
        self._lay_out()
        self._mind_fields()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_field(form, self.tr("Service"), self.provider)
        add_field(form, self.tr("Grid"), self.grid)
        add_field(form, self.tr("Token"), self.token)
        row = QHBoxLayout()
        row.addWidget(self.turn_on)
        row.addWidget(self.turn_off)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        promise = self.tr(
            "Answers are reckoned with the grid as it is at that hour instead of a year's mean. "
            "While this is on, the service is asked about once an hour and told the grid and the "
            "token, nothing else. If it cannot be reached, its last figure is used for two hours "
            "and then the yearly one, and every answer says which."
        )
        layout.addWidget(label(promise, "muted", wrap=True))
        layout.addLayout(form)
        layout.addLayout(row)
        layout.addWidget(self.state)
        layout.addWidget(self._problem)
        layout.addStretch(1)

    @property
    def _provider(self) -> Provider:
        # Qt keeps the text of it alone.
        return Provider(self.provider.currentData())

    def show_state(self, yearly: Zone, state: LiveState | None) -> None:
        """Show how it stands.

        :param yearly: the zone chosen; live figures are of that country alone
        """
        self._letters, self._is_on = two_letters(yearly.code), state is not None
        if state:
            self.provider.setCurrentIndex(self.provider.findData(state.live.provider))
            self.grid.setText("" if state.live.grid == self._letters else state.live.grid)
        self._standing = self._state_text(yearly, state)
        self.state.setText(self._standing)
        self.tell(state.problem if state else "")
        self._mind_fields()

    def _state_text(self, yearly: Zone, state: LiveState | None) -> str:
        if self._letters is None:
            text = self.tr("Live figures belong to a country, and %1 is none. Choose yours first.")
            return text.replace("%1", yearly.name)
        if state is None:
            return self.tr("Off: the yearly figure of %1 is used.").replace("%1", yearly.name)
        if state.reading is None:
            text = self.tr("On. There is no figure yet: the yearly %1 g/kWh is used.")
            return text.replace("%1", figures.intensity(yearly.g_per_kwh))
        now = datetime.now(UTC)
        zone = state.reading.zone(now)
        text = self.tr("On: %1, %2 g/kWh (%3)")
        if not state.reading.is_usable(now):
            text = self.tr("On: %1, %2 g/kWh (%3). That is too old: the yearly %4 g/kWh is used.")
        return (
            text.replace("%1", zone.name)
            .replace("%2", figures.intensity(zone.g_per_kwh))
            .replace("%3", zone.source)
            .replace("%4", figures.intensity(yearly.g_per_kwh))
        )

    def tell(self, problem: str) -> None:
        """Say why there is no figure; what was entered stays."""
        self._problem.setText(problem)

    def forget_token(self) -> None:
        """Empty the field: the token is in the keyring now."""
        self.token.clear()

    def set_busy(self, busy: bool) -> None:
        """Let nothing be pressed while the service is asked."""
        self._is_busy = busy
        if busy:
            self.tell("")
        self.state.setText(self.tr("Asking …") if busy else self._standing)
        self._mind_fields()

    def _mind_fields(self) -> None:
        is_maps = self._provider is Provider.ELECTRICITY_MAPS
        self.token.setEnabled(is_maps)
        self.grid.setPlaceholderText(
            (self._letters or "")
            if is_maps
            else self.tr("empty: all of it; or half a postcode: RG10")
        )
        self.turn_on.setEnabled(self._letters is not None and not self._is_busy)
        self.turn_off.setEnabled(self._is_on and not self._is_busy)

    def _on(self) -> None:
        self.on_wanted.emit(TurnOn(self._provider, self.grid.text(), self.token.text()))
