"""What is set up of the machine: its electricity, its idle draw, the wall's watts and plugs."""

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QWidget

from desktop.bridge import Bridge
from desktop.sensors.page import SensorsPage
from desktop.services import Services
from desktop.settings.baseline import BaselineDialog, IdleKeeper
from desktop.settings.calibration import CalibrationDialog
from desktop.settings.carbon import CarbonDialog
from desktop.settings.plugs import PlugsDialog
from desktop.strip import StatusStrip
from desktop.theme.palette import Theme
from monitor.meter import chosen_zone


class SettingsDeeds(QObject):
    """Opens the dialogs of carbon, baseline, calibration and wall plugs; keeps the baseline fresh.

    :param window: above which they are opened
    """

    def __init__(
        self,
        bridge: Bridge,
        services: Services,
        strip: StatusStrip,
        sensors: SensorsPage,
        theme: Theme,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._bridge, self._services, self._strip = bridge, services, strip
        self._theme, self._window = theme, window
        self.idle_keeper = IdleKeeper(
            bridge, services.history, services.sampler, lambda: bridge.busy, self
        )
        strip.zone_wanted.connect(self.choose_zone)
        sensors.baseline_wanted.connect(self.measure_idle)
        sensors.calibration_wanted.connect(self.calibrate)
        sensors.plugs_wanted.connect(self.open_plugs)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours for what is opened from now on."""
        self._theme = theme

    def show_zone(self) -> None:
        """Show whose electricity CO2 is reckoned with; a live figure changes by itself."""
        history = self._services.history
        self._bridge.read(lambda: chosen_zone(history), self._strip.show_zone)

    def choose_zone(self) -> None:
        """Let the person say whose electricity CO2 is reckoned with, and how."""
        dialog = CarbonDialog(self._bridge, self._services.history, self._window)
        dialog.changed.connect(self._strip.show_zone)
        dialog.live_changed.connect(self._services.live_carbon.wake)
        _open(dialog)

    def measure_idle(self) -> None:
        """Show what the idle machine draws, and measure it anew if that is wanted."""
        services = self._services
        _open(BaselineDialog(self._bridge, services.history, services.sampler, self._window))

    def open_plugs(self) -> None:
        """Show the wall plugs, and add, rename or remove one."""
        services = self._services
        _open(PlugsDialog(self._bridge, services.history, services.sampler, self._window))

    def calibrate(self) -> None:
        """Find out how the wall's watts follow from the sensors'."""
        services = self._services
        _open(
            CalibrationDialog(
                self._bridge,
                services.history,
                services.sampler,
                self._theme,
                services.engine,
                self._window,
            )
        )


def _open(dialog: QDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
