"""The one beat of the window: what shows watts at once shows those of the same moment."""

from PySide6.QtCore import QObject, QTimer, Signal

from monitor.energy.present import Present, present
from monitor.power.sampler import Sampler

BEAT_MS = 1000


class Moments(QObject):
    """Tells once a second that there are newer watts, and hands the same to all who ask.

    The sampler is looked at when the first one asks: never, while nothing that shows watts is
    visible.

    :param sampler: need not have started
    """

    passed = Signal()
    """:attr:`now` is another moment."""

    def __init__(self, sampler: Sampler, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sampler = sampler
        self._now: Present | None = None
        self._timer = QTimer(self, interval=BEAT_MS)
        self._timer.timeout.connect(self.go_on)
        self._timer.start()

    @property
    def now(self) -> Present:
        """The watts of this moment, until the next."""
        if self._now is None:
            self._now = present(self._sampler)
        return self._now

    def go_on(self) -> None:
        """Let the next moment begin; :attr:`passed` follows."""
        self._now = None
        self.passed.emit()
